"""Messages without a position: tunnels, cellars, jammers and antennas."""

import numpy as np

from anomaly.no_fix import NoFix
from schemas.registry import Thresholds
from tests.anomaly.story import Story
from tests.world import HOME, north_of_home

CELL = {"accuracy_m": 700.0}
TUNNEL = north_of_home(5_000)


def band(**thresholds: float) -> Story:
    return Story(NoFix(np.array([1]), np.array([600_000]), np.ones(1, np.float32), Thresholds(**thresholds)))


def lost(story: Story) -> list[str]:
    return [v.evidence["lost"] for v in story.verdicts if v.transition.value == "opened"]


def test_a_tunnel_is_no_loss() -> None:
    assert band().every(0, 10).blind(10, 35).every(35, 40).told == []


def test_sharp_fixes_that_vanish_at_once_ring_after_half_an_hour_and_end_with_the_next_fix() -> None:
    story = band().every(0, 10).blind(10, 60).every(60, 62)
    assert story.told == [("opened", 39), ("cleared", 60)]
    assert lost(story) == ["at_once"]
    assert story.verdicts[0].onset_ms == story.verdicts[1].onset_ms
    assert story.verdicts[0].evidence["threshold_s"] == 1800


def test_who_went_down_the_ladder_indoors_gets_two_and_a_half_hours() -> None:
    story = band().every(0, 10).every(10, 15, **CELL).blind(15, 160)
    assert story.told == []
    assert lost(story.blind(160, 180)) == ["faded"]


def test_fixes_that_flicker_before_they_are_lost_have_faded() -> None:
    assert band().blind(0, 10).every(10, 12).blind(12, 60).told == []


def test_vague_fixes_alone_ring_in_the_end() -> None:
    story = band().every(0, 10).every(10, 330, accuracy_m=3000.0)
    assert story.told == []
    assert lost(story.every(330, 400, accuracy_m=3000.0)) == ["vague"]


def test_a_fix_told_again_and_again_is_none() -> None:
    story = band().every(0, 10)
    for minute in range(10, 60):
        story.says(minute, age_s=60.0 * (minute - 9))
    assert lost(story) == ["at_once"]


def test_a_silent_band_is_not_blind() -> None:
    assert band().every(0, 10).blind(10, 11).blind(300, 302).told == []


def test_nobody_is_expected_to_be_seen_more_often_than_heard() -> None:
    story = Story(NoFix(np.array([1]), np.array([3_600_000]), np.ones(1, np.float32))).every(0, 30, step_min=5)
    for minute in range(30, 80, 5):
        story.blind(minute, minute + 1)
    assert story.told == []


def test_a_tunnel_that_always_takes_longer_is_learned() -> None:
    story, now = band(), 0.0
    for _ in range(8):
        story.every(now, now + 60, at=HOME).every(now + 60, now + 64, at=TUNNEL).blind(now + 64, now + 100)
        now += 100.0
    assert [t for t, _ in story.told].count("opened") < 3
    story.forget().every(now, now + 60, at=HOME).blind(now + 60, now + 95)
    assert lost(story) == ["at_once"]


def test_the_dial_makes_it_more_patient() -> None:
    assert band(no_fix_scale=2.0).every(0, 10).blind(10, 60).told == []
