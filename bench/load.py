"""How many QoS 1 messages a second does one process publish, acknowledged, and what does a message cost it?

One paho client against ``BulkLink`` over 1, 2 and 4 connections: the same messages, the same broker, once with nobody
listening and once beside a subscriber in Python that counts, which takes as much of the machine as it can get, as
whatever is under test would. Needs Mosquitto on the PATH.
"""

import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from bench.broker import mosquitto, until
from schemas.wire import DeviceStatus, Fix, Reading, Uplink, Vitals, encode_json
from simulator.bulk import open_bulk
from simulator.link import Broker

MESSAGES = 100_000
ROUNDS = 3
BANDS = 10_000
TURN = 1_024
WAITING = 20_000


class Cost(NamedTuple):
    """Of publishing everything until it was acknowledged: on the clock, and of this process's processor time."""

    seconds: float
    cpu_s: float


def run() -> dict[str, dict[str, float]]:
    topics = [f"wb/v1/dongqu/band-{number % BANDS}/up" for number in range(MESSAGES)]
    bodies = [_body(number) for number in range(MESSAGES)]
    publishers: dict[str, Callable[[int], Cost]] = {"one paho client": partial(_paho, topics=topics, bodies=bodies)}
    raw_topics = [topic.encode() for topic in topics]
    for connections in (1, 2, 4):
        bulk = partial(_bulk, connections=connections, topics=raw_topics, bodies=bodies)
        publishers[f"bulk, {connections} connection{'s' * (connections > 1)}"] = bulk
    with tempfile.TemporaryDirectory(prefix="sh-") as folder, mosquitto(Path(folder)) as port:
        alone = {name: _best(publish, port) for name, publish in publishers.items()}
        heard = {name: _best_heard(publish, port) for name, publish in publishers.items()}
    return {
        name: {
            "acknowledged/s": MESSAGES / alone[name].seconds,
            "us of CPU per message": alone[name].cpu_s / MESSAGES * 1e6,
            "acknowledged/s beside a subscriber": MESSAGES / heard[name].seconds,
        }
        for name in publishers
    }


def _best(publish: Callable[[int], Cost], port: int) -> Cost:
    return min(publish(port) for _ in range(ROUNDS))


def _best_heard(publish: Callable[[int], Cost], port: int) -> Cost:
    """Each round has a subscriber of its own: one that still catches up would slow the next round down."""

    def once() -> Cost:
        with _subscriber(port):
            return publish(port)

    return min(once() for _ in range(ROUNDS))


def _paho(port: int, topics: Sequence[str], bodies: Sequence[bytes]) -> Cost:
    """At paho's own 20 unacknowledged messages: more make it slower; the others wait in its queue."""
    acknowledged = 0

    def count(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1

    def has_room(published: int) -> bool:
        return published - acknowledged < WAITING

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    client.on_socket_open = _without_delay
    client.on_publish = count
    client.connect("127.0.0.1", port)
    client.loop_start()
    until(client.is_connected)
    began = _now()
    for published, (topic, body) in enumerate(zip(topics, bodies, strict=True)):
        client.publish(topic, body, qos=1)
        if published % TURN == 0:
            until(partial(has_room, published))
    until(lambda: acknowledged == len(topics))
    cost = _since(began)
    client.disconnect()
    client.loop_stop()
    return cost


def _without_delay(_client: Client, _data: object, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _bulk(port: int, connections: int, topics: Sequence[bytes], bodies: Sequence[bytes]) -> Cost:
    with ExitStack() as stack:
        links = [stack.enter_context(closing(link)) for link in open_bulk(Broker(port=port), connections)]
        began = _now()
        for turn, start in enumerate(range(0, len(topics), TURN)):
            links[turn % connections].publish_many(topics[start : start + TURN], bodies[start : start + TURN])
        for link in links:
            link.drain(60)
        cost = _since(began)
        assert sum(link.acknowledged for link in links) == len(topics)
    return cost


def _body(seq: int) -> bytes:
    reading = Reading(
        time_ms=1_795_406_400_000 + seq,
        fix=Fix(
            lat=26.582345, lon=101.712345, accuracy_m=8.5, altitude_m=1180.2, speed_mps=1.21, satellites=11, hdop=0.9
        ),
        vitals=Vitals(
            heart_rate_bpm=78, hrv_rmssd_ms=41, spo2_pct=97, skin_temp_c=33.4, steps=12, activity=0.3, peak_g=1.2
        ),
        device=DeviceStatus(
            battery_pct=81.2,
            charging=False,
            strap_closed=True,
            case_closed=True,
            sos=False,
            rssi_dbm=-71,
            firmware="1.4.2",
        ),
    )
    return encode_json(Uplink(v=1, seq=seq, readings=[reading]))


def _now() -> Cost:
    return Cost(time.perf_counter(), time.process_time())


def _since(began: Cost) -> Cost:
    now = _now()
    return Cost(now.seconds - began.seconds, now.cpu_s - began.cpu_s)


@contextmanager
def _subscriber(port: int) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    listening = spawn.Event()
    process = spawn.Process(target=_listen, args=(port, listening))
    process.start()
    try:
        assert listening.wait(30)
        yield
    finally:
        process.terminate()
        process.join(10)


def _listen(port: int, listening: Event) -> None:
    heard = 0

    def count(*_: object) -> None:
        nonlocal heard
        heard += 1

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    client.on_message = count
    client.on_subscribe = lambda *_: listening.set()
    client.connect("127.0.0.1", port)
    client.subscribe("wb/#", qos=1)
    client.loop_forever()
