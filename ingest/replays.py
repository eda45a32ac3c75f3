"""Dead letters judged again, after a fix: a second source beside the broker's, which people fill by asking.

A request is a row; the running stream takes it, vets the payload as if it had just come, and persists what is good
through a journal of its own before it judges it, as the broker's source does. So the stream judges it, a crash loses
nothing, and what is stored already is a duplicate: asked twice, nothing is doubled. Publishing it again at the broker
would need an account that may speak for any band, and would lose when the letter came.

Vetted is with the time of first arrival: a band whose clock was ahead does not become lawful by waiting, nor a backlog
too old. What is stored has the time of the replay as its ingest time, because only then was it known. A letter that
fails again makes no second one, its request says why; if it turns out to have no lawful order, its payload goes
(ADR 0003). Not promised: that late readings still weigh (the judge's own limit holds), and, where the process dies
between storing and saying so, an outcome other than ``duplicate``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final, NamedTuple, Protocol

import numpy as np
import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from ingest.directory import Directory
from ingest.journal import Journal
from ingest.vet import Batch, Message, VetConfig, vet
from schemas.readings import Readings
from schemas.reasons import DropReason, RejectReason

_log: Final = structlog.get_logger(__name__)
_EVERY: Final = timedelta(milliseconds=5)
"""As every source (ADR 0006)."""
STORED: Final = "stored"
NO_PAYLOAD: Final = "no_payload"
_LOOK_EVERY_MS: Final = 1_000
_AT_ONCE: Final = 10
"""A letter is a transaction of some milliseconds; what bands say meanwhile has to wait."""
_REPLAY_BATCHES: Final = 64


class Letter(Protocol):
    """What is kept of a message that was refused, and the request to judge it again."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def replay_no(self) -> int: ...  # noqa: D102
    @property
    def received_ms(self) -> int: ...  # noqa: D102
    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def content_type(self) -> str: ...  # noqa: D102
    @property
    def payload(self) -> bytes: ...  # noqa: D102


class Verdict(NamedTuple):
    """What vetting says of a letter now: its good readings, and a word and a sentence for people.

    ``outcome`` is empty where there are readings: then storing decides.
    """

    readings: Readings
    outcome: str
    detail: str
    unlawful: bool
    no_consent: int = 0


class Desk(Protocol):
    """Where requests wait and outcomes go."""

    def waiting(self, limit: int) -> Sequence[Letter]:
        """The oldest requests not done yet."""
        ...

    def done(
        self, replay_no: int, *, outcome: str, detail: str, stored: int, duplicates: int, at_ms: int, erase: bool
    ) -> None:
        """Write what became of one; ``erase`` the letter's payload."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(frozen=True)
class ReplayConfig:
    """All seams to the outside; ``partition`` names the journal of replays of this set of workers."""

    partition: str
    desk: Callable[[], Desk]
    open_journal: Callable[[str], Journal]
    directory: Callable[[], Directory]
    vetting: VetConfig
    now_ms: Callable[[], int]
    stop: Event


def again(letter: Letter, directory: Directory, vetting: VetConfig) -> Verdict:
    """Vet a letter with what is known today and the time it came."""
    if not letter.payload:
        return Verdict(Readings.empty(), NO_PAYLOAD, "its payload was not kept: no order covered it", unlawful=False)
    message = Message(letter.topic, letter.payload, letter.received_ms, letter.content_type or None)
    batch = vet([message], directory, vetting)
    unlawful = any(refused.reason is RejectReason.NO_ORDER for refused in batch.dead_letters)
    detail = "; ".join(f"{refused.reason}: {refused.detail}" for refused in batch.dead_letters)
    return Verdict(batch.readings, _word(batch), detail, unlawful, batch.no_consent)


def _word(batch: Batch) -> str:
    if len(batch.readings):
        return ""
    if batch.dead_letters:
        return batch.dead_letters[0].reason.value
    return DropReason.IGNORED.value if batch.ignored else DropReason.NO_CONSENT.value


class ReplaySource(FixedPartitionedSource[Readings, int]):
    """Letters that people ask to be judged again, as vetted columns."""

    def __init__(self, config: ReplayConfig) -> None:
        self._config = config

    def list_parts(self) -> list[str]:
        """One journal for all replays."""
        return [self._config.partition]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "_ReplayPartition":  # noqa: ARG002
        """Resume behind the last batch the judge has seen."""
        return _ReplayPartition(for_part, self._config, resume_state or 0)


class _ReplayPartition(StatefulSourcePartition[Readings, int]):
    def __init__(self, name: str, config: ReplayConfig, batch_no: int) -> None:
        self._config = config
        self._batch_no = batch_no
        self._journal = config.open_journal(name)
        self._desk = config.desk()
        self._caught_up = False
        self._look_at_ms = 0

    def next_batch(self) -> Sequence[Readings]:
        if self._config.stop.is_set():
            raise StopIteration
        now_ms = self._config.now_ms()
        if now_ms < self._look_at_ms:
            return []
        return self._take(now_ms) if self._caught_up else self._catch_up(now_ms)

    def next_awake(self) -> datetime:
        return datetime.fromtimestamp(self._config.now_ms() / 1000, UTC) + _EVERY

    def snapshot(self) -> int:
        return self._batch_no

    def close(self) -> None:
        self._desk.close()
        self._journal.close()

    def _catch_up(self, now_ms: int) -> Sequence[Readings]:
        try:
            batches = self._journal.replay(self._batch_no, _REPLAY_BATCHES)
        except Exception as error:
            if not getattr(error, "retryable", False):
                raise
            return self._wait(now_ms, error)
        self._caught_up = not batches
        self._batch_no = batches[-1].batch_no if batches else self._batch_no
        return [batch.readings for batch in batches if len(batch.readings)]

    def _take(self, now_ms: int) -> Sequence[Readings]:
        """Judge what waits until something fails; what was stored by then goes to the judge in any case."""
        stored: list[Readings] = []
        try:
            letters = self._desk.waiting(_AT_ONCE)
            for letter in letters:
                self._judge(letter, now_ms, stored)
        except Exception as error:  # noqa: BLE001 - a letter or a missing right must not end what bands say
            self._wait(now_ms, error)
        else:
            self._look_at_ms = now_ms if len(letters) == _AT_ONCE else now_ms + _LOOK_EVERY_MS
        return stored

    def _wait(self, now_ms: int, error: Exception) -> Sequence[Readings]:
        self._look_at_ms = now_ms + _LOOK_EVERY_MS
        _log.warning("replays-waiting", error=str(error))
        return []

    def _judge(self, letter: Letter, now_ms: int, stored: list[Readings]) -> None:
        verdict = again(letter, self._config.directory(), self._config.vetting)
        new, duplicates = 0, 0
        if len(verdict.readings):
            readings, duplicates = self._persist(verdict, now_ms)
            new = len(readings)
            stored += [readings] if new else []
        self._desk.done(
            letter.replay_no,
            outcome=verdict.outcome or (STORED if new else DropReason.DUPLICATE.value),
            detail=verdict.detail,
            stored=new,
            duplicates=duplicates,
            at_ms=now_ms,
            erase=verdict.unlawful,
        )
        _log.info("dead-letter-replayed", letter=letter.number, stored=new, duplicates=duplicates)

    def _persist(self, verdict: Verdict, now_ms: int) -> tuple[Readings, int]:
        known_now = verdict.readings.replace(ingest_ms=np.full(len(verdict.readings), now_ms))
        # No message and no letter: those were counted when it first came.
        persisted = self._journal.persist(
            known_now,
            [],
            messages=0,
            no_consent=verdict.no_consent,
            unknown_field=0,
            ingest_ms=now_ms,
        )
        self._batch_no = persisted.batch_no
        return persisted.readings, persisted.duplicates
