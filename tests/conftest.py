"""Fixtures for all tests, by theme, and the last words of a run that had to leave something out."""

import atexit
import os
import shutil
import tempfile

import pytest

from tests.services.missing import MISSING

pytest_plugins = ["tests.fix_database", "tests.fix_broker"]

if "XDG_RUNTIME_DIR" not in os.environ:
    # The embedded database looks for it when imported, and warns (an error here) unless it is private.
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="sh-run-")
    os.mkdir(os.path.join(os.environ["XDG_RUNTIME_DIR"], "python_PostgresServer"))  # or it locks a file that all users share
    atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for service, reason in config.stash.get(MISSING, {}).items():
        terminalreporter.write_line(f"NOT TESTED against {service}: {reason}", yellow=True, bold=True)
