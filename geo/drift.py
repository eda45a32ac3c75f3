"""Where a wearer is reckoned to be: a fix less what is known of its drift.

Model: the error of a fix wanders for minutes (first-order Gauss-Markov, as receivers beside walls have it). Whoever
stays by Doppler shows their drift, for their place does not move; whoever sets off takes it along while it decays.
Formula: staying, the drift is ``exp(-t / lasts)`` of what the fix lies off the reckoned place, which thus is an
exponential average; moving, as much of what it was. Cost: two half-precision numbers a pair, and a second
distance for those who drift. It does not integrate Doppler: between fixes a minute apart people turn.
"""

import numpy as np
from numpy.typing import NDArray

from geo.presence import PresenceConfig
from geo.shapes import Shapes
from schemas.judging import Table, Times

Floats = NDArray[np.float64]


def drift_m(
    table: Table,
    pairs: NDArray[np.intp],
    wall_m: Floats,
    x_m: Floats,
    y_m: Floats,
    accuracy_m: NDArray[np.float32],
    speed_mps: NDArray[np.float32],
    fix_ms: Times,
    config: PresenceConfig,
) -> tuple[Floats, Floats]:
    """How far new fixes (one a pair) lie east and north of where their wearers are; what is not known is 0.

    A fix without Doppler tells neither whether its wearer stays nor anything of its drift, and far from the wall
    (``wall_m``) nobody asks for it.

    >>> from geo import presence
    >>> table = Table.new(np.array([1, 2]), presence.COLUMNS)
    >>> table["x_m"][:], table["y_m"][:], table["fix_s"][:] = 0.0, 0.0, 60
    >>> here, fine, both = np.array([30.0, 30.0]), np.array([20.0, 20.0], "f4"), np.arange(2)
    >>> speed, at = np.array([0.1, 1.3], "f4"), np.array([120_000, 120_000])
    >>> drift_m(table, both, here, here, here * 0.0, fine, speed, at, PresenceConfig())[0].round(1).tolist()
    [24.6, 0.0]
    """
    disc_m = np.minimum(accuracy_m, config.coarse_accuracy_m)
    at = np.flatnonzero((np.abs(wall_m) <= config.drift_matters_within * disc_m) & ~np.isnan(speed_mps))
    near = pairs[at]
    apart_s = fix_ms[at] / 1000.0 - table["fix_s"][near]
    stays = speed_mps[at] < config.walks_from_mps
    keeps = np.exp(-np.maximum(apart_s, 0.0) / config.drift_lasts_s)
    was_x, was_y = table["drift_x_m"][near], table["drift_y_m"][near]
    east = keeps * (was_x + np.where(stays, x_m[at] - table["x_m"][near], 0.0))
    north = keeps * (was_y + np.where(stays, y_m[at] - table["y_m"][near], 0.0))
    drifts = east * east + north * north <= (config.most_drift * disc_m[at]) ** 2
    drift_x_m, drift_y_m = np.zeros(len(pairs)), np.zeros(len(pairs))
    drift_x_m[at[drifts]], drift_y_m[at[drifts]] = east[drifts], north[drifts]
    return drift_x_m, drift_y_m


def shift_m(shapes: Shapes, zone: NDArray[np.intp], wall_m: Floats, x_m: Floats, y_m: Floats, *drift: Floats) -> Floats:
    """How much farther from its zone's wall each reckoned place lies than its fix, which is ``wall_m`` from it."""
    east, north = drift
    shift = np.zeros(len(zone))
    drifts = np.flatnonzero((east != 0) | (north != 0))
    there_m = shapes.wall_m(zone[drifts], (x_m - east)[drifts], (y_m - north)[drifts])
    shift[drifts] = there_m - wall_m[drifts]
    return shift
