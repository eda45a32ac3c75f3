"""One MQTT connection of the fleet: publishes at QoS 1, counts what the broker acknowledged, reconnects by itself."""

import socket
from dataclasses import dataclass
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
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

    def close(self) -> None:
        """Say goodbye."""


class PahoLink:
    """A ``Link`` over paho: its thread does the talking, messages wait in its queue while the broker is away."""

    def __init__(self, broker: Broker, number: int) -> None:
        self.acknowledged = 0
        self.trouble = f"not connected to {broker.host}:{broker.port} yet"
        self._where = f"{broker.host}:{broker.port}"
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
        client.connect_async(broker.host, broker.port, KEEPALIVE_S)
        client.loop_start()
        self._client = client

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        """Send, or keep for when the broker is back."""
        self._client.publish(topic, body, qos=1, retain=retain)

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self.trouble = f"{self._where} refuses: {reason}" if reason.is_failure else ""

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure and not self.trouble:
            self.trouble = f"lost {self._where}: {reason}; reconnecting"

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.trouble = f"{self._where} does not take messages: {reason}"
        else:
            self.acknowledged += 1


def open_links(broker: Broker, connections: int) -> list[Link]:
    """So many connections; each tries until the broker answers."""
    return [PahoLink(broker, number) for number in range(connections)]


def _without_delay(_client: Client, _data: object, sock: Any) -> None:  # noqa: ANN401 - paho's own type is private
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
