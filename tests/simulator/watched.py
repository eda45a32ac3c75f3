"""Runs played to their end and laid out as tables: one row a band, one column a step."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.registry import Registry
from schemas.truth import ContextLine, TruthLine
from simulator import Fleet, Kind, Mix, Options, Reports
from simulator.movement import Motion
from simulator.plane import METRES_PER_DEGREE, Floats
from simulator.town import Town, town

MONDAY_MS = 1_772_380_800_000  # 2026-03-02T00:00:00+08:00
DAY_S = 86_400.0


@dataclass(frozen=True)
class Watched:
    """What a fleet did: what arrived of it, what was true, and the true motion (bands x steps)."""

    fleet: Fleet
    reports: Reports
    truth: list[TruthLine]
    contexts: list[ContextLine]
    motion: Motion

    @cached_property
    def times_s(self) -> Floats:
        steps = self.motion.roof.shape[1]
        return np.arange(steps) * self.fleet.dt_s + self.fleet._offset_s[:, None]

    @cached_property
    def _cells(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Row, step and place of readings that were made at their planned moment; the first to arrive counts."""
        steps = (self.reports.at_s // self.fleet.dt_s).astype(np.int64)
        steps = np.minimum(steps, self.times_s.shape[1] - 1)
        planned = np.flatnonzero(np.abs(self.times_s[self.reports.row, steps] - self.reports.at_s) < 1e-6)[::-1]
        return self.reports.row[planned], steps[planned], planned

    def cells(self, values: NDArray[Any]) -> Floats:
        """One value a reading as a table, NaN where no reading arrived."""
        rows, steps, places = self._cells
        table = np.full(self.times_s.shape, np.nan)
        table[rows, steps] = values[places]
        return table

    def column(self, name: str) -> Floats:
        return self.cells(self.reports.columns[name])

    @cached_property
    def told(self) -> NDArray[np.bool_]:
        """Where a planned reading arrived, sooner or later."""
        return ~np.isnan(self.cells(self.reports.at_s))

    @cached_property
    def fix_xy(self) -> Floats:
        """Reported positions in each wearer's plane (bands x steps x 2)."""
        plane = self.fleet.roster.plane
        lat, lon = self.column("lat"), self.column("lon")
        north = (lat - plane.lat[:, None]) * METRES_PER_DEGREE
        east = (lon - plane.lon[:, None]) * METRES_PER_DEGREE * np.cos(np.radians(plane.lat))[:, None]
        return np.stack([east, north], axis=2)

    @property
    def from_home_m(self) -> Floats:
        return np.hypot(self.motion.xy[..., 0], self.motion.xy[..., 1])

    def row(self, line: TruthLine | ContextLine) -> int:
        return self.fleet.roster.device.index(line.device)

    def steps(self, line: TruthLine | ContextLine) -> NDArray[np.intp]:
        """The steps within an event's times."""
        at_s = self.times_s[self.row(line)]
        return np.flatnonzero((at_s >= self.seconds(line.start)) & (at_s < self.seconds(line.end)))

    def within(self, name: str, line: TruthLine | ContextLine) -> Floats:
        """A reported column during an event."""
        return self.column(name)[self.row(line), self.steps(line)]

    def seconds(self, moment: str) -> float:
        """A moment as seconds of the run."""
        return ms(moment) / 1000.0 - self.fleet.start_ms / 1000.0

    def untouched(self, lines: list[TruthLine] | list[ContextLine], settle_s: float = 0.0) -> NDArray[np.bool_]:
        """Where none of these events is under way, nor has been for so long."""
        free = np.ones(self.times_s.shape, np.bool_)
        for line in lines:
            row, start_s, end_s = self.row(line), self.seconds(line.start), self.seconds(line.end)
            free[row] &= (self.times_s[row] < start_s) | (self.times_s[row] >= end_s + settle_s)
        return free

    def raised(self, line: TruthLine | ContextLine, name: str, settle_s: float = 0.0) -> float:
        """The median of a column at rest during an event, beyond that of its wearer at rest at such hours otherwise."""
        row, steps = self.row(line), self.steps(line)
        hour = self.times_s[row] / 3_600.0 % 24.0
        between_h = np.abs(hour[:, None] - hour[steps[::10]])
        such_hours = np.minimum(between_h, 24.0 - between_h).min(axis=1) < 2.0
        rest = self.column("steps")[row] == 0
        usual = self.untouched([*self.truth, *self.contexts], 3_600.0)[row] & such_hours & rest
        settled = steps[(self.times_s[row, steps] >= self.seconds(line.start) + settle_s) & rest[steps]]
        column = self.column(name)[row]
        return float(np.nanmedian(column[settled]) - np.nanmedian(column[usual]))


def ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def watch(options: Options, registry: Registry, start_ms: int = MONDAY_MS) -> Watched:
    fleet = Fleet(options, registry, start_ms=start_ms)
    assert options.duration_s is not None
    parts, motions = [], []
    for told in fleet.reports(options.duration_s):
        assert fleet.motion is not None
        parts.append(told)
        motions.append(fleet.motion)
    motion = Motion(*(np.concatenate(columns, axis=1) for columns in zip(*motions, strict=True)))
    end_s = options.duration_s
    return Watched(fleet, Reports.concat(parts), fleet.truth(end_s), fleet.contexts(end_s), motion)


def people(wearers: int, days: float, *, leaves_per_day: float = 0.0, consents: float = 1.0, seed: int = 7) -> Registry:
    return town(Town(seed, wearers, MONDAY_MS, days, consents, 0.0, 0.3, leaves_per_day))


def only(kind: Kind, *, wearers: int, days: float, times: float, **more: Any) -> Options:
    """A clear sky under which one kind happens about so many times."""
    mix = {kind: Mix(per_wearer_day=times / wearers / days)}
    base = Options(seed=7, interval_s=60.0, duration_s=days * DAY_S, mix=mix)
    return replace(base, **more)
