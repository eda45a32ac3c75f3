"""What is allowed in a registry and still unwise: fences that noise will ring, demands nobody can meet; pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final, Self, cast

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.hours import windows_between
from schemas.problems import Problem
from schemas.registry import FOREVER_MS, Registry, Schedule, Zone, ZoneKind, epoch_ms
from store.registry_outline import in_metres, outline, touching
from store.registry_parts import zones_by_wearer

TYPICAL_ACCURACY_M: Final = 15.0
NARROW_M: Final = 3 * TYPICAL_ACCURACY_M
"""A fence in which one cannot stand so far from its line is left by noise alone."""

STAYS: Final = (ZoneKind.KEEP_IN, ZoneKind.CURFEW)
"""Zones that one must be in."""
_SOME_MONDAY_MS: Final = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
_MINUTE_MS: Final = 60_000
_WEEK_MINUTES: Final = int(timedelta(days=7).total_seconds()) // 60

Moment = frozenset[str | None]
"""The schedules that hold together at some minute of the week; None stands for always."""


def warnings(registry: Registry) -> list[Problem]:
    """What to think over in a registry in which ``check`` finds nothing wrong, by the zone to look at.

    Hours are those of the week: exceptions and holidays are left out. Leaves are, too.

    >>> zone = Zone(id="z", org="o", name="z", kind=ZoneKind.INTEREST, datum="WGS-84", radius_m=20.0,
    ...             geometry={"type": "Point", "coordinates": [101.7, 26.5]})
    >>> print(*warnings(Registry(zones=[zone])))
    zones[0].radius_m: only 20.0 m from its middle to its line, under 3 times the typical accuracy of a fix (15 m); \
noise alone will cross it
    """
    ground = _Ground.of(registry)
    found = [*_narrow(ground), *_impossible(ground, registry)]
    return [problem for _, problem in sorted(found, key=lambda placed: placed[0])]


@dataclass(frozen=True, slots=True)
class _Ground:
    """The zones of a registry on the map and in the week; ``outs_near`` has the keep-outs that touch each stay."""

    zones: Sequence[Zone]
    outlines: Sequence[BaseGeometry]
    areas: NDArray[np.float64]
    outs_near: Mapping[int, frozenset[int]]
    valid_ms: Sequence[tuple[int, int]]
    weeks: Mapping[str | None, NDArray[np.bool_]]

    @classmethod
    def of(cls, registry: Registry) -> Self:
        outlines = [outline(zone) for zone in registry.zones]
        shapely.prepare(outlines)
        return cls(
            zones=registry.zones,
            outlines=outlines,
            areas=shapely.area(outlines),
            outs_near=_outs_near(registry.zones, outlines),
            valid_ms=[(epoch_ms(z.valid_from, -FOREVER_MS), epoch_ms(z.valid_to)) for z in registry.zones],
            weeks={None: np.ones(_WEEK_MINUTES, np.bool_)} | {one.id: _week(one) for one in registry.schedules},
        )

    def meet(self, one: int, other: int) -> bool:
        """Whether two zones have an area in common; neighbours share a line only."""
        a, b = self.outlines[one], self.outlines[other]
        return bool(a.intersects(b) and not a.touches(b))

    def covers(self, one: int, other: int) -> bool:
        """Whether a zone lies wholly within another, which is ``one``."""
        return bool(self.areas[one] >= self.areas[other] and self.outlines[one].covers(self.outlines[other]))

    def together(self, *places: int) -> bool:
        """Whether zones are valid at the same time, whatever their hours."""
        starts, ends = zip(*(self.valid_ms[place] for place in places), strict=True)
        return bool(max(starts) < min(ends))

    def moments(self, schedules: Iterable[str | None]) -> set[Moment]:
        """Which of some schedules hold together, for every minute of the week."""
        names = list(schedules)
        minutes = np.unique(np.array([self.weeks[name] for name in names]), axis=1).T
        return {frozenset(name for name, holds in zip(names, row, strict=True) if holds) for row in minutes.tolist()}


def _week(schedule: Schedule) -> NDArray[np.bool_]:
    plain = msgspec.structs.replace(schedule, exceptions=[], calendar=None, holiday_windows=[])
    week = np.zeros(_WEEK_MINUTES, np.bool_)
    for start, end in windows_between(plain, _SOME_MONDAY_MS, _SOME_MONDAY_MS + _WEEK_MINUTES * _MINUTE_MS):
        first, last = (max(moment - _SOME_MONDAY_MS, 0) // _MINUTE_MS for moment in (start, end))
        week[first:last] = True
    return week


def _narrow(ground: _Ground) -> Iterator[tuple[int, Problem]]:
    for place, zone in enumerate(ground.zones):
        reach_m = zone.radius_m or _inscribed_m(ground.outlines[place])
        if reach_m < NARROW_M:
            size = "radius_m" if zone.radius_m else "width_m" if zone.width_m else "geometry"
            message = (
                f"only {reach_m:.1f} m from its middle to its line, under 3 times the typical accuracy of a fix "
                f"({TYPICAL_ACCURACY_M:.0f} m); noise alone will cross it"
            )
            yield place, Problem(f"zones[{place}].{size}", message)


def _inscribed_m(degrees: BaseGeometry) -> float:
    """Half the width of a shape at its widest: the radius of the largest circle that fits, to the metre."""
    area = cast("Polygon | MultiPolygon", in_metres(degrees))
    return shapely.maximum_inscribed_circle(area, tolerance=0.5).length


def _outs_near(zones: Sequence[Zone], outlines: Sequence[BaseGeometry]) -> dict[int, frozenset[int]]:
    outs = [place for place, zone in enumerate(zones) if zone.kind is ZoneKind.KEEP_OUT]
    tree = shapely.STRtree([outlines[place] for place in outs])
    stays = [place for place, zone in enumerate(zones) if zone.kind in STAYS]
    return {place: frozenset(outs[found] for found in touching(tree, outlines[place])) for place in stays}


def _impossible(ground: _Ground, registry: Registry) -> Iterator[tuple[int, Problem]]:
    """Every demand that somebody cannot meet, told once with the wearers whom it concerns."""
    told: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    known: dict[frozenset[str | None], set[Moment]] = {}
    for wearer, places in zones_by_wearer(registry.zones, registry.orgs, registry.wearers).items():
        stays = [place for place in places if ground.zones[place].kind in STAYS]
        outs = frozenset(places) & {out for stay in stays for out in ground.outs_near[stay]}
        schedules = frozenset(ground.zones[place].schedule for place in (*stays, *outs))
        if stays and schedules not in known:
            known[schedules] = ground.moments(schedules)
        for conflict in dict.fromkeys(
            c for moment in known.get(schedules, ()) for c in _at(ground, moment, stays, outs)
        ):
            told[conflict].append(wearer)
    for (place, message), wearers in told.items():
        yield place, Problem(f"zones[{place}]", f"{_who(wearers)}: {message}")


def _at(ground: _Ground, moment: Moment, stays: Iterable[int], outs: Iterable[int]) -> Iterator[tuple[int, str]]:
    """The conflicts of one wearer's zones at one moment of the week."""
    stays = [place for place in stays if ground.zones[place].schedule in moment]
    outs = frozenset(place for place in outs if ground.zones[place].schedule in moment)
    conflicts = [
        *(
            _apart(ground, *pair)
            for pair in combinations(stays, 2)
            if ground.together(*pair) and not ground.meet(*pair)
        ),
        *(conflict for stay in stays for conflict in _covered(ground, stay, sorted(outs & ground.outs_near[stay]))),
    ]
    yield from conflicts or _nowhere(ground, stays, outs)


def _apart(ground: _Ground, one: int, other: int) -> tuple[int, str]:
    """Told of the keep-in, of two alike of the first."""
    if ground.zones[one].kind is ZoneKind.CURFEW:
        one, other = other, one
    return one, f"no part in common with {_named(ground.zones[other])}, and both hold at once; there is no way to obey"


def _covered(ground: _Ground, stay: int, outs: Sequence[int]) -> Iterator[tuple[int, str]]:
    mine = [out for out in outs if ground.together(stay, out)]
    whole = [out for out in mine if ground.covers(out, stay)]
    if ground.zones[stay].kind is ZoneKind.CURFEW:
        yield from ((out, f"contains {_named(ground.zones[stay])}, and both hold at once") for out in whole)
    if (whole and ground.zones[stay].kind is ZoneKind.KEEP_IN) or (not whole and _leaves_nothing(ground, [stay], mine)):
        names = ", ".join(_named(ground.zones[out]) for out in whole or mine)
        yield stay, f"wholly covered by {names}; there is nowhere to be"


def _nowhere(ground: _Ground, stays: Sequence[int], outs: frozenset[int]) -> Iterator[tuple[int, str]]:
    """What only all of them together make impossible, where no two of them do."""
    near = sorted(outs.intersection(*(ground.outs_near[stay] for stay in stays)))
    everything = [*stays, *near]
    more_than_a_pair = len(stays) > 1 and len(everything) > 2  # noqa: PLR2004
    if more_than_a_pair and ground.together(*everything) and _leaves_nothing(ground, stays, near):
        names = ", ".join(_named(ground.zones[place]) for place in everything[1:])
        yield stays[0], f"together with {names} it leaves nowhere to be"


def _leaves_nothing(ground: _Ground, stays: Sequence[int], outs: Sequence[int]) -> bool:
    """Whether the common part of some stays is empty, or wholly under keep-outs."""
    common = shapely.intersection_all([ground.outlines[stay] for stay in stays])
    if common.area > ground.areas[list(outs)].sum():
        return False
    return bool(common.difference(shapely.union_all([ground.outlines[out] for out in outs])).area == 0)


def _named(zone: Zone) -> str:
    return f"{zone.kind.value.replace('_', '-')} zone {zone.id} ({zone.name})"


def _who(wearers: Sequence[str]) -> str:
    others = len(wearers) - 1
    return wearers[0] + (f" and {others} other{'s' if others > 1 else ''}" if others else "")
