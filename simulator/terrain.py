"""Panzhihua's valley as radio sees it: narrow sky, side valleys without a network, roads that dive into rock.

Rough by intention: discs on the map, laid where the Jinsha and Anning valleys narrow. None of it is known to the judge.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.plane import METRES_PER_DEGREE, Floats


class Disc(NamedTuple):
    """A round place (degrees WGS-84, metres)."""

    lat: float
    lon: float
    radius_m: float


DEAD_ZONES: Final = (
    Disc(26.622, 101.585, 900.0),
    Disc(26.640, 101.760, 1_400.0),
    Disc(26.455, 101.790, 1_100.0),
    Disc(26.520, 101.640, 700.0),
    Disc(26.740, 101.930, 1_600.0),
    Disc(26.820, 102.040, 1_200.0),
    Disc(26.925, 102.160, 900.0),
    Disc(26.705, 101.820, 800.0),
)
"""Side valleys and the far bank: no network, and half the sky is rock."""

TUNNELS: Final = (
    Disc(26.573, 101.668, 450.0),
    Disc(26.563, 101.742, 350.0),
    Disc(26.610, 101.660, 300.0),
    Disc(26.510, 101.722, 300.0),
    Disc(26.672, 101.880, 600.0),
    Disc(26.875, 102.095, 400.0),
)
"""Stretches of road and rail under the mountain: neither sky nor network, for vehicles only."""

STREETS: Final = (
    Disc(26.5465, 101.7040, 900.0),
    Disc(26.5970, 101.6300, 700.0),
    Disc(26.4980, 101.7380, 700.0),
    Disc(26.8900, 102.1100, 600.0),
    Disc(26.6830, 101.8550, 500.0),
)
"""Town centres with high houses on both sides: signals arrive by way of walls."""


def within(discs: tuple[Disc, ...], lat: Floats, lon: Floats) -> NDArray[np.bool_]:
    """Which points lie in any of the discs.

    >>> within(STREETS, np.array([26.5465, 26.0]), np.array([101.704, 101.0])).tolist()
    [True, False]
    """
    inside = np.zeros(lat.shape, np.bool_)
    for disc in discs:
        per_degree_east = METRES_PER_DEGREE * np.cos(np.radians(disc.lat))
        north, east = (lat - disc.lat) * METRES_PER_DEGREE, (lon - disc.lon) * per_degree_east
        inside |= north * north + east * east < disc.radius_m**2
    return inside
