"""Batteries: three days on a charge, two hours to fill, put on the charger at home before they die."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kinds import Kind
from simulator.plane import Floats
from simulator.script import Incident

CHARGE_PCT_PER_S: Final = 100.0 / 7_000.0
FULL_PCT: Final = 99.0
REPORT_PCT: Final = 0.012
"""What a report beyond the plan takes: some 5 s of a receiver at 50 mA that is warm already, and as much again for the
modem's second on the air and its tail, 0.14 mAh of 1,200 (assumed). At 15 s a band lasts a day instead of three."""

DROPS: Final = (Kind.LOW_BATTERY, Kind.DEAD_BATTERY)


class Charge(NamedTuple):
    """Battery over a block (bands x steps): per cent, on the charger, any power left."""

    level_pct: Floats
    charging: NDArray[np.bool_]
    alive: NDArray[np.bool_]


class Power:
    """Charge of all bands; each wearer plugs in below an own level, never under the one that worries anybody."""

    def __init__(self, rng: np.random.Generator, n: int, dt_s: float, script: Sequence[Incident]) -> None:
        self._dt_s = dt_s
        self._drain_pct = dt_s * 100.0 / (rng.uniform(60.0, 84.0, n) * 3_600.0)
        self._plugs_in_pct = rng.uniform(32.0, 45.0, n)
        self._level_pct = rng.uniform(46.0, 100.0, n)
        self._charging: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self._drops = [incident for incident in script if incident.kind in DROPS]

    def advance(
        self,
        times_s: Floats,
        forgotten: NDArray[np.bool_],
        at_home: NDArray[np.bool_],
        plugged: NDArray[np.bool_],
    ) -> Charge:
        """Drain or charge over a block; a ``forgotten`` band is not plugged in, one that is ``plugged`` is.

        All others are plugged in when they are low and ``at_home``.
        """
        dropped = self._dropped(times_s)
        level, charging = np.empty(times_s.shape[::-1]), np.empty(times_s.shape[::-1], np.bool_)
        for step in range(times_s.shape[1]):
            self._level_pct = np.fmin(self._level_pct, dropped[:, step])
            wants = (self._level_pct < self._plugs_in_pct) | (self._charging & (self._level_pct < FULL_PCT))
            urgent = self._level_pct < self._plugs_in_pct - 8.0
            may = at_home[:, step] | self._charging | urgent
            self._charging = (wants & may & ~forgotten[:, step]) | plugged[:, step]
            change = np.where(self._charging, CHARGE_PCT_PER_S * self._dt_s, -self._drain_pct)
            self._level_pct = np.clip(self._level_pct + change, 0.0, 100.0)
            level[step], charging[step] = self._level_pct, self._charging
        return Charge(np.ascontiguousarray(level.T), np.ascontiguousarray(charging.T), np.asarray(level.T > 0.0))

    def spend(self, pct: NDArray[np.floating[Any]]) -> None:
        """Take so much from each battery, of whoever is not on the charger."""
        self._level_pct = np.where(self._charging, self._level_pct, np.maximum(self._level_pct - pct, 0.0))

    def _dropped(self, times_s: Floats) -> Floats:
        """The fuel gauge of a worn cell corrects itself downwards: the level it falls to, NaN where it does not."""
        dropped = np.full(times_s.shape, np.nan)
        for incident in self._drops:
            at = times_s[incident.row]
            first = np.flatnonzero((at >= incident.start_s) & (at < incident.end_s))
            if len(first) and at[first[0]] - incident.start_s <= self._dt_s:
                dropped[incident.row, first[0]] = incident.parameters["level_pct"]
        return dropped
