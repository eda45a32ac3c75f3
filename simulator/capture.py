"""A run written as fast as it can be: a capture as ``mosquitto_sub -q 1 -F '%J'`` prints it, and its ground truth."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.registry import Registry
from schemas.topics import Channel, Topic
from simulator.fleet import Fleet
from simulator.messages import messages, payload
from simulator.options import Options
from simulator.truth import write_lines

LAST_MID: Final = 65_535


class Written(NamedTuple):
    """How much a capture holds."""

    readings: int
    events: int


def write_capture(
    options: Options,
    registry: Registry,
    path: Path,
    truth_path: Path | None = None,
    contexts_path: Path | None = None,
    *,
    start_ms: int,
    show_progress: bool = False,
) -> Written:
    """Write ``options.duration_s`` of simulated time from ``start_ms``; a path ending in .gz is compressed.

    The same arguments give the same bytes. Raises ``ValueError`` without a duration.
    """
    if options.duration_s is None:
        raise ValueError("a capture needs an end: give duration_s")
    fleet = Fleet(options, registry, start_ms=start_ms)
    with _opened(path) as file:
        readings = _write_lines(fleet, options.duration_s, file, show_progress=show_progress)
    truth = fleet.truth(options.duration_s)
    if truth_path is not None:
        write_lines(truth, truth_path)
    if contexts_path is not None:
        write_lines(fleet.contexts(options.duration_s), contexts_path)
    return Written(readings, len(truth))


def _write_lines(fleet: Fleet, duration_s: float, file: BinaryIO, *, show_progress: bool) -> int:
    topics = topics_of(fleet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    readings = number = 0
    with Progress(*columns, disable=not show_progress) as progress:
        task = progress.add_task("seconds simulated", total=round(duration_s))
        for reports in fleet.reports(duration_s):
            lines = []
            for message in messages(reports, fleet.old_firmware):
                received_ms = fleet.start_ms + round(message.sent_s * 1000.0)
                lines.append(line(topics[message.row], payload(message, message.seq), received_ms, number))
                number += 1
            file.write(b"".join(lines))
            readings += len(reports)
            progress.update(task, completed=round(min(fleet.played_s, duration_s)))
    return readings


def topics_of(fleet: Fleet, channel: Channel = Channel.UP) -> list[str]:
    """Each band's topic."""
    return [str(Topic(o, d, channel)) for o, d in zip(fleet.roster.org, fleet.roster.device, strict=True)]


def line(topic: str, body: bytes, received_ms: int, number: int) -> bytes:
    r"""One line of a capture; the subscriber's packet identifiers run from 1 to 65,535 and again.

    >>> line("wb/v1/a/b/up", b'{"v":1}', 250, 0).decode()
    '{"tst":"1970-01-01T00:00:00.250000Z+0000","topic":"wb/v1/a/b/up","qos":1,"retain":0,"payloadlen":7,"mid":1,"payload":{"v":1}}\n'
    """
    moment = datetime.fromtimestamp(received_ms / 1000.0, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    head = f'{{"tst":"{moment}Z+0000","topic":"{topic}","qos":1,"retain":0,"payloadlen":{len(body)}'
    return b'%b,"mid":%d,"payload":%b}\n' % (head.encode(), number % LAST_MID + 1, body)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            yield raw
            return
        # No name and no time inside, so that equal runs are equal bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=0) as packed:
            yield cast("BinaryIO", packed)
