"""Zone shapes as flat arrays, and the signed distance of many points to their own zones at once.

Each zone has its own plane: equirectangular metres round its centre. The map is linear, so what is
inside on the globe's chart is inside here; lengths are true to 0.1 % within 50 km. Longitudes are
taken the short way round, so a zone may lie across the antimeridian.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from geo.datum import gcj02_to_wgs84
from schemas.registry import Datum

METRES_PER_DEGREE: Final = 111_194.93
"""One degree of a great circle on the mean sphere (6,371,008.8 m)."""

Floats = NDArray[np.float64]
Ring = NDArray[np.float64]


class Shape(NamedTuple):
    """One zone in its own plane: a centre and its edges (m x 4, metres), none for a circle.

    ``radius_m`` is a circle's radius, half a corridor's width, and 0 for polygons.
    """

    lat: float
    lon: float
    radius_m: float
    edges: Floats


@dataclass(frozen=True, slots=True)
class Shapes:
    """Many zones laid flat: edges of zone z are ``edges[start[z] : start[z + 1]]`` (ax, ay, bx, by)."""

    lat: Floats
    lon: Floats
    cos_lat: Floats
    radius_m: Floats
    start: NDArray[np.intp]
    edges: Floats

    @classmethod
    def of(cls, shapes: Sequence[Shape]) -> Self:
        """Lay shapes out flat, in order."""
        counts = [len(shape.edges) for shape in shapes]
        lat = np.array([shape.lat for shape in shapes], np.float64)
        return cls(
            lat=lat,
            lon=np.array([shape.lon for shape in shapes], np.float64),
            cos_lat=np.cos(np.radians(lat)),
            radius_m=np.array([shape.radius_m for shape in shapes], np.float64),
            start=np.concatenate([[0], np.cumsum(counts)]).astype(np.intp),
            edges=np.concatenate([shape.edges for shape in shapes]) if shapes else np.empty((0, 4)),
        )

    def signed_distance_m(self, zone: NDArray[np.intp], lat: Floats, lon: Floats) -> Floats:
        """Metres from each point to the wall of its own zone: negative inside, positive outside.

        Arrays of equal length; polygon holes count as outside (even-odd rule), a corridor's wall lies half its width
        beside its line.

        >>> circle = Shape(26.58, 101.71, 100.0, np.empty((0, 4)))
        >>> shapes = Shapes.of([circle])
        >>> shapes.signed_distance_m(np.array([0, 0]), np.array([26.58, 26.59]), np.array([101.71, 101.71])).round()
        array([-100., 1012.])
        """
        return self.wall_m(zone, *self.plane(zone, lat, lon))

    def plane(self, zone: NDArray[np.intp], lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """Metres east and north of each point's own zone's centre."""
        x = east_deg(lon - self.lon[zone]) * self.cos_lat[zone] * METRES_PER_DEGREE
        return x, (lat - self.lat[zone]) * METRES_PER_DEGREE

    def wall_m(self, zone: NDArray[np.intp], x: Floats, y: Floats) -> Floats:
        """``signed_distance_m`` of points that are in their zone's plane already."""
        distance = np.hypot(x, y) - self.radius_m[zone]
        edged = np.flatnonzero(self.start[zone + 1] > self.start[zone])
        if len(edged):
            nearest, inside = self._to_edges_m(zone[edged], x[edged], y[edged])
            wide = self.radius_m[zone[edged]]
            distance[edged] = np.where(wide > 0, nearest - wide, np.where(inside, -nearest, nearest))
        return np.asarray(distance)

    def _to_edges_m(self, zone: NDArray[np.intp], x: Floats, y: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Metres to the nearest edge of each point's own zone, and whether its rings enclose the point."""
        counts = self.start[zone + 1] - self.start[zone]
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        edge = np.arange(counts.sum()) - np.repeat(first - self.start[zone], counts)
        px, py = np.repeat(x, counts), np.repeat(y, counts)
        ax, ay, bx, by = self.edges[edge].T
        dx, dy = bx - ax, by - ay
        along = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)
        along.clip(0.0, 1.0, out=along)
        nearest = np.minimum.reduceat((px - ax - along * dx) ** 2 + (py - ay - along * dy) ** 2, first)
        spans = (ay > py) != (by > py)
        crosses = spans & (px < ax + dx * np.divide(py - ay, dy, out=np.zeros_like(dy), where=spans))
        return np.sqrt(nearest), np.bitwise_xor.reduceat(crosses, first)


class Placed(Protocol):
    """What has a shape on the map: a zone, or a place that a leave allows."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def datum(self) -> Datum: ...  # noqa: D102
    @property
    def geometry(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def radius_m(self) -> float | None: ...  # noqa: D102
    @property
    def width_m(self) -> float | None: ...  # noqa: D102


def shape_of(zone: Placed) -> Shape:
    """The plane shape of a zone or place, converted from its datum; raises ``ValueError`` for other geometry.

    >>> from schemas.registry import Zone
    >>> zone = Zone(id="z", org="o", name="n", kind="keep_in", datum="WGS-84", radius_m=50.0,
    ...             geometry={"type": "Point", "coordinates": [101.71, 26.58]})
    >>> shape_of(zone).radius_m
    50.0
    """
    kind, coordinates = zone.geometry.get("type"), zone.geometry.get("coordinates")
    if kind == "Point" and zone.radius_m:
        centre = _to_wgs84([coordinates], zone.datum)[0]
        return Shape(float(centre[1]), float(centre[0]), float(zone.radius_m), np.empty((0, 4)))
    if kind in {"LineString", "MultiLineString"} and zone.width_m:
        lines: list[Any] = [coordinates] if kind == "LineString" else zone.geometry["coordinates"]
        return _edged(lines, zone.datum, zone.width_m / 2.0)
    if kind in {"Polygon", "MultiPolygon"}:
        polygons: list[Any] = [coordinates] if kind == "Polygon" else zone.geometry["coordinates"]
        return _edged([ring for polygon in polygons for ring in polygon], zone.datum, 0.0)
    raise ValueError(
        f"{zone.name}: geometry {kind!r} is none of Point with radius_m, Polygon, MultiPolygon, LineString with width_m"
    )


def east_deg(degrees: Any) -> Any:  # noqa: ANN401 - one difference of longitudes or many
    """A difference of longitudes the short way round.

    >>> east_deg(-359.5), east_deg(0.5)
    (0.5, 0.5)
    """
    return (degrees + 180.0) % 360.0 - 180.0


def _edged(lines: Iterable[Any], datum: Datum, half_width_m: float) -> Shape:
    """A shape made of lines or rings, round the middle of what they span."""
    paths = [_to_wgs84(line, datum) for line in lines]
    origin = paths[0][0, 0]
    for path in paths:
        path[:, 0] = origin + east_deg(path[:, 0] - origin)
    corners = np.concatenate(paths)
    lon, lat = ((corners.min(axis=0) + corners.max(axis=0)) / 2.0).tolist()
    return Shape(lat, lon, half_width_m, np.concatenate([_edges(path, lat, lon) for path in paths]))


def _to_wgs84(ring: Iterable[Any], datum: Datum) -> Ring:
    degrees = np.array([position[:2] for position in ring], np.float64)
    if datum is Datum.GCJ02:
        lat, lon = gcj02_to_wgs84(degrees[:, 1], degrees[:, 0])
        return np.column_stack([lon, lat])
    return degrees


def _edges(ring: Ring, lat: float, lon: float) -> Floats:
    scale = np.array([np.cos(np.radians(lat)), 1.0]) * METRES_PER_DEGREE
    plane = (ring - np.array([lon, lat])) * scale
    edges = np.column_stack([plane[:-1], plane[1:]])
    return np.asarray(edges[np.any(edges[:, :2] != edges[:, 2:], axis=1)])
