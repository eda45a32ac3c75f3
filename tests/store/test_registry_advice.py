"""What is allowed and still unwise."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.registry import Datum, Day, Org, Registry, Schedule, Wearer, Window, Zone, ZoneKind
from store.registry_advice import warnings
from store.registry_check import check
from tests.store.build_registry import NOW, small_registry

METRE = 1 / 111_195
EAST = METRE / 0.8943  # at 26.58 degrees north


def at(east_m: float = 0, north_m: float = 0) -> list[float]:
    return [101.71 + east_m * EAST, 26.58 + north_m * METRE]


def circle(name: str, kind: str, east_m: float = 0, radius_m: float = 100, **more: Any) -> Zone:
    return _zone(name, kind, {"type": "Point", "coordinates": at(east_m)}, radius_m=radius_m, **more)


def block(name: str, kind: str, west_m: float, east_m: float, half_m: float = 500, **more: Any) -> Zone:
    corners = [at(west_m, -half_m), at(east_m, -half_m), at(east_m, half_m), at(west_m, half_m), at(west_m, -half_m)]
    return _zone(name, kind, {"type": "Polygon", "coordinates": [corners]}, **more)


def _zone(name: str, kind: str, geometry: dict[str, Any], **more: Any) -> Zone:
    facts = {"id": name, "org": "city", "name": name.upper(), "kind": ZoneKind(kind), "datum": Datum.WGS84}
    return Zone(**facts | {"geometry": geometry} | more)


def schedule(name: str, start: str, end: str, timezone: str = "Asia/Shanghai", days: list[Day] = list(Day)) -> Schedule:  # noqa: B006
    return Schedule(id=name, timezone=timezone, windows=[Window(days=days, start=start, end=end)])


SCHEDULES = [
    schedule("night", "22:00", "06:00"),
    schedule("day", "06:00", "22:00"),
    schedule("evening", "20:00", "23:00"),
    schedule("utc", "14:00", "22:00", "UTC"),  # night and day as 22:00 to 06:00 in Shanghai
    schedule("sunday", "22:00", "24:00", days=[Day.SUN]),
    schedule("monday", "00:00", "06:00", days=[Day.MON]),
    schedule("morning", "07:00", "10:00", days=[Day.MON]),  # from Sunday, in UTC
    schedule("half-hour", "08:30", "09:00", days=[Day.MON]),
]


def advice(*zones: Zone, wearers: int = 1) -> list[str]:
    registry = Registry(
        orgs=[Org(id="city", name="C"), Org(id="dongqu", name="D", parent="city")],
        wearers=[Wearer(id=f"w-{n}", org="dongqu") for n in range(1, wearers + 1)],
        schedules=SCHEDULES,
        zones=list(zones),
    )
    assert check(registry) == []
    return [str(problem) for problem in warnings(registry)]


def test_the_small_registry_gives_no_cause_for_advice() -> None:
    assert warnings(small_registry()) == []


def line(width_m: float) -> Zone:
    road = {"type": "LineString", "coordinates": [at(), at(3000)]}
    return _zone("z", "interest", road, width_m=width_m)


@pytest.mark.parametrize(
    ("zone", "path", "reach_m"),
    [
        pytest.param(circle("z", "interest", radius_m=44.9), "radius_m", 44.9, id="circle"),
        pytest.param(block("z", "interest", 0, 89), "geometry", 44.5, id="long block"),
        pytest.param(line(60), "width_m", 30.0, id="corridor"),
    ],
)
def test_a_fence_that_noise_will_cross_draws_a_warning(zone: Zone, path: str, reach_m: float) -> None:
    (told,) = advice(zone)
    assert told.startswith(f"zones[0].{path}: only {reach_m} m from its middle to its line, under 3 times")


@pytest.mark.parametrize(
    "zone",
    [circle("z", "interest", radius_m=45), block("z", "interest", 0, 92), line(92)],
    ids=["circle", "block", "corridor"],
)
def test_a_fence_that_is_wide_enough_draws_none(zone: Zone) -> None:
    assert advice(zone) == []


HOME = circle("home", "curfew", schedule="night")
NO_WAY = "and both hold at once; there is no way to obey"


@pytest.mark.parametrize(
    "keep_in",
    [
        pytest.param({}, id="always"),
        pytest.param({"schedule": "evening"}, id="for an hour of the night"),
        pytest.param({"schedule": "utc"}, id="in another time zone"),
        pytest.param({"schedule": "sunday"}, id="on Sunday evening"),
        pytest.param({"schedule": "monday"}, id="after midnight"),
    ],
)
def test_a_keep_in_without_the_curfew_place_leaves_no_way(keep_in: dict[str, Any]) -> None:
    away = block("in", "keep_in", 200, 2000, **keep_in)
    assert advice(away, HOME) == [f"zones[0]: w-1: no part in common with curfew zone home (HOME), {NO_WAY}"]
    assert advice(HOME, away) == [f"zones[1]: w-1: no part in common with curfew zone home (HOME), {NO_WAY}"]


@pytest.mark.parametrize(
    "away",
    [
        pytest.param(block("in", "keep_in", 200, 2000, schedule="day"), id="at other hours"),
        pytest.param(block("in", "keep_in", 50, 2000), id="with a part in common"),
        pytest.param(block("in", "keep_in", 200, 2000, wearers=["w-2"]), id="of another wearer"),
        pytest.param(block("in", "keep_in", 200, 2000, org="dongqu", wearers=[]), id="of nobody"),
        pytest.param(block("in", "interest", 200, 2000), id="that asks nothing"),
    ],
)
def test_what_can_be_obeyed_draws_no_warning(away: Zone) -> None:
    assert advice(away, msgspec.structs.replace(HOME, wearers=["w-1"]), wearers=2) == []


def test_zones_that_are_never_valid_together_do_not_conflict() -> None:
    away = block("in", "keep_in", 200, 2000, valid_to=NOW)
    assert advice(away, msgspec.structs.replace(HOME, valid_from=NOW)) == []
    assert len(advice(away, msgspec.structs.replace(HOME, valid_from=NOW - timedelta(days=1)))) == 1


def test_hours_that_run_across_the_end_of_the_week_are_compared_too() -> None:
    morning = block("in", "keep_in", 200, 2000, schedule="morning")
    assert len(advice(morning, circle("home", "curfew", schedule="half-hour"))) == 1


def test_two_keep_ins_that_only_share_a_line_cannot_both_be_obeyed() -> None:
    found = advice(block("a", "keep_in", 0, 1000), block("b", "keep_in", 1000, 2000))
    assert found == [f"zones[0]: w-1: no part in common with keep-in zone b (B), {NO_WAY}"]


def test_three_keep_ins_may_overlap_two_by_two_and_still_leave_nowhere() -> None:
    ring = [circle("a", "keep_in", 0, 100), circle("b", "keep_in", 190, 100)]
    third = _zone("c", "keep_in", {"type": "Point", "coordinates": at(95, 160)}, radius_m=125.0)
    assert advice(*ring, third) == [
        "zones[0]: w-1: together with keep-in zone b (B), keep-in zone c (C) it leaves nowhere to be"
    ]


def test_a_keep_in_under_keep_outs_leaves_nowhere_to_be() -> None:
    inside = block("in", "keep_in", 0, 1000)
    halves = [block("west", "keep_out", -10, 500, 600), block("east", "keep_out", 500, 1100, 600)]
    assert advice(inside, block("out", "keep_out", -10, 1100, 600)) == [
        "zones[0]: w-1: wholly covered by keep-out zone out (OUT); there is nowhere to be"
    ]
    assert advice(inside, *halves) == [
        "zones[0]: w-1: wholly covered by keep-out zone west (WEST), keep-out zone east (EAST); there is nowhere to be"
    ]
    assert advice(inside, halves[0]) == []
    turns = [
        msgspec.structs.replace(half, schedule=hours) for half, hours in zip(halves, ("day", "night"), strict=True)
    ]
    assert advice(inside, *turns) == []


def test_a_keep_out_round_a_curfew_place_is_told_of_the_keep_out() -> None:
    out = circle("out", "keep_out", radius_m=300)
    assert advice(HOME, out) == ["zones[1]: w-1: contains curfew zone home (HOME), and both hold at once"]
    assert advice(HOME, msgspec.structs.replace(out, schedule="day")) == []
    assert advice(HOME, circle("out", "keep_out", 150, 100)) == []
    ended = msgspec.structs.replace(out, valid_to=NOW)
    assert advice(msgspec.structs.replace(HOME, valid_from=NOW), ended) == []


def test_what_concerns_many_is_told_once() -> None:
    away = block("in", "keep_in", 200, 2000)
    assert [told.split(":")[1] for told in advice(away, HOME, wearers=2)] == [" w-1 and 1 other"]
    assert [told.split(":")[1] for told in advice(away, HOME, wearers=30)] == [" w-1 and 29 others"]


@pytest.mark.parametrize(("datum", "told"), [(Datum.WGS84, 1), (Datum.GCJ02, 0)])
def test_a_zone_drawn_on_a_chinese_map_is_looked_at_where_it_truly_lies(datum: Datum, told: int) -> None:
    # In truth the block lies 157 m west and 395 m north of where its numbers say.
    home = _zone("home", "curfew", {"type": "Point", "coordinates": at(-200, 600)}, radius_m=100.0)
    assert len(advice(block("in", "keep_in", -250, 150, 450, datum=datum), home)) == told
