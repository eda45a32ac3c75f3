"""One persistent MQTT session whose messages are acknowledged by us, when they are safe: the only MQTT I/O of ingest.

The broker keeps what we have not acknowledged and sends it again after a reconnect. Message ids mean
something within one connection only, so whatever an old connection delivered is forgotten, not
acknowledged: it comes again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.client import BrokerConfig, connect, new_client
from ingest.vet import Message
from schemas.topics import Format, up_filter

_log: Final = structlog.get_logger(__name__)


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
        self._wanted = [up_filter(shared=broker.shared, format_=format_) for format_ in sorted(broker.formats)]
        self._client = self._new_client(client_id, broker)

    def open(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        connect(self._client, self._broker)

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

    @property
    def connected(self) -> bool:
        """Whether the broker can reach us now."""
        return self._connected_ms is not None

    @property
    def waiting(self) -> int:
        """How many messages have not been taken."""
        return len(self._queue)

    def oldest_ms(self) -> int | None:
        """When the message arrived that waits longest; None where none waits. Any thread may ask."""
        try:
            return self._queue[0].message.received_ms
        except IndexError:
            return None

    def drained_since_ms(self) -> int | None:
        """Since when the present connection stands, if nothing waits; None otherwise."""
        return self._connected_ms if not self._queue else None

    def _new_client(self, client_id: str, broker: BrokerConfig) -> Client:
        client = new_client(client_id, broker)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
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
        wanted = self._wanted
        ever = {up_filter(shared=shared, format_=format_) for shared in (False, True) for format_ in Format}
        # A persistent session still has what an earlier configuration subscribed to.
        client.unsubscribe(sorted(ever - set(wanted)))
        client.subscribe([(topic, 1) for topic in wanted])
        _log.info("broker-connected", host=self._broker.host, port=self._broker.port)

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        self._connected_ms = None
        _log.warning("broker-disconnected", host=self._broker.host, port=self._broker.port, reason=str(reason))

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _props: Properties | None
    ) -> None:
        for topic, reason in zip(self._wanted, reasons, strict=False):
            if reason.is_failure:
                hint = "allow the workers' account to read it, or leave the format out of SHOUHUAN_FORMATS"
                _log.error("subscription-refused", topic=topic, reason=str(reason), hint=hint)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        content_type = getattr(message.properties, "ContentType", None) if message.properties else None
        received = Message(message.topic, bytes(message.payload), self._now_ms(), content_type)
        self._queue.append(Delivery(received, message.mid, message.qos, self._connection))
