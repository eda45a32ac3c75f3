"""The durable source: persist, then acknowledge, then judge; after a crash, the journal first.

Guarantee: a message is acknowledged only after its readings, dead letters and journal row are
committed in one transaction. The snapshot is the journal position, so a restarted dataflow reads
the journal from where its judge stood and then goes live; what the broker sends again is dropped as
a duplicate. Not promised: order across partitions (the judge orders by event time).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final, NamedTuple

import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from ingest.client import BrokerConfig
from ingest.directory import Directory
from ingest.journal import Journal
from ingest.session import Delivery, Session
from ingest.vet import Batch, VetConfig, vet
from schemas.judging import Heartbeat
from schemas.readings import Readings

Item = Readings | Heartbeat

_log: Final = structlog.get_logger(__name__)
_BATCH_MESSAGES: Final = 2_000
_REPLAY_BATCHES: Final = 64
_IDLE: Final = timedelta(milliseconds=5)
_HEARTBEAT_MS: Final = 1_000
_SETTLE_MS: Final = 2_000
"""After connecting, what waited at the broker needs a moment to reach us before time may be told."""
_RETRY_MS: Final = (100, 200, 500, 1_000, 2_000, 5_000)


@dataclass(frozen=True)
class SourceConfig:
    """One partition is one persistent session; all seams to the outside are passed in.

    ``on_session`` hears which partition went live with which session, ``on_epoch`` that an epoch of the dataflow ended.
    """

    broker: BrokerConfig
    partitions: tuple[str, ...]
    open_journal: Callable[[str], Journal]
    directory: Callable[[], Directory]
    vetting: VetConfig
    now_ms: Callable[[], int]
    stop: Event
    on_session: Callable[[str, Session], object] = lambda _name, _session: None
    on_epoch: Callable[[], object] = lambda: None


class MqttSource(FixedPartitionedSource[Item, int]):
    """Bands' messages as vetted columns, and a heartbeat a second while everything received was handed on."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config

    def list_parts(self) -> list[str]:
        """The partitions; each is its own client id at the broker."""
        return list(self._config.partitions)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "_MqttPartition":  # noqa: ARG002
        """Resume behind the last batch the judge has seen."""
        return _MqttPartition(for_part, self._config, resume_state or 0)


class _Pending(NamedTuple):
    """A vetted batch on its way into the store: tried again as it is, so that the store knows it again."""

    deliveries: list[Delivery]
    batch: Batch
    ingest_ms: int


class _MqttPartition(StatefulSourcePartition[Item, int]):
    def __init__(self, name: str, config: SourceConfig, batch_no: int) -> None:
        self._name = name
        self._config = config
        self._batch_no = batch_no
        self._journal = config.open_journal(name)
        self._session: Session | None = None
        self._pending: _Pending | None = None
        self._failures = 0
        self._retry_at_ms = 0
        self._beat_ms = 0

    def next_batch(self) -> Sequence[Item]:
        if self._config.stop.is_set():
            raise StopIteration
        if self._session is None:
            return self._replay()
        return self._receive(self._session)

    def next_awake(self) -> datetime | None:
        if self._session is None:
            return None
        return datetime.fromtimestamp(self._config.now_ms() / 1000, UTC) + _IDLE

    def snapshot(self) -> int:
        self._config.on_epoch()
        return self._batch_no

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._journal.close()

    def _replay(self) -> Sequence[Item]:
        batches = self._journal.replay(self._batch_no, _REPLAY_BATCHES)
        if batches:
            self._batch_no = batches[-1].batch_no
            return [batch.readings for batch in batches if len(batch.readings)]
        _log.info("journal-replayed", partition=self._name, batch_no=self._batch_no)
        self._session = Session(f"shouhuan-{self._name}", self._config.broker, self._config.now_ms)
        self._session.open()
        self._config.on_session(self._name, self._session)
        return []

    def _receive(self, session: Session) -> Sequence[Item]:
        now_ms = self._config.now_ms()
        if now_ms < self._retry_at_ms:
            return []
        pending = self._pending or self._take(session, now_ms)
        return self._heartbeat(session, now_ms) if pending is None else self._persist(session, pending, now_ms)

    def _take(self, session: Session, now_ms: int) -> _Pending | None:
        deliveries = session.take(_BATCH_MESSAGES)
        if not deliveries:
            return None
        messages = [delivery.message for delivery in deliveries]
        return _Pending(deliveries, vet(messages, self._config.directory(), self._config.vetting), now_ms)

    def _persist(self, session: Session, pending: _Pending, now_ms: int) -> Sequence[Item]:
        batch = pending.batch
        try:
            persisted = self._journal.persist(
                batch.readings,
                batch.dead_letters,
                messages=batch.messages,
                no_consent=batch.no_consent,
                unknown_field=batch.unknown_field,
                ignored=batch.ignored,
                ingest_ms=pending.ingest_ms,
            )
        except Exception as error:
            if not getattr(error, "retryable", False):
                raise
            self._pending = pending
            self._back_off(now_ms, error)
            return []
        session.acknowledge(pending.deliveries)
        self._pending, self._failures = None, 0
        self._batch_no = persisted.batch_no
        return [persisted.readings] if len(persisted.readings) else []

    def _back_off(self, now_ms: int, error: Exception) -> None:
        """Keep the batch and take no more: the broker's in-flight limit then holds the bands' messages back."""
        delay_ms = _RETRY_MS[min(self._failures, len(_RETRY_MS) - 1)]
        self._failures += 1
        self._retry_at_ms = now_ms + delay_ms
        _log.warning("store-unavailable", partition=self._name, retry_in_ms=delay_ms, error=str(error))

    def _heartbeat(self, session: Session, now_ms: int) -> Sequence[Item]:
        since_ms = session.drained_since_ms()
        if since_ms is None or now_ms - since_ms < _SETTLE_MS or now_ms - self._beat_ms < _HEARTBEAT_MS:
            return []
        self._beat_ms = now_ms
        return [Heartbeat(self._name, now_ms, since_ms)]
