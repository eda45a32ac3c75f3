"""A real TimescaleDB for the tests: a given one, a container, or a server in the Debian root file system."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from tests.services import rootfs
from tests.services.ports import free_port, wait_until

IMAGE = "timescale/timescaledb:latest-pg17"
GIVEN = "SHOUHUAN_TEST_DATABASE_URL"
SETTINGS = (
    "listen_addresses=127.0.0.1", "unix_socket_directories=/mnt", "shared_preload_libraries=timescaledb",
    "timescaledb.telemetry_level=off", "max_connections=60", "max_worker_processes=24",
    "timescaledb.max_background_workers=8", "shared_buffers=128MB", "log_min_messages=warning",
)  # fmt: skip


class TimescaleUnavailable(Exception):  # noqa: N818 - it is the reason of a skip
    """Why no TimescaleDB can be had here."""


@contextmanager
def timescale() -> Iterator[str]:
    """The URL of a running TimescaleDB server's maintenance database, from the first source that works.

    Raises ``TimescaleUnavailable`` with every source's reason where none does.
    """
    reasons = []
    for source in (_given, _container, _in_rootfs):
        with ExitStack() as stack:
            try:
                url = stack.enter_context(source())
            except TimescaleUnavailable as reason:
                reasons.append(str(reason))
                continue
            yield url
            return
    raise TimescaleUnavailable("; ".join(reasons))


def comes_from_elsewhere() -> bool:
    """Whether the tests have a TimescaleDB without the root file system."""
    return bool(os.environ.get(GIVEN)) or _docker_works()


def _docker_works() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20).returncode == 0


@contextmanager
def _given() -> Iterator[str]:
    if not os.environ.get(GIVEN):
        raise TimescaleUnavailable(f"{GIVEN} is not set")
    yield os.environ[GIVEN]


@contextmanager
def _container() -> Iterator[str]:
    if not _docker_works():
        raise TimescaleUnavailable("no Docker engine")
    port = free_port()
    options = ["--rm", "--detach", "--publish", f"127.0.0.1:{port}:5432", "--env", "POSTGRES_HOST_AUTH_METHOD=trust"]
    started = subprocess.run(["docker", "run", *options, IMAGE], capture_output=True, text=True, check=False)
    if started.returncode != 0:
        raise TimescaleUnavailable(f"docker run {IMAGE} failed: {started.stderr.strip()[-300:]}")
    remove = ["docker", "rm", "--force", "--volumes", started.stdout.strip()]
    try:
        yield _wait_for(port)
    finally:
        subprocess.run(remove, capture_output=True, check=False)


@contextmanager
def _in_rootfs() -> Iterator[str]:
    try:
        rootfs.ensure()
    except rootfs.RootfsUnavailable as reason:
        raise TimescaleUnavailable(f"no Debian root file system ({reason})") from reason
    with tempfile.TemporaryDirectory(prefix="shouhuan-pg-", ignore_cleanup_errors=True) as folder:
        port = free_port()
        log = Path(folder) / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(_server_command(Path(folder), port), stdout=output, stderr=output)
        try:
            yield _wait_for(port)
        except TimeoutError as error:
            raise TimescaleUnavailable(f"the server did not start: {log.read_text()[-500:]}") from error
        finally:
            server.kill()
            server.wait()


def _server_command(folder: Path, port: int) -> list[str]:
    settings = " ".join(f"-c {setting}" for setting in (*SETTINGS, f"port={port}"))
    script = f"""
        set -e
        mkdir /mnt/data && chown postgres: /mnt /mnt/data && cd /mnt
        run() {{ setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }}
        export PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8
        run initdb --pgdata=/mnt/data --username=postgres --auth=trust --no-sync
        run postgres -D /mnt/data {settings}
    """
    return rootfs.command(folder, "sh", "-c", script)


def _wait_for(port: int) -> str:
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    wait_until(lambda: _answers(url), "TimescaleDB", timeout_s=60)
    return url


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
