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
}
"""What is deleted by age; alerts and incidents are records of the proceedings and stay."""

_IS_HYPERTABLE: Final = "SELECT true FROM timescaledb_information.hypertables WHERE hypertable_name = %s"


def apply_retention(connection: Connection, now: datetime, days: int) -> dict[str, int]:
    """Delete what is more than ``days`` older than ``now``; returns how many rows of each table went.

    Where a table is a hypertable its old chunks are dropped whole, which gives the disk space back at once.
    """
    before = now - timedelta(days=days)
    with connection.transaction():
        return {table: _delete(connection, table, column, before) for table, column in TIME_COLUMNS.items()}


def _delete(connection: Connection, table: str, column: str, before: datetime) -> int:
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    if not _is_hypertable(connection, table):
        return connection.execute(
            sql.SQL("DELETE FROM {table} WHERE {column} < %s").format(**names), (before,)
        ).rowcount
    count = connection.execute(sql.SQL("SELECT count(*) FROM {table} WHERE {column} < %s").format(**names), (before,))
    row = count.fetchone()
    connection.execute("SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz)", (table, before))
    # The chunk in which the limit falls stays, and so would a day of what has no place here any more.
    connection.execute(sql.SQL("DELETE FROM {table} WHERE {column} < %s").format(**names), (before,))
    return 0 if row is None else int(row[0])


def _is_hypertable(connection: Connection, table: str) -> bool:
    if scalar(connection, "SELECT true FROM pg_extension WHERE extname = 'timescaledb'") is None:
        return False
    return scalar(connection, _IS_HYPERTABLE, (table,)) is not None
