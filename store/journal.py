"""The durable write: series, dead letters and one journal row in one transaction, and the way back.

The journal is what a dataflow replays, so verdicts are a function of it. ``batch_no`` of a
partition counts 1, 2, 3 … without gaps, because its head is raised by the transaction that writes the row.
"""

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString, NamedTuple

import numpy as np
from psycopg.errors import DeadlockDetected, UniqueViolation
from psycopg.types.json import Jsonb

from schemas.readings import Readings
from schemas.reasons import DeadLetter
from store.connection import Connection, Link, scalar, translated
from store.copy import SERIES, copy_series
from store.dead_letters import write_dead_letters
from store.firmware import FirmwareLog
from store.keys import first_of_each, is_stored, key_order

_NEXT: Final = """
    INSERT INTO journal_head (partition, batch_no) VALUES (%s, 1)
    ON CONFLICT (partition) DO UPDATE SET batch_no = journal_head.batch_no + 1 RETURNING batch_no
"""
# Unlike a SELECT it waits for a session that we lost and that is still busy committing.
_SETTLED: Final = """
    INSERT INTO journal_head (partition, batch_no) VALUES (%s, 0)
    ON CONFLICT (partition) DO UPDATE SET batch_no = journal_head.batch_no RETURNING batch_no
"""
_ROW: Final = """
    INSERT INTO journal (partition, batch_no, ingest_time, messages, stored, duplicates, dead_letters,
                         no_consent, unknown_field, ignored, batch)
    VALUES (%s, %s, timestamptz 'epoch' + %s * interval '1 millisecond', %s, %s, %s, %s, %s, %s, %s, %b)
"""
_REPLAY: Final = """
    SELECT batch_no, (extract(epoch FROM ingest_time) * 1000)::bigint, batch
    FROM journal WHERE partition = %s AND batch_no > %s ORDER BY batch_no LIMIT %s
"""


NOTHING: Final[Mapping[str, int]] = {}


class Persisted(NamedTuple):
    """What became of a batch: its number, the readings that were new, how many were not."""

    batch_no: int
    readings: Readings
    duplicates: int


class JournalEntry(NamedTuple):
    """A batch as it was committed: readings without duplicates, and when they reached us."""

    batch_no: int
    ingest_ms: int
    readings: Readings


class _Batch(NamedTuple):
    readings: Readings
    dead_letters: tuple[DeadLetter, ...]
    messages: int
    no_consent: int
    unknown_field: int
    ingest_ms: int
    ignored: Mapping[str, int]

    def is_same_as(self, other: "_Batch") -> bool:
        """Whether a caller comes again with what it brought before."""
        keys = ("device", "event_ms", "seq", "ingest_ms")
        return self[1:] == other[1:] and all(
            np.array_equal(getattr(self.readings, key), getattr(other.readings, key)) for key in keys
        )


class PostgresJournal:
    """One partition's journal; a partition is written by one session at a time.

    After ``StoreUnavailable`` call ``persist`` again with the same arguments: the connection is made
    anew, and a batch whose commit succeeded though its answer was lost is answered now, not written twice.
    """

    def __init__(self, url: str, partition: str) -> None:
        self._url = url
        self._partition = partition
        self._link = Link(url)
        self._firmware = FirmwareLog()
        self._unanswered: tuple[_Batch, Persisted] | None = None

    def persist(
        self,
        readings: Readings,
        dead_letters: Sequence[DeadLetter],
        *,
        messages: int,
        no_consent: int,
        unknown_field: int,
        ingest_ms: int,
        ignored: Mapping[str, int] = NOTHING,
    ) -> Persisted:
        """Write a batch durably; when this returns, its messages may be acknowledged.

        A reading repeated in the batch, or stored before by any partition, is dropped and counted;
        a batch of nothing but those is still a row, for its counters. The order of arrival is kept.
        Raises ``StoreUnavailable`` (nothing acknowledged, try again) or ``StoreError``.
        """
        batch = _Batch(readings, tuple(dead_letters), messages, no_consent, unknown_field, ingest_ms, ignored)
        with translated(self._url):
            persisted = self._answer_late(batch) or self._write_until_no_deadlock(batch)
        self._unanswered = None
        self._firmware.remember(persisted.readings)
        return persisted

    def replay(self, after: int, limit: int) -> list[JournalEntry]:
        """The next batches after a number, oldest first, at most ``limit``; raises as ``persist`` does."""
        with self._link.transaction() as connection:
            rows = connection.execute(_REPLAY, (self._partition, after, limit)).fetchall()
        return [JournalEntry(batch_no, ingest_ms, Readings.from_bytes(batch)) for batch_no, ingest_ms, batch in rows]

    def latest(self) -> int:
        """The number of the last committed batch; 0 before the first."""
        return self._number("SELECT batch_no FROM journal_head WHERE partition = %s") or 0

    def earliest(self) -> int | None:
        """The oldest batch that can still be replayed (retention removes them), or None."""
        return self._number("SELECT min(batch_no) FROM journal WHERE partition = %s")

    def close(self) -> None:
        """Give the connection back; a later call makes a new one."""
        self._link.close()

    def _number(self, query: LiteralString) -> int | None:
        with self._link.transaction() as connection:
            number: int | None = scalar(connection, query, (self._partition,))
        return number

    def _answer_late(self, batch: _Batch) -> Persisted | None:
        """The answer to a batch that was committed though we did not hear it, or None."""
        if self._unanswered is None:
            return None
        lost, persisted = self._unanswered
        with self._link.open().transaction():
            head = scalar(self._link.open(), _SETTLED, (self._partition,))
        return persisted if head == persisted.batch_no and lost.is_same_as(batch) else None

    def _write_until_no_deadlock(self, batch: _Batch) -> Persisted:
        while True:
            try:
                return self._write(batch)
            except DeadlockDetected:
                # Another partition held the same duplicates in another order; it went on, so trying again ends.
                continue

    def _write(self, batch: _Batch) -> Persisted:
        connection = self._link.open()
        with connection.transaction():
            batch_no: int = scalar(connection, _NEXT, (self._partition,))
            readings = _store_new(connection, batch.readings)
            self._firmware.write(connection, readings)
            write_dead_letters(connection, batch.dead_letters)
            duplicates = len(batch.readings) - len(readings)
            counts = (batch.messages, len(readings), duplicates, len(batch.dead_letters))
            row = (*counts, batch.no_consent, batch.unknown_field, Jsonb(dict(batch.ignored)), readings.to_bytes())
            connection.execute(_ROW, (self._partition, batch_no, batch.ingest_ms, *row))
            persisted = Persisted(batch_no, readings, duplicates)
            self._unanswered = (batch, persisted)
        return persisted


def _store_new(connection: Connection, readings: Readings) -> Readings:
    """COPY the readings that are not stored yet, and return them; only a clash costs a look-up."""
    readings = readings.take(first_of_each(readings))
    while True:
        try:
            with connection.transaction():
                _copy(connection, readings)
        except UniqueViolation:
            known = is_stored(connection, readings)
            if not known.any():
                raise
            readings = readings.take(~known)
        else:
            return readings


def _copy(connection: Connection, readings: Readings) -> None:
    """All series in one order of keys: two writers of the same duplicates then wait, but not for each other."""
    ordered = readings.take(key_order(readings))
    for series in SERIES:
        copy_series(connection, series, ordered)
