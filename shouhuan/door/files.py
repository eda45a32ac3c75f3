"""Writing what the door is made of: whole or not at all, and secrets readable by their owner only."""

import os
import tempfile
from pathlib import Path
from typing import Final

SECRET: Final = 0o600
PUBLIC: Final = 0o644


class DoorError(Exception):
    """What cannot be provisioned, and what to do; names files and accounts, never a secret."""


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, its folder made for the owner only; no reader ever sees half of it.

    Raises ``DoorError`` where the folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp opens with mode 0600: a secret is never readable, not even before its mode is set.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as new:
            new.write(content)
            os.fchmod(descriptor, mode)
        Path(name).replace(path)
    except OSError as error:
        raise DoorError(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path, cure: str) -> bytes:
    """A file's bytes; raises ``DoorError`` that says what is missing and ``cure``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DoorError(f"{path} cannot be read ({error.strerror}): {cure}") from error
