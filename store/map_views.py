"""What the console's map shows: everybody who wears a band, and the zones in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg.rows import kwargs_row

from schemas.registry import Zone
from store.views import AsyncSession, Orgs, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class WearerView:
    """A wearer at present; without an order in force there is no position to show.

    ``fix_at`` is when the newest fix was made, ``heard_at`` what the band's newest reading says of its time;
    ``codes`` are the live alerts that still hold.
    """

    wearer: str
    wearer_name: str
    grade: str
    minor: bool
    org: str
    order_until: datetime | None
    lat: float | None
    lon: float | None
    accuracy_m: float | None
    fix_at: datetime | None
    heard_at: datetime | None
    silence_after_s: float
    battery_pct: float | None
    charging: bool
    codes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgView:
    """An org for which a zone may be drawn."""

    org: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """Hours that a zone may hold in; ``windows`` are those of the week."""

    schedule: str
    timezone: str
    windows: list[dict[str, Any]]


# A band may have served somebody else before: only fixes of this wearer, since it was put on, are theirs.
_WEARERS: Final = """
    SELECT w.id AS wearer, w.name AS wearer_name, w.grade, w.minor, w.org, ord.until AS order_until,
           p.lat, p.lon, nullif(p.accuracy_m, 'NaN') AS accuracy_m,
           p.event_time - make_interval(secs => coalesce(nullif(p.age_s, 'NaN'), 0)) AS fix_at,
           greatest(p.event_time, s.event_time) AS heard_at, coalesce(g.silence_after_s, 1200) AS silence_after_s,
           nullif(s.battery_pct, 'NaN') AS battery_pct, coalesce(s.charging = 1, false) AS charging,
           coalesce(held.codes, '{}') AS codes
    FROM wearer w
    JOIN assignment a ON a.wearer = w.id AND upper_inf(a.recorded) AND a.validity @> %(now)s
    JOIN device d ON d.id = a.device AND upper_inf(d.recorded)
    LEFT JOIN grade_plan g ON g.grade = w.grade AND upper_inf(g.recorded)
    LEFT JOIN (
        SELECT wearer, max(upper(validity)) AS until FROM supervision_order
        WHERE upper_inf(recorded) AND validity @> %(now)s GROUP BY wearer
    ) AS ord ON ord.wearer = w.id
    LEFT JOIN (
        SELECT incident.wearer_no, array_agg(DISTINCT alert.code) AS codes
        FROM incident JOIN alert USING (incident_id)
        WHERE incident.state <> 'closed' AND alert.state = 'open' AND NOT alert.historic
        GROUP BY incident.wearer_no
    ) AS held ON held.wearer_no = w.wearer_no
    LEFT JOIN LATERAL (
        SELECT event_time, lat, lon, accuracy_m, age_s FROM position
        WHERE device_no = d.device_no AND wearer_no = w.wearer_no AND event_time >= lower(a.validity)
          AND ord.until IS NOT NULL
        ORDER BY event_time DESC, seq DESC LIMIT 1
    ) AS p ON true
    LEFT JOIN LATERAL (
        SELECT event_time, battery_pct, charging FROM device_status
        WHERE device_no = d.device_no AND wearer_no = w.wearer_no AND event_time >= lower(a.validity)
        ORDER BY event_time DESC, seq DESC LIMIT 1
    ) AS s ON true
    WHERE upper_inf(w.recorded) AND w.validity @> %(now)s
      AND (%(orgs)s::text[] IS NULL OR w.org = ANY (%(orgs)s))
    ORDER BY w.id
"""
_ZONE: Final = """
    SELECT id, org, name, kind, datum, geometry, radius_m, width_m, approach_m, dwell_s, wearers, schedule,
           lower(validity) AS valid_from, upper(validity) AS valid_to, version FROM zone
    WHERE upper_inf(recorded) AND (%(orgs)s::text[] IS NULL OR org = ANY (%(orgs)s))
"""
_ZONES: Final = _ZONE + " AND validity @> %(now)s ORDER BY id"
_ZONE_BY_ID: Final = _ZONE + " AND id = %(zone_id)s"
_ORGS: Final = """
    SELECT id AS org, name, coalesce(nullif(name_en, ''), name) AS name_en FROM org
    WHERE upper_inf(recorded) AND (%(orgs)s::text[] IS NULL OR id = ANY (%(orgs)s)) ORDER BY id
"""
_SCHEDULES: Final = "SELECT id AS schedule, timezone, windows FROM schedule WHERE upper_inf(recorded) ORDER BY id"


async def wearers_at(session: AsyncSession, orgs: Orgs, now: datetime) -> list[WearerView]:
    """Everybody who wears a band at ``now``."""
    return await rows(session, WearerView, _WEARERS, orgs=orgs, now=now)


async def zones_at(session: AsyncSession, orgs: Orgs, now: datetime) -> list[Zone]:
    """The zones in force at ``now``."""
    return await _zones(session, _ZONES, orgs=orgs, now=now)


async def find_zone(session: AsyncSession, orgs: Orgs, zone_id: str) -> Zone | None:
    """A zone in force or not, or None where there is none among ``orgs``."""
    return next(iter(await _zones(session, _ZONE_BY_ID, orgs=orgs, zone_id=zone_id)), None)


async def orgs_of(session: AsyncSession, orgs: Orgs) -> list[OrgView]:
    """The orgs that an operator sees."""
    return await rows(session, OrgView, _ORGS, orgs=orgs)


async def schedules_of(session: AsyncSession) -> list[ScheduleView]:
    """All schedules; they are nobody's."""
    return await rows(session, ScheduleView, _SCHEDULES)


async def _zones(session: AsyncSession, query: LiteralString, **facts: object) -> list[Zone]:
    async with session.cursor(row_factory=kwargs_row(_zone)) as cursor:
        await cursor.execute(query, facts)
        return await cursor.fetchall()


def _zone(**columns: Any) -> Zone:  # noqa: ANN401 - the columns of the table
    return msgspec.convert(columns, Zone)
