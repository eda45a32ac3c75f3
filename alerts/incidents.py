"""Incidents: the thing an operator owns, one per wearer (or site) and cause, and the rules of its life.

open → acknowledged → closed with a cause. Acknowledging is not confirming. What was latched —
an opened strap, a pressed help button — is never closed but by a person who wrote a note.
"""

from uuid import UUID, uuid5

from schemas.alerts import NAMESPACE, Cause, CloseCause, IncidentState, Priority


class NotAllowed(Exception):  # noqa: N818 - it is an answer, not a fault
    """A step the incident's state or the law does not allow; the message is for the person who tried."""


def incident_id(wearer_no: int, org: str, cause: Cause, onset_ms: int) -> UUID:
    """The id of the incident that an alert opens, a function of what it is about.

    >>> incident_id(7, "dongqu", Cause.TAMPER, 0) == incident_id(7, "dongqu", Cause.TAMPER, 0)
    True
    """
    return uuid5(NAMESPACE, f"{org}#{wearer_no}|{cause.value}|{onset_ms}")


def closes_itself(priority: Priority, *, latching: bool, open_alerts: int) -> bool:
    """Whether an incident ends without a person, now that ``open_alerts`` of its alerts still hold.

    Up to medium it ends when its condition does. A high one waits for a person to say what it was, or a
    breach could come and go unseen and nobody would learn how often its rule is right; a latched one too.

    >>> closes_itself(Priority.MEDIUM, latching=False, open_alerts=0)
    True
    >>> closes_itself(Priority.HIGH, latching=False, open_alerts=0)
    False
    """
    return priority <= Priority.MEDIUM and not latching and not open_alerts


def check_acknowledge(state: IncidentState) -> None:
    """Raise ``NotAllowed`` unless an incident in this state can be acknowledged."""
    if state is not IncidentState.OPEN:
        raise NotAllowed(f"only an open incident can be acknowledged; this one is {state.value}")


def check_close(state: IncidentState, cause: CloseCause, note: str, *, latching: bool) -> None:
    """Raise ``NotAllowed`` unless a person may close an incident in this state with this cause and note.

    >>> check_close(IncidentState.ACKNOWLEDGED, CloseCause.DEVICE_FAULT, "", latching=True)
    Traceback (most recent call last):
    alerts.incidents.NotAllowed: tamper and help calls are closed only with a note of what was found
    """
    if state is IncidentState.CLOSED:
        raise NotAllowed("this incident is closed already")
    if cause is CloseCause.SELF_CLEARED:
        raise NotAllowed("self_cleared is the system's own cause; choose what was found")
    if state is IncidentState.OPEN:
        raise NotAllowed("acknowledge the incident before closing it")
    if latching and not note.strip():
        raise NotAllowed("tamper and help calls are closed only with a note of what was found")
