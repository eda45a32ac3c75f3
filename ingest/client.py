"""The paho client that both of our sessions are made of: persistent, acknowledging by hand, without Nagle's delay."""

import socket
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from schemas.topics import Format

_KEEPALIVE_S: Final = 30
_SESSION_EXPIRY_S: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where the broker is and how it is spoken to; ``receive_maximum`` bounds what waits unacknowledged.

    ``shared`` splits the bands' messages among all sessions of the share group (MQTT 5 only). A session
    alone does better without: Mosquitto forgets the shared subscriptions of absent sessions when it
    restarts, and then drops what it acknowledged to bands until one is back (ADR 0009). Telemetry is
    subscribed to in each of ``formats``.
    """

    host: str
    port: int
    version: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: str | None = None
    tls_ca: str | None = None
    receive_maximum: int = 2_000
    shared: bool = False
    formats: frozenset[Format] = frozenset(Format)

    @property
    def is_5(self) -> bool:
        """Whether MQTT 5 is spoken."""
        return self.version == "5"


def new_client(client_id: str, broker: BrokerConfig) -> Client:
    """A client that acknowledges nothing by itself; callbacks are the caller's."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if broker.is_5 else False,
        protocol=MQTTv5 if broker.is_5 else MQTTv311,
        manual_ack=True,
    )
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls_ca is not None:
        client.tls_set(ca_certs=broker.tls_ca)
    client.reconnect_delay_set(min_delay=1, max_delay=10)
    client.on_socket_open = _without_delay
    return client


def connect(client: Client, broker: BrokerConfig) -> None:
    """Connect in the background, and again whenever the connection is lost; the broker keeps the session a week."""
    extra: dict[str, Any] = {}
    if broker.is_5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION_EXPIRY_S
        properties.ReceiveMaximum = broker.receive_maximum
        extra = {"clean_start": False, "properties": properties}
    client.connect_async(broker.host, broker.port, _KEEPALIVE_S, **extra)
    client.loop_start()


def _without_delay(_client: Client, _data: object, sock: object) -> None:
    """Nagle's algorithm would hold every acknowledgement back for 40 ms."""
    cast("socket.socket", sock).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
