import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from simulator.link import Broker, Link, open_links
from tests.services.mosquitto import Mosquitto


def _eventually(condition: Callable[[], bool], within_s: float = 15.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@contextmanager
def _linked(broker: Broker) -> Iterator[Link]:
    (link,) = open_links(broker, 1)
    yield link
    link.close()


@pytest.mark.parametrize("mqtt5", [True, False], ids=["5", "3.1.1"])
def test_a_message_is_acknowledged_and_a_retained_one_waits_for_subscribers(
    mosquitto: Mosquitto, *, mqtt5: bool
) -> None:
    heard: Queue[MQTTMessage] = Queue()
    subscriber = Client(CallbackAPIVersion.VERSION2)
    subscriber.on_message = lambda _client, _data, message: heard.put(message)
    with _linked(Broker(port=mosquitto.port, mqtt5=mqtt5)) as link:
        link.publish("wb/v1/a/b/status", b"online", retain=True)
        assert _eventually(lambda: link.acknowledged == 1)
        assert link.trouble == ""
        subscriber.connect("127.0.0.1", mosquitto.port)
        subscriber.subscribe("wb/v1/+/+/status", qos=1)
        subscriber.loop_start()
        message = heard.get(timeout=10)
        subscriber.disconnect()
        subscriber.loop_stop()
    assert (message.payload, message.retain, message.qos) == (b"online", True, 1)


def test_what_is_said_while_the_broker_is_away_arrives_when_it_is_back(mosquitto: Mosquitto) -> None:
    with _linked(Broker(port=mosquitto.port)) as link:
        link.publish("wb/v1/a/b/up", b"{}")
        assert _eventually(lambda: link.acknowledged == 1)
        mosquitto.stop()
        assert _eventually(lambda: "reconnecting" in link.trouble)
        for _ in range(50):
            link.publish("wb/v1/a/b/up", b"{}")
        assert link.acknowledged == 1
        mosquitto.start()
        assert _eventually(lambda: link.acknowledged == 51)
        assert link.trouble == ""


def test_a_broker_that_is_not_there_is_named() -> None:
    with _linked(Broker(port=1)) as link:
        link.publish("wb/v1/a/b/up", b"{}")
        assert link.acknowledged == 0
        assert "127.0.0.1:1 " in link.trouble
