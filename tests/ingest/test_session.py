"""What a session subscribes to, and what it says where that is refused."""

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from structlog.testing import capture_logs

from ingest.client import BrokerConfig
from ingest.session import Session
from schemas.topics import Format


def test_a_format_that_the_broker_does_not_let_us_hear_is_named_with_a_cure() -> None:
    formats = frozenset({Format.NATIVE, Format.SENML})
    session = Session("w", BrokerConfig("127.0.0.1", 1, shared=True, formats=formats), lambda: 0)
    granted, refused = (ReasonCode(PacketTypes.SUBACK, name) for name in ("Granted QoS 1", "Not authorized"))
    with capture_logs() as logs:
        session._on_subscribe(session._client, None, 1, [granted, refused], None)
    assert [line["topic"] for line in logs] == ["$share/shouhuan/senml/+/+"]
    assert "SHOUHUAN_FORMATS" in logs[0]["hint"]
