"""Who is behind a topic at a moment, and what the law lets us take: the registry as the door sees it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, Self

from ingest.decode import native
from ingest.decode.answers import Decoder, Refusal
from ingest.decode.formats import DECODERS
from schemas.reasons import RejectReason
from schemas.registry import NumberedRegistry, epoch_ms
from schemas.topics import UPLINKS, Format, parse_uplink


class Span(NamedTuple):
    """A time in which one wearer has the band under a lawful order; physiology with a consent only."""

    from_ms: int
    to_ms: int
    wearer_no: int
    vitals: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A band that we know, and what reads its bytes on one of its topics."""

    device_no: int
    spans: tuple[Span, ...]
    decode: Decoder = native.decode

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
    def of(cls, numbered: NumberedRegistry, formats: Collection[Format] = tuple(Format)) -> Self:
        """Work out every band's lawful spans: its assignments, cut by its wearer's orders and consents.

        It may publish in each of ``formats``.
        """
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
            UPLINKS[format_].format(org=device.org, device=device.id): Entry(
                numbered.device_no[device.id], tuple(sorted(spans[device.id])), DECODERS[format_]
            )
            for device in registry.devices
            for format_ in formats
        }
        return cls(entries, {device.id: device.org for device in registry.devices})

    def look_up(self, topic: str) -> Entry | Refusal:
        """The band that may publish on a topic, or why nobody may."""
        entry = self._entries.get(topic)
        return entry if entry is not None else self._refusal(topic)

    def _refusal(self, topic: str) -> Refusal:
        parts = parse_uplink(topic)
        if parts is None:
            return Refusal(RejectReason.MALFORMED, f"the topic is none of {', '.join(UPLINKS.values())}")
        org = self._org_of.get(parts.device)
        if org is None:
            return Refusal(RejectReason.UNKNOWN_DEVICE, f"no device {parts.device} in the registry")
        if org == parts.org:
            return Refusal(RejectReason.MALFORMED, f"the format {parts.format} is switched off in SHOUHUAN_FORMATS")
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
