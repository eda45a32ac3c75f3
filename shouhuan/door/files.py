"""Writing what the door is made of: whole or not at all, and secrets readable by their owner only."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

SECRET: Final = 0o600
PUBLIC: Final = 0o644


class DoorError(Exception):
    """What cannot be provisioned, and what to do; names files and accounts, never a secret."""


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, its folder made for the owner only; no reader ever sees half of it.

    Written by root it belongs to its folder's owner: a broker that has given up root reads it again at a hang-up.
    Raises ``DoorError`` where the folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp opens with mode 0600: a secret is never readable, not even before its mode is set.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as new:
            new.write(content)
            os.fchmod(descriptor, mode)
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
        Path(name).replace(path)
    except OSError as error:
        raise DoorError(f"{path} cannot be written: {error.strerror}") from error


def make_folder(path: Path, owner: str) -> None:
    """A folder for its owner only, given to ``owner`` where we may and there is such a user; one that exists is kept.

    Raises ``DoorError`` where it cannot be made.
    """
    if path.exists():
        return
    try:
        path.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            shutil.chown(path, owner)
    except LookupError:
        return
    except OSError as error:
        raise DoorError(f"{path} cannot be made: {error.strerror}") from error


def read(path: Path, cure: str) -> bytes:
    """A file's bytes; raises ``DoorError`` that says what is missing and ``cure``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DoorError(f"{path} cannot be read ({error.strerror}): {cure}") from error
