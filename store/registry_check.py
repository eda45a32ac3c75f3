"""Whether a registry holds together and keeps the law: every problem at once, each with its place; pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

from schemas.problems import Problem
from schemas.registry import DIALS, Registry, Zone, ZoneKind
from store.registry_geometry import geometry_problems
from store.registry_leaves import leave_problems
from store.registry_parts import KEYS, Parts, Placed, key_of, way_up
from store.registry_periods import period_problems, time_zone
from store.registry_schedules import schedule_problems

__all__ = ["Problem", "check", "check_placed"]

REFERENCES: Final = (
    ("orgs", "parent", "orgs"),
    ("wearers", "org", "orgs"),
    ("devices", "org", "orgs"),
    ("assignments", "device", "devices"),
    ("assignments", "wearer", "wearers"),
    ("orders", "wearer", "wearers"),
    ("consents", "wearer", "wearers"),
    ("schedules", "calendar", "calendars"),
    ("zones", "org", "orgs"),
    ("zones", "wearers", "wearers"),
    ("zones", "schedule", "schedules"),
    ("leaves", "wearer", "wearers"),
    ("contacts", "org", "orgs"),
)  # fmt: skip

_HAS: Final = {
    "approach_m": ((ZoneKind.KEEP_IN, ZoneKind.KEEP_OUT), "nearing the line"),
    "dwell_s": ((ZoneKind.KEEP_OUT, ZoneKind.INTEREST), "lingering"),
}
"""Which kinds of zone ring before their line is crossed, and on what."""


def check(registry: Registry) -> list[Problem]:
    """Everything wrong with a registry, in the order of its lists; nothing wrong is an empty list.

    >>> from schemas.registry import Org
    >>> [str(problem) for problem in check(Registry(orgs=[Org(id="a", name="A", parent="b")]))]
    ['orgs[0].parent: there is no b in orgs']
    """
    return check_placed({part: list(enumerate(getattr(registry, part))) for part in KEYS}, {})


def check_placed(parts: Parts, unreadable: Mapping[str, AbstractSet[str]]) -> list[Problem]:
    """The same for objects that keep their places, where some of the file could not be read.

    ``unreadable`` has the ids of what could not be read: a reference to one is no second problem.
    """
    return [
        *_duplicates(parts),
        *_unresolved(parts, unreadable),
        *_cycles(parts["orgs"]),
        *period_problems(parts),
        *(found for place, one in parts["schedules"] for found in schedule_problems(one, f"schedules[{place}]")),
        *_unknown_time_zones(parts),
        *(found for place, zone in parts["zones"] for found in _zone_problems(zone, f"zones[{place}]")),
        *leave_problems(parts),
        *_without_dial(parts),
    ]


def _duplicates(parts: Parts) -> Iterator[Problem]:
    for part, names in KEYS.items():
        seen: Counter[tuple[Any, ...]] = Counter()
        for place, thing in parts[part]:
            key = key_of(part, thing)
            seen[key] += 1
            if seen[key] > 1:
                yield Problem(f"{part}[{place}].{names[0]}", f"{_words(key)} is there already")


def _unresolved(parts: Parts, unreadable: Mapping[str, AbstractSet[str]]) -> Iterator[Problem]:
    known = {
        part: {thing.id for _, thing in parts[part]} | set(unreadable.get(part, ()))
        for part in {target for *_, target in REFERENCES}
    }
    for part, name, target in REFERENCES:
        for place, thing in parts[part]:
            value = getattr(thing, name)
            path = f"{part}[{place}].{name}"
            asked = [(path, value)] if not isinstance(value, list) else _numbered(path, value)
            for where, identity in asked:
                if identity is not None and identity not in known[target]:
                    yield Problem(where, f"there is no {identity} in {target}")


def _numbered(path: str, values: list[Any]) -> list[tuple[str, Any]]:
    return [(f"{path}[{number}]", value) for number, value in enumerate(values)]


def _cycles(orgs: Placed) -> Iterator[Problem]:
    parents = {org.id: org.parent for _, org in orgs}
    for place, org in orgs:
        way = way_up(org.id, parents)
        if way[-1] == org.id and len(way) > 1:
            yield Problem(f"orgs[{place}].parent", f"the org tree runs in a circle: {' → '.join(way)}")


def _unknown_time_zones(parts: Parts) -> Iterator[Problem]:
    for part in ("orgs", "schedules"):
        for place, thing in parts[part]:
            if time_zone(thing.timezone) is None:
                message = f"{thing.timezone!r} is no time zone; write one like Asia/Shanghai"
                yield Problem(f"{part}[{place}].timezone", message)


def _without_dial(parts: Parts) -> Iterator[Problem]:
    judged_with = {code: name for name, dial in DIALS.items() for code in dial.codes}
    for place, rule in parts["alert_rules"]:
        if rule.code not in DIALS:
            instead = judged_with.get(rule.code)
            why = f"it is judged with {instead}: set that" if instead else "it rings at once, or has no threshold"
            yield Problem(f"alert_rules[{place}].code", f"{rule.code} has no dial; {why}")


def _zone_problems(zone: Zone, path: str) -> Iterator[Problem]:
    yield from geometry_problems(zone, path)
    for name, (kinds, rings_on) in _HAS.items():
        if getattr(zone, name) is not None and zone.kind not in kinds:
            message = f"only {' and '.join(kinds)} zones ring on {rings_on}; this one is {zone.kind}"
            yield Problem(f"{path}.{name}", message)


def _words(key: tuple[Any, ...]) -> str:
    return " ".join(value.isoformat() if isinstance(value, datetime) else str(value) for value in key)
