"""What leaves may be, and what they may not open."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.registry import Datum, Leave, LeavePlace, Registry, Zone, ZoneKind
from store.registry_check import check
from tests.store.build_registry import NOW, small_registry

replace = msgspec.structs.replace
DAY = timedelta(days=1)
CHENGDU = [104.08, 30.66]


def leave(name: str = "l-9", wearer: str = "w-2", days: float = 2, **more: Any) -> Leave:
    """A leave of w-2 from tomorrow on."""
    begins = more.pop("valid_from", NOW + DAY)
    times = {"recorded_at": NOW, "valid_from": begins, "valid_to": begins + days * DAY}
    return Leave(**{"id": name, "wearer": wearer, "document": "d", "approver": "a"} | times | more)


def place(at: list[float] = CHENGDU, radius_m: float = 500, datum: Datum = Datum.WGS84) -> LeavePlace:
    return LeavePlace(name="市场", datum=datum, geometry={"type": "Point", "coordinates": at}, radius_m=radius_m)


def keep_out(at: list[float] = CHENGDU, **more: Any) -> Zone:
    facts = {"id": "x", "org": "city", "name": "受害人住处", "kind": ZoneKind.KEEP_OUT, "datum": Datum.WGS84}
    return Zone(**facts | {"geometry": {"type": "Point", "coordinates": at}, "radius_m": 300.0} | more)


def problems(*leaves: Leave, zones: list[Zone] | None = None) -> list[str]:
    registry: Registry = small_registry()
    return [str(found) for found in check(replace(registry, leaves=list(leaves), zones=zones or registry.zones))]


def test_a_trip_may_last_thirty_days_and_no_longer() -> None:
    assert problems(leave(days=30)) == []
    assert problems(leave(days=30.001)) == [
        "leaves[0].valid_to: l-9 lasts longer than 30 days; who crosses the line all the time needs a permit"
    ]


def test_a_permit_may_last_six_calendar_months_and_no_longer() -> None:
    begins, local = datetime(2026, 9, 30, 16, tzinfo=UTC), timezone(timedelta(hours=8))
    ends = datetime(2027, 4, 1, tzinfo=local)
    permit = leave(permit=True, places=[place()], recorded_at=begins, valid_from=begins, valid_to=ends)
    assert problems(permit) == []
    assert problems(replace(permit, valid_to=ends + timedelta(seconds=1))) == [
        "leaves[0].valid_to: l-9 runs longer than 6 months; a permit is renewed by one of its own"
    ]


def test_a_permit_names_its_places() -> None:
    assert problems(leave(permit=True)) == ["leaves[0].places: l-9 is a permit, which names the places that it allows"]


def test_what_was_recorded_after_it_began_is_an_incident_and_no_leave() -> None:
    assert problems(leave(valid_from=NOW)) == []
    assert problems(leave(valid_from=NOW - DAY)) == [
        (
            "leaves[0].recorded_at: recorded at 2026-11-23T08:00:00+00:00 after the leave began at "
            "2026-11-22T08:00:00+00:00; record what happened as an incident instead"
        )
    ]


def test_trips_of_one_wearer_may_follow_each_other_and_not_overlap() -> None:
    assert problems(leave("a", days=2), leave("b", valid_from=NOW + 3 * DAY)) == []
    assert problems(leave("a", days=2), leave("b", "w-1")) == []
    assert problems(leave("b", valid_from=NOW + 2 * DAY), leave("a", days=2)) == [
        "leaves[0].valid_from: b begins before a of w-2 has ended at 2026-11-26T08:00:00+00:00"
    ]


def test_a_trip_may_fall_within_a_permit() -> None:
    assert problems(leave("a"), leave("b", permit=True, places=[place()])) == []


def test_what_is_wrong_with_a_place_is_told_with_its_place() -> None:
    wrong = LeavePlace(name="n", datum=Datum.WGS84, geometry={"type": "Point", "coordinates": [30, 104]}, width_m=3)
    assert [text.split(":")[0] for text in problems(leave(places=[place(), wrong]))] == [
        "leaves[0].places[1].radius_m",
        "leaves[0].places[1].width_m",
        "leaves[0].places[1].geometry.coordinates",
    ]


COLLIDES = "leaves[0].places[0]: 市场 collides with 禁止 zone x (受害人住处), which no leave can open"
METRES = 1 / 111_195


@pytest.mark.parametrize(
    "forbidden",
    [
        pytest.param(keep_out(), id="of the org above"),
        pytest.param(keep_out(wearers=["w-2"]), id="naming the wearer"),
        pytest.param(keep_out([104.08, 30.66 + 790 * METRES]), id="touching"),
        pytest.param(keep_out(schedule="nights"), id="at some hours"),
        pytest.param(keep_out(valid_to=NOW + 2 * DAY), id="for a part of the leave"),
        pytest.param(
            keep_out(geometry={"type": "LineString", "coordinates": [[104, 30.66], [104.2, 30.66]]}, radius_m=None,
                     width_m=60.0),
            id="a corridor",
        ),
    ],
)  # fmt: skip
def test_a_place_that_touches_a_prohibited_zone_of_its_wearer_is_refused_by_name(forbidden: Zone) -> None:
    assert problems(leave(places=[place()]), zones=[forbidden]) == [COLLIDES]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(keep_out(wearers=["w-1"]), id="of another wearer"),
        pytest.param(keep_out([104.08, 30.66 + 810 * METRES]), id="beside it"),
        pytest.param(keep_out(kind=ZoneKind.INTEREST), id="that asks nothing"),
        pytest.param(keep_out(valid_to=NOW + DAY), id="that ends before"),
        pytest.param(keep_out(valid_from=NOW + 3 * DAY), id="that begins after"),
    ],
)
def test_other_zones_do_not_keep_a_place_from_being_allowed(other: Zone) -> None:
    assert problems(leave(places=[place()]), zones=[other]) == []


@pytest.mark.parametrize(
    ("where", "forbidden"),
    [
        pytest.param(place([104.08253, 30.6576], 1, Datum.GCJ02), keep_out(radius_m=20.0), id="the place"),
        pytest.param(
            place(radius_m=1), keep_out([104.08253, 30.6576], datum=Datum.GCJ02, radius_m=20.0), id="the zone"
        ),
    ],
)
def test_what_was_drawn_on_a_chinese_map_is_compared_where_it_truly_lies(where: LeavePlace, forbidden: Zone) -> None:
    # 360 m apart as numbers, the same spot in truth: only a conversion finds the touch.
    assert problems(leave(places=[where]), zones=[forbidden]) == [COLLIDES]


def test_zones_on_two_sides_of_the_antimeridian_touch() -> None:
    there = place([179.999, 0.0], 300)
    assert problems(leave(places=[there]), zones=[keep_out([-179.999, 0.0])]) == [COLLIDES]


def test_a_leave_without_places_collides_with_nothing() -> None:
    assert problems(leave(), zones=[keep_out()]) == []


BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


@pytest.mark.parametrize("geometry", [BOW_TIE, {"type": "Polygon"}], ids=["crossing itself", "no coordinates"])
def test_an_invalid_zone_is_told_once_and_compared_with_nothing(geometry: dict[str, Any]) -> None:
    (found,) = problems(leave(places=[place([0.9, 0.5])]), zones=[keep_out(geometry=geometry, radius_m=None)])
    assert found.startswith("zones[0].geometry")


def test_a_zone_across_the_antimeridian_does_not_go_round_the_earth() -> None:
    strip = [[179.9, -1.0], [-179.9, -1.0], [-179.9, 1.0], [179.9, 1.0], [179.9, -1.0]]
    across = keep_out(geometry={"type": "Polygon", "coordinates": [strip]}, radius_m=None)
    assert problems(leave(places=[place([0.0, 0.0])]), zones=[across]) == []
    assert problems(leave(places=[place([-179.95, 0.0])]), zones=[across]) == [COLLIDES]
