"""Out of contact: what plan, band and place explain, and what happens at the law's marks."""

import numpy as np
import pytest

from anomaly.silence import Silence
from schemas.alerts import Priority
from tests.anomaly.story import Story
from tests.world import HOME, north_of_home

DAY = 24 * 60
VALLEY = north_of_home(4_000)


def band(plan_min: float = 20) -> Story:
    return Story(Silence(np.array([1]), np.array([round(plan_min * 60_000)])))


def through_the_valley(story: Story, start_min: float, stay_min: float) -> float:
    """Two hours at home, then into the valley; its backlog comes with the first word from outside."""
    story.every(start_min, start_min + 120)
    gone, back = start_min + 120, start_min + 120 + stay_min
    story.says(gone, at=VALLEY)
    for minute in np.arange(gone + 1, back):
        story.says(float(minute), at=VALLEY, late_min=back - minute)
    story.says(back, at=VALLEY)
    return back


def test_a_band_is_silent_when_its_plan_says_so() -> None:
    assert band().every(0, 10).wait(28).told == []
    assert band().every(0, 10).wait(60).told == [("opened", 29)]


def test_a_silence_where_bands_were_silent_before_is_given_as_long_as_it_usually_takes() -> None:
    story = band()
    first_back = through_the_valley(story, 0, 40)
    assert story.told == [("opened", 140), ("retracted", 121)]
    again = through_the_valley(story.forget(), first_back + 1, 40)
    assert story.told == []
    story.wait(again + 21)
    assert story.told == []
    story.wait(again + 180)
    evidence = story.verdicts[0].evidence
    assert story.told[0][0] == "opened"
    assert evidence["plan_s"] == 1200 < evidence["silence_after_s"] == evidence["usually_back_after_s"]
    assert evidence["usually_back_ms"] == evidence["last_heard_ms"] + 1000 * evidence["usually_back_after_s"]
    assert np.allclose(evidence["last_place"], VALLEY, atol=1e-4)


def test_what_a_valley_explains_is_not_explained_at_home() -> None:
    story = band()
    back = through_the_valley(story, 0, 40)
    story.every(back + 1, back + 60, at=HOME).forget().wait(back + 85)
    assert [transition for transition, _ in story.told] == ["opened"]


def test_a_band_that_recorded_nothing_teaches_the_place_nothing() -> None:
    story = band().says(0, at=VALLEY).says(40, at=VALLEY)
    assert story.told == [("opened", 20), ("cleared", 40)]
    assert not story.table.common["place_gaps"].any()


def test_jamming_at_home_now_and_then_makes_nobody_patient_there() -> None:
    story, now = band(), 0.0
    for _ in range(4):
        story.every(now, now + 1500)
        now += 1500
        for minute in np.arange(now + 1, now + 90):
            story.says(float(minute), late_min=now + 90 - minute)
        now += 91
    assert [transition for transition, _ in story.told] == ["opened", "retracted"] * 4
    assert [v.evidence["silence_after_s"] for v in story.verdicts[::2]] == [1200] * 4


def test_a_band_with_a_poor_network_of_its_own_gets_twice_its_usual_gap() -> None:
    story = band().every(0, 20 * 15, step_min=15)
    assert story.told == []
    story.wait(285 + 29)
    assert story.told == []
    story.wait(285 + 31)
    assert story.told[0][1] == pytest.approx(315, abs=0.1)


def test_one_long_silence_hardly_changes_what_is_usual_for_a_band() -> None:
    story = band().every(0, 60).says(600)
    assert 60 < np.exp(story.table["usual_log_s"][0]) < 110


def test_a_silence_becomes_high_at_the_laws_marks_and_each_is_told_once() -> None:
    story = band().says(0).wait(20).wait(DAY - 1)
    assert story.told == [("opened", 20)]
    assert story.verdicts[0].priority is None
    story.forget().wait(DAY).wait(DAY + 1).wait(9 * DAY)
    assert story.told == [("updated", DAY)]
    assert (story.verdicts[0].priority, story.verdicts[0].evidence["law"]) == (Priority.HIGH, "社区矫正法第三十条")
    story.forget().wait(40 * DAY)
    assert story.told == [("updated", 10 * DAY), ("updated", 30 * DAY)]


def test_after_a_silence_that_ended_the_marks_begin_anew() -> None:
    story = band().says(0).wait(2 * DAY).says(2 * DAY + 1).forget().wait(2 * DAY + 30)
    story.wait(3 * DAY + 1)
    assert [transition for transition, _ in story.told] == ["opened", "updated"]
