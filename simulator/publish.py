"""A run live over MQTT: every band reports in its place of the interval, in real time or faster, and obeys commands."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec import UNSET

from schemas.registry import Registry
from schemas.topics import Channel, Topic, parse_topic
from schemas.wire import Command, CommandAck, CommandType
from simulator.capture import topics_of
from simulator.fleet import Fleet
from simulator.link import Broker, Link, open_links
from simulator.messages import Message, messages, payload
from simulator.options import Options
from simulator.sequence import Sequences
from simulator.trust import Trust
from simulator.truth import write_lines

DRAIN_S: Final = 15.0
POLL_S: Final = 0.05
SLOWEST_S: Final = 86_400.0
"""A band that is told to report less than once a day does not obey."""


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
    speed: float = 1.0,
    connect: Callable[[Broker, int], Sequence[Link]] = open_links,
    command_key: bytes | None = None,
) -> Sent:
    """Publish until the duration is over or ``stop`` is set, then wait (at most 15 s) for what is unacknowledged.

    ``on_progress`` hears of every round of reports. A broker that is away is waited for: bands store and forward.
    With the site's ``command_key`` bands obey only what is signed, in time, and once.
    At a ``speed`` other than 1 simulated time runs so many times faster and ends now, so that nothing lies in the
    future; that needs a duration (``ValueError``).
    """
    if speed != 1.0 and options.duration_s is None:
        raise ValueError("a run that is faster than time needs an end: give duration_s")
    ahead_s = (options.duration_s or 0.0) * (1.0 - 1.0 / speed)
    run = _Run(
        options, registry, files, connect(broker, connections), _Pace(now_ms, speed, ahead_s), Trust(command_key)
    )
    try:
        run.announce(b"online")
        for message in run.paced(stop, on_progress):
            run.send(message)
    finally:
        sent = run.finish()
    return sent


class _Pace:
    """When a time of the run is due on the clock of whoever watches."""

    def __init__(self, now_ms: Callable[[], int], speed: float, ahead_s: float) -> None:
        self.now_ms = now_ms
        self._speed = speed
        self._began_ms = now_ms()
        self.start_ms = self._began_ms - round(ahead_s * 1000.0)

    def due_in_s(self, at_s: float) -> float:
        """Seconds from now until a time of the run; negative when it has passed."""
        return (self._began_ms + at_s / self._speed * 1000.0 - self.now_ms()) / 1000.0

    def elapsed_s(self) -> float:
        """The time of the run."""
        return (self.now_ms() - self._began_ms) / 1000.0 * self._speed


class _Run:
    """What a run holds: its fleet, links, numbers and log."""

    def __init__(
        self, options: Options, registry: Registry, files: Files, links: Sequence[Link], pace: _Pace, trust: Trust
    ) -> None:
        # On a real wire nobody needs to pretend how long a message takes.
        self._fleet = Fleet(options, registry, start_ms=pace.start_ms, transit_s=(0.0, 0.0))
        self._duration_s = options.duration_s
        self._files = files
        self._links = links
        self._pace = pace
        self._trust = trust
        self._topics = topics_of(self._fleet)
        self._answers = topics_of(self._fleet, Channel.ACK)
        self._seqs = Sequences(self._fleet.roster.device, files.state)
        self._fleet.number_from(self._seqs.next)
        self._announced = 0
        self._messages = 0
        self._log: list[Published] = []
        self._orders: SimpleQueue[tuple[Topic, bytes]] = SimpleQueue()
        self._hear()

    def paced(self, stop: Stop, on_progress: Callable[[Sent], None]) -> Iterator[Message]:
        """Every message when it is due; one that is late is sent at once."""
        for number, reports in enumerate(self._fleet.slices()):
            for message in messages(reports, self._fleet.old_firmware):
                if self._duration_s is not None and message.sent_s >= self._duration_s:
                    return
                if stop.wait(max(0.0, self._pace.due_in_s(message.sent_s))):
                    return
                yield message
            self._obey()
            on_progress(self.sent())
            ended = self._duration_s is not None and self._fleet.dt_s * (number + 1) >= self._duration_s
            if ended or stop.wait(max(0.0, self._pace.due_in_s(self._fleet.dt_s * number))):
                return

    def announce(self, word: bytes) -> None:
        """Tell each band's retained presence."""
        for row, topic in enumerate(topics_of(self._fleet, Channel.STATUS)):
            self._link(row).publish(topic, word, retain=True)
        self._announced += len(self._topics)

    def send(self, message: Message) -> None:
        self._seqs.use(message.row, message.seq)
        self._link(message.row).publish(self._topics[message.row], payload(message, message.seq))
        self._messages += 1
        if self._files.log is not None:
            device = self._fleet.roster.device[message.row]
            self._log.append(Published(device=device, seq=message.seq, published_ms=self._pace.now_ms()))

    def sent(self) -> Sent:
        """What the broker acknowledged beyond the announcements is telemetry: it answers in order."""
        acknowledged = max(0, sum(link.acknowledged for link in self._links) - self._announced)
        trouble = next((link.trouble for link in self._links if link.trouble), "")
        return Sent(self._messages, acknowledged, trouble)

    def finish(self) -> Sent:
        """Leave: wait for the last answers, bands go offline, numbers, log and truth are written."""
        end_s = min(self._pace.elapsed_s(), self._duration_s or float("inf"))
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

    def _hear(self) -> None:
        """Listen for commands; whatever is no command of ours is somebody else's mistake and costs nothing."""
        known = set(self._fleet.roster.device)

        def take(topic: str, body: bytes) -> None:
            parts = parse_topic(topic)
            if parts is not None and parts.device in known:
                self._orders.put((parts, body))

        down = topics_of(self._fleet, Channel.DOWN)
        for number, link in enumerate(self._links):
            link.subscribe(down[number :: len(self._links)], take)

    def _obey(self) -> None:
        """Do what was commanded since the last round, and answer."""
        while not self._orders.empty():
            topic, body = self._orders.get()
            order = self._trust.take(topic, body, self._pace.now_ms())
            if order is None:
                continue
            command = order.command
            row = self._fleet.roster.device.index(topic.device)
            refusal = order.refusal or _refusal(command)
            if command.type is CommandType.PLAN and not refusal and not order.again:
                until_ms = command.until_ms if isinstance(command.until_ms, int) else None
                self._fleet.command(row, float(command.interval_s), until_ms)  # type: ignore[arg-type]
            ack = CommandAck(id=command.id, ok=not refusal, time_ms=self._pace.now_ms(), detail=refusal or UNSET)
            self._link(row).publish(self._answers[row], msgspec.json.encode(ack))
            self._announced += 1

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
            write_lines(self._fleet.truth(end_s), self._files.truth)

    def _link(self, row: int) -> Link:
        return self._links[row % len(self._links)]


def _refusal(command: Command) -> str:
    """Why a band does not do what it is told; empty if it does."""
    if command.type is not CommandType.PLAN:
        return ""
    sensible = isinstance(command.interval_s, float) and 0 < command.interval_s <= SLOWEST_S
    return "" if sensible else f"a plan needs interval_s, more than 0 and at most {SLOWEST_S:.0f}"
