"""What people do in the console: acknowledge, close, sign in; and the audit, which keeps refused attempts too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from schemas.alerts import KINDS, CloseCause, IncidentState
from store.connection import Connection
from store.views import AsyncSession

LATCHING: Final = [code.value for code, kind in KINDS.items() if kind.latching]


@dataclass(frozen=True, slots=True)
class LockedIncident:
    """An incident that nobody else changes until the transaction ends."""

    state: IncidentState
    latching: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A line of the audit: who did or tried what, on whom or what, and whether it was allowed."""

    at: datetime
    operator: str
    action: str
    subject: str
    allowed: bool = True
    detail: str = ""


_LOCK: Final = """
    SELECT state, EXISTS (SELECT FROM alert WHERE alert.incident_id = incident.incident_id AND code = ANY (%s))
    FROM incident WHERE incident_id = %s FOR UPDATE OF incident
"""
_ACKNOWLEDGE: Final = """
    UPDATE incident SET state = 'acknowledged', updated_at = %(now)s,
                        acknowledged_by = %(by)s, acknowledged_at = %(now)s
    WHERE incident_id = %(incident_id)s
"""
_CLOSE: Final = """
    UPDATE incident SET state = 'closed', closed_by = %(by)s, closed_at = %(now)s, updated_at = %(now)s,
                        close_cause = %(cause)s, close_note = %(note)s
    WHERE incident_id = %(incident_id)s
"""
# No reading ends what is latched: closing does.
_END_LATCHED: Final = """
    WITH ended AS (
        UPDATE alert SET state = 'cleared', cleared_at = %(now)s
        WHERE incident_id = %(incident_id)s AND state = 'open' AND code = ANY (%(latching)s)
        RETURNING alert_id, code, device_no, wearer_no
    )
    INSERT INTO alert_event (alert_id, transition, at, code, device_no, wearer_no, evidence)
    SELECT alert_id, 'cleared', %(now)s, code, device_no, wearer_no, %(evidence)s FROM ended
"""
_TELL: Final = """
    SELECT pg_notify('shouhuan_incident', json_build_object(
        'incident_id', %s::uuid, 'alert_id', NULL, 'transition', %s::text)::text)
"""
_AUDIT: Final = """
    INSERT INTO audit (at, operator, action, subject, allowed, detail)
    VALUES (%(at)s, %(operator)s, %(action)s, %(subject)s, %(allowed)s, %(detail)s)
"""
_AUDIT_HOURLY: Final = """
    INSERT INTO audit (at, operator, action, subject, allowed)
    SELECT %(at)s::timestamptz, %(operator)s, %(action)s, %(subject)s, %(allowed)s
    WHERE NOT EXISTS (SELECT FROM audit WHERE subject = %(subject)s AND operator = %(operator)s AND action = %(action)s
                      AND at > %(at)s::timestamptz - interval '1 hour')
"""
_ACTS: Final = """
    SELECT at, operator, action, subject, allowed, detail FROM audit
    WHERE subject = %s AND action = ANY (%s) AND allowed ORDER BY at DESC LIMIT 100
"""
_REFUSALS: Final = "SELECT count(*) FROM audit WHERE subject = %s AND action = %s AND NOT allowed AND at > %s"


async def lock_incident(session: AsyncSession, incident_id: UUID) -> LockedIncident:
    """Hold an existing incident until the transaction ends."""
    cursor = await session.execute(_LOCK, (LATCHING, incident_id))
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - incidents are never deleted
    return LockedIncident(IncidentState(row[0]), row[1])


async def mark_acknowledged(session: AsyncSession, incident_id: UUID, by: str, now: datetime) -> None:
    """Write that somebody has taken the incident, and tell everybody."""
    await session.execute(_ACKNOWLEDGE, {"incident_id": incident_id, "by": by, "now": now})
    await session.execute(_TELL, (incident_id, IncidentState.ACKNOWLEDGED.value))


async def mark_closed(
    session: AsyncSession, incident_id: UUID, by: str, now: datetime, cause: CloseCause, note: str
) -> None:
    """Write why the incident ended, end its latched alerts, and tell everybody."""
    facts = {"incident_id": incident_id, "by": by, "now": now, "cause": cause.value, "note": note}
    await session.execute(_CLOSE, facts)
    ended = {"latching": LATCHING, "evidence": Jsonb({"ended_by": "person", "cause": cause.value})}
    await session.execute(_END_LATCHED, {**facts, **ended})
    await session.execute(_TELL, (incident_id, IncidentState.CLOSED.value))


async def audit(session: AsyncSession, act: Act) -> None:
    """Write a line of the audit."""
    await session.execute(_AUDIT, _facts(act))


def audit_with(connection: Connection, act: Act) -> None:
    """Write a line of the audit within the transaction that does what it tells of."""
    connection.execute(_AUDIT, _facts(act))


async def audit_hourly(session: AsyncSession, act: Act) -> None:
    """Write a line unless the same person's same look is in the last hour's: a live map looks every few seconds."""
    await session.execute(_AUDIT_HOURLY, _facts(act))


async def acts_on(session: AsyncSession, subject: str, actions: list[str]) -> list[Act]:
    """The newest hundred of these actions on a subject, newest first."""
    async with session.cursor(row_factory=class_row(Act)) as cursor:
        await cursor.execute(_ACTS, (subject, actions))
        return await cursor.fetchall()


async def refusals(session: AsyncSession, subject: str, action: str, since: datetime) -> int:
    """How often an action on a subject was refused since a moment."""
    row = await (await session.execute(_REFUSALS, (subject, action, since))).fetchone()
    return 0 if row is None else int(row[0])


async def try_lock(session: AsyncSession, name: str) -> bool:
    """Take a lock of that name until the transaction ends; False where somebody holds it."""
    row = await (await session.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (name,))).fetchone()
    return row is not None and bool(row[0])


def _facts(act: Act) -> dict[str, object]:
    return {name: getattr(act, name) for name in Act.__slots__}
