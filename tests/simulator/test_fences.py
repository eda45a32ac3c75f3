from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from schemas.registry import Assignment, Datum, Device, Org, Registry, Schedule, Wearer, Window, Zone, ZoneKind
from simulator.fences import Fences
from simulator.roster import Roster
from simulator.truth import ZoneTruth

DEGREE_M = 111_195.0
SQUARE_DEG = 500 / DEGREE_M


def _square(lon: float, lat: float, half: float) -> list[list[float]]:
    return [[lon + x * half, lat + y * half] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]


def _fences(geometry: dict[str, Any], kind: ZoneKind = ZoneKind.KEEP_IN, **more: Any) -> tuple[Roster, Fences]:
    registry = Registry(
        orgs=[Org(id="root", name="r"), Org(id="o", name="o", parent="root")],
        wearers=[Wearer(id="w", org="o")],
        devices=[Device(id="d", org="o")],
        assignments=[Assignment(device="d", wearer="w", valid_from=datetime(1969, 1, 1, tzinfo=UTC))],
        schedules=[Schedule(id="morning", windows=[Window(days=["thu"], start="08:00", end="09:00")])],  # type: ignore[list-item]
        zones=[
            Zone(id="z", org="root", name="z", kind=kind, geometry=geometry, **({"datum": Datum.WGS84} | more)),
        ],
    )
    roster = Roster.of(registry, 0)
    return roster, Fences.of(roster, registry.schedules, 0)


def test_a_zone_of_the_organisation_above_concerns_everybody_below() -> None:
    _, fences = _fences({"type": "Point", "coordinates": [101.7, 0.0]}, radius_m=100.0)
    assert [pair.zone.id for pair in fences.pairs] == ["z"]


@pytest.mark.parametrize(
    ("point", "distance_m"),
    [([0, 0], -500), ([400, 0], -100), ([600, 0], 100), ([800, 900], 500)],
    ids=["middle", "inside", "outside", "beyond a corner"],
)
def test_distance_to_a_polygon_is_signed(point: list[float], distance_m: float) -> None:
    _, fences = _fences({"type": "Polygon", "coordinates": [_square(101.7, 0.0, SQUARE_DEG)]})
    assert fences.distance_m(np.array([point], np.float64))[0] == pytest.approx(distance_m, abs=0.5)


def test_a_hole_is_outside() -> None:
    rings = [_square(101.7, 0.0, SQUARE_DEG), _square(101.7, 0.0, SQUARE_DEG / 5)]
    _, fences = _fences({"type": "Polygon", "coordinates": rings})
    assert fences.distance_m(np.zeros((1, 2)))[0] == pytest.approx(100, abs=0.5)


def test_the_wall_of_a_circle_is_found_in_every_direction() -> None:
    _, fences = _fences({"type": "Point", "coordinates": [101.7, 0.0]}, radius_m=300.0)
    assert [abs(fences.wall_m(0, angle) - 305) <= 5 for angle in (0.0, 1.0, 4.0)] == [True] * 3


def test_a_breach_lasts_from_crossing_to_crossing_of_the_true_path() -> None:
    _, fences = _fences({"type": "Point", "coordinates": [101.7, 0.0]}, radius_m=300.0)
    truth = ZoneTruth(fences, np.zeros((1, 2)))
    for at_s, east_m in ((10, 200), (20, 400), (30, 400), (40, 0)):
        truth.observe(np.array([float(at_s)]), np.array([at_s * 1000]), np.array([[float(east_m), 0.0]]))
    (line,) = truth.lines(["d"], 0, 60.0)
    assert (line.start, line.end) == ("1970-01-01T00:00:15.000Z", "1970-01-01T00:00:32.500Z")


def test_a_schedule_that_begins_finds_its_wearer_absent() -> None:
    _, fences = _fences(
        {"type": "Point", "coordinates": [101.7, 0.0]}, ZoneKind.CURFEW, radius_m=100.0, schedule="morning"
    )
    truth = ZoneTruth(fences, np.array([[500.0, 0.0]]))
    away = np.array([[500.0, 0.0]])
    for at_s in (-20.0, -10.0, 10.0, 3590.0, 3610.0):  # the window runs from 0 to 3,600 s
        truth.observe(np.array([at_s]), np.array([int(at_s * 1000)]), away)
    (line,) = truth.lines(["d"], 0, 4000.0)
    assert (line.start, line.end) == ("1970-01-01T00:00:10.000Z", "1970-01-01T01:00:10.000Z")


def test_a_zone_in_another_datum_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"zone z: .*GCJ-02"):
        _fences({"type": "Point", "coordinates": [101.7, 0.0]}, radius_m=300.0, datum=Datum.GCJ02)


def test_a_registry_in_which_nobody_wears_a_band_is_refused() -> None:
    with pytest.raises(ValueError, match="assignments"):
        Roster.of(Registry(devices=[Device(id="d", org="o")]), 0)
