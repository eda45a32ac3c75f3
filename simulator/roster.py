"""The fleet's roster: which bands are worn, by whom, where home is, and which zones concern them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import numpy as np

from schemas.registry import Datum, Org, Registry, Wearer, Zone, ZoneKind, epoch_ms
from simulator.plane import Floats, Plane

NOWHERE_DEG: Final = (26.5823, 101.7185)
"""Latitude and longitude where wearers live who have no zone at all: the middle of Panzhihua."""

_HOME_BY: Final = (ZoneKind.CURFEW, ZoneKind.KEEP_IN, ZoneKind.INTEREST)


@dataclass(frozen=True, slots=True)
class Roster:
    """One row a band that is assigned at the start.

    ``zones`` are those that ask something of its wearer, ``interests`` the places that do not: the justice office.
    """

    device: tuple[str, ...]
    org: tuple[str, ...]
    zones: tuple[tuple[Zone, ...], ...]
    interests: tuple[tuple[Zone, ...], ...]
    measures: np.ndarray[Any, np.dtype[np.bool_]]
    interval_s: Floats
    silence_after_s: Floats
    leaves: tuple[tuple[tuple[int, int], ...], ...]
    plane: Plane

    @classmethod
    def of(cls, registry: Registry, at_ms: int) -> Self:
        """Who wears what at a moment; raises ``ValueError`` where nobody does, or a zone is in a datum we cannot place.

        A band whose wearer has not consented to physiology does not measure any.
        """
        at = datetime.fromtimestamp(at_ms / 1000.0, UTC)
        wearers = {wearer.id: wearer for wearer in registry.wearers}
        org_of = {device.id: device.org for device in registry.devices}
        worn = {a.device: wearers[a.wearer] for a in registry.assignments if _holds(a.valid_from, a.valid_to, at)}
        if not worn:
            raise ValueError("no band is assigned to a wearer at the start: add assignments to the registry")
        consents = {c.wearer for c in registry.consents if _holds(c.valid_from, c.valid_to, at)}
        silence = {plan.grade: plan.silence_after_s for plan in registry.plans}
        interval = {plan.grade: plan.interval_s for plan in registry.plans}
        leaves: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for leave in sorted(registry.leaves, key=lambda leave: leave.valid_from):
            leaves[leave.wearer].append((epoch_ms(leave.valid_from), epoch_ms(leave.valid_to)))
        zones = _zones_of(registry, worn.values())
        homes = np.array([_home(zones[wearer.id]) for wearer in worn.values()])
        return cls(
            device=tuple(worn),
            org=tuple(org_of[device] for device in worn),
            zones=tuple(tuple(z for z in zones[w.id] if z.kind is not ZoneKind.INTEREST) for w in worn.values()),
            interests=tuple(tuple(z for z in zones[w.id] if z.kind is ZoneKind.INTEREST) for w in worn.values()),
            measures=np.array([wearer.id in consents for wearer in worn.values()], np.bool_),
            interval_s=np.array([interval.get(wearer.grade, 60.0) for wearer in worn.values()], np.float64),
            leaves=tuple(tuple(leaves[wearer.id]) for wearer in worn.values()),
            silence_after_s=np.array([silence.get(wearer.grade, 600.0) for wearer in worn.values()], np.float64),
            plane=Plane(homes[:, 0], homes[:, 1]),
        )

    def __len__(self) -> int:
        return len(self.device)


def corners(zone: Zone) -> list[Any]:
    """The rings of a zone's geometry (lists of longitude, latitude); a Point is one ring of one corner."""
    if zone.datum is Datum.GCJ02:
        raise ValueError(f"zone {zone.id}: the simulator lives in WGS-84; convert this GCJ-02 geometry first")
    coordinates = zone.geometry["coordinates"]
    if zone.geometry["type"] == "Point":
        return [[coordinates]]
    if zone.geometry["type"] == "Polygon":
        return list(coordinates)
    return [ring for polygon in coordinates for ring in polygon]


def _holds(valid_from: datetime, valid_to: datetime | None, at: datetime) -> bool:
    return valid_from <= at and (valid_to is None or at < valid_to)


def _zones_of(registry: Registry, wearers: Iterable[Wearer]) -> dict[str, list[Zone]]:
    """A zone holds for the wearers it names, or for all of its organisation's tree."""
    named: dict[str, list[Zone]] = defaultdict(list)
    shared: dict[str, list[Zone]] = defaultdict(list)
    for zone in registry.zones:
        for wearer_id in zone.wearers or ():
            named[wearer_id].append(zone)
        if zone.wearers is None:
            shared[zone.org].append(zone)
    above = _ancestors(registry.orgs)
    return {w.id: [*named[w.id], *(z for org in above.get(w.org, [w.org]) for z in shared[org])] for w in wearers}


def _ancestors(orgs: Sequence[Org]) -> dict[str, list[str]]:
    parent = {org.id: org.parent for org in orgs}
    lines: dict[str, list[str]] = {}
    for org in orgs:
        line, above = [org.id], org.parent
        while above is not None and above not in line:
            line.append(above)
            above = parent.get(above)
        lines[org.id] = line
    return lines


def _home(zones: Sequence[Zone]) -> tuple[float, float]:
    for kind in _HOME_BY:
        for zone in zones:
            if zone.kind is kind:
                ring = np.array([position[:2] for position in corners(zone)[0]], np.float64)
                lon, lat = (ring.min(axis=0) + ring.max(axis=0)) / 2.0
                return float(lat), float(lon)
    return NOWHERE_DEG
