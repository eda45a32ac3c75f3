"""How long things of a registry last: periods the right way round, not too long, not twice at once; pure."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.problems import Problem
from store.registry_parts import Parts, Placed

ORDER_MONTHS: Final = 3
"""社区矫正法 Art. 29: positioning for at most three months, an extension is an order of its own."""

_PERIODS: Final = ("assignments", "orders", "consents", "zones", "leaves")


def period_problems(parts: Parts) -> Iterator[Problem]:
    """Periods that end before they begin, orders that run too long, bands and wearers assigned twice at once."""
    yield from _reversed_periods(parts)
    yield from _long_orders(parts["orders"], clocks(parts))
    for what in ("device", "wearer"):
        for place, later, longest in overlaps(parts["assignments"], what):
            both = f"{longest.device} on {longest.wearer} from {longest.valid_from.isoformat()}"
            name = getattr(later, what)
            yield Problem(f"assignments[{place}].{what}", f"{name} is assigned twice at once; the other is {both}")


def months_later(moment: datetime, months: int, clock: tzinfo | None) -> datetime:
    """The same day and hour so many calendar months on, or that month's last day; days are those of ``clock``.

    Without a clock they are those of the moment's own offset. A database answers in UTC, where a period that begins at
    a local midnight begins on the day before: counted there, three months from 1 May would end on 31 July.

    >>> from datetime import UTC
    >>> months_later(datetime(2026, 4, 30, 16, tzinfo=UTC), 3, ZoneInfo("Asia/Shanghai")).isoformat()
    '2026-08-01T00:00:00+08:00'
    """
    local = moment.astimezone(clock) if clock else moment
    years, month = divmod(local.month - 1 + months, 12)
    last = monthrange(local.year + years, month + 1)[1]
    return local.replace(year=local.year + years, month=month + 1, day=min(local.day, last))


def clocks(parts: Parts) -> dict[str, tzinfo]:
    """The time zone in which each wearer's days are counted: that of their org, where both can be read."""
    zones = {org.id: time_zone(org.timezone) for _, org in parts["orgs"]}
    found = {wearer.id: zones.get(wearer.org) for _, wearer in parts["wearers"]}
    return {wearer: zone for wearer, zone in found.items() if zone is not None}


def time_zone(name: str) -> ZoneInfo | None:
    """The time zone of a name, or None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def overlaps(spans: Placed, owner: str) -> Iterator[tuple[int, Any, Any]]:
    """What begins before something else of the same owner has ended: its place, itself, and the other."""
    by_owner: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
    for placed in spans:
        by_owner[getattr(placed[1], owner)].append(placed)
    for theirs in by_owner.values():
        yield from _overlapping(sorted(theirs, key=lambda placed: placed[1].valid_from))


def _overlapping(in_order: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any, Any]]:
    longest = None
    for place, later in in_order:
        if longest is not None and (longest.valid_to is None or longest.valid_to > later.valid_from):
            yield place, later, longest
        longest = longest if longest is not None and _ends_later(longest, later) else later


def _ends_later(one: Any, other: Any) -> bool:  # noqa: ANN401 - anything with a period
    return one.valid_to is None or (other.valid_to is not None and one.valid_to >= other.valid_to)


def _reversed_periods(parts: Parts) -> Iterator[Problem]:
    for part in _PERIODS:
        for place, thing in parts[part]:
            start, end = thing.valid_from, thing.valid_to
            if start is not None and end is not None and end <= start:
                yield Problem(f"{part}[{place}].valid_to", f"{end.isoformat()} is not after {start.isoformat()}")


def _long_orders(orders: Placed, clock: Mapping[str, tzinfo]) -> Iterator[Problem]:
    for place, order in orders:
        if order.valid_to > months_later(order.valid_from, ORDER_MONTHS, clock.get(order.wearer)):
            message = f"{order.id} runs longer than {ORDER_MONTHS} months; an extension is an order of its own"
            yield Problem(f"orders[{place}].valid_to", message)
