"""A few child processes kept alive: what dies is started again, and all end together."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

_log: Final = structlog.get_logger(__name__)
_PATIENCE_S: Final = 15.0


@dataclass
class Child:
    """One ``python -m …`` with a log file; ``restarts`` counts how often it had to be started again."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str]
    log: Path
    once: bool = False
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C is the parent's to handle."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *self.arguments],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def revive(self) -> None:
        """Start it again if it has died and is not meant to end by itself."""
        if self.once or self.process is None or self.process.poll() is None:
            return
        self.restarts += 1
        _log.warning("restarting", process=self.name, exit_code=self.process.returncode, log=str(self.log))
        self.start()

    def stop(self) -> None:
        """Ask it to end, and make it end if it does not."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            _log.warning("killing", process=self.name, log=str(self.log))
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def ended(self) -> bool:
        """Whether it has run and ended by itself."""
        return self.process is not None and self.process.poll() is not None
