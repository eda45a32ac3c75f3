"""A run live over MQTT: every band reports in its place of the interval, in real time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from schemas.registry import Registry
from schemas.topics import Channel
from simulator.capture import topics_of
from simulator.fleet import Fleet
from simulator.link import Broker, Link, open_links
from simulator.messages import Message, messages, payload
from simulator.options import Options
from simulator.sequence import Sequences
from simulator.truth import write_truth

DRAIN_S: Final = 15.0
POLL_S: Final = 0.05


class Stop(Protocol):
    """The part of ``threading.Event`` that a run needs."""

    def is_set(self) -> bool:
        """Whether the run shall end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait so many seconds, or until the run shall end: then True."""


class Sent(NamedTuple):
    """Telemetry published and acknowledged so far; ``trouble`` says in words why they differ, where known."""

    messages: int
    acknowledged: int
    trouble: str


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the publish log, for latency reports."""

    device: str
    seq: int
    published_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where a live run leaves its traces; each is optional.

    ``truth`` and ``log`` are written when the run ends, ``state`` carries ``seq`` to the next run.
    """

    truth: Path | None = None
    log: Path | None = None
    state: Path | None = None


def run_live(
    options: Options,
    registry: Registry,
    broker: Broker,
    *,
    now_ms: Callable[[], int],
    stop: Stop,
    on_progress: Callable[[Sent], None] = lambda _: None,
    files: Files = Files(),
    connections: int = 2,
    connect: Callable[[Broker, int], Sequence[Link]] = open_links,
) -> Sent:
    """Publish until the duration is over or ``stop`` is set, then wait (at most 15 s) for what is unacknowledged.

    ``on_progress`` hears of every round. A broker that is away is waited for: bands store and forward.
    Readings carry the time at which they are published.
    """
    run = _Run(Fleet(options, registry, start_ms=now_ms()), files, connect(broker, connections), now_ms)
    try:
        run.announce(b"online")
        for message in _paced(run.fleet, options, now_ms, stop, lambda: on_progress(run.sent())):
            run.send(message)
    finally:
        sent = run.finish()
    return sent


def _paced(
    fleet: Fleet, options: Options, now_ms: Callable[[], int], stop: Stop, on_round: Callable[[], None]
) -> Iterator[Message]:
    """Every message when it is due; one that is late is sent at once."""
    number = 0
    while True:
        for message in messages(fleet.advance(number), fleet.roster.measures):
            if options.duration_s is not None and message.at_s >= options.duration_s:
                return
            if stop.wait(max(0.0, (message.time_ms - now_ms()) / 1000.0)):
                return
            yield message
        on_round()
        number += 1


class _Run:
    """What a run holds: its fleet, links, numbers and log."""

    def __init__(self, fleet: Fleet, files: Files, links: Sequence[Link], now_ms: Callable[[], int]) -> None:
        self.fleet = fleet
        self._files = files
        self._links = links
        self._now_ms = now_ms
        self._topics = topics_of(fleet)
        self._seqs = Sequences(fleet.roster.device, files.state)
        self._announced = 0
        self._messages = 0
        self._log: list[Published] = []

    def announce(self, word: bytes) -> None:
        """Tell each band's retained presence."""
        for row, topic in enumerate(topics_of(self.fleet, Channel.STATUS)):
            self._link(row).publish(topic, word, retain=True)
        self._announced += len(self._topics)

    def send(self, message: Message) -> None:
        at_ms, seq = self._now_ms(), self._seqs.take(message.row)
        self._link(message.row).publish(self._topics[message.row], payload(message, seq, at_ms))
        self._messages += 1
        if self._files.log is not None:
            self._log.append(Published(device=self.fleet.roster.device[message.row], seq=seq, published_ms=at_ms))

    def sent(self) -> Sent:
        """What the broker acknowledged beyond the announcements is telemetry: it answers in order."""
        acknowledged = max(0, sum(link.acknowledged for link in self._links) - self._announced)
        trouble = next((link.trouble for link in self._links if link.trouble), "")
        return Sent(self._messages, acknowledged, trouble)

    def finish(self) -> Sent:
        """Leave: wait for the last answers, bands go offline, numbers, log and truth are written."""
        end_s = (self._now_ms() - self.fleet.start_ms) / 1000.0
        self._drain()
        sent = self.sent()
        self.announce(b"offline")
        if sent.acknowledged == sent.messages:
            self._drain()
        for link in self._links:
            link.close()
        self._seqs.close()
        self._write(end_s)
        return sent

    def _drain(self) -> None:
        """Wait, a while, for the broker to take what is still on its way."""
        everything = self._messages + self._announced
        for _ in range(round(DRAIN_S / POLL_S)):
            if sum(link.acknowledged for link in self._links) >= everything:
                return
            time.sleep(POLL_S)

    def _write(self, end_s: float) -> None:
        if self._files.log is not None:
            self._files.log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in self._log))
        if self._files.truth is not None:
            write_truth(self.fleet.truth(end_s), self._files.truth)

    def _link(self, row: int) -> Link:
        return self._links[row % len(self._links)]
