"""The sampling loop closed over a simulated fleet: what is read makes the planner ask, what it asks reaches the bands.

The planner is the platform's own (``flows.commands.Sampler``), fed what passed the door, slice by slice. Between it and
the bands stands the simulator's downlink, with its delay, its silence and its expiry; the outbox and the broker of the
live way have no part in it. A command that is decided in one slice is heard in the next at the earliest, so the gain
is rather understated.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from evaluation.sampling import Spent
from flows.commands import Sampler
from flows.rules import rules_by_shard
from geo.sampling import SamplingConfig
from schemas.commands import DeviceCommand
from schemas.readings import Readings
from schemas.registry import NumberedRegistry
from simulator.downlink import Order
from simulator.fleet import Fleet
from simulator.power import REPORT_PCT

SLICE_S: Final = 60.0
"""A command waits for its slice to end, half a minute on average: a shorter one costs more time than it shows gain."""

SLICES_AT_ONCE: Final = 60
"""An hour: little memory, and judging in turns of five minutes is not cut short."""


@dataclass(slots=True)
class ClosedLoop:
    """One fleet and the planner that commands it."""

    fleet: Fleet
    sampler: Sampler
    row: dict[int, int]
    asked: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, fleet: Fleet, numbered: NumberedRegistry, config: SamplingConfig | None = None) -> Self:
        """Nothing asked yet; ``fleet`` must be ``commanded``."""
        rules = rules_by_shard(numbered, shards=1)[0]
        row = {numbered.device_no[name]: place for place, name in enumerate(fleet.roster.device)}
        return cls(fleet, Sampler.new(rules, config or SamplingConfig()), row)

    def closed(self, slices: Iterable[Readings]) -> Iterator[Readings]:
        """The readings of a fleet that is heard and commanded slice by slice, an hour of them at a time."""
        hour: list[Readings] = []
        for readings in slices:
            self.hear(readings)
            hour.append(readings)
            if len(hour) == SLICES_AT_ONCE:
                yield Readings.concat(hour)
                hour = []
        yield Readings.concat(hour)

    def hear(self, readings: Readings) -> None:
        """Let the planner see a slice, and send what it asks."""
        for command in self.sampler.ask(readings):
            self.asked[command.reason] += 1
            self.fleet.send(self._order(command, readings))

    def spent(self) -> Spent:
        """What the loop has cost so far, by band."""
        obedience = self.fleet.obedience
        device = self.fleet.roster.device
        return Spent(
            asked=dict(self.asked),
            expired=self.fleet.downlink.expired,
            fast_s=dict(zip(device, obedience.fast_s.tolist(), strict=True)),
            powered_s=dict(zip(device, obedience.powered_s.tolist(), strict=True)),
            battery_pct=dict(zip(device, (REPORT_PCT * obedience.beyond_plan).tolist(), strict=True)),
        )

    def _order(self, command: DeviceCommand, readings: Readings) -> Order:
        decided = (readings.device == command.device_no) & (readings.event_ms == command.asked_ms)
        until_ms, interval_s = command.command.until_ms, command.command.interval_s
        if not isinstance(until_ms, int) or not isinstance(interval_s, float):
            raise TypeError(f"not a plan: {command.command}")
        return Order(
            row=self.row[command.device_no],
            sent_s=self._at_s(int(readings.ingest_ms[decided].min())),
            interval_s=interval_s,
            until_s=self._at_s(until_ms),
            expires_s=self._at_s(command.expires_ms),
        )

    def _at_s(self, time_ms: int) -> float:
        return (time_ms - self.fleet.start_ms) / 1000.0
