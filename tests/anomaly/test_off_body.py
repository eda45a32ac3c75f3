"""When a band counts as off the body, and when another body is in it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.off_body import HANDED_OVER, REMOVED, OffBody, log_odds
from schemas.judging import Table, Verdict
from schemas.readings import Readings

START_MS = 1_772_380_800_000
WORN = {"heart_rate_bpm": 68, "quality": 0.9, "skin_temp_c": 33.2, "steps": 0, "activity": 0.02, "strap_closed": 1}
LOST = {**WORN, "heart_rate_bpm": np.nan, "quality": 0.1}
TABLE_TOP = {**LOST, "activity": 0.0}
ROW = np.array([0])
NIGHT = [WORN] * 30


class Band:
    """A band that sends a reading every ``interval_s``."""

    def __init__(self, interval_s: int = 60) -> None:
        self.detector = OffBody(np.array([1]), np.ones(1, np.float32))
        self.table = Table.new(self.detector.keys, self.detector.columns)
        self.interval_s, self.now_ms = interval_s, START_MS

    def sends(self, *readings: dict[str, Any]) -> list[Verdict]:
        return [verdict for reading in readings for verdict in self._send(reading)]

    def waits(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    def _send(self, reading: dict[str, Any]) -> list[Verdict]:
        self.waits(self.interval_s)
        columns = {name: [value] for name, value in reading.items()}
        return self.detector.judge(self.table, ROW, Readings.of(device=[1], event_ms=[self.now_ms], **columns))


def cooling(minutes: int, *, per_min: float = 0.9, before: int = 1) -> list[dict[str, Any]]:
    """Readings of a band on a table, in a room far cooler than skin."""
    return [{**TABLE_TOP, "skin_temp_c": 33.2 - per_min * minute} for minute in range(before, minutes + before)]


def told(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    return [(verdict.transition.value, verdict.evidence["kind"]) for verdict in verdicts]


def test_a_band_on_a_table_rings_within_four_minutes() -> None:
    band = Band()
    band.sends(*NIGHT)
    taken_off_ms = band.now_ms
    (rung,) = band.sends(*cooling(10, per_min=0.5))
    assert rung.evidence["kind"] == REMOVED
    assert rung.at_ms - taken_off_ms <= 240_000
    assert rung.onset_ms == taken_off_ms + 60_000


def test_one_reading_decides_nothing_however_cold() -> None:
    band = Band()
    band.sends(*NIGHT)
    assert not band.sends({**TABLE_TOP, "skin_temp_c": 15.0})
    assert band.sends({**TABLE_TOP, "skin_temp_c": 15.0})


@pytest.mark.parametrize(
    "wearer",
    [
        pytest.param([LOST] * 40, id="a sensor that lost the pulse, on warm skin"),
        pytest.param([{**WORN, "skin_temp_c": 33.2 - 0.5 * n} for n in range(20)], id="cooling with a pulse"),
        pytest.param([{**row, "steps": 80, "activity": 0.5} for row in cooling(20)], id="a walk into the cold"),
        pytest.param([{**LOST, "skin_temp_c": 33.2 - 0.06 * n} for n in range(25)], id="skin that strays slowly"),
        pytest.param([WORN, LOST, LOST] * 60, id="a loose band"),
        pytest.param([{**row, "charging": 1} for row in cooling(60)], id="a band on its charger"),
        pytest.param([{**row, "strap_closed": 0} for row in cooling(60)], id="an open strap, which rings by itself"),
    ],
)
def test_what_only_looks_like_a_removal_does_not_ring(wearer: list[dict[str, Any]]) -> None:
    band = Band()
    assert not band.sends(*NIGHT, *wearer)


def test_without_consent_nothing_is_known_and_nothing_rings() -> None:
    band = Band()
    assert not band.sends(*[{"battery_pct": 80, "strap_closed": 1, "charging": 0}] * 300)


def test_a_band_never_seen_worn_does_not_ring() -> None:
    assert not Band().sends(*[{**TABLE_TOP, "skin_temp_c": 20.0}] * 200)


def test_where_nothing_cools_stillness_without_a_pulse_decides_after_eighty_minutes() -> None:
    band = Band()
    band.sends(*NIGHT)
    hot = {**TABLE_TOP, "skin_temp_c": 34.0}
    assert not band.sends(*[hot] * 78)
    assert told(band.sends(*[hot] * 10)) == [("opened", REMOVED)]


def test_hours_in_which_nothing_was_heard_are_no_stillness() -> None:
    band = Band()
    band.sends(*NIGHT, LOST)
    band.waits(8 * 3600)
    assert not band.sends(LOST, LOST)


def test_left_off_after_charging_rings_when_there_was_time_to_put_it_on() -> None:
    band = Band()
    cold = {**TABLE_TOP, "skin_temp_c": 24.0}
    band.sends(*NIGHT, *[{**cold, "charging": 1}] * 60)
    assert not band.sends(*[cold] * 9)
    assert told(band.sends(*[cold] * 4)) == [("opened", REMOVED)]


def test_a_pulse_that_comes_back_is_noted_and_closes_nothing() -> None:
    band = Band()
    band.sends(*NIGHT, *cooling(8))
    back = band.sends(WORN)
    assert [verdict.transition.value for verdict in back] == ["updated"]
    assert back[0].evidence["worn_again"]
    assert not band.sends(*NIGHT)


def test_a_released_alert_rings_again_only_after_the_band_was_worn() -> None:
    band = Band()
    band.sends(*NIGHT)
    (first,) = band.sends(*cooling(10))
    band.detector.release(band.table, 0, first.onset_ms)
    assert not band.sends(*cooling(60, per_min=0.0, before=0))
    band.sends(*NIGHT)
    assert told(band.sends(*cooling(10))) == [("opened", REMOVED)]


@pytest.mark.parametrize("rate", [pytest.param(84, id="faster"), pytest.param(52, id="slower")])
def test_another_heart_after_a_short_gap_was_handed_the_band(rate: int) -> None:
    band = Band()
    band.sends(*NIGHT, *cooling(2, per_min=0.7))
    other = {**WORN, "heart_rate_bpm": rate, "skin_temp_c": 32.0}
    assert told(band.sends(*[other] * 30)) == [("opened", HANDED_OVER)]


def test_a_gap_that_no_reading_fell_into_shows_by_the_dip_of_the_skin() -> None:
    band = Band(interval_s=300)
    other = {**WORN, "heart_rate_bpm": 88}
    assert told(band.sends(*NIGHT, {**other, "skin_temp_c": 30.4}, *[other] * 11)) == [("opened", HANDED_OVER)]


def test_what_changes_later_than_an_hour_after_a_gap_was_not_handed_over() -> None:
    band = Band()
    assert not band.sends(*NIGHT, *cooling(2, per_min=0.7), *[WORN] * 60, *[{**WORN, "heart_rate_bpm": 88}] * 60)


def test_the_same_heart_after_a_gap_rings_nothing() -> None:
    band = Band()
    band.sends(*NIGHT, *cooling(2, per_min=0.7))
    assert not band.sends(*[{**WORN, "heart_rate_bpm": 73}] * 120)


def test_another_rate_without_a_gap_rings_nothing() -> None:
    band = Band()
    assert not band.sends(*NIGHT, LOST, LOST, *[{**WORN, "heart_rate_bpm": 90}] * 120)


def test_a_heart_that_comes_back_to_its_own_rate_is_no_other() -> None:
    band = Band()
    band.sends(*[WORN] * 600, *[{**WORN, "heart_rate_bpm": 90}] * 60, *cooling(2, per_min=0.7))
    assert not band.sends(*[WORN] * 60)


def test_the_evidence_re_derives_the_score() -> None:
    band = Band()
    band.sends(*NIGHT)
    (rung,) = band.sends(*cooling(10, per_min=0.5))
    told = rung.evidence
    again = log_odds(np.array([told["fall_c"]], np.float32), np.array([told["lasted_s"]], np.float64))
    assert again[0] == pytest.approx(told["score_log_odds"], abs=0.05)
    assert told["score_log_odds"] >= told["threshold"]


@given(fall_c=st.floats(-20, 20), more_c=st.floats(0, 20), lasted_s=st.floats(0, 1e5), longer_s=st.floats(0, 1e5))
def test_colder_and_longer_never_speak_against_a_removal(
    fall_c: float, more_c: float, lasted_s: float, longer_s: float
) -> None:
    less = log_odds(np.array([fall_c], np.float32), np.array([lasted_s]))
    more = log_odds(np.array([fall_c + more_c], np.float32), np.array([lasted_s + longer_s]))
    assert more[0] >= less[0] - 1e-6
