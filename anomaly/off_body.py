"""``device.off_body``: the strap says closed, and nobody is in it; or somebody else.

**Taken off.** Readings count while no pulse is trusted, nothing moves, the strap is closed and the band is not on its
charger. Of an unbroken run of at least two of them

    score = 6.5/°C · (fall - 0.7 °C), from -4 to +6, + 0.1 · minutes        rings at ``off_body_log_odds`` (4)

where the fall is how far the skin lies below its level while a pulse was last felt (mean of some ten minutes), less
0.06 °C for every minute since. So a fall of 1.3 °C rings; without any (a hot day, no sensor) 80 minutes do. A pulse or
motion ends the run.

*Where the numbers are from.* Every second person of Stress-Predict (S01, S03 … S23; wrist, worn): three still
minutes on, the skin lies over 0.74 °C below its level one time in twenty, over 0.96 °C one in a hundred (a tail of some
6.5 per °C), and strays 0.06 °C farther with each minute. A band taken off falls by 0.40 ± 0.17 °C/min in the first five
minutes (DETACH). That the level follows in motion and that straying counts was added for what rang falsely on
development seed 101; what makes a gap was chosen on 101, 102 and 104.
Ninety minutes without a movement count as not worn in actigraphy (Choi 2011). Temperature alone would ring six to eight
times a day, a pulse lost for three minutes three to eight times.

*What to expect.* Removals at DETACH's slopes, put into the other eleven people: 88 of 88 found, half of them in four
minutes, 95 % in ten; none rang falsely, nor did 88 pulses lost for up to half an hour. With the pauses of three Fitbit
wearers (6.3 a day, as if all were worn and at a desk) it would ring falsely 0.02 times a day for those eleven.

**Handed over** (``anomaly.hand_over``). When a pulse comes back after a run in which the skin cooled, or on skin 2 °C
below its level, the resting rate of the hour after is held against that before.

*Not covered.* Without the wearer's consent to physiology a band sends neither pulse nor motion nor temperature: nothing
is known here then, and nothing rings. A band on its charger is off the body by design and says so; ten minutes after it
was unplugged it counts again. One that is carried about while nobody wears it moves, and waits until it lies.
Only a person ends this alert (tamper never closes by itself); a pulse that comes back is noted on it.

Cost: 36 bytes a wearer, 0.15 µs a reading in batches of 10,000.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, Evidence, number
from anomaly.hand_over import TRIAL_COLUMNS, Flags, Floats, hold_trials
from anomaly.quality import trusted
from schemas.alerts import AlertCode, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

STILL_ACTIVITY: Final = 0.1
"""Two thirds of the minutes of people at a desk are stiller: less of it proves nothing, more proves a wearer."""
REST_ACTIVITY: Final = 0.3
"""As for ``vitals.heart_rate``: up to here a rate counts as that of a body at rest."""
MOST_STEPS: Final = 5
"""Fewer in a reading are a hand's movements."""
LEAST_READINGS: Final = 2
"""One sample decides nothing."""
LEVEL_S: Final = 600.0
"""Fast enough to follow a way into the cold, slow against the minutes in which a removal shows."""
LOG_ODDS_PER_C: Final = 6.5
"""How much rarer each degree of fall is while worn (tail of Stress-Predict)."""
EVEN_FALL_C: Final = 0.7
"""A fall that is as likely on the wrist as off it."""
LEAST_LOG_ODDS, MOST_LOG_ODDS = -4.0, 6.0
"""No temperature outweighs everything else: 1 in 50 worn, 1 in 400 removed."""
LOG_ODDS_PER_S: Final = 0.1 / 60.0
"""So that stillness without pulse decides alone after 80 minutes, near the 90 of Choi 2011."""
SPEAKS_FOR_S: Final = 300.0
"""The slowest plan: a reading says nothing of a longer time before it."""
DRIFT_C_PER_S: Final = 0.06 / 60.0
"""How much farther from its level worn skin strays with every minute (99 % of Stress-Predict's still minutes)."""
MOST_DRIFT_S: Final = 1_800.0
"""Skin does not stray without end: 1.8 °C."""
CARRIED_C: Final = 0.2
"""As much a reading does worn skin cool in motion (over five minutes 0.2 °C/min is rare); more is a removal."""
UNPLUGGED_S: Final = 600
"""Time to put the band on after charging."""
GAP_FALL_C: Final = 1.0
"""So far worn skin falls in one still minute of a hundred; below it a lost pulse is no gap off the body."""

DIP_FALL_C: Final = 2.0
"""Between two pulses minutes apart, a gap that no reading fell into; worn skin at a desk dipped by 1.2 °C at most."""

WORN, DOUBT, OFF = 0, 1, 2
"""What a band is known to be: worn; without a pulse and cooler; off the body, which has rung."""
REMOVED, HANDED_OVER = "removed", "handed_over"


@dataclass(frozen=True, slots=True)
class OffBody(Detector):
    """Rings when the band has been taken off with its strap closed, or went to another body.

    ``patience`` (one a row) multiplies what evidence must reach.

    >>> off_body = OffBody(np.array([1]), np.ones(1, np.float32))
    >>> table = Table.new(off_body.keys, off_body.columns)
    >>> rates, temperatures = [66, 67, 0, 0, 0, 0], [33.2, 33.2, 33.0, 32.4, 31.8, 31.3]
    >>> for minute, (rate, skin) in enumerate(zip(rates, temperatures)):
    ...     step = Readings.of(device=[1], event_ms=[minute * 60_000], heart_rate_bpm=[rate], skin_temp_c=[skin],
    ...                        steps=[0], activity=[0], quality=[0.9 if rate else 0], strap_closed=[1])
    ...     for verdict in off_body.judge(table, np.array([0]), step):
    ...         print(minute, verdict.transition.value, verdict.evidence["fall_c"], verdict.evidence["score_log_odds"])
    5 opened 1.66 6.3
    """

    keys: NDArray[np.int64] = field()
    patience: NDArray[np.float32]
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.DEVICE_OFF_BODY.value

    @property
    def columns(self) -> Columns:
        """The level on the wrist and when a pulse was last trusted; the run without; the trial of a new body; onset."""
        return {
            "worn_c": (np.float32, np.nan),
            "pulse_s": (np.uint32, 0),
            "run_s": (np.uint32, 0),
            "run": (np.uint8, 0),
            "state": (np.uint8, WORN),
            **TRIAL_COLUMNS,
            **ONSET_COLUMN,
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Let runs without a pulse grow or end, and try new bodies; a reading without any motion says nothing."""
        told = np.flatnonzero(~np.isnan(step.steps) | ~np.isnan(step.activity))
        if not len(told):
            return []
        heard = _Heard.of(step, told)
        rows = rows[told]
        removed, returned = self._run(table, rows, heard)
        tried = self._try(table, rows, heard, returned)
        _learn(table, rows, heard)
        return removed + tried

    def release(self, table: Table, row: int, onset_ms: int) -> None:
        """A person closed that alert: once the band has been worn again, the next removal rings."""
        if table[ONSET][row] == onset_ms:
            table[ONSET][row] = NEVER

    def _run(self, table: Table, rows: Rows, heard: "_Heard") -> tuple[list[Verdict], Flags]:
        """Count readings without a pulse, ring where they are enough and cold; where a pulse is back after a gap."""
        now_s, run, run_s, state = heard.now_s, table["run"][rows], table["run_s"][rows], table["state"][rows]
        counted = heard.empty & ((run > 0) | (now_s >= run_s))
        run_s = np.where(counted & (run == 0), now_s, run_s)
        run_s = np.where(heard.charging, now_s + UNPLUGGED_S, run_s)
        longer = np.where(counted, np.minimum(run, 254) + 1, 0)
        lasted_s = np.minimum(now_s.astype(np.float64) - run_s, longer * SPEAKS_FOR_S)
        without_s = now_s.astype(np.float64) - table["pulse_s"][rows]
        worn_c = table["worn_c"][rows]
        fall_c = worn_c - heard.skin_c - DRIFT_C_PER_S * np.minimum(without_s, MOST_DRIFT_S)
        score = log_odds(fall_c, lasted_s)
        was_worn = table["pulse_s"][rows] > 0
        decided = was_worn & (longer >= LEAST_READINGS) & (score >= self._threshold(rows))

        def evidence(n: int) -> dict[str, Any]:
            return {
                "kind": REMOVED,
                "worn_c": number(worn_c[n]),
                "skin_temp_c": number(heard.skin_c[n]),
                "fall_c": number(fall_c[n], 2),
                "lasted_s": int(lasted_s[n]),
                "readings": int(longer[n]),
                "score_log_odds": number(score[n], 2),
                "threshold": number(self._threshold(rows)[n], 2),
            }

        newly = np.flatnonzero(decided & (state != OFF))
        onset_ms = run_s[newly].astype(np.int64) * 1000
        verdicts = _tell(table, rows, heard, at=newly, onset_ms=onset_ms, evidence=evidence)
        doubted = counted & (fall_c >= GAP_FALL_C)
        dipped = (fall_c >= DIP_FALL_C) | ((run > 0) & (fall_c >= GAP_FALL_C))
        returned = heard.pulse & ((state > WORN) | dipped)
        state = np.where(decided, OFF, np.where(doubted, np.maximum(state, DOUBT), state))
        back = np.flatnonzero(heard.pulse & (state == OFF) & (table[ONSET][rows] != NEVER))
        verdicts += _tell(table, rows, heard, at=back, onset_ms=table[ONSET][rows[back]], evidence=heard.worn_again)
        table["state"][rows] = np.where(heard.pulse, WORN, state)
        table["run"][rows], table["run_s"][rows] = longer, run_s
        return verdicts, returned

    def _threshold(self, rows: Rows) -> Floats:
        return self.thresholds.off_body_log_odds * self.patience[rows]

    def _try(self, table: Table, rows: Rows, heard: "_Heard", returned: Flags) -> list[Verdict]:
        """Hold the rate since a gap against that before it."""
        decided = hold_trials(
            table,
            rows,
            rate=heard.rate,
            resting=heard.pulse & heard.resting,
            returned=returned,
            now_s=heard.now_s,
            threshold=self._threshold(rows),
        )

        def evidence(n: int) -> dict[str, Any]:
            return {"kind": HANDED_OVER, **decided.evidence(n)}

        return _tell(table, rows, heard, at=decided.at, onset_ms=decided.onset_ms, evidence=evidence)


def log_odds(fall_c: NDArray[np.float32], lasted_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score of a run: by how far the skin has cooled (°C, NaN: unknown) and how long there was no pulse (s).

    >>> log_odds(np.array([0.0, 1.3, np.nan]), np.array([4_800.0, 60.0, 60.0])).round(1).tolist()
    [4.0, 4.0, -3.9]
    """
    cooled = np.clip(LOG_ODDS_PER_C * (fall_c - EVEN_FALL_C), LEAST_LOG_ODDS, MOST_LOG_ODDS)
    return np.asarray(np.where(np.isnan(cooled), LEAST_LOG_ODDS, cooled) + LOG_ODDS_PER_S * lasted_s)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What readings say of the body, aligned with their rows; ``at`` is their place in the step."""

    at: NDArray[np.intp]
    at_ms: NDArray[np.int64]
    now_s: NDArray[np.uint32]
    rate: NDArray[np.float32]
    skin_c: NDArray[np.float32]
    pulse: Flags
    resting: Flags
    moving: Flags
    empty: Flags
    charging: Flags

    @classmethod
    def of(cls, step: Readings, told: NDArray[np.intp]) -> "_Heard":
        """The readings at the places ``told`` of a step."""
        rate, steps, charging = step.heart_rate_bpm[told], step.steps[told], step.charging[told] == 1
        pulse = trusted(rate, step.quality[told])
        still = ~(steps > MOST_STEPS) & ~(step.activity[told] > STILL_ACTIVITY)
        closed = step.strap_closed[told] != 0
        return cls(
            at=told,
            at_ms=step.event_ms[told],
            now_s=(step.event_ms[told] // 1000).astype(np.uint32),
            rate=rate,
            skin_c=step.skin_temp_c[told],
            pulse=pulse,
            resting=~(steps > MOST_STEPS) & ~(step.activity[told] > REST_ACTIVITY),
            moving=~still,
            empty=~pulse & still & closed & ~charging,
            charging=charging,
        )

    def worn_again(self, n: int) -> dict[str, Any]:
        """Evidence that a pulse is back."""
        return {"kind": REMOVED, "worn_again": True, "heart_rate_bpm": number(self.rate[n])}


def _learn(table: Table, rows: Rows, heard: _Heard) -> None:
    """The skin's level follows what is read while a pulse is trusted, and slowly while the band moves without one."""
    level_c = table["worn_c"][rows]
    waited_s = (heard.now_s - table["pulse_s"][rows]).astype(np.float32)
    learned = heard.skin_c + np.exp(waited_s / -LEVEL_S) * (level_c - heard.skin_c)
    carried = np.maximum(heard.skin_c, level_c - CARRIED_C)
    level = np.where(heard.pulse, learned, np.where(heard.moving, carried, level_c))
    level = np.where(np.isnan(level_c) & heard.pulse, heard.skin_c, level)
    table["worn_c"][rows] = np.where(np.isnan(level), level_c, level)
    table["pulse_s"][rows] = np.where(heard.pulse, heard.now_s, table["pulse_s"][rows])


def _tell(
    table: Table, rows: Rows, heard: _Heard, *, at: NDArray[np.intp], onset_ms: NDArray[np.int64], evidence: Evidence
) -> list[Verdict]:
    """Ring at these places of the rows where nothing is open, else note it on what a person has yet to close."""
    open_ms = table[ONSET][rows[at]]
    standing = open_ms != NEVER
    since_ms = np.where(standing, open_ms, onset_ms)
    table[ONSET][rows[at]] = since_ms
    return [
        Verdict(
            row=int(rows[n]),
            code=AlertCode.DEVICE_OFF_BODY,
            transition=Transition.UPDATED if updated else Transition.OPENED,
            onset_ms=int(since),
            at_ms=int(heard.at_ms[n]),
            step=int(heard.at[n]),
            evidence=evidence(int(n)),
        )
        for n, since, updated in zip(at, since_ms, standing, strict=True)
    ]
