"""Ways: from a departure to a path in time: street corners, bus stops, stretches of constant speed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulator.lives import Lives, Mode, Place, mode_for
from simulator.plane import Floats

SPEED_MPS: Final = {
    Mode.WALK: (1.0, 1.6),
    Mode.BUS: (6.0, 9.5),
    Mode.CAR: (8.0, 14.0),
    Mode.TRAIN: (60.0, 83.0),
    Mode.CYCLE: (3.8, 5.5),
}
CORNER_EVERY_M: Final = {Mode.WALK: 160.0, Mode.BUS: 600.0, Mode.CAR: 700.0, Mode.TRAIN: 8_000.0, Mode.CYCLE: 350.0}
BEND: Final = 0.09
MOST_CORNERS: Final = 12
BUS_STOPS_S: Final = (12.0, 40.0)
TRIES: Final = 8


@dataclass(slots=True)
class Track:
    """One wearer's path: at ``t`` (s of the run) at (``x``, ``y``), the way there in a mode and under a roof."""

    t: list[float] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    mode: list[int] = field(default_factory=list)
    roof: list[float] = field(default_factory=list)

    @classmethod
    def at(cls, place: Place, from_s: float) -> "Track":
        """Somebody who is at a place."""
        return cls([from_s], [place.x], [place.y], [Mode.STAY], [place.roof])

    def add(self, t: float, x: float, y: float, mode: Mode, roof: float) -> None:
        """One more point."""
        self.t.append(t)
        self.x.append(x)
        self.y.append(y)
        self.mode.append(mode)
        self.roof.append(roof)

    def stop_at(self, t: float) -> None:
        """Whoever is on the way at a time stops there."""
        if self.t[-1] <= t:
            return
        x, y = float(np.interp(t, self.t, self.x)), float(np.interp(t, self.t, self.y))
        kept = int(np.searchsorted(self.t, t, side="left"))
        mode, roof = Mode(self.mode[kept]), self.roof[kept]
        for column in (self.t, self.x, self.y, self.mode, self.roof):
            del column[kept:]
        self.add(t, x, y, mode, roof)

    def stay_until(self, t: float) -> None:
        """Stay where the path ends so far."""
        self.add(t, self.x[-1], self.y[-1], Mode.STAY, self.roof[-1])

    def forget_before(self, t: float) -> None:
        """Drop what lies wholly before a time."""
        keep = int(np.searchsorted(self.t, t, side="right")) - 1
        if keep > 0:
            for column in (self.t, self.x, self.y, self.mode, self.roof):
                del column[:keep]


class Ways:
    """Leads wearers along streets; a way that would touch a forbidden wall is tried anew, then gone straight."""

    def __init__(self, rng: np.random.Generator, lives: Lives) -> None:
        self._rng = rng
        self._lives = lives

    def go(
        self, row: int, track: Track, to: Place, mode: Mode | None, speed_mps: float | None, *, straight: bool
    ) -> None:
        """Extend a track from where it ends to a place; it arrives when it arrives."""
        start = np.array([track.x[-1], track.y[-1]])
        end = np.array([to.x, to.y])
        metres = float(np.hypot(*(end - start)))
        if metres < 1.0:
            return
        chosen = mode_for(self._rng, self._lives.habits[row], metres) if mode is None else mode
        pace_mps = float(self._rng.uniform(*SPEED_MPS[chosen])) if speed_mps is None else speed_mps
        corners = end[None, :] if straight else self._corners(row, start, end, metres, chosen)
        if corners is None:
            # Nobody goes where no lawful way leads; home they go by whatever way there is.
            if to != self._lives.habits[row].home:
                return
            corners = end[None, :]
        self._walk(track, corners, chosen, pace_mps)
        track.roof[-1] = to.roof

    def _corners(self, row: int, start: Floats, end: Floats, metres: float, mode: Mode) -> Floats | None:
        count = int(min(metres / CORNER_EVERY_M[mode], MOST_CORNERS))
        if not count:
            direct = np.vstack([start, end])
            return end[None, :] if self._lives.allowed(row, _dense(direct)) else None
        for attempt in range(TRIES):
            share = np.sort(self._rng.uniform(0.08, 0.92, count))
            # Where the direct way is barred, a wider one is looked for.
            bends = self._rng.normal(0.0, BEND, count) + attempt * self._rng.normal(0.0, 2.0 * BEND)
            aside = np.array([start[1] - end[1], end[0] - start[0]]) * bends[:, None]
            corners = np.vstack([start + share[:, None] * (end - start) + aside, end])
            if self._lives.allowed(row, _dense(np.vstack([start, corners]))):
                return corners
        return None

    def _walk(self, track: Track, corners: Floats, mode: Mode, pace_mps: float) -> None:
        for x, y in corners.tolist():
            metres = float(np.hypot(x - track.x[-1], y - track.y[-1]))
            speed_mps = max(pace_mps * float(self._rng.normal(1.0, 0.08)), 0.3 * pace_mps)
            track.add(track.t[-1] + metres / speed_mps, x, y, mode, 0.0)
            if mode is Mode.BUS:
                track.add(track.t[-1] + float(self._rng.uniform(*BUS_STOPS_S)), x, y, mode, 0.0)


def _dense(points: Floats) -> Floats:
    """The points and those between them at quarters of each stretch."""
    between = [points[:-1] + share * np.diff(points, axis=0) for share in (0.25, 0.5, 0.75)]
    return np.vstack([points, *between])


def sampled(tracks: Sequence[Track], times_s: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """x, y, path length, mode and roof of every track at its row of times (bands x steps)."""
    shape = times_s.shape
    x, y, length, mode, roof = (np.empty(shape) for _ in range(5))
    for row, track in enumerate(tracks):
        t, at = np.array(track.t), times_s[row]
        xs, ys = np.array(track.x), np.array(track.y)
        x[row], y[row] = np.interp(at, t, xs), np.interp(at, t, ys)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(xs), np.diff(ys)))])
        length[row] = np.interp(at, t, along)
        stretch = np.minimum(np.searchsorted(t, at, side="left"), len(t) - 1)
        mode[row], roof[row] = np.array(track.mode)[stretch], np.array(track.roof)[stretch]
    return x, y, length, mode, roof
