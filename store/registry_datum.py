"""How true a GCJ-02 shape comes back from WGS-84, by which it is judged; pure."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import shapely

from geo.datum import gcj02_to_wgs84, wgs84_to_gcj02
from geo.shapes import METRES_PER_DEGREE
from schemas.problems import Problem
from schemas.registry import Datum
from store.registry_outline import Shaped

ROUND_TRIP_M: Final = 0.5
"""The most by which GCJ-02 positions may differ after a conversion to WGS-84 and back."""

MOVED: Final = f"more than {ROUND_TRIP_M} m: GCJ-02 is a frame of mainland China; check the datum"


def round_trip_m(shaped: Shaped) -> float | None:
    """How far the farthest position of a shape lies from itself after GCJ-02 → WGS-84 → GCJ-02.

    None for a shape of another datum, which is not converted.
    """
    if shaped.datum is not Datum.GCJ02:
        return None
    lon, lat = shapely.get_coordinates(shapely.geometry.shape(shaped.geometry)).T
    lat_again, lon_again = wgs84_to_gcj02(*gcj02_to_wgs84(lat, lon))
    north_m = (lat_again - lat) * METRES_PER_DEGREE
    east_m = (lon_again - lon) * METRES_PER_DEGREE * np.cos(np.radians(lat))
    return float(np.hypot(east_m, north_m).max())


def datum_problems(shaped: Shaped, path: str) -> Iterator[Problem]:
    """A shape that the conversion moves; ``path`` is its owner's place.

    >>> from schemas.registry import LeavePlace
    >>> pole = LeavePlace(name="p", datum=Datum.GCJ02, radius_m=9.0,
    ...                   geometry={"type": "Point", "coordinates": [101.71, 89.9999]})
    >>> for problem in datum_problems(pole, "zones[0]"):
    ...     print(problem.path, problem.message.partition(", ")[2])
    zones[0].datum more than 0.5 m: GCJ-02 is a frame of mainland China; check the datum
    """
    error_m = round_trip_m(shaped)
    if error_m is not None and error_m > ROUND_TRIP_M:
        yield Problem(f"{path}.datum", f"GCJ-02 → WGS-84 → GCJ-02: {error_m:.6f} m, {MOVED}")
