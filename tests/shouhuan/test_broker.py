"""The embedded broker keeps QoS 1 across a subscriber's death (amqtt alone does not)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.services.ports import answers, free_port, wait_until

MESSAGES = 1_500
ACCOUNT = ("demo", "secret")
SUBSCRIBER = """
import sys, time
from collections import deque
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
port, out = int(sys.argv[1]), open(sys.argv[2], "a")
client = Client(CallbackAPIVersion.VERSION2, client_id="worker", clean_session=False, manual_ack=True)
client.username_pw_set("demo", "secret")
waiting = deque()
client.on_connect = lambda c, *_: c.subscribe("wb/#", qos=1)
client.on_message = lambda c, u, m: waiting.append(m)
client.connect("127.0.0.1", port)
client.loop_start()
while True:
    time.sleep(0.03)
    taken = [waiting.popleft() for _ in range(len(waiting))]
    out.write("".join(m.payload.decode() + "\\n" for m in taken))
    out.flush()
    for m in taken:
        client.ack(m.mid, m.qos)
"""


class Broker(NamedTuple):
    port: int


@pytest.fixture
def broker() -> Iterator[Broker]:
    port = free_port()
    environment = {**os.environ, "BROKER_USERNAME": ACCOUNT[0], "BROKER_PASSWORD": ACCOUNT[1]}
    process = subprocess.Popen(
        [sys.executable, "-m", "shouhuan.embedded.broker", "127.0.0.1", str(port)], env=environment
    )
    wait_until(lambda: answers(port), "the embedded broker")
    yield Broker(port)
    process.terminate()
    assert process.wait(20) == 0


def connected(port: int, password: str = ACCOUNT[1]) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id="publisher")
    client.username_pw_set(ACCOUNT[0], password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def test_a_subscriber_killed_again_and_again_misses_no_acknowledged_message(broker: Broker, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.touch()

    def subscribe() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SUBSCRIBER, str(broker.port), str(seen)])

    subscriber = subscribe()
    publisher = connected(broker.port)

    def heard() -> bool:
        # The session exists from the first subscription on; what was published before is nobody's.
        publisher.publish("wb/x", "hello", qos=1).wait_for_publish(10)
        return "hello" in seen.read_text()

    wait_until(heard, "the subscription")
    for number in range(MESSAGES):
        publisher.publish("wb/x", str(number), qos=1).wait_for_publish(10)
        if number in {300, 700, 1100}:
            subscriber.kill()
            subscriber.wait()
            subscriber = subscribe()
    publisher.disconnect()
    publisher.loop_stop()
    wait_until(lambda: set(map(str, range(MESSAGES))) <= set(seen.read_text().split()), "every message")
    subscriber.kill()
    subscriber.wait()


def test_a_wrong_password_is_refused(broker: Broker) -> None:
    refusals: list[bool] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id="stranger")
    client.username_pw_set(ACCOUNT[0], "guess")
    client.on_connect = lambda _c, _u, _f, reason, _p: refusals.append(reason.is_failure)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    wait_until(lambda: bool(refusals), "an answer")
    client.loop_stop()
    assert refusals[0]
