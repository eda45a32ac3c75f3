"""Database roles of least privilege: one a process, each with what its statements need (``roles.sql``).

They are no migration: grants are set anew each time, so that they follow the schema.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

from psycopg import errors, sql

from store.connection import Connection, connect, translated
from store.errors import StoreError
from store.migrate import LOCK

_GRANTS: Final = Path(__file__).parent / "roles.sql"


class Role(StrEnum):
    """A group role, which logs in as nobody; logins are made its members."""

    STREAM = "shouhuan_stream"
    CONSOLE = "shouhuan_console"
    ONCALL = "shouhuan_oncall"
    REGISTRY = "shouhuan_registry"


class RolesRefused(StoreError):  # noqa: N818 - the name says what the caller needs to know
    """The account may not make roles; everything works on without them, under one account."""


def grant_roles(url: str) -> list[str]:
    """Make the roles that the server lacks, and set what all of them may do here; returns the new ones.

    Raises ``RolesRefused`` where a role is missing and the account may not make it.
    """
    with translated(url), connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        missing = [role.value for role in Role if role not in known]
        for role in missing:
            _make(connection, role)
        connection.execute(_GRANTS.read_bytes())
    return missing


def _make(connection: Connection, role: str) -> None:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    except (errors.DuplicateObject, errors.UniqueViolation):
        # Roles are the server's: another of its databases was faster.
        return
    except errors.InsufficientPrivilege as error:
        raise RolesRefused(
            f"role {role} is missing and this account may not make it: have one with CREATEROLE run "
            "`shouhuan migrate --roles`; until then all processes share one account"
        ) from error
