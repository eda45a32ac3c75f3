from datetime import date, timedelta

import numpy as np
import pytest

from geo.datum import wgs84_to_gcj02
from schemas.registry import Calendar, Datum, Day, LeavePlace, Schedule, Window, ZoneKind
from tests.geo.walk import leave, place, rules_for
from tests.world import START, START_MS, circle, night

HOUR = 3_600
KEEP_IN = circle("home", ZoneKind.KEEP_IN)
WORK = LeavePlace(
    name="work",
    datum=Datum.WGS84,
    geometry={"type": "Point", "coordinates": [place(2000)[1], place(2000)[0]]},
    radius_m=150.0,
)
FAIR = LeavePlace(
    name="fair",
    datum=Datum.WGS84,
    geometry={"type": "LineString", "coordinates": [list(place(0, 5000)[::-1]), list(place(0, 6000)[::-1])]},
    width_m=100.0,
)


def eased_m(demands, at_s: float, north_m: float, east_m: float = 0.0) -> float:
    """How far outside the first pair's zone a place counts, the leaves considered."""
    pairs, (lat, lon) = np.array([0]), place(north_m, east_m)
    here = np.array([lat]), np.array([lon])
    plain = demands.shapes.signed_distance_m(demands.zone[pairs], *here)
    return round(float(demands.eased_m(pairs, plain, np.array([START_MS + round(at_s * 1000)]), *here)[0]), 3)


def holds(demands, at_s: float, pair: int = 0) -> tuple[bool, float, float]:
    now = START_MS + round(at_s * 1000)
    held, since, until = demands.at(np.array([pair]), np.array([now]))
    return bool(held[0]), (int(since[0]) - START_MS) / 1000, (int(until[0]) - START_MS) / 1000


@pytest.mark.parametrize(
    ("at_s", "north_m", "expected_m"),
    [
        pytest.param(HOUR - 0.001, 2000, 1900.0, id="a moment before it runs"),
        pytest.param(HOUR, 2000, -150.0, id="from its first moment"),
        pytest.param(2 * HOUR - 0.001, 2000, -150.0, id="to its last moment"),
        pytest.param(2 * HOUR, 2000, 1900.0, id="and not at its end"),
        pytest.param(1.5 * HOUR, 1000, 850.0, id="outside both, to the nearest wall: the place's"),
        pytest.param(1.5 * HOUR, 300, 200.0, id="outside both, to the nearest wall: the fence's"),
        pytest.param(1.5 * HOUR, 0, -100.0, id="at home it changes nothing"),
    ],
)
def test_a_place_of_a_leave_counts_as_inside_exactly_while_the_leave_runs(at_s, north_m, expected_m) -> None:
    demands = rules_for(KEEP_IN, leaves=[leave(HOUR, 2 * HOUR, WORK)]).demands
    assert eased_m(demands, at_s, north_m) == pytest.approx(expected_m, abs=0.1)
    assert holds(demands, at_s)[0]  # the fence stands: only its shape has grown


def test_several_leaves_and_several_places_are_each_allowed_in_their_own_time() -> None:
    leaves = [leave(0, 2 * HOUR, WORK, name="a"), leave(HOUR, 3 * HOUR, FAIR, WORK, name="b")]
    demands = rules_for(KEEP_IN, leaves=leaves).demands
    at_the_fair = [eased_m(demands, at_s, 0.0, 5500.0) for at_s in (0, HOUR, 2.5 * HOUR, 3 * HOUR)]
    assert at_the_fair == pytest.approx([5400, -50, -50, 5400], abs=1)
    assert [eased_m(demands, at_s, 2000.0) < 0 for at_s in (0, HOUR, 2.5 * HOUR, 3 * HOUR)] == [True] * 3 + [False]


def test_a_place_in_gcj02_lies_where_it_means() -> None:
    lat, lon = wgs84_to_gcj02(*place(2000))
    drawn = LeavePlace(
        name="work",
        datum=Datum.GCJ02,
        geometry={"type": "Point", "coordinates": [float(lon), float(lat)]},
        radius_m=150.0,
    )
    demands = rules_for(KEEP_IN, leaves=[leave(0, HOUR, drawn)]).demands
    assert eased_m(demands, 0.0, 2000.0) == pytest.approx(-150.0, abs=0.5)


@pytest.mark.parametrize("places", [pytest.param((), id="anywhere"), pytest.param((WORK,), id="with places")])
def test_a_court_prohibition_is_never_suspended(places) -> None:
    forbidden = circle("school", ZoneKind.KEEP_OUT, place(2100), radius_m=150.0)
    demands = rules_for(forbidden, leaves=[leave(0, HOUR, *places)]).demands
    assert holds(demands, 0.5 * HOUR)[0]
    assert eased_m(demands, 0.5 * HOUR, 2100.0) == pytest.approx(-150.0, abs=0.1)
    assert eased_m(demands, 0.5 * HOUR, 1900.0) == pytest.approx(50.0, abs=0.1)


@pytest.mark.parametrize("kind", [ZoneKind.KEEP_IN, ZoneKind.CURFEW])
def test_a_leave_without_places_suspends_what_a_wearer_may_not_leave(kind: ZoneKind) -> None:
    demands = rules_for(circle("home", kind), leaves=[leave(HOUR, 2 * HOUR)]).demands
    assert holds(demands, HOUR - 1)[::2] == (True, HOUR)
    assert holds(demands, HOUR) == (False, HOUR, 2 * HOUR)
    assert holds(demands, 2 * HOUR)[:2] == (True, 2 * HOUR)


def test_leaves_that_touch_or_overlap_are_one_absence() -> None:
    leaves = [leave(0, HOUR, name="a"), leave(HOUR, 2 * HOUR, name="b"), leave(1.5 * HOUR, 3 * HOUR, name="c")]
    assert holds(rules_for(KEEP_IN, leaves=leaves).demands, 0.5 * HOUR) == (False, 0, 3 * HOUR)


def test_a_leave_opens_the_fence_of_its_own_wearer_only() -> None:
    demands = rules_for(KEEP_IN, bands=2, leaves=[leave(0, HOUR)]).demands
    assert [holds(demands, 60, pair)[0] for pair in (0, 1)] == [False, True]


@pytest.mark.parametrize(
    ("onset_s", "back"),
    [
        pytest.param(HOUR - 1, True, id="before the end"),
        pytest.param(HOUR, False, id="at the end"),
        pytest.param(HOUR + 900, False, id="a quarter of an hour later"),
        pytest.param(HOUR + 901, True, id="later than that"),
        pytest.param(3 * HOUR, False, id="at the end of the second leave"),
    ],
)
def test_who_is_found_outside_just_after_a_leave_has_not_come_back(onset_s: float, back: bool) -> None:
    leaves = [leave(2 * HOUR, 3 * HOUR, name="b"), leave(0, HOUR, name="a")]
    demands = rules_for(KEEP_IN, leaves=leaves).demands
    assert demands.came_back(0, START_MS + round(onset_s * 1000)) == back


def test_who_has_no_leave_and_who_is_forbidden_a_place_cannot_be_overdue() -> None:
    assert rules_for(KEEP_IN).demands.came_back(0, START_MS)
    forbidden = circle("school", ZoneKind.KEEP_OUT)
    assert rules_for(forbidden, leaves=[leave(0, HOUR)]).demands.came_back(0, START_MS + HOUR * 1000)


def test_a_validity_a_schedule_and_a_leave_hold_together() -> None:
    zone = circle(
        "home",
        ZoneKind.KEEP_IN,
        schedule="day",
        valid_from=START + timedelta(minutes=30),
        valid_to=START + timedelta(hours=5),
    )
    day = night("day", "10:00", "18:00")  # local time; the start is at 10:00
    demands = rules_for(zone, schedules=[day], leaves=[leave(HOUR, 2 * HOUR)]).demands
    turns = [0.0]
    while turns[-1] < 6 * HOUR:
        turns.append(holds(demands, turns[-1])[2])
    assert turns[1:4] == [0.5 * HOUR, HOUR, 2 * HOUR]
    assert [holds(demands, at_s)[0] for at_s in (0, 0.5 * HOUR, HOUR, 2 * HOUR, 5 * HOUR - 0.001, 5 * HOUR)] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]


def test_a_schedule_reads_its_own_calendar_of_holidays() -> None:
    windows = [Window(days=list(Day), start="10:00", end="12:00")]
    zones = [circle("a", ZoneKind.KEEP_IN, schedule="cn"), circle("b", ZoneKind.KEEP_IN, schedule="plain")]
    demands = rules_for(
        *zones,
        schedules=[Schedule(id="cn", windows=windows, calendar="cn"), Schedule(id="plain", windows=windows)],
        calendars=[Calendar(id="other", dates=[date(2026, 11, 24)]), Calendar(id="cn", dates=[START.date()])],
    ).demands
    on_the_day = {demands.zones[demands.zone[pair]].id: holds(demands, 60, pair)[0] for pair in (0, 1)}
    assert on_the_day == {"a": False, "b": True}
