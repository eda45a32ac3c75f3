"""What the map is told of zones: the ground that they cover, in WGS-84."""

from typing import Any

import pytest

from console.drawing import zone_features
from schemas.registry import Datum, Zone, ZoneKind

SQUARE = [[101.71, 26.58], [101.72, 26.58], [101.72, 26.59], [101.71, 26.59], [101.71, 26.58]]
LINE = {"type": "LineString", "coordinates": [[101.70, 26.57], [101.71, 26.575], [101.73, 26.575]]}
METRES_PER_DEGREE = 111_195


def drawn(geometry: dict[str, Any], kind: ZoneKind = ZoneKind.KEEP_OUT, **more: Any) -> dict[str, Any]:
    zone = Zone(id="z", org="o", name="z", kind=kind, datum=Datum.WGS84, geometry=geometry, **more)
    feature: dict[str, Any] = zone_features([zone])["features"][0]
    return feature


def lats(geometry: dict[str, Any]) -> list[float]:
    return [lat for _, lat in geometry["coordinates"][0]]


def test_a_corridor_is_drawn_with_its_width_and_its_ring() -> None:
    found = drawn(LINE, width_m=200.0, approach_m=150.0)
    assert found["geometry"]["type"] == "Polygon"
    assert (max(lats(found["geometry"])) - 26.575) * METRES_PER_DEGREE == pytest.approx(100, abs=1)
    assert (max(lats(found["properties"]["ring"])) - 26.575) * METRES_PER_DEGREE == pytest.approx(250, abs=1)


def test_the_ring_of_a_keep_in_lies_inside_and_is_none_where_it_is_not_so_deep() -> None:
    square = {"type": "Polygon", "coordinates": [SQUARE]}
    ring = drawn(square, ZoneKind.KEEP_IN, approach_m=100.0)["properties"]["ring"]
    assert (min(lats(ring)) - 26.58) * METRES_PER_DEGREE == pytest.approx(100, abs=1)
    assert drawn(square, ZoneKind.KEEP_IN, approach_m=900.0)["properties"]["ring"] is None
    assert drawn(square, ZoneKind.KEEP_IN)["properties"]["ring"] is None


def test_a_hole_stays_a_hole() -> None:
    hole = [[101.714, 26.584], [101.714, 26.586], [101.716, 26.586], [101.716, 26.584], [101.714, 26.584]]
    found = drawn({"type": "MultiPolygon", "coordinates": [[SQUARE, hole]]})
    assert [len(rings) for rings in found["geometry"]["coordinates"]] == [2]
