"""Our own retention job: what is older than allowed is deleted, whichever edition keeps it."""

from datetime import datetime, timedelta
from typing import Final

from psycopg import sql

from store.connection import Connection, scalar

TIME_COLUMNS: Final = {
    "position": "event_time",
    "vitals": "event_time",
    "device_status": "event_time",
    "journal": "ingest_time",
    "dead_letter": "received_at",
    "command": "asked_at",
}
"""What is deleted by age; alerts and incidents are records of the proceedings and stay."""

_IS_HYPERTABLE: Final = "SELECT true FROM timescaledb_information.hypertables WHERE hypertable_name = %s"


def apply_retention(connection: Connection, now: datetime, days: int) -> dict[str, int]:
    """Delete what is more than ``days`` older than ``now``; returns how many rows of each table went.

    Where a table is a hypertable its old chunks are dropped whole, which gives the disk space back at once.
    Each step is a transaction of its own unless the caller is in one: it runs beside the writers for long.
    """
    before = now - timedelta(days=days)
    return {table: _delete(connection, table, column, before) for table, column in TIME_COLUMNS.items()}


def _delete(connection: Connection, table: str, column: str, before: datetime) -> int:
    old = sql.SQL("FROM {} WHERE {} < %s").format(sql.Identifier(table), sql.Identifier(column))
    dropped = _drop_chunks(connection, table, old, before) if _is_hypertable(connection, table) else 0
    # The chunk in which the limit falls stays, and with it what has no place here any more.
    with connection.transaction():
        return dropped + connection.execute(sql.SQL("DELETE {}").format(old), (before,)).rowcount


def _drop_chunks(connection: Connection, table: str, old: sql.Composed, before: datetime) -> int:
    """How many rows went with the chunks that are wholly too old."""
    # Counting in the transaction that drops would ask for a stronger lock on what it reads: a deadlock in waiting.
    counted = _count(connection, old, before)
    with connection.transaction():
        connection.execute("SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz)", (table, before))
    return counted - _count(connection, old, before)


def _count(connection: Connection, old: sql.Composed, before: datetime) -> int:
    with connection.transaction():
        row = connection.execute(sql.SQL("SELECT count(*) {}").format(old), (before,)).fetchone()
    return 0 if row is None else int(row[0])


def _is_hypertable(connection: Connection, table: str) -> bool:
    with connection.transaction():
        if scalar(connection, "SELECT true FROM pg_extension WHERE extname = 'timescaledb'") is None:
            return False
        return scalar(connection, _IS_HYPERTABLE, (table,)) is not None
