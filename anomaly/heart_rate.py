"""``vitals.heart_rate``: faster or slower at rest than this person is at this hour, sustained; a welfare matter.

Expected rate = usual for the hour (``rhythm``) + what recent motion still costs + the drift of the last ten minutes.
Score: two one-sided CUSUM (Page 1954) of ``z = excess / spread``, ``S = max(0, S + (z - k) * minutes)``, over readings
that a person at rest and a sensor that trusts itself have given; threshold ``heart_rate_evidence``.

What keeps it quiet, each seen in recorded people: a rate that only repeats itself is a sensor holding its last value;
arms that work without a step raise the rate as walking does; a heart needs minutes to come to rest; and what creeps up
over a quarter of an hour is tea, talk or heat, an attack comes within minutes. Slow is besides below 48 bpm, as the
clinic has it: a person whose 75 becomes 55 has fallen asleep.

Evidence: half-hours put into the minutes of two people (fitbit_minute, 61 days). Nothing false; +30 bpm found 0.87 and
0.97, +40 and +60 always, in 7 and 6 minutes at the median for +30, in 4 for +40; +20 found 0.17 and 0.35. Both were in
sight when the gates were made. With numbers chosen on one of them alone, the other has 0.62 to 0.92 of +30, all of +40
and nothing false. Simulated, on a seed that no number was chosen on: 0.03 false a day, a fifth of it in hot baths.

Cost: 49 bytes a wearer. It says nothing of a person who moves or rides, of a band that knows no motion (fast), of
rhythm, and nothing where there is no pulse: an absent pulse is the band's matter (``device.off_body``) before it is
the heart's.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, end_all, end_where, number, open_where, placed
from anomaly.quality import trusted
from anomaly.rhythm import Floats, Phase, Rhythm, phase_of
from schemas.alerts import AlertCode
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

RESTING: Final = Rhythm(level=70.0, cosine=-2.8, sine=-2.8, prior_min=120.0, memory_min=4_000.0)
"""Adults at rest: mean 65 asleep included (Quer 2020, 92,457 people), wave of 4 bpm with its top at 15 h. Two hours
at rest outweigh the population; the memory is a week of them."""
SPREAD_BPM: Final = 7.0
"""Minute by minute at rest, before a person is known: robust sd of 4.7 to 9.3 in recorded people."""
LEAST_SPREAD_BPM: Final = 6.0
"""Nobody is steadier than a wrist sensor is exact."""
STRANGER_BPM: Final = 8.0
"""People's resting levels differ by so much: until a person is known, an excess says less."""
LOAD_FADES_MIN: Final = 5.0
LOAD_BPM: Final = 5.5
"""A hundred steps raise the resting rate by so much, fading over five minutes: 5.3 and 6.0 fitted to two people."""
LOAD_OF_ARMS: Final = 0.5
"""Full activity without steps, or riding, for one reading counts as half of a hundred steps."""
DRIFT_MIN: Final = 10.0
MOST_DRIFT_BPM: Final = 20.0
"""How fast the day's own ups and downs are followed, and how far: beyond, a slow rise counts as well."""
LEARNT_SPREADS: Final = 2.0
"""A residual teaches no more than so many spreads."""
MOST_Z: Final = 5.0
"""A reading is no stronger than this, however wild: it takes three."""
LESS_Z: Final = 1.5
"""``k``: usual excesses, up to one and a half spreads, count against."""
FULL: Final = 1.5
"""Evidence is kept up to so many thresholds, or an alert could not end within the hour."""
CLEARS_AT: Final = 0.25
"""An alert ends when a quarter of the threshold is left."""
LEAST_READINGS: Final = 3
MOST_ACTIVITY: Final = 0.2
"""Above, the arms work; sitting people are at 0.02 to 0.15."""
MOST_STEPS: Final = 5.0
"""Fewer are a turn in the chair."""
RIDING_MPS: Final = 2.0
"""Faster than a walk: on a bicycle no step is counted."""
STILL_MIN: Final = 5.0
"""At rest for so long, or the rate may still come down from the stairs."""
AWAKE_MIN: Final = 60.0
"""Stiller for longer is sleep or nearly: a sleeper's calm is no measure of the day's spread."""
MOVING_LEAVES: Final = 0.7
"""Of the evidence, after each minute of motion: a heart at work explains itself."""
SPREAD_OF_SIZE: Final = 1.25
"""A normal variable's standard deviation over its mean size."""
MOST_MINUTES: Final = 2.0
"""One reading stands for no more, however seldom the band reports."""
FORGETS_MIN: Final = 30.0
"""After a gap this long the evidence begins anew."""
SLOW_BPM: Final = 48.0
SLOW_SPREAD_BPM: Final = 3.0
"""Slow must be slow for anybody as well: so far below 48, in the spreads of a sleeper's heart. Bradycardia begins at 50
by the book (Kusumoto 2019), but healthy people dip to 46 for minutes."""
MOST_SLOW_Z: Final = 3.0
"""A wrist sensor loses beats for three or four minutes at a time: slow needs more of them than fast."""


class Beat(NamedTuple):
    """What the readings of one step say of hearts: all arrays aligned, ``fresh`` where a rate counts."""

    rows: Rows
    at_ms: Times
    rate_bpm: Floats
    usual_bpm: Floats
    motion_bpm: Floats
    minutes: Floats
    at_rest: NDArray[np.bool_]
    fresh: NDArray[np.bool_]
    still_min: Floats


@dataclass(frozen=True, slots=True)
class HeartRate(Detector):
    """Rings once an episode while the evidence for fast or slow exceeds ``heart_rate_evidence``.

    >>> heart = HeartRate(np.array([1]), np.array([8 * 3600], np.int32))
    >>> table, row = Table.new(heart.keys, heart.columns), np.array([0])
    >>> for minute in range(40):
    ...     rate = 68 + minute % 3 + (40 if minute >= 30 else 0)
    ...     step = Readings.of(device=[1], event_ms=[minute * 60_000], heart_rate_bpm=[rate], steps=[0], quality=[0.9])
    ...     for verdict in heart.judge(table, row, step):
    ...         print(minute, verdict.transition.value, verdict.evidence["side"], verdict.evidence["usual_bpm"])
    32 opened fast 69.7
    """

    keys: NDArray[np.int64] = field()
    ahead_s: NDArray[np.int32]
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.VITALS_HEART_RATE.value

    @property
    def columns(self) -> Columns:
        """The person, the last hour, the evidence on both sides, and the open alert's onset."""
        return {
            **RESTING.columns,
            "spread_bpm": (np.float32, SPREAD_BPM),
            "load": (np.float16, 0.0),
            "still_min": (np.float16, 0.0),
            "drift_bpm": (np.float16, 0.0),
            "last_s": (np.uint32, 0),
            "last_bpm": (np.float16, 0.0),
            "fast": (np.float16, 0.0),
            "slow": (np.float16, 0.0),
            "since_s": (np.uint32, 0),
            "readings": (np.uint8, 0),
            **ONSET_COLUMN,
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Weigh what can be trusted; a reading that says nothing of heart or motion is passed over."""
        counts = trusted(step.heart_rate_bpm, step.quality)
        said = np.flatnonzero(counts | ~np.isnan(step.steps) | ~np.isnan(step.activity))
        phase = phase_of(step.event_ms[said], self.ahead_s[rows[said]])
        beat = _hear(table, rows[said], step.take(said), counts[said], phase)
        _weigh(table, beat, self.thresholds.heart_rate_evidence)
        verdicts = self._verdicts(table, beat)
        _learn(table, beat, phase)
        return placed(verdicts, said)

    def _verdicts(self, table: Table, beat: Beat) -> list[Verdict]:
        threshold = self.thresholds.heart_rate_evidence
        fast, slow = table["fast"][beat.rows], table["slow"][beat.rows]
        since_ms = table["since_s"][beat.rows].astype(np.int64) * 1000

        def evidence(n: int) -> dict[str, object]:
            row = beat.rows[n]
            return {
                "side": "fast" if fast[n] >= slow[n] else "slow",
                "heart_rate_bpm": number(beat.rate_bpm[n]),
                "usual_bpm": number(beat.usual_bpm[n]),
                "motion_bpm": number(beat.motion_bpm[n]),
                "drift_bpm": number(table["drift_bpm"][row]),
                "spread_bpm": number(float(_spread(table, beat.rows[n : n + 1])[0])),
                "score": number(max(fast[n], slow[n])),
                "score_threshold": threshold,
                "lasted_s": round((int(beat.at_ms[n]) - int(since_ms[n])) / 1000),
                "readings": int(table["readings"][row]),
            }

        sure = np.maximum(fast, slow)
        counted = table["readings"][beat.rows] >= LEAST_READINGS
        return open_where(
            table,
            AlertCode.VITALS_HEART_RATE,
            beat.rows,
            condition=beat.at_rest & counted & (sure > threshold),
            onset_ms=since_ms,
            at_ms=beat.at_ms,
            evidence=evidence,
        ) + end_where(
            table,
            AlertCode.VITALS_HEART_RATE,
            beat.rows,
            condition=sure < CLEARS_AT * threshold,
            at_ms=beat.at_ms,
            evidence=evidence,
        )

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.VITALS_HEART_RATE, gone, now_ms)


def _hear(table: Table, rows: Rows, step: Readings, counts: NDArray[np.bool_], phase: Phase) -> Beat:
    """Tell a heart at rest from one at work, and a rate from a sensor that holds its last one."""
    now_s = step.event_ms // 1000
    passed = np.minimum((now_s - table["last_s"][rows]) / 60.0, FORGETS_MIN).astype(np.float32)
    table["last_s"][rows] = now_s
    moving = _move(table, rows, step, passed)
    held = step.heart_rate_bpm.astype(np.float16) == table["last_bpm"][rows]
    table["last_bpm"][rows] = np.where(counts, step.heart_rate_bpm, table["last_bpm"][rows])
    gone = passed >= FORGETS_MIN
    fading = np.where(gone, 0.0, np.where(moving, MOVING_LEAVES**passed, 1.0))
    for side in ("fast", "slow"):
        table[side][rows] *= fading
    return Beat(
        rows=rows,
        at_ms=step.event_ms,
        rate_bpm=step.heart_rate_bpm,
        usual_bpm=RESTING.usual(table, rows, phase),
        motion_bpm=np.float32(LOAD_BPM) * table["load"][rows],
        minutes=np.minimum(passed, MOST_MINUTES),
        at_rest=counts & ~moving,
        fresh=counts & ~moving & ~held,
        still_min=table["still_min"][rows],
    )


def _move(table: Table, rows: Rows, step: Readings, passed_min: Floats) -> NDArray[np.bool_]:
    """Keep what motion still costs the heart and since when there is none; whether each moves."""
    steps, activity = np.nan_to_num(step.steps), np.nan_to_num(step.activity)
    arms, rides = activity > MOST_ACTIVITY, step.speed_mps > RIDING_MPS
    moving = (steps > MOST_STEPS) | arms | rides
    work = np.maximum(steps / 100.0, LOAD_OF_ARMS * np.where(rides, 1.0, np.where(arms, activity, 0.0)))
    table["load"][rows] = table["load"][rows] * np.exp(-passed_min / LOAD_FADES_MIN) + work
    told = ~(np.isnan(step.steps) & np.isnan(step.activity))
    still = np.where(passed_min >= FORGETS_MIN, 0.0, table["still_min"][rows] + passed_min)
    table["still_min"][rows] = np.where(told & ~moving, np.minimum(still, AWAKE_MIN), 0.0)
    return moving


def _weigh(table: Table, beat: Beat, threshold: float) -> None:
    """Let each side's evidence grow or shrink by what counts."""
    rows, drift = beat.rows, table["drift_bpm"][beat.rows]
    spread = _spread(table, rows)
    residual = beat.rate_bpm - beat.usual_bpm - beat.motion_bpm
    fast_z = (residual - np.maximum(drift, 0.0)) / spread
    slow_z = np.minimum(-residual / spread, (SLOW_BPM - beat.rate_bpm) / SLOW_SPREAD_BPM)
    before = table["fast"][rows] + table["slow"][rows]
    for side, z, most, counts in (
        ("fast", fast_z, MOST_Z, beat.fresh & (beat.still_min >= STILL_MIN)),
        ("slow", slow_z, MOST_SLOW_Z, beat.at_rest),
    ):
        grown = table[side][rows] + (np.clip(z, -most, most) - LESS_Z) * beat.minutes
        kept = np.clip(grown, 0.0, FULL * threshold)
        table[side][rows] = np.where(counts, kept, table[side][rows])
    after = table["fast"][rows] + table["slow"][rows]
    readings = np.minimum(table["readings"][rows], 254) + beat.at_rest
    table["readings"][rows] = np.where(after > 0.0, np.where(before > 0.0, readings, 1), 0)
    begins = (after > 0.0) & (before <= 0.0)
    table["since_s"][rows] = np.where(begins, beat.at_ms // 1000, table["since_s"][rows])


def _spread(table: Table, rows: Rows) -> Floats:
    """By how much a rate may be off: the person's own ups and downs, and how little we know of the person."""
    own = np.maximum(table["spread_bpm"][rows], LEAST_SPREAD_BPM)
    stranger = STRANGER_BPM * np.sqrt(RESTING.prior_min / table["weight_min"][rows])
    return np.asarray(np.hypot(own, stranger))


def _learn(table: Table, beat: Beat, phase: Phase) -> None:
    """The person, minute by minute; the drift waits while an alert is open."""
    fresh = np.flatnonzero(beat.fresh)
    rows, minutes = beat.rows[fresh], beat.minutes[fresh]
    residual = (beat.rate_bpm - beat.usual_bpm - beat.motion_bpm)[fresh]
    spread = np.maximum(table["spread_bpm"][rows], LEAST_SPREAD_BPM)
    drift = table["drift_bpm"][rows]
    pull = np.clip(residual - drift, -spread, spread) * minutes / DRIFT_MIN
    followed = np.clip(drift + pull, -MOST_DRIFT_BPM, MOST_DRIFT_BPM)
    table["drift_bpm"][rows] = np.where(table[ONSET][rows] == NEVER, followed, drift)
    gain = minutes / table["weight_min"][rows] * (beat.still_min[fresh] < AWAKE_MIN)
    size = SPREAD_OF_SIZE * np.minimum(np.abs(residual), 3.0 * spread)
    table["spread_bpm"][rows] += gain * (size - table["spread_bpm"][rows])
    most = LEARNT_SPREADS * spread
    RESTING.learn(table, rows, Phase(phase.cosine[fresh], phase.sine[fresh]), np.clip(residual, -most, most), minutes)
