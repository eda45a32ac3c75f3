"""Local metres: each wearer's own plane round home, east and north, and back to WGS-84 degrees."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

METRES_PER_DEGREE: Final = 111_195.0
"""One degree of latitude on the mean sphere; good to 0.3 % anywhere, far better than a receiver."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plane:
    """One equirectangular plane a row, touching the globe at that row's origin (degrees, WGS-84)."""

    lat: Floats
    lon: Floats

    def to_degrees(self, xy: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude of one point (metres east, metres north) a row.

        >>> plane = Plane(np.array([26.5]), np.array([101.7]))
        >>> lat, lon = plane.to_degrees(np.array([[0.0, 111_195.0]]))
        >>> round(float(lat[0]), 6), round(float(lon[0]), 6)
        (27.5, 101.7)
        """
        return self.lat + xy[:, 1] / METRES_PER_DEGREE, self.lon + xy[:, 0] / _metres_per_degree_east(self.lat)

    def degrees_of(self, row: int, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude of a point in the plane of one row."""
        lat = self.lat[row] + north_m / METRES_PER_DEGREE
        return float(lat), float(self.lon[row] + east_m / _metres_per_degree_east(self.lat[row]))

    def block_degrees(self, xy: Floats) -> tuple[Floats, Floats]:
        """The same for a block of points (bands x steps x 2), each row in its own plane."""
        return (
            self.lat[:, None] + xy[..., 1] / METRES_PER_DEGREE,
            self.lon[:, None] + xy[..., 0] / _metres_per_degree_east(self.lat)[:, None],
        )

    def to_metres(self, row: int, lat: Floats, lon: Floats) -> Floats:
        """Points (n x 2) in the plane of one row."""
        east = (lon - self.lon[row]) * _metres_per_degree_east(self.lat[row])
        return np.column_stack([east, (lat - self.lat[row]) * METRES_PER_DEGREE])


def _metres_per_degree_east(lat: Any) -> Any:  # noqa: ANN401 - one latitude or many
    return METRES_PER_DEGREE * np.cos(np.radians(lat))
