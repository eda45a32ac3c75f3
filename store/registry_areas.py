"""Administrative areas: a zone that names one gets its shape from a GeoJSON file when the registry is read."""

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from schemas.problems import Problem, shape_problems
from schemas.registry import Datum, LeavePlace
from store.registry_geometry import geometry_problems

_NAMES: Final = ("code", "adcode", "id", "name")
_INSTEAD_OF: Final = ("geometry", "datum", "radius_m", "width_m")
_STAND_IN: Final[dict[str, Any]] = {
    "datum": Datum.WGS84.value,
    "geometry": {"type": "Point", "coordinates": [0, 0]},
    "radius_m": 1,
}
"""In place of an area that is not there, so that the rest of its zone is still looked at; the file is refused."""


class Area(NamedTuple):
    """One area: its code (its name, where it has no code), its name, its shape and the datum of that."""

    code: str
    name: str
    geometry: dict[str, Any]
    datum: Datum


class Areas(NamedTuple):
    """The areas of a file by everything they are called; ``source`` is the file's name as it was written."""

    source: str
    called: dict[str, list[Area]]


class _Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    datum: Datum


class _Feature(msgspec.Struct, frozen=True):
    geometry: dict[str, Any]
    properties: dict[str, Any] | None = None
    id: str | int | None = None


class _Collection(msgspec.Struct, frozen=True):
    type: Literal["FeatureCollection"]
    features: list[_Feature]


def read_areas(raw: object, folder: Path) -> tuple[Areas | None, list[Problem]]:
    """The areas to which a registry file's ``areas`` points, its path relative to ``folder``, and what is wrong."""
    try:
        where = msgspec.convert(raw, _Where)
    except msgspec.ValidationError as error:
        return None, list(shape_problems("areas", raw, _Where, str(error)))
    try:
        read = msgspec.json.decode((folder / where.file).read_bytes(), type=_Collection)
    except OSError as error:
        return None, [Problem("areas.file", f"{where.file}: {error.strerror or error}")]
    except ValueError as error:
        return None, [Problem("areas.file", f"{where.file} is no GeoJSON FeatureCollection: {error}")]
    called: defaultdict[str, list[Area]] = defaultdict(list)
    for feature in read.features:
        names = _names(feature)
        for name in dict.fromkeys(names):
            called[name].append(Area(names[0], names[-1], feature.geometry, where.datum))
    return Areas(where.file, dict(called)), []


def with_areas(zones: list[Any], areas: Areas | None, *, given: bool) -> tuple[list[Any], list[Problem]]:
    """Raw zones in which a named area has become a shape, and what is wrong with the names.

    ``given`` says whether the registry has an ``areas`` at all: where it has and it could not be read, that has been
    said once and is not said again of every zone.
    """
    problems: list[Problem] = []
    resolved = []
    for place, zone in enumerate(zones):
        if not isinstance(zone, dict) or "area" not in zone:
            resolved.append(zone)
            continue
        path = f"zones[{place}].area"
        found = find_area(areas, zone["area"]) if areas else None
        wrong = [*_beside(zone, path), *_problems_with(found, path, given=given)]
        problems += wrong
        rest = {name: value for name, value in zone.items() if name not in {"area", *_INSTEAD_OF}}
        sound = found if isinstance(found, Area) and not wrong else None
        resolved.append(rest | ({"geometry": sound.geometry, "datum": sound.datum} if sound else _STAND_IN))
    return resolved, problems


def find_area(areas: Areas, name: object) -> Area | str:
    """The area that is called so, or words about why there is none."""
    found = areas.called.get(str(name), [])
    if len(found) > 1:
        codes = ", ".join(area.code for area in found)
        return f"{name} is {len(found)} areas in {areas.source}; give the code ({codes})"
    return found[0] if found else f"there is no {name} in {areas.source}{_like(areas, str(name))}"


def _names(feature: _Feature) -> list[str]:
    """Everything an area is called, codes first, the name last."""
    properties = feature.properties or {}
    codes = [*(properties.get(name) for name in _NAMES[:-1]), feature.id]
    return [str(name) for name in (*codes, properties.get(_NAMES[-1])) if name is not None]


def _problems_with(found: Area | str | None, path: str, *, given: bool) -> Sequence[Problem]:
    if found is None:
        return [] if given else [Problem(path, "write where areas are: a top-level areas: {file: …, datum: …}")]
    if isinstance(found, str):
        return [Problem(path, found)]
    if found.geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        return [Problem(path, f"{found.code} {found.name} is a {found.geometry.get('type')}, an area is a polygon")]
    shape = LeavePlace(name=found.name, datum=found.datum, geometry=found.geometry)
    return [Problem(path, f"{found.code} {found.name}: {wrong.message}") for wrong in geometry_problems(shape, "")]


def _beside(zone: dict[str, Any], path: str) -> Iterator[Problem]:
    if beside := [name for name in _INSTEAD_OF if name in zone]:
        yield Problem(path, f"an area brings its own shape and datum; leave out {', '.join(beside)}")


def _like(areas: Areas, name: str) -> str:
    near = [areas.called[close][0] for close in difflib.get_close_matches(name, areas.called, n=3, cutoff=0.5)]
    words = dict.fromkeys(f"{area.code} {area.name}" for area in near)
    return f"; did you mean {' or '.join(words)}?" if words else ""
