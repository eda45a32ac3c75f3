"""The worker as it is seen from outside: what passes its seams is counted, what waits is known.

Costs a few dozen counter steps a batch, nothing a reading. Bytewax's thread reports, the monitor's threads look.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from flows.judge import HISTORIC_AFTER_MS
from ingest.session import Session
from schemas.alerts import AlertEvent
from schemas.readings import Readings
from schemas.reasons import DeadLetter
from shouhuan.doctor import Finding
from shouhuan.metrics import StreamMetrics
from shouhuan.pulse import Pulse
from store.alerts import AlertWriter
from store.journal import NOTHING, JournalEntry, Persisted, PostgresJournal

_START: Final = "start it or see its log; `shouhuan doctor` tries to reach it"


class StreamObserver:
    """Metrics and health of one worker: ``stall_after_s`` without a step is a stall, ``ready_lag_s`` is far behind."""

    def __init__(self, now_ms: Callable[[], int], stall_after_s: float, ready_lag_s: float) -> None:
        self.metrics = StreamMetrics()
        self.pulse = Pulse("the dataflow", stall_after_s)
        self._epoch = Pulse("the dataflow", stall_after_s)
        self._now_ms = now_ms
        self._ready_lag_s = ready_lag_s
        self._sessions: dict[str, Session] = {}
        self._uncommitted_ms: dict[str, int] = {}
        self._handed_on = 0
        self._judged = 0
        self._behind_since_s: float | None = None
        self.metrics.commit_lag_s.set_function(self.commit_lag_s)
        self.metrics.judge_lag_s.set_function(self.judge_lag_s)
        self.metrics.judge_lag.set_function(lambda: self._handed_on - self._judged)
        self.metrics.epoch_age_s.set_function(lambda: self._epoch.age_s)

    def opened(self, partition: str, session: Session) -> None:
        """A partition has gone live."""
        self._sessions[partition] = session
        self.metrics.begin_at_zero(partition)
        self.metrics.queue.labels(partition).set_function(lambda: session.waiting)
        self.metrics.connected.labels(partition).set_function(lambda: session.connected)

    def epoch(self) -> None:
        """The dataflow has ended an epoch."""
        self.metrics.epochs.inc()
        self._epoch.beat()
        self.pulse.beat()

    def pause(self, writer: str, seconds: float) -> None:
        """Let a writer wait that the database has refused: no epoch ends meanwhile, and yet it is no stall."""
        self.metrics.store_failures.labels(writer).inc()
        self.pulse.beat()
        time.sleep(seconds)

    def handed_on(self, readings: int) -> None:
        """Committed readings are on their way to the judge."""
        self._handed_on += readings
        if self._behind_since_s is None and self._handed_on > self._judged:
            self._behind_since_s = time.monotonic()

    def judged(self, readings: int, too_late: int) -> None:
        """A judge has seen readings, of which some were too late to weigh."""
        self._judged += readings
        self.metrics.judged.inc(readings)
        self.metrics.too_late.inc(too_late)
        if self._judged >= self._handed_on:
            self._behind_since_s = None

    def taking(self, partition: str, arrived_ms: int) -> None:
        """A batch is being committed whose oldest message arrived then."""
        self._uncommitted_ms[partition] = arrived_ms

    def committed(self, partition: str, persisted: Persisted, seconds: float) -> None:
        """A batch is safe."""
        metrics, readings = self.metrics, persisted.readings
        arrived_ms = self._uncommitted_ms.pop(partition)
        metrics.commit_s.observe(seconds)
        metrics.arrival_to_commit_s.observe(max(0, self._now_ms() - arrived_ms) / 1000)
        metrics.stored.labels(partition).inc(len(readings))
        metrics.duplicates.labels(partition).inc(persisted.duplicates)
        metrics.late.labels(partition).inc(int((readings.ingest_ms - readings.event_ms > HISTORIC_AFTER_MS).sum()))
        metrics.journal_offset.labels(partition).set(persisted.batch_no)
        self.handed_on(len(readings))

    def commit_lag_s(self) -> float:
        """How long the oldest message that is not committed has waited here; 0 where none waits."""
        waiting = [session.oldest_ms() for session in list(self._sessions.values())]
        arrived = [*list(self._uncommitted_ms.values()), *(ms for ms in waiting if ms is not None)]
        return max(0, self._now_ms() - min(arrived)) / 1000 if arrived else 0.0

    def judge_lag_s(self) -> float:
        """How long committed readings have waited for the judge; 0 where none wait."""
        since_s = self._behind_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def journal(self) -> Finding:
        """Whether the journal was judged again and readings are taken."""
        if self._sessions:
            return Finding("replayed")
        return Finding("the journal is still being judged again", "wait: readings are taken when that is done")

    def broker(self) -> Finding:
        """Whether every partition that is live is connected."""
        away = sorted(name for name, session in dict(self._sessions).items() if not session.connected)
        return Finding(f"not connected: {', '.join(away)}", _START) if away else Finding("connected")

    def lag(self) -> Finding:
        """Whether what was received is soon stored and judged."""
        commit_s, judge_s = self.commit_lag_s(), self.judge_lag_s()
        if max(commit_s, judge_s) <= self._ready_lag_s:
            return Finding("keeps up")
        return Finding(
            f"messages have waited {commit_s:.0f} s for the database, readings {judge_s:.0f} s for the judge",
            "see whether the database is slow or away; after a backlog it catches up by itself",
        )


class WatchedJournal:
    """A partition's journal whose every batch is counted."""

    def __init__(self, journal: PostgresJournal, partition: str, observer: StreamObserver) -> None:
        self._journal = journal
        self._partition = partition
        self._observer = observer

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
        """As the journal does; what it refuses is counted, too."""
        metrics = self._observer.metrics
        arrived_ms = int(readings.ingest_ms.min(initial=ingest_ms))
        self._observer.taking(self._partition, min([arrived_ms, *(letter.received_ms for letter in dead_letters)]))
        began_s = time.perf_counter()
        try:
            persisted = self._journal.persist(
                readings,
                dead_letters,
                messages=messages,
                no_consent=no_consent,
                unknown_field=unknown_field,
                ingest_ms=ingest_ms,
                ignored=ignored,
            )
        except Exception:
            metrics.store_failures.labels("journal").inc()
            raise
        self._observer.committed(self._partition, persisted, time.perf_counter() - began_s)
        metrics.messages.labels(self._partition).inc(messages)
        metrics.no_consent.inc(no_consent)
        metrics.unknown_fields.inc(unknown_field)
        metrics.ignored.inc(sum(ignored.values()))
        for reason, number in Counter(letter.reason for letter in dead_letters).items():
            metrics.dead_letters.labels(reason.value).inc(number)
        return persisted

    def replay(self, after: int, limit: int) -> list[JournalEntry]:
        """As the journal does."""
        entries = self._journal.replay(after, limit)
        offset = entries[-1].batch_no if entries else after
        metrics = self._observer.metrics
        metrics.journal_offset.labels(self._partition).set(offset)
        metrics.replay.labels(self._partition).set(max(0, self._journal.latest() - offset) if entries else 0)
        self._observer.handed_on(sum(len(entry.readings) for entry in entries))
        return entries

    def close(self) -> None:
        """Let go of the connection."""
        self._journal.close()


class WatchedWriter:
    """A writer of alerts whose new events are counted."""

    def __init__(self, writer: AlertWriter, metrics: StreamMetrics) -> None:
        self._writer = writer
        self._metrics = metrics

    def write(self, events: Sequence[AlertEvent]) -> None:
        """As the writer does."""
        for event in self._writer.write(events):
            self._metrics.alerts.labels(event.code.value, event.transition.value).inc()

    def close(self) -> None:
        """Let go of the store."""
        self._writer.close()
