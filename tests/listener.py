"""A stranger who listens: ``mosquitto_sub``, which knows nothing of us."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services import mosquitto as program
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

_HELLO = "wb/v1/listener/hello/status"


class Listener:
    """What was said on a topic, in order."""

    def __init__(self, out: Path) -> None:
        self._out = out

    @property
    def lines(self) -> list[str]:
        return self._out.read_text().splitlines()

    @property
    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines if line != "hello"]


@contextmanager
def listening(broker: Mosquitto, topic: str) -> Iterator[Listener]:
    """Subscribed when it begins: a greeting of our own has come through."""
    command = [*program._into(broker._root), "mosquitto_sub", "-h", broker.host, "-p", str(broker.port)]
    with tempfile.NamedTemporaryFile() as out:
        words = ["-q", "1", "-t", _HELLO, "-t", topic]
        with subprocess.Popen([*command, *words], stdout=out, env=program._environment()) as process:
            listener = Listener(Path(out.name))
            wait_until(lambda: broker.publish(_HELLO, "hello") or "hello" in listener.lines, "the listener")
            try:
                yield listener
            finally:
                process.terminate()
