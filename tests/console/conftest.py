"""A console that really listens on a port, over a database of its own."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from console.app import ConsoleSettings, create_app
from schemas.registry import NumberedRegistry
from tests.console.build import PASSWORD, settle
from tests.services.ports import wait_until

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


@dataclass
class Clock:
    """Moved by hand."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Console:
    """A running console and what stands behind it."""

    url: str
    database_url: str
    people: NumberedRegistry
    clock: Clock
    clients: list[httpx.Client] = field(default_factory=list)

    def visitor(self) -> httpx.Client:
        """A browser of somebody who has not signed in."""
        client = httpx.Client(base_url=self.url, timeout=10, trust_env=False)
        self.clients.append(client)
        return client

    def sign_in(self, name: str = "chief") -> httpx.Client:
        """A browser of a signed-in operator."""
        client = self.visitor()
        assert client.post("/api/login", json={"name": name, "password": PASSWORD}).status_code == 200
        return client

    def rows(self, query: Any, *facts: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, facts).fetchall()

    def acts(self, action: str) -> list[tuple[Any, ...]]:
        """The audit of an action: operator, subject, allowed."""
        return self.rows("SELECT operator, subject, allowed FROM audit WHERE action = %s ORDER BY audit_no", action)


@contextmanager
def serving(database_url: str, now: Callable[[], datetime], web_dir: Path, **options: Any) -> Iterator[str]:
    """The address of a console in a thread of its own."""
    settings = ConsoleSettings(
        database_url=database_url, session_secret="s" * 32, web_dir=web_dir, now=now, heartbeat_s=1.0, **options
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings), log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the console")
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()
    listener.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def console_over(database_url: str, clock: Clock, web_dir: Path, *, wearers: int = 20) -> Iterator[Console]:
    """A console over a migrated database, in which it settles the demo registry."""
    people = settle(database_url, clock(), wearers=wearers)
    with serving(database_url, clock, web_dir) as url:
        console = Console(url, database_url, people, clock)
        yield console
        for client in console.clients:
            client.close()


@pytest.fixture
def console(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Console]:
    """A console without a page, over each kind of database."""
    with console_over(database_url, clock, tmp_path) as console:
        yield console
