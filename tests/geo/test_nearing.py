import pytest

from schemas.alerts import AlertCode
from schemas.registry import ZoneKind
from tests.geo.walk import approach, dwell, leave
from tests.world import circle, night

SCHOOL = circle("school", ZoneKind.KEEP_OUT, radius_m=100.0, approach_m=300.0)
HOME = circle("home", ZoneKind.KEEP_IN, radius_m=1000.0, approach_m=300.0)
RANG = ("zone.approach", "opened")
ENDED = ("zone.approach", "cleared")


def test_who_walks_up_to_a_forbidden_wall_rings_once_and_it_ends_when_they_are_gone() -> None:
    walker = approach(SCHOOL).fixes([900, 700, 500, 350, 250, 180])
    assert walker.codes() == [RANG]
    walker.fixes([300, 450, 470, 480, 700], start_s=360)
    assert walker.told() == [("zone.approach", "opened", 180.0, 180.0), ("zone.approach", "cleared", 180.0, 540.0)]


def test_it_ends_when_the_line_is_crossed_because_entering_is_another_alert() -> None:
    walker = approach(SCHOOL).fixes([900, 700, 500, 350, 200, 50])
    assert walker.codes() == [RANG, ENDED]
    assert walker.told()[1][3] == 300


def test_inside_a_fence_it_is_the_way_out_that_is_neared() -> None:
    walker = approach(HOME).fixes([0, 200, 400, 600, 800, 900])
    assert walker.codes() == [RANG]
    assert walker.verdicts[0].evidence["distance_m"] == pytest.approx(200, abs=1)
    assert walker.verdicts[0].evidence["closing_mps"] == pytest.approx(200 / 60, abs=0.05)
    assert walker.fix(360, 1050).codes() == [RANG, ENDED]


def test_a_second_approach_rings_again_only_after_its_wearer_was_well_away() -> None:
    there_and_back = [700, 500, 350, 250]
    walker = approach(SCHOOL).fixes([*there_and_back, 380, 420, 350, 200, 380, 250])
    assert walker.codes() == [RANG]
    walker.fixes([600, 900, *there_and_back], start_s=600)
    assert walker.codes() == [RANG, ENDED, RANG]


def test_wander_of_somebody_who_does_not_move_is_no_approach() -> None:
    wander = [520, 500, 480, 490, 470, 485, 465, 480, 460, 470, 380, 379, 377, 370, 372, 366, 360]
    walker = approach(SCHOOL).fixes([700, *wander], step_s=300)
    assert walker.verdicts == []


def test_who_would_take_long_to_the_line_is_not_near_it() -> None:
    slow = [700 - 30 * n for n in range(20)]  # half a metre a second
    walker = approach(SCHOOL).fixes([float(metres) for metres in slow])
    opened = [v for v in walker.verdicts if v.transition == "opened"]
    assert len(opened) == 1
    assert opened[0].evidence["distance_m"] <= 0.5 * opened[0].evidence["threshold_s"]


def test_who_creeps_up_all_the_way_is_taken_for_wander() -> None:
    creep = [700.0 - 18 * n for n in range(34)]  # 0.3 m/s
    assert approach(SCHOOL).fixes(creep).verdicts == []


def test_who_steps_back_over_the_line_and_turns_round_has_not_come_again() -> None:
    walker = approach(SCHOOL).fixes([900, 700, 500, 350, 200, 50, 250, 150])
    assert walker.codes() == [RANG, ENDED]


def test_who_lives_in_the_ring_is_told_nothing_when_they_come_home() -> None:
    walker = approach(SCHOOL).fixes([250.0] * 32)
    walker.fixes([600, 1200, 1200, 600, 250, 250, 1200, 600, 250], start_s=3600)
    assert walker.verdicts == []


@pytest.mark.parametrize("accuracy_m", [51.0, 2000.0, 10_000.0])
def test_a_coarse_fix_says_nothing(accuracy_m: float) -> None:
    walker = approach(SCHOOL).fixes([900, 700, 500, 350, 250, 180], accuracy_m=accuracy_m)
    assert walker.verdicts == []


def test_a_first_fix_in_the_ring_is_nobody_who_came() -> None:
    assert approach(SCHOOL).fixes([350, 250, 180, 120]).verdicts == []


def test_a_repeated_fix_is_no_second_look() -> None:
    walker = approach(SCHOOL).fixes([900, 700, 500])
    for n in range(1, 6):
        walker.fix(120.4 + 60.5 * n, 250, age_s=round(60.5 * (n - 1)))
    assert walker.codes() == [RANG]


def test_an_approach_counts_only_while_the_zone_asks_something() -> None:
    by_day = circle("school", ZoneKind.KEEP_OUT, radius_m=100.0, approach_m=300.0, schedule="later")
    hours = {"schedules": [night("later", "10:30", "11:00")]}  # the start is at 10:00
    way = [900.0, 700.0, 500.0, 350.0, 250.0]
    assert approach(by_day, **hours).fixes(way).verdicts == []
    assert approach(by_day, **hours).fixes(way, start_s=1800).codes() == [RANG]


def test_what_rang_ends_when_the_zone_asks_nothing_any_more() -> None:
    by_day = circle("school", ZoneKind.KEEP_OUT, radius_m=100.0, approach_m=300.0, schedule="now")
    walker = approach(by_day, schedules=[night("now", "10:00", "10:30")])
    walker.fixes([900, 700, 500, 350, 250], start_s=1500)
    assert walker.codes() == [RANG]
    walker.fixes([250.0, 900.0, 900.0], start_s=1800)
    assert walker.codes() == [RANG, ENDED]


def test_on_leave_nobody_nears_the_line_of_their_own_fence() -> None:
    walker = approach(HOME, leaves=[leave(0, 3600)]).fixes([0, 200, 400, 600, 800, 900])
    assert walker.verdicts == []


OFFICE = circle("office", ZoneKind.INTEREST, radius_m=100.0, dwell_s=900.0)
LINGERS = circle("school", ZoneKind.KEEP_OUT, radius_m=100.0, approach_m=200.0, dwell_s=900.0)


def test_who_stays_in_a_zone_of_interest_rings_when_it_is_too_long_and_ends_by_going() -> None:
    walker = dwell(OFFICE).fixes([500.0, *[20.0] * 18, 500.0])
    assert walker.told() == [("zone.dwell", "opened", 60.0, 960.0), ("zone.dwell", "cleared", 60.0, 1140.0)]
    assert walker.verdicts[0].evidence["lasted_s"] == walker.verdicts[0].evidence["threshold_s"] == 900


def test_who_goes_in_time_does_not_ring_and_starts_anew() -> None:
    assert dwell(OFFICE).fixes([500.0, *[20.0] * 14, 500.0, *[20.0] * 14, 500.0]).verdicts == []


def test_a_fix_just_outside_neither_ends_a_stay_nor_begins_one() -> None:
    stay = [20.0, *[130.0, 20.0] * 8]
    walker = dwell(OFFICE).fixes([500.0, *stay])
    assert walker.codes() == [("zone.dwell", "opened")]
    assert dwell(OFFICE).fixes([500.0, *[130.0] * 30]).verdicts == []


@pytest.mark.parametrize(
    ("north_m", "rings"),
    [
        pytest.param(150.0, True, id="in the ring"),
        pytest.param(320.0, False, id="beyond the ring"),
        pytest.param(0.0, False, id="inside: another alert"),
    ],
)
def test_at_a_forbidden_zone_it_is_the_ring_in_which_one_lingers(north_m: float, rings: bool) -> None:
    walker = dwell(LINGERS).fixes([800.0, *[north_m] * 17])
    assert walker.codes() == ([("zone.dwell", "opened")] if rings else [])


@pytest.mark.parametrize(
    ("leaves_to_m", "ends"),
    [
        pytest.param(340.0, False, id="a little beyond the ring"),
        pytest.param(360.0, True, id="a quarter beyond the ring"),
        pytest.param(60.0, False, id="a little inside"),
        pytest.param(40.0, True, id="well inside"),
    ],
)
def test_lingering_ends_by_going_well_out_or_well_in(leaves_to_m: float, ends: bool) -> None:
    walker = dwell(LINGERS).fixes([800.0, *[200.0] * 17, leaves_to_m])
    assert [code for _, code in walker.codes()] == (["opened", "cleared"] if ends else ["opened"])


def test_a_stay_is_measured_in_the_time_of_its_fixes_not_of_their_arrival() -> None:
    walker = dwell(OFFICE).fix(0, 500)
    for n in range(1, 15):
        walker.fix(60 * n, 20)
    # An old fix told again much later has lasted no longer.
    walker.fix(3600, 20, age_s=3600 - 60 * 14)
    assert walker.verdicts == []
    assert walker.fix(3660, 20, age_s=3660 - 960).told() == [("zone.dwell", "opened", 60.0, 960.0)]


def test_two_fixes_with_a_long_silence_between_are_no_stay() -> None:
    assert dwell(OFFICE).fixes([500.0, 20.0]).fix(4_000, 20).verdicts == []


def test_yesterdays_stay_is_not_todays() -> None:
    evening = circle("bar", ZoneKind.INTEREST, radius_m=100.0, dwell_s=900.0, schedule="evening")
    walker = dwell(evening, schedules=[night("evening", "10:00", "10:30")])  # the start is at 10:00
    walker.fixes([500.0, 20.0, 20.0, 20.0], start_s=1560)  # there for the last minutes of the window
    walker.fixes([500.0] * 30, start_s=1860, step_s=2000)
    walker.fixes([20.0, 20.0, 20.0], start_s=86_400 - 90)  # back a minute before it begins again
    assert walker.verdicts == []


def test_a_lingering_that_rang_ends_when_the_zone_asks_nothing_any_more() -> None:
    evening = circle("bar", ZoneKind.INTEREST, radius_m=100.0, dwell_s=900.0, schedule="evening")
    walker = dwell(evening, schedules=[night("evening", "10:00", "10:30")])
    walker.fixes([20.0] * 20, start_s=600)
    assert walker.codes() == [("zone.dwell", "opened")]
    walker.fixes([500.0] * 3, start_s=1860)
    assert walker.codes() == [("zone.dwell", "opened"), ("zone.dwell", "cleared")]


def test_each_rings_its_own_code_and_keeps_a_row_only_for_zones_that_ask_it() -> None:
    zones = (SCHOOL, OFFICE, circle("plain", ZoneKind.KEEP_IN))
    nearing, lingering = approach(*zones).detector, dwell(*zones).detector
    assert (nearing.codes, lingering.codes) == ({AlertCode.ZONE_APPROACH}, {AlertCode.ZONE_DWELL})
    assert (len(nearing.keys), len(lingering.keys)) == (1, 1)
