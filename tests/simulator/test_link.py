import socket
import threading
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


def _commanded(mosquitto: Mosquitto, topic: str, body: bytes, until: Callable[[], bool]) -> bool:
    """Say it again and again: only hearing shows that a subscription stands."""
    return _eventually(lambda: mosquitto.publish(topic, body) or until())


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


@pytest.mark.parametrize("mqtt5", [True, False], ids=["5", "3.1.1"])
def test_a_command_is_heard_by_its_own_handler_which_may_answer(mosquitto: Mosquitto, *, mqtt5: bool) -> None:
    heard: list[tuple[str, bytes]] = []
    with _linked(Broker(port=mosquitto.port, mqtt5=mqtt5)) as link:
        link.subscribe(["wb/v1/a/b/down", "wb/v1/a/c/down"], lambda topic, body: link.publish(f"{topic}/ack", body))
        link.subscribe(["wb/v1/a/+/down/ack"], lambda topic, body: heard.append((topic, body)))
        for topic, body in (("wb/v1/a/b/down", b"locate"), ("wb/v1/a/c/down", b"end")):
            assert _commanded(mosquitto, topic, body, lambda said=(f"{topic}/ack", body): said in heard)
    assert set(heard) == {("wb/v1/a/b/down/ack", b"locate"), ("wb/v1/a/c/down/ack", b"end")}


def test_who_subscribes_while_connected_hears_each_command_once(mosquitto: Mosquitto) -> None:
    heard: list[bytes] = []
    with _linked(Broker(port=mosquitto.port)) as link:
        assert _eventually(lambda: link.trouble == "")
        link.subscribe(["wb/v1/+/+/down"], lambda _, body: heard.append(body))
        assert _commanded(mosquitto, "wb/v1/a/b/down", b"listening?", lambda: bool(heard))
        for number in range(20):
            mosquitto.publish("wb/v1/a/b/down", b"%d" % number)
        assert _eventually(lambda: heard[-1:] == [b"19"])
    assert [body for body in heard if body != b"listening?"] == [b"%d" % number for number in range(20)]


def test_all_commands_are_heard_again_when_the_broker_is_back(mosquitto: Mosquitto) -> None:
    heard: list[str] = []
    topics = ["wb/v1/a/b/down", "wb/v1/a/c/down"]
    with _linked(Broker(port=mosquitto.port)) as link:
        for topic in topics:
            link.subscribe([topic], lambda told, _: heard.append(told))
        assert _eventually(lambda: link.trouble == "")
        mosquitto.kill()
        assert _eventually(lambda: "reconnecting" in link.trouble)
        mosquitto.start()
        for topic in topics:
            assert _commanded(mosquitto, topic, b"again", lambda topic=topic: topic in heard)


def test_commands_are_asked_for_at_least_once_and_a_refusal_is_named() -> None:
    asked = b""

    def refuse_the_second() -> None:
        nonlocal asked
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(bytes.fromhex("20020000"))
            asked = connection.recv(1024)
            connection.sendall(bytes.fromhex("9004") + asked[2:4] + bytes.fromhex("0180"))
            connection.recv(1024)

    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = threading.Thread(target=refuse_the_second)
        broker.start()
        with _linked(Broker(port=server.getsockname()[1], mqtt5=False)) as link:
            link.subscribe(["wb/v1/a/b/down", "wb/v1/a/c/down"], lambda *_: None)
            assert _eventually(lambda: "refuses 1 of 2 subscriptions" in link.trouble)
        broker.join(10)
    assert asked.endswith(b"wb/v1/a/b/down\x01\x00\x0ewb/v1/a/c/down\x01")


def test_more_than_a_link_can_keep_is_dropped_and_counted(mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    with _linked(Broker(port=mosquitto.port)) as link:
        for _ in range(65_535 + 3):
            link.publish("wb/v1/a/b/up", b"")
        assert link.dropped == 3
        mosquitto.start()
        assert _eventually(lambda: link.trouble.startswith("3 messages were dropped"))


def test_a_broker_that_is_not_there_is_named() -> None:
    with _linked(Broker(port=1)) as link:
        link.publish("wb/v1/a/b/up", b"{}")
        assert link.acknowledged == 0
        assert "127.0.0.1:1 " in link.trouble
