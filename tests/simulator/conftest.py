"""One short run of a demo fleet, written once and looked at from many sides."""

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from schemas.registry import Registry
from schemas.wire import Reading, Uplink
from simulator import Options, demo_registry, write_capture
from simulator.truth import TruthLine

NOON_MS = 1_795_406_400_000  # 12:00 in Panzhihua
OPTIONS = Options(seed=7, interval_s=5.0, duration_s=240.0)


class Run(NamedTuple):
    """A capture's lines and messages, its readings by band, and what really happened."""

    lines: list[dict[str, Any]]
    uplinks: list[Uplink]
    readings: dict[str, list[Reading]]
    truth: list[TruthLine]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return demo_registry(seed=7, wearers=100, now_ms=NOON_MS)


@pytest.fixture(scope="session")
def run(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    write_capture(OPTIONS, registry, folder / "capture.jsonl", folder / "truth.jsonl", start_ms=NOON_MS)
    return read(folder / "capture.jsonl", folder / "truth.jsonl")


def read(capture: Path, truth: Path) -> Run:
    lines = [msgspec.json.decode(line) for line in capture.read_bytes().splitlines()]
    uplinks = [msgspec.convert(line["payload"], Uplink) for line in lines]
    readings: dict[str, list[Reading]] = defaultdict(list)
    for line, uplink in zip(lines, uplinks, strict=True):
        readings[line["topic"].split("/")[3]] += uplink.readings
    happened = [msgspec.json.decode(line, type=TruthLine) for line in truth.read_bytes().splitlines()]
    return Run(lines, uplinks, readings, happened)
