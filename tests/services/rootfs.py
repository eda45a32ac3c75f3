"""A Debian 13 root file system with TimescaleDB and Mosquitto in it, made once and kept in the user's cache."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("postgresql-17-timescaledb", "mosquitto", "mosquitto-clients")


class RootfsUnavailable(Exception):  # noqa: N818 - it is the reason of a skip
    """Why no root file system can be had here."""


def path() -> Path:
    """Where the root file system stands, once made."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "shouhuan" / "trixie"


def obstacle() -> str | None:
    """What keeps this machine from using or making the root file system, or None."""
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("unshare") is None:
        return "no unshare (util-linux)"
    if not path().exists() and shutil.which("mmdebstrap") is None:
        return "no mmdebstrap; as root: python -m tests.services install"
    return None


def ensure() -> Path:
    """The root file system, made now if it is not there; raises ``RootfsUnavailable`` saying why not."""
    reason = obstacle()
    if reason is not None:
        raise RootfsUnavailable(reason)
    return path() if path().exists() else _make(path())


def command(share: Path, *words: str) -> list[str]:
    """A command line that runs inside the root file system and sees the folder ``share`` as ``/mnt``.

    Mounts, processes and shared memory live in namespaces of their own: when the first process
    dies nothing is left mounted and nothing left running, whatever became of the test run.
    """
    inside = """
        mount --bind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/dev/shm" && mount -t proc proc "$0/proc" &&
        mount --bind "$1" "$0/mnt" && shift && exec chroot "$0" "$@"
    """
    namespaces = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child"]
    return [*namespaces, "sh", "-c", inside, str(path()), str(share), *words]


def _make(target: Path) -> Path:
    """Build under a temporary name, then rename: whoever finds the name finds the whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    scratch.chmod(0o755)
    debootstrap = ["mmdebstrap", "--variant=essential", f"--include={','.join(PACKAGES)}", "trixie", str(scratch)]
    made = subprocess.run(debootstrap, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(scratch, ignore_errors=True)
        raise RootfsUnavailable(f"mmdebstrap failed: {made.stderr.strip()[-500:]}")
    try:
        scratch.rename(target)
    except OSError:
        # Somebody else was faster; theirs is as good.
        shutil.rmtree(scratch, ignore_errors=True)
    return target
