"""The source of replayed letters, with a desk and a journal that fail when told to."""

import json
from threading import Event
from typing import Any, NamedTuple

import numpy as np

from ingest.directory import Directory
from ingest.replays import ReplayConfig, ReplaySource, again
from ingest.vet import VetConfig
from schemas.readings import Readings
from schemas.registry import NumberedRegistry
from tests.world import START_MS, Band, registry

DIRECTORY = Directory.of(NumberedRegistry.from_file(registry(bands=1)))
DAY_MS = 86_400_000


class Letter(NamedTuple):
    number: int
    payload: bytes
    replay_no: int = 1
    received_ms: int = START_MS
    topic: str = "wb/v1/dongqu/band-1/up"
    content_type: str = ""


class Persisted(NamedTuple):
    batch_no: int
    readings: Readings
    duplicates: int = 0


class World:
    """Desk and journal in one, and a clock moved by hand."""

    def __init__(self, *letters: Letter) -> None:
        self.letters = list(letters)
        self.outcomes: list[tuple[int, str]] = []
        self.persisted: list[Readings] = []
        self.failing: list[str] = []
        self.now_ms = START_MS + DAY_MS
        self.stop = Event()

    def partition(self) -> Any:
        config = ReplayConfig(
            partition="p",
            desk=lambda: self,
            open_journal=lambda _: self,
            directory=lambda: DIRECTORY,
            vetting=VetConfig(),
            now_ms=lambda: self.now_ms,
            stop=self.stop,
        )
        return ReplaySource(config).build_part("replayed", "p", None)

    def waiting(self, limit: int) -> list[Letter]:
        return [one for one in self.letters if one.replay_no not in {no for no, _ in self.outcomes}][:limit]

    def done(self, replay_no: int, *, outcome: str, **_: Any) -> None:
        if "done" in self.failing:
            self.failing.remove("done")
            raise RuntimeError("gone")
        self.outcomes.append((replay_no, outcome))

    def persist(self, readings: Readings, letters: list[Any], **_: Any) -> Persisted:
        assert letters == []
        known = {(int(r.event_ms[0]), int(r.seq[0])) for r in self.persisted}
        new = readings if (int(readings.event_ms[0]), int(readings.seq[0])) not in known else Readings.empty()
        self.persisted += [new] if len(new) else []
        return Persisted(len(self.persisted), new, len(readings) - len(new))

    def replay(self, after: int, limit: int) -> list[Any]:  # noqa: ARG002
        return []

    def close(self) -> None: ...


def said(at_s: float, replay_no: int, seq: int = 0) -> Letter:
    payload = Band(seq=seq).payload(at_s)
    return Letter(replay_no, json.dumps(payload).encode(), replay_no, START_MS + round(at_s * 1000))


def emitted(partition: Any, rounds: int = 3) -> list[Readings]:
    return [readings for _ in range(rounds) for readings in partition.next_batch()]


def test_a_letter_is_stored_with_the_time_of_its_replay_and_handed_on() -> None:
    world = World(said(0, 1))
    (readings,) = emitted(world.partition())
    assert (readings.event_ms[0], readings.ingest_ms[0]) == (START_MS, START_MS + DAY_MS)
    assert world.outcomes == [(1, "stored")]


def test_what_was_stored_reaches_the_judge_though_saying_so_failed_and_is_not_stored_again() -> None:
    world = World(said(0, 1), said(60, 2, seq=1))
    world.failing = ["done"]
    partition = world.partition()
    first = emitted(partition)
    assert [int(readings.seq[0]) for readings in first] == [0]
    world.now_ms += 2_000
    assert [int(readings.seq[0]) for readings in emitted(partition)] == [1]
    assert world.outcomes == [(1, "duplicate"), (2, "stored")]
    assert len(world.persisted) == 2


def test_many_letters_are_taken_a_few_at_a_time_without_waiting() -> None:
    world = World(*(said(n, n + 1, seq=n) for n in range(25)))
    partition = world.partition()
    assert [len(partition.next_batch()) for _ in range(5)] == [0, 10, 10, 5, 0]


def test_the_arrival_of_then_decides_what_is_too_old_or_ahead() -> None:
    late = said(0, 1)._replace(received_ms=START_MS + 29 * DAY_MS)
    assert len(again(late, DIRECTORY, VetConfig()).readings) == 1
    assert again(late._replace(received_ms=START_MS + 31 * DAY_MS), DIRECTORY, VetConfig()).outcome == "too_old"
    assert again(late._replace(received_ms=START_MS - 121_000), DIRECTORY, VetConfig()).outcome == "future"


def test_what_has_no_order_or_no_payload_says_so() -> None:
    unlawful = again(said(-8 * 86_400, 1), DIRECTORY, VetConfig())
    assert (unlawful.outcome, unlawful.unlawful) == ("no_order", True)
    assert again(said(0, 1)._replace(payload=b""), DIRECTORY, VetConfig()).outcome == "no_payload"
    assert np.array_equal(unlawful.readings.seq, [])
