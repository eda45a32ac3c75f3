"""What can be evaluated: a scenario that is played, or a capture with its truth; each as a ``Case``."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.case import Case
from evaluation.degrade import Door
from evaluation.outcome import Context
from evaluation.sampling import Spent
from evaluation.truth_file import contexts_of, events_of, read_contexts, read_truth
from geo.sampling import SamplingConfig
from ingest.capture import CaptureConfig, CaptureSource
from ingest.directory import Directory
from ingest.vet import VetConfig
from schemas.readings import ABSENT, Readings
from schemas.registry import NumberedRegistry
from shouhuan.closed_loop import SLICE_S, ClosedLoop
from simulator.fleet import Fleet
from simulator.messages import FIRMWARE
from simulator.reports import DEVICE, FIX, VITALS, Reports
from simulator.scenario import Scenario
from store.registry_file import read_registry

OnShare = Callable[[float], None]
"""Hears how much of a case has been played or read, from 0 to 1."""

_SWITCHES: Final = ("charging", "strap_closed", "case_closed", "sos")


class Source(Protocol):
    """Where a case comes from; can be handed to another process, which makes the same case of it."""

    def case(self, on_share: OnShare) -> Case:
        """The case."""


class Loop(StrEnum):
    """Adaptive sampling in a played scenario, which is then played every 15 s: nobody commands, or the planner does."""

    OPEN = "each band reports by its plan; nobody commands it, and lives are played every 15 s"
    CLOSED = "each band reports by its plan, and every 15 s while the sampling planner has it do so"


BY_PLAN: Final = "each band reports by its plan; nobody commands it"


@dataclass(frozen=True)
class Played:
    """A scenario, played as its readings are asked for; columns go to the judge without a detour by text.

    Tests hold this way to the same alerts as a capture of the same scenario through the door. Raises ``ValueError``
    where bands report at steps that a ``loop`` does not play.
    """

    scenario: Scenario
    loop: Loop | None = None

    def case(self, on_share: OnShare) -> Case:
        """Every pass plays it anew, from the same seed."""
        numbered = NumberedRegistry.from_file(self.scenario.registry())
        fleets: list[Fleet] = []
        loops: list[ClosedLoop] = []
        return Case(
            name=f"{self.scenario.name}, seed {self.scenario.seed}",
            numbered=numbered,
            batches=partial(self._play, numbered, fleets, loops, on_share),
            events=lambda: events_of(fleets[-1].truth(self.scenario.duration_s)),
            contexts=lambda: contexts_of(fleets[-1].contexts(self.scenario.duration_s)),
            reporting=self.loop or BY_PLAN,
            spent=partial(_spent, loops) if self.loop is Loop.CLOSED else None,
        )

    def _play(
        self, numbered: NumberedRegistry, fleets: list[Fleet], loops: list[ClosedLoop], on_share: OnShare
    ) -> Iterator[Readings]:
        options = finely(self.scenario).options() if self.loop else self.scenario.options()
        fleet = Fleet(options, numbered.registry, start_ms=self.scenario.start_ms, commanded=self.loop is not None)
        fleets[:] = [fleet]
        read = self._read(fleet, numbered, on_share, None if self.loop is not Loop.CLOSED else SLICE_S)
        if self.loop is not Loop.CLOSED:
            yield from read
            return
        loops[:] = [ClosedLoop.of(fleet, numbered)]
        yield from loops[-1].closed(read)

    def _read(
        self, fleet: Fleet, numbered: NumberedRegistry, on_share: OnShare, every_s: float | None
    ) -> Iterator[Readings]:
        door = Door()
        worn = {worn.device: worn.wearer for worn in numbered.registry.assignments}
        device_no = np.array([numbered.device_no[name] for name in fleet.roster.device])
        wearer_no = np.array([numbered.wearer_no[worn[name]] for name in fleet.roster.device])
        for reports in fleet.reports(self.scenario.duration_s, every_s):
            on_share(min(fleet.played_s / self.scenario.duration_s, 1.0))
            yield door.admit(as_readings(reports, fleet, device_no, wearer_no))


def _spent(loops: Sequence[ClosedLoop]) -> Spent:
    """Of the last run: there is none before it has begun."""
    return loops[-1].spent()


def finely(scenario: Scenario) -> Scenario:
    """The same played often enough for bands on the fast plan."""
    fast_s = SamplingConfig().fast_s
    if scenario.options().step <= fast_s:
        return scenario
    if scenario.interval_s is not None and scenario.interval_s % fast_s:
        raise ValueError(f"{scenario.name} has bands report every {scenario.interval_s:g} s, no multiple of {fast_s:g}")
    return msgspec.structs.replace(scenario, step_s=fast_s)


@dataclass(frozen=True)
class Recorded:
    """A capture as ``mosquitto_sub -F '%J'`` printed it, by the door like live traffic, and what truly happened."""

    capture: Path
    truth: Path
    registry: Path
    contexts: Path | None = None
    vetting: VetConfig = field(default_factory=VetConfig)

    def case(self, on_share: OnShare) -> Case:
        """Reads registry and truth; raises ``RegistryError`` or ``TruthError`` with every problem in them."""
        numbered = NumberedRegistry.from_file(read_registry(self.registry))
        heard = self._heard(numbered)
        events = read_truth(self.truth, heard)
        contexts: Sequence[Context] = read_contexts(self.contexts) if self.contexts else ()
        return Case(
            name=self.capture.name,
            numbered=numbered,
            batches=partial(self._read, numbered, on_share),
            events=lambda: events,
            contexts=lambda: contexts,
        )

    def _heard(self, numbered: NumberedRegistry) -> frozenset[str]:
        """The bands that say anything in the capture: truth about others cannot be judged."""
        numbers = {no for batch in self._read(numbered, lambda _: None) for no in np.unique(batch.device).tolist()}
        return frozenset(name for name, number in numbered.device_no.items() if number in numbers)

    def _read(self, numbered: NumberedRegistry, on_share: OnShare) -> Iterator[Readings]:
        size = max(self.capture.stat().st_size, 1)
        config = CaptureConfig(
            self.capture, Directory.of(numbered), self.vetting, on_bytes=lambda read: on_share(read / size)
        )
        part = CaptureSource(config).build_part("", "capture", None)
        try:
            while True:
                yield from (item for item in part.next_batch() if isinstance(item, Readings))
        except StopIteration:
            return
        finally:
            part.close()


def as_readings(reports: Reports, fleet: Fleet, device_no: NDArray[Any], wearer_no: NDArray[Any]) -> Readings:
    """Reports as the door would hand them on: by the registry's numbers, with the time at which they reached us."""
    columns = {name: reports.columns[name] for name in (*FIX, *VITALS, *DEVICE)}
    for name in _SWITCHES:
        columns[name] = np.where(np.isnan(columns[name]), ABSENT, columns[name])
    columns["source"] = np.where(np.isnan(columns["source"]), ABSENT, columns["source"])
    return Readings.of(
        device=device_no[reports.row],
        wearer=wearer_no[reports.row],
        seq=reports.seq,
        event_ms=reports.time_ms,
        ingest_ms=fleet.start_ms + np.round(reports.sent_s * 1000.0).astype(np.int64),
        firmware=np.array(FIRMWARE, "S16")[fleet.old_firmware[reports.row].astype(np.intp)],
        **columns,
    )


@dataclass(frozen=True)
class Given:
    """A case that is there already."""

    given: Case

    def case(self, on_share: OnShare) -> Case:  # noqa: ARG002 - it is read in one go
        """The case."""
        return self.given
