"""The lists of a registry: what tells their objects apart, and which zones concern whom; pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.registry import Org, Wearer, Zone

Placed = Sequence[tuple[int, Any]]
"""Objects of one kind, each with its place in the file."""

Parts = Mapping[str, Placed]
"""All lists of a registry by name."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "orgs": ("id",),
    "wearers": ("id",),
    "devices": ("id",),
    "assignments": ("device", "wearer", "valid_from"),
    "orders": ("id",),
    "consents": ("wearer", "scope", "valid_from"),
    "calendars": ("id",),
    "schedules": ("id",),
    "zones": ("id",),
    "leaves": ("id",),
    "contacts": ("id",),
    "plans": ("grade",),
    "alert_rules": ("code",),
}
"""The lists of a registry, and what tells two objects of a list apart."""


def key_of(part: str, thing: object) -> tuple[Any, ...]:
    """What tells an object apart from the others of its list."""
    return tuple(getattr(thing, name) for name in KEYS[part])


def way_up(org: str, parents: Mapping[str, str | None]) -> list[str]:
    """An org and those above it, nearest first; a way that runs in a circle ends with the org that it meets again.

    >>> way_up("c", {"c": "b", "b": "a", "a": None}), way_up("a", {"a": "b", "b": "a"})
    (['c', 'b', 'a'], ['a', 'b', 'a'])
    """
    way = [org]
    above = parents.get(org)
    while above is not None and above not in way:
        way.append(above)
        above = parents.get(above)
    return way if above is None else [*way, above]


def zones_by_wearer(zones: Sequence[Zone], orgs: Sequence[Org], wearers: Sequence[Wearer]) -> dict[str, list[int]]:
    """The places in ``zones`` that concern each wearer: zones that name them, and those of their org and above."""
    named: defaultdict[str, list[int]] = defaultdict(list)
    common: defaultdict[str, list[int]] = defaultdict(list)
    for place, zone in enumerate(zones):
        if zone.wearers is None:
            common[zone.org].append(place)
        for wearer in zone.wearers or ():
            named[wearer].append(place)
    parents = {org.id: org.parent for org in orgs}
    for_all_of = {org: [place for above in dict.fromkeys(way_up(org, parents)) for place in common[above]]
                  for org in {wearer.org for wearer in wearers}}  # fmt: skip
    return {wearer.id: sorted(named[wearer.id] + for_all_of[wearer.org]) for wearer in wearers}
