"""Fixtures for all tests, by theme, and the last words of a run that had to leave something out."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.services.missing import MISSING

collect_ignore = ["fuzz/target.py"]
"""A program of `make fuzz`, which brings the fuzzer."""

pytest_plugins = ["tests.fix_database", "tests.fix_broker", "tests.fix_browser"]

if "XDG_RUNTIME_DIR" not in os.environ:
    # The embedded database looks for it when imported, and warns (an error here) unless it is private.
    _runtime = Path(tempfile.mkdtemp(prefix="sh-run-"))
    # Without this folder it locks a file that all users of the machine share.
    (_runtime / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(_runtime)
    atexit.register(shutil.rmtree, _runtime, ignore_errors=True)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command run within a test points logs at a stream that is closed when the test ends."""
    yield
    structlog.reset_defaults()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for service, reason in config.stash.get(MISSING, {}).items():
        terminalreporter.write_line(f"NOT TESTED against {service}: {reason}", yellow=True, bold=True)
