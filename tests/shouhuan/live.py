"""A platform in small: what reaches it is stored and judged, time is told as it passes, and alerts are written."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np

from flows.judge import Judge
from flows.rules import rules_by_shard
from schemas.alerts import AlertEvent, Transition
from schemas.readings import Readings
from schemas.registry import Registry
from store.alerts import AlertWriter
from store.connection import connect
from store.journal import PostgresJournal
from store.registry import import_registry, load_registry
from tests.world import HOME, START, START_MS, north_of_home

COUNTS: dict[str, Any] = {"messages": 1, "no_consent": 0, "unknown_field": 0}


def ms(at_min: float) -> int:
    return START_MS + round(at_min * 60_000)


@dataclass
class Live:
    """Takes readings in order of receipt; ``alerts`` are the events that opened one."""

    url: str
    events: list[AlertEvent] = field(default_factory=list)
    _judge: Judge | None = None

    def __post_init__(self) -> None:
        self._journal, self._writer = PostgresJournal(self.url, "mqtt-0"), AlertWriter(self.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()
        self._writer.close()

    @property
    def judge(self) -> Judge:
        assert self._judge is not None
        return self._judge

    @property
    def alerts(self) -> list[AlertEvent]:
        return [event for event in self.events if event.transition is Transition.OPENED]

    def rules(self, registry: Registry, at: datetime) -> None:
        """Import a registry and judge by it from then on."""
        import_registry(self.url, registry, now=at)
        with connect(self.url, autocommit=True) as connection:
            rules = rules_by_shard(load_registry(connection), shards=1)[0]
        if self._judge is None:
            self._judge = Judge.new(rules)
        else:
            self._note(self._judge.adopt(rules, round(at.timestamp() * 1000)))

    def hear(self, readings: Readings) -> None:
        """Store a batch; judge what arrived in each second, then let the second end."""
        self._journal.persist(readings, (), ingest_ms=int(readings.ingest_ms[-1]), **COUNTS)
        second = readings.ingest_ms // 1000
        for one in np.unique(second).tolist():
            self._note(self.judge.judge(readings.take(second == one)))
            self.tick((one + 1) * 1000)

    def tick(self, now_ms: int) -> None:
        self._note(self.judge.tick(now_ms))

    def _note(self, events: Iterable[AlertEvent]) -> None:
        if new := list(events):
            self._writer.write(new)
            self.events += new


def at_minutes(minutes: Iterable[float], *, late_s: float = 0.2, seq: int | None = None, **columns: Any) -> Readings:
    """One reading of band-1 a minute named, at home unless said otherwise; a column may be one value for all."""
    event_ms = np.array([ms(minute) for minute in minutes])
    n = len(event_ms)
    place = {"lat": HOME[0], "lon": HOME[1], "accuracy_m": 8.0, "age_s": 0.0, "source": 0}
    given = {"device": 1, "wearer": 1, **place, **columns}
    return Readings.of(
        seq=(event_ms - START_MS) // 1000,
        event_ms=event_ms,
        ingest_ms=event_ms + round(late_s * 1000),
        **{name: np.full(n, value) if np.ndim(value) == 0 else np.array(value) for name, value in given.items()},
    )


def walk(live: Live, *stages: tuple[range, float]) -> None:
    """Band-1 stays so many metres north of home's centre for each stage's minutes."""
    for minutes, metres in stages:
        lat, lon = north_of_home(metres)
        live.hear(at_minutes(minutes, lat=lat, lon=lon))


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)
