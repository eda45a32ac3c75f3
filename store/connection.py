"""Connections to the store, and its errors in our words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg
from psycopg import conninfo

from store.errors import StoreError, StoreUnavailable

Connection = psycopg.Connection[tuple[Any, ...]]
Parameters = Sequence[Any] | Mapping[str, Any]

CONNECT_TIMEOUT_S: Final = 5


def where(url: str) -> str:
    """The address in a connection string, without user or password.

    >>> where("postgresql://alice:secret@db.example:5433/shouhuan")
    'db.example:5433/shouhuan'
    >>> where("db.example")
    'an unreadable address'
    """
    try:
        facts = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "an unreadable address"
    return f"{facts.get('host', 'localhost')}:{facts.get('port', 5432)}/{facts.get('dbname', '')}"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise psycopg's errors as ours: ``StoreUnavailable`` where trying again helps, else ``StoreError``.

    Not chained: psycopg's own text may hold the row that was refused, and a traceback would print it.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnavailable(where(url), first_line(error)) from None
    except psycopg.Error as error:
        raise StoreError(f"the database at {where(url)} refused: {first_line(error)}") from None


def connect(url: str, *, autocommit: bool = False) -> Connection:
    """A new connection whose session speaks UTC.

    Raises ``StoreUnavailable`` where nobody answers, ``StoreError`` for a URL that cannot be read.
    """
    with translated(url):
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
        connection.execute("SET TIME ZONE 'UTC'")
        connection.autocommit = autocommit
        return connection


def first_line(error: Exception) -> str:
    r"""What went wrong, without the details of a second line: they may hold a row.

    >>> first_line(ValueError("new row violates a constraint\nDETAIL: failing row contains (7, 26.58, 101.71)"))
    'new row violates a constraint'
    """
    return str(error).strip().partition("\n")[0] or type(error).__name__


class Link:
    """A connection made when it is first needed, and anew after it was lost; for one thread at a time.

    ``prepare`` does to each new connection what its user needs of it.
    """

    def __init__(
        self, url: str, *, autocommit: bool = False, prepare: Callable[[Connection], object] = lambda _: None
    ) -> None:
        self._url = url
        self._autocommit = autocommit
        self._prepare = prepare
        self._connection: Connection | None = None

    def open(self) -> Connection:
        """The connection; raises as ``connect`` does, and what ``prepare`` raises."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, autocommit=self._autocommit)
            self._prepare(self._connection)
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The connection within a transaction; raises ``StoreUnavailable`` or ``StoreError``."""
        with translated(self._url):
            connection = self.open()
            with connection.transaction():
                yield connection

    def close(self) -> None:
        """Give the connection back; a later call makes a new one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def scalar(connection: Connection, query: LiteralString, parameters: Parameters = ()) -> Any:  # noqa: ANN401 - any SQL type
    """The first column of the first row of an answer; None where there is no row."""
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]
