"""GCJ-02 (the shifted frame of Chinese web maps) to WGS-84 and back.

Everything is stored in WGS-84; GCJ-02 exists where a map needs it and where a fence was drawn on
one. The shift is the published closed form (two sine series over the Krasovsky ellipsoid); the
way back has none, so it is iterated.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SEMI_MAJOR_M: Final = 6_378_245.0
_ECCENTRICITY_SQUARED: Final = 0.00669342162296594323
_ITERATIONS: Final = 4

Degrees = NDArray[np.float64]


def wgs84_to_gcj02(lat: ArrayLike, lon: ArrayLike) -> tuple[Degrees, Degrees]:
    """Shift WGS-84 degrees into GCJ-02 (inside mainland China; the caller knows where it is).

    >>> lat, lon = wgs84_to_gcj02([26.58], [101.71])
    >>> round((lat[0] - 26.58) * 111_000), round((lon[0] - 101.71) * 99_000)  # metres, Panzhihua
    (-397, 155)
    """
    lat, lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    d_lat, d_lon = _shift(lat, lon)
    return lat + d_lat, lon + d_lon


def gcj02_to_wgs84(lat: ArrayLike, lon: ArrayLike) -> tuple[Degrees, Degrees]:
    """Undo the shift by fixed-point iteration, to well under 0.5 m.

    >>> there = wgs84_to_gcj02([26.58], [101.71])
    >>> back = gcj02_to_wgs84(*there)
    >>> bool(abs(back[0][0] - 26.58) < 1e-8 and abs(back[1][0] - 101.71) < 1e-8)
    True
    """
    target_lat, target_lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    guess_lat, guess_lon = target_lat.copy(), target_lon.copy()
    for _ in range(_ITERATIONS):
        d_lat, d_lon = _shift(guess_lat, guess_lon)
        guess_lat, guess_lon = target_lat - d_lat, target_lon - d_lon
    return guess_lat, guess_lon


def _shift(lat: Degrees, lon: Degrees) -> tuple[Degrees, Degrees]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    ripple = 20.0 * np.sin(6.0 * x * math.pi) + 20.0 * np.sin(2.0 * x * math.pi)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north_m += (ripple + 20.0 * np.sin(y * math.pi) + 40.0 * np.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(y / 12.0 * math.pi) + 320.0 * np.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east_m += (ripple + 20.0 * np.sin(x * math.pi) + 40.0 * np.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(x / 12.0 * math.pi) + 300.0 * np.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _ECCENTRICITY_SQUARED * np.sin(phi) ** 2
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_SQUARED) / magic**1.5
    parallel_m = _SEMI_MAJOR_M / np.sqrt(magic) * np.cos(phi)
    return np.degrees(north_m / meridian_m), np.degrees(east_m / parallel_m)
