"""Which database this is: plain PostgreSQL, or TimescaleDB in one of its two editions."""

from enum import StrEnum
from typing import NamedTuple

from store.connection import Connection


class Edition(StrEnum):
    """What the server offers beyond PostgreSQL; the answers are the same on all three."""

    PLAIN = "plain"
    TIMESCALE_APACHE = "timescale-apache"
    TIMESCALE_COMMUNITY = "timescale-community"


class Flavour(NamedTuple):
    """An edition with the versions to name in a bug report.

    >>> print(Flavour(Edition.TIMESCALE_APACHE, "17.12", "2.19.3"))
    timescale-apache (PostgreSQL 17.12, TimescaleDB 2.19.3)
    >>> print(Flavour(Edition.PLAIN, "15.4", None))
    plain (PostgreSQL 15.4)
    """

    edition: Edition
    postgres: str
    timescale: str | None

    def __str__(self) -> str:
        timescale = f", TimescaleDB {self.timescale}" if self.timescale else ""
        return f"{self.edition.value} (PostgreSQL {self.postgres}{timescale})"


def edition_of(timescale: str | None, licence: str | None) -> Edition:
    """The edition, given the extension's version and its licence setting.

    >>> edition_of("2.19.3", "apache").value
    'timescale-apache'
    """
    if timescale is None:
        return Edition.PLAIN
    return Edition.TIMESCALE_COMMUNITY if licence == "timescale" else Edition.TIMESCALE_APACHE


def flavour(connection: Connection) -> Flavour:
    """What the connected database is; an extension that is only available, not created, does not count."""
    row = connection.execute("""
        SELECT current_setting('server_version'),
               (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
               current_setting('timescaledb.license', true)
    """).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    postgres, timescale, licence = row
    return Flavour(edition_of(timescale, licence), postgres.split()[0], timescale)
