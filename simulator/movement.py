"""How wearers move: they stay at places, walk or ride between them along smooth paths, and are home at night."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.plane import Floats

PLACES: Final = 4
STAY_S: Final = 2400.0
NAP_S: Final = 1800.0
RIDE_FROM_M: Final = 500.0
RIDING_SHARE: Final = 0.4
OUT_SHARE: Final = 0.6
"""How many of those who may be out by day are not at home when a run begins."""

UNDER_WAY_SHARE: Final = 0.6
"""How many of those are on their way."""

Flags = NDArray[np.bool_]


class Movement:
    """True positions (metres in each wearer's plane, home is the origin) and what they do next.

    ``roam_m`` (one a wearer) is how far own places lie from home at most; 0 stays in. Paths are
    quadratic curves within the hull of their places, so a convex zone that holds the places holds the way.
    """

    def __init__(self, rng: np.random.Generator, roam_m: Floats, start_h: float) -> None:
        n = len(roam_m)
        self._rng = rng
        self._n = n
        self._rises_h = rng.uniform(6.3, 8.3, n)
        self._retires_h = rng.uniform(19.3, 21.2, n)
        self._stays_in = roam_m <= 0
        self._places = self._own_places(roam_m)
        self._at = np.zeros(n, np.intp)
        self._held_until_s = np.full(n, -np.inf)
        self._rest_until_s = rng.exponential(STAY_S, n)
        self._path = np.zeros((n, 3, 2))
        self._length_m = np.zeros(n)
        self._done_m = np.zeros(n)
        self._cruise_mps = np.ones(n)
        self.xy = np.zeros((n, 2))
        self.speed_mps = np.zeros(n)
        self.heading_deg = np.zeros(n)
        self._begin_the_day(start_h)

    def advance(self, now_s: Floats, dt_s: Floats, hour: Floats) -> None:
        """Move everybody by ``dt_s`` to ``now_s`` (seconds of the run, one a wearer; ``hour`` is local)."""
        before = self.xy.copy()
        moving = self._done_m < self._length_m
        pace_mps = self._cruise_mps * self._rng.normal(1.0, 0.08, self._n).clip(0.75, 1.25)
        self._done_m = np.where(moving, np.minimum(self._done_m + pace_mps * dt_s, self._length_m), self._length_m)
        self.xy[moving] = self._on_path()[moving]
        arrived = moving & (self._done_m >= self._length_m)
        stay_s = self._rng.exponential(STAY_S, self._n)
        self._rest_until_s[arrived] = np.maximum(now_s + stay_s, self._held_until_s)[arrived]
        self._measure(before, dt_s)
        self._depart(now_s, hour)

    def stage(self, row: int, xy: Floats, until_s: float) -> None:
        """Stand at a point from now to a time of the run."""
        self.xy[row] = xy
        self.hold(row, until_s)

    def hold(self, row: int, until_s: float) -> None:
        """Stop here, and stay until a time of the run."""
        self._length_m[row] = self._done_m[row]
        self._at[row] = -1
        self._held_until_s[row] = self._rest_until_s[row] = until_s

    def send(self, row: int, to: Floats, speed_mps: float, until_s: float) -> None:
        """Go straight to a point now, and stay there until a time of the run."""
        self._set_out(np.array([row]), to[None, :], np.zeros(1), np.array([speed_mps]))
        self._at[row] = -1
        self._held_until_s[row] = until_s

    def _own_places(self, roam_m: Floats) -> Floats:
        """Home first, then places at 0.25 to 1 of the roaming distance (n x places x 2)."""
        angle = self._rng.uniform(0, 2 * np.pi, (self._n, PLACES))
        away = roam_m[:, None] * self._rng.uniform(0.25, 1.0, (self._n, PLACES))
        places = np.stack([away * np.cos(angle), away * np.sin(angle)], axis=2)
        places[:, 0] = 0.0
        return np.asarray(places)

    def _begin_the_day(self, start_h: float) -> None:
        out = ~self._home_hours(np.full(self._n, start_h)) & (self._rng.random(self._n) < OUT_SHARE)
        self._at = np.where(out, self._rng.integers(1, PLACES, self._n), 0)
        self.xy = self._places[np.arange(self._n), self._at].copy()
        leaving = out & (self._rng.random(self._n) < UNDER_WAY_SHARE)
        self._rest_until_s[leaving] = -1.0
        self._depart(np.zeros(self._n), np.full(self._n, start_h))
        self._done_m = self._length_m * np.where(leaving, self._rng.uniform(0.0, 0.8, self._n), 0.0)
        self.xy[leaving] = self._on_path()[leaving]

    def _home_hours(self, hour: Floats) -> Flags:
        return np.asarray(self._stays_in | (hour < self._rises_h) | (hour >= self._retires_h))

    def _depart(self, now_s: Floats, hour: Floats) -> None:
        resting = (self._done_m >= self._length_m) & (now_s >= self._held_until_s)
        homebound = self._home_hours(hour)
        due = resting & ((now_s >= self._rest_until_s) | (homebound & (self._at != 0)))
        asleep = due & homebound & (self._at == 0)
        self._rest_until_s[asleep] = (now_s + NAP_S)[asleep]
        rows = np.flatnonzero(due & ~asleep)
        if not len(rows):
            return
        step = self._rng.integers(1, PLACES, len(rows))
        self._at[rows] = np.where(homebound[rows], 0, (np.maximum(self._at[rows], 0) + step) % PLACES)
        to = self._places[rows, self._at[rows]]
        far = np.hypot(*(to - self.xy[rows]).T) > RIDE_FROM_M
        rides = far & (self._rng.random(len(rows)) < RIDING_SHARE)
        speed_mps = np.where(rides, self._rng.uniform(5.0, 8.5, len(rows)), self._rng.uniform(1.1, 1.6, len(rows)))
        self._set_out(rows, to, self._rng.uniform(-0.2, 0.2, len(rows)), speed_mps)

    def _set_out(self, rows: NDArray[np.intp], to: Floats, bend: Floats, speed_mps: Floats) -> None:
        start = self.xy[rows]
        across = np.stack([start[:, 1] - to[:, 1], to[:, 0] - start[:, 0]], axis=1)
        middle = (start + to) / 2.0 + bend[:, None] * across
        self._path[rows] = np.stack([start, middle, to], axis=1)
        # A bend of one fifth makes the way at most 3 % longer than its chord.
        self._length_m[rows] = np.hypot(*across.T) * (1.0 + 2.0 / 3.0 * bend**2)
        self._done_m[rows] = 0.0
        self._cruise_mps[rows] = speed_mps

    def _on_path(self) -> Floats:
        share = np.divide(self._done_m, self._length_m, out=np.ones(self._n), where=self._length_m > 0)[:, None]
        start, middle, end = (self._path[:, k] for k in range(3))
        return np.asarray((1 - share) ** 2 * start + 2 * share * (1 - share) * middle + share**2 * end)

    def _measure(self, before: Floats, dt_s: Floats) -> None:
        moved: Any = self.xy - before
        metres = np.hypot(moved[:, 0], moved[:, 1])
        self.speed_mps = np.divide(metres, dt_s, out=np.zeros(self._n), where=dt_s > 0)
        heading = np.degrees(np.arctan2(moved[:, 0], moved[:, 1])) % 360.0
        self.heading_deg = np.where(metres > 0, heading, self.heading_deg)
