import msgspec
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


LINE = [[101.70, 26.57], [101.71, 26.58], [101.72, 26.575], [101.722, 26.590]]
STUB = [[101.74, 26.60], [101.745, 26.60]]
CORRIDORS = [
    pytest.param({"type": "LineString", "coordinates": LINE}, id="line"),
    pytest.param({"type": "MultiLineString", "coordinates": [LINE, STUB]}, id="lines"),
]


def zone_of(geometry, datum=Datum.WGS84, **more):
    base = circle("z", ZoneKind.KEEP_IN)
    return msgspec.structs.replace(base, datum=datum, geometry=geometry, **({"radius_m": None} | more))


def distance_m(zone, lat, lon):
    points = np.atleast_1d(np.asarray(lat, np.float64)), np.atleast_1d(np.asarray(lon, np.float64))
    return Shapes.of([shape_of(zone)]).signed_distance_m(np.zeros(len(points[0]), np.intp), *points)


def in_plane_of(shape):
    scale = np.array([np.cos(np.radians(shape.lat)), 1.0]) * METRES_PER_DEGREE
    return lambda lon_lat: (lon_lat - np.array([shape.lon, shape.lat])) * scale


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_signed_distance_agrees_with_shapely_inside_and_outside_and_in_metres(geometry) -> None:
    shape = shape_of(zone_of(geometry))
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(101.68, 101.78, 500), rng.uniform(26.55, 26.63, 500)
    ours = Shapes.of([shape]).signed_distance_m(np.zeros(500, np.intp), lat, lon)
    plane = in_plane_of(shape)
    theirs = shapely.transform(shapely.geometry.shape(geometry), plane)
    points = shapely.points(plane(np.column_stack([lon, lat])))
    inside = shapely.contains(theirs, points)
    expected = np.where(inside, -1, 1) * shapely.distance(theirs.boundary, points)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("geometry", CORRIDORS)
@pytest.mark.parametrize("width_m", [12.0, 300.0])
def test_a_corridor_is_its_line_with_a_buffer_of_half_its_width(geometry, width_m: float) -> None:
    zone = zone_of(geometry, width_m=width_m)
    plane = in_plane_of(shape_of(zone))
    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(101.69, 101.75, 800), rng.uniform(26.56, 26.61, 800)
    ours = distance_m(zone, lat, lon)

    line = shapely.transform(shapely.geometry.shape(geometry), plane)
    points = shapely.points(plane(np.column_stack([lon, lat])))
    np.testing.assert_allclose(ours, shapely.distance(line, points) - width_m / 2, atol=1e-6)
    buffer = shapely.buffer(line, width_m / 2, quad_segs=256)
    clear = np.abs(ours) > 0.01  # a buffer's round ends are polygons
    assert np.array_equal(shapely.contains(buffer, points)[clear], ours[clear] < 0)
    np.testing.assert_allclose(ours[ours > 0], shapely.distance(buffer, points[ours > 0]), atol=0.01)


ACROSS = {"type": "Polygon", "coordinates": [[[179.9, 10], [-179.9, 10], [-179.9, 10.1], [179.9, 10.1], [179.9, 10]]]}
CUT = {
    "type": "MultiPolygon",
    "coordinates": [
        [[[179.9, 10], [180, 10], [180, 10.1], [179.9, 10.1], [179.9, 10]]],
        [[[-180, 10], [-179.9, 10], [-179.9, 10.1], [-180, 10.1], [-180, 10]]],
    ],
}


@pytest.mark.parametrize("geometry", [pytest.param(ACROSS, id="one ring"), pytest.param(CUT, id="cut, as RFC 7946")])
def test_a_zone_across_the_antimeridian_has_both_of_its_halves_inside(geometry) -> None:
    lon = np.array([179.95, 179.999, -179.999, -179.95, 179.85, -179.85, 0.0])
    ours = distance_m(zone_of(geometry), np.full(7, 10.05), lon)
    assert (ours[:4] < 0).all()
    assert (ours[4:] > 0).all()
    assert ours[4] == pytest.approx(0.05 * np.cos(np.radians(10.05)) * METRES_PER_DEGREE, abs=1e-3)
    assert ours[4] == pytest.approx(ours[5], abs=1e-6)


@pytest.mark.parametrize("lon", [180.0, -180.0])
def test_a_circle_at_180_degrees_reaches_as_far_to_the_east_as_to_the_west(lon: float) -> None:
    zone = circle("z", ZoneKind.KEEP_IN, (0.0, lon), radius_m=100.0)
    ours = distance_m(zone, np.zeros(4), np.array([179.9995, -179.9995, 179.99, -179.99]))
    degree = METRES_PER_DEGREE
    np.testing.assert_allclose(ours, [0.0005 * degree - 100] * 2 + [0.01 * degree - 100] * 2, atol=1e-6)


def test_a_hole_is_outside_and_its_rim_is_a_wall() -> None:
    zone = zone_of({"type": "Polygon", "coordinates": [RING, HOLE]})
    in_hole, in_ring = distance_m(zone, [26.5795, 26.573], [101.7125, 101.71])
    assert in_hole > 0
    assert in_ring < 0


def test_an_island_in_a_hole_is_inside_again() -> None:
    square = [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]
    island = [[1.4, 1.4], [1.6, 1.4], [1.6, 1.6], [1.4, 1.6], [1.4, 1.4]]
    hole = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
    scaled = [[[lon / 100, lat / 100] for lon, lat in ring] for ring in (square, hole, island)]
    zone = zone_of({"type": "MultiPolygon", "coordinates": [scaled[:2], scaled[2:]]})
    assert (np.sign(distance_m(zone, [0.005, 0.012, 0.015], [0.005, 0.012, 0.015])) == [-1, 1, -1]).all()


def middle(a, b):
    return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]


@pytest.mark.parametrize(
    "corner",
    [
        pytest.param(RING[0], id="corner"),
        pytest.param(middle(RING[0], RING[1]), id="level edge"),
        pytest.param(middle(RING[1], RING[2]), id="slanted edge"),
        pytest.param(middle(RING[3], RING[4]), id="another slanted edge"),
        pytest.param(HOLE[1], id="corner of the hole"),
        pytest.param(middle(HOLE[2], HOLE[3]), id="edge of the hole"),
    ],
)
def test_on_the_wall_of_a_polygon_the_distance_is_nothing(corner) -> None:
    zone = zone_of({"type": "Polygon", "coordinates": [RING, HOLE]})
    assert distance_m(zone, corner[1], corner[0])[0] == pytest.approx(0.0, abs=1e-6)


def test_on_the_wall_of_a_circle_and_of_a_corridor_the_distance_is_nothing() -> None:
    due_north = HOME[0] + 100.0 / METRES_PER_DEGREE
    assert distance_m(circle("z", ZoneKind.KEEP_IN), due_north, HOME[1])[0] == pytest.approx(0.0, abs=1e-6)
    level = {"type": "LineString", "coordinates": [[HOME[1] - 0.01, HOME[0]], [HOME[1] + 0.01, HOME[0]]]}
    corridor = zone_of(level, width_m=200.0)
    assert distance_m(corridor, due_north, HOME[1])[0] == pytest.approx(0.0, abs=1e-6)
    end = HOME[1] + 0.01 + 100.0 / METRES_PER_DEGREE / np.cos(np.radians(HOME[0]))
    assert distance_m(corridor, HOME[0], end)[0] == pytest.approx(0.0, abs=1e-6)


def test_where_two_parts_of_a_zone_touch_nobody_is_outside() -> None:
    west = [[101.70, 26.57], [101.71, 26.57], [101.71, 26.58], [101.70, 26.58], [101.70, 26.57]]
    east = [[101.71, 26.57], [101.72, 26.57], [101.72, 26.58], [101.71, 26.58], [101.71, 26.57]]
    zone = zone_of({"type": "MultiPolygon", "coordinates": [[west], [east]]})
    assert distance_m(zone, [26.575] * 3, [101.70999, 101.71, 101.71001]).max() <= 1e-6


def moved(geometry, east_deg: float, north_deg: float = 0.0):
    def move(part):
        if isinstance(part[0], (int, float)):
            return [(part[0] + east_deg + 180.0) % 360.0 - 180.0, part[1] + north_deg]
        return [move(one) for one in part]

    return geometry | {"coordinates": move(geometry["coordinates"])}


SHAPES = [
    pytest.param({"type": "Point", "coordinates": [101.71, 26.58]}, {"radius_m": 100.0}, id="circle"),
    pytest.param({"type": "Polygon", "coordinates": [RING, HOLE]}, {}, id="polygon"),
    pytest.param({"type": "MultiLineString", "coordinates": [LINE, STUB]}, {"width_m": 60.0}, id="corridor"),
]
degrees = st.integers(-360, 360)
near_lat, near_lon = st.floats(26.5, 26.7), st.floats(101.6, 101.8)


@pytest.mark.parametrize(("geometry", "size"), SHAPES)
@given(east=degrees, lat=near_lat, lon=near_lon)
@settings(max_examples=100, deadline=None)
def test_moving_zone_and_point_by_degrees_of_longitude_changes_no_distance(geometry, size, east, lat, lon) -> None:
    here = distance_m(zone_of(geometry, **size), lat, lon)[0]
    there = distance_m(zone_of(moved(geometry, east), **size), lat, (lon + east + 180.0) % 360.0 - 180.0)[0]
    assert there == pytest.approx(here, abs=1e-3)


@pytest.mark.parametrize(("geometry", "size"), SHAPES)
@given(north=st.integers(-50, 50), lat=near_lat, lon=near_lon)
@settings(max_examples=100, deadline=None)
def test_moving_by_degrees_of_latitude_shrinks_east_and_west_as_the_cosine_says_and_nothing_else(
    geometry, size, north, lat, lon
) -> None:
    here, there = (shape_of(zone_of(moved(geometry, 0.0, d), **size)) for d in (0, north))
    shrinks = np.cos(np.radians(here.lat + north)) / np.cos(np.radians(here.lat))
    np.testing.assert_allclose(there.edges, here.edges * [shrinks, 1.0, shrinks, 1.0], atol=1e-3)
    at = np.zeros(1, np.intp)
    x, y = Shapes.of([here]).plane(at, np.array([lat]), np.array([lon]))
    moved_x, moved_y = Shapes.of([there]).plane(at, np.array([lat + north]), np.array([lon]))
    assert moved_x[0] == pytest.approx(x[0] * shrinks, abs=1e-3)
    assert moved_y[0] == pytest.approx(y[0], abs=1e-3)


def test_each_point_is_measured_against_its_own_zone() -> None:
    shapes = Shapes.of(
        [shape_of(circle("a", ZoneKind.KEEP_IN)), shape_of(zone_of({"type": "Polygon", "coordinates": [RING]}))]
    )
    lat, lon = np.array([HOME[0]] * 3), np.array([HOME[1]] * 3)
    distance = shapes.signed_distance_m(np.array([0, 1, 0]), lat, lon)
    assert distance[0] == distance[2] == -100
    assert distance[1] < -100


@given(st.floats(17, 54), st.floats(73, 136))  # all of China
@settings(max_examples=300, deadline=None)
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


def test_a_corridor_drawn_on_a_web_map_lies_within_half_a_metre_of_where_it_means() -> None:
    line = np.array(LINE)
    lat, lon = wgs84_to_gcj02(line[:, 1], line[:, 0])
    drawn = zone_of(
        {"type": "LineString", "coordinates": np.column_stack([lon, lat]).tolist()}, Datum.GCJ02, width_m=40.0
    )
    meant = zone_of({"type": "LineString", "coordinates": LINE}, width_m=40.0)
    rng = np.random.default_rng(3)
    where = rng.uniform(26.56, 26.60, 200), rng.uniform(101.69, 101.73, 200)
    np.testing.assert_allclose(distance_m(drawn, *where), distance_m(meant, *where), atol=0.5)
    as_if_wgs84 = zone_of(drawn.geometry, width_m=40.0)
    assert np.abs(distance_m(as_if_wgs84, *where) - distance_m(meant, *where)).max() > 100


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(zone_of({"type": "Point", "coordinates": [101.7, 26.5]}), id="point without radius"),
        pytest.param(zone_of({"type": "LineString", "coordinates": LINE}), id="line without width"),
        pytest.param(zone_of({"type": "GeometryCollection", "geometries": []}), id="collection"),
    ],
)
def test_what_has_no_area_is_refused_by_name(zone) -> None:
    with pytest.raises(ValueError, match=r"^z: geometry '\w+' is none of"):
        shape_of(zone)
