"""Whether the body that a band came back to is the one that it had left: a part of ``device.off_body``.

After a gap off the body the resting rate is held, for an hour, against that of the last quarter of an hour before it.
Two sums, one for a faster heart and one for a slower (CUSUM, Page 1954):

    sum <- max(0, sum + minutes · min(rate - before - 7, rate - own - 5))     rings at 15 beats a log odd of the dial

``own`` is the wearer's slowly learned resting rate: a heart that comes back to its own level is no other heart. Twelve
beats apart thus ring after twelve minutes at rest, and nothing sooner than ten minutes after the gap.

*Why the gap is the evidence.* Two Fitbit wearers (61 days) change by 10 to 12 bpm at rest within the next twenty
minutes one time in ten, by themselves; so the rate decides only between "the same" and "another" after a band was truly
off. Who takes it off and puts it on again keeps an eye on the clock, or has a rate near the wearer's own, is not found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import number
from schemas.judging import Columns, Rows, Table

LEAST_CHANGE_BPM: Final = 7.0
"""The least difference between two people that is asked for is 12: a CUSUM's best reference is half of it, and one more
for hearts that wander by themselves (chosen on development seeds 101 and 102)."""
LEAST_OWN_CHANGE_BPM: Final = 5.0
"""Less is asked against the own rate, which mixes day and night (likewise)."""
MOST_CHANGE_BPM: Final = 20.0
"""What one reading can say at most, or two of them would decide."""
BEATS_A_LOG_ODD: Final = 15.0
"""The dial at 4 gives 60: twelve minutes at 12 bpm, five at 20."""
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
class Decided:
    """Trials that ended with another body: their places in the step's rows, since when (UTC ms), and by what."""

    at: NDArray[np.intp]
    onset_ms: NDArray[np.int64]
    evidence: Callable[[int], dict[str, Any]]


def hold_trials(
    table: Table, rows: Rows, *, rate: Floats, resting: Flags, returned: Flags, now_s: NDArray[Any], threshold: Floats
) -> Decided:
    """Begin a trial where a pulse has returned, weigh resting rates, end what is decided or too old; else learn.

    Arrays are aligned with ``rows``. ``resting``: the rate is trusted and at rest. ``threshold`` in log odds.
    ``table["pulse_s"]`` is still that of the pulse before.
    """
    _begin(table, rows[returned])
    minutes = np.clip((now_s - table["pulse_s"][rows]) / np.float32(60.0), 0.0, MOST_MINUTES)
    at = np.flatnonzero(table["gap_s"][rows] > 0)
    mine, gap_s = rows[at], table["gap_s"][rows[at]]
    before, own, seen = table["rest_bpm"][mine].astype(np.float32), table["own_bpm"][mine], rate[at]
    weight = np.where(resting[at], minutes[at], 0.0)
    faster = _sum(table["faster"][mine], seen - before, seen - own, weight)
    slower = _sum(table["slower"][mine], before - seen, own - seen, weight)
    beats, lasted_s = np.maximum(faster, slower), now_s[at].astype(np.float64) - gap_s
    late = lasted_s > MOST_TRIAL_S
    other = resting[at] & (beats >= threshold[at] * BEATS_A_LOG_ODD) & (lasted_s >= LEAST_TRIAL_S) & ~late
    over = other | late
    table["gap_s"][mine] = np.where(over, 0, gap_s)
    table["faster"][mine], table["slower"][mine] = faster, slower
    learns = resting.copy()
    learns[at] &= over
    _learn(table, rows, rate, np.where(learns, minutes, 0.0))

    def evidence(n: int) -> dict[str, Any]:
        place = int(np.searchsorted(at, n))
        return {
            "heart_rate_bpm": number(seen[place]),
            "before_bpm": number(before[place]),
            "own_bpm": number(own[place]),
            "lasted_s": int(lasted_s[place]),
            "score_log_odds": number(beats[place] / BEATS_A_LOG_ODD, 2),
            "threshold": number(threshold[n], 2),
        }

    return Decided(at[other], gap_s[other].astype(np.int64) * 1000, evidence)


def _begin(table: Table, rows: Rows) -> None:
    """Set the sums of these rows to nothing; where no resting rate is known there is nothing to hold against."""
    begun = rows[~np.isnan(table["rest_bpm"][rows])]
    table["gap_s"][begun] = table["pulse_s"][begun]
    table["faster"][begun] = table["slower"][begun] = 0.0


def _sum(so_far: Floats, change_bpm: Floats, own_change_bpm: Floats, minutes: Floats) -> Floats:
    """One side of the CUSUM after one more reading, in beats: bpm times the minutes for which the reading speaks."""
    beyond = np.minimum(change_bpm, MOST_CHANGE_BPM) - LEAST_CHANGE_BPM
    beyond = np.minimum(beyond, own_change_bpm - LEAST_OWN_CHANGE_BPM)
    return np.asarray(np.where(minutes > 0, np.maximum(0.0, so_far + minutes * beyond), so_far))


def _learn(table: Table, rows: Rows, rate: Floats, minutes: Floats) -> None:
    """Means of the resting rate, where a reading speaks for any minutes."""
    learning = minutes > 0
    mine, rate, minutes = rows[learning], rate[learning], minutes[learning]
    for name, mean_of in (("rest_bpm", BEFORE_MIN), ("own_bpm", OWN_MIN)):
        known = table[name][mine].astype(np.float32)
        table[name][mine] = np.where(np.isnan(known), rate, known + (rate - known) * minutes / np.float32(mean_of))
