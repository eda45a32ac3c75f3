"""What one process of the console holds: its settings, its connections, its live feed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import Depends, Request
from psycopg_pool import AsyncConnectionPool

from console.live import Feed
from console.settings import ConsoleSettings
from store.acts import Act, audit
from store.views import AsyncSession, Operator

_PATIENCE_S: Final = 5.0
_CONNECTIONS: Final = 8
_CHECKS_AT_ONCE: Final = 2
_CHANGES_AT_ONCE: Final = 2


class Desk:
    """Made with the application, at work between ``open`` and ``close``."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self.settings = settings
        self.feed = Feed(settings.database_url)
        # Each check of a password takes 64 MiB and a core.
        self.password_checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
        # Each change of a zone is checked against the whole registry.
        self.rule_changes = asyncio.Semaphore(_CHANGES_AT_ONCE)
        self._pool = AsyncConnectionPool[AsyncSession](
            settings.database_url,
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=_PATIENCE_S,
            kwargs={"autocommit": True, "connect_timeout": int(_PATIENCE_S)},
            configure=_speak_utc,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Connect and follow the live feed; a database that does not answer yet is waited for."""
        await self._pool.open()
        following = asyncio.create_task(self.feed.follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._pool.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A connection to the database, each statement its own transaction unless one is begun."""
        async with self._pool.connection() as session:
            yield session

    def act(self, operator: Operator, action: str, subject: str, *, allowed: bool = True, detail: str = "") -> Act:
        """A line for the audit, as of now."""
        return Act(
            at=self.settings.now(),
            operator=operator.name,
            action=action,
            subject=subject,
            allowed=allowed,
            detail=detail,
        )

    async def refuse(self, operator: Operator, action: str, subject: str, why: str) -> None:
        """Audit what was tried in vain."""
        async with self.session() as session:
            await audit(session, self.act(operator, action, subject, allowed=False, detail=why))


async def _speak_utc(session: AsyncSession) -> None:
    await session.execute("SET TIME ZONE 'UTC'")


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(_desk)]
