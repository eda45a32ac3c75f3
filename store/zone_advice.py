"""What is unwise about one zone, or becomes so by it, without looking at the whole registry; pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from msgspec.structs import replace
from numpy.typing import NDArray

from geo.shapes import METRES_PER_DEGREE
from schemas.problems import Problem
from schemas.registry import Registry, Zone, ZoneKind
from store.registry import merged
from store.registry_advice import STAYS, warnings
from store.registry_parts import zones_by_wearer
from store.zone_feature import in_feature

_SLACK_DEG: Final = 0.02
"""More than GCJ-02 moves anything (700 m)."""

_NARROWEST: Final = 0.35
"""A degree of longitude at 69 degrees north, as a share of one of latitude: nobody is supervised farther north."""


def advice(registry: Registry, zone: Zone) -> list[Problem]:
    """The warnings about a zone in a registry, its own first, then those about others that name it.

    Only wearers in whose lives it can change anything are looked at: none for an interest zone; for a keep-out those
    who must stay somewhere near it. Places are those of the zone's Feature.
    """
    theirs = _theirs(registry, zone)
    around = replace(
        registry,
        wearers=[wearer for wearer in registry.wearers if wearer.id in theirs],
        zones=[registry.zones[place] for place in sorted({place for places in theirs.values() for place in places})],
    )
    after = merged(around, Registry(zones=[zone], plans=[]))
    found = [in_feature(problem, after, zone.id) for problem in warnings(after)]
    own = [problem for problem in found if not problem.path.startswith("zones[")]
    return own + [problem for problem in found if problem not in own and f" zone {zone.id} (" in problem.message]


def _theirs(registry: Registry, zone: Zone) -> dict[str, list[int]]:
    """The places of the zones of each wearer whose demands this one may make impossible."""
    if zone.kind is ZoneKind.INTEREST:
        return {}
    concerned = {who for who, found in zones_by_wearer([zone], registry.orgs, registry.wearers).items() if found}
    wearers = [wearer for wearer in registry.wearers if wearer.id in concerned]
    theirs = zones_by_wearer(registry.zones, registry.orgs, wearers)
    if zone.kind in STAYS:
        return theirs
    stays = np.array([other.kind in STAYS for other in registry.zones], np.bool_) & _near(zone, registry.zones)
    return {who: places for who, places in theirs.items() if stays[places].any()}


def _near(zone: Zone, others: Sequence[Zone]) -> NDArray[np.bool_]:
    """Which zones may touch one, by the boxes round them; across the antimeridian as well."""
    boxes = np.array([_box(other) for other in (zone, *others)])
    middle, half = (boxes[:, 2:] + boxes[:, :2]) / 2.0, (boxes[:, 2:] - boxes[:, :2]) / 2.0
    apart = np.abs(middle[1:] - middle[0])
    apart[:, 0] = np.minimum(apart[:, 0], 360.0 - apart[:, 0])
    return np.asarray((apart <= half[1:] + half[0]).all(axis=1))


def _box(zone: Zone) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees, rather too wide than too narrow."""
    west, south, east, north = shapely.geometry.shape(zone.geometry).bounds
    up = (zone.radius_m or zone.width_m or 0.0) / METRES_PER_DEGREE + _SLACK_DEG
    across = up / _NARROWEST
    return west - across, south - up, east + across, north + up
