"""The town of a scenario: Panzhihua's people, with fences wide enough to live in, leaves, homes on the fence line."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from schemas.registry import DEFAULT_PLANS, Leave, Registry, Wearer, Zone, ZoneKind
from simulator.panzhihua import demo_registry
from simulator.plane import METRES_PER_DEGREE

RANGE_M: Final = (1_400.0, 4_500.0)
ON_THE_LINE_M: Final = (8.0, 12.0)
LEAVE_DAYS: Final = (0.4, 3.0)
ORDER_AGE_DAYS: Final = 25
WATCHED: Final = {
    ZoneKind.KEEP_IN: {"approach_m": 50.0},
    ZoneKind.KEEP_OUT: {"approach_m": 100.0, "dwell_s": 900.0},
}
"""What zones are told to watch out for before anything is broken."""


@dataclass(frozen=True, slots=True)
class Town:
    """What a scenario asks of its registry; shares of wearers, leaves a wearer-day."""

    seed: int
    wearers: int
    start_ms: int
    days: float
    consents: float
    on_the_line: float
    without_curfew: float
    leaves_per_day: float


def town(asked: Town) -> Registry:
    """A registry in which everybody is under a lawful order for the whole run; a function of its argument alone.

    >>> registry = town(Town(1, 20, 1_795_406_400_000, 30.0, 0.88, 0.1, 0.3, 0.02))
    >>> len(registry.wearers), len(registry.leaves)
    (20, 12)
    """
    base = demo_registry(
        seed=asked.seed,
        wearers=asked.wearers,
        now_ms=asked.start_ms,
        range_m=RANGE_M,
        consent_share=asked.consents,
        order_age_days=ORDER_AGE_DAYS,
    )
    rng = np.random.default_rng([asked.seed, 3])
    people = [base.wearers[k].id for k in rng.permutation(asked.wearers)]
    confined = {z.wearers[0] for z in base.zones if z.schedule == "all-day" and z.wearers}
    round_fences = {z.wearers[0] for z in base.zones if z.wearers and z.kind is ZoneKind.KEEP_IN and z.radius_m}
    may_move = [name for name in people if name in round_fences - confined]
    edge = set(may_move[: round(asked.on_the_line * asked.wearers)])
    free = [name for name in people if name not in confined | edge][: round(asked.without_curfew * asked.wearers)]
    zones = [zone for zone in base.zones if not _is_curfew_of(zone, set(free))]
    zones = [_moved(zone, rng) if zone.wearers and zone.wearers[0] in edge else zone for zone in zones]
    zones = [msgspec.structs.replace(zone, **WATCHED.get(zone.kind, {})) for zone in zones]
    bound = {zone.wearers[0] for zone in zones if zone.wearers and zone.kind is ZoneKind.KEEP_IN}
    leavers = [wearer for wearer in base.wearers if wearer.id in bound and wearer.id not in confined]
    return msgspec.structs.replace(
        base, zones=zones, leaves=list(_leaves(asked, leavers, rng)), plans=list(DEFAULT_PLANS)
    )


def _is_curfew_of(zone: Zone, wearers: set[str]) -> bool:
    return zone.kind is ZoneKind.CURFEW and bool(zone.wearers) and zone.wearers[0] in wearers  # type: ignore[index]


def _moved(zone: Zone, rng: np.random.Generator) -> Zone:
    """A round keep-in pushed aside until the home it was drawn round lies just inside its line."""
    if zone.kind is not ZoneKind.KEEP_IN or zone.radius_m is None:
        return zone
    lon, lat = zone.geometry["coordinates"]
    away_m, angle = zone.radius_m - rng.uniform(*ON_THE_LINE_M), rng.uniform(0.0, 2.0 * np.pi)
    lat_moved = lat + away_m * np.sin(angle) / METRES_PER_DEGREE
    lon_moved = lon + away_m * np.cos(angle) / (METRES_PER_DEGREE * np.cos(np.radians(lat)))
    point = {"type": "Point", "coordinates": [round(float(lon_moved), 6), round(float(lat_moved), 6)]}
    return msgspec.structs.replace(zone, geometry=point)


def _leaves(asked: Town, wearers: list[Wearer], rng: np.random.Generator) -> Iterator[Leave]:
    """Leaves that begin in the morning, spread over the run, at most one a wearer."""
    start = datetime.fromtimestamp(asked.start_ms / 1000.0, UTC)
    wanted = round(asked.leaves_per_day * asked.wearers * asked.days)
    for number, k in enumerate(rng.permutation(len(wearers))[:wanted].tolist(), 1):
        latest = max(asked.days - LEAVE_DAYS[1] - 1.2, 0.1)
        begins = start + timedelta(days=int(rng.uniform(0.0, latest)), hours=float(rng.uniform(7.0, 11.0)))
        ends = begins + timedelta(days=float(rng.uniform(*LEAVE_DAYS)))
        yield Leave(
            id=f"leave-{number:04d}",
            wearer=wearers[k].id,
            document=f"演示请假审批〔2026〕{number}号",
            approver="演示司法所所长",
            recorded_at=begins - timedelta(days=3),
            valid_from=begins,
            valid_to=ends,
        )
