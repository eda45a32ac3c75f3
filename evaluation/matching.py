"""Which alerts found which events, which belong to none, and which of these a true event of another kind explains."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.outcome import Event, Found
from schemas.alerts import KINDS, AlertCode

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_C: Final = AlertCode

GRACE_S: Final[Mapping[AlertCode, int]] = {
    _C.ZONE_EXIT: 4 * _MINUTE_S,
    _C.ZONE_ENTER: 4 * _MINUTE_S,
    _C.ZONE_CURFEW: 4 * _MINUTE_S,
    _C.ZONE_APPROACH: 4 * _MINUTE_S,
    _C.ZONE_DWELL: 15 * _MINUTE_S,
    _C.LEAVE_OVERSTAY: 4 * _MINUTE_S,
    _C.PROXIMITY_PROTECTED: 4 * _MINUTE_S,
    _C.GATHERING: 15 * _MINUTE_S,
    _C.DEVICE_STRAP: 4 * _MINUTE_S,
    _C.DEVICE_CASE: 4 * _MINUTE_S,
    _C.DEVICE_OFF_BODY: 4 * _MINUTE_S,
    _C.DEVICE_BATTERY: 15 * _MINUTE_S,
    _C.DEVICE_SILENCE: 60 * _MINUTE_S,
    _C.DEVICE_NO_FIX: 60 * _MINUTE_S,
    _C.DEVICE_SPOOF: 15 * _MINUTE_S,
    _C.DEVICE_SOS: 4 * _MINUTE_S,
    _C.SITE_OUTAGE: 30 * _MINUTE_S,
    _C.VITALS_HEART_RATE: 10 * _MINUTE_S,
    _C.VITALS_SPO2: 10 * _MINUTE_S,
    _C.VITALS_TEMPERATURE: 10 * _MINUTE_S,
    _C.VITALS_FALL: 5 * _MINUTE_S,
    _C.VITALS_STRESS: 10 * _MINUTE_S,
    _C.ROUTINE_DEVIATION: 6 * _HOUR_S,
    _C.ORDER_EXPIRING: 4 * _MINUTE_S,
    _C.ORDER_EXPIRED: 4 * _MINUTE_S,
}
"""How long after its end an event may still be found, in seconds."""

ILLNESS_GRACE_S: Final = 48 * _HOUR_S
"""The same for an event of kind ``illness``, which is judged night by night."""

CLOSES_AFTER_S: Final = 3_600
"""When a person is assumed to have closed what is latched or high, after its last alert opened or ended."""

EXPLAINS: Final[Mapping[AlertCode, frozenset[AlertCode]]] = {
    # Where the network is down, nothing is heard of anybody.
    _C.SITE_OUTAGE: frozenset({_C.DEVICE_SILENCE, _C.DEVICE_NO_FIX}),
    # Who is jammed, shielded or switched off tells no position either.
    _C.DEVICE_SILENCE: frozenset({_C.DEVICE_NO_FIX}),
    # A dead band says nothing (a low one does: ``explained`` asks for the kind).
    _C.DEVICE_BATTERY: frozenset({_C.DEVICE_SILENCE, _C.DEVICE_NO_FIX}),
    # Each degree of fever costs the heart some eight beats a minute.
    _C.VITALS_TEMPERATURE: frozenset({_C.VITALS_HEART_RATE}),
    # An opened strap lets the band come off.
    _C.DEVICE_STRAP: frozenset({_C.DEVICE_OFF_BODY}),
    # A false position breaks rules of place that its wearer keeps.
    _C.DEVICE_SPOOF: frozenset(
        {_C.ZONE_EXIT, _C.ZONE_ENTER, _C.ZONE_CURFEW, _C.ZONE_APPROACH, _C.ZONE_DWELL, _C.ROUTINE_DEVIATION}
    ),
    # Who is not back from leave is outside and not at home, which is not like them.
    _C.LEAVE_OVERSTAY: frozenset({_C.ZONE_EXIT, _C.ZONE_CURFEW, _C.ROUTINE_DEVIATION}),
    # Who leaves comes near the wall first, may be overdue, and is where they never are.
    _C.ZONE_EXIT: frozenset({_C.ZONE_APPROACH, _C.LEAVE_OVERSTAY, _C.ROUTINE_DEVIATION}),
    # Who goes in comes near the wall first.
    _C.ZONE_ENTER: frozenset({_C.ZONE_APPROACH}),
    # A night not at home is both.
    _C.ZONE_CURFEW: frozenset({_C.LEAVE_OVERSTAY, _C.ROUTINE_DEVIATION}),
    _C.ROUTINE_DEVIATION: frozenset({_C.ZONE_CURFEW}),
}
"""By the code of a true event, the codes of alerts that may be its consequence."""

DEAD: Final = "dead"
"""What the kind of a battery event says (``dead``, ``dead_battery``) where the band stopped."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Events and alerts of one code, and what they have to do with each other.

    ``found_by``: for each event, the places in ``alerts`` of those that found it. ``belongs``: for each alert, the
    place in ``events`` of the one it rang for, None if for none. ``delays_s``: for each event, the time to detect.
    """

    events: Sequence[Event]
    alerts: Sequence[Found]
    found_by: Sequence[Sequence[int]]
    belongs: Sequence[int | None]

    @property
    def found(self) -> list[bool]:
        """For each event, whether it was found."""
        return [bool(places) for places in self.found_by]

    @property
    def delays_s(self) -> NDArray[np.float64]:
        """From start to the moment the platform could know; a miss has its whole duration and grace.

        What was found in a backlog may exceed the grace; what stood already when the event began has 0.
        """
        pairs = zip(self.events, self.found_by, strict=True)
        return np.array([self._delay_ms(event, places) for event, places in pairs], np.float64) / 1000.0

    def _delay_ms(self, event: Event, places: Sequence[int]) -> int:
        if not places:
            return event.end_ms + grace_ms(event) - event.start_ms
        return max(0, min(self.alerts[place].known_ms for place in places) - event.start_ms)


def grace_ms(event: Event) -> int:
    """How long after its end an event may still be found.

    >>> grace_ms(Event("band-1", AlertCode.VITALS_HEART_RATE, 0, 1, {"kind": "illness"})) // 3_600_000
    48
    """
    return 1000 * (ILLNESS_GRACE_S if event.parameters.get("kind") == "illness" else GRACE_S[event.code])


def match(events: Sequence[Event], alerts: Sequence[Found]) -> Matching:
    """Match the events and alerts of one code, over all wearers.

    An alert belongs to at most one event of its band (and zone, where both name one): it rang in or after it, within
    its grace. Where several qualify, one that still runs comes before one that has ended, one not yet found before
    one that is, then the earliest. An event may have several alerts. An alert before its event is false.

    A condition already standing when an event begins rings no second time. So an alert still open at the start of an
    event finds it too, with no delay, but only if it rang for an earlier event of the same band and zone, and the
    last one it found ended no longer ago than the grace. What is latched never ends by itself: it stands for
    ``CLOSES_AFTER_S`` since it was known, then a person has closed it and it must ring anew. An alert that never ends
    thus finds what it rang for, not all that follows.
    """
    found_by: list[list[int]] = [[] for _ in events]
    belongs: list[int | None] = [None] * len(alerts)
    timelines: defaultdict[str, list[tuple[int, bool, int]]] = defaultdict(list)
    for place, event in enumerate(events):
        timelines[event.device].append((event.start_ms, False, place))
    for place, alert in enumerate(alerts):
        if alert.device in timelines:
            timelines[alert.device].append((alert.found_ms, True, place))
    for timeline in timelines.values():
        band = _Band(events, alerts, found_by, belongs)
        for _, is_alert, place in sorted(timeline):
            (band.ring if is_alert else band.begin)(place)
    return Matching(events, alerts, found_by, belongs)


def explained(alert: Found, events: Iterable[Event]) -> Event | None:
    """The first of the events, of whatever code, whose consequence an alert without an event of its own is.

    It rang while that event lasted or within the alert's grace; nearing a wall may ring as long before, and only the
    wall that was then crossed counts. Such an alert is neither true nor false.
    """
    return next((event for event in events if _explains(event, alert)), None)


def explanations(events: Iterable[Event]) -> dict[tuple[str, AlertCode], list[Event]]:
    """By band and alert code, the events that may explain such an alert: what to give ``explained``, which is long."""
    by_alert: defaultdict[tuple[str, AlertCode], list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.start_ms):
        for code in EXPLAINS.get(event.code, ()):
            by_alert[event.device, code].append(event)
    return dict(by_alert)


def _explains(event: Event, alert: Found) -> bool:
    if event.device != alert.device or alert.code not in EXPLAINS.get(event.code, ()):
        return False
    if event.code is AlertCode.DEVICE_BATTERY and DEAD not in str(event.parameters.get("kind", "")):
        return False
    allowed_ms = 1000 * GRACE_S[alert.code]
    lead_ms = allowed_ms if alert.code is AlertCode.ZONE_APPROACH else 0
    if lead_ms and not _same_zone(event, alert):
        return False
    return event.start_ms - lead_ms <= alert.found_ms <= event.end_ms + allowed_ms


def _same_zone(event: Event, alert: Found) -> bool:
    zone = event.parameters.get("zone")
    return not zone or not alert.subject or zone == alert.subject


class _Band:
    """One band's events and alerts as they come by: what may still be found, and which true alerts still stand."""

    def __init__(
        self,
        events: Sequence[Event],
        alerts: Sequence[Found],
        found_by: Sequence[list[int]],
        belongs: list[int | None],
    ) -> None:
        self._events, self._alerts = events, alerts
        self._found_by, self._belongs = found_by, belongs
        self._findable: list[int] = []
        self._standing: dict[int, int] = {}

    def begin(self, place: int) -> None:
        """An event begins: what stands finds it."""
        event = self._events[place]
        self._standing = {a: last for a, last in self._standing.items() if self._stands(a, last, event.start_ms)}
        for alert, last in self._standing.items():
            if self._events[last].parameters.get("zone") == event.parameters.get("zone"):
                self._found_by[place].append(alert)
                self._standing[alert] = place
        self._findable.append(place)

    def ring(self, place: int) -> None:
        """An alert rings: it belongs to the event that needs it most, if to any."""
        alert = self._alerts[place]
        self._findable = [e for e in self._findable if alert.found_ms <= self._last_ms(e)]
        mine = [e for e in self._findable if _same_zone(self._events[e], alert)]
        if not mine:
            return
        chosen = min(mine, key=lambda e: (self._events[e].end_ms < alert.found_ms, bool(self._found_by[e])))
        self._belongs[place] = chosen
        self._found_by[chosen].append(place)
        self._standing[place] = chosen

    def _last_ms(self, place: int) -> int:
        return self._events[place].end_ms + grace_ms(self._events[place])

    def _stands(self, place: int, last: int, at_ms: int) -> bool:
        alert = self._alerts[place]
        if alert.ended_ms is not None and alert.ended_ms < at_ms:
            return False
        if KINDS[alert.code].latching:
            return at_ms <= alert.known_ms + 1000 * CLOSES_AFTER_S
        return at_ms <= self._events[last].end_ms + 1000 * GRACE_S[alert.code]
