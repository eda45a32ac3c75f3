"""What the console knows of operators and incidents; every answer within the orgs that an operator may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from store.connection import Connection, scalar
from store.errors import StoreError

AsyncSession = AsyncConnection[tuple[Any, ...]]
Row = TypeVar("Row")
Orgs = list[str] | None

AROUND: Final = timedelta(minutes=30)
"""How much of a track before an incident's onset and after its end is shown with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An account of the console; it sees ``orgs``, or everything where that is None.

    ``changes_rules``: whether it may change zones there, too. ``timezone`` and the names are those of its own org, or
    of the topmost one.
    """

    name: str
    password_hash: str
    orgs: list[str] | None
    changes_rules: bool
    org_name: str
    org_name_en: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident as the queue shows it; ``codes`` of its alerts, gravest first, refuted ones last."""

    incident_id: UUID
    state: str
    cause: str
    priority: int
    historic: bool
    opened_at: datetime
    updated_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    close_cause: str | None
    close_note: str | None
    wearer: str
    wearer_name: str
    grade: str
    minor: bool
    org: str
    org_name: str
    org_name_en: str
    timezone: str
    codes: list[str]
    alerts: int
    open_alerts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert with the evidence by which it was judged."""

    alert_id: UUID
    code: str
    priority: int
    subject: str
    device: str
    state: str
    onset_at: datetime
    opened_at: datetime
    cleared_at: datetime | None
    rule_version: int
    historic: bool
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """A fix of a track, WGS-84."""

    event_time: datetime
    lat: float
    lon: float
    accuracy_m: float | None


_OPERATOR: Final = """
    WITH RECURSIVE scope AS (
        SELECT org AS id FROM operator WHERE name = %(name)s
        UNION
        SELECT org.id FROM org JOIN scope ON org.parent = scope.id WHERE upper_inf(org.recorded)
    )
    SELECT operator.name, password_hash, changes_rules,
           CASE WHEN operator.org IS NOT NULL THEN (SELECT array_agg(id) FROM scope) END AS orgs,
           coalesce(org.name, '') AS org_name,
           coalesce(nullif(org.name_en, ''), org.name, '') AS org_name_en,
           coalesce(org.timezone, 'Asia/Shanghai') AS timezone
    FROM operator
    LEFT JOIN org ON upper_inf(org.recorded) AND org.id = coalesce(operator.org,
        (SELECT min(id) FROM org WHERE parent IS NULL AND upper_inf(recorded)))
    WHERE operator.name = %(name)s
"""
_INCIDENT: Final = """
    SELECT i.incident_id, i.state, i.cause, i.priority, i.historic, i.opened_at, i.updated_at, i.acknowledged_by,
           i.acknowledged_at, i.closed_by, i.closed_at, i.close_cause, i.close_note,
           CASE WHEN i.wearer_no = 0 THEN '' ELSE coalesce(w.id, '#' || i.wearer_no) END AS wearer,
           coalesce(w.name, '') AS wearer_name,
           coalesce(w.grade, '') AS grade, coalesce(w.minor, false) AS minor,
           i.org, coalesce(o.name, i.org) AS org_name, coalesce(nullif(o.name_en, ''), o.name, i.org) AS org_name_en,
           coalesce(o.timezone, 'Asia/Shanghai') AS timezone,
           coalesce(a.codes, '{}') AS codes, coalesce(a.alerts, 0) AS alerts, coalesce(a.open_alerts, 0) AS open_alerts
    FROM incident i
    LEFT JOIN wearer w ON w.wearer_no = i.wearer_no AND upper_inf(w.recorded)
    LEFT JOIN org o ON o.id = i.org AND upper_inf(o.recorded)
    LEFT JOIN LATERAL (
        SELECT array_agg(code ORDER BY refuted, priority DESC, code) AS codes,
               sum(alerts)::integer AS alerts, sum(open_alerts)::integer AS open_alerts
        FROM (SELECT code, bool_and(state = 'retracted') AS refuted, max(priority) AS priority,
                     count(*) AS alerts, count(*) FILTER (WHERE state = 'open') AS open_alerts
              FROM alert WHERE alert.incident_id = i.incident_id GROUP BY code) AS by_code
    ) AS a ON true
"""
_SEEN: Final = " (%(orgs)s::text[] IS NULL OR i.org = ANY (%(orgs)s)) "
_QUEUE: Final = (
    _INCIDENT
    + " WHERE i.state <> 'closed' AND "
    + _SEEN
    + " ORDER BY i.priority DESC, i.opened_at DESC, i.incident_id LIMIT %(limit)s"
)
_CLOSED: Final = (
    _INCIDENT + " WHERE i.state = 'closed' AND " + _SEEN + " ORDER BY i.closed_at DESC, i.incident_id LIMIT %(limit)s"
)
_ONE: Final = _INCIDENT + " WHERE i.incident_id = %(incident_id)s AND " + _SEEN
_SEVERAL: Final = _INCIDENT + " WHERE i.incident_id = ANY (%(incident_ids)s)"
_ALERTS: Final = """
    SELECT alert_id, code, priority, subject,
           CASE WHEN alert.device_no = 0 THEN '' ELSE coalesce(device.id, '#' || alert.device_no) END AS device,
           state, onset_at, opened_at, cleared_at, rule_version, historic, evidence
    FROM alert LEFT JOIN device ON device.device_no = alert.device_no AND upper_inf(device.recorded)
    WHERE incident_id = %(incident_id)s
    ORDER BY opened_at DESC, alert_id
    LIMIT 100
"""
_TRACK: Final = """
    SELECT event_time, lat, lon, nullif(accuracy_m, 'NaN') AS accuracy_m
    FROM incident i
    JOIN LATERAL (
        SELECT min(onset_at) - %(around)s AS since,
               CASE WHEN i.state = 'closed' THEN max(coalesce(cleared_at, opened_at)) + %(around)s END AS until
        FROM alert WHERE alert.incident_id = i.incident_id
    ) AS span ON true
    JOIN position p ON p.wearer_no = i.wearer_no AND p.event_time >= span.since
                   AND p.event_time <= coalesce(span.until, 'infinity')
    WHERE i.incident_id = %(incident_id)s
    ORDER BY p.event_time DESC
    LIMIT 500
"""
_SAVE_OPERATOR: Final = """
    INSERT INTO operator (name, password_hash, org, changes_rules) VALUES (%s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash, org = excluded.org,
                                     changes_rules = excluded.changes_rules
"""


def add_operator(
    connection: Connection, name: str, password_hash: str, org: str | None, *, changes_rules: bool = False
) -> None:
    """Add an account, or give it a new password, org and right; ``StoreError`` for an org not in the registry."""
    if org and not scalar(connection, "SELECT EXISTS (SELECT FROM org WHERE id = %s AND upper_inf(recorded))", [org]):
        raise StoreError(f"operator {name}: the registry has no org {org!r}; import it first, or choose another")
    connection.execute(_SAVE_OPERATOR, (name, password_hash, org, changes_rules))


async def find_operator(session: AsyncSession, name: str) -> Operator | None:
    """The account of that name."""
    return await _one(session, Operator, _OPERATOR, name=name)


async def open_incidents(session: AsyncSession, orgs: Orgs, limit: int) -> list[IncidentView]:
    """Incidents that wait for somebody: gravest first, then newest."""
    return await rows(session, IncidentView, _QUEUE, orgs=orgs, limit=limit)


async def closed_incidents(session: AsyncSession, orgs: Orgs, limit: int) -> list[IncidentView]:
    """Incidents that were closed, the last one first."""
    return await rows(session, IncidentView, _CLOSED, orgs=orgs, limit=limit)


async def find_incident(session: AsyncSession, orgs: Orgs, incident_id: UUID) -> IncidentView | None:
    """One incident, or None where there is none among ``orgs``."""
    return await _one(session, IncidentView, _ONE, orgs=orgs, incident_id=incident_id)


async def incidents_of(session: AsyncSession, incident_ids: Sequence[UUID]) -> list[IncidentView]:
    """Incidents by id, whosever they are: for the live feed, which decides for each listener."""
    return await rows(session, IncidentView, _SEVERAL, incident_ids=list(incident_ids))


async def alerts_of(session: AsyncSession, incident_id: UUID) -> list[AlertView]:
    """The newest hundred alerts of an incident, newest first."""
    return await rows(session, AlertView, _ALERTS, incident_id=incident_id)


async def track_of(session: AsyncSession, incident_id: UUID) -> list[TrackPoint]:
    """The wearer's newest 500 fixes from ``AROUND`` before the incident's onset, newest first."""
    return await rows(session, TrackPoint, _TRACK, incident_id=incident_id, around=AROUND)


async def rows(session: AsyncSession, kind: type[Row], query: LiteralString, **facts: object) -> list[Row]:
    """Every row of an answer, as ``kind``."""
    async with session.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(query, facts)
        return await cursor.fetchall()


async def _one(session: AsyncSession, kind: type[Row], query: LiteralString, **facts: object) -> Row | None:
    return next(iter(await rows(session, kind, query, **facts)), None)
