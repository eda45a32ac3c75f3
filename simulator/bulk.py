"""A publisher for speed tests: MQTT 3.1.1 at QoS 1 over plain sockets, hundreds of messages a system call.

Why paho was not enough: a speed test shares its machine with what it tests. On two cores, with Mosquitto 2.0.11 and
uplinks of 430 to 490 bytes, one paho client publishes 25,000 to 28,000 messages/s, but at 37 µs of CPU each: 20,000/s
take three quarters of a core before a single message is made, and while other work ran 8,000 to 14,000/s were left.
More in flight makes it slower (3,700/s at 5,000: each answer searches them all); two processes reach 28,000 to
49,000/s together and take both cores. This publisher takes 2 to 4 µs a message: 240,000/s alone, and never under
29,000/s while other work ran. ``bench/load.py`` asks again. Libraries would do too: awscrt (54,000/s, 17 µs) is a
compiled dependency of 13 MB, gmqtt (90,000/s, 7 µs) has no public way to bound the window or count acknowledgements.

It neither reconnects nor listens: a load test that loses its broker ends with an error that says so.
"""

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.link import Broker

BATCH: Final = 256
LAST_ID: Final = 65_535
WINDOW: Final = 4_096
LOGIN_S: Final = 10.0
SILENCE_S: Final = 30.0
RECEIVE_BYTES: Final = 64 * 1024

REFUSALS: Final = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not like the client id",
    3: "it is not available",
    4: "bad user name or password",
    5: "not authorised",
}
"""The return codes of CONNACK: MQTT 3.1.1, table 3.1."""

PUBACK: Final = np.dtype([("header", ">u2"), ("packet_id", ">u2")])
PUBACK_HEADER: Final = 0x4002
CONNACK_HEADER: Final = b"\x20\x02"
CONNACK_BYTES: Final = 4
MORE: Final = 0x80  # set in each byte of a length but its last
DISCONNECT: Final = b"\xe0\x00"


class BulkError(Exception):
    """The load cannot go on; the link it came from is closed."""


class BrokerRefusedError(BulkError):
    """The broker said no to the login: trying again does not help."""


class BrokerLostError(BulkError):
    """The broker is not there, went away or fell silent; of ``unacknowledged`` messages nobody knows the fate."""

    def __init__(self, message: str, unacknowledged: int) -> None:
        super().__init__(message)
        self.unacknowledged = unacknowledged


class BulkLink:
    """One connection that keeps at most ``window`` messages unacknowledged (1–65,535); for one thread only.

    Logging in is part of making it. It speaks 3.1.1 whatever ``broker.mqtt5`` says, so it sends no content type.
    A broker from which nothing moves for ``silence_s`` counts as lost.
    """

    def __init__(self, broker: Broker, number: int = 0, *, window: int = WINDOW, silence_s: float = SILENCE_S) -> None:
        if not 1 <= window <= LAST_ID:
            raise ValueError(f"window must be 1 to {LAST_ID}, the number of packet identifiers, not {window}")
        self._where = f"{broker.host}:{broker.port}"
        self._window = window
        self._silence_s = silence_s
        self._published = 0
        self._unacknowledged = 0
        self._waiting = np.zeros(LAST_ID + 1, np.bool_)  # by packet identifier
        self._partial = b""
        self._socket = _logged_in(broker, number)
        self._answers = _poll(self._socket, select.POLLIN)
        self._traffic = _poll(self._socket, select.POLLIN | select.POLLOUT)

    @property
    def acknowledged(self) -> int:
        """How many messages the broker has taken, as far as ``publish_many`` and ``drain`` have heard."""
        return self._published - self._unacknowledged

    def publish_many(self, topics: Sequence[bytes], bodies: Sequence[bytes]) -> None:
        """Send ``bodies[i]`` to ``topics[i]`` in order; returns when all are with the system, blocks at a full window.

        Raises ``BrokerLostError``; and ``ValueError`` where there are more of the one than of the other.
        """
        if len(topics) != len(bodies):
            raise ValueError(f"{len(topics)} topics for {len(bodies)} bodies")
        step = min(BATCH, self._window)
        for start in range(0, len(topics), step):
            self._publish(topics[start : start + step], bodies[start : start + step])

    def drain(self, timeout_s: float) -> None:
        """Return when everything published is acknowledged; raises ``BrokerLostError`` if that takes longer."""
        deadline = time.monotonic() + timeout_s
        while self._unacknowledged:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self._answers.poll(left_s * 1000):
                raise self._lost(f"did not acknowledge everything within {timeout_s:g} s")
            self._hear()

    def close(self) -> None:
        """Say goodbye; what is unacknowledged may be lost."""
        with contextlib.suppress(OSError):
            self._socket.send(DISCONNECT)
        self._socket.close()

    def _publish(self, topics: Sequence[bytes], bodies: Sequence[bytes]) -> None:
        packet_ids = np.arange(self._published, self._published + len(topics)) % LAST_ID + 1
        while not self._has_room(packet_ids):
            self._await(self._answers)
            self._hear()
        self._waiting[packet_ids] = True
        self._published += len(topics)
        self._unacknowledged += len(topics)
        self._send(b"".join(map(publish_packet, topics, bodies, packet_ids.tolist())))

    def _has_room(self, packet_ids: npt.NDArray[np.int64]) -> bool:
        """A broker may answer out of order: a free window does not mean that the next identifiers are free."""
        return self._unacknowledged + len(packet_ids) <= self._window and not self._waiting[packet_ids].any()

    def _send(self, packets: bytes) -> None:
        """Write all, and hear answers meanwhile: a broker whose answers nobody takes may stop reading."""
        rest = memoryview(packets)
        while rest:
            events = self._await(self._traffic)
            if events & ~select.POLLOUT:
                self._hear()
            if events & select.POLLOUT:
                rest = rest[self._write(rest) :]

    def _write(self, packets: memoryview) -> int:
        try:
            return self._socket.send(packets)
        except OSError as error:
            raise self._lost(f"went away ({error})") from error

    def _hear(self) -> None:
        try:
            received = self._socket.recv(RECEIVE_BYTES)
        except OSError as error:
            raise self._lost(f"went away ({error})") from error
        if not received:
            raise self._lost("closed the connection")
        try:
            acknowledged, self._partial = puback_ids(self._partial + received)
        except ValueError as error:
            raise self._lost(str(error)) from error
        self._waiting[acknowledged] = False
        self._unacknowledged = int(np.count_nonzero(self._waiting))

    def _await(self, poll: select.poll) -> int:
        events = poll.poll(self._silence_s * 1000)
        if not events:
            raise self._lost(f"has been silent for {self._silence_s:g} s")
        return events[0][1]

    def _lost(self, how: str) -> BrokerLostError:
        self._socket.close()
        return BrokerLostError(
            f"{self._where} {how}: {self.acknowledged} messages acknowledged, {self._unacknowledged} not",
            self._unacknowledged,
        )


def open_bulk(broker: Broker, connections: int, *, window: int = WINDOW) -> list[BulkLink]:
    """So many connections, all logged in; raises ``BrokerRefusedError`` or ``BrokerLostError`` and leaves none open."""
    with contextlib.ExitStack() as undo:
        links = [undo.enter_context(contextlib.closing(BulkLink(broker, n, window=window))) for n in range(connections)]
        undo.pop_all()
    return links


def connect_packet(client_id: str, username: str | None, password: str | None) -> bytes:
    """CONNECT with a clean session and no keep-alive; a password goes only with a user name.

    >>> connect_packet("a", None, None).hex(" ")
    '10 0d 00 04 4d 51 54 54 04 02 00 00 00 01 61'
    """
    fields, flags = [client_id], 0x02
    if username is not None:
        fields, flags = [*fields, username], flags | 0x80
        if password is not None:
            fields, flags = [*fields, password], flags | 0x40
    rest = _field(b"MQTT") + bytes((4, flags, 0, 0)) + b"".join(_field(field.encode()) for field in fields)
    return b"\x10" + remaining_length(len(rest)) + rest


def publish_packet(topic: bytes, body: bytes, packet_id: int) -> bytes:
    """PUBLISH at QoS 1, not retained.

    >>> publish_packet(b"t", b"hi", 258).hex(" ")
    '32 07 00 01 74 01 02 68 69'
    """
    length = remaining_length(len(topic) + len(body) + 4)
    return b"\x32" + length + len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + body


def remaining_length(count: int) -> bytes:
    """MQTT's variable-length number: seven bits a byte, the low ones first.

    >>> [remaining_length(count).hex() for count in (0, 127, 128, 16_383, 16_384)]
    ['00', '7f', '8001', 'ff7f', '808001']
    """
    encoded = b""
    while count >= MORE:
        encoded += bytes((count % MORE | MORE,))
        count //= MORE
    return encoded + bytes((count,))


def puback_ids(received: bytes) -> tuple[npt.NDArray[np.uint16], bytes]:
    """The packet identifiers of all whole PUBACKs, and the bytes of the one that is still incomplete.

    Raises ``ValueError`` at anything else: a broker has nothing else to say to a client that only publishes.

    >>> ids, rest = puback_ids(bytes.fromhex("40020001 40020102 4002"))
    >>> ids.tolist(), rest.hex()
    ([1, 258], '4002')
    """
    whole = len(received) // PUBACK.itemsize
    packets = np.frombuffer(received, PUBACK, whole)
    if (packets["header"] != PUBACK_HEADER).any():
        raise ValueError("sent something that is no acknowledgement")
    return packets["packet_id"], received[whole * PUBACK.itemsize :]


def _logged_in(broker: Broker, number: int) -> socket.socket:
    where = f"{broker.host}:{broker.port}"
    try:
        connection = socket.create_connection((broker.host, broker.port), LOGIN_S)
    except OSError as error:
        raise BrokerLostError(f"{where} cannot be reached: {error}", 0) from error
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        _log_in(connection, broker, number, where)
        undo.pop_all()
    connection.setblocking(False)
    return connection


def _log_in(connection: socket.socket, broker: Broker, number: int, where: str) -> None:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(connect_packet(f"{broker.client_id}-bulk-{number}", broker.username, broker.password))
        answer = _received(connection, CONNACK_BYTES)
    except OSError as error:
        raise BrokerLostError(f"{where} does not answer the login: {error}", 0) from error
    if len(answer) < CONNACK_BYTES:
        raise BrokerLostError(f"{where} closed the connection at the login", 0)
    if not answer.startswith(CONNACK_HEADER):
        raise BrokerRefusedError(f"{where} does not speak MQTT 3.1.1: it answers {answer!r}")
    if answer[-1]:
        raise BrokerRefusedError(f"{where} refuses: {REFUSALS.get(answer[-1], f'code {answer[-1]}')}")


def _received(connection: socket.socket, count: int) -> bytes:
    """So many bytes, fewer where the other side hangs up, and none of those that follow."""
    received = b""
    while len(received) < count and (more := connection.recv(count - len(received))):
        received += more
    return received


def _poll(connection: socket.socket, events: int) -> select.poll:
    poll = select.poll()
    poll.register(connection, events)
    return poll


def _field(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text
