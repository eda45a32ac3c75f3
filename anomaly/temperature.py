"""``vitals.temperature``: skin warmer than this person's at this hour, for hours; a welfare matter.

Score: one-sided CUSUM (Page 1954) of the excess over the person's own daily rhythm (``rhythm``), in spreads of 0.7 C,
``S = max(0, S + (z - k) * hours)``; threshold ``temperature_evidence``, in spread-hours. A wrist is no core: it
warms by a degree asleep, by two in half an hour's bath, and cools outdoors, so only hours of it tell. A fever of 2 C
is found some seven hours after it began, one of 1 C may never be. Prior: the wrist is warmest in the small hours, by a
wave of 0.65 C (Sarabia 2008).

Evidence: simulated months only, for no recording at hand has a fever: on a seed that no number was chosen on 12 of 13
found, after 7 hours at the median for 1.8 C and more, 17 below, at 0.007 false a day. Between healthy nights recorded
wrists differ by 0.36 to 1.09 C (lifesnaps_daily). Cost: 32 bytes a wearer. It says nothing of cold, and calls a new
bed, a heated room or changed shifts a fever on their first days.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET_COLUMN, end_all, end_where, number, open_where, placed
from anomaly.rhythm import Phase, Rhythm, phase_of
from schemas.alerts import AlertCode
from schemas.judging import Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

WRIST: Final = Rhythm(level=33.3, cosine=0.55, sine=0.35, prior_min=240.0, memory_min=10_000.0, wave_share=1.0)
"""A healthy wrist; four worn hours outweigh the population, the memory is a week of them."""
SPREAD_C: Final = 0.7
"""By so much a healthy wrist's hours differ: the median person's nights in lifesnaps_daily by 0.52, days by more."""
LESS_Z: Final = 1.2
"""``k``: excesses up to 0.84 C count against."""
MOST_Z: Final = 3.0
"""More than 2.1 C is no more of a fever, but may be a stove."""
LEARNT_C: Final = 1.0
"""A residual teaches no more: two days of fever move the usual by a quarter of a degree."""
LEAST_WORN_C: Final = 28.0
"""Colder lies on a table (or in the snow)."""
MOST_MINUTES: Final = 5.0
"""One reading stands for no more than the longest plan's interval."""
FORGETS_MIN: Final = 240.0
"""After a gap this long the evidence begins anew."""
FULL: Final = 1.3
"""Evidence is kept up to so many thresholds, or an alert would outlast its fever by hours."""
CLEARS_AT: Final = 0.5
"""An alert ends when half of the threshold is left."""


@dataclass(frozen=True, slots=True)
class Temperature(Detector):
    """Rings once an episode while the evidence for fever exceeds ``temperature_evidence``.

    >>> wrist = Temperature(np.array([1]), np.array([0], np.int32))
    >>> table, row = Table.new(wrist.keys, wrist.columns), np.array([0])
    >>> for hour in range(72):
    ...     degrees = 33.0 + (2.0 if hour >= 60 else 0.0)
    ...     for minute in range(0, 60, 5):
    ...         step = Readings.of(device=[1], event_ms=[(hour * 60 + minute) * 60_000], skin_temp_c=[degrees])
    ...         for verdict in wrist.judge(table, row, step):
    ...             print(hour, verdict.transition.value, verdict.evidence["skin_temp_c"], verdict.evidence["usual_c"])
    62 opened 35.0 33.0
    """

    keys: NDArray[np.int64] = field()
    ahead_s: NDArray[np.int32]
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.VITALS_TEMPERATURE.value

    @property
    def columns(self) -> Columns:
        """The person's rhythm, the evidence and when it was last fed, and the open alert's onset."""
        return {**WRIST.columns, "score": (np.float32, 0.0), "last_s": (np.uint32, 0), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Weigh the temperature of a worn band; on its charger a band is warm by itself."""
        worn = np.flatnonzero((step.skin_temp_c >= LEAST_WORN_C) & (step.charging != 1) & (step.strap_closed != 0))
        rows, skin_c, at_ms = rows[worn], step.skin_temp_c[worn], step.event_ms[worn]
        passed_min = ((at_ms // 1000 - table["last_s"][rows]) / 60.0).astype(np.float32)
        table["last_s"][rows] = at_ms // 1000
        minutes = np.minimum(passed_min, MOST_MINUTES)

        phase = phase_of(at_ms, self.ahead_s[rows])
        usual_c = WRIST.usual(table, rows, phase)
        excess_c = skin_c - usual_c
        gained = (np.clip(excess_c / SPREAD_C, -MOST_Z, MOST_Z) - LESS_Z) * minutes / 60.0
        threshold = self.thresholds.temperature_evidence
        kept = np.where(passed_min >= FORGETS_MIN, 0.0, table["score"][rows])
        score = np.clip(kept + gained, 0.0, FULL * threshold)
        table["score"][rows] = score
        WRIST.learn(table, rows, Phase(*phase), np.clip(excess_c, -LEARNT_C, LEARNT_C), minutes)

        def evidence(n: int) -> dict[str, object]:
            return {
                "skin_temp_c": number(skin_c[n]),
                "usual_c": number(usual_c[n]),
                "spread_c": SPREAD_C,
                "score": number(score[n]),
                "score_threshold": threshold,
            }

        code = AlertCode.VITALS_TEMPERATURE
        verdicts = open_where(
            table, code, rows, condition=score > threshold, onset_ms=at_ms, at_ms=at_ms, evidence=evidence
        ) + end_where(table, code, rows, condition=score < CLEARS_AT * threshold, at_ms=at_ms, evidence=evidence)
        return placed(verdicts, worn)

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.VITALS_TEMPERATURE, gone, now_ms)
