"""Runs of fleets, each played once and looked at from many sides."""

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from schemas.registry import Registry
from schemas.truth import ContextLine, TruthLine
from schemas.wire import Reading, Uplink
from simulator import Options, Scenario, demo_registry, read_scenario, write_capture
from tests.simulator.watched import Watched, people, watch

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
    """Four minutes of the demo."""
    folder = tmp_path_factory.mktemp("run")
    write_capture(OPTIONS, registry, folder / "capture.jsonl", folder / "truth.jsonl", start_ms=NOON_MS)
    return read(folder / "capture.jsonl", folder / "truth.jsonl")


def read(capture: Path, truth: Path) -> Run:
    lines = [msgspec.json.decode(line) for line in capture.read_bytes().splitlines()]
    uplinks = [msgspec.convert(line["payload"], Uplink) for line in lines]
    readings: dict[str, list[Reading]] = defaultdict(list)
    for line, uplink in zip(lines, uplinks, strict=True):
        readings[line["topic"].split("/")[3]] += uplink.readings
    return Run(lines, uplinks, readings, read_truth(truth))


def read_truth(path: Path) -> list[TruthLine]:
    return [msgspec.json.decode(line, type=TruthLine) for line in path.read_bytes().splitlines()]


def read_contexts(path: Path) -> list[ContextLine]:
    return [msgspec.json.decode(line, type=ContextLine) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="session")
def town_of_forty() -> Registry:
    """Forty wearers who all consent, under a scenario's wide fences; for two days from a Monday."""
    return people(40, 2)


@pytest.fixture(scope="session")
def small() -> Watched:
    """The shipped scenario in which everything happens."""
    scenario = read_scenario("small")
    return watch(scenario.options(), scenario.registry(), scenario.start_ms)


@pytest.fixture(scope="session")
def everyday() -> Scenario:
    """A week of everyday life, in which nothing happens."""
    return msgspec.structs.replace(read_scenario("everyday"), days=7.0)


@pytest.fixture(scope="session")
def field(everyday: Scenario) -> Watched:
    """That week in the field: streets, roofs, dead zones, faults."""
    return watch(everyday.options(), everyday.registry(), everyday.start_ms)


@pytest.fixture(scope="session")
def calm(town_of_forty: Registry) -> Watched:
    """A day and a half under a clear sky, in which nothing happens and nothing goes wrong."""
    return watch(Options(seed=7, interval_s=60.0, duration_s=129_600.0, incidents=False), town_of_forty)
