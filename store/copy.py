"""Series rows by binary COPY: one numpy structured array whose layout is the wire row.

The format is PostgreSQL's (``COPY``, "Binary Format"): a row is an int16 count of fields, then an
int32 length and the big-endian value of each. Every column of a series has a fixed width, so a
batch of rows is one array and sending it is one write; no Python object is made for a row.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from schemas.readings import DEVICE_COLUMNS, DTYPES, FIX_COLUMNS, VITALS_COLUMNS, Readings
from store.connection import Connection

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
POSTGRES_EPOCH_MS: Final = 946_684_800_000
"""2000-01-01 UTC, from which a timestamptz counts microseconds."""

_WIRE: Final = {"i1": ">i2", "i4": ">i4", "i8": ">i8", "f4": ">f4", "f8": ">f8"}
"""Our column types as PostgreSQL has them; its smallest integer has two bytes."""

_KEY: Final = {
    "device_no": "device", "wearer_no": "wearer", "event_time": "event_ms", "ingest_time": "ingest_ms", "seq": "seq",
}  # fmt: skip


class Series(NamedTuple):
    """A series table: its columns (table name to readings name), its wire row, and which readings belong in it."""

    table: str
    columns: dict[str, str]
    row: np.dtype[np.void]
    belongs: Callable[[Readings], NDArray[np.bool_]]

    @property
    def statement(self) -> sql.Composed:
        """The COPY command that takes the rows."""
        names = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(self.table), names)


def _series(table: str, names: tuple[str, ...], belongs: Callable[[Readings], NDArray[np.bool_]]) -> Series:
    columns = _KEY | {name: name for name in names if name != "firmware"}
    row: list[tuple[str, str]] = [("fields", ">i2")]
    for column, name in columns.items():
        row += [(f"{column}:length", ">i4"), (column, _WIRE[np.dtype(DTYPES[name]).str[1:]])]
    return Series(table, columns, np.dtype(row), belongs)


SERIES: Final = (
    _series("position", FIX_COLUMNS, lambda readings: readings.has_fix),
    _series("vitals", VITALS_COLUMNS, lambda readings: readings.has_vitals),
    _series("device_status", DEVICE_COLUMNS, lambda readings: readings.has_device),
)
"""In the order in which every writer fills them, so that two writers cannot wait for each other."""


def wire_rows(series: Series, readings: Readings) -> NDArray[np.void]:
    """All readings as rows of a series, ready to send.

    >>> rows = wire_rows(SERIES[0], Readings.of(device=[7], lat=[26.5], lon=[101.7]))
    >>> rows.tobytes()[:10].hex(" ")
    '00 0f 00 00 00 04 00 00 00 07'
    """
    rows = np.empty(len(readings), series.row)
    rows["fields"] = len(series.columns)
    for column, name in series.columns.items():
        rows[f"{column}:length"] = series.row[column].itemsize
        rows[column] = _wire_values(name, getattr(readings, name))
    return rows


def copy_series(connection: Connection, series: Series, readings: Readings) -> int:
    """Send the readings that belong in a series, in their order; returns how many rows that were.

    Raises ``psycopg.errors.UniqueViolation`` where one is stored already.
    """
    mine = series.belongs(readings)
    if not mine.any():
        return 0
    rows = wire_rows(series, readings if mine.all() else readings.take(mine))
    with connection.cursor() as cursor, cursor.copy(series.statement) as copy:
        copy.write(HEADER)
        copy.write(rows.tobytes())
        copy.write(TRAILER)
    return len(rows)


def _wire_values(name: str, values: NDArray[Any]) -> NDArray[Any]:
    return (values - POSTGRES_EPOCH_MS) * 1000 if name.endswith("_ms") and name in _KEY.values() else values
