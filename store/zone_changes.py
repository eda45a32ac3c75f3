"""One zone put into the registry or ended: checked by what checks an import, audited in the same transaction."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from msgspec.structs import replace

from schemas.problems import Problem
from schemas.registry import Registry, Zone
from store.acts import Act, audit_with
from store.connection import Connection, connect, translated
from store.errors import RegistryError, ZoneConflict, ZoneUnknown
from store.registry import hold, import_problems, merged, write
from store.registry_datum import datum_problems, round_trip_m
from store.registry_repair import Repair, repairs
from store.registry_tables import Current, read_current
from store.views import Orgs
from store.zone_advice import advice
from store.zone_feature import in_feature, raw_zone, zone_from

_MOMENT: Final = timedelta(microseconds=1)
"""A zone that ends before it has begun: too short for any reading, whose times are milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who wants what: a Feature for a new zone, or for ``zone_id``; within ``orgs``, at ``now``.

    ``act`` makes the line of the audit from a subject and a detail.
    """

    feature: object
    zone_id: str | None
    orgs: Orgs
    now: datetime
    act: Callable[[str, str], Act]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The zone as it is, or would be, stored.

    ``version`` is the registry's; ``warnings`` are what is allowed and still unwise, ``round_trip_m`` the error of a
    GCJ-02 shape's conversion there and back.
    """

    zone: Zone
    is_new: bool
    version: int
    warnings: list[Problem]
    round_trip_m: float | None


def check_zone(url: str, change: Change) -> Outcome:
    """What ``save_zone`` would do; it stores nothing, and raises the same."""
    with translated(url), connect(url) as connection:
        return _considered(read_current(connection), change)


def save_zone(url: str, change: Change) -> Outcome:
    """Add a zone, or replace one of which the history stays.

    Raises ``RegistryError`` with every problem, by its place in the Feature; ``ZoneUnknown`` where there is no such
    zone among the orgs; ``ZoneConflict`` where the id is taken, the zone has ended or has changed meanwhile.
    """
    with translated(url), connect(url) as connection:
        current = hold(connection)
        outcome = _considered(current, change)
        return _store(connection, current, outcome, change)


def end_zone(url: str, change: Change) -> Outcome:
    """Let a zone end now; one that has not begun yet will never hold. ``feature`` is not looked at."""
    with translated(url), connect(url) as connection:
        current = hold(connection)
        known = _theirs(current.registry, change)
        begins = known.valid_from
        ended = replace(known, valid_to=change.now if begins is None or begins < change.now else begins + _MOMENT)
        outcome = Outcome(zone=ended, is_new=False, version=current.version, warnings=[], round_trip_m=None)
        return _store(connection, current, outcome, change)


def repair_of(feature: object) -> Repair | None:
    """The repaired shape of a Feature that draws an invalid polygon; None where there is nothing to repair."""
    return next(repairs({"zones": [raw_zone(feature)]}, None), None)


def _store(connection: Connection, current: Current, outcome: Outcome, change: Change) -> Outcome:
    zone = outcome.zone
    report = write(connection, current, Registry(zones=[zone], plans=[]), change.now)
    told = f"registry version {report.version}" + (f"; warnings: {len(outcome.warnings)}" if outcome.warnings else "")
    audit_with(connection, change.act(f"zone:{zone.id}", told))
    is_written = bool(report.added or report.changed)
    return dataclasses.replace(
        outcome, version=report.version, zone=replace(zone, version=report.version) if is_written else zone
    )


def _considered(current: Current, change: Change) -> Outcome:
    """The zone in the registry as it is now, with its warnings; raises as ``save_zone`` does."""
    known = None if change.zone_id is None else _theirs(current.registry, change)
    zone = zone_from(change.feature, change.zone_id or _new_id(change.feature, current.registry))
    if known is not None and "version" in _properties(change.feature) and zone.version != known.version:
        raise ZoneConflict(f"{zone.id} was changed meanwhile (version {known.version}); read it again")
    begins, version = (change.now, 0) if known is None else (known.valid_from, known.version)
    zone = replace(zone, version=version, valid_from=zone.valid_from or begins)
    seen = visible(current.registry, change.orgs)
    wanted = Registry(zones=[zone], plans=[])
    after = merged(seen, wanted)
    problems = [in_feature(problem, after, zone.id) for problem in import_problems(seen, wanted, change.now)]
    problems += _time_problems(zone, known, change.now)
    problems = problems or [Problem(f"properties{where}", what) for where, what in datum_problems(zone, "")]
    if problems:
        raise RegistryError(problems, f"zone {zone.id}")
    return Outcome(
        zone=zone,
        is_new=known is None,
        version=current.version,
        warnings=advice(current.registry, zone),
        round_trip_m=round_trip_m(zone),
    )


def visible(registry: Registry, orgs: Orgs) -> Registry:
    """What of a registry one zone is checked against: only what an operator of these orgs knows.

    A reference to anything else is refused as one to nothing, in the same words. Other zones are left out: no two are
    wrong together, at most unwise.
    """
    seen = {org.id for org in registry.orgs} if orgs is None else set(orgs)
    wearers = [wearer for wearer in registry.wearers if wearer.org in seen]
    known = {wearer.id for wearer in wearers}
    return Registry(
        orgs=[org for org in registry.orgs if org.id in seen],
        wearers=wearers,
        leaves=[leave for leave in registry.leaves if leave.wearer in known],
        schedules=registry.schedules,
        calendars=registry.calendars,
        plans=[],
    )


def _theirs(registry: Registry, change: Change) -> Zone:
    known = next((zone for zone in registry.zones if zone.id == change.zone_id), None)
    if known is None or (change.orgs is not None and known.org not in change.orgs):
        raise ZoneUnknown(f"there is no zone {change.zone_id}")
    if known.valid_to is not None and known.valid_to <= change.now:
        raise ZoneConflict(f"{known.id} ended at {known.valid_to.isoformat()}; draw a new one")
    return known


def _new_id(feature: object, registry: Registry) -> str:
    given = feature.get("id") if isinstance(feature, dict) else None
    if given is None:
        return f"zone-{uuid4().hex[:12]}"
    if any(zone.id == str(given) for zone in registry.zones):
        raise ZoneConflict(f"there is a zone {given} already; replace it, or choose another id")
    return str(given)


def _time_problems(zone: Zone, known: Zone | None, now: datetime) -> Iterator[Problem]:
    """Nothing is back-dated: a zone begins now or later, and once it has begun that stands."""
    has_begun = known is not None and (known.valid_from is None or known.valid_from <= now)
    if known is not None and has_begun and zone.valid_from != known.valid_from:
        yield Problem("properties.valid_from", "the zone has begun, and that stands; leave it out")
    elif not has_begun and zone.valid_from is not None and zone.valid_from < now:
        yield Problem("properties.valid_from", f"{zone.valid_from.isoformat()} has passed; nothing is back-dated")
    if zone.valid_to is not None and zone.valid_to <= now:
        yield Problem("properties.valid_to", f"{zone.valid_to.isoformat()} has passed; nothing is back-dated")


def _properties(feature: object) -> dict[str, Any]:
    return feature["properties"] if isinstance(feature, dict) else {}
