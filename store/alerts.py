"""Alert events made durable: alerts, the incidents that own them, and the pages that call people, once each."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec
from psycopg.types.json import Jsonb

from alerts.incidents import closes_itself, incident_id
from schemas.alerts import KINDS, STATE_AFTER, AlertCode, AlertEvent, CloseCause, IncidentState, Priority, Transition
from store.connection import Connection, connect, scalar, translated

INCIDENT_CHANNEL: Final = "shouhuan_incident"
PAGE_CHANNEL: Final = "shouhuan_page"
SYSTEM: Final = "system"

_EVENT: Final = """
    INSERT INTO alert_event (alert_id, transition, at, code, device_no, wearer_no, seq, evidence)
    VALUES (%(alert_id)s, %(transition)s, %(at)s, %(code)s, %(device_no)s, %(wearer_no)s, %(seq)s, %(evidence)s)
    ON CONFLICT DO NOTHING RETURNING true
"""
_FIND: Final = """
    SELECT incident_id FROM incident
    WHERE wearer_no = %(wearer_no)s AND cause = %(cause)s AND state <> 'closed' FOR UPDATE
"""
_OPEN: Final = """
    INSERT INTO incident (incident_id, wearer_no, org, cause, priority, state, historic, opened_at, updated_at)
    VALUES (%(incident_id)s, %(wearer_no)s, %(org)s, %(cause)s, %(priority)s, 'open', %(historic)s, %(at)s, %(at)s)
    ON CONFLICT (wearer_no, cause) WHERE state <> 'closed' DO NOTHING
"""
_JOIN: Final = """
    INSERT INTO alert (alert_id, incident_id, code, priority, subject, device_no, wearer_no, state, onset_at,
                       opened_at, seq, rule_version, historic, evidence)
    VALUES (%(alert_id)s, %(incident_id)s, %(code)s, %(priority)s, %(subject)s, %(device_no)s, %(wearer_no)s, 'open',
            %(onset)s, %(at)s, %(seq)s, %(rule_version)s, %(historic)s, %(evidence)s)
    ON CONFLICT DO NOTHING
"""
# Late knowledge may still refute an alert that ended; nothing opens one again.
_CHANGE: Final = """
    UPDATE alert SET state = %(state)s, priority = greatest(priority, %(priority)s),
                     evidence = evidence || CASE WHEN %(state)s::text = 'open' THEN %(evidence)s::jsonb
                                                 ELSE jsonb_build_object('ended', %(evidence)s::jsonb) END,
                     cleared_at = CASE WHEN %(state)s::text <> 'open' THEN %(at)s::timestamptz END
    WHERE alert_id = %(alert_id)s AND (state = 'open' OR (state = 'cleared' AND %(state)s::text = 'retracted'))
    RETURNING incident_id
"""
_HOLD: Final = """
    SELECT state, priority, historic FROM incident WHERE incident_id = %(incident_id)s FOR UPDATE
"""
_TOUCH: Final = """
    UPDATE incident SET priority = greatest(priority, %(priority)s), historic = historic AND %(historic)s,
                        updated_at = greatest(updated_at, %(at)s)
    WHERE incident_id = %(incident_id)s
"""
_MEMBERS: Final = "SELECT code, state = 'open' FROM alert WHERE incident_id = %(incident_id)s"
_CLOSE: Final = """
    UPDATE incident SET state = 'closed', closed_by = %(system)s, closed_at = %(at)s, close_cause = %(close_cause)s
    WHERE incident_id = %(incident_id)s
"""
_PAGE: Final = """
    WITH RECURSIVE above AS (
        SELECT id, parent FROM org WHERE id = %(org)s AND upper_inf(recorded)
        UNION
        SELECT org.id, org.parent FROM org JOIN above ON org.id = above.parent WHERE upper_inf(org.recorded)
    )
    INSERT INTO page (incident_id, contact)
    SELECT %(incident_id)s, contact.id
    FROM contact JOIN above ON contact.org = above.id
    WHERE upper_inf(contact.recorded) AND contact.min_priority = ANY (%(asked)s)
    ON CONFLICT DO NOTHING RETURNING true
"""


class AlertWriter:
    """Writes alert events to one database; one thread at a time, and the events of one wearer in order.

    Everything happens once: an event written before, by whomever, changes nothing and pages nobody.
    After ``StoreUnavailable`` write the same events again; the connection is made anew.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    def write(self, events: Sequence[AlertEvent]) -> int:
        """Make events durable in one transaction, and return how many were new.

        Listeners of ``shouhuan_incident`` hear of each new event once it is committed, those of
        ``shouhuan_page`` that there are pages. Raises ``StoreUnavailable`` or ``StoreError``.
        """
        with translated(self._url):
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._url)
            with self._connection.transaction():
                return sum(_write(self._connection, event) for event in events)

    def close(self) -> None:
        """Give the connection back; a later call makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class Standing(NamedTuple):
    """An incident as an event finds it; None stands for one that the event itself opened."""

    state: IncidentState
    priority: Priority
    historic: bool


def calls_people(before: Standing | None, event: AlertEvent) -> bool:
    """Whether an event is worth pages: live, and the incident is new to people or graver than they know.

    >>> from unittest.mock import Mock
    >>> live = Mock(historic=False, priority=Priority.HIGH)
    >>> calls_people(None, live), calls_people(Standing(IncidentState.OPEN, Priority.HIGH, historic=False), live)
    (True, False)
    """
    if event.historic:
        return False
    return before is None or before.historic or event.priority > before.priority


def _write(connection: Connection, event: AlertEvent) -> bool:
    facts = _facts(event)
    if scalar(connection, _EVENT, facts) is None:
        return False
    if event.transition is Transition.OPENED:
        _open(connection, event, facts)
    else:
        _change(connection, event, facts)
    return True


def _open(connection: Connection, event: AlertEvent, facts: dict[str, Any]) -> None:
    if scalar(connection, "SELECT true FROM alert WHERE alert_id = %s", (event.alert_id,)):
        # A replay may decide at another tick: it is another event, but the alert opens once.
        return
    incident = scalar(connection, _FIND, facts)
    before = None if incident is None else _hold(connection, incident)
    facts["incident_id"] = incident or _new_incident(connection, event, facts)
    connection.execute(_JOIN, facts)
    _settle(connection, event, before, facts)


def _change(connection: Connection, event: AlertEvent, facts: dict[str, Any]) -> None:
    incident = scalar(connection, "SELECT incident_id FROM alert WHERE alert_id = %s", (event.alert_id,))
    if incident is None:
        return
    before = _hold(connection, incident)
    facts["incident_id"] = incident
    if scalar(connection, _CHANGE, facts):
        _settle(connection, event, before, facts)
