"""Message numbers that survive a restart, even one that came without warning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

RESERVE: Final = 1_000
_STATE: Final = msgspec.json.Decoder(dict[str, int])


class Sequences:
    """Each band's next ``seq``, from 0; with a path they go on where the last run stopped.

    The file always lies ahead of what was sent: after a crash numbers are skipped, never used twice.

    >>> seqs = Sequences(["band-1"], None)
    >>> seqs.use(0, 0)
    >>> seqs.next
    [1]
    """

    def __init__(self, devices: Sequence[str], path: Path | None) -> None:
        self._devices = devices
        self._path = path
        self._known = _STATE.decode(path.read_bytes()) if path is not None and path.exists() else {}
        self.next = [self._known.get(device, 0) for device in devices]
        self._reserved: list[int] = []
        self._save(RESERVE)

    def use(self, row: int, seq: int) -> None:
        """A band's number is about to be used; one sent again changes nothing."""
        self.next[row] = max(self.next[row], seq + 1)
        if self.next[row] > self._reserved[row]:
            self._save(RESERVE)

    def close(self) -> None:
        """Give back what was reserved and not used."""
        self._save(0)

    def _save(self, ahead: int) -> None:
        self._reserved = [seq + ahead for seq in self.next]
        if self._path is None:
            return
        self._known |= dict(zip(self._devices, self._reserved, strict=True))
        # A half-written file must never stand where the numbers are read from.
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_bytes(msgspec.json.encode(self._known))
        beside.replace(self._path)
