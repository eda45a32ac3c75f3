"""Our own processes as a user starts them, for tests that must see them die and come back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 30.0


class Running:
    """One ``shouhuan`` subcommand; ``kill`` is ``kill -9``."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "shouhuan", *command]
        self._environment = {**os.environ, **environment}
        self.log = log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Running]:
    process = Running(command, environment, log)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.kill()
