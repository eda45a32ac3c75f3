"""One format under Atheris: ``python -m tests.fuzz.target FORMAT [libFuzzer's options and folders]``.

The first byte of an input chooses the content type; the rest is a payload on a known band's topic. An escape is an
exception, a message that is not accounted for, or an answer that is not the same when asked again.
"""

import sys

import atheris

with atheris.instrument_imports(include=["ingest", "schemas"]):
    from ingest.decode.answers import Decoded
    from ingest.decode.formats import DECODERS
    from ingest.directory import Directory
    from ingest.vet import Message, VetConfig, vet
    from schemas.registry import NumberedRegistry
    from schemas.topics import UPLINKS, Format

from tests.world import START_MS, registry

CONTENT_TYPES = (None, "application/cbor", "application/senml+cbor", "application/json")
DIRECTORY = Directory.of(NumberedRegistry.from_file(registry(bands=1)))


def judged(format_: Format, data: bytes) -> None:
    """Raise where an input escapes."""
    content_type = CONTENT_TYPES[data[0] % len(CONTENT_TYPES)] if data else None
    payload = data[1:]
    message = Message(UPLINKS[format_].format(org="dongqu", device="band-1"), payload, START_MS, content_type)
    batch = vet([message], DIRECTORY, VetConfig())
    answers = [DECODERS[format_](payload, content_type, START_MS) for _ in range(2)]
    assert type(answers[0]) is type(answers[1])
    readings = len(answers[0].uplink.readings) if isinstance(answers[0], Decoded) else 0
    refused = sum(max(len(letter.readings), 1) for letter in batch.dead_letters)
    told = len(batch.readings) + refused + sum(batch.ignored.values())
    assert told == max(readings, 1) or (batch.no_consent and told < readings)


def main() -> None:
    format_ = Format(sys.argv.pop(1))
    atheris.Setup(sys.argv, lambda data: judged(format_, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
