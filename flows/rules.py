"""From the registry to what each shard judges by: plain columns, cut to the shard's own bands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from anomaly.census import Orgs
from geo.demands import Away, Demands, Pair
from schemas.judging import WearerRules
from schemas.registry import (
    FOREVER_MS,
    Device,
    NumberedRegistry,
    Org,
    Registry,
    Thresholds,
    Wearer,
    Zone,
    ZoneKind,
    epoch_ms,
)

SHARDS: Final = 8
"""A band is judged by shard ``device_no % SHARDS``: a key of the dataflow, fixed for the life of a recovery store."""


@dataclass(frozen=True, slots=True)
class ShardRules:
    """Everything one shard judges by, at one version of the registry.

    ``demands`` are the zones that ask something, ``rings`` those that tell of nearing, ``lingering`` of staying.
    """

    wearers: WearerRules
    demands: Demands
    rings: Demands
    lingering: Demands
    orgs: Orgs
    thresholds: Thresholds


def rules_by_shard(numbered: NumberedRegistry, shards: int = SHARDS) -> dict[int, ShardRules]:
    """Compile the registry for every shard, empty ones included; ``shards`` of 1 puts everybody into one."""
    worn: list[list[tuple[Device, Wearer]]] = [[] for _ in range(shards)]
    for device, wearer in _worn(numbered.registry):
        worn[numbered.device_no[device.id] % shards].append((device, wearer))
    return {shard: _rules(numbered, pairs) for shard, pairs in enumerate(worn)}


def _worn(registry: Registry) -> list[tuple[Device, Wearer]]:
    """Each band with the wearer of its latest assignment: past readings keep the wearer that ingest gave them."""
    wearers = {wearer.id: wearer for wearer in registry.wearers}
    latest = {a.device: a.wearer for a in sorted(registry.assignments, key=lambda a: a.valid_from)}
    return [(device, wearers[latest[device.id]]) for device in registry.devices if device.id in latest]


def _rules(numbered: NumberedRegistry, worn: Sequence[tuple[Device, Wearer]]) -> ShardRules:
    registry = numbered.registry
    rows = sorted(worn, key=lambda pair: numbered.device_no[pair[0].id])
    interval_ms = {plan.grade: int(plan.interval_s * 1000) for plan in registry.plans}
    ahead_s = {org.id: _ahead_s(org.timezone) for org in registry.orgs}
    thresholds = Thresholds().patient({rule.code: rule.patience for rule in registry.alert_rules})
    silence_ms = {plan.grade: int(plan.silence_after_s * thresholds.silence_scale * 1000) for plan in registry.plans}
    patience = {plan.grade: plan.patience for plan in registry.plans}
    wearers = WearerRules(
        version=numbered.version,
        device_no=np.array([numbered.device_no[device.id] for device, _ in rows], np.int32),
        wearer_no=np.array([numbered.wearer_no[wearer.id] for _, wearer in rows], np.int32),
        interval_ms=np.array([interval_ms.get(w.grade, FOREVER_MS) for _, w in rows], np.int64),
        silence_after_ms=np.array([silence_ms.get(w.grade, FOREVER_MS) for _, w in rows], np.int64),
        ahead_s=np.array([ahead_s[device.org] for device, _ in rows], np.int32),
        patience=np.array([patience.get(w.grade, 1.0) for _, w in rows], np.float32),
        device=tuple(device.id for device, _ in rows),
        wearer=tuple(wearer.id for _, wearer in rows),
        org=tuple(device.org for device, _ in rows),
    )
    people = [wearer for _, wearer in rows]
    leaves = _leaves(registry, people)

    def demands(which: Callable[[Zone], bool]) -> Demands:
        chosen = [zone for zone in registry.zones if which(zone)]
        zones, pairs = _asked_of(_pairs(registry.orgs, chosen, people), chosen)
        return Demands.of(wearers.keys, zones, pairs, registry.schedules, leaves, registry.calendars)

    return ShardRules(
        wearers=wearers,
        demands=demands(lambda zone: zone.kind is not ZoneKind.INTEREST),
        rings=demands(lambda zone: zone.approach_m is not None),
        lingering=demands(lambda zone: zone.dwell_s is not None),
        orgs=Orgs.of(wearers.org, {org.id: org.parent for org in registry.orgs}),
        thresholds=thresholds,
    )


def _ahead_s(timezone: str) -> int:
    """By how much its standard time is ahead of UTC, all the year: a night may begin an hour off in summer."""
    winter = datetime(2026, 1, 1, tzinfo=ZoneInfo(timezone))
    standard = (winter.utcoffset() or timedelta()) - (winter.dst() or timedelta())
    return round(standard.total_seconds())


def _pairs(orgs: Sequence[Org], zones: Sequence[Zone], wearers: Sequence[Wearer]) -> list[Pair]:
    """A zone concerns the wearers it names, or everybody of its org and the orgs below."""
    row = {wearer.id: number for number, wearer in enumerate(wearers)}
    below = _subtrees(orgs)
    pairs: list[Pair] = []
    for number, zone in enumerate(zones):
        if zone.wearers is not None:
            pairs += [Pair(row[name], number) for name in zone.wearers if name in row]
        else:
            pairs += [Pair(row[w.id], number) for w in wearers if w.org in below.get(zone.org, ())]
    return pairs


def _asked_of(pairs: Sequence[Pair], zones: Sequence[Zone]) -> tuple[list[Zone], list[Pair]]:
    """Only the zones that concern somebody here: laying out a shape costs more than numbering it anew."""
    used = sorted({pair.zone for pair in pairs})
    place = {zone: number for number, zone in enumerate(used)}
    return [zones[zone] for zone in used], [Pair(pair.row, place[pair.zone]) for pair in pairs]


def _subtrees(orgs: Sequence[Org]) -> Mapping[str, set[str]]:
    parent = {org.id: org.parent for org in orgs}
    trees: dict[str, set[str]] = {org.id: set() for org in orgs}
    for org in orgs:
        ancestor: str | None = org.id
        while ancestor is not None:
            trees[ancestor].add(org.id)
            ancestor = parent[ancestor]
    return trees


def _leaves(registry: Registry, wearers: Sequence[Wearer]) -> dict[int, list[Away]]:
    row = {wearer.id: number for number, wearer in enumerate(wearers)}
    leaves: dict[int, list[Away]] = {}
    for leave in registry.leaves:
        if leave.wearer in row:
            away = Away(epoch_ms(leave.valid_from), epoch_ms(leave.valid_to), tuple(leave.places))
            leaves.setdefault(row[leave.wearer], []).append(away)
    return leaves
