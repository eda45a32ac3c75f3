"""A real Mosquitto for the tests: the machine's own, or the one in the Debian root file system."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.services import rootfs
from tests.services.ports import answers, free_port, wait_until

SETTINGS = """
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_dest stderr
user {user}
"""


class MosquittoUnavailable(Exception):  # noqa: N818 - it is the reason of a skip
    """Why no Mosquitto can be had here."""


class Mosquitto:
    """A broker on a port of its own, which it keeps over restarts, as it keeps its sessions.

    ``stop`` lets it save its sessions first; ``kill`` does not, and what it held since its last save is gone.
    """

    host = "127.0.0.1"

    def __init__(self) -> None:
        self._root = _root()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="sh-mqtt-", dir=self._root / "tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        inside = Path("/") / self.folder.relative_to(self._root)
        user = "root" if os.geteuid() == 0 else "nobody"
        settings = SETTINGS.format(port=self.port, folder=inside, user=user)
        (self.folder / "mosquitto.conf").write_text(settings)
        self._command = [*_into(self._root), "mosquitto", "-c", str(inside / "mosquitto.conf")]

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=_environment())
        wait_until(lambda: answers(self.port), f"Mosquitto on port {self.port}", timeout_s=10)

    def stop(self) -> None:
        """End it in order; stopped already is fine."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(
        self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False, content_type: str = ""
    ) -> None:
        """Publish with ``mosquitto_pub``, a client that knows nothing of us; returns when it was acknowledged."""
        words = ["-h", self.host, "-p", str(self.port), "-V", "mqttv5", "-q", str(qos), "-t", topic, "-s"]
        words += ["-r"] if retain else []
        words += ["-D", "publish", "content-type", content_type] if content_type else []
        sent = payload.encode() if isinstance(payload, str) else payload
        command = [*_into(self._root), "mosquitto_pub", *words]
        subprocess.run(command, input=sent, check=True, timeout=20, env=_environment())

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=20)
        self._process = None


def _root() -> Path:
    if shutil.which("mosquitto", path=_environment()["PATH"]) and shutil.which("mosquitto_pub"):
        return Path("/")
    try:
        return rootfs.ensure()
    except rootfs.RootfsUnavailable as reason:
        message = f"neither mosquitto and mosquitto_pub on PATH nor a Debian root file system ({reason})"
        raise MosquittoUnavailable(message) from reason


def _into(root: Path) -> list[str]:
    return [] if root == Path("/") else ["chroot", str(root)]


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/usr/bin:/bin"}
