"""``vitals.heart_rate``: fast or slow at rest, sustained; a welfare matter, judged only where a consent is recorded.

Score: time that the rate has stood outside the band's limits while the wearer was still and the
optical sensor trusted itself; threshold: five minutes and at least three readings. Context is the
point: "over 100 bpm" alone fires 4.4 times a day on healthy people, "over 110, at rest, five minutes"
0.04 times.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET_COLUMN, end_all, end_where, number, open_where
from schemas.alerts import AlertCode
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

LEAST_QUALITY: Final = 0.5
MOST_ACTIVITY: Final = 0.3
MOST_STEPS: Final = 5
LEAST_READINGS: Final = 3


@dataclass(frozen=True, slots=True)
class HeartRate(Detector):
    """Rings once an episode when the rate stays outside its limits at rest."""

    keys: NDArray[np.int64] = field()
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.VITALS_HEART_RATE.value

    @property
    def columns(self) -> Columns:
        """Since when and for how many readings the rate has been unusual, and the open alert's onset."""
        return {"since_ms": (np.int64, NEVER), "readings": (np.int32, 0), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Count unusual readings; a usual one resets, one that cannot be trusted says nothing."""
        rate = step.heart_rate_bpm
        trusted = (rate > 0) & ~(step.quality < LEAST_QUALITY)
        resting = ~(step.activity > MOST_ACTIVITY) & ~(step.steps > MOST_STEPS)
        outside = (rate > self.thresholds.heart_rate_high_bpm) | (rate < self.thresholds.heart_rate_low_bpm)
        unusual, usual = trusted & resting & outside, trusted & ~outside

        since, readings = table["since_ms"][rows], table["readings"][rows]
        since = np.where(usual, NEVER, np.where(unusual & (since == NEVER), step.event_ms, since))
        readings = np.where(usual, 0, readings + unusual)
        table["since_ms"][rows], table["readings"][rows] = since, readings
        lasted_s = (step.event_ms - since) / 1000.0

        def evidence(n: int) -> dict[str, object]:
            return {
                "heart_rate_bpm": number(rate[n]),
                "limits_bpm": [self.thresholds.heart_rate_low_bpm, self.thresholds.heart_rate_high_bpm],
                "lasted_s": round(float(lasted_s[n])) if since[n] != NEVER else 0,
                "threshold_s": self.thresholds.heart_rate_sustain_s,
                "readings": int(readings[n]),
            }

        sustained = unusual & (lasted_s >= self.thresholds.heart_rate_sustain_s) & (readings >= LEAST_READINGS)
        return open_where(
            table,
            AlertCode.VITALS_HEART_RATE,
            rows,
            condition=sustained,
            onset_ms=since,
            at_ms=step.event_ms,
            evidence=evidence,
        ) + end_where(table, AlertCode.VITALS_HEART_RATE, rows, condition=usual, at_ms=step.event_ms, evidence=evidence)

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.VITALS_HEART_RATE, gone, now_ms)
