"""The live feed: one LISTEN connection a process, every change of an incident to everybody who may see it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final
from uuid import UUID

import msgspec
import psycopg
import structlog
from sse_starlette import ServerSentEvent

from store.views import AsyncSession, IncidentView, Orgs, incidents_of

MOST_WAITING: Final = 256
"""Events that may wait for one listener; who is slower is dropped, and asks for the whole queue on return."""

_QUIET_S: Final = 30.0
_RETRY_S: Final = 1.0
_log: Final = structlog.get_logger(__name__)
RESYNC: Final = ServerSentEvent(event="resync", data="{}")
"""Read everything again."""


class _Notice(msgspec.Struct):
    incident_id: UUID


class Subscriber:
    """Somebody who listens, within some orgs (None: all of them)."""

    def __init__(self, orgs: Orgs) -> None:
        self._orgs = None if orgs is None else frozenset(orgs)
        self._waiting: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue()

    def may_see(self, org: str) -> bool:
        """Whether incidents of an org are theirs to see."""
        return self._orgs is None or org in self._orgs

    def offer(self, event: ServerSentEvent) -> bool:
        """Hand an event on; False, and the end of their stream, where too many wait already."""
        if self._waiting.qsize() >= MOST_WAITING:
            self.end()
            return False
        self._waiting.put_nowait(event)
        return True

    def end(self) -> None:
        """Let the stream end after what waits already."""
        self._waiting.put_nowait(None)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """What was offered, in order, until the end."""
        while (event := await self._waiting.get()) is not None:
            yield event


class Feed:
    """Fans changes out. ``follow`` runs until cancelled and comes back by itself after a lost connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._subscribers: set[Subscriber] = set()

    def join(self, orgs: Orgs) -> Subscriber:
        """A new listener; ``leave`` must follow."""
        subscriber = Subscriber(orgs)
        self._subscribers.add(subscriber)
        return subscriber

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._subscribers)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a listener."""
        self._subscribers.discard(subscriber)

    def publish(self, incidents: Iterable[IncidentView]) -> None:
        """Hand incidents to all who may see them."""
        for incident in incidents:
            event = ServerSentEvent(event="incident", data=msgspec.json.encode(incident).decode())
            self._offer(event, [one for one in self._subscribers if one.may_see(incident.org)])

    def _offer(self, event: ServerSentEvent, subscribers: Iterable[Subscriber]) -> None:
        self._subscribers -= {one for one in list(subscribers) if not one.offer(event)}

    async def follow(self) -> None:
        """Listen to the database for ever."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as session:
                    await self._listen(session)
            except psycopg.Error as error:
                _log.warning("live-feed-lost", reason=type(error).__name__)
                await asyncio.sleep(_RETRY_S)

    async def _listen(self, session: AsyncSession) -> None:
        await session.execute("SET TIME ZONE 'UTC'")
        await session.execute("LISTEN shouhuan_incident")
        # What happened while nobody listened is not told again.
        self._offer(RESYNC, self._subscribers)
        while True:
            self.publish(await incidents_of(session, await _changed(session)))


async def _changed(session: AsyncSession) -> list[UUID]:
    """The incidents that the next notifications name, each once; possibly none, after a while."""
    payloads = [notice.payload async for notice in session.notifies(timeout=_QUIET_S, stop_after=1)]
    payloads += [notice.payload async for notice in session.notifies(timeout=0)]
    return list(dict.fromkeys(filter(None, map(incident_in, payloads))))


def incident_in(payload: str) -> UUID | None:
    """The incident that a notification names; None for one that is not ours, as anybody may send one.

    >>> incident_in('{"incident_id": "6f1d2c8e-6c0b-5d5e-9a55-7368756f6875", "transition": "opened"}')
    UUID('6f1d2c8e-6c0b-5d5e-9a55-7368756f6875')
    >>> incident_in("") is None
    True
    """
    try:
        return msgspec.json.decode(payload, type=_Notice).incident_id
    except msgspec.DecodeError:
        return None
