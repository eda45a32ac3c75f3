"""Fever at the wrist: hours above the person's own day, and all that warms for less."""

from typing import Any

import numpy as np

from anomaly.temperature import Temperature
from schemas.judging import Verdict
from tests.anomaly.body import AHEAD_S, KEYS, MIDNIGHT_MS, fresh, opened, told

WRIST = Temperature(KEYS, AHEAD_S)
DAYS = np.arange(0, 8 * 1_440, 5)
HOUR = (DAYS / 60) % 24
ORDINARY = 33.0 + 0.8 * np.cos((HOUR - 3) * np.pi / 12) + np.random.default_rng(3).normal(0, 0.3, len(DAYS))
BEGINS = 6 * 1_440
BEGAN_MS = MIDNIGHT_MS + BEGINS * 60_000


def judged(skin_c: np.ndarray, **columns: Any) -> list[Verdict]:
    return told(WRIST, fresh(WRIST), DAYS, skin_temp_c=skin_c, **columns)


def warmed(by_c: float, minutes: int) -> np.ndarray:
    return ORDINARY + by_c * ((BEGINS <= DAYS) & (BEGINS + minutes > DAYS))


def test_ordinary_days_with_their_warm_nights_ring_nothing() -> None:
    assert judged(ORDINARY) == []


def test_two_degrees_more_ring_within_six_hours_and_end_within_six_after() -> None:
    rang, ended = judged(warmed(2.0, 24 * 60))
    assert (rang.transition, ended.transition) == ("opened", "cleared")
    hours = (rang.at_ms - BEGAN_MS) / 3_600_000
    assert 0 < hours <= 6
    assert (ended.at_ms - BEGAN_MS) / 3_600_000 <= 30
    assert rang.evidence["skin_temp_c"] > rang.evidence["usual_c"]


def test_a_hot_bath_is_no_fever() -> None:
    assert judged(warmed(3.0, 45)) == []


def test_a_cold_day_is_no_fever_nor_is_coming_in_from_it() -> None:
    assert judged(warmed(-5.0, 10 * 60)) == []


def test_a_band_on_its_charger_or_its_table_is_nobody() -> None:
    during = (DAYS >= BEGINS) & (DAYS < BEGINS + 24 * 60)
    assert judged(warmed(3.0, 24 * 60), charging=np.where(during, 1, 0)) == []
    assert judged(warmed(3.0, 24 * 60), strap_closed=np.where(during, 0, 1)) == []
    assert judged(np.where(during, 24.0, ORDINARY)) == []


def test_who_is_always_warm_is_left_alone() -> None:
    assert opened(judged(ORDINARY + 1.5))[1:] == []
