"""Zones as the map draws them, whatever they were drawn as: WGS-84, corridors with their width; pure."""

from collections.abc import Iterable
from typing import Any, Final

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from schemas.registry import Zone, ZoneKind
from store.registry_outline import grown, in_wgs84, outline

_PROPERTIES: Final = (
    "org", "name", "kind", "datum", "radius_m", "width_m", "approach_m", "dwell_s", "wearers", "schedule",
)  # fmt: skip
_DECIMALS: Final = 7
"""Of a degree: a centimetre."""


def zone_features(zones: Iterable[Zone]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection in WGS-84: a circle is a Point with ``radius_m``, all else the area that it covers.

    ``ring`` is the line at which nearing begins: inside a keep-in zone, outside a keep-out zone; None without
    ``approach_m``, where nothing of a zone is so deep, and for circles, whose ring is as far from their line.
    """
    return {"type": "FeatureCollection", "features": [_feature(zone) for zone in zones]}


def _feature(zone: Zone) -> dict[str, Any]:
    properties = {name: getattr(zone, name) for name in _PROPERTIES} | {"zone": zone.id}
    area = in_wgs84(zone) if zone.radius_m else outline(zone)
    ring = None if zone.radius_m else _ring(zone, area)
    return {"type": "Feature", "geometry": _drawn(area), "properties": properties | {"ring": ring}}


def _ring(zone: Zone, area: BaseGeometry) -> dict[str, Any] | None:
    if zone.approach_m is None:
        return None
    line = grown(area, -zone.approach_m if zone.kind is ZoneKind.KEEP_IN else zone.approach_m)
    return None if line.is_empty else _drawn(line)


def _drawn(shape: BaseGeometry) -> dict[str, Any]:
    drawn: dict[str, Any] = mapping(shapely.transform(shape, lambda at: at.round(_DECIMALS)))
    return drawn
