"""The console's HTTP API, under ``/api``: every look at a person and every act is audited."""

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from alerts.incidents import NotAllowed, check_acknowledge, check_close
from console.auth import SignedIn, SignIn, session_of, sign_in
from console.desk import Desk, DeskOf
from console.present import bands, names, with_reasons
from schemas.alerts import CloseCause
from store.acts import acts_on, audit, audit_hourly, lock_incident, mark_acknowledged, mark_closed
from store.map_views import wearers_at
from store.views import IncidentView, Operator, alerts_of, closed_incidents, find_incident, open_incidents, track_of

router = APIRouter(prefix="/api")

_ACTS = ["incident.acknowledge", "incident.close"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Credentials(_Body):
    """What somebody signs in with."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class Closing(_Body):
    """Why an incident is closed; what was latched needs a note, too."""

    cause: CloseCause
    note: Annotated[str, Field(max_length=2000)] = ""


@router.post("/login")
async def login(credentials: Credentials, request: Request, desk: DeskOf) -> dict[str, Any]:
    """Start a session."""
    outcome, operator = await sign_in(desk, credentials.name, credentials.password)
    if outcome is SignIn.TOO_MANY:
        raise HTTPException(429, "too many attempts; wait a quarter of an hour", {"retry-after": "900"})
    if operator is None:
        raise HTTPException(401, "name or password is wrong")
    request.session.clear()
    request.session.update(session_of(operator))
    return _about(operator, desk)


@router.post("/logout", status_code=204)
async def logout(request: Request, operator: SignedIn, desk: DeskOf) -> None:
    """End the session in this browser."""
    async with desk.session() as session:
        await audit(session, desk.act(operator, "logout", f"operator:{operator.name}"))
    request.session.clear()


@router.get("/me")
async def me(operator: SignedIn, desk: DeskOf) -> dict[str, Any]:
    """Who is signed in, their time zone, and the server's clock."""
    return _about(operator, desk)


@router.get("/codes")
async def codes(_: SignedIn) -> dict[str, Any]:
    """The names of alert codes and causes, in Chinese and English."""
    return names()


@router.get("/wearers")
async def wearers(operator: SignedIn, desk: DeskOf) -> dict[str, Any]:
    """Everybody who wears a band: newest position, battery, state."""
    now = desk.settings.now()
    async with desk.session() as session:
        await audit_hourly(session, desk.act(operator, "map.view", "map"))
        return {"now": now, "wearers": bands(await wearers_at(session, operator.orgs, now))}


@router.get("/incidents")
async def incidents(
    operator: SignedIn,
    desk: DeskOf,
    state: Literal["open", "closed"] = "open",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> list[IncidentView]:
    """The queue, gravest first; or what was closed, the last one first."""
    read = open_incidents if state == "open" else closed_incidents
    async with desk.session() as session:
        await audit_hourly(session, desk.act(operator, f"incidents.view.{state}", "queue"))
        return await read(session, operator.orgs, limit)


@router.get("/incidents/{incident_id}")
async def incident(incident_id: UUID, operator: SignedIn, desk: DeskOf) -> dict[str, Any]:
    """An incident with its evidence, the track around it, and what people did."""
    found = await _seen(desk, operator, incident_id, "incident.view")
    async with desk.session() as session:
        await audit(session, desk.act(operator, "incident.view", _subject(incident_id)))
        await audit(session, desk.act(operator, "track.view", f"wearer:{found.wearer}", detail=_subject(incident_id)))
        return {
            **asdict(found),
            "evidence": with_reasons(await alerts_of(session, incident_id), found.wearer, found.timezone),
            "track": await track_of(session, incident_id),
            "acts": await acts_on(session, _subject(incident_id), _ACTS),
        }


@router.post("/incidents/{incident_id}/acknowledge")
async def acknowledge(incident_id: UUID, operator: SignedIn, desk: DeskOf) -> IncidentView:
    """Take an incident: it is being looked at; nothing is confirmed by it."""
    action = "incident.acknowledge"
    await _seen(desk, operator, incident_id, action)
    try:
        async with desk.session() as session, session.transaction():
            check_acknowledge((await lock_incident(session, incident_id)).state)
            await mark_acknowledged(session, incident_id, operator.name, desk.settings.now())
            await audit(session, desk.act(operator, action, _subject(incident_id)))
    except NotAllowed as refused:
        await desk.refuse(operator, action, _subject(incident_id), str(refused))
        raise HTTPException(409, str(refused)) from None
    return await _seen(desk, operator, incident_id, action)


@router.post("/incidents/{incident_id}/close")
async def close(incident_id: UUID, closing: Closing, operator: SignedIn, desk: DeskOf) -> IncidentView:
    """End an incident with what was found."""
    action = "incident.close"
    await _seen(desk, operator, incident_id, action)
    try:
        async with desk.session() as session, session.transaction():
            locked = await lock_incident(session, incident_id)
            check_close(locked.state, closing.cause, closing.note, latching=locked.latching)
            note = closing.note.strip()
            await mark_closed(session, incident_id, operator.name, desk.settings.now(), closing.cause, note)
            await audit(session, desk.act(operator, action, _subject(incident_id), detail=closing.cause.value))
    except NotAllowed as refused:
        await desk.refuse(operator, action, _subject(incident_id), str(refused))
        raise HTTPException(409, str(refused)) from None
    return await _seen(desk, operator, incident_id, action)


async def _seen(desk: Desk, operator: Operator, incident_id: UUID, action: str) -> IncidentView:
    """The incident, if it is the operator's to see; else 404, which does not tell whether it exists."""
    async with desk.session() as session:
        found = await find_incident(session, operator.orgs, incident_id)
    if found is None:
        await desk.refuse(operator, action, _subject(incident_id), "not among this operator's orgs")
        raise HTTPException(404, "no such incident")
    return found


def _subject(incident_id: UUID) -> str:
    return f"incident:{incident_id}"


def _about(operator: Operator, desk: Desk) -> dict[str, Any]:
    facts = asdict(operator)
    return {name: facts[name] for name in ("name", "org_name", "org_name_en", "timezone", "changes_rules")} | {
        "now": desk.settings.now()
    }
