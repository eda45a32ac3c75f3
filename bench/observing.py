"""What does it cost the worker to be seen from outside? Processor time of everything that is counted, for a batch."""

import time
from typing import Any, cast

import numpy as np

from schemas.readings import Readings
from shouhuan.observer import StreamObserver, WatchedJournal
from store.journal import Persisted, PostgresJournal

ROUNDS = 20
BATCHES = 200


class _NoStore:
    """A journal that takes everything and does nothing."""

    def persist(self, readings: Readings, *_: object, **_counts: object) -> Persisted:
        return Persisted(1, readings, 0)


def run() -> dict[str, dict[str, float]]:
    return {f"a batch of {size}": {"us of CPU": _best_us(size)} for size in (1, 100, 2_000)}


def _best_us(size: int) -> float:
    readings = Readings.of(device=np.arange(size), event_ms=np.zeros(size), ingest_ms=np.zeros(size))
    observer = StreamObserver(lambda: 0, stall_after_s=60.0, ready_lag_s=30.0)
    journal = WatchedJournal(cast("PostgresJournal", _NoStore()), "mqtt-0", observer)
    counts: dict[str, Any] = {"messages": size, "no_consent": 0, "unknown_field": 0, "ingest_ms": 0}

    def once() -> float:
        began_s = time.process_time()
        for _ in range(BATCHES):
            journal.persist(readings, [], **counts)
            observer.judged(size, 0)
            observer.epoch()
        return (time.process_time() - began_s) / BATCHES * 1e6

    return min(once() for _ in range(ROUNDS))
