"""``vitals.fall``: a blow, and then a living wearer who does not move. A check-in by somebody kind, not an alarm.

From the blow on, while no step is made and nothing moves,

    score = (peak - 2 g), at most 4, + 0.45 · still minutes, at most 5.5, + 0.1 · bpm above before, at most 2

rings at ``fall_log_odds`` (6): four and a half minutes after the hardest blows, eleven after 3 g, never before three,
and only while a pulse is trusted: a band that was dropped is ``device.off_body``'s. Any motion ends it.

*Where the numbers are from.* SmartFallMM (watch): of falls and of everyday hours, peaks over 2 g are in 0.85 and 80,
over 3 g in 0.69 and 22.9, over 4 g in 0.57 and 6.3: one log odd a g. Stillness: every second person of Stress-Predict
(S01, S03 … S23).

*What to expect.* Real falls were found at 0.56 false an hour by a model that saw every sample. Blows as frequent as in
SmartFallMM's everyday hours, put into the restless minutes of people at a desk, ring 0.04 times an hour for those
twelve and 0.007 for the other eleven (no blind test: both were in view when the numbers were chosen); how often a
supervised person's wrist is hit is not known. So this has the priority ``welfare``, and nothing follows from it but a
question.

``steps``, ``activity`` and ``peak_g`` cover the time since the reading before, so that one still reading speaks for all
of it; a blow and the stillness after it are two readings at least.

Not covered: who gets up again, who falls slowly, who lies and moves. Without consent, or from a firmware that sends no
``peak_g``, nothing is known.

Cost: 14 bytes a wearer, 0.06 µs a reading in batches of 10,000.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, end_all, end_where, number, open_where
from anomaly.quality import trusted
from schemas.alerts import AlertCode
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

LEAST_PEAK_G: Final = 3.0
"""Below it a wrist is knocked eighty times an hour."""
EVEN_PEAK_G: Final = 2.0
"""Where the odds of a fall begin to grow, by one log odd a g."""
MOST_PEAK_LOG_ODDS: Final = 4.0
"""Beyond 6 g there are too few in any study to tell more."""
STILL_ACTIVITY: Final = 0.03
"""One in five minutes of people at a desk is stiller."""
LOG_ODDS_A_MINUTE: Final = 0.45
"""After three still minutes at a desk a fourth follows in 63 of 100 cases (33 cases): ln(1/0.63)."""
MOST_STILL_LOG_ODDS: Final = 5.5
"""Twelve minutes: who sits that still may watch a film."""
LOG_ODDS_A_BPM: Final = 0.1
"""A heart at rest strays by 5 bpm within minutes: half a log odd, and no more than ``MOST_RATE_LOG_ODDS`` in all."""
MOST_RATE_LOG_ODDS: Final = 2.0
LEAST_STILL_S: Final = 180.0
"""Two minutes without a step, and the one in which the blow fell."""
MOST_WAIT_S: Final = 1_800.0
"""Who lay still for half an hour without ringing is asleep."""
STEPS: Final = 0
"""No step is made."""


@dataclass(frozen=True, slots=True)
class Fall(Detector):
    """Rings once for a blow that stillness follows.

    >>> fall = Fall(np.array([1]))
    >>> table = Table.new(fall.keys, fall.columns)
    >>> peaks, steps = [1.2, 6.4, 1.0, 1.0, 1.0, 1.0, 1.0, 1.1], [20, 4, 0, 0, 0, 0, 0, 15]
    >>> for minute, (peak, count) in enumerate(zip(peaks, steps)):
    ...     step = Readings.of(device=[1], event_ms=[minute * 60_000], heart_rate_bpm=[70], quality=[0.9],
    ...                        peak_g=[peak], steps=[count], activity=[0.3 if count else 0.01])
    ...     for verdict in fall.judge(table, np.array([0]), step):
    ...         print(minute, verdict.transition.value, verdict.evidence.get("score_log_odds"))
    6 opened 6.25
    7 cleared None
    """

    keys: NDArray[np.int64] = field()
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.VITALS_FALL.value

    @property
    def columns(self) -> Columns:
        """When the last blow fell (0: none waits), how hard it was, the rate before it, and the open alert's onset."""
        return {"blow_s": (np.uint32, 0), "peak_dg": (np.uint8, 0), "before_bpm": (np.uint8, 0), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Take up blows, let motion end what waits or rings, and weigh what has stayed still."""
        now_s = step.event_ms // 1000
        rate = step.heart_rate_bpm
        pulse = trusted(rate, step.quality)
        moved = (step.steps > STEPS) | (step.activity > STILL_ACTIVITY)
        blow = step.peak_g >= LEAST_PEAK_G
        blow_s, peak_g = table["blow_s"][rows].astype(np.int64), table["peak_dg"][rows] / 10.0
        lasted_s = now_s - blow_s
        waits = (blow_s > 0) & ~blow & ~moved & (lasted_s <= MOST_WAIT_S)
        rise_bpm = np.where(pulse & (table["before_bpm"][rows] > 0), rate - table["before_bpm"][rows], 0.0)
        score = log_odds(peak_g, lasted_s, rise_bpm)
        told = ~np.isnan(step.activity)

        def evidence(n: int) -> dict[str, Any]:
            return {
                "peak_g": number(peak_g[n]),
                "lasted_s": int(lasted_s[n]),
                "heart_rate_bpm": number(rate[n]),
                "before_bpm": int(table["before_bpm"][rows[n]]),
                "score_log_odds": number(score[n], 2),
                "threshold": self.thresholds.fall_log_odds,
            }

        verdicts = end_where(
            table,
            AlertCode.VITALS_FALL,
            rows,
            condition=moved,
            at_ms=step.event_ms,
            evidence=lambda n: {"ended_by": "motion", "steps": number(step.steps[n])},
        )
        verdicts += open_where(
            table,
            AlertCode.VITALS_FALL,
            rows,
            condition=waits & told & pulse & (lasted_s >= LEAST_STILL_S) & (score >= self.thresholds.fall_log_odds),
            onset_ms=blow_s * 1000,
            at_ms=step.event_ms,
            evidence=evidence,
        )
        rung = table[ONSET][rows] != NEVER
        keeps = waits | ((blow_s > 0) & ~told)
        table["blow_s"][rows] = np.where(blow & ~rung, now_s, np.where(keeps & ~rung, blow_s, 0))
        table["peak_dg"][rows] = np.where(blow, np.minimum(step.peak_g * 10.0, 255.0), table["peak_dg"][rows])
        before = pulse & ~blow & ~keeps
        table["before_bpm"][rows] = np.where(before, np.minimum(rate, 255.0), table["before_bpm"][rows])
        return verdicts

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.VITALS_FALL, gone, now_ms)


def log_odds(peak_g: NDArray[Any], still_s: NDArray[Any], rise_bpm: NDArray[Any]) -> NDArray[np.float64]:
    """The score of a blow, the stillness after it and the heart's answer, aligned.

    >>> log_odds(np.array([3.0, 8.0]), np.array([600, 180]), np.array([10.0, -5.0])).round(1).tolist()
    [6.5, 5.4]
    """
    blow = np.clip(peak_g - EVEN_PEAK_G, 0.0, MOST_PEAK_LOG_ODDS)
    still = np.clip(still_s / 60.0 * LOG_ODDS_A_MINUTE, 0.0, MOST_STILL_LOG_ODDS)
    return np.asarray(blow + still + np.clip(rise_bpm * LOG_ODDS_A_BPM, 0.0, MOST_RATE_LOG_ODDS), np.float64)
