import pytest

from schemas.registry import ZoneKind
from tests.geo.walk import leave, place, watch
from tests.world import circle, night

THIN = circle("school", ZoneKind.KEEP_OUT, radius_m=60.0)
OPENED_AND_CLEARED = [("zone.enter", "opened"), ("zone.enter", "cleared")]


def test_the_way_through_a_thin_forbidden_zone_between_two_fixes_is_one_alert_that_has_ended() -> None:
    walker = watch(THIN).fixes([-900, -600, -300, 300, 600, 900])
    # 540 of 600 m lie outside: in at 240/600 of the minute that began at 120 s.
    assert walker.codes() == OPENED_AND_CLEARED
    for _, _, onset_s, at_s in walker.told():
        assert onset_s == pytest.approx(120 + 60 * 240 / 600, abs=3.0)
        assert at_s == 180
    opened, cleared = walker.verdicts
    assert opened.onset_ms == cleared.onset_ms
    assert opened.evidence["crossing"] is True
    assert opened.evidence["depth_m"] == pytest.approx(60, abs=14)
    assert opened.evidence["least_depth_m"] <= opened.evidence["depth_m"]
    assert opened.subject == "school"


@pytest.mark.parametrize("start_m", [pytest.param(-450 + 39 * n / 8, id=f"phase {n}") for n in range(8)])
@pytest.mark.parametrize("radius_m", [20.0, 30.0, 60.0])
def test_however_the_fixes_fall_a_straight_way_through_the_middle_is_seen(start_m: float, radius_m: float) -> None:
    walker = watch(circle("school", ZoneKind.KEEP_OUT, radius_m=radius_m)).fixes([start_m, start_m + 900])
    assert walker.codes() == OPENED_AND_CLEARED
    entered_s = 60 * (-radius_m - start_m) / 900
    assert walker.told()[0][2] == pytest.approx(entered_s, abs=2.7)


@pytest.mark.parametrize(
    ("east_m", "accuracy_m", "rings"),
    [
        pytest.param(50.0, 8.0, False, id="10 m deep with discs of 8 m: less than is asked at least"),
        pytest.param(35.0, 8.0, True, id="25 m deep with discs of 8 m"),
        pytest.param(35.0, 30.0, False, id="25 m deep with discs of 30 m"),
        pytest.param(20.0, 30.0, True, id="40 m deep with discs of 30 m"),
        pytest.param(70.0, 8.0, False, id="past it"),
    ],
)
def test_a_corner_cut_less_deep_than_the_discs_is_no_crossing(east_m: float, accuracy_m: float, rings: bool) -> None:
    walker = watch(THIN)
    walker.fix(0, -300, east_m, accuracy_m=accuracy_m).fix(60, 300, east_m, accuracy_m=accuracy_m)
    assert walker.codes() == (OPENED_AND_CLEARED if rings else [])


def test_the_worse_of_both_discs_counts() -> None:
    assert watch(THIN).fix(0, -300, 35, accuracy_m=8).fix(60, 300, 35, accuracy_m=30).verdicts == []
    assert watch(THIN).fix(0, -300, 35, accuracy_m=30).fix(60, 300, 35, accuracy_m=8).verdicts == []


@pytest.mark.parametrize(
    ("gap_s", "rings"), [pytest.param(300, True, id="five minutes"), pytest.param(301, False, id="longer")]
)
def test_what_lies_between_fixes_far_apart_in_time_is_not_known(gap_s: float, rings: bool) -> None:
    assert bool(watch(THIN).fix(0, -300).fix(gap_s, 300).verdicts) == rings


def test_coarse_fixes_say_nothing_about_a_way() -> None:
    wide = circle("school", ZoneKind.KEEP_OUT, radius_m=200.0)
    assert watch(wide).fix(0, -500, accuracy_m=61).fix(60, 500, accuracy_m=61).verdicts == []
    assert watch(wide).fix(0, -500, accuracy_m=60).fix(60, 500, accuracy_m=60).codes() == OPENED_AND_CLEARED


@pytest.mark.parametrize(
    ("speed_mps", "rings"),
    [
        pytest.param(8.0, True, id="riding"),
        pytest.param(2.5, True, id="just riding"),
        pytest.param(1.2, False, id="on foot"),
        pytest.param(float("nan"), False, id="without Doppler"),
    ],
)
def test_one_fix_inside_counts_if_its_wearer_was_riding(speed_mps: float, rings: bool) -> None:
    walker = watch(THIN).fixes([-960, -480], speed_mps=8.0)
    walker.fix(120, 0, speed_mps=speed_mps).fixes([480, 960, 1440], start_s=180, speed_mps=8.0)
    assert walker.codes() == (OPENED_AND_CLEARED if rings else [])


def test_a_way_through_counts_only_while_the_zone_asks_something() -> None:
    by_day = circle("school", ZoneKind.KEEP_OUT, radius_m=60.0, schedule="later")
    hours = {"schedules": [night("later", "10:05", "10:10")]}  # the start is at 10:00
    assert watch(by_day, **hours).fix(230, -300).fix(290, 300).verdicts == []
    assert watch(by_day, **hours).fix(310, -300).fix(370, 300).codes() == OPENED_AND_CLEARED
    assert watch(by_day, **hours).fix(610, -300).fix(670, 300).verdicts == []


def test_whether_it_asks_something_is_judged_when_the_zone_was_entered() -> None:
    by_day = circle("school", ZoneKind.KEEP_OUT, radius_m=60.0, schedule="later")
    hours = {"schedules": [night("later", "10:05", "10:10")]}
    # In at 40 % of the way: 294 s (too early by 6 s), then 306 s.
    assert watch(by_day, **hours).fix(270, -300).fix(330, 300).verdicts == []
    assert watch(by_day, **hours).fix(282, -300).fix(342, 300).codes() == OPENED_AND_CLEARED


@pytest.mark.parametrize("kind", [ZoneKind.KEEP_IN, ZoneKind.CURFEW])
def test_who_passes_through_where_they_should_be_has_crossed_nothing(kind: ZoneKind) -> None:
    walker = watch(circle("home", kind, radius_m=60.0), leaves=[leave(-3600, 7200)])
    assert walker.fixes([-900, -600, -300, 300, 600, 900]).verdicts == []


def test_a_way_through_a_place_to_be_is_leaving_it_and_no_crossing() -> None:
    walker = watch(circle("home", ZoneKind.KEEP_IN, radius_m=60.0)).fixes([-300, 300, -300, 300])
    assert walker.codes() == [("zone.exit", "opened")]
    assert "crossing" not in walker.verdicts[0].evidence


def test_to_and_fro_through_a_zone_is_an_alert_each_time_and_never_two_at_once() -> None:
    walker = watch(THIN).fixes([-300, 300, -300, 300])
    assert walker.codes() == OPENED_AND_CLEARED * 3
    assert len({v.onset_ms for v in walker.verdicts}) == 3


def test_who_stays_inside_is_judged_by_presence_and_leaves_once() -> None:
    walker = watch(THIN).fixes([-300, 0, 0, 0, 300, 300, 300])
    assert walker.codes() == OPENED_AND_CLEARED
    assert not any(v.evidence.get("crossing") for v in walker.verdicts)


def test_a_corridor_is_crossed_like_any_other_zone() -> None:
    river = circle("river", ZoneKind.KEEP_OUT)
    ends = [list(place(0, east_m)[::-1]) for east_m in (-1000, 1000)]
    changed = type(river)(
        id="river",
        org=river.org,
        name="river",
        kind=ZoneKind.KEEP_OUT,
        datum=river.datum,
        geometry={"type": "LineString", "coordinates": ends},
        width_m=80.0,
    )
    assert watch(changed).fix(0, -300, 500).fix(60, 300, 500).codes() == OPENED_AND_CLEARED
    assert watch(changed).fix(0, -300, 1100).fix(60, 300, 1100).verdicts == []
