"""Whether a zone's or a place's GeoJSON is a shape one can be inside of; pure."""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from schemas.problems import Problem
from schemas.registry import LeavePlace, Zone

RING_POSITIONS: Final = 4
"""The fewest positions of a closed ring, first and last being the same (RFC 7946, 3.1.6)."""

_SIZES: Final = {
    "radius_m": ("a radius", ("Point",)),
    "width_m": ("a width", ("LineString", "MultiLineString")),
}
_REASON: Final = re.compile(r"(?P<defect>[^\[]+)\[(?P<lon>\S+) (?P<lat>\S+)\]")

REPAIR_IN_FILE: Final = "`shouhuan zones FILE --repair` prints a repaired version"
"""What to do about an invalid shape that stands in a registry file."""


def geometry_problems(shaped: Zone | LeavePlace, path: str) -> list[Problem]:
    """Everything wrong with a shape; ``path`` is its owner's place in the file.

    >>> from schemas.registry import Datum, ZoneKind
    >>> zone = Zone(id="z", org="o", name="z", kind=ZoneKind.KEEP_IN, datum=Datum.WGS84,
    ...     geometry={"type": "Point", "coordinates": [26.5, 101.7]})
    >>> for problem in geometry_problems(zone, "zones[3]"):
    ...     print(problem)
    zones[3].radius_m: a Point needs a radius in metres
    zones[3].geometry.coordinates: latitude 101.7 is not within -90 and 90; GeoJSON has longitude first
    """
    place = f"{path}.geometry.coordinates"
    kind, coordinates = shaped.geometry.get("type"), shaped.geometry.get("coordinates")
    match kind:
        case "Point":
            found = list(_position(coordinates, place))
        case "LineString":
            found = list(_line(coordinates, place))
        case "MultiLineString":
            found = list(_lines(coordinates, place))
        case "Polygon":
            found = list(_rings(coordinates, place)) or list(_validity(shaped.geometry, path))
        case "MultiPolygon":
            found = list(_polygons(coordinates, place)) or list(_validity(shaped.geometry, path))
        case other:
            message = f"type is {other!r}; it must be Point, Polygon, MultiPolygon, LineString or MultiLineString"
            return [Problem(f"{path}.geometry", message)]
    return [*_sizes(shaped, path, str(kind)), *found]


def defect_of(geometry: BaseGeometry) -> str | None:
    """What makes a shape invalid, and where; None where nothing does.

    >>> defect_of(shape({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}))
    'self-intersection at [0.5, 0.5]'
    """
    if shapely.is_valid(geometry):
        return None
    reason = shapely.is_valid_reason(geometry)
    found = _REASON.fullmatch(reason)
    return f"{found['defect'].lower()} at [{found['lon']}, {found['lat']}]" if found else reason


def _sizes(shaped: Zone | LeavePlace, path: str, kind: str) -> Iterator[Problem]:
    for name, (words, kinds) in _SIZES.items():
        given = getattr(shaped, name)
        if kind in kinds and given is None:
            yield Problem(f"{path}.{name}", f"a {kind} needs {words} in metres")
        if kind not in kinds and given is not None:
            yield Problem(f"{path}.{name}", f"a {kind} has no {words.split()[1]}; leave it out, or draw {_any(kinds)}")


def _any(kinds: tuple[str, ...]) -> str:
    return " or ".join(f"a {kind}" for kind in kinds)


def _lines(lines: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401 - GeoJSON as somebody wrote it
    if not isinstance(lines, list) or not lines:
        yield Problem(path, "must be a list of lines")
        return
    for number, line in enumerate(lines):
        yield from _line(line, f"{path}[{number}]")


def _line(line: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401
    if not isinstance(line, list):
        yield Problem(path, "must be a list of positions")
        return
    wrong = list(_positions(line, path))
    yield from wrong
    if not wrong and len({tuple(at[:2]) for at in line}) < 2:  # noqa: PLR2004 - a line has two ends
        yield Problem(path, "a line needs at least 2 positions that differ")


def _polygons(polygons: Any, path: str) -> Iterator[Problem]:  # noqa: ANN401
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
    wrong = list(_positions(ring, path))
    yield from wrong
    if not wrong and ring[0] != ring[-1]:
        yield Problem(path, "the ring is not closed: its last position must be the same as its first")


def _positions(positions: list[Any], path: str) -> Iterator[Problem]:
    for number, position in enumerate(positions):
        yield from _position(position, f"{path}[{number}]")


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


def _validity(geometry: dict[str, Any], path: str) -> Iterator[Problem]:
    if defect := defect_of(shape(geometry)):
        yield Problem(f"{path}.geometry", f"not a valid shape: {defect}; {REPAIR_IN_FILE}")
