"""``replay``: the very micro-degrees of an earlier way, one after the other.

A true way never repeats to a tenth of a metre, three marks in order; a recording of it does. Marks are chosen by what
they are (of moving fixes, those whose hash is divisible by ``every``), so the same way chooses the same marks again,
and an 8-bit print of each stands in a ring of sixteen, the oldest overwritten. Score: marks in a row that follow each
other as they do in the ring; threshold: three. By chance that is (16 · 2^-8) · 2^-16 a mark, some 20 marks a day.
``every`` is three at a fix a minute and as much more as fixes are denser: three quarters of an hour of moving are
remembered, and three marks take nine minutes on average. Ended by eight marks that do not follow.

Not found: what lay further back than the ring, a standstill, a replay with noise of its own (but see ``drag``).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.spoof_leg import Leg, Whole
from anomaly.spoof_sign import Opened, Sign, Trick
from schemas.judging import Columns, Rows, Table
from schemas.readings import Readings

MARKS: Final = 16
FOLLOWING: Final = 3
FIRST: Final = 2
"""The first mark that follows another: one alone may be anywhere."""
LOST: Final = 8
"""Marks that do not follow, half an hour's: then it is over."""
MOVED_M: Final = 20.0
"""Beyond the scatter of fixes at rest, whose marks would fill the ring."""
EVERY_S: Final = 180.0
"""One mark so often: 16 of them are three quarters of an hour of moving, three of them nine minutes on average."""


@dataclass(frozen=True, slots=True)
class Replay(Trick):
    """Watches for ways that come again."""

    following: int = FOLLOWING

    @property
    def onsets(self) -> dict[str, str]:
        """When the first mark came that follows another."""
        return {"replay": "again_s"}

    @property
    def columns(self) -> Columns:
        """The ring of prints, its next place, the last mark's, how many followed and since when, how many did not."""
        return {
            "marks": (f"V{MARKS}", 0),
            "head": (np.uint8, 0),
            "found": (np.uint8, MARKS),
            "again_s": (np.uint32, 0),
            "follows": (np.uint8, 0),
            "lost": (np.uint8, 0),
        }

    def judge(self, table: Table, rows: Rows, step: Readings, leg: Leg, opened: Opened) -> list[Sign]:
        """Look the marks of a step up and write them down."""
        mixed = _mixed(leg.lat, leg.lon)
        every = np.maximum(np.rint(EVERY_S / np.maximum(leg.lasted_s, 1.0)), 1.0).astype(np.uint64)
        chosen = (mixed >> np.uint64(16)) % every == 0
        places = np.flatnonzero(chosen & leg.made & leg.satellite & (leg.far_m > 0.0))
        at = rows[places]
        prints = _prints(mixed[places])
        ring = table["marks"].view(np.uint8).reshape(-1, MARKS)
        found, follows, lost = (table[name][at].astype(np.int64) for name in ("found", "follows", "lost"))
        expected = ring[at, (found + 1) % MARKS]
        next_one = (found < MARKS) & (expected == prints)
        anywhere = ring[at] == prints[:, None]
        known = anywhere.any(axis=1)
        found = np.where(next_one, (found + 1) % MARKS, np.where(known, anywhere.argmax(axis=1), MARKS))
        follows = np.where(next_one, np.minimum(follows + 1, 200), known.astype(np.int64))
        lost = np.where(next_one, 0, np.minimum(lost + 1, LOST))
        table["found"][at], table["follows"][at], table["lost"][at] = found, follows, lost

        begun = (follows == FIRST) & next_one & ~opened["replay"][places]
        table["again_s"][at[begun]] = leg.fix_s[places[begun]]
        moved = leg.far_m[places] > MOVED_M
        head = table["head"][at[moved]]
        ring[at[moved], head] = prints[moved]
        table["head"][at[moved]] = (head + 1) % MARKS

        rings, ends = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        rings[places] = next_one & (follows >= self.following)
        ends[places] = lost >= LOST

        def evidence(n: int) -> dict[str, object]:
            row = rows[n]
            return {
                "marks_in_order": int(table["follows"][row]),
                "threshold_marks": self.following,
                "marks_back": (int(table["head"][row]) - 1 - int(table["found"][row])) % MARKS,
                "every_fixes": int(every[n]),
            }

        return [Sign("replay", table["again_s"][rows], rings, ends, step.event_ms, evidence)]


def _mixed(lat: Whole, lon: Whole) -> NDArray[np.uint64]:
    """A place in micro-degrees as 64 bits without pattern (two rounds of splitmix64)."""
    bits = (lat.astype(np.uint64) << np.uint64(32)) ^ (lon.astype(np.uint64) & np.uint64(0xFFFFFFFF))
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(factor)
    return np.asarray(bits ^ (bits >> np.uint64(31)), np.uint64)


def _prints(mixed: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Eight bits of each, none 0: that is an empty slot."""
    return (mixed % np.uint64(255) + np.uint64(1)).astype(np.uint8)
