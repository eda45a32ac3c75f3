"""Batteries: three days on a charge, two hours to fill, put on the charger at home before they die."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.plane import Floats

CHARGE_PCT_PER_S: Final = 100.0 / 7_000.0
FULL_PCT: Final = 99.0
Columns = dict[str, Floats]


class Power:
    """Charge of all bands; each wearer plugs in below an own level, never under the one that worries anybody."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        self._drain_pct_per_s = 100.0 / (rng.uniform(60.0, 84.0, n) * 3_600.0)
        self._plugs_in_pct = rng.uniform(32.0, 45.0, n)
        self.level_pct = rng.uniform(46.0, 100.0, n)
        self.charging: NDArray[np.bool_] = np.zeros(n, np.bool_)

    def advance(self, dt_s: Floats, forgotten: NDArray[np.bool_]) -> None:
        """Drain or charge by ``dt_s``; a ``forgotten`` band is not plugged in however low it is."""
        wants = (self.level_pct < self._plugs_in_pct) | (self.charging & (self.level_pct < FULL_PCT))
        self.charging = wants & ~forgotten
        rate = np.where(self.charging, CHARGE_PCT_PER_S, -self._drain_pct_per_s)
        self.level_pct = np.clip(self.level_pct + rate * dt_s, 1.0, 100.0)

    def drop(self, row: int, level_pct: float) -> None:
        """The fuel gauge of a worn cell corrects itself downwards."""
        self.level_pct[row] = min(self.level_pct[row], level_pct)
