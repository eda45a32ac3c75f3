"""``vitals.heart_rate`` of subject ``nights``: nights whose resting rate stands above this person's; illness, perhaps.

Night: mean rate at rest from 00 to 07 local time, an hour of it at least. Score: CUSUM over nights of
``z = (night - usual) / spread`` less 1.25; alert when two nights running stand out and the score exceeds
``nights_evidence``. ``usual`` follows by a third a night, ``spread`` (2 bpm at least) by a fourteenth, both with
residuals cut off. After NightSignal (Alavi 2022: two nights of +4 over the running median), whose 28 nights of memory
become 29 bytes: a person's level drifts over weeks, and a short memory follows it.

Recorded resting rates (lifesnaps_daily, 31 people, +6 bpm put into five nights): numbers chosen on half of the people,
0.80 found at 0.17 alerts a person-month (NightSignal 0.82 at 0.17); the other half 0.75 at 0.20 (0.65 at 0.24). Single
people reach 0.9 a month. On rates of deep sleep, which Fitbit does not smooth, 0.51 and 0.65 found at 0.44 and 0.50
(0.77 and 0.80 at 0.63 and 1.21). It says nothing in the first four nights, of people who work nights on changing days,
or why: drink, grief and a warm room raise a night as well.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET_COLUMN, end_all, end_where, number, open_where, placed
from anomaly.quality import trusted
from schemas.alerts import AlertCode
from schemas.judging import Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

SUBJECT: Final = "nights"
NIGHT_ENDS_H: Final = 7
"""NightSignal's window: 00 to 07."""
LEAST_MINUTES: Final = 60.0
"""Less rest than this is no night."""
KNOWN_AFTER: Final = 4
"""Nights before the first is judged."""
FOLLOWS: Final = 1 / 3
SPREAD_FOLLOWS: Final = 1 / 14
SPREAD_PRIOR_NIGHTS: Final = 5.0
LEARNT_DOWN: Final = 1.0
LEARNT_UP: Final = 0.5
"""Spreads that a night teaches at most: a raised one teaches less, or five nights of illness would become usual."""
FIRST_LEARN_BPM: Final = 8.0
"""The same for the first nights."""
SPREAD_BPM: Final = 2.0
"""Before a person is known, and at least: night to night recorded people differ by 0.5 to 2.5 bpm."""
SPREAD_OF_SIZE: Final = 1.25
"""A normal variable's standard deviation over its mean size."""
LESS_Z: Final = 1.25
MOST_Z: Final = 4.0
FORGETS_NIGHTS: Final = 4
"""After so many nights that nobody saw the evidence begins anew."""
FULL: Final = 4.0
"""Evidence is kept up to so many thresholds."""
MOST_ACTIVITY: Final = 0.2
MOST_STEPS: Final = 5.0
LEAST_STEP_MIN: Final = 1 / 60
MOST_MINUTES: Final = 5.0
"""One reading stands for no more than the longest plan's interval."""

DAY_S: Final = 86_400
_SEEN: Final = 255


@dataclass(frozen=True, slots=True)
class Nights(Detector):
    """Rings in the morning after the second raised night; ends after a night like the others.

    >>> nights = Nights(np.array([1]), np.array([8 * 3600], np.int32))
    >>> table, row = Table.new(nights.keys, nights.columns), np.array([0])
    >>> for night in range(14):
    ...     for hour in range(0, 9):
    ...         for minute in range(0, 60, 5):
    ...             at_ms = ((night * 24 + hour - 8) * 60 + minute) * 60_000 + 10**12
    ...             rate = 60 + night % 2 + (6 if night in (10, 11, 12) else 0)
    ...             step = Readings.of(device=[1], event_ms=[at_ms], heart_rate_bpm=[rate], steps=[0])
    ...             for verdict in nights.judge(table, row, step):
    ...                 print(night, verdict.transition.value, verdict.evidence["night_bpm"])
    11 opened 67.0
    13 cleared 61.0
    """

    keys: NDArray[np.int64] = field()
    ahead_s: NDArray[np.int32]
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = f"{AlertCode.VITALS_HEART_RATE.value}.{SUBJECT}"

    @property
    def codes(self) -> frozenset[AlertCode]:
        """That of the heart rate: another way to see it."""
        return frozenset({AlertCode.VITALS_HEART_RATE})

    @property
    def columns(self) -> Columns:
        """The person, the night so far, the evidence of nights, and the open alert's onset."""
        return {
            "usual_bpm": (np.float16, 0.0),
            "spread_bpm": (np.float16, SPREAD_BPM),
            "nights": (np.uint8, 0),
            "score": (np.float16, 0.0),
            "since_day": (np.uint16, 0),
            "seen_day": (np.uint16, 0),
            "mean_bpm": (np.float32, 0.0),
            "minutes": (np.float16, 0.0),
            "last_s": (np.uint32, 0),
            **ONSET_COLUMN,
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Close nights that are over, then take in what is said at rest in the night that is on."""
        local_s = step.event_ms // 1000 + self.ahead_s[rows]
        day, night = local_s // DAY_S, local_s % DAY_S < NIGHT_ENDS_H * 3600
        over = np.flatnonzero((table["minutes"][rows] > 0) & ((self._day(table, rows) != day) | ~night))
        verdicts = self._close(table, rows[over], step.event_ms[over])
        resting = ~(step.activity > MOST_ACTIVITY) & ~(step.steps > MOST_STEPS)
        counts = np.flatnonzero(night & resting & trusted(step.heart_rate_bpm, step.quality))
        _take_in(table, rows[counts], step.heart_rate_bpm[counts], step.event_ms[counts] // 1000)
        return placed(verdicts, over)

    def _day(self, table: Table, rows: Rows) -> Times:
        """The local day of each row's last reading in a night."""
        return np.asarray((table["last_s"][rows].astype(np.int64) + self.ahead_s[rows]) // DAY_S)

    def _close(self, table: Table, rows: Rows, at_ms: Times) -> list[Verdict]:
        """Judge each row's night against those before; ``rows`` have one that is over."""
        whole = table["minutes"][rows] >= LEAST_MINUTES
        table["minutes"][rows] = 0.0
        places = np.flatnonzero(whole)
        rows, at_ms = rows[places], at_ms[places]
        night_bpm, day = table["mean_bpm"][rows], self._day(table, rows)
        usual_bpm = table["usual_bpm"][rows].astype(np.float32)
        spread_bpm = np.maximum(table["spread_bpm"][rows].astype(np.float32), SPREAD_BPM)
        known = table["nights"][rows] >= KNOWN_AFTER
        z = (night_bpm - usual_bpm) / spread_bpm
        raised = known & (z > LESS_Z)

        unseen = day - table["seen_day"][rows] > FORGETS_NIGHTS
        before = np.where(unseen, 0.0, table["score"][rows])
        threshold = self.thresholds.nights_evidence
        score = np.where(known, np.clip(before + np.minimum(z, MOST_Z) - LESS_Z, 0.0, FULL * threshold), 0.0)
        running = raised & ~unseen & (table["since_day"][rows] > 0)
        since_day = np.where(raised, np.where(running, table["since_day"][rows], day), 0)
        table["score"][rows], table["since_day"][rows], table["seen_day"][rows] = score, since_day, day
        _learn(table, rows, night_bpm)

        def evidence(n: int) -> dict[str, object]:
            return {
                "night_bpm": number(night_bpm[n]),
                "usual_bpm": number(usual_bpm[n]),
                "spread_bpm": number(spread_bpm[n]),
                "nights": int(day[n] - since_day[n] + 1) if raised[n] else 0,
                "score": number(score[n]),
                "score_threshold": threshold,
            }

        code = AlertCode.VITALS_HEART_RATE
        onset_ms = (since_day.astype(np.int64) * DAY_S - self.ahead_s[rows]) * 1000
        verdicts = open_where(
            table,
            code,
            rows,
            condition=running & (score > threshold),
            onset_ms=onset_ms,
            at_ms=at_ms,
            evidence=evidence,
        ) + end_where(table, code, rows, condition=~raised, at_ms=at_ms, evidence=evidence)
        return [verdict._replace(subject=SUBJECT) for verdict in placed(verdicts, places)]

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        ended = end_all(table, AlertCode.VITALS_HEART_RATE, gone, now_ms)
        return [verdict._replace(subject=SUBJECT) for verdict in ended]


def _take_in(table: Table, rows: Rows, rate_bpm: NDArray[np.float32], now_s: Times) -> None:
    """The night's running mean, each reading by the minutes for which it stands."""
    passed_min = ((now_s - table["last_s"][rows]) / 60.0).clip(LEAST_STEP_MIN, MOST_MINUTES)
    table["last_s"][rows] = now_s
    minutes = table["minutes"][rows] + passed_min
    table["minutes"][rows] = minutes
    table["mean_bpm"][rows] += (rate_bpm - table["mean_bpm"][rows]) * passed_min / minutes


def _learn(table: Table, rows: Rows, night_bpm: NDArray[np.float32]) -> None:
    """The first night is the usual one; later ones move it by a share."""
    nights = table["nights"][rows].astype(np.float32)
    usual, spread = table["usual_bpm"][rows].astype(np.float32), table["spread_bpm"][rows].astype(np.float32)
    residual, most = night_bpm - usual, np.maximum(spread, SPREAD_BPM)
    known = nights >= KNOWN_AFTER
    down = np.where(known, LEARNT_DOWN * most, FIRST_LEARN_BPM)
    up = np.where(known, LEARNT_UP * most, FIRST_LEARN_BPM)
    followed = usual + np.maximum(1.0 / (nights + 1.0), FOLLOWS) * np.clip(residual, -down, up)
    table["usual_bpm"][rows] = np.where(nights == 0, night_bpm, followed)
    share = np.maximum(1.0 / (nights + SPREAD_PRIOR_NIGHTS), SPREAD_FOLLOWS)
    size = SPREAD_OF_SIZE * np.minimum(np.abs(residual), 3.0 * most)
    table["spread_bpm"][rows] = np.where(nights == 0, spread, spread + share * (size - spread))
    table["nights"][rows] = np.minimum(nights + 1, _SEEN)
