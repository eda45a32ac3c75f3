"""A Mosquitto of the benchmark's own, with no bound on what waits, and waiting itself."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

_SETTINGS: Final = """
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
"""


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """The port of a broker that answers; its settings lie in ``folder``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = folder / "mosquitto.conf"
    settings.write_text(_SETTINGS.format(port=port), encoding="utf-8")
    broker = subprocess.Popen(["mosquitto", "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port))
        yield port
    finally:
        broker.terminate()
        broker.wait(10)


def until(condition: Callable[[], bool], patience_s: float = 60.0, look_every_s: float = 0.001) -> None:
    """Wait for a condition; ``TimeoutError`` when patience ends."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the benchmark waited in vain")
        time.sleep(look_every_s)


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
