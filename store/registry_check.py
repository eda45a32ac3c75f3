"""Whether a registry holds together and keeps the law: every problem at once, each with its place; pure."""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.problems import Problem
from schemas.registry import Assignment, Order, Org, Registry, Schedule
from store.registry_geometry import geometry_problems

__all__ = ["Problem", "check", "check_placed"]

ORDER_MONTHS: Final = 3
"""社区矫正法 Art. 29: positioning for at most three months, an extension is an order of its own."""

Placed = Sequence[tuple[int, Any]]
"""Objects of one kind, each with its place in the file."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "orgs": ("id",),
    "wearers": ("id",),
    "devices": ("id",),
    "assignments": ("device", "wearer", "valid_from"),
    "orders": ("id",),
    "consents": ("wearer", "scope", "valid_from"),
    "schedules": ("id",),
    "zones": ("id",),
    "leaves": ("id",),
    "contacts": ("id",),
    "plans": ("grade",),
}
"""The lists of a registry, and what tells two objects of a list apart."""

REFERENCES: Final = (
    ("orgs", "parent", "orgs"),
    ("wearers", "org", "orgs"),
    ("devices", "org", "orgs"),
    ("assignments", "device", "devices"),
    ("assignments", "wearer", "wearers"),
    ("orders", "wearer", "wearers"),
    ("consents", "wearer", "wearers"),
    ("zones", "org", "orgs"),
    ("zones", "wearers", "wearers"),
    ("zones", "schedule", "schedules"),
    ("leaves", "wearer", "wearers"),
    ("contacts", "org", "orgs"),
)  # fmt: skip
PERIODS: Final = ("assignments", "orders", "consents", "zones", "leaves")


def check(registry: Registry) -> list[Problem]:
    """Everything wrong with a registry, in the order of its lists; nothing wrong is an empty list.

    >>> [str(problem) for problem in check(Registry(orgs=[Org(id="a", name="A", parent="b")]))]
    ['orgs[0].parent: there is no b in orgs']
    """
    return check_placed({part: list(enumerate(getattr(registry, part))) for part in KEYS}, {})


def check_placed(parts: Mapping[str, Placed], unreadable: Mapping[str, AbstractSet[str]]) -> list[Problem]:
    """The same for objects that keep their places, where some of the file could not be read.

    ``unreadable`` has the ids of what could not be read: a reference to one is no second problem.
    """
    return [
        *_duplicates(parts),
        *_unresolved(parts, unreadable),
        *_cycles(parts["orgs"]),
        *_reversed_periods(parts),
        *_long_orders(parts["orders"]),
        *_overlaps(parts["assignments"], "device", lambda assignment: assignment.device),
        *_overlaps(parts["assignments"], "wearer", lambda assignment: assignment.wearer),
        *_schedule_problems(parts["schedules"]),
        *_unknown_time_zones(parts),
        *(problem for place, zone in parts["zones"] for problem in geometry_problems(zone, f"zones[{place}]")),
    ]


def key_of(part: str, thing: object) -> tuple[Any, ...]:
    """What tells an object apart from the others of its list."""
    return tuple(getattr(thing, name) for name in KEYS[part])


def _duplicates(parts: Mapping[str, Placed]) -> Iterator[Problem]:
    for part, names in KEYS.items():
        seen: Counter[tuple[Any, ...]] = Counter()
        for place, thing in parts[part]:
            key = key_of(part, thing)
            seen[key] += 1
            if seen[key] > 1:
                yield Problem(f"{part}[{place}].{names[0]}", f"{_words(key)} is there already")


def _unresolved(parts: Mapping[str, Placed], unreadable: Mapping[str, AbstractSet[str]]) -> Iterator[Problem]:
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
        way = _way_up(org, parents)
        if way[-1] == org.id and len(way) > 1:
            yield Problem(f"orgs[{place}].parent", f"the org tree runs in a circle: {' → '.join(way)}")


def _way_up(org: Org, parents: Mapping[str, str | None]) -> list[str]:
    way = [org.id]
    above = org.parent
    while above is not None and above not in way:
        way.append(above)
        above = parents.get(above)
    return way if above is None else [*way, above]


def _reversed_periods(parts: Mapping[str, Placed]) -> Iterator[Problem]:
    for part in PERIODS:
        for place, thing in parts[part]:
            start, end = thing.valid_from, thing.valid_to
            if start is not None and end is not None and end <= start:
                yield Problem(f"{part}[{place}].valid_to", f"{end.isoformat()} is not after {start.isoformat()}")


def _long_orders(orders: Placed) -> Iterator[Problem]:
    for place, order in orders:
        if order.valid_to > latest_end(order):
            message = f"{order.id} runs longer than {ORDER_MONTHS} months; an extension is an order of its own"
            yield Problem(f"orders[{place}].valid_to", message)


def latest_end(order: Order) -> datetime:
    """The last instant to which the law lets an order run: the same day three months on, or that month's last."""
    months = order.valid_from.month - 1 + ORDER_MONTHS
    year, month = order.valid_from.year + months // 12, months % 12 + 1
    return order.valid_from.replace(year=year, month=month, day=min(order.valid_from.day, monthrange(year, month)[1]))


def _overlaps(assignments: Placed, what: str, owner: Callable[[Assignment], str]) -> Iterator[Problem]:
    by_owner: defaultdict[str, list[tuple[int, Assignment]]] = defaultdict(list)
    for place, assignment in assignments:
        by_owner[owner(assignment)].append((place, assignment))
    for name, theirs in by_owner.items():
        theirs.sort(key=lambda placed: placed[1].valid_from)
        longest = theirs[0][1]
        for place, later in theirs[1:]:
            if longest.valid_to is None or longest.valid_to > later.valid_from:
                both = f"{longest.device} on {longest.wearer} from {longest.valid_from.isoformat()}"
                yield Problem(f"assignments[{place}].{what}", f"{name} is assigned twice at once; the other is {both}")
            longest = longest if _ends_later(longest, later) else later


def _ends_later(one: Assignment, other: Assignment) -> bool:
    return one.valid_to is None or (other.valid_to is not None and one.valid_to >= other.valid_to)


def _schedule_problems(schedules: Placed) -> Iterator[Problem]:
    schedule: Schedule
    for place, schedule in schedules:
        for number, window in enumerate(schedule.windows):
            if window.start == window.end:
                message = f"{window.start} to {window.end} lasts no time; a whole day is 00:00 to 24:00"
                yield Problem(f"schedules[{place}].windows[{number}].end", message)


def _unknown_time_zones(parts: Mapping[str, Placed]) -> Iterator[Problem]:
    for part in ("orgs", "schedules"):
        for place, thing in parts[part]:
            if not _is_time_zone(thing.timezone):
                message = f"{thing.timezone!r} is no time zone; write one like Asia/Shanghai"
                yield Problem(f"{part}[{place}].timezone", message)


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _words(key: tuple[Any, ...]) -> str:
    return " ".join(value.isoformat() if isinstance(value, datetime) else str(value) for value in key)
