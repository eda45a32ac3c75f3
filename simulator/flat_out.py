"""A run published as fast as the broker takes it, for speed tests: few connections, every message counted."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from schemas.registry import Registry
from simulator.bulk import BulkLink, open_bulk
from simulator.capture import topics_of
from simulator.fleet import Fleet
from simulator.link import Broker
from simulator.messages import messages, payload
from simulator.options import Options

DRAIN_S: Final = 60.0


class Pushed(NamedTuple):
    """What went out, all of it acknowledged, and how long that took (making the messages included)."""

    messages: int
    readings: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.messages / max(self.seconds, 1e-9)


def run_flat_out(
    options: Options,
    registry: Registry,
    broker: Broker,
    *,
    start_ms: int,
    connections: int = 2,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Pushed:
    """Publish ``options.duration_s`` of simulated time; a band keeps to one connection, so its messages stay in order.

    ``on_progress`` hears how much of the run has been played, from 0 to 1. Raises ``ValueError`` without a duration,
    and the link's own errors when the broker refuses or goes away.
    """
    if options.duration_s is None:
        raise ValueError("a run flat out needs an end: give duration_s")
    fleet = Fleet(options, registry, start_ms=start_ms)
    links = open_bulk(broker, connections)
    began = time.perf_counter()
    sent = readings = 0
    try:
        topics = [topic.encode() for topic in topics_of(fleet)]
        for reports in fleet.reports(options.duration_s):
            waiting: list[tuple[list[bytes], list[bytes]]] = [([], []) for _ in links]
            for message in messages(reports, fleet.old_firmware):
                names, bodies = waiting[message.row % len(links)]
                names.append(topics[message.row])
                bodies.append(payload(message, message.seq))
            sent += _publish(links, waiting)
            readings += len(reports)
            on_progress(min(fleet.played_s / options.duration_s, 1.0))
        for link in links:
            link.drain(DRAIN_S)
    finally:
        for link in links:
            link.close()
    return Pushed(sent, readings, time.perf_counter() - began)


def _publish(links: list[BulkLink], waiting: list[tuple[list[bytes], list[bytes]]]) -> int:
    for link, (names, bodies) in zip(links, waiting, strict=True):
        link.publish_many(names, bodies)
    return sum(len(names) for names, _ in waiting)
