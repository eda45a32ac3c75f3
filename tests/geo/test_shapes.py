import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.datum import gcj02_to_wgs84, wgs84_to_gcj02
from geo.shapes import METRES_PER_DEGREE, Shapes, shape_of
from schemas.registry import Datum, ZoneKind
from tests.world import HOME, circle

RING = [[101.70, 26.57], [101.72, 26.57], [101.725, 26.58], [101.71, 26.60], [101.70, 26.57]]
HOLE = [[101.708, 26.578], [101.714, 26.578], [101.714, 26.584], [101.708, 26.578]]
ISLAND = [[101.75, 26.60], [101.76, 26.60], [101.76, 26.61], [101.75, 26.60]]
GEOMETRIES = [
    pytest.param({"type": "Polygon", "coordinates": [RING]}, id="polygon"),
    pytest.param({"type": "Polygon", "coordinates": [RING, HOLE]}, id="hole"),
    pytest.param({"type": "MultiPolygon", "coordinates": [[RING, HOLE], [ISLAND]]}, id="multipolygon"),
]


def zone_of(geometry, datum=Datum.WGS84):
    base = circle("z", ZoneKind.KEEP_IN)
    return type(base)(id="z", org="o", name="z", kind=base.kind, datum=datum, geometry=geometry)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_signed_distance_agrees_with_shapely_inside_and_outside_and_in_metres(geometry) -> None:
    shape = shape_of(zone_of(geometry))
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(101.68, 101.78, 500), rng.uniform(26.55, 26.63, 500)
    ours = Shapes.of([shape]).signed_distance_m(np.zeros(500, np.intp), lat, lon)

    def plane(xy):
        return (xy - np.array([shape.lon, shape.lat])) * [
            np.cos(np.radians(shape.lat)) * METRES_PER_DEGREE,
            METRES_PER_DEGREE,
        ]

    theirs = shapely.transform(shapely.geometry.shape(geometry), plane)
    points = shapely.points(plane(np.column_stack([lon, lat])))
    inside = shapely.contains(theirs, points)
    expected = np.where(inside, -1, 1) * shapely.distance(theirs.boundary, points)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_each_point_is_measured_against_its_own_zone() -> None:
    shapes = Shapes.of(
        [shape_of(circle("a", ZoneKind.KEEP_IN)), shape_of(zone_of({"type": "Polygon", "coordinates": [RING]}))]
    )
    lat, lon = np.array([HOME[0]] * 3), np.array([HOME[1]] * 3)
    distance = shapes.signed_distance_m(np.array([0, 1, 0]), lat, lon)
    assert distance[0] == distance[2] == -100
    assert distance[1] < -100


@given(st.floats(20, 45, allow_nan=False), st.floats(80, 125, allow_nan=False))
@settings(max_examples=200, deadline=None)
def test_gcj02_round_trips_to_well_under_half_a_metre(lat: float, lon: float) -> None:
    back_lat, back_lon = gcj02_to_wgs84(*wgs84_to_gcj02([lat], [lon]))
    assert abs(back_lat[0] - lat) * METRES_PER_DEGREE < 0.01
    assert abs(back_lon[0] - lon) * METRES_PER_DEGREE < 0.01


def test_a_fence_drawn_on_a_web_map_is_moved_to_where_it_means() -> None:
    lat, lon = wgs84_to_gcj02([HOME[0]], [HOME[1]])
    drawn = circle("z", ZoneKind.KEEP_IN, (float(lat[0]), float(lon[0])))
    moved = shape_of(
        type(drawn)(**{f: getattr(drawn, f) for f in drawn.__struct_fields__ if f != "datum"}, datum=Datum.GCJ02)
    )
    assert (moved.lat, moved.lon) == pytest.approx(HOME, abs=1e-7)
