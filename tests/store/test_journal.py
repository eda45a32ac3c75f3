import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from psycopg.errors import DeadlockDetected

from schemas.readings import Readings
from schemas.reasons import DeadLetter, RejectReason
from store import copy as copy_module
from store import journal as journal_module
from store.errors import StoreUnavailable
from store.journal import PostgresJournal
from tests.store.build import COUNTS, EVENT_MS, ask, counted, full_readings
from tests.store.lossy import LossyWay

SERIES = ("position", "vitals", "device_status")
LETTER = DeadLetter(
    topic="wb/v1/a/b/up", received_ms=EVENT_MS, reason=RejectReason.MALFORMED, detail="not\x00JSON", payload=b"\x00{"
)


@pytest.fixture
def journal(database_url: str) -> Iterator[PostgresJournal]:
    made = PostgresJournal(database_url, "p0")
    yield made
    made.close()


def stored_keys(url: str) -> list[tuple[int, int]]:
    return ask(url, "SELECT device_no, seq FROM vitals ORDER BY 1, 2")


def terminate_others(url: str) -> None:
    query = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    """
    ask(url, query)


def test_a_batch_is_stored_in_every_series_and_comes_back_from_the_journal(
    journal: PostgresJournal, database_url: str
) -> None:
    batch = full_readings(3)
    persisted = journal.persist(batch, [], **COUNTS)
    assert (persisted.batch_no, persisted.duplicates, persisted.readings.seq.tolist()) == (1, 0, [0, 1, 2])
    assert [counted(database_url, table) for table in SERIES] == [3, 3, 3]
    (entry,) = journal.replay(0, 10)
    assert (entry.batch_no, entry.ingest_ms) == (1, EVENT_MS + 500)
    assert entry.readings.to_bytes() == batch.to_bytes()


def test_batch_numbers_grow_by_one_and_replay_continues_after_a_number(journal: PostgresJournal) -> None:
    assert (journal.latest(), journal.earliest()) == (0, None)
    numbers = [journal.persist(full_readings(1, seq=seq), [], **COUNTS).batch_no for seq in range(4)]
    assert numbers == [1, 2, 3, 4]
    assert [entry.batch_no for entry in journal.replay(1, 2)] == [2, 3]
    assert [entry.batch_no for entry in journal.replay(4, 2)] == []
    assert (journal.latest(), journal.earliest()) == (4, 1)


def test_a_reading_repeated_in_a_batch_is_stored_once_and_the_first_wins(
    journal: PostgresJournal, database_url: str
) -> None:
    batch = full_readings(3).take(np.array([2, 0, 2, 1, 0]))
    persisted = journal.persist(batch.replace(heart_rate_bpm=np.arange(5, dtype=np.float32)), [], **COUNTS)
    assert persisted.readings.seq.tolist() == [2, 0, 1], "order of arrival is kept"
    assert persisted.duplicates == 2
    assert ask(database_url, "SELECT heart_rate_bpm FROM vitals ORDER BY seq") == [(1,), (3,), (0,)]


def test_a_batch_stored_before_leaves_only_its_counters(journal: PostgresJournal, database_url: str) -> None:
    journal.persist(full_readings(3), [], **COUNTS)
    again = journal.persist(full_readings(3), [], **COUNTS)
    assert (again.batch_no, len(again.readings), again.duplicates) == (2, 0, 3)
    assert counted(database_url, "vitals") == 3
    assert ask(database_url, "SELECT stored, duplicates FROM journal ORDER BY batch_no") == [(3, 0), (0, 3)]
    assert len(journal.replay(1, 1)[0].readings) == 0


def test_of_a_partly_known_batch_only_the_news_is_stored(journal: PostgresJournal) -> None:
    journal.persist(full_readings(2), [], **COUNTS)
    persisted = journal.persist(full_readings(4), [], **COUNTS)
    assert (persisted.readings.seq.tolist(), persisted.duplicates) == ([2, 3], 2)


@pytest.mark.parametrize("part", ["fix", "vitals", "device"])
def test_a_duplicate_is_known_whichever_part_it_has(journal: PostgresJournal, part: str) -> None:
    parts: dict[str, dict[str, Any]] = {
        "fix": {"lat": [26.5], "lon": [101.7], "accuracy_m": [8]},
        "vitals": {"steps": [4]},
        "device": {"sos": [1]},
    }
    reading = Readings.of(device=[1], seq=[1], event_ms=[EVENT_MS], source=[0], **parts[part])
    assert [journal.persist(reading, [], **COUNTS).duplicates for _ in range(2)] == [0, 1]


def test_counters_say_what_became_of_every_message(journal: PostgresJournal, database_url: str) -> None:
    journal.persist(full_readings(2), [LETTER], messages=3, no_consent=4, unknown_field=5, ingest_ms=EVENT_MS)
    query = "SELECT messages, stored, duplicates, dead_letters, no_consent, unknown_field FROM journal"
    assert ask(database_url, query) == [(3, 2, 0, 1, 4, 5)]


def test_a_dead_letter_is_kept_whole_even_with_bytes_that_text_cannot_hold(
    journal: PostgresJournal, database_url: str
) -> None:
    journal.persist(Readings.empty(), [LETTER], **COUNTS)
    query = "SELECT topic, reason, detail, readings, payload FROM dead_letter"
    assert ask(database_url, query) == [("wb/v1/a/b/up", "malformed", "not�JSON", [], b"\x00{")]


def test_firmware_is_noted_once_for_each_device_and_version(journal: PostgresJournal, database_url: str) -> None:
    for seq, firmware in enumerate([b"1.4.2", b"1.4.2", b"1.5.0", b"1.4.2"]):
        batch = full_readings(2, seq=seq * 10, event_ms=EVENT_MS + seq * 60_000)
        journal.persist(batch.replace(firmware=np.full(2, firmware, "S16")), [], **COUNTS)
    query = (
        "SELECT device_no, firmware, (extract(epoch FROM first_seen) * 1000)::bigint FROM device_firmware ORDER BY 2"
    )
    assert ask(database_url, query) == [(1, "1.4.2", EVENT_MS), (1, "1.5.0", EVENT_MS + 120_000)]


def test_a_session_broken_in_the_middle_stores_nothing_and_the_next_call_connects_again(
    journal: PostgresJournal, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "write_dead_letters", lambda *_: terminate_others(database_url))
        with pytest.raises(StoreUnavailable) as caught:
            journal.persist(full_readings(3), [], **COUNTS)
    assert caught.value.retryable
    assert [counted(database_url, table) for table in (*SERIES, "journal", "device_firmware")] == [0] * 5
    persisted = journal.persist(full_readings(3), [], **COUNTS)
    assert (persisted.batch_no, len(persisted.readings)) == (1, 3)
    assert counted(database_url, "device_firmware") == 1


@pytest.mark.parametrize("committed_before", [0, 2], ids=["the first batch", "a later batch"])
def test_a_commit_whose_answer_was_lost_is_answered_on_retry_and_not_written_twice(
    database_url: str, committed_before: int
) -> None:
    with LossyWay(database_url) as way:
        journal = PostgresJournal(way.url, "p0")
        for seq in range(committed_before):
            journal.persist(full_readings(1, device=5, seq=seq), [], **COUNTS)
        way.lose_next_commit()
        with pytest.raises(StoreUnavailable):
            journal.persist(full_readings(3), [LETTER], **COUNTS)
        persisted = journal.persist(full_readings(3), [LETTER], **COUNTS)
        journal.close()
    assert (persisted.batch_no, len(persisted.readings)) == (committed_before + 1, 3)
    assert counted(database_url, "journal") == committed_before + 1
    assert counted(database_url, "vitals") == committed_before + 3
    assert counted(database_url, "dead_letter") == 1


def test_after_a_lost_answer_another_batch_shows_the_gap_by_its_number(database_url: str) -> None:
    with LossyWay(database_url) as way:
        journal = PostgresJournal(way.url, "p0")
        way.lose_next_commit()
        with pytest.raises(StoreUnavailable):
            journal.persist(full_readings(3), [], **COUNTS)
        persisted = journal.persist(full_readings(4), [], **COUNTS)
        assert (persisted.batch_no, persisted.duplicates) == (2, 3)
        assert len(journal.replay(0, 1)[0].readings) == 3
        journal.close()


def test_two_partitions_writing_the_same_duplicates_at_once_store_each_reading_once(database_url: str) -> None:
    rounds, n = 15, 40
    failures: list[BaseException] = []

    def run(partition: str, step: int) -> None:
        journal = PostgresJournal(database_url, partition)
        try:
            for number in range(rounds):
                devices = [full_readings(n, device=device, seq=number * n) for device in range(1, 5)]
                journal.persist(Readings.concat(devices[::step]), [], **COUNTS)
        except BaseException as error:  # noqa: BLE001 - the main thread fails with it
            failures.append(error)
        journal.close()

    threads = [threading.Thread(target=run, args=args) for args in (("p0", 1), ("p1", -1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [counted(database_url, table) for table in SERIES] == [rounds * n * 4] * 3
    ((stored, duplicates),) = ask(database_url, "SELECT sum(stored), sum(duplicates) FROM journal")
    assert (stored, duplicates) == (rounds * n * 4, rounds * n * 4)


def test_a_deadlock_with_another_partition_is_tried_again(
    journal: PostgresJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = copy_module.copy_series, []

    def deadlock_at_first(*arguments: Any) -> int:
        calls.append(arguments)
        if len(calls) == 2:
            raise DeadlockDetected("as the server would")
        return real(*arguments)

    monkeypatch.setattr(journal_module, "copy_series", deadlock_at_first)
    assert journal.persist(full_readings(3), [], **COUNTS).batch_no == 1
    assert len(calls) > 3


def test_a_database_that_is_not_there_is_unavailable() -> None:
    journal = PostgresJournal("postgresql://postgres@127.0.0.1:1/nowhere", "p0")
    with pytest.raises(StoreUnavailable, match="shouhuan doctor"):
        journal.persist(full_readings(1), [], **COUNTS)


WRITER = """
import sys
from store.journal import PostgresJournal
from tests.store.build import COUNTS, full_readings
journal = PostgresJournal(sys.argv[1], "p0")
for seq in range(0, 100_000, 50):
    print(journal.persist(full_readings(50, seq=seq), [], **COUNTS).batch_no, flush=True)
"""


def test_a_writer_killed_in_the_middle_loses_and_doubles_nothing(database_url: str) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, database_url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(5)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.stdout.close()
    writer.wait()

    journal = PostgresJournal(database_url, "p0")
    # A session killed while committing may end a moment after its client did; this waits for it.
    journal.persist(Readings.empty(), [], **COUNTS)
    kept = journal.latest() - 1
    assert kept - acknowledged[-1] in {0, 1}
    assert stored_keys(database_url) == [(1, seq) for seq in range(kept * 50)]
    for seq in range(0, (kept + 1) * 50, 50):
        journal.persist(full_readings(50, seq=seq), [], **COUNTS)
    replayed = Readings.concat([entry.readings for entry in journal.replay(0, 10_000)])
    assert sorted(replayed.seq.tolist()) == list(range((kept + 1) * 50))
    assert stored_keys(database_url) == [(1, seq) for seq in range((kept + 1) * 50)]
    journal.close()
