"""Zones under ``/api``: the map's, one as it is stored, and changes by those who may make them.

A zone is sent and answered as a GeoJSON Feature (RFC 7946) whose ``properties`` are those of ``docs/registry.md``.
A zone is never deleted: it ends.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from console.auth import RuleMaker, SignedIn
from console.desk import Desk, DeskOf
from console.drawing import zone_features
from console.wording import in_both
from schemas.problems import Problem
from store.acts import audit, audit_hourly
from store.errors import RegistryError, StoreError, ZoneConflict, ZoneUnknown
from store.map_views import OrgView, ScheduleView, find_zone, orgs_of, schedules_of, zones_at
from store.views import Operator
from store.zone_changes import Change, Outcome, check_zone, end_zone, repair_of, save_zone
from store.zone_feature import feature_from

router = APIRouter(prefix="/api")

MOST_BYTES: Final = 2_000_000
"""The border of a province has some ten thousand positions of forty bytes."""

MOST_WARNINGS: Final = 50
"""More than anybody reads; a keep-in for a whole district may contradict every home in it."""

Repairing = Annotated[bool, Query(description="Answer with a repaired shape where the polygon is invalid.")]
Checking = Annotated[bool, Query(description="Say what would come of it, and store nothing.")]


@router.get("/zones")
async def zones(operator: SignedIn, desk: DeskOf) -> dict[str, Any]:
    """The zones in force as the map draws them, in WGS-84."""
    async with desk.session() as session:
        await audit_hourly(session, desk.act(operator, "zones.view", "map"))
        return zone_features(await zones_at(session, operator.orgs, desk.settings.now()))


@router.get("/orgs")
async def orgs(operator: SignedIn, desk: DeskOf) -> list[OrgView]:
    """The orgs that the operator sees: whose zones they may draw."""
    async with desk.session() as session:
        return await orgs_of(session, operator.orgs)


@router.get("/schedules")
async def schedules(_: SignedIn, desk: DeskOf) -> list[ScheduleView]:
    """The hours among which a zone chooses."""
    async with desk.session() as session:
        return await schedules_of(session)


@router.get("/zones/{zone_id}")
async def zone(zone_id: str, operator: SignedIn, desk: DeskOf) -> dict[str, Any]:
    """A zone as it is stored, in its own datum, ended ones as well."""
    subject = f"zone:{zone_id}"
    async with desk.session() as session:
        found = await find_zone(session, operator.orgs, zone_id)
        if found is not None:
            await audit(session, desk.act(operator, "zone.view", subject))
            return feature_from(found)
    await desk.refuse(operator, "zone.view", subject, "not among this operator's orgs")
    raise HTTPException(404, f"there is no zone {zone_id}")


@router.post("/zones", status_code=201)
async def create(
    request: Request, operator: RuleMaker, desk: DeskOf, *, check: Checking = False, repair: Repairing = False
) -> Response:
    """Add a zone; with ``check`` only say what would come of it."""
    change = await _change(request, operator, desk, "zone.create")
    return await _changed(desk, change, check_zone if check else save_zone, repair=repair)


@router.put("/zones/{zone_id}")
async def replace(
    zone_id: str,
    request: Request,
    operator: RuleMaker,
    desk: DeskOf,
    *,
    check: Checking = False,
    repair: Repairing = False,
) -> Response:
    """Put a zone in the place of the one there is; with its ``version`` only if nobody else did meanwhile."""
    change = await _change(request, operator, desk, "zone.replace", zone_id)
    return await _changed(desk, change, check_zone if check else save_zone, repair=repair)


@router.post("/zones/{zone_id}/end")
async def end(zone_id: str, operator: RuleMaker, desk: DeskOf) -> Response:
    """Let a zone end now."""
    change = _wanted(None, operator, desk, "zone.end", zone_id)
    return await _changed(desk, change, end_zone, repair=False)


async def _change(request: Request, operator: Operator, desk: Desk, action: str, zone_id: str | None = None) -> Change:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"a zone has at most {MOST_BYTES} bytes; draw its line with fewer positions")
    try:
        feature = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise HTTPException(422, f"this is no JSON: {error}") from None
    return _wanted(feature, operator, desk, action, zone_id)


def _wanted(feature: object, operator: Operator, desk: Desk, action: str, zone_id: str | None) -> Change:
    return Change(
        feature=feature,
        zone_id=zone_id,
        orgs=operator.orgs,
        now=desk.settings.now(),
        act=lambda subject, detail: desk.act(operator, action, subject, detail=detail),
    )


async def _changed(desk: Desk, change: Change, work: Callable[[str, Change], Outcome], *, repair: bool) -> Response:
    """Do it, or say with every problem why not; what was refused is audited as well, what was only checked is not."""
    try:
        async with desk.rule_changes:
            outcome = await asyncio.to_thread(work, desk.settings.database_url, change)
    except (RegistryError, ZoneUnknown, ZoneConflict) as refused:
        if work is not check_zone:
            await _audit_refusal(desk, change, refused)
        if not isinstance(refused, RegistryError):
            raise HTTPException(404 if isinstance(refused, ZoneUnknown) else 409, str(refused)) from None
        return JSONResponse(_refusal(refused, change.feature if repair else None), 422)
    status = 201 if outcome.is_new and work is save_zone else 200
    return JSONResponse(_told(outcome), status)


async def _audit_refusal(desk: Desk, change: Change, refused: StoreError) -> None:
    detail = f"problems: {len(refused.problems)}" if isinstance(refused, RegistryError) else str(refused)
    act = change.act(f"zone:{change.zone_id or 'new'}", detail)
    async with desk.session() as session:
        await audit(session, dataclasses.replace(act, allowed=False))


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "zone": feature_from(outcome.zone),
        "drawn": zone_features([outcome.zone])["features"][0],
        "registry_version": outcome.version,
        "warnings": _words(outcome.warnings[:MOST_WARNINGS]),
        "more_warnings": max(0, len(outcome.warnings) - MOST_WARNINGS),
        "round_trip_m": outcome.round_trip_m,
    }


def _refusal(refused: RegistryError, mended: object) -> dict[str, Any]:
    count = len(refused.problems)
    told = {
        "detail": f"{count} problem{'s' if count > 1 else ''}; nothing was stored",
        "problems": _words(refused.problems),
    }
    found = repair_of(mended)
    if found is None:
        return told
    return told | {"repair": {"defect": found.defect, "change": found.change, "geometry": found.geometry}}


def _words(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"path": problem.path, **in_both(problem.message)} for problem in problems]
