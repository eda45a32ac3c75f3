"""How often each band reports: by the plan of its wearer's grade, or as it was ordered for as long as that lasts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.plane import Floats


class Obedience(NamedTuple):
    """What orders have come to, one value a band.

    Reports that its own plan did not ask for, for how long it was faster than that plan, and had power at all.
    """

    beyond_plan: NDArray[np.int64]
    fast_s: Floats
    powered_s: Floats


class Plans:
    """Plans of all bands, in whole steps; each begins somewhere else in its interval (``phase``)."""

    def __init__(self, planned: NDArray[np.int64], phase: NDArray[np.int64], dt_s: float) -> None:
        n = len(planned)
        self._dt_s = dt_s
        self._planned = planned.copy()
        self._ordered = planned.copy()
        self._until_s = np.full(n, np.inf)
        self._phase = phase
        self.obedience = Obedience(np.zeros(n, np.int64), np.zeros(n), np.zeros(n))

    def order(self, row: int, interval_s: float, until_s: float) -> None:
        """One band reports so often until a time of the run, as exactly as its steps allow; then as its plan asks."""
        self._ordered[row] = max(1, round(interval_s / self._dt_s))
        self._until_s[row] = until_s

    def intervals(self, times_s: Floats, rows: Any = slice(None)) -> NDArray[np.int64]:  # noqa: ANN401 - any index
        """Steps between two reports at each time (bands x steps)."""
        lasts = times_s < self._until_s[rows, None]
        return np.where(lasts, self._ordered[rows, None], self._planned[rows, None])

    def due(self, numbers: NDArray[np.int64], interval: NDArray[np.int64], on: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """At which of some numbered steps a report is due at such intervals, noting what that is beyond the plan.

        ``on``: where a band has power (bands x steps).
        """
        turn = numbers + self._phase[:, None]
        due = np.asarray(turn % interval == 0)
        fast = on & (interval < self._planned[:, None])
        beyond_plan, fast_s, powered_s = self.obedience
        powered_s += self._dt_s * on.sum(axis=1)
        if fast.any():
            fast_s += self._dt_s * fast.sum(axis=1)
            beyond_plan += (fast & due & (turn % self._planned[:, None] != 0)).sum(axis=1)
        return due
