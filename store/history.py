"""The past as it was stored: an alert with its events, one band's readings, the registry as it was believed.

What ``shouhuan explain`` re-derives a verdict from. Answers are those of one connection; nothing here
decides, and nothing but the audit is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
from psycopg import sql
from psycopg.rows import class_row

from schemas.alerts import CAME_TRUE, AlertCode
from schemas.judging import Released
from schemas.readings import DTYPES, Readings, absent_value
from schemas.registry import NumberedRegistry
from store.acts import Act
from store.connection import Connection, scalar
from store.copy import SERIES, Series
from store.registry_tables import TABLES, Current, document

CLOCK_AHEAD: Final = timedelta(days=1)
"""No reading is stored whose band's clock was further ahead of ours."""


class Confirmed(NamedTuple):
    """An alert that people said was true: its band, its code, and from when to when it was."""

    device: str
    code: AlertCode
    from_ms: int
    to_ms: int


_BATCHES_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """An alert as it opened, and how it stands; ``evidence`` is that of its opening event.

    ``ingest_at`` is when the deciding reading reached us: None where a tick decided, or the reading is gone.
    ``device`` and ``wearer`` are empty for an alert of a site.
    """

    alert_id: UUID
    code: str
    subject: str
    state: str
    org: str
    org_name: str
    org_name_en: str
    timezone: str
    device: str
    wearer: str
    device_no: int
    wearer_no: int
    onset_at: datetime
    opened_at: datetime
    seq: int | None
    rule_version: int
    evidence: dict[str, Any]
    firmware: str | None
    ingest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One step in an alert's life: on the body's clock, and when it was committed."""

    transition: str
    at: datetime
    committed_at: datetime
    evidence: dict[str, Any]


class Version(NamedTuple):
    """A version of the registry and since when it was believed."""

    number: int
    since: datetime


class TimedRelease(NamedTuple):
    """A latched alert that a person closed, and when."""

    at: datetime
    released: Released


# Evidence grows with updates: the verdict to re-derive is the one that opened the alert. It may have been decided at
# the time of a fix, which lies before that of the reading that brought it.
_ALERT: Final = """
    SELECT a.alert_id, a.code, a.subject, a.state, i.org, coalesce(o.name, i.org) AS org_name,
           coalesce(nullif(o.name_en, ''), o.name, i.org) AS org_name_en,
           coalesce(o.timezone, 'Asia/Shanghai') AS timezone,
           CASE WHEN a.device_no = 0 THEN '' ELSE coalesce(d.id, '#' || a.device_no) END AS device,
           CASE WHEN a.wearer_no = 0 THEN '' ELSE coalesce(w.id, '#' || a.wearer_no) END AS wearer,
           a.device_no, a.wearer_no, a.onset_at, a.opened_at, a.seq, a.rule_version,
           coalesce(e.evidence, a.evidence) AS evidence,
           (SELECT firmware FROM device_firmware f WHERE f.device_no = a.device_no AND f.first_seen <= a.opened_at
            ORDER BY first_seen DESC LIMIT 1) AS firmware,
           (SELECT ingest_time FROM (
                SELECT device_no, seq, event_time, ingest_time FROM position
                UNION ALL SELECT device_no, seq, event_time, ingest_time FROM vitals
                UNION ALL SELECT device_no, seq, event_time, ingest_time FROM device_status) AS reading
            WHERE device_no = a.device_no AND seq = a.seq
              AND event_time BETWEEN a.opened_at AND a.opened_at + interval '1 day'
            ORDER BY event_time LIMIT 1) AS ingest_at
    FROM alert a JOIN incident i USING (incident_id)
    LEFT JOIN alert_event e ON e.alert_id = a.alert_id AND e.transition = 'opened' AND e.at = a.opened_at
    LEFT JOIN org o ON o.id = i.org AND upper_inf(o.recorded)
    LEFT JOIN device d ON d.device_no = a.device_no AND upper_inf(d.recorded)
    LEFT JOIN wearer w ON w.wearer_no = a.wearer_no AND upper_inf(w.recorded)
    WHERE a.alert_id = %s
"""
_EVENTS: Final = """
    SELECT transition, at, committed_at, evidence FROM alert_event WHERE alert_id = %s ORDER BY at, committed_at
"""
_ORDER: Final = """
    SELECT EXISTS (SELECT FROM supervision_order WHERE wearer = %s AND upper_inf(recorded) AND validity @> %s)
"""
_RELEASES: Final = """
    SELECT i.closed_at, a.device_no, a.code, round(extract(epoch FROM a.onset_at) * 1000)::bigint
    FROM incident i JOIN alert a USING (incident_id)
    WHERE i.state = 'closed' AND a.device_no = %s AND i.closed_at BETWEEN %s AND %s
    ORDER BY i.closed_at
"""
_AUDIT: Final = """
    INSERT INTO audit (at, operator, action, subject, allowed, detail)
    VALUES (%(at)s, %(operator)s, %(action)s, %(subject)s, %(allowed)s, %(detail)s)
"""
_KEY: Final = ("device_no", "event_time", "seq")


def find_alert(connection: Connection, alert_id: UUID) -> StoredAlert | None:
    """The alert of that id."""
    with connection.cursor(row_factory=class_row(StoredAlert)) as cursor:
        return cursor.execute(_ALERT, (alert_id,)).fetchone()


def events_of(connection: Connection, alert_id: UUID) -> list[StoredEvent]:
    """The life of an alert, oldest step first."""
    with connection.cursor(row_factory=class_row(StoredEvent)) as cursor:
        return cursor.execute(_EVENTS, (alert_id,)).fetchall()


def has_order(connection: Connection, wearer: str, now: datetime) -> bool:
    """Whether a supervision order covers a wearer at a moment, as is believed now."""
    return bool(scalar(connection, _ORDER, (wearer, now)))


def readings_of(connection: Connection, device_no: int, since: datetime, until: datetime) -> Readings:
    """One band's readings with an event time from ``since`` on that had reached us by ``until``, in order of receipt.

    Firmware is not part of the series; that column is empty.
    """
    facts = {"device_no": device_no, "since": since, "until": until, "event_until": until + CLOCK_AHEAD}
    names = [name for name in DTYPES if name != "firmware"]
    rows = connection.execute(_READINGS, facts).fetchall()
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return Readings.of(
        **{
            name: np.array([absent_value(name) if value is None else value for value in column], DTYPES[name])
            for name, column in zip(names, columns, strict=True)
        }
    )


def releases_of(connection: Connection, device_no: int, since: datetime, until: datetime) -> list[TimedRelease]:
    """What people closed of a band's alerts within a span, oldest first."""
    rows = connection.execute(_RELEASES, (device_no, since, until)).fetchall()
    return [TimedRelease(at, Released(number, AlertCode(code), onset_ms)) for at, number, code, onset_ms in rows]


def journal_size(connection: Connection) -> int:
    """How many batches the journal holds."""
    return int(scalar(connection, "SELECT count(*) FROM journal"))


def journal_batches(connection: Connection) -> Iterator[Readings]:
    """Every batch of the journal, of all partitions, in the order in which they came; few are held at a time."""
    with connection.transaction(), connection.cursor("journal") as cursor:
        cursor.itersize = _BATCHES_AT_ONCE
        cursor.execute("SELECT batch FROM journal ORDER BY ingest_time, partition, batch_no")
        for (batch,) in cursor:
            yield Readings.from_bytes(batch)


def confirmed_alerts(connection: Connection) -> list[Confirmed]:
    """What people said had truly happened, when they closed incidents; ends with the alert, or with its incident.

    What happened to a site happened to each of its bands that the evidence names.
    """
    causes = sorted(cause.value for cause in CAME_TRUE)
    return [
        Confirmed(device, AlertCode(code), *times) for device, code, *times in connection.execute(_CONFIRMED, (causes,))
    ]


def versions(connection: Connection) -> list[Version]:
    """Every version of the registry that is not wholly forgotten, oldest first.

    A version replaced at the instant at which it was made has left no trace, for nobody was judged by it.
    """
    return [Version(number, since) for number, since in connection.execute(_VERSIONS)]


def registry_as_of(connection: Connection, version: Version) -> NumberedRegistry:
    """What was believed from a version until the next one, numbered as ``store.registry.load_registry`` does."""
    row = connection.execute(_REGISTRY_AS_OF, {"version": version.number, "moment": version.since}).fetchone()
    believed = msgspec.json.decode(row[0] if row else b"", type=Current)
    return NumberedRegistry(believed.registry, believed.device_no, believed.wearer_no, believed.version)


def audit_look(connection: Connection, act: Act) -> None:
    """Write a line of the audit, as part of the caller's transaction."""
    facts = {name: getattr(act, name) for name in ("at", "operator", "action", "subject", "allowed", "detail")}
    connection.execute(_AUDIT, facts)


def _band(series: Series) -> sql.Composed:
    """One series of the band, cut before it is joined: a condition on the joined rows would read all of them."""
    return sql.SQL(
        "(SELECT * FROM {} WHERE device_no = %(device_no)s AND event_time BETWEEN %(since)s AND %(event_until)s "
        "AND ingest_time <= %(until)s) AS {}"
    ).format(sql.Identifier(series.table), sql.Identifier(series.table))


def _readings() -> sql.Composed:
    """All series of a band side by side, in the order of ``DTYPES``."""
    found = {reading: _column(column, reading) for series in SERIES for column, reading in series.columns.items()}
    columns = sql.SQL(", ").join(found[name] for name in DTYPES if name in found)
    key = sql.SQL(", ").join(map(sql.Identifier, _KEY))
    joined = sql.SQL(" FULL JOIN ").join(
        sql.SQL("{} USING ({})").format(_band(series), key) if number else _band(series)
        for number, series in enumerate(SERIES)
    )
    return sql.SQL("SELECT {} FROM {} ORDER BY ingest_ms, event_ms, seq").format(columns, joined)


def _column(column: str, reading: str) -> sql.Composed:
    name: sql.Composable = sql.Identifier(column)
    if column in {"wearer_no", "ingest_time"}:
        name = sql.SQL("coalesce({})").format(
            sql.SQL(", ").join(sql.Identifier(series.table, column) for series in SERIES)
        )
    value = sql.SQL("round(extract(epoch FROM {}) * 1000)::bigint") if column.endswith("_time") else sql.SQL("{}")
    return sql.SQL("{} AS {}").format(value.format(name), sql.Identifier(reading))


_READINGS: Final = _readings()
_CONFIRMED: Final = """
    SELECT coalesce(d.id, band), a.code, round(extract(epoch FROM a.onset_at) * 1000)::bigint,
           round(extract(epoch FROM coalesce(a.cleared_at, i.closed_at)) * 1000)::bigint
    FROM alert a JOIN incident i USING (incident_id)
    LEFT JOIN device d ON d.device_no = a.device_no AND upper_inf(d.recorded)
    LEFT JOIN LATERAL jsonb_array_elements_text(a.evidence -> 'bands') AS band ON a.device_no = 0
    WHERE i.close_cause = ANY(%s) AND a.state <> 'retracted' AND coalesce(d.id, band) IS NOT NULL
    ORDER BY a.onset_at, band
"""
_BELIEVED: Final = sql.SQL("version <= %(version)s AND (upper_inf(recorded) OR upper(recorded) > %(moment)s)")
_REGISTRY_AS_OF: Final = document(_BELIEVED, sql.SQL("%(version)s::bigint"))
_EVER: Final = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT version, lower(recorded) AS since FROM {}").format(sql.Identifier(table.name)) for table in TABLES
)
_VERSIONS: Final = sql.SQL(
    "SELECT version, min(since) FROM ({}) AS rows WHERE since IS NOT NULL GROUP BY version ORDER BY version"
).format(_EVER)
