"""Hearts: what is fast or slow for this person at rest, and all that only looks like it."""

from typing import Any

import numpy as np
import pytest

from anomaly.heart_rate import HeartRate
from evaluation.backgrounds import heart_minutes
from evaluation.injection import inject, tachycardia
from evaluation.outcome import Event
from flows.judge import in_event_order
from flows.rules import rules_by_shard
from schemas.judging import Verdict
from schemas.readings import Readings
from tests.anomaly.body import AHEAD_S, KEYS, beating, fresh, opened, told
from tests.recordings import DATA, needs

HEART = HeartRate(KEYS, AHEAD_S)
DAY = np.arange(8 * 60, 16 * 60)
AT_REST = {"steps": 0.0, "activity": 0.05, "quality": 0.9}
GRACE_MIN = 40.0
RNG = np.random.default_rng(7)
USUAL = beating(RNG, len(DAY))


def attack(bpm: float, minutes: int = 30, begins: int = 300) -> np.ndarray:
    """A day at rest with so many beats more for half an hour from its 300th minute."""
    rate = USUAL.copy()
    rate[begins : begins + minutes] += bpm
    return rate


def judged(rate: np.ndarray, **columns: Any) -> list[Verdict]:
    return told(HEART, fresh(HEART), DAY, heart_rate_bpm=rate, **{**AT_REST, **columns})


def test_an_ordinary_day_at_rest_rings_nothing() -> None:
    assert judged(USUAL) == []


def test_forty_beats_more_ring_within_six_minutes_and_end_within_the_hour_after() -> None:
    rang, ended = judged(attack(40))
    assert (rang.transition, ended.transition) == ("opened", "cleared")
    assert rang.step == 0
    minute = (rang.at_ms - rang.onset_ms) / 60_000
    assert minute <= 6
    assert rang.evidence["side"] == "fast"
    assert rang.evidence["readings"] >= 3
    assert rang.evidence["score"] > rang.evidence["score_threshold"]
    assert 30 <= (ended.at_ms - rang.onset_ms) / 60_000 <= 90


def test_one_wild_reading_is_no_attack() -> None:
    assert judged(attack(110, minutes=1)) == []


def test_a_rate_that_only_repeats_itself_is_a_sensor_that_holds_its_last_one() -> None:
    rate = USUAL.copy()
    rate[300:340] = 108
    assert judged(rate) == []


def test_steps_explain_a_rate_and_so_do_the_minutes_after_them() -> None:
    rate, steps = USUAL.copy(), np.zeros(len(DAY))
    steps[300:330] = 110
    rate[300:330] += 45
    rate[330:336] += [35, 28, 20, 15, 10, 6]
    assert judged(rate, steps=steps) == []


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({"activity": 0.4}, id="arms at work"),
        pytest.param({"speed_mps": 5.0}, id="a bicycle"),
        pytest.param({"quality": 0.3}, id="a sensor that does not trust itself"),
        pytest.param({"steps": np.nan, "activity": np.nan}, id="a band that knows no motion"),
    ],
)
def test_a_fast_heart_is_not_judged_without_rest_and_trust(gate: dict[str, float]) -> None:
    during = {name: np.where((DAY >= 780) & (DAY < 815), value, AT_REST.get(name, 0.0)) for name, value in gate.items()}
    assert judged(attack(40), **during) == []


def test_a_rate_that_creeps_up_over_an_hour_is_the_day_and_not_an_attack() -> None:
    rate = USUAL + 15 * np.clip((np.arange(len(DAY)) - 300) / 60, 0, 1)
    assert judged(np.round(rate)) == []


def test_a_slow_heart_rings_also_in_sleep_and_without_steps_known() -> None:
    night = np.arange(8 * 60)
    rate = beating(RNG, len(night), level=58, spread=3)
    rate[200:230] = beating(RNG, 30, level=36, spread=1)
    (rang,) = opened(told(HEART, fresh(HEART), night, heart_rate_bpm=rate, quality=0.9))
    assert rang.evidence["side"] == "slow"
    assert (rang.at_ms - rang.onset_ms) / 60_000 <= 10


def test_three_lost_minutes_of_a_sensor_are_no_slow_heart() -> None:
    rate = USUAL.copy()
    rate[300:303] = [42, 39, 41]
    assert judged(rate) == []


def test_a_heart_that_has_always_been_quick_is_left_alone() -> None:
    week = np.concatenate([DAY + 1_440 * day for day in range(5)])
    rate = beating(RNG, len(week), level=88)
    assert told(HEART, fresh(HEART), week, heart_rate_bpm=rate, **AT_REST) == []


def test_what_a_gap_interrupts_begins_anew() -> None:
    at = np.concatenate([DAY[:302], DAY[302:] + 120])
    assert opened(told(HEART, fresh(HEART), at, heart_rate_bpm=attack(40, minutes=4), **AT_REST)) == []
    assert opened(told(HEART, fresh(HEART), DAY, heart_rate_bpm=attack(40, minutes=4), **AT_REST)) != []


@needs("fitbit_minute")
def test_recorded_people_are_left_alone_but_for_attacks_of_thirty_beats() -> None:
    case = inject(heart_minutes(DATA), tachycardia(30), 20, np.random.default_rng(101))
    attacks = [event for event in case.events() if event.parameters["injected"]]
    wearers = rules_by_shard(case.numbered, shards=1)[0].wearers
    heart = HeartRate(wearers.keys, wearers.ahead_s)
    table = fresh(heart)
    readings = Readings.concat(list(case.batches()))
    rang = opened([v for rows, step in in_event_order(wearers, readings) for v in heart.judge(table, rows, step)])
    delays_min = [
        _delay_min(attack, [v.at_ms for v in rang if wearers.device[v.row] == attack.device]) for attack in attacks
    ]
    found = sum(delay <= GRACE_MIN for delay in delays_min)
    assert found / len(attacks) >= 0.7
    assert np.median(delays_min) <= 8
    assert len(rang) - found <= 6  # 0.1 a day in their 61 days


def _delay_min(attack: Event, rang_ms: list[int]) -> float:
    """Minutes until it rang, more than the grace for never."""
    after_min = [(at_ms - attack.start_ms) / 60_000 for at_ms in rang_ms if at_ms >= attack.start_ms]
    return min([*after_min, GRACE_MIN + 1.0])
