"""Who is behind a topic at a moment, and what the law lets us take: the registry as the door sees it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, Self

from ingest.decode.native import Refusal
from schemas.reasons import RejectReason
from schemas.registry import NumberedRegistry, epoch_ms
from schemas.topics import parse_topic


class Span(NamedTuple):
    """A time in which one wearer has the band under a lawful order; physiology with a consent only."""

    from_ms: int
    to_ms: int
    wearer_no: int
    vitals: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A band that we know."""

    device_no: int
    spans: tuple[Span, ...]

    def span_at(self, time_ms: int) -> Span | None:
        """The span of a moment, or None where no order covers it.

        >>> Entry(1, (Span(0, 10, 7, True),)).span_at(10) is None
        True
        """
        for span in self.spans:
            if span.from_ms <= time_ms < span.to_ms:
                return span
        return None


class Directory:
    """Look-up by topic; an immutable value, exchanged whole when the registry changes."""

    def __init__(self, entries: dict[str, Entry], org_of: dict[str, str]) -> None:
        self._entries = entries
        self._org_of = org_of

    @classmethod
    def of(cls, numbered: NumberedRegistry) -> Self:
        """Work out every band's lawful spans: its assignments, cut by its wearer's orders and consents."""
        registry = numbered.registry
        orders = _by_wearer((o.wearer, o.valid_from, o.valid_to) for o in registry.orders)
        consents = _by_wearer((c.wearer, c.valid_from, c.valid_to) for c in registry.consents)
        spans: dict[str, list[Span]] = {device.id: [] for device in registry.devices}
        for worn in registry.assignments:
            assigned = (epoch_ms(worn.valid_from), epoch_ms(worn.valid_to))
            for lawful in _common([assigned], orders.get(worn.wearer, [])):
                spans[worn.device] += _cut_by_consent(
                    lawful, consents.get(worn.wearer, []), numbered.wearer_no[worn.wearer]
                )
        entries = {
            f"wb/v1/{device.org}/{device.id}/up": Entry(numbered.device_no[device.id], tuple(sorted(spans[device.id])))
            for device in registry.devices
        }
        return cls(entries, {device.id: device.org for device in registry.devices})

    def look_up(self, topic: str) -> Entry | Refusal:
        """The band that may publish on a topic, or why nobody may."""
        entry = self._entries.get(topic)
        return entry if entry is not None else self._refusal(topic)

    def _refusal(self, topic: str) -> Refusal:
        parts = parse_topic(topic)
        if parts is None:
            return Refusal(RejectReason.MALFORMED, "the topic is not wb/v1/{org}/{device}/up")
        org = self._org_of.get(parts.device)
        if org is None:
            return Refusal(RejectReason.UNKNOWN_DEVICE, f"no device {parts.device} in the registry")
        return Refusal(RejectReason.WRONG_ORG, f"device {parts.device} belongs to org {org}, not {parts.org}")


Interval = tuple[int, int]


def _by_wearer(rows: Iterable[tuple[str, datetime, datetime | None]]) -> dict[str, list[Interval]]:
    found: dict[str, list[Interval]] = {}
    for wearer, valid_from, valid_to in rows:
        found.setdefault(wearer, []).append((epoch_ms(valid_from), epoch_ms(valid_to)))
    return {wearer: sorted(intervals) for wearer, intervals in found.items()}


def _common(left: Iterable[Interval], right: Iterable[Interval]) -> list[Interval]:
    return [(max(a, c), min(b, d)) for a, b in left for c, d in right if max(a, c) < min(b, d)]


def _cut_by_consent(lawful: Interval, consents: list[Interval], wearer_no: int) -> list[Span]:
    granted = _common([lawful], consents)
    edges = sorted({moment for interval in [lawful, *granted] for moment in interval})
    return [Span(start, end, wearer_no, any(a <= start < b for a, b in granted)) for start, end in pairwise(edges)]
