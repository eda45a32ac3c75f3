"""Illness by night: two raised nights running, and what one raised night or a lack of nights does not tell."""

import numpy as np

from anomaly.nights import Nights
from schemas.judging import Verdict
from tests.anomaly.body import AHEAD_S, KEYS, fresh, told

NIGHTS = Nights(KEYS, AHEAD_S)
DAY_MS = 86_400_000
HOURS = np.arange(0, 9 * 60, 5)
ORDINARY = np.array([60.0, 61, 59, 60, 62, 60, 61, 60, 59, 61, 60, 60, 61, 60])


def weeks(by_night: np.ndarray, hours: np.ndarray = HOURS, **columns: float) -> list[Verdict]:
    """Nights at these rates, with a step of the same band in the morning."""
    at = np.concatenate([hours + 1_440 * night for night in range(len(by_night))])
    told_columns = {"steps": 0.0, "activity": 0.03, "quality": 0.9, **columns}
    return told(NIGHTS, fresh(NIGHTS), at, heart_rate_bpm=np.repeat(by_night, len(hours)), **told_columns)


def raised(*nights: int) -> np.ndarray:
    return np.where(np.isin(np.arange(len(ORDINARY)), nights), ORDINARY + 6.0, ORDINARY)


def test_ordinary_nights_ring_nothing() -> None:
    assert weeks(ORDINARY) == []


def test_six_beats_more_ring_on_the_second_morning_and_end_after_an_ordinary_night() -> None:
    rang, ended = weeks(raised(8, 9, 10))
    assert (rang.transition, ended.transition) == ("opened", "cleared")
    assert (rang.subject, rang.code) == ("nights", "vitals.heart_rate")
    assert rang.at_ms - rang.onset_ms == DAY_MS + 7 * 3_600_000  # from the first raised midnight to the second morning
    assert rang.evidence["nights"] == 2
    assert ended.onset_ms == rang.onset_ms


def test_one_raised_night_is_no_illness() -> None:
    assert weeks(raised(6, 9, 12)) == []


def test_nobody_is_judged_before_the_fifth_night() -> None:
    assert weeks(raised(2, 3, 4)[:5]) == []


def test_a_night_of_less_than_an_hour_does_not_count() -> None:
    assert weeks(raised(8, 9, 10), hours=np.arange(0, 50, 5)) == []


def test_a_rate_of_nought_and_a_sensor_in_doubt_are_no_nights() -> None:
    assert weeks(np.where(raised(8, 9) > 64, 0.0, ORDINARY)) == []
    assert weeks(raised(8, 9, 10), quality=0.2) == []


def test_who_walks_about_at_night_is_not_asleep() -> None:
    assert weeks(raised(8, 9, 10), steps=40.0) == []


def test_a_level_that_drifts_over_weeks_is_followed() -> None:
    assert weeks(60 + 0.4 * np.arange(30)) == []


def test_a_night_belongs_to_the_place_where_it_is_slept() -> None:
    abroad = Nights(KEYS, np.array([0], np.int32))
    hours = HOURS[HOURS < 8 * 60]  # 00 to 08 in Shanghai is 16 to 24 in London: evenings say nothing of nights
    at = np.concatenate([hours + 1_440 * night for night in range(14)])
    assert told(abroad, fresh(abroad), at, heart_rate_bpm=np.repeat(raised(8, 9, 10), len(hours)), steps=0.0) == []
