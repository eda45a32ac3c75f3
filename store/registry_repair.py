"""Repaired versions of polygons that are no valid shape, for a person to look at and paste back; pure."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from store.registry_areas import Area, Areas, find_area
from store.registry_geometry import defect_of
from store.registry_outline import in_metres

_SQUARE_M_A_KM2: Final = 1_000_000.0


class Repair(NamedTuple):
    """One polygon: its place in the file, whose it is, what was wrong, the repaired shape (same datum), the change.

    ``geometry`` is None where nothing with an area was left.
    """

    path: str
    whose: dict[str, Any]
    defect: str
    geometry: dict[str, Any] | None
    change: str

    @property
    def feature(self) -> dict[str, Any]:
        """The repair as a GeoJSON feature; that of an area can stand in an areas file as it is."""
        told = {"path": self.path, "defect": self.defect, "change": self.change}
        return {"type": "Feature", "properties": self.whose | told, "geometry": self.geometry}


def repairs(content: dict[Any, Any], areas: Areas | None) -> Iterator[Repair]:
    """A repair for every invalid polygon of a registry file's content, of its zones, leaves and the areas they name.

    What has no positions to work with is left out: the error about the file says what is wrong with it.

    >>> bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    >>> [found] = repairs({"zones": [{"id": "z", "name": "Z", "datum": "WGS-84", "geometry": bow_tie}]}, None)
    >>> found.path, found.defect, found.geometry["type"]
    ('zones[0].geometry', 'self-intersection at [0.5, 0.5]', 'MultiPolygon')
    """
    for path, whose, geometry in _polygons(content, areas):
        drawn = _drawn(geometry)
        if drawn is not None and (defect := defect_of(drawn) or _left_open(geometry)):
            yield _repair(path, whose, drawn, defect)


def _repair(path: str, whose: dict[str, Any], drawn: BaseGeometry, defect: str) -> Repair:
    # "structure" keeps what several parts of a fence cover together; "linework" would make a hole of it.
    valid = shapely.make_valid(drawn, method="structure", keep_collapsed=False)
    if valid.is_empty:
        return Repair(path, whose, defect, None, "nothing with an area is left; draw it anew")
    change = f"{_words(drawn)} → {_words(valid)}"
    return Repair(path, whose, defect, mapping(valid), change)


def _words(polygons: BaseGeometry) -> str:
    parts = shapely.get_parts(polygons)
    holes = sum(len(part.interiors) for part in parts)
    corners = shapely.get_num_coordinates(polygons) - len(parts) - holes
    # The area of an invalid shape counts what is enclosed twice as often as it is enclosed, and may cancel out.
    area = f", {in_metres(polygons).area / _SQUARE_M_A_KM2:.4f} km²" if shapely.is_valid(polygons) else ""
    return f"{_count(len(parts), 'part')}, {_count(holes, 'hole')}, {_count(int(corners), 'corner')}{area}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _left_open(geometry: dict[str, Any]) -> str | None:
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return "a ring is not closed" if any(ring[:1] != ring[-1:] for rings in polygons for ring in rings) else None


def _polygons(content: dict[Any, Any], areas: Areas | None) -> Iterator[tuple[str, dict[str, Any], Any]]:
    told: set[str] = set()
    for path, zone in _mappings(content.get("zones"), "zones"):
        area = find_area(areas, zone["area"]) if areas and "area" in zone else None
        if isinstance(area, Area) and area.code in told:
            continue
        if isinstance(area, Area):
            told.add(area.code)
            yield f"{path}.area", {"code": area.code, "name": area.name, "datum": area.datum.value}, area.geometry
        else:
            yield f"{path}.geometry", _whose("zone", zone), zone.get("geometry")
    for path, leave in _mappings(content.get("leaves"), "leaves"):
        for where, place in _mappings(leave.get("places"), f"{path}.places"):
            yield f"{where}.geometry", {"leave": leave.get("id"), **_whose("place", place)}, place.get("geometry")


def _whose(what: str, owner: dict[str, Any]) -> dict[str, Any]:
    return {what: owner.get("id", owner.get("name")), "name": owner.get("name"), "datum": owner.get("datum")}


def _mappings(things: object, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, thing in enumerate(things if isinstance(things, list) else []):
        if isinstance(thing, dict):
            yield f"{path}[{number}]", thing


def _drawn(geometry: object) -> BaseGeometry | None:
    """The polygons of a GeoJSON geometry, rings closed where they were left open; None for anything else."""
    if not isinstance(geometry, dict) or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        return None
    try:
        return shape(geometry)
    except (TypeError, ValueError, KeyError, IndexError, shapely.errors.ShapelyError):
        return None
