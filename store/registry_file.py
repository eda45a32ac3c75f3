"""Read a registry file, YAML or JSON, and say everything that is wrong with it at once."""

from collections import defaultdict
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec

from schemas.problems import Problem, read_plain, shape_problems
from schemas.registry import Registry
from store.errors import RegistryError
from store.registry_areas import read_areas, with_areas
from store.registry_check import check_placed
from store.registry_parts import KEYS

__all__ = ["Problem", "RegistryError", "parse_registry", "read_content", "read_registry"]

_TYPES: Final = {part: get_args(get_type_hints(Registry)[part])[0] for part in KEYS}


def read_registry(path: Path) -> Registry:
    """The registry of a file; raises ``RegistryError`` with every problem, and the file's name."""
    return parse_registry(read_content(path), str(path), path.parent)


def read_content(path: Path) -> dict[Any, Any]:
    """What a registry file says before anything is made of it; raises ``RegistryError`` where it is no mapping."""
    try:
        return _mapping(read_plain(path), str(path))
    except ValueError as error:
        raise RegistryError([Problem("file", str(error))], str(path)) from error


def parse_registry(content: object, source: str = "registry", folder: Path = Path()) -> Registry:
    """The registry of a decoded file: areas, then shape, object by object, then ``registry_check``.

    ``folder`` is where a file of areas is looked for.

    >>> parse_registry({"orgs": [{"id": "a b", "name": "A"}], "people": []})
    Traceback (most recent call last):
    store.errors.RegistryError: registry: 2 problems; nothing was imported
      people: unknown; a registry has version, orgs, wearers, devices, assignments, orders, consents, \
calendars, schedules, zones, leaves, contacts, plans, alert_rules, areas
      orgs[0].id: Expected `str` matching regex '^[A-Za-z0-9._-]{1,64}$'
    """
    content = _mapping(content, source)
    problems = _unknown_keys(content) + _version_problems(content)
    content = _with_shapes(content, folder, problems)
    parts: dict[str, list[tuple[int, Any]]] = {}
    unreadable: defaultdict[str, set[str]] = defaultdict(set)
    for part in KEYS:
        parts[part] = _read_part(part, content.get(part), problems, unreadable[part])
    problems += check_placed(parts, unreadable)
    if problems:
        raise RegistryError(problems, source)
    given = {part: [thing for _, thing in things] for part, things in parts.items() if content.get(part) is not None}
    return Registry(version=content.get("version", 1), **given)


def _mapping(content: object, source: str) -> dict[Any, Any]:
    if isinstance(content, dict):
        return content
    raise RegistryError([Problem("file", "must be a mapping with lists such as orgs, wearers, zones")], source)


def _unknown_keys(content: dict[Any, Any]) -> list[Problem]:
    known = ("version", *KEYS, "areas")
    return [Problem(str(key), f"unknown; a registry has {', '.join(known)}") for key in content if key not in known]


def _version_problems(content: dict[Any, Any]) -> list[Problem]:
    version = content.get("version", 1)
    return (
        [] if isinstance(version, int) and not isinstance(version, bool) else [Problem("version", "must be a number")]
    )


def _with_shapes(content: dict[Any, Any], folder: Path, problems: list[Problem]) -> dict[Any, Any]:
    """The content with areas in place of their names; adds to ``problems``."""
    given = content.get("areas") is not None
    areas, wrong = read_areas(content["areas"], folder) if given else (None, [])
    problems += wrong
    if not isinstance(content.get("zones"), list):
        return content
    zones, wrong = with_areas(content["zones"], areas, given=given)
    problems += wrong
    return content | {"zones": zones}


def _read_part(part: str, raw: object, problems: list[Problem], unreadable: set[str]) -> list[tuple[int, Any]]:
    """The readable objects of a list with their places; adds to ``problems`` and to the ids of the others."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        problems.append(Problem(part, "must be a list"))
        return []
    readable = []
    for place, item in enumerate(raw):
        try:
            readable.append((place, msgspec.convert(item, _TYPES[part])))
        except msgspec.ValidationError as error:
            problems += shape_problems(f"{part}[{place}]", item, _TYPES[part], str(error))
            if isinstance(item, dict):
                unreadable.add(str(item.get("id")))
    return readable
