"""Whether the body that a band came back to is the one that it had left: a part of ``device.off_body``.

After a gap off the body the resting rate is held, for an hour, against that of the last quarter of an hour before it.
Two sums, one for a faster heart and one for a slower (CUSUM, Page 1954):

    sum <- max(0, sum + minutes · min(rate - before - 6, rate - own - 3))     rings at 15 beats a log odd of the dial

``own`` is the wearer's slowly learned resting rate: a heart that comes back to its own level is no other heart. Twelve
beats apart thus ring after ten minutes at rest (60 beats), and nothing sooner than ten minutes after the gap.

*Why the gap is the evidence.* Two Fitbit wearers (61 days) change by 10 bpm at rest within the next twenty minutes one
time in ten, by themselves; so the rate decides only between "the same" and "another" after a band was truly off.
Who takes it off and puts it on again keeps an eye on the clock, or has a rate near the wearer's own, is not found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import number
from schemas.judging import Columns, Rows, Table

LEAST_CHANGE_BPM: Final = 6.0
"""Half of the least difference between two people that is asked for (12): the best reference of a CUSUM for it."""
LEAST_OWN_CHANGE_BPM: Final = 3.0
"""Less is asked against the own rate, which mixes day and night."""
MOST_CHANGE_BPM: Final = 20.0
"""What one reading can say at most, or two of them would decide."""
BEATS_A_LOG_ODD: Final = 15.0
"""The dial at 4 gives 60: ten minutes at 12 bpm."""
MOST_MINUTES: Final = 2.0
"""For which one reading speaks, or at one every five minutes two of them would decide."""
BEFORE_MIN: Final = 15.0
"""Minutes at rest that the rate before the gap is the mean of."""
OWN_MIN: Final = 1_000.0
"""The same of the own rate: a day or two."""
LEAST_TRIAL_S: Final = 600.0
"""A heart calms down from the handling within minutes."""
MOST_TRIAL_S: Final = 3_600.0
"""What changes later has other reasons."""

TRIAL_COLUMNS: Final[Columns] = {
    "rest_bpm": (np.float16, np.nan),
    "own_bpm": (np.float32, np.nan),
    "faster": (np.float16, 0.0),
    "slower": (np.float16, 0.0),
    "gap_s": (np.uint32, 0),
}
"""Resting rate before the gap, own rate, the two sums, and the last pulse before the gap (0: no trial)."""

Flags = NDArray[np.bool_]
Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """The trials of one step, aligned with its rows: which ended with another body, since when, and by what."""

    other: Flags
    onset_ms: NDArray[np.int64]
    evidence: Callable[[int], dict[str, Any]]


def hold_trials(
    table: Table,
    rows: Rows,
    *,
    rate: Floats,
    resting: Flags,
    returned: Flags,
    now_s: NDArray[np.uint32],
    threshold: float,
) -> Trial:
    """Begin a trial where a pulse has returned, weigh resting rates, end what is decided or too old; else learn.

    ``resting``: the rate is trusted and at rest. ``threshold`` in log odds. ``table["pulse_s"]`` is still that of the
    pulse before.
    """
    before, own = table["rest_bpm"][rows].astype(np.float32), table["own_bpm"][rows]
    begins = returned & ~np.isnan(before)
    gap_s = np.where(begins, table["pulse_s"][rows], table["gap_s"][rows])
    on_trial = gap_s > 0
    weighed = on_trial & resting
    minutes = np.clip((now_s.astype(np.float32) - table["pulse_s"][rows]) / 60.0, 0.0, MOST_MINUTES)
    weight = np.where(weighed, minutes, np.float32(0.0))
    faster = _sum(np.where(begins, 0.0, table["faster"][rows]), rate - before, rate - own, weight)
    slower = _sum(np.where(begins, 0.0, table["slower"][rows]), before - rate, own - rate, weight)
    lasted_s = now_s.astype(np.float64) - gap_s
    enough = threshold * BEATS_A_LOG_ODD
    other = weighed & (np.maximum(faster, slower) >= enough) & (lasted_s >= LEAST_TRIAL_S)

    def evidence(n: int) -> dict[str, Any]:
        return {
            "heart_rate_bpm": number(rate[n]),
            "before_bpm": number(before[n]),
            "own_bpm": number(own[n]),
            "lasted_s": int(lasted_s[n]),
            "score_log_odds": number(max(faster[n], slower[n]) / BEATS_A_LOG_ODD, 2),
            "threshold": threshold,
        }

    over = other | (on_trial & (lasted_s > MOST_TRIAL_S))
    table["gap_s"][rows] = np.where(over, 0, gap_s)
    table["faster"][rows], table["slower"][rows] = faster, slower
    _learn(table, rows, rate, resting & (~on_trial | over), minutes)
    return Trial(other, gap_s.astype(np.int64) * 1000, evidence)


def _sum(so_far: Floats, change_bpm: Floats, own_change_bpm: Floats, minutes: Floats) -> Floats:
    """One side of the CUSUM after one more reading, in beats: bpm times the minutes for which the reading speaks."""
    beyond = np.minimum(change_bpm, MOST_CHANGE_BPM) - LEAST_CHANGE_BPM
    beyond = np.minimum(beyond, own_change_bpm - LEAST_OWN_CHANGE_BPM)
    return np.asarray(np.where(minutes > 0, np.maximum(0.0, so_far + minutes * beyond), so_far))


def _learn(table: Table, rows: Rows, rate: Floats, learns: Flags, minutes: Floats) -> None:
    for name, mean_of in (("rest_bpm", BEFORE_MIN), ("own_bpm", OWN_MIN)):
        known = table[name][rows].astype(np.float32)
        learned = np.where(np.isnan(known), rate, known + (rate - known) * minutes / mean_of)
        table[name][rows] = np.where(learns, learned, known)
