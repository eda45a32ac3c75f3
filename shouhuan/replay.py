"""``shouhuan replay``: judge a capture with no broker and no database, by the same dataflow as live."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
from bytewax.run import cli_main

from alerts.ledger import Ledger
from flows.dataflow import JudgeConfig, supervision
from flows.rules import rules_by_shard
from flows.sinks import AlertSink
from ingest.capture import CaptureConfig, CaptureSource, Tally
from ingest.directory import Directory
from ingest.vet import VetConfig
from schemas.alerts import AlertEvent
from schemas.reasons import DeadLetter
from schemas.registry import NumberedRegistry
from shouhuan.clock import now


@dataclass(frozen=True)
class Replayed:
    """What a replay found."""

    tally: Tally
    ledger: Ledger


def replay(
    capture: Path,
    numbered: NumberedRegistry,
    vetting: VetConfig,
    *,
    on_bytes: Callable[[int], None] = lambda _: None,
    on_dead_letter: Callable[[DeadLetter], None] = lambda _: None,
) -> Replayed:
    """Judge every line of a capture; the result depends on the capture and the registry alone."""
    tally, ledger = Tally(), Ledger()
    source = CaptureSource(CaptureConfig(capture, Directory.of(numbered), vetting, tally, on_bytes, on_dead_letter))
    rules = rules_by_shard(numbered)
    judging = JudgeConfig(rules=lambda: rules, partitions=frozenset(source.list_parts()), now=now)
    cli_main(  # type: ignore[no-untyped-call]
        supervision(source, None, judging, AlertSink(lambda: _LedgerWriter(ledger)))
    )
    return Replayed(tally, ledger)


def write_alerts(ledger: Ledger, path: Path) -> int:
    """One alert a line, ordered by when they opened; returns how many."""
    records = ledger.records()
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return len(records)


class DeadLetterFile:
    """Writes dead letters as JSON lines, if a path is given; a context manager."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("wb") if path else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, letter: DeadLetter) -> None:
        """One more; its payload is Base64."""
        if self._file:
            self._file.write(msgspec.json.encode(letter) + b"\n")


class _LedgerWriter:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def write(self, events: Sequence[AlertEvent]) -> None:
        self._ledger.apply(events)

    def close(self) -> None:
        """The ledger stays with whoever made it."""
