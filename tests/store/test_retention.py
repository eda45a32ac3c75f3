from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from schemas.readings import Readings
from schemas.reasons import DeadLetter, RejectReason
from store.journal import PostgresJournal
from store.retention import apply_retention
from tests.store.build import EVENT_MS, ask, counted, full_readings

NOW = datetime.fromtimestamp(EVENT_MS // 1000, UTC)
DAY_MS = 86_400_000
COMMAND = """
    INSERT INTO command (id, device_no, type, parameters, asked_at, expires_at, reason, sender)
    VALUES (%(id)s, 1, 'plan', '{}', %(at)s, %(at)s, 'near', 'p')
"""
TABLES = ["position", "vitals", "device_status", "journal", "dead_letter", "command"]


def fill(url: str, ages_days: list[float]) -> None:
    """A batch of two readings, one dead letter and one command for each age."""
    journal = PostgresJournal(url, "p0")
    for seq, age in enumerate(ages_days):
        at_ms = EVENT_MS - int(age * DAY_MS)
        letter = DeadLetter(topic="t", received_ms=at_ms, reason=RejectReason.MALFORMED, detail="", payload=b"")
        readings: Readings = full_readings(2, seq=seq * 2, event_ms=at_ms)
        journal.persist(readings, [letter], messages=1, no_consent=0, unknown_field=0, ingest_ms=at_ms)
    journal.close()
    with psycopg.connect(url) as connection:
        for age in ages_days:
            connection.execute(COMMAND, {"id": uuid4(), "at": NOW - timedelta(days=age)})


@pytest.mark.parametrize("autocommit", [True, False])
def test_exactly_what_is_older_than_allowed_goes(database_url: str, autocommit: bool) -> None:
    fill(database_url, [60, 45, 30.2, 29.8, 1])
    with psycopg.connect(database_url, autocommit=autocommit) as connection:
        gone = apply_retention(connection, NOW, 30)
    assert gone == {"position": 6, "vitals": 6, "device_status": 6, "journal": 3, "dead_letter": 3, "command": 3}
    assert [counted(database_url, table) for table in TABLES] == [4, 4, 4, 2, 2, 2]
    with psycopg.connect(database_url) as connection:
        assert set(apply_retention(connection, NOW, 30).values()) == {0}


def test_old_chunks_are_dropped_whole(timescale_database: str) -> None:
    query = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'position'"
    fill(timescale_database, [60, 45, 1])
    assert ask(timescale_database, query) == [(3,)]
    with psycopg.connect(timescale_database) as connection:
        apply_retention(connection, NOW + timedelta(days=0), 30)
    assert ask(timescale_database, query) == [(1,)]


def test_a_journal_that_lost_its_past_says_where_it_begins(database_url: str) -> None:
    fill(database_url, [60, 45, 1])
    with psycopg.connect(database_url) as connection:
        apply_retention(connection, NOW, 30)
    journal = PostgresJournal(database_url, "p0")
    assert (journal.earliest(), journal.latest()) == (3, 3)
    journal.close()
