"""A zone as a GeoJSON Feature (RFC 7946) and back, and problems told by their place in the Feature; pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.problems import Problem, shape_problems
from schemas.registry import Registry, Zone
from store.errors import RegistryError
from store.registry_geometry import REPAIR_IN_FILE
from store.registry_parts import KEYS

_MEMBERS: Final = ("type", "id", "bbox", "geometry", "properties")
_BESIDE: Final = {"id", "geometry"}
_REPAIR_HERE: Final = "`?repair=true` answers with a repaired version"
_IN_LIST: Final = re.compile(r"(?P<part>\w+)\[(?P<place>\d+)\](?P<rest>.*)")


def zone_from(feature: object, zone_id: str) -> Zone:
    """The zone that a Feature draws; its ``properties`` are the zone's fields but ``id`` and ``geometry``.

    Raises ``RegistryError`` with everything that is not the shape of a Feature or of a zone.

    >>> zone_from({"type": "Feature", "geometry": None, "properties": {"colour": "red", "org": "o", "name": "z",
    ...            "kind": "keep_in"}}, "z")
    Traceback (most recent call last):
    store.errors.RegistryError: zone z: 3 problems; nothing was imported
      properties.colour: unknown field; there are org, name, kind, datum, radius_m, width_m, approach_m, dwell_s, \
wearers, schedule, valid_from, valid_to, version
      properties.datum: is missing
      geometry: Expected `object`, got `null`
    """
    members = _members(feature, zone_id)
    raw = {**members["properties"], "id": zone_id, "geometry": members["geometry"]}
    problems = [*members["problems"], *_field_problems(members["properties"], raw)]
    if problems:
        raise RegistryError(problems, f"zone {zone_id}")
    return msgspec.convert(raw, Zone)


def feature_from(zone: Zone) -> dict[str, Any]:
    """A zone as a Feature in its own datum, every property named; ``zone_from`` reads it back."""
    names = [name for name in Zone.__struct_fields__ if name not in _BESIDE]
    properties = {name: msgspec.to_builtins(getattr(zone, name)) for name in names}
    return {"type": "Feature", "id": zone.id, "geometry": zone.geometry, "properties": properties}


def raw_zone(feature: object) -> dict[str, Any]:
    """What of a Feature a repair looks at; empty where there is nothing to look at."""
    if not isinstance(feature, dict):
        return {}
    properties = feature.get("properties")
    facts = properties if isinstance(properties, dict) else {}
    return {"name": facts.get("name"), "datum": facts.get("datum"), "geometry": feature.get("geometry")}


def in_feature(problem: Problem, registry: Registry, zone_id: str) -> Problem:
    """A problem of a registry, told by its place in the Feature of one of its zones, or by what it is about.

    >>> from schemas.registry import Org
    >>> registry = Registry(orgs=[Org(id="east", name="E")])
    >>> print(in_feature(Problem("orgs[0].parent", "there is no city in orgs"), registry, "z"))
    orgs[east].parent: there is no city in orgs
    """
    found = _IN_LIST.fullmatch(problem.path)
    if found is None or found["part"] not in KEYS:
        return problem
    thing = getattr(registry, found["part"])[int(found["place"])]
    if found["part"] != "zones" or thing.id != zone_id:
        return Problem(f"{found['part']}[{getattr(thing, KEYS[found['part']][0])}]{found['rest']}", problem.message)
    name = found["rest"].removeprefix(".")
    message = problem.message.replace(REPAIR_IN_FILE, _REPAIR_HERE)
    return Problem(name if name.startswith("geometry") or not name else f"properties.{name}", message)


def _members(feature: object, zone_id: str) -> dict[str, Any]:
    if not isinstance(feature, Mapping) or feature.get("type") != "Feature":
        raise RegistryError([Problem("type", "send one GeoJSON Feature")], f"zone {zone_id}")
    known = ", ".join(_MEMBERS)
    problems = [Problem(str(name), f"unknown; a Feature has {known}") for name in feature if name not in _MEMBERS]
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        problems.append(Problem("properties", "must be an object: org, name, kind, datum and what else the zone has"))
    return {
        "problems": problems,
        "geometry": feature.get("geometry"),
        "properties": properties if isinstance(properties, dict) else {},
    }


def _field_problems(properties: dict[str, Any], raw: dict[str, Any]) -> list[Problem]:
    twice = [
        Problem(f"properties.{name}", f"a Feature has its {name} beside them")
        for name in sorted(_BESIDE & set(properties))
    ]
    try:
        msgspec.convert(raw, Zone)
    except msgspec.ValidationError as error:
        found = shape_problems("", raw, Zone, str(error))
        return [*twice, *(_placed(problem) for problem in found)]
    return twice


def _placed(problem: Problem) -> Problem:
    if problem.path.partition(".")[0].partition("[")[0] in _BESIDE:
        return problem
    return Problem(
        f"properties.{problem.path}", problem.message.replace("there are id, ", "there are ").replace("geometry, ", "")
    )
