"""What the durable source asks of a store: one transaction that makes a batch safe, and a way to read it again."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from schemas.readings import Readings
from schemas.reasons import DeadLetter


class PersistedBatch(Protocol):
    """What ``persist`` answers: the batch's number and its readings without duplicates."""

    @property
    def batch_no(self) -> int:
        """The batch's number in its partition."""
        ...

    @property
    def readings(self) -> Readings:
        """What was new."""
        ...

    @property
    def duplicates(self) -> int:
        """How many readings had been stored before."""
        ...


class JournalledBatch(Protocol):
    """A batch read again."""

    @property
    def batch_no(self) -> int:
        """The batch's number in its partition."""
        ...

    @property
    def readings(self) -> Readings:
        """Its readings, with the ingest times of then."""
        ...


class Journal(Protocol):
    """Series, dead letters and journal row in one transaction; the batch number is the replay position.

    ``persist`` raises an error with ``retryable = True`` when the store cannot be reached: the batch is
    tried again, and what a lost answer had stored already is absorbed as duplicates.
    """

    def persist(
        self,
        readings: Readings,
        dead_letters: list[DeadLetter],
        *,
        messages: int,
        no_consent: int,
        unknown_field: int,
        ingest_ms: int,
        ignored: Mapping[str, int] = ...,
    ) -> PersistedBatch:
        """Make a batch durable."""
        ...

    def replay(self, after: int, limit: int) -> Sequence[JournalledBatch]:
        """Batches after a position, oldest first, at most ``limit``."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
