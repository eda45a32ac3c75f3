"""A real Mosquitto for each test that asks for one."""

from collections.abc import Iterator

import pytest

from tests.services.missing import unavailable
from tests.services.mosquitto import Mosquitto, MosquittoUnavailable


@pytest.fixture
def mosquitto(request: pytest.FixtureRequest) -> Iterator[Mosquitto]:
    """A running broker with nothing in it; ``mosquitto.publish`` is an independent client."""
    try:
        broker = Mosquitto()
    except MosquittoUnavailable as reason:
        unavailable(request.config, "Mosquitto", str(reason))
    broker.start()
    yield broker
    broker.close()


def mosquitto_pub(
    broker: Mosquitto, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False, content_type: str = ""
) -> None:
    """Publish with the ``mosquitto_pub`` program; returns when the broker acknowledged."""
    broker.publish(topic, payload, qos=qos, retain=retain, content_type=content_type)
