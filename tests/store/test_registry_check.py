from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.registry import (
    Assignment,
    Consent,
    DatedWindows,
    Day,
    DayWindow,
    Org,
    Registry,
    Schedule,
    Window,
    ZoneKind,
)
from store.registry_check import check
from store.registry_periods import months_later
from tests.store.build_registry import NOW, SQUARE, small_registry

replace = msgspec.structs.replace
DAY = timedelta(days=1)


def with_first(part: str, **changes: Any) -> Registry:
    """The small registry with its first object of a list changed."""
    registry = small_registry()
    first, *others = getattr(registry, part)
    return replace(registry, **{part: [replace(first, **changes), *others]})


def with_more(part: str, *things: Any) -> Registry:
    registry = small_registry()
    return replace(registry, **{part: [*getattr(registry, part), *things]})


def polygon(*rings: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def line(*positions: list[float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": list(positions)}


def lines(*several: list[list[float]]) -> dict[str, Any]:
    return {"type": "MultiLineString", "coordinates": list(several)}


def test_a_sound_registry_has_no_problems() -> None:
    assert check(small_registry()) == []


def test_a_wearer_with_a_band_but_no_order_is_no_problem() -> None:
    assert check(replace(small_registry(), orders=[])) == []


BOW_TIE = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
CASES = {
    "org of a wearer": (with_first("wearers", org="nowhere"), "wearers[0].org: there is no nowhere in orgs"),
    "org of a device": (with_first("devices", org="nowhere"), "devices[0].org: there is no nowhere in orgs"),
    "parent of an org": (with_first("orgs", parent="nowhere"), "orgs[0].parent: there is no nowhere in orgs"),
    "device assigned": (with_first("assignments", device="x"), "assignments[0].device: there is no x in devices"),
    "wearer assigned": (with_first("assignments", wearer="x"), "assignments[0].wearer: there is no x in wearers"),
    "wearer of an order": (with_first("orders", wearer="x"), "orders[0].wearer: there is no x in wearers"),
    "wearer of a consent": (with_first("consents", wearer="x"), "consents[0].wearer: there is no x in wearers"),
    "wearer of a leave": (with_first("leaves", wearer="x"), "leaves[0].wearer: there is no x in wearers"),
    "wearer of a zone": (with_first("zones", wearers=["w-1", "x"]), "zones[0].wearers[1]: there is no x in wearers"),
    "schedule of a zone": (with_first("zones", schedule="x"), "zones[0].schedule: there is no x in schedules"),
    "org of a contact": (with_first("contacts", org="x"), "contacts[0].org: there is no x in orgs"),
    "id twice": (with_more("orgs", Org(id="city", name="again")), "orgs[2].id: city is there already"),
    "consent twice": (
        with_more("consents", Consent(wearer="w-1", document="other", valid_from=NOW)),
        f"consents[1].wearer: w-1 physiology {NOW.isoformat()} is there already",
    ),
    "own parent": (with_first("orgs", parent="city"), "orgs[0].parent: the org tree runs in a circle: city → city"),
    "order too long": (
        with_first("orders", valid_to=datetime(2027, 2, 23, 8, 0, 1, tzinfo=UTC)),
        "orders[0].valid_to: o-1 runs longer than 3 months; an extension is an order of its own",
    ),
    "order reversed": (
        with_first("orders", valid_to=NOW - DAY),
        "orders[0].valid_to: 2026-11-22T08:00:00+00:00 is not after",
    ),
    "leave reversed": (
        with_first("leaves", valid_to=NOW),
        "leaves[0].valid_to: 2026-11-23T08:00:00+00:00 is not after",
    ),
    "consent reversed": (with_first("consents", valid_to=NOW), "consents[0].valid_to: "),
    "assignment reversed": (with_first("assignments", valid_to=NOW - DAY), "assignments[0].valid_to: "),
    "zone reversed": (with_first("zones", valid_to=NOW), "zones[0].valid_to: "),
    "device on two wearers": (
        with_first("assignments", device="band-2"),
        "assignments[1].device: band-2 is assigned twice at once; the other is band-2 on w-1 from 2026-11-23",
    ),
    "wearer with two devices": (
        with_first("assignments", wearer="w-2"),
        "assignments[1].wearer: w-2 is assigned twice at once; the other is band-1 on w-2 from 2026-11-23",
    ),
    "window of no time": (
        with_more("schedules", Schedule(id="s", windows=[Window(days=[Day.MON], start="08:00", end="08:00")])),
        "schedules[1].windows[0].end: 08:00 to 08:00 lasts no time; a whole day is 00:00 to 24:00",
    ),
    "time zone of an org": (with_first("orgs", timezone="Asia/Panzhihua"), "orgs[0].timezone: 'Asia/Panzhihua' is no"),
    "time zone of a schedule": (
        with_first("schedules", timezone="Asia"),
        "schedules[0].timezone: 'Asia' is no time zone",
    ),
    "point without radius": (with_first("zones", radius_m=None), "zones[0].radius_m: a Point needs a radius in metres"),
    "latitude first": (
        with_first("zones", geometry={"type": "Point", "coordinates": [26.5, 101.7]}),
        "zones[0].geometry.coordinates: latitude 101.7 is not within -90 and 90; GeoJSON has longitude first",
    ),
    "position of text": (
        with_first("zones", geometry={"type": "Point", "coordinates": ["101", 26]}),
        "zones[0].geometry.coordinates: must be [longitude, latitude]",
    ),
    "longitude out of range": (
        with_first("zones", radius_m=None, geometry=polygon([SQUARE[0], [181, 0], *SQUARE[2:]])),
        "zones[0].geometry.coordinates[0][1]: longitude 181 is not within -180 and 180",
    ),
    "open ring": (
        with_first("zones", radius_m=None, geometry=polygon(SQUARE[:4])),
        "zones[0].geometry.coordinates[0]: the ring is not closed: its last position must be the same as its first",
    ),
    "short ring": (
        with_first("zones", radius_m=None, geometry={"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE[:2]]]}),
        "zones[0].geometry.coordinates[1][0]: a ring needs at least 4 positions",
    ),
    "crossing itself": (
        with_first("zones", radius_m=None, geometry=polygon(BOW_TIE)),
        (
            "zones[0].geometry: not a valid shape: self-intersection at [0.5, 0.5]; "
            "`shouhuan zones FILE --repair` prints a repaired version"
        ),
    ),
    "other geometry": (
        with_first("zones", geometry={"type": "GeometryCollection"}),
        "zones[0].geometry: type is 'GeometryCollection'; it must be Point, Polygon, MultiPolygon, LineString or",
    ),
    "corridor without width": (
        with_first("zones", geometry=line(*SQUARE), radius_m=None),
        "zones[0].width_m: a LineString needs a width in metres",
    ),
    "corridor with radius": (
        with_first("zones", geometry=line(*SQUARE), width_m=50),
        "zones[0].radius_m: a LineString has no radius; leave it out, or draw a Point",
    ),
    "circle with width": (
        with_first("zones", width_m=50),
        "zones[0].width_m: a Point has no width; leave it out, or draw a LineString or a MultiLineString",
    ),
    "polygon with radius": (
        with_first("zones", geometry=polygon(SQUARE)),
        "zones[0].radius_m: a Polygon has no radius",
    ),
    "corridor of one place": (
        with_first("zones", geometry=line([101, 26], [101, 26]), radius_m=None, width_m=50),
        "zones[0].geometry.coordinates: a line needs at least 2 positions that differ",
    ),
    "second line of a corridor": (
        with_first("zones", geometry=lines(SQUARE, SQUARE[:1]), radius_m=None, width_m=50),
        "zones[0].geometry.coordinates[1]: a line needs at least 2 positions that differ",
    ),
    "position on a line": (
        with_first("zones", geometry=line([101, 26], [26, 101]), radius_m=None, width_m=50),
        "zones[0].geometry.coordinates[1]: latitude 101 is not within -90 and 90; GeoJSON has longitude first",
    ),
    "no lines": (
        with_first("zones", geometry=lines(), radius_m=None, width_m=50),
        "zones[0].geometry.coordinates: must be a list of lines",
    ),
    "approach to a curfew place": (
        with_first("zones", approach_m=50),
        "zones[0].approach_m: only keep_in and keep_out zones ring on nearing the line; this one is curfew",
    ),
    "approach to an interest zone": (
        with_first("zones", kind=ZoneKind.INTEREST, approach_m=50),
        "zones[0].approach_m: only keep_in and keep_out zones ring on nearing the line; this one is interest",
    ),
    "dwelling in a curfew place": (
        with_first("zones", dwell_s=50),
        "zones[0].dwell_s: only keep_out and interest zones ring on lingering; this one is curfew",
    ),
    "dwelling in a keep-in": (
        with_first("zones", kind=ZoneKind.KEEP_IN, dwell_s=50),
        "zones[0].dwell_s: only keep_out and interest zones ring on lingering; this one is keep_in",
    ),
    "calendar of a schedule": (
        with_first("schedules", calendar="x"),
        "schedules[0].calendar: there is no x in calendars",
    ),
    "holidays of no calendar": (
        with_first("schedules", calendar=None),
        "schedules[0].holiday_windows: hold on the days of a calendar, and this schedule names none",
    ),
    "exception reversed": (
        with_first("schedules", exceptions=[DatedWindows(first=date(2026, 12, 2), last=date(2026, 12, 1))]),
        "schedules[0].exceptions[0].last: 2026-12-01 is before 2026-12-02",
    ),
    "exception of no time": (
        with_first(
            "schedules",
            exceptions=[DatedWindows(first=date(2026, 12, 2), windows=[DayWindow(start="08:00", end="08:00")])],
        ),
        "schedules[0].exceptions[0].windows[0].end: 08:00 to 08:00 lasts no time",
    ),
    "holiday window of no time": (
        with_first("schedules", holiday_windows=[DayWindow(start="08:00", end="08:00")]),
        "schedules[0].holiday_windows[0].end: 08:00 to 08:00 lasts no time",
    ),
    "no coordinates": (
        with_first("zones", radius_m=None, geometry={"type": "Polygon"}),
        "zones[0].geometry.coordinates: must be a list",
    ),
}


@pytest.mark.parametrize(("registry", "expected"), CASES.values(), ids=CASES.keys())
def test_one_fault_is_one_problem_with_its_place(registry: Registry, expected: str) -> None:
    (problem,) = check(registry)
    assert str(problem).startswith(expected)


def test_a_circle_of_orgs_is_told_for_each_of_them_but_not_for_those_below() -> None:
    orgs = [Org(id=i, name=i, parent=p) for i, p in (("a", "b"), ("b", "a"), ("c", "a"))]
    assert [str(problem) for problem in check(Registry(orgs=orgs))] == [
        "orgs[0].parent: the org tree runs in a circle: a → b → a",
        "orgs[1].parent: the org tree runs in a circle: b → a → b",
    ]


def test_assignments_that_follow_each_other_do_not_overlap() -> None:
    first = Assignment(device="band-1", wearer="w-1", valid_from=NOW - DAY, valid_to=NOW)
    assert check(with_more("assignments", first)) == []


def test_an_assignment_inside_a_longer_one_is_found_though_another_lies_between() -> None:
    inner = [
        Assignment(device="band-2", wearer="w-1", valid_from=NOW + n * DAY, valid_to=NOW + n * DAY + DAY / 2)
        for n in (1, 2)
    ]
    registry = replace(small_registry(), assignments=[small_registry().assignments[1], *inner])
    assert [problem.path for problem in check(registry)] == ["assignments[1].device", "assignments[2].device"]


@pytest.mark.parametrize(
    ("start", "end"),
    [((2026, 11, 30), (2027, 2, 28)), ((2026, 8, 31), (2026, 11, 30)), ((2026, 9, 15), (2026, 12, 15))],
)
def test_three_months_end_on_the_same_day_or_the_last_of_a_shorter_month(
    start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    assert months_later(datetime(*start, tzinfo=UTC), 3, None) == datetime(*end, tzinfo=UTC)


def test_months_are_those_of_the_wearers_own_clock_even_where_a_database_answers_in_utc() -> None:
    local = timezone(timedelta(hours=8))
    start, end = datetime(2026, 5, 1, tzinfo=local), datetime(2026, 8, 1, tzinfo=local)
    for written in (local, UTC):
        order = {"valid_from": start.astimezone(written), "valid_to": end.astimezone(written)}
        assert check(with_first("orders", **order)) == []


@pytest.mark.parametrize(
    "exceptions",
    [
        pytest.param([DatedWindows(first=date(2026, 12, 24))], id="a day off"),
        pytest.param([DatedWindows(first=date(2026, 12, 24), last=date(2026, 12, 24))], id="one day, twice said"),
        pytest.param(
            [
                DatedWindows(first=date(2026, 12, 1), last=date(2026, 12, 31)),
                DatedWindows(first=date(2026, 12, 24), windows=[DayWindow(start="08:00", end="09:00")]),
            ],
            id="the later wins",
        ),
    ],
)
def test_exceptions_may_be_days_off_and_may_overlap(exceptions: list[DatedWindows]) -> None:
    assert check(with_first("schedules", exceptions=exceptions)) == []


def test_every_problem_is_told_at_once() -> None:
    broken = replace(with_first("wearers", org="nowhere"), leaves=[replace(small_registry().leaves[0], wearer="x")])
    assert [problem.path for problem in check(broken)] == ["wearers[0].org", "leaves[0].wearer"]
