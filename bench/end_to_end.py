"""Broker → stored, judged, acknowledged: how fast against a bare subscriber, and how soon is an alert committed?

Same machine, same run, same messages: a persistent QoS 1 session collects a backlog, then drains it — once a
bare paho subscriber, once ``shouhuan stream``. Needs Mosquitto on the PATH and the demo's wheels.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bench.broker import mosquitto, until
from schemas.registry import ZoneKind
from schemas.topics import up_filter
from shouhuan.clock import now, now_ms
from shouhuan.embedded.postgres import postgres
from shouhuan.report import AlertTimes
from store.connection import connect, scalar
from store.migrate import migrate
from store.registry import import_registry
from tests import world

BANDS = 1_000
BACKLOG = 60_000
PACED_S = 15.0
RATE = 1_000.0
_until: Final = partial(until, patience_s=120.0, look_every_s=0.01)


def run() -> dict[str, dict[str, float]]:
    world.START = now()
    with tempfile.TemporaryDirectory(prefix="sh-", dir="/tmp") as folder, mosquitto(Path(folder)) as port:
        bare = _bare_per_s(port)
        with postgres(Path(folder) / "pg") as url:
            migrate(url)
            zones = [world.circle(f"home-{n}", ZoneKind.KEEP_IN, radius_m=300.0 + n) for n in range(5)]
            import_registry(url, world.registry(*zones, bands=BANDS), now=now())
            environment = {
                "SHOUHUAN_DATABASE_URL": url,
                "SHOUHUAN_MQTT_PORT": str(port),
                "SHOUHUAN_RECOVERY_DIR": f"{folder}/recovery",
                "SHOUHUAN_LOG_LEVEL": "error",
            }
            with _stream(environment):
                _until(lambda: _connections(url) > 2)
                time.sleep(2.0)
            ours = _ours_per_s(port, url, environment)
            with _stream(environment):
                time.sleep(4.0)
                delays = _delays(port, url)
    p50, p95, p99 = np.percentile(delays, [50, 95, 99])
    return {
        "drain a backlog": {"bare subscriber msg/s": bare, "shouhuan msg/s": ours, "ratio": ours / bare},
        f"alerts amid {RATE:.0f} msg/s": {"p50 ms": p50, "p95 ms": p95, "p99 ms": p99},
    }


def _bare_per_s(port: int) -> float:
    client = _session(port, "bare")
    client.disconnect()
    client.loop_stop()
    _publish(port, BACKLOG)
    seen, began = 0, 0.0

    def count(_client: Client, _data: object, _message: object) -> None:
        nonlocal seen, began
        began = began or time.perf_counter()
        seen += 1

    client = _session(port, "bare", on_message=count)
    _until(lambda: seen >= BACKLOG)
    seconds = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return BACKLOG / seconds


def _ours_per_s(port: int, url: str, environment: dict[str, str]) -> float:
    _publish(port, BACKLOG)
    with connect(url, autocommit=True) as connection, _stream(environment):
        before = _journalled(connection)
        _until(lambda: _journalled(connection) > before)
        first, began = _journalled(connection), time.perf_counter()
        _until(lambda: _journalled(connection) >= before + BACKLOG)
        return (before + BACKLOG - first) / (time.perf_counter() - began)


def _delays(port: int, url: str) -> list[int]:
    """Ordinary readings at a steady rate; every 200th is a strap cut, timed from publish to commit."""
    times = AlertTimes(url)
    time.sleep(0.5)
    client = _connected(port, "paced")
    published: dict[int, int] = {}
    began = time.perf_counter()
    for number in range(int(PACED_S * RATE)):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        band = number % BANDS + 1
        cut = number % 200 == 199 and number // 200 < BANDS
        if cut:
            band = number // 200 + 1
            published[band] = now_ms()
        client.publish(_topic(band), _payload(1_000_000 + number, strap_closed=not cut), qos=1)
    time.sleep(2.0)
    client.disconnect()
    client.loop_stop()
    times.close()
    with connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT a.alert_id::text, d.id FROM alert a JOIN device d USING (device_no)"
        ).fetchall()
    return [times.seen_ms[alert] - published[int(device.split("-")[1])] for alert, device in rows]


def _publish(port: int, count: int) -> None:
    client = _connected(port, "backlog")
    base = now_ms()
    waiting = [client.publish(_topic(n % BANDS + 1), _payload(base + n), qos=1) for n in range(count)]
    for message in waiting:
        message.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def _topic(band: int) -> str:
    return f"wb/v1/dongqu/band-{band}/up"


def _payload(seq: int, *, strap_closed: bool = True) -> bytes:
    reading = {
        "time_ms": now_ms(),
        "fix": {"lat": 26.58, "lon": 101.71, "accuracy_m": 8.5, "speed_mps": 1.2, "source": "gnss", "satellites": 11},
        "vitals": {"heart_rate_bpm": 78, "spo2_pct": 97, "skin_temp_c": 33.4, "steps": 12, "activity": 0.3},
        "device": {"battery_pct": 81, "charging": False, "strap_closed": strap_closed, "case_closed": True},
    }
    return json.dumps({"v": 1, "seq": seq, "readings": [reading]}).encode()


def _session(port: int, name: str, on_message: object = None) -> Client:
    client = _client(name)
    if on_message is not None:
        client.on_message = on_message  # type: ignore[assignment]
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3_600
    properties.ReceiveMaximum = 2_000
    subscribed: list[int] = []
    client.on_subscribe = lambda _c, _u, mid, _r, _p: subscribed.append(mid)
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    _until(client.is_connected)
    client.subscribe(up_filter(shared=False), options=SubscribeOptions(qos=1))
    _until(lambda: bool(subscribed))
    return client


def _connected(port: int, name: str) -> Client:
    client = _client(name)
    client.max_queued_messages_set(0)
    client.max_inflight_messages_set(5_000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    _until(client.is_connected)
    return client


def _client(name: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
    client.on_socket_open = lambda _c, _u, s: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[attr-defined]
    return client


def _journalled(connection: object) -> int:
    return int(scalar(connection, "SELECT coalesce(sum(messages), 0) FROM journal"))  # type: ignore[arg-type]


def _connections(url: str) -> int:
    with connect(url, autocommit=True) as connection:
        return int(scalar(connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))


@contextmanager
def _stream(environment: dict[str, str]) -> Iterator[None]:
    worker = subprocess.Popen([sys.executable, "-m", "shouhuan", "stream"], env={**os.environ, **environment})
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(30)
