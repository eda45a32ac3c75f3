"""Captures: JSON lines exactly as ``mosquitto_sub -F '%J'`` prints them, judged like live traffic.

Record one with ``mosquitto_sub -t 'wb/v1/+/+/up' -F '%J' > capture.jsonl``. A ``.gz`` is read as it is.
"""

import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec
import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from ingest.decode.answers import printable
from ingest.directory import Directory
from ingest.vet import Message, VetConfig, vet
from schemas.judging import Heartbeat
from schemas.readings import Readings
from schemas.reasons import DeadLetter, DropReason, RejectReason

_LINES: Final = 2_000
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z?(Z|[+-]\d\d:?\d\d)?")


class _Line(msgspec.Struct, frozen=True):
    topic: str
    tst: str
    payload: msgspec.Raw


_LINE: Final = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class Tally:
    """What a replay counted: messages, readings judged, and everything not taken by its reason."""

    messages: int = 0
    readings: int = 0
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class CaptureConfig:
    """A capture and how to take it; ``on_bytes`` hears how much of the file has been read."""

    path: Path
    directory: Directory
    vetting: VetConfig
    tally: Tally = field(default_factory=Tally)
    on_bytes: Callable[[int], None] = lambda _: None
    on_dead_letter: Callable[[DeadLetter], None] = lambda _: None


class CaptureSource(FixedPartitionedSource[Readings | Heartbeat, None]):
    """A capture as vetted columns, each reading once; ends with a heartbeat at the last receive time."""

    def __init__(self, config: CaptureConfig) -> None:
        self._config = config

    def list_parts(self) -> list[str]:
        """One file, one partition."""
        return ["capture"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_CapturePartition":  # noqa: ARG002
        """Read from the beginning: a replay keeps no state."""
        return _CapturePartition(for_part, self._config)


class _CapturePartition(StatefulSourcePartition[Readings | Heartbeat, None]):
    def __init__(self, name: str, config: CaptureConfig) -> None:
        self._name = name
        self._config = config
        self._raw = config.path.open("rb")
        self._lines = self._open(config.path)
        self._seen: set[tuple[int, int, int]] = set()
        self._last_ms = 0
        self._ended = False

    def next_batch(self) -> Sequence[Readings | Heartbeat]:
        if self._ended:
            raise StopIteration
        lines = list(islice(self._lines, _LINES))
        self._config.on_bytes(self._raw.tell())
        if not lines:
            self._ended = True
            return [Heartbeat(self._name, self._last_ms)] if self._last_ms else []
        readings = self._once(self._vetted(lines))
        self._config.tally.readings += len(readings)
        return [readings] if len(readings) else []

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self._raw.close()

    def _open(self, path: Path) -> Iterator[bytes]:
        stream = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw
        return iter(cast("BinaryIO", stream))

    def _vetted(self, lines: Sequence[bytes]) -> Readings:
        tally = self._config.tally
        parsed = [parse_line(line) for line in lines if line.strip()]
        messages = [message for message in parsed if isinstance(message, Message)]
        batch = vet(messages, self._config.directory, self._config.vetting)
        letters = [letter for letter in parsed if isinstance(letter, DeadLetter)] + batch.dead_letters
        for letter in letters:
            tally.refused[letter.reason.value] += max(len(letter.readings), 1)
            self._config.on_dead_letter(letter)
        tally.messages += len(parsed)
        tally.refused[DropReason.NO_CONSENT.value] += batch.no_consent
        tally.refused[DropReason.UNKNOWN_FIELD.value] += batch.unknown_field
        tally.refused[DropReason.IGNORED.value] += sum(batch.ignored.values())
        self._last_ms = max([self._last_ms, *(message.received_ms for message in messages)])
        return batch.readings

    def _once(self, readings: Readings) -> Readings:
        """Each (device, event time, sequence number) once, as the store's primary key would have it."""
        keys = zip(readings.device.tolist(), readings.event_ms.tolist(), readings.seq.tolist(), strict=True)
        new = np.array([self._is_new(key) for key in keys], np.bool_)
        self._config.tally.refused[DropReason.DUPLICATE.value] += int((~new).sum())
        return readings if new.all() else readings.take(new)

    def _is_new(self, key: tuple[int, int, int]) -> bool:
        size = len(self._seen)
        self._seen.add(key)
        return len(self._seen) > size


def parse_line(line: bytes) -> Message | DeadLetter:
    """One line of a capture: the message it holds, or a dead letter for what is no such line.

    >>> parse_line(b'{"tst":"1970-01-01T00:00:05.250000Z+0000","topic":"wb/v1/a/b/up","qos":1,"payload":{"v":1}}')
    Message(topic='wb/v1/a/b/up', payload=b'{"v":1}', received_ms=5250, content_type=None)
    >>> parse_line(b"{}").reason
    <RejectReason.MALFORMED: 'malformed'>
    """
    try:
        parsed = _LINE.decode(line)
        return Message(parsed.topic, bytes(parsed.payload), stamp_ms(parsed.tst))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return DeadLetter(
            topic="",
            received_ms=0,
            reason=RejectReason.MALFORMED,
            detail=printable(f"not a line of mosquitto_sub -F '%J': {error}"),
            payload=line,
        )


def stamp_ms(text: str) -> int:
    """The receive time of a line, UTC ms: ISO 8601 with an offset, in the spellings that mosquitto_sub has had.

    >>> [stamp_ms(f"1970-01-01T{rest}") for rest in ("08:00:05.250000Z+0800", "00:00:05.250+0000", "00:00:05Z")]
    [5250, 5250, 5000]
    """
    match = _STAMP.fullmatch(text)
    if match is None or (match[3] is None and not text.endswith("Z")):
        raise ValueError(f"tst {text!r} is not a time with an offset")
    offset = "+00:00" if match[3] in {None, "Z"} else f"{match[3][:3]}:{match[3][-2:]}"
    whole = datetime.fromisoformat(match[1] + offset)
    return round(whole.timestamp()) * 1000 + int((match[2] or "0").ljust(3, "0")[:3])
