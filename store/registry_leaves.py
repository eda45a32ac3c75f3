"""What a leave may not do: last too long, be recorded late, overlap another, open a prohibited place; pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Final

import shapely

from schemas.problems import Problem
from schemas.registry import Leave, Zone, ZoneKind
from store.registry_geometry import geometry_problems
from store.registry_outline import outline, touching
from store.registry_parts import Parts, Placed, zones_by_wearer
from store.registry_periods import clocks, months_later, overlaps

TRIP: Final = timedelta(days=30)
PERMIT_MONTHS: Final = 6


def leave_problems(parts: Parts) -> Iterator[Problem]:
    """Everything wrong with the leaves of a registry but their references and the order of their ends."""
    clock = clocks(parts)
    for place, leave in parts["leaves"]:
        yield from _terms(leave, f"leaves[{place}]", clock)
        for number, where in enumerate(leave.places):
            yield from geometry_problems(where, f"leaves[{place}].places[{number}]")
    yield from _trips_at_once(parts["leaves"])
    yield from _collisions(parts)


def back_dated(leave: Leave, earliest: datetime) -> str | None:
    """Why a leave that is new or changed comes too late; None where it begins at ``earliest`` or later."""
    if leave.valid_from >= earliest:
        return None
    return (
        f"{leave.id} is back-dated, it would have begun at {leave.valid_from.isoformat()}; record what happened as an "
        "incident, and what is still to come as a leave of its own"
    )


def _terms(leave: Leave, path: str, clock: Mapping[str, tzinfo]) -> Iterator[Problem]:
    if leave.permit and leave.valid_to > months_later(leave.valid_from, PERMIT_MONTHS, clock.get(leave.wearer)):
        message = f"{leave.id} runs longer than {PERMIT_MONTHS} months; a permit is renewed by one of its own"
        yield Problem(f"{path}.valid_to", message)
    if not leave.permit and leave.valid_to - leave.valid_from > TRIP:
        message = f"{leave.id} lasts longer than {TRIP.days} days; who crosses the line all the time needs a permit"
        yield Problem(f"{path}.valid_to", message)
    if leave.recorded_at > leave.valid_from:
        message = (
            f"recorded at {leave.recorded_at.isoformat()} after the leave began at {leave.valid_from.isoformat()}; "
            "record what happened as an incident instead"
        )
        yield Problem(f"{path}.recorded_at", message)
    if leave.permit and not leave.places:
        yield Problem(f"{path}.places", f"{leave.id} is a permit, which names the places that it allows")


def _trips_at_once(leaves: Placed) -> Iterator[Problem]:
    trips = [(place, leave) for place, leave in leaves if not leave.permit]
    for place, later, other in overlaps(trips, "wearer"):
        message = f"{later.id} begins before {other.id} of {other.wearer} has ended at {other.valid_to.isoformat()}"
        yield Problem(f"leaves[{place}].valid_from", message)


def _collisions(parts: Parts) -> Iterator[Problem]:
    if not any(leave.places for _, leave in parts["leaves"]):
        return
    zones = [zone for _, zone in parts["zones"] if _forbids(zone)]
    outlines = shapely.STRtree([outline(zone) for zone in zones])
    concerned = zones_by_wearer(zones, *([thing for _, thing in parts[part]] for part in ("orgs", "wearers")))
    for place, leave in parts["leaves"]:
        theirs = {number for number in concerned.get(leave.wearer, ()) if _at_once(zones[number], leave)}
        for number, where in enumerate(leave.places):
            if not geometry_problems(where, ""):
                for zone in (zones[found] for found in touching(outlines, outline(where)) if found in theirs):
                    message = f"{where.name} collides with 禁止 zone {zone.id} ({zone.name}), which no leave can open"
                    yield Problem(f"leaves[{place}].places[{number}]", message)


def _forbids(zone: Zone) -> bool:
    return zone.kind is ZoneKind.KEEP_OUT and not geometry_problems(zone, "")


def _at_once(zone: Zone, leave: Leave) -> bool:
    begins_late = zone.valid_from is not None and zone.valid_from >= leave.valid_to
    ended_early = zone.valid_to is not None and zone.valid_to <= leave.valid_from
    return not begins_late and not ended_early
