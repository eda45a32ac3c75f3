"""Alert events made durable: alerts, the incidents that own them, and the pages that call people, once each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID, uuid5

import msgspec
from psycopg.types.json import Jsonb

from alerts.incidents import closes_itself, incident_id
from schemas.alerts import (
    KINDS,
    NOBODY,
    STATE_AFTER,
    AlertCode,
    AlertEvent,
    CloseCause,
    IncidentState,
    Priority,
    Transition,
)
from store.connection import Connection, Link, scalar

INCIDENT_CHANNEL: Final = "shouhuan_incident"
PAGE_CHANNEL: Final = "shouhuan_page"
SYSTEM: Final = "system"
HOLDS: Final = {Transition.OPENED, Transition.UPDATED, Transition.REOPENED}
"""After these an alert's condition holds."""

Facts = dict[str, Any]

_EVENT: Final = """
    INSERT INTO alert_event (alert_id, transition, at, code, device_no, wearer_no, seq, evidence)
    VALUES (%(alert_id)s, %(transition)s, %(at)s, %(code)s, %(device_no)s, %(wearer_no)s, %(seq)s, %(evidence)s)
    ON CONFLICT DO NOTHING RETURNING true
"""
# The row's lock keeps an operator's step and ours one after the other. Nobody's incident is its org's.
_BY_CAUSE: Final = """
    SELECT incident_id, state, priority, historic FROM incident
    WHERE wearer_no = %(wearer_no)s AND cause = %(cause)s AND state <> 'closed'
      AND (CASE WHEN wearer_no = 0 THEN org ELSE '' END) = %(site)s
    FOR UPDATE
"""
_BY_ALERT: Final = """
    SELECT incident_id, incident.state, incident.priority, incident.historic
    FROM incident JOIN alert USING (incident_id) WHERE alert_id = %(alert_id)s FOR UPDATE OF incident
"""
_OPEN: Final = """
    INSERT INTO incident (incident_id, wearer_no, org, cause, priority, state, historic, opened_at, updated_at)
    VALUES (%(incident_id)s, %(wearer_no)s, %(org)s, %(cause)s, %(priority)s, 'open', %(historic)s, %(at)s, %(at)s)
    ON CONFLICT (wearer_no, cause, (CASE WHEN wearer_no = 0 THEN org ELSE '' END)) WHERE state <> 'closed'
    DO NOTHING RETURNING incident_id
"""
_JOIN: Final = """
    INSERT INTO alert (alert_id, incident_id, code, priority, subject, device_no, wearer_no, state, onset_at,
                       opened_at, seq, rule_version, historic, evidence)
    VALUES (%(alert_id)s, %(incident_id)s, %(code)s, %(priority)s, %(subject)s, %(device_no)s, %(wearer_no)s, 'open',
            %(onset)s, %(at)s, %(seq)s, %(rule_version)s, %(historic)s, %(evidence)s)
    ON CONFLICT DO NOTHING
"""
# Late knowledge may still refute an alert that ended.
_CHANGE: Final = """
    UPDATE alert SET state = %(state)s, priority = greatest(priority, %(priority)s),
                     evidence = evidence || CASE WHEN %(state)s::text = 'open' THEN %(evidence)s::jsonb
                                                 ELSE jsonb_build_object('ended', %(evidence)s::jsonb) END,
                     cleared_at = CASE WHEN %(state)s::text <> 'open' THEN %(at)s::timestamptz END
    WHERE alert_id = %(alert_id)s AND (state = 'open' OR (state = 'cleared' AND %(state)s::text = 'retracted'))
    RETURNING incident_id
"""
# Or find that it has not: it holds again, in the incident that its wearer has for this cause by now.
_REOPEN: Final = """
    UPDATE alert SET state = 'open', cleared_at = NULL, priority = greatest(priority, %(priority)s),
                     evidence = evidence || %(evidence)s::jsonb, incident_id = %(incident_id)s
    WHERE alert_id = %(alert_id)s
"""
_TOUCH: Final = """
    UPDATE incident SET priority = greatest(priority, %(priority)s), historic = historic AND %(still_historic)s,
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
        SELECT id, parent FROM org WHERE id = ANY (%(orgs)s) AND upper_inf(recorded)
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
        self._link = Link(url)

    def write(self, events: Sequence[AlertEvent]) -> list[AlertEvent]:
        """Make events durable in one transaction, and return those that were new.

        Listeners of ``shouhuan_incident`` hear of each new event once it is committed, those of
        ``shouhuan_page`` that there are pages. Raises ``StoreUnavailable`` or ``StoreError``.
        """
        with self._link.transaction() as connection:
            return [event for event in events if _write(connection, event)]

    def close(self) -> None:
        """Give the connection back; a later call makes a new one."""
        self._link.close()


class Standing(NamedTuple):
    """An incident as an event finds it."""

    incident_id: UUID
    state: IncidentState
    priority: Priority
    historic: bool


def calls_people(before: Standing | None, event: AlertEvent) -> bool:
    """Whether an event is worth pages: live, and its incident is new or graver than people know.

    ``before`` is None for an incident that the event opened.
    """
    if event.historic or event.transition not in HOLDS:
        return False
    if before is None or before.historic:
        return True
    return before.state is not IncidentState.CLOSED and event.priority > before.priority


def _write(connection: Connection, event: AlertEvent) -> bool:
    facts = _facts(event)
    if scalar(connection, _EVENT, facts) is None:
        return False
    match event.transition:
        case Transition.OPENED:
            _open(connection, event, facts)
        case Transition.REOPENED:
            _reopen(connection, event, facts)
        case _:
            _change(connection, event, facts)
    return True


def _open(connection: Connection, event: AlertEvent, facts: Facts) -> None:
    if _hold(connection, _BY_ALERT, facts) is not None:
        # A replay may decide at another tick: another event, but the alert opens once.
        return
    _join(connection, event, facts, _JOIN)


def _reopen(connection: Connection, event: AlertEvent, facts: Facts) -> None:
    before = _hold(connection, _BY_ALERT, facts)
    if before is None:
        return
    if before.state is IncidentState.CLOSED:
        _join(connection, event, facts, _REOPEN)
    else:
        facts |= {"incident_id": before.incident_id}
        connection.execute(_REOPEN, facts)
        _settle(connection, event, before, facts)


def _join(connection: Connection, event: AlertEvent, facts: Facts, member: LiteralString) -> None:
    """Let an alert become a member of the incident that its wearer or site has for its cause, or of a new one."""
    before = _hold(connection, _BY_CAUSE, facts)
    while before is None:
        identity = _free_id(connection, event)
        if scalar(connection, _OPEN, facts | {"incident_id": identity}):
            break
        before = _hold(connection, _BY_CAUSE, facts)
    else:
        identity = before.incident_id
    facts |= {"incident_id": identity}
    connection.execute(member, facts)
    _settle(connection, event, before, facts)


def _change(connection: Connection, event: AlertEvent, facts: Facts) -> None:
    before = _hold(connection, _BY_ALERT, facts)
    if before is not None and scalar(connection, _CHANGE, facts):
        _settle(connection, event, before, facts | {"incident_id": before.incident_id})


def _settle(connection: Connection, event: AlertEvent, before: Standing | None, facts: Facts) -> None:
    """What an event means for its incident: gravity, pages, perhaps its end; and the news of it."""
    connection.execute(_TOUCH, facts)
    priority = event.priority if before is None else max(event.priority, before.priority)
    state = IncidentState.OPEN if before is None else before.state
    if _ended(connection, state, priority, facts):
        connection.execute(_CLOSE, facts)
    elif calls_people(before, event):
        _page(connection, priority, facts)
    news = {"incident_id": facts["incident_id"], "alert_id": event.alert_id, "transition": event.transition}
    connection.execute("SELECT pg_notify(%s, %s)", (INCIDENT_CHANNEL, msgspec.json.encode(news).decode()))


def _ended(connection: Connection, state: IncidentState, priority: Priority, facts: Facts) -> bool:
    members = connection.execute(_MEMBERS, facts).fetchall()
    latching = any(KINDS[AlertCode(code)].latching for code, _ in members)
    open_alerts = sum(is_open for _, is_open in members)
    return state is not IncidentState.CLOSED and closes_itself(priority, latching=latching, open_alerts=open_alerts)


def _page(connection: Connection, priority: Priority, facts: Facts) -> None:
    asked = [level.label for level in Priority if level <= priority]
    if connection.execute(_PAGE, facts | {"asked": asked}).rowcount:
        connection.execute("SELECT pg_notify(%s, '')", (PAGE_CHANNEL,))


def _hold(connection: Connection, query: LiteralString, facts: Facts) -> Standing | None:
    row = connection.execute(query, facts).fetchone()
    return None if row is None else Standing(row[0], IncidentState(row[1]), Priority(row[2]), row[3])


def _free_id(connection: Connection, event: AlertEvent) -> UUID:
    """The incident's id; one of its own for an alert whose onset opened an incident that has since been closed.

    An alert may come back more than once (a network that fails again and again), each time in an incident of its own.
    """
    identity = incident_id(event.wearer_no, event.org, KINDS[event.code].cause, event.onset_ms)
    taken = scalar(connection, "SELECT true FROM incident WHERE incident_id = %s", (identity,))
    return uuid5(identity, f"{event.alert_id}|{event.at_ms}") if taken else identity


def _facts(event: AlertEvent) -> Facts:
    return {
        "alert_id": event.alert_id,
        "transition": event.transition.value,
        "state": STATE_AFTER[event.transition].value,
        "code": event.code.value,
        "cause": KINDS[event.code].cause.value,
        "priority": int(event.priority),
        "subject": event.subject,
        "org": event.org,
        "orgs": [event.org, *_lost_orgs(event)],
        "site": event.org if event.wearer_no == NOBODY else "",
        "device_no": event.device_no,
        "wearer_no": event.wearer_no,
        "onset": _time(event.onset_ms),
        "at": _time(event.at_ms),
        "seq": event.seq,
        "rule_version": event.rule_version,
        "historic": event.historic,
        # The end of a late alert may be live; that does not make the alert so.
        "still_historic": event.historic or event.transition not in HOLDS,
        # msgspec writes NaN, which a reading uses for "not sent", as null; JSON has no NaN.
        "evidence": Jsonb(event.evidence, dumps=msgspec.json.encode),
        "system": SYSTEM,
        "close_cause": CloseCause.SELF_CLEARED.value,
    }


def _lost_orgs(event: AlertEvent) -> Sequence[str]:
    """The orgs below a site that are lost: their people are called, too, for their silences are told nowhere else."""
    return event.evidence.get("orgs", ()) if event.wearer_no == NOBODY else ()


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC) + timedelta(milliseconds=time_ms % 1000)
