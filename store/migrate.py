"""Bring a database to the schema of ``store/migrations``, one transaction a file."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from store.connection import Connection, connect, translated
from store.errors import MigrationError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
LOCK: Final = 0x5368_6F75_6875_616E
"""The advisory lock by which two migrators take turns ("Shouhuan" in ASCII)."""

_LEDGER: Final = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        name       text        PRIMARY KEY,
        sha256     text        NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


class Migration(NamedTuple):
    """One file of SQL, known by its name and its content."""

    name: str
    sql: bytes

    @property
    def sha256(self) -> str:
        """The fingerprint by which a changed file is noticed."""
        return hashlib.sha256(self.sql).hexdigest()


def read_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations of a folder in the order of their names."""
    return [Migration(path.name, path.read_bytes()) for path in sorted(folder.glob("*.sql"))]


def not_applied(migrations: list[Migration], applied: dict[str, str]) -> list[Migration]:
    """What is still to do, given the names and hashes of what was done.

    Raises ``MigrationError`` where an applied file has changed since, or is gone.

    >>> done, new = Migration("0001_a.sql", b"SELECT 1"), Migration("0002_b.sql", b"SELECT 2")
    >>> [migration.name for migration in not_applied([done, new], {"0001_a.sql": done.sha256})]
    ['0002_b.sql']
    """
    ours = {migration.name: migration.sha256 for migration in migrations}
    for name, sha256 in applied.items():
        if name not in ours:
            raise MigrationError(name, f"the database has migration {name}, this version does not; run a newer one")
        if ours[name] != sha256:
            raise MigrationError(
                name,
                f"migration {name} was changed after it was applied; restore the file and put the change in a new one",
            )
    return [migration for migration in migrations if migration.name not in applied]


def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and return its names, in order; nothing missing is an empty list.

    Several may call this at once: one works, the others wait and find nothing to do. A file that
    fails leaves the files before it applied and nothing of its own.
    Raises ``StoreUnavailable``, ``MigrationError`` for a changed file, ``StoreError`` for SQL that is refused.
    """
    migrations = read_migrations(folder)
    with translated(url), connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        connection.execute("SET client_min_messages = warning")
        connection.execute(_LEDGER)
        missing = not_applied(migrations, _applied(connection))
        for migration in missing:
            _apply(connection, migration)
    return [migration.name for migration in missing]


def pending(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """The names that ``migrate`` would apply; raises as it does, and changes nothing."""
    migrations = read_migrations(folder)
    with translated(url), connect(url, autocommit=True) as connection:
        applied = _applied(connection) if _has_ledger(connection) else {}
    return [migration.name for migration in not_applied(migrations, applied)]


async def pending_in(session: psycopg.AsyncConnection[Any]) -> list[str]:
    """As ``pending`` says of this version's migrations, asked in a session; psycopg's errors come as they are."""
    found = await session.execute("SELECT to_regclass('schema_migration') IS NOT NULL")
    applied: dict[str, str] = {}
    if await found.fetchone() == (True,):
        ledger = await session.execute("SELECT name, sha256 FROM schema_migration")
        applied = dict(await ledger.fetchall())
    return [migration.name for migration in not_applied(_shipped(), applied)]


@cache
def _shipped() -> list[Migration]:
    """The files of this version: they do not change while it runs."""
    return read_migrations()


def _apply(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.sql)
        connection.execute(
            "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)", (migration.name, migration.sha256)
        )


def _applied(connection: Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sha256 FROM schema_migration ORDER BY name").fetchall())


def _has_ledger(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])
