"""One MQTT connection of the fleet: publishes and hears at QoS 1, counts acknowledgements, reconnects by itself."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

KEEPALIVE_S: Final = 30
RECONNECT_AFTER_S: Final = (1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where to publish and as whom; ``mqtt5`` False speaks 3.1.1."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    mqtt5: bool = True
    client_id: str = "shouhuan-simulator"


class Link(Protocol):
    """What a run needs of a connection."""

    @property
    def acknowledged(self) -> int:
        """How many publishes the broker has taken so far."""

    @property
    def trouble(self) -> str:
        """Why messages do not get through, in words; empty while they do."""

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        """Send, or keep for when the broker is back."""

    def subscribe(self, topics: Sequence[str], on_message: Callable[[str, bytes], None]) -> None:
        """Hear topic and body of what is said on ``topics``, from now on and again after each reconnect."""

    def close(self) -> None:
        """Say goodbye."""


class PahoLink:
    """A ``Link`` over paho: its thread does the talking, messages wait in its queue while the broker is away.

    65,535 can wait, paho's packet identifiers: what comes on top is dropped, counted and named as ``trouble``.
    Any thread may publish and subscribe, a handler of messages too.
    """

    def __init__(self, broker: Broker, number: int) -> None:
        self.acknowledged = 0
        self.dropped = 0
        self._where = f"{broker.host}:{broker.port}"
        self._trouble = f"not connected to {self._where} yet"
        self._heard: tuple[str, ...] = ()
        self._lock = Lock()
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.client_id}-{number}",
            protocol=MQTTv5 if broker.mqtt5 else MQTTv311,
        )
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(*RECONNECT_AFTER_S)
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.connect_async(broker.host, broker.port, KEEPALIVE_S)
        self._client = client
        client.loop_start()

    @property
    def trouble(self) -> str:
        """Why messages do not get through, in words; empty while they do and none was dropped."""
        if self._trouble or not self.dropped:
            return self._trouble
        return f"{self.dropped} messages were dropped: more waited for {self._where} than one connection can number"

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        """Send, or keep for when the broker is back."""
        sent = self._client.publish(topic, body, qos=1, retain=retain)
        if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            with self._lock:
                self.dropped += 1

    def subscribe(self, topics: Sequence[str], on_message: Callable[[str, bytes], None]) -> None:
        """Hear topic and body at QoS 1, now or as soon as the broker is there, and again after each reconnect.

        ``on_message`` runs in paho's thread, one message after another: it must return soon, must guard what it
        shares with other threads, and must not raise, or the connection ends. ``topics`` may hold wildcards.
        What is said while the link is away goes unheard, unless it is retained.
        """
        for topic in topics:
            self._client.message_callback_add(
                topic, lambda _client, _data, told: on_message(told.topic, bytes(told.payload))
            )
        with self._lock:
            self._heard += tuple(topics)
        # Remembered first: whoever connects meanwhile finds them, and before a connection paho takes none.
        if self._client.is_connected():
            self._subscribe(topics)

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._trouble = f"{self._where} refuses: {reason}" if reason.is_failure else ""
        if not reason.is_failure:
            self._subscribe(self._heard)

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure and not self._trouble:
            self._trouble = f"lost {self._where}: {reason}; reconnecting"

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._trouble = f"{self._where} does not take messages: {reason}"
        else:
            self.acknowledged += 1

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [reason for reason in reasons if reason.is_failure]
        if refused:
            self._trouble = f"{self._where} refuses {len(refused)} of {len(reasons)} subscriptions: {refused[0]}"

    def _subscribe(self, topics: Sequence[str]) -> None:
        if topics:
            self._client.subscribe([(topic, 1) for topic in topics])


def open_links(broker: Broker, connections: int) -> list[Link]:
    """So many connections; each tries until the broker answers."""
    return [PahoLink(broker, number) for number in range(connections)]


def _without_delay(_client: Client, _data: object, sock: Any) -> None:  # noqa: ANN401 - paho's own type is private
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
