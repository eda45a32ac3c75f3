"""``vitals.spo2``: blood oxygen low for anybody and low for this person, sustained; a welfare matter.

Score: one-sided CUSUM (Page 1954) of the percentage points below a floor, in point-minutes; the floor is 90 % (the
clinical limit of hypoxaemia) or four points below the person's own running median, whichever is lower, so that a
lung patient at 91 rings no bell and falling to 86 does. Threshold ``spo2_evidence``. The sensor must trust itself and
the arm be quiet: a moving wrist reads low. No alert from one sample.

Evidence: simulated months only: all of 32 found, none false, but a simulator's sensor hardly errs. Recorded people's
nightly means lie between 92 and 99 % (lifesnaps_daily). A wrist sensor is off by 2 to 4 points and more on dark skin:
the alert asks to check on the person, it is no diagnosis. Cost: 21 bytes a wearer. It does not see desaturations of
seconds (apnoea), nor anything while walking.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET_COLUMN, end_all, end_where, number, open_where, placed
from anomaly.quality import trusted
from schemas.alerts import AlertCode
from schemas.judging import Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

LOW_PCT: Final = 90.0
"""Hypoxaemia by the book."""
BELOW_USUAL_PCT: Final = 4.0
"""The drop that sleep medicine counts as a desaturation (AASM 2012: 3 or 4)."""
USUAL_PCT: Final = 96.0
"""Before a person is known: the median of nightly means in lifesnaps_daily."""
MEDIAN_STEP_PCT: Final = 1 / 16
"""The running median moves so far toward each reading; exact in half precision."""
NEAR_PCT: Final = 1.0
"""What lies farther below the floor teaches nothing; nearer, it may be this person's usual."""
MOST_POINTS: Final = 5.0
"""No reading is stronger, however low: below 85 % the sensor guesses."""
MOST_ACTIVITY: Final = 0.2
MOST_STEPS_A_MINUTE: Final = 30.0
"""A few steps in five minutes still leave the wrist quiet for the band to measure."""
LEAST_READINGS: Final = 2
MOST_MINUTES: Final = 2.0
"""One reading stands for no more, however seldom the band reports."""
FORGETS_MIN: Final = 30.0
"""After a gap this long the evidence begins anew."""
FULL: Final = 1.5
"""Evidence is kept up to so many thresholds."""
CLEARS_AT: Final = 0.25
"""An alert ends when a quarter of the threshold is left."""


@dataclass(frozen=True, slots=True)
class Oxygen(Detector):
    """Rings once an episode while the evidence for low oxygen exceeds ``spo2_evidence``.

    >>> oxygen = Oxygen(np.array([1]))
    >>> table, row = Table.new(oxygen.keys, oxygen.columns), np.array([0])
    >>> for minute, percent in enumerate([97, 97, 85, 97, 97, 86, 85, 86, 97, 97, 97, 97]):
    ...     step = Readings.of(device=[1], event_ms=[minute * 60_000], spo2_pct=[percent], quality=[0.9], steps=[0])
    ...     for verdict in oxygen.judge(table, row, step):
    ...         print(minute, verdict.transition.value, verdict.evidence["floor_pct"], verdict.evidence["readings"])
    7 opened 90.0 3
    10 cleared 90.0 0
    """

    keys: NDArray[np.int64] = field()
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.VITALS_SPO2.value

    @property
    def columns(self) -> Columns:
        """The person's median, the evidence, since when and in how many readings, and the open alert's onset."""
        return {
            "usual_pct": (np.float16, USUAL_PCT),
            "score": (np.float16, 0.0),
            "last_s": (np.uint32, 0),
            "since_s": (np.uint32, 0),
            "readings": (np.uint8, 0),
            **ONSET_COLUMN,
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Weigh what a quiet wrist and a sensor that trusts itself say."""
        said = np.flatnonzero(trusted(step.spo2_pct, step.quality) & ~(step.activity > MOST_ACTIVITY))
        rows, spo2_pct, at_ms = rows[said], step.spo2_pct[said], step.event_ms[said]
        now_s = at_ms // 1000
        passed_min = (now_s - table["last_s"][rows]) / 60.0
        quiet = ~(step.steps[said] > MOST_STEPS_A_MINUTE * passed_min)
        table["last_s"][rows] = now_s

        usual_pct = table["usual_pct"][rows].astype(np.float32)
        floor_pct = np.minimum(LOW_PCT, usual_pct - BELOW_USUAL_PCT)
        points = np.clip(floor_pct - spo2_pct, -MOST_POINTS, MOST_POINTS)
        threshold = self.thresholds.spo2_evidence
        before = np.where(passed_min >= FORGETS_MIN, 0.0, table["score"][rows])
        grown = np.clip(before + points * np.minimum(passed_min, MOST_MINUTES), 0.0, FULL * threshold)
        score = np.where(quiet, grown, before)
        readings = np.where(score > 0.0, np.where(before > 0.0, table["readings"][rows].clip(max=254), 0) + quiet, 0)
        since_s = np.where((score > 0.0) & (before <= 0.0), now_s, table["since_s"][rows])
        moved = table["usual_pct"][rows] + np.sign(spo2_pct - usual_pct) * MEDIAN_STEP_PCT
        table["usual_pct"][rows] = np.where(quiet & (spo2_pct >= floor_pct - NEAR_PCT), moved, table["usual_pct"][rows])
        table["score"][rows], table["readings"][rows], table["since_s"][rows] = score, readings, since_s

        def evidence(n: int) -> dict[str, object]:
            return {
                "spo2_pct": number(spo2_pct[n]),
                "usual_pct": number(usual_pct[n]),
                "floor_pct": number(floor_pct[n]),
                "score": number(score[n]),
                "score_threshold": threshold,
                "readings": int(readings[n]),
            }

        code = AlertCode.VITALS_SPO2
        sure = (score > threshold) & (readings >= LEAST_READINGS)
        verdicts = open_where(
            table, code, rows, condition=sure, onset_ms=since_s * 1000, at_ms=at_ms, evidence=evidence
        ) + end_where(table, code, rows, condition=score < CLEARS_AT * threshold, at_ms=at_ms, evidence=evidence)
        return placed(verdicts, said)

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.VITALS_SPO2, gone, now_ms)
