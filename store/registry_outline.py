"""Where a zone or a leave's place lies: its outline in WGS-84 degrees, and the same in metres; pure.

For shapes in which ``registry_geometry`` found nothing wrong.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from geo.datum import gcj02_to_wgs84
from geo.shapes import METRES_PER_DEGREE, east_deg
from schemas.registry import Datum, LeavePlace, Zone

Shaped = Zone | LeavePlace
Positions = NDArray[np.float64]

_QUADRANT: Final = 32
"""Segments of a quarter circle: an outline lies at most 0.03 % of its radius inside the true one."""


def outline(shaped: Shaped) -> BaseGeometry:
    """The area of a circle, corridor or polygon in WGS-84 degrees; what crosses the antimeridian goes on beyond 180.

    >>> from schemas.registry import LeavePlace
    >>> place = LeavePlace(name="p", datum=Datum.WGS84, radius_m=100.0,
    ...                    geometry={"type": "Point", "coordinates": [101.71, 26.58]})
    >>> round(in_metres(outline(place)).area)
    31403
    """
    drawn = in_wgs84(shaped)
    reach_m = shaped.radius_m or (shaped.width_m or 0.0) / 2.0
    return grown(drawn, reach_m) if reach_m else drawn


def in_wgs84(shaped: Shaped) -> BaseGeometry:
    """What was drawn, a circle's centre or a corridor's line as well, in WGS-84 degrees."""
    drawn = shapely.transform(shapely.geometry.shape(shaped.geometry), _unbroken)
    return shapely.transform(drawn, _to_wgs84) if shaped.datum is Datum.GCJ02 else drawn


def grown(degrees: BaseGeometry, reach_m: float) -> BaseGeometry:
    """A shape and what is within so many metres of it; less what is so near its line, where they are negative."""
    lon, lat = origin = _origin(degrees)
    plane = shapely.transform(degrees, _to_plane(origin)).buffer(reach_m, quad_segs=_QUADRANT)
    return shapely.transform(plane, lambda at: at / _scale(lat) + (lon, lat))


def in_metres(degrees: BaseGeometry) -> BaseGeometry:
    """An outline in the plane round its middle; parts that were cut at the antimeridian are whole again."""
    return shapely.union_all([shapely.transform(degrees, _to_plane(_origin(degrees)))])


def touching(outlines: shapely.STRtree, one: BaseGeometry) -> Sequence[int]:
    """The places in a tree of outlines that share at least a point with one, on either side of the antimeridian."""
    turned = [translate(one, turn) for turn in (-360.0, 0.0, 360.0)]
    return [int(place) for place in np.unique(outlines.query(turned, predicate="intersects")[1])]


def _origin(drawn: BaseGeometry) -> tuple[float, float]:
    _, south, _, north = drawn.bounds
    return float(shapely.get_coordinates(drawn)[0, 0]), (south + north) / 2.0


def _to_plane(origin: tuple[float, float]) -> Any:  # noqa: ANN401 - shapely's stubs want a narrower function than it does
    lon, lat = origin
    return lambda at: np.column_stack([east_deg(at[:, 0] - lon), at[:, 1] - lat]) * _scale(lat)


def _scale(lat: float) -> Positions:
    return np.array([np.cos(np.radians(lat)), 1.0]) * METRES_PER_DEGREE


def _unbroken(at: Positions) -> Positions:
    # Turned by nothing or a whole turn, so that the line which two neighbours share stays the same to the last digit.
    turns = np.round((at[:, 0] - at[0, 0]) / 360.0)
    return np.column_stack([at[:, 0] - 360.0 * turns, at[:, 1]])


def _to_wgs84(at: Positions) -> Positions:
    lat, lon = gcj02_to_wgs84(at[:, 1], at[:, 0])
    return np.column_stack([lon, lat])
