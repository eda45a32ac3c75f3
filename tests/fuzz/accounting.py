"""The law that every input is held to: one answer, the same when asked again, and no message that disappears."""

from ingest.decode.answers import Decoded
from ingest.decode.formats import DECODERS
from ingest.directory import Directory
from ingest.vet import Message, VetConfig, vet
from schemas.registry import NumberedRegistry
from schemas.topics import UPLINKS, Format
from tests.world import START_MS, registry

CONTENT_TYPES = (None, "application/cbor", "application/senml+cbor", "application/json")
DIRECTORY = Directory.of(NumberedRegistry.from_file(registry(bands=1)))


def account(format_: Format, payload: bytes, content_type: str | None) -> None:
    """Raise unless every reading, or a message without one, is taken, ignored by name, or under exactly one reason."""
    answer, repeated = (DECODERS[format_](payload, content_type, START_MS) for _ in range(2))
    assert repr(answer) == repr(repeated)
    topic = UPLINKS[format_].format(org="dongqu", device="band-1")
    batch = vet([Message(topic, payload, START_MS, content_type)], DIRECTORY, VetConfig())
    assert batch.messages == 1
    refused = [place for letter in batch.dead_letters for place in letter.readings or (-1,)]
    assert len(refused) == len(set(refused)), "two reasons for one"
    assert all(letter.detail.isprintable() and letter.topic.isprintable() for letter in batch.dead_letters)
    told = len(batch.readings) + len(refused) + sum(batch.ignored.values())
    assert told == (len(answer.uplink.readings) if isinstance(answer, Decoded) else 1)
