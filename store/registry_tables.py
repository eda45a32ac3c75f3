"""How registry objects lie in tables: table-driven from their types, with a validity and a recorded range."""

from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from schemas.registry import (
    AlertRule,
    Assignment,
    Calendar,
    Consent,
    Contact,
    Device,
    GradePlan,
    Leave,
    Order,
    Org,
    Registry,
    Schedule,
    Wearer,
    Zone,
)
from store.connection import Connection
from store.registry_parts import KEYS, key_of

_NOT_COLUMNS: Final = {"valid_from", "valid_to", "version"}
_JSON: Final = {"windows", "exceptions", "holiday_windows", "dates", "geometry", "wearers", "places"}
_NOW: Final = sql.SQL("upper_inf(recorded)")
_OF_PEOPLE: Final = {
    "wearer": {"name"},
    "supervision_order": {"document", "approver"},
    "consent": {"document"},
    "leave": {"document", "approver"},
    "contact": {"name", "url"},
}
"""Columns that say who somebody is or how to reach them; the worker's role cannot read them (``roles.sql``)."""


class Table(NamedTuple):
    """A table of registry objects; ``number`` is the column by which series name its rows."""

    name: str
    part: str
    type: type[msgspec.Struct]
    number: str | None = None
    sequence: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that are fields of the object."""
        return tuple(name for name in self.type.__struct_fields__ if name not in _NOT_COLUMNS)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of ``row``."""
        return (*self.fields, *([self.number] if self.number else []), "version", "validity", "recorded")

    def row(self, thing: msgspec.Struct, number: int | None, version: int, now: datetime) -> list[Any]:
        """An object as a row believed from ``now`` on."""
        validity = Range(getattr(thing, "valid_from", None), getattr(thing, "valid_to", None))
        values = [_value(name, getattr(thing, name)) for name in self.fields]
        return [*values, *([number] if self.number else []), version, validity, Range(now, None)]


TABLES: Final = (
    Table("org", "orgs", Org),
    Table("wearer", "wearers", Wearer, "wearer_no", "wearer_number"),
    Table("device", "devices", Device, "device_no", "device_number"),
    Table("assignment", "assignments", Assignment),
    Table("supervision_order", "orders", Order),
    Table("consent", "consents", Consent),
    Table("calendar", "calendars", Calendar),
    Table("schedule", "schedules", Schedule),
    Table("zone", "zones", Zone),
    Table("leave", "leaves", Leave),
    Table("contact", "contacts", Contact),
    Table("grade_plan", "plans", GradePlan),
    Table("alert_rule", "alert_rules", AlertRule),
)


class Current(msgspec.Struct, frozen=True):
    """What the tables believe now, as the one statement of ``read_current`` answers it."""

    registry: Registry
    device_no: dict[str, int]
    wearer_no: dict[str, int]
    version: int


def read_current(connection: Connection, *, nameless: bool = False) -> Current:
    """The current rows of all tables in one statement, so that no import can come between two of them.

    ``nameless`` answers empty text for what says who people are, and does not read it.
    """
    row = connection.execute(document(_NOW, _version(), nameless=nameless)).fetchone()
    return msgspec.json.decode(row[0] if row else b"", type=Current)


def read_version(connection: Connection) -> int:
    """The version of the last import, without the rest."""
    row = connection.execute(_version()).fetchone()
    return 0 if row is None else int(row[0])


def close_rows(connection: Connection, table: Table, things: list[Any], now: datetime) -> None:
    """End the belief in the current rows of these objects; it cannot end before it began."""
    keys = [sql.SQL("lower(validity)") if key == "valid_from" else sql.Identifier(key) for key in KEYS[table.part]]
    statement = sql.SQL(
        "UPDATE {} SET recorded = tstzrange(lower(recorded), greatest(lower(recorded), %s)) "
        "WHERE upper_inf(recorded) AND ({}) = ({})"
    ).format(sql.Identifier(table.name), sql.SQL(", ").join(keys), sql.SQL(", ").join([sql.Placeholder()] * len(keys)))
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(now, *map(_plain, key_of(table.part, thing))) for thing in things])


def insert_rows(connection: Connection, table: Table, rows: list[list[Any]]) -> None:
    """Add rows made by ``Table.row``."""
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def document(believed: sql.Composable, version: sql.Composable, *, nameless: bool = False) -> sql.Composed:
    """The statement that answers a ``Current`` from the rows that a condition holds for."""
    hidden = _OF_PEOPLE if nameless else {}
    parts = sql.SQL(", ").join(
        sql.SQL("{}, ({})").format(table.part, _objects(table, believed, hidden.get(table.name, set())))
        for table in TABLES
    )
    return sql.SQL(
        "SELECT json_build_object('registry', json_build_object({}), 'device_no', ({}), 'wearer_no', ({}), "
        "'version', ({}))::text"
    ).format(parts, _numbers("device", "device_no", believed), _numbers("wearer", "wearer_no", believed), version)


def _version() -> sql.Composed:
    versions = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT max(version) AS v FROM {}").format(sql.Identifier(table.name)) for table in TABLES
    )
    return sql.SQL("SELECT coalesce(max(v), 0) FROM ({}) AS versions").format(versions)


def _objects(table: Table, believed: sql.Composable, hidden: set[str]) -> sql.Composed:
    columns: list[sql.Composable] = [
        sql.SQL("'' AS {}").format(sql.Identifier(name)) if name in hidden else sql.Identifier(name)
        for name in table.fields
    ]
    if "valid_from" in table.type.__struct_fields__:
        columns += [sql.SQL("lower(validity) AS valid_from"), sql.SQL("upper(validity) AS valid_to")]
    if "version" in table.type.__struct_fields__:
        columns.append(sql.SQL("version"))
    order = sql.Identifier(table.number) if table.number else sql.SQL("1, version")
    return sql.SQL(
        "SELECT coalesce(json_agg(thing), '[]') FROM (SELECT {} FROM {} WHERE {} ORDER BY {}) AS thing"
    ).format(sql.SQL(", ").join(columns), sql.Identifier(table.name), believed, order)


def _numbers(table: str, number: str, believed: sql.Composable) -> sql.Composed:
    return sql.SQL("SELECT coalesce(json_object_agg(id, {}), '{{}}') FROM {} WHERE {}").format(
        sql.Identifier(number), sql.Identifier(table), believed
    )


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - a field of any registry object
    if name in _JSON:
        return None if value is None else Jsonb(msgspec.to_builtins(value))
    return _plain(value)


def _plain(value: Any) -> Any:  # noqa: ANN401
    return msgspec.to_builtins(value, builtin_types=(datetime,))
