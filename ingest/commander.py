"""The MQTT session by which commands reach bands and answers reach us; answers are acknowledged when they are safe.

At least once: what a broken connection did not confirm paho sends again on the next one, under the same
command id. It keeps the order a band. With MQTT 5 the broker, too, drops a command for an absent band
when it has expired.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.client import BrokerConfig, connect, new_client
from ingest.decode.answers import printable
from ingest.decode.cbor import plain
from schemas.commands import HeardAck
from schemas.signing import band_key, sign
from schemas.topics import PREFIX, SHARE_GROUP, Channel, Topic, parse_topic
from schemas.wire import CONTENT_TYPE_CBOR, MAX_PAYLOAD_BYTES, Command, CommandAck, encode_json

_log: Final = structlog.get_logger(__name__)
_IN_FLIGHT: Final = 1_000
_CBOR_MAP: Final = range(0xA0, 0xC0)
_JSON: Final = msgspec.json.Decoder(CommandAck)


class AckDelivery(NamedTuple):
    """An answer and what it takes to acknowledge it to the broker."""

    heard: HeardAck
    mid: int
    qos: int
    connection: int


class Commander:
    """Publishes commands at QoS 1 and hears answers; ``on_news`` is called when there is something to take.

    With the site's ``command_key`` each is signed for its band. paho's thread fills two queues; every method is for
    one other thread.
    """

    def __init__(
        self,
        client_id: str,
        broker: BrokerConfig,
        on_news: Callable[[], object] = lambda: None,
        command_key: bytes | None = None,
    ) -> None:
        self._broker = broker
        self._on_news = on_news
        self._command_key = command_key
        self._answers: deque[AckDelivery] = deque()
        self._taken: deque[tuple[int, ReasonCode]] = deque()
        self._under_way: dict[int, str] = {}
        self._connection = 0
        self._client = self._new_client(client_id, broker)

    def open(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        connect(self._client, self._broker)

    def close(self) -> None:
        """Disconnect; the broker keeps the session and every answer that we did not acknowledge."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        """Whether a command would leave now."""
        return self._client.is_connected()

    def publish(self, topic: Topic, command: Command, valid_s: float) -> None:
        """Send a command, unless it is under way already; ``confirmed`` tells when the broker has it."""
        if command.id in self._under_way.values():
            return
        message = self._signed(topic, encode_json(command))
        sent = self._client.publish(str(topic), message, qos=1, properties=self._expiring(valid_s))
        self._under_way[sent.mid] = command.id

    def confirmed(self) -> list[str]:
        """The ids of commands that the broker has taken since the last call; one it refuses may be sent again."""
        taken: list[str] = []
        for _ in range(len(self._taken)):
            mid, reason = self._taken.popleft()
            command = self._under_way.pop(mid, None)
            if reason.is_failure:
                _log.error("command-refused", command=command, reason=str(reason))
            elif command is not None:
                taken.append(command)
        return taken

    def take(self, limit: int) -> list[AckDelivery]:
        """At most ``limit`` waiting answers, oldest first."""
        return [self._answers.popleft() for _ in range(min(limit, len(self._answers)))]

    def acknowledge(self, deliveries: Sequence[AckDelivery]) -> None:
        """Tell the broker that these are safe; those of an earlier connection come again."""
        for delivery in deliveries:
            if delivery.connection == self._connection:
                self._client.ack(delivery.mid, delivery.qos)

    def _signed(self, topic: Topic, message: bytes) -> bytes:
        if self._command_key is None:
            return message
        return sign(band_key(self._command_key, topic.org, topic.device), str(topic), message)

    def _expiring(self, valid_s: float) -> Properties | None:
        if not self._broker.is_5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = max(1, round(valid_s))
        return properties

    def _new_client(self, client_id: str, broker: BrokerConfig) -> Client:
        client = new_client(client_id, broker)
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        if reason.is_failure:
            _log.error("commander-refused", host=self._broker.host, port=self._broker.port, reason=str(reason))
            return
        self._connection += 1
        self._answers.clear()
        shared = self._broker.shared
        # A persistent session still has what an earlier configuration subscribed to.
        client.unsubscribe(ack_filter(shared=not shared))
        client.subscribe(ack_filter(shared=shared), qos=1)
        _log.info("commander-connected", host=self._broker.host, port=self._broker.port)
        self._on_news()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _props: Properties | None
    ) -> None:
        _log.warning("commander-disconnected", host=self._broker.host, port=self._broker.port, reason=str(reason))

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _props: Properties | None
    ) -> None:
        self._taken.append((mid, reason))
        self._on_news()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        content_type = getattr(message.properties, "ContentType", None) if message.properties else None
        heard = hear_ack(message.topic, bytes(message.payload), content_type)
        self._answers.append(AckDelivery(heard, message.mid, message.qos, self._connection))
        self._on_news()


def ack_filter(*, shared: bool) -> str:
    """The subscription to bands' answers: shared (MQTT 5), or plain.

    >>> ack_filter(shared=True)
    '$share/shouhuan/wb/v1/+/+/ack'
    """
    plain = f"{PREFIX}/+/+/{Channel.ACK.value}"
    return f"$share/{SHARE_GROUP}/{plain}" if shared else plain


def hear_ack(topic: str, payload: bytes, content_type: str | None = None) -> HeardAck:
    """Who answered what: JSON, or the same structure in CBOR. Any bytes give an answer, none an exception.

    >>> hear_ack("wb/v1/dongqu/band-1/ack", b'{"id":"c-17","ok":true,"time_ms":5}').ack.ok
    True
    >>> hear_ack("wb/v1/dongqu/band-1/ack", b"yes, sir")
    HeardAck(device='band-1', ack=None)
    """
    parts = parse_topic(topic)
    if parts is None or len(payload) > MAX_PAYLOAD_BYTES:
        return HeardAck("" if parts is None else parts.device, None)
    try:
        is_cbor = content_type == CONTENT_TYPE_CBOR or (payload[:1] != b"" and payload[0] in _CBOR_MAP)
        ack = msgspec.convert(plain(payload), CommandAck) if is_cbor else _JSON.decode(payload)
    except Exception:  # noqa: BLE001 - decoders raise many kinds on hostile bytes; each is one answer
        return HeardAck(parts.device, None)
    return HeardAck(parts.device, _printable(ack))


def _printable(ack: CommandAck) -> CommandAck:
    return msgspec.structs.replace(ack, detail=printable(ack.detail)) if isinstance(ack.detail, str) else ack
