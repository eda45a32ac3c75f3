"""``GET /api/events``: the live feed as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter
from sse_starlette import EventSourceResponse, ServerSentEvent

from console.auth import SignedIn
from console.desk import Desk, DeskOf
from console.live import RESYNC
from store.views import Orgs

router = APIRouter(prefix="/api")

_SEND_TIMEOUT_S: Final = 10.0


@router.get("/events")
async def events(operator: SignedIn, desk: DeskOf) -> EventSourceResponse:
    """Changes of incidents: ``incident`` carries one as the queue shows it, ``resync`` asks to read all again.

    A stream ends after a while, so that whoever lost their account loses it here, too; browsers return by themselves.
    """
    return EventSourceResponse(
        _stream(desk, operator.orgs),
        ping=desk.settings.heartbeat_s,
        send_timeout=_SEND_TIMEOUT_S,
        headers={"x-accel-buffering": "no"},
    )


async def _stream(desk: Desk, orgs: Orgs) -> AsyncIterator[ServerSentEvent]:
    subscriber = desk.feed.join(orgs)
    end = asyncio.get_running_loop().call_later(desk.settings.stream_length_s, subscriber.end)
    try:
        # Whoever reads the queue from here on misses nothing.
        yield RESYNC
        async for event in subscriber.events():
            yield event
    finally:
        end.cancel()
        desk.feed.leave(subscriber)
