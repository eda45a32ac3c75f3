"""Alerts as they stand after their events: one record each, in the order in which they opened."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from schemas.alerts import STATE_AFTER, AlertEvent, AlertState, Priority, Transition

_POSSIBLE: Final = {
    AlertState.OPEN: {Transition.UPDATED, Transition.CLEARED, Transition.RETRACTED},
    AlertState.CLEARED: {Transition.RETRACTED, Transition.REOPENED},
    AlertState.RETRACTED: {Transition.REOPENED},
}
"""What may still happen to an alert: later knowledge can refute one that has ended, or find that it has not."""


class AlertRecord(msgspec.Struct, kw_only=True):
    """One alert: what ``shouhuan replay`` writes a line of. Times are RFC 3339 UTC.

    ``onset_at`` is when the condition began, ``opened_at`` the event time of the reading or tick that
    decided; ``cleared_at`` is null while it is open.
    """

    alert_id: UUID
    device: str
    wearer: str
    code: str
    subject: str
    priority: str
    onset_at: datetime
    opened_at: datetime
    cleared_at: datetime | None
    state: AlertState
    historic: bool
    rule_version: int
    evidence: dict[str, Any]


class Ledger:
    """Takes events in order; an event seen before changes nothing."""

    def __init__(self) -> None:
        self._records: dict[UUID, AlertRecord] = {}

    def apply(self, events: Iterable[AlertEvent]) -> None:
        """Let events happen to their alerts."""
        for event in events:
            record = self._records.get(event.alert_id)
            if record is None:
                self._records[event.alert_id] = _opened(event)
            elif event.transition in _POSSIBLE[record.state]:
                _happen(record, event)

    def records(self) -> list[AlertRecord]:
        """All alerts, by when they opened."""
        return sorted(self._records.values(), key=lambda r: (r.opened_at, r.device, r.code, r.alert_id))


def _opened(event: AlertEvent) -> AlertRecord:
    return AlertRecord(
        alert_id=event.alert_id,
        device=event.device,
        wearer=event.wearer,
        code=event.code.value,
        subject=event.subject,
        priority=event.priority.label,
        onset_at=_at(event.onset_ms),
        opened_at=_at(event.at_ms),
        cleared_at=None,
        state=AlertState.OPEN,
        historic=event.historic,
        rule_version=event.rule_version,
        evidence=event.evidence,
    )


def _happen(record: AlertRecord, event: AlertEvent) -> None:
    record.state = STATE_AFTER[event.transition]
    record.priority = max(event.priority, Priority[record.priority.upper()]).label
    if record.state is AlertState.OPEN:
        record.cleared_at = None
        record.evidence = record.evidence | event.evidence
    else:
        record.cleared_at = _at(event.at_ms)
        record.evidence = {**record.evidence, "ended": event.evidence}


def _at(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
