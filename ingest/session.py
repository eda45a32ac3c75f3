"""One persistent MQTT session whose messages are acknowledged by us, when they are safe: the only MQTT I/O of ingest.

The broker keeps what we have not acknowledged and sends it again after a reconnect. Message ids mean
something within one connection only, so whatever an old connection delivered is forgotten, not
acknowledged: it comes again.
"""

import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal, cast

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.vet import Message
from schemas.topics import up_filter

_log: Final = structlog.get_logger(__name__)
_KEEPALIVE_S: Final = 30
_SESSION_EXPIRY_S: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where the broker is and how it is spoken to; ``receive_maximum`` bounds what waits unacknowledged.

    ``shared`` splits the bands' messages among all sessions of the share group (MQTT 5 only). A session
    alone does better without: Mosquitto forgets the shared subscriptions of absent sessions when it
    restarts, and then drops what it acknowledged to bands until one is back (ADR 0009).
    """

    host: str
    port: int
    version: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: str | None = None
    tls_ca: str | None = None
    receive_maximum: int = 2_000
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what it takes to acknowledge it."""

    message: Message
    mid: int
    qos: int
    connection: int


class Session:
    """Fills a queue from paho's thread; ``take`` and ``acknowledge`` are for the dataflow's thread."""

    def __init__(self, client_id: str, broker: BrokerConfig, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._queue: deque[Delivery] = deque()
        self._connection = 0
        self._connected_ms: int | None = None
        self._lock = Lock()
        self._broker = broker
        self._client = self._new_client(client_id, broker)

    def open(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        five = self._broker.version == "5"
        properties = None
        if five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_EXPIRY_S
            properties.ReceiveMaximum = self._broker.receive_maximum
        extra: dict[str, Any] = {"clean_start": False, "properties": properties} if five else {}
        self._client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S, **extra)
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect; the broker keeps the session and everything unacknowledged."""
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, limit: int) -> list[Delivery]:
        """At most ``limit`` waiting messages, oldest first."""
        return [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are safe; those of an earlier connection are passed over."""
        with self._lock:
            for delivery in deliveries:
                if delivery.connection == self._connection:
                    self._client.ack(delivery.mid, delivery.qos)

    def drained_since_ms(self) -> int | None:
        """Since when the present connection stands, if nothing waits; None otherwise."""
        return self._connected_ms if not self._queue else None

    def _new_client(self, client_id: str, broker: BrokerConfig) -> Client:
        five = broker.version == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else False,
            protocol=MQTTv5 if five else MQTTv311,
            manual_ack=True,
        )
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls_ca is not None:
            client.tls_set(ca_certs=broker.tls_ca)
        client.reconnect_delay_set(min_delay=1, max_delay=10)
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        if reason.is_failure:
            _log.error("broker-refused", host=self._broker.host, port=self._broker.port, reason=str(reason))
            return
        with self._lock:
            self._connection += 1
            self._connected_ms = self._now_ms()
            self._queue.clear()
        shared = self._broker.shared
        # A persistent session still has what an earlier configuration subscribed to.
        client.unsubscribe(up_filter(shared=not shared))
        client.subscribe(up_filter(shared=shared), qos=1)
        _log.info("broker-connected", host=self._broker.host, port=self._broker.port)

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        self._connected_ms = None
        _log.warning("broker-disconnected", host=self._broker.host, port=self._broker.port, reason=str(reason))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        content_type = getattr(message.properties, "ContentType", None) if message.properties else None
        received = Message(message.topic, bytes(message.payload), self._now_ms(), content_type)
        self._queue.append(Delivery(received, message.mid, message.qos, self._connection))


def _without_delay(_client: Client, _data: object, sock: object) -> None:
    """Nagle's algorithm would hold every acknowledgement back for 40 ms."""
    cast("socket.socket", sock).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
