"""A battery that runs low: its wearer first, operators for what stays, and when it will be empty."""

import numpy as np
import pytest

from anomaly.battery import Battery
from schemas.alerts import Priority
from tests.anomaly.story import Story


def band() -> Story:
    return Story(Battery(np.array([1])))


def drained(story: Story, start_min: float, start_pct: int, end_pct: int, *, step_min: float) -> float:
    """Falls by a per cent every ``step_min``; the last minute."""
    at = start_min
    for level in range(start_pct, end_pct - 1, -1):
        story.every(at, at + step_min, battery_pct=level, charging=0)
        at += step_min
    return at


def test_who_plugs_it_in_within_the_grace_is_never_seen_by_an_operator() -> None:
    assert band().every(0, 20, battery_pct=18, charging=0).every(20, 60, battery_pct=19, charging=1).told == []


def test_who_does_not_is_seen_after_it_at_low_priority() -> None:
    story = band().every(0, 30, battery_pct=18, charging=0).says(30, battery_pct=18, charging=1)
    assert story.told == [("opened", 20), ("cleared", 30)]
    assert story.verdicts[0].priority is Priority.LOW
    assert story.verdicts[0].evidence["grace_s"] == 1200


def test_a_critical_battery_waits_for_nobody() -> None:
    story = band().says(0, battery_pct=6, charging=0)
    assert [(v.transition.value, v.priority) for v in story.verdicts] == [
        ("opened", Priority.LOW),
        ("updated", Priority.MEDIUM),
    ]


def test_when_it_will_be_empty_is_told_from_its_own_discharge() -> None:
    story = band()
    end = drained(story, 0, 60, 18, step_min=30)
    evidence = story.verdicts[0].evidence
    assert evidence["rate_pct_h"] == pytest.approx(2.0, abs=0.1)
    assert evidence["empty_in_h"] == pytest.approx(evidence["battery_pct"] / 2.0, rel=0.1)
    assert end > 0


def test_a_battery_that_drains_fast_is_low_before_its_level_is() -> None:
    story = band()
    drained(story, 0, 90, 21, step_min=3)
    assert story.told[0][0] == "opened"
    assert story.verdicts[0].evidence["battery_pct"] > 20


def test_a_charge_and_a_silence_leave_the_rate_what_it_was() -> None:
    story = band()
    end = drained(story, 0, 60, 40, step_min=30)
    before = float(story.table["rate_pct_h"][0])
    story.every(end, end + 60, battery_pct=80, charging=1).says(end + 61, battery_pct=100, charging=0)
    story.says(end + 62, battery_pct=99, charging=0)
    assert float(story.table["rate_pct_h"][0]) == before


def test_the_first_step_after_a_start_tells_no_rate() -> None:
    story = band().says(0, battery_pct=90, charging=0).says(1, battery_pct=89, charging=0)
    assert story.told == []
    assert float(story.table["rate_pct_h"][0]) == pytest.approx(100 / 24, abs=0.01)


def test_a_reading_that_tells_no_level_says_nothing() -> None:
    story = band().every(0, 30).every(30, 40, charging=0)
    assert story.told == []


def test_a_level_that_wavers_at_the_limit_rings_once() -> None:
    story = band()
    for minute in range(80):
        story.says(minute, battery_pct=20 + minute % 2, charging=0)
    assert [transition for transition, _ in story.told] == ["opened"]
