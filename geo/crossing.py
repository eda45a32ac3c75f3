"""Through a forbidden zone between two fixes: both lie outside, and the way from one to the other leads through it.

What lies between two fixes is a guess; the straight line is the shortest one. It counts only where it runs through the
zone deeper than either fix's disc, so that a corner cut by error is no crossing.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.presence import Fixes
from geo.shapes import Shapes
from schemas.judging import Table, Times

POINTS: Final = 24
"""Looked at between two fixes, and as many again about the deepest of them: at 15 m/s and a fix a minute, one every
39 m and then every 3 m."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CrossingConfig:
    """Metres and seconds: how deep a way must lead in at least, and how far apart its fixes may be in time.

    Fixes coarser than ``coarsest_m`` say nothing about a way. A single fix inside counts only if its Doppler speed says
    that somebody was riding through: error leaps, but it does not drive.
    """

    least_depth_m: float = 15.0
    longest_gap_s: float = 300.0
    coarsest_m: float = 60.0
    rides_from_mps: float = 2.5


class Crossings(NamedTuple):
    """Ways that led through, as positions among the pairs asked about: how deep (m), and when they entered (ms)."""

    place: NDArray[np.intp]
    depth_m: Floats
    entered_ms: Times


def crossings(
    table: Table, pairs: NDArray[np.intp], zone: NDArray[np.intp], fixes: Fixes, shapes: Shapes, config: CrossingConfig
) -> Crossings:
    """Which of the ways from each pair's newest fix (in the table) to a new one lead through its zone (one a pair)."""
    was_m = shapes.wall_m(zone, table["x_m"][pairs].astype(np.float64), table["y_m"][pairs].astype(np.float64))
    riding = table["speed_mps"][pairs] >= config.rides_from_mps
    x, y = table["x_m"][pairs].astype(np.float64), table["y_m"][pairs].astype(np.float64)
    gap_s = fixes.fix_ms / 1000.0 - table["fix_s"][pairs]
    accuracy_m = np.maximum(table["accuracy_m"][pairs].astype(np.float64), fixes.accuracy_m)
    metres = np.hypot(fixes.x_m - x, fixes.y_m - y)
    possible = (gap_s <= config.longest_gap_s) & (accuracy_m <= config.coarsest_m) & (fixes.distance_m > 0)
    # Whoever is farther from the wall than the way is long cannot have met it.
    ask = np.flatnonzero(possible & (fixes.distance_m < metres))
    if not len(ask):
        return Crossings(ask, np.empty(0), np.empty(0, np.int64))

    def walls_m(share: Floats) -> Floats:
        along_x = x[ask, None] + share * (fixes.x_m - x)[ask, None]
        along_y = y[ask, None] + share * (fixes.y_m - y)[ask, None]
        return shapes.wall_m(np.repeat(zone[ask], POINTS), along_x.ravel(), along_y.ravel()).reshape(-1, POINTS)

    coarse = np.tile(np.linspace(0.0, 1.0, POINTS), (len(ask), 1))
    walls = walls_m(coarse)
    deepest = coarse[np.arange(len(ask)), walls.argmin(axis=1)]
    fine = np.clip(deepest[:, None] + np.linspace(-1.0, 1.0, POINTS) / (POINTS - 1), 0.0, 1.0)
    share, walls = np.hstack([coarse, fine]), np.hstack([walls, walls_m(fine)])
    depth_m = -walls.min(axis=1)
    deep = depth_m >= np.maximum(accuracy_m[ask], config.least_depth_m)
    through = deep & ((was_m[ask] > 0) | riding[ask])
    first_inside = np.where(walls <= 0, share, 1.0).min(axis=1)
    entered_ms = fixes.fix_ms[ask] - np.round((1.0 - first_inside) * gap_s[ask] * 1000.0).astype(np.int64)
    return Crossings(ask[through], depth_m[through], entered_ms[through])
