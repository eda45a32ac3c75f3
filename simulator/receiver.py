"""What a satellite receiver makes of the truth: an error that wanders, and an honest idea of its size."""

from typing import Final

import numpy as np

from simulator.noise import GaussMarkov, towards
from simulator.plane import Floats, Plane

WANDER_S: Final = 120.0
SETTLES_S: Final = 20.0
RADIUS_68: Final = 1.51
"""The radius that holds 68 % of a circular normal error, in units of its per-axis deviation."""

INDOORS_BELOW_MPS: Final = 0.3
Columns = dict[str, Floats]


class Receiver:
    """Fixes of all bands; indoors the error is two to three times that of the open street."""

    def __init__(self, rng: np.random.Generator, plane: Plane) -> None:
        n = len(plane.lat)
        self._rng = rng
        self._plane = plane
        self._open_m = rng.uniform(2.5, 5.0, n)
        self._indoor_m = rng.uniform(6.0, 12.0, n)
        self._sigma_m = self._indoor_m.copy()
        self._error = GaussMarkov(rng, (n, 2), WANDER_S)
        self._altitude_m = rng.uniform(1020.0, 1320.0, n)

    def advance(self, xy: Floats, speed_mps: Floats, heading_deg: Floats, dt_s: Floats) -> Columns:
        """The wire's fix columns for true positions (metres in each band's plane)."""
        indoors = speed_mps < INDOORS_BELOW_MPS
        self._sigma_m = towards(self._sigma_m, np.where(indoors, self._indoor_m, self._open_m), dt_s, SETTLES_S)
        error_m = self._error.advance(dt_s) * self._sigma_m[:, None]
        lat, lon = self._plane.to_degrees(xy + error_m)
        n = len(lat)
        satellites: Floats = np.clip(np.round(16.0 - self._sigma_m + self._rng.normal(0, 0.7, n)), 4, 24)
        doppler_mps = np.abs(speed_mps + self._rng.normal(0.0, 0.15, n))
        return {
            "lat": np.round(lat, 6),
            "lon": np.round(lon, 6),
            "accuracy_m": np.round(RADIUS_68 * self._sigma_m * self._rng.lognormal(0.0, 0.1, n), 1),
            "altitude_m": np.round(self._altitude_m + 2.0 * error_m[:, 0]),
            "speed_mps": doppler_mps.round(1),
            "heading_deg": np.round((heading_deg + self._rng.normal(0, 4, n)) % 360.0),
            "satellites": satellites,
            "hdop": (9.0 / satellites).round(1),
        }
