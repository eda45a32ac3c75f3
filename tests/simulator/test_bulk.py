import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from queue import Empty, Queue

import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from simulator.bulk import BrokerLostError, BrokerRefusedError, BulkLink, connect_packet, open_bulk
from simulator.link import Broker
from tests.services.mosquitto import Mosquitto

CONNACK = bytes.fromhex("20020000")
TOPIC = b"wb/v1/dongqu/band-1/up"


@contextmanager
def _subscriber(port: int) -> Iterator[Queue[MQTTMessage]]:
    heard: Queue[MQTTMessage] = Queue()
    listening = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.put(message)
    client.on_subscribe = lambda *_: listening.set()
    client.connect("127.0.0.1", port)
    client.subscribe("wb/#", qos=1)
    client.loop_start()
    assert listening.wait(10)
    yield heard
    client.disconnect()
    client.loop_stop()


@contextmanager
def _scripted(talk: Callable[[socket.socket], object], login: bytes = CONNACK) -> Iterator[Broker]:
    """A broker of one connection that answers every login so, and then does as told."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection, suppress(ConnectionResetError):
            connection.recv(1024)
            connection.sendall(login)
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Broker(port=server.getsockname()[1])
        thread.join(10)


@contextmanager
def _stopped(mosquitto: Mosquitto) -> Iterator[None]:
    """It stays connected, but neither reads nor answers."""
    assert mosquitto._process is not None
    mosquitto._process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        mosquitto._process.send_signal(signal.SIGCONT)


def _pubacks(packet_ids: np.ndarray) -> bytes:
    packets = np.empty((len(packet_ids), 2), ">u2")
    packets[:, 0], packets[:, 1] = 0x4002, packet_ids
    return packets.tobytes()


def _until_closed(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("window", [7, 4096], ids=["narrow", "wide"])
def test_every_message_arrives_once_and_whole(mosquitto: Mosquitto, connections: int, window: int) -> None:
    sizes = [0, 1, 97, 98, 99, 100, 480, 16_355, 16_356, 16_400, 65_536, 2_200_000] + [480] * 1_500 + [1_000_000] * 12
    bodies = [number.to_bytes(4, "big") + bytes(size) for number, size in enumerate(sizes)]
    topics = [b"wb/v1/dongqu/band-%d/up" % (number % 40) for number in range(len(sizes))]
    with _subscriber(mosquitto.port) as heard:
        links = open_bulk(Broker(port=mosquitto.port), connections, window=window)
        for number, link in enumerate(links):
            link.publish_many(topics[number::connections], bodies[number::connections])
        for link in links:
            link.drain(20)
            link.close()
        assert sum(link.acknowledged for link in links) == len(sizes)
        messages = [heard.get(timeout=20) for _ in sizes]
        with pytest.raises(Empty):
            heard.get(timeout=0.2)
    told = [(message.topic.encode(), message.payload) for message in messages]
    assert sorted(told) == sorted(zip(topics, bodies, strict=True))
    assert {(message.qos, message.retain) for message in messages} == {(1, False)}
    if connections == 1:
        assert [body for _, body in told] == bodies


def test_packet_identifiers_begin_again_after_the_last(mosquitto: Mosquitto) -> None:
    with closing(BulkLink(Broker(port=mosquitto.port))) as link:
        link.publish_many([TOPIC] * 140_000, [b""] * 140_000)
        link.drain(20)
        assert link.acknowledged == 140_000


def test_an_identifier_that_is_still_unacknowledged_is_not_used_again() -> None:
    size = 2 + 2 + len(TOPIC) + 2

    def acknowledge_all_but_the_first(connection: socket.socket) -> None:
        received = answered = 0
        while chunk := connection.recv(1 << 16):
            received += len(chunk)
            packet_ids = np.arange(answered, received // size) + 1
            answered = received // size
            connection.sendall(_pubacks(packet_ids[packet_ids != 1]))

    with _scripted(acknowledge_all_but_the_first) as broker, closing(BulkLink(broker, silence_s=0.3)) as link:
        link.publish_many([TOPIC] * 65_535, [b""] * 65_535)
        with pytest.raises(BrokerLostError, match="65534 messages acknowledged, 1 not"):
            link.publish_many([TOPIC], [b""])


def test_only_the_first_answer_to_a_message_counts() -> None:
    def stammer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        answers = _pubacks(np.array([2, 2, 2, 9, 1]))
        connection.sendall(answers[:10])
        connection.sendall(answers[10:])
        _until_closed(connection)

    with _scripted(stammer) as broker, closing(BulkLink(broker)) as link:
        link.publish_many([TOPIC] * 3, [b""] * 3)
        with pytest.raises(BrokerLostError, match=r"everything within 0.3 s: 2 messages acknowledged, 1 not"):
            link.drain(0.3)


def test_a_full_window_waits_for_the_broker(mosquitto: Mosquitto) -> None:
    with closing(BulkLink(Broker(port=mosquitto.port), window=10)) as link:
        publishing = threading.Thread(target=link.publish_many, args=([TOPIC] * 100, [b"{}"] * 100))
        with _stopped(mosquitto):
            publishing.start()
            publishing.join(0.3)
            assert publishing.is_alive()
            assert link.acknowledged == 0
        publishing.join(10)
        assert not publishing.is_alive()
        link.drain(10)
        assert link.acknowledged == 100


@pytest.mark.parametrize("body", [b"{}", bytes(1_000_000)], ids=["that answers nothing", "that reads nothing"])
def test_a_broker_that_falls_silent_is_lost_with_at_most_a_window(mosquitto: Mosquitto, body: bytes) -> None:
    with (
        closing(BulkLink(Broker(port=mosquitto.port), window=10, silence_s=0.3)) as link,
        _stopped(mosquitto),
        pytest.raises(BrokerLostError, match=r"silent for 0.3 s: 0 messages acknowledged, 10 not") as lost,
    ):
        link.publish_many([TOPIC] * 100, [body] * 100)
    assert lost.value.unacknowledged == 10


def test_a_broker_that_goes_away_is_lost_and_stays_lost(mosquitto: Mosquitto) -> None:
    with closing(BulkLink(Broker(port=mosquitto.port))) as link:
        link.publish_many([TOPIC] * 5, [b"{}"] * 5)
        link.drain(10)
        mosquitto.kill()
        with pytest.raises(BrokerLostError, match=f"127.0.0.1:{mosquitto.port} ") as lost:
            link.publish_many([TOPIC] * 100_000, [b"{}"] * 100_000)
        assert link.acknowledged == 5
        assert lost.value.unacknowledged > 0
        with pytest.raises(BrokerLostError):
            link.publish_many([TOPIC], [b"{}"])


def test_a_broker_that_hangs_up_is_noticed_while_waiting_for_the_last_answers() -> None:
    with _scripted(lambda connection: connection.recv(1024)) as broker, closing(BulkLink(broker)) as link:
        link.publish_many([TOPIC] * 5, [b"{}"] * 5)
        with pytest.raises(BrokerLostError, match=r"closed the connection: 0 messages acknowledged, 5 not"):
            link.drain(10)


def test_what_is_no_acknowledgement_ends_the_load() -> None:
    def swear(connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        _until_closed(connection)

    with _scripted(swear) as broker, closing(BulkLink(broker)) as link:
        link.publish_many([TOPIC], [b"{}"])
        with pytest.raises(BrokerLostError, match="no acknowledgement"):
            link.drain(10)


def test_a_refused_login_says_why_and_leaves_no_connection(mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    settings = mosquitto.folder / "mosquitto.conf"
    settings.write_text(settings.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    mosquitto.start()
    with pytest.raises(BrokerRefusedError, match=f"127.0.0.1:{mosquitto.port} refuses: not authorised"):
        open_bulk(Broker(port=mosquitto.port, username="fleet", password="wrong"), 2)


def test_a_server_of_something_else_is_refused() -> None:
    with (
        _scripted(_until_closed, login=b"HTTP/1.1 400 Bad Request\r\n\r\n") as broker,
        pytest.raises(BrokerRefusedError, match=r"does not speak MQTT 3.1.1: it answers b'HTTP'"),
    ):
        BulkLink(broker)


def test_a_broker_that_hangs_up_at_the_login_is_lost() -> None:
    with _scripted(lambda _: None, login=b"") as broker, pytest.raises(BrokerLostError, match="at the login"):
        BulkLink(broker)


def test_a_broker_that_is_not_there_is_named() -> None:
    with pytest.raises(BrokerLostError, match=r"127.0.0.1:1 cannot be reached"):
        open_bulk(Broker(port=1), 1)


def test_the_login_carries_user_and_password() -> None:
    assert connect_packet("c", "us", "pwd") == (b"\x10\x16\x00\x04MQTT\x04\xc2\x00\x00\x00\x01c\x00\x02us\x00\x03pwd")


def test_topics_and_bodies_come_in_pairs(mosquitto: Mosquitto) -> None:
    with closing(BulkLink(Broker(port=mosquitto.port))) as link:
        with pytest.raises(ValueError, match="2 topics for 1 bodies"):
            link.publish_many([TOPIC] * 2, [b"{}"])
        assert link.acknowledged == 0


@pytest.mark.parametrize("window", [0, 65_536])
def test_a_window_is_as_large_as_there_are_identifiers(window: int) -> None:
    with pytest.raises(ValueError, match="window must be 1 to 65535"):
        BulkLink(Broker(port=1), window=window)
