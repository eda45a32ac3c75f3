"""What operators would have met: alerts as the incidents they become, one a wearer and cause, and how many a day."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Self

from alerts.incidents import closes_itself
from evaluation.intervals import per_day, resample
from evaluation.matching import CLOSES_AFTER_S
from evaluation.outcome import Event, Found, Load
from schemas.alerts import KINDS, Cause, Priority

__all__ = ["CLOSES_AFTER_S", "Met", "load", "met"]


@dataclass(frozen=True, slots=True)
class Met:
    """One incident: the band of its first alert, the highest priority it reached, whether anything true was behind it.

    ``ends_ms`` is when it takes no more alerts, infinite while one that nobody need close holds on.
    """

    device: str
    priority: Priority
    latching: bool
    accounted: bool
    last_ms: float
    holds_ms: float

    @classmethod
    def of(cls, alert: Found, event: Event | None) -> Self:
        """The incident that an alert opens."""
        ended_ms = inf if alert.ended_ms is None else float(alert.ended_ms)
        return cls(
            device=alert.device,
            priority=Priority[alert.priority.upper()],
            latching=KINDS[alert.code].latching,
            accounted=event is not None,
            last_ms=max(alert.found_ms, alert.ended_ms or alert.found_ms),
            holds_ms=ended_ms,
        )

    @property
    def ends_ms(self) -> float:
        """By itself with its last condition if nobody need look, else when a person is assumed to have closed it."""
        if closes_itself(self.priority, latching=self.latching, open_alerts=0):
            return self.holds_ms
        return self.last_ms + 1000 * CLOSES_AFTER_S

    def joined(self, other: Self) -> Self:
        """The same with one more alert."""
        return type(self)(
            device=self.device,
            priority=max(self.priority, other.priority),
            latching=self.latching or other.latching,
            accounted=self.accounted or other.accounted,
            last_ms=max(self.last_ms, other.last_ms),
            holds_ms=max(self.holds_ms, other.holds_ms),
        )


def load(
    alerts: Sequence[Found],
    events: Iterable[Event],
    observed: Mapping[str, float],
    belongs_or_explained: Sequence[Event | None],
    *,
    seed: int,
) -> Load:
    """Incidents a wearer-day, with intervals over wearers; all priorities are listed, the highest first.

    ``belongs_or_explained`` has for each alert the event that accounts for it (``Judged.belongs_or_explained``); an
    incident is without event if none of its alerts has one. Wearers to whom anything true happened are disturbed.
    """
    incidents = met(alerts, belongs_or_explained)
    disturbed = {event.device for event in events}
    quiet = {band: days for band, days in observed.items() if band not in disturbed}
    reached = Counter(incident.priority for incident in incidents)
    all_drawn = resample(observed, {incident.device for incident in incidents}, seed=seed)
    at_peace = _by_band(incident for incident in incidents if incident.device not in disturbed)
    return Load(
        incidents=len(incidents),
        per_wearer_day=per_day(_by_band(incidents), all_drawn),
        without_event_per_wearer_day=per_day(_by_band(i for i in incidents if not i.accounted), all_drawn),
        undisturbed_per_wearer_day=per_day(at_peace, resample(quiet, at_peace, seed=seed)),
        by_priority={priority.label: reached[priority] for priority in sorted(Priority, reverse=True)},
    )


def met(alerts: Sequence[Found], belongs_or_explained: Sequence[Event | None]) -> list[Met]:
    """The incidents that alerts become: those of one wearer and cause are one while it has not ended."""
    alike: defaultdict[tuple[str, Cause], list[tuple[Found, Event | None]]] = defaultdict(list)
    for alert, event in zip(alerts, belongs_or_explained, strict=True):
        alike[alert.wearer, KINDS[alert.code].cause].append((alert, event))
    return [incident for pairs in alike.values() for incident in _one_after_another(pairs)]


def _one_after_another(pairs: Iterable[tuple[Found, Event | None]]) -> Iterator[Met]:
    current: Met | None = None
    for alert, event in sorted(pairs, key=lambda pair: pair[0].found_ms):
        opened = Met.of(alert, event)
        if current and alert.found_ms < current.ends_ms:
            current = current.joined(opened)
            continue
        if current:
            yield current
        current = opened
    if current:
        yield current


def _by_band(incidents: Iterable[Met]) -> Counter[str]:
    return Counter(incident.device for incident in incidents)
