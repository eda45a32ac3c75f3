"""Whether a zone's GeoJSON is a shape one can be inside of; pure."""

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

import shapely
from shapely.geometry import shape

from schemas.problems import Problem
from schemas.registry import Zone

RING_POSITIONS: Final = 4
"""The fewest positions of a closed ring, first and last being the same (RFC 7946, 3.1.6)."""


def geometry_problems(zone: Zone, path: str) -> list[Problem]:
    """Everything wrong with a zone's shape; ``path`` is the zone's place in the file.

    >>> from schemas.registry import Datum, ZoneKind
    >>> zone = Zone(id="z", org="o", name="z", kind=ZoneKind.KEEP_IN, datum=Datum.WGS84,
    ...     geometry={"type": "Point", "coordinates": [26.5, 101.7]})
    >>> for problem in geometry_problems(zone, "zones[3]"):
    ...     print(problem)
    zones[3].radius_m: a Point needs a radius in metres
    zones[3].geometry.coordinates: latitude 101.7 is not within -90 and 90; GeoJSON has longitude first
    """
    place = f"{path}.geometry.coordinates"
    coordinates = zone.geometry.get("coordinates")
    match zone.geometry.get("type"):
        case "Point":
            missing = [] if zone.radius_m else [Problem(f"{path}.radius_m", "a Point needs a radius in metres")]
            return missing + list(_position(coordinates, place))
        case "Polygon":
            rings = list(_rings(coordinates, place))
        case "MultiPolygon":
            rings = list(_polygons(coordinates, place))
        case other:
            message = f"type is {other!r}; it must be Point, Polygon or MultiPolygon"
            return [Problem(f"{path}.geometry", message)]
    return rings or list(_validity(zone, path))


def _polygons(polygons: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401 - GeoJSON as somebody wrote it
    if not isinstance(polygons, list) or not polygons:
        yield Problem(path, "must be a list of polygons")
        return
    for number, rings in enumerate(polygons):
        yield from _rings(rings, f"{path}[{number}]")


def _rings(rings: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401
    if not isinstance(rings, list) or not rings:
        yield Problem(path, "must be a list of rings")
        return
    for number, ring in enumerate(rings):
        yield from _ring(ring, f"{path}[{number}]")


def _ring(ring: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401
    if not isinstance(ring, list) or len(ring) < RING_POSITIONS:
        yield Problem(path, f"a ring needs at least {RING_POSITIONS} positions, the last the same as the first")
        return
    wrong = [problem for number, at in enumerate(ring) for problem in _position(at, f"{path}[{number}]")]
    yield from wrong
    if not wrong and ring[0] != ring[-1]:
        yield Problem(path, "the ring is not closed: its last position must be the same as its first")


def _position(position: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401
    if not _is_position(position):
        yield Problem(path, "must be [longitude, latitude]")
        return
    longitude, latitude = position[:2]
    if not -180 <= longitude <= 180:  # noqa: PLR2004 - degrees
        yield Problem(path, f"longitude {longitude} is not within -180 and 180")
    if not -90 <= latitude <= 90:  # noqa: PLR2004 - degrees
        yield Problem(path, f"latitude {latitude} is not within -90 and 90; GeoJSON has longitude first")


def _is_position(position: Any) -> bool:  # noqa: ANN401
    return (
        isinstance(position, list)
        and len(position) in {2, 3}
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in position)
        and all(isfinite(number) for number in position)
    )


def _validity(zone: Zone, path: str) -> Iterator[Problem]:
    geometry = shape(zone.geometry)
    if not shapely.is_valid(geometry):
        yield Problem(f"{path}.geometry", f"not a valid shape: {shapely.is_valid_reason(geometry)}")
