"""``device.no_fix``: messages come, but no position, for longer than the way it was lost and the place explain.

Two clocks a band, in event time and only while it reports: ``blind`` since the last fix of any source, ``vague``
since the last within a kilometre; a repeated fix older than five minutes is none. How long blindness may last
depends on how it began. A receiver that goes indoors descends a ladder: satellites, Wi-Fi, cell, nothing; who was
on its last rung has a room for an explanation, and gets two and a half hours. Who had sharp fixes in a row and from
one reading to the next has nothing is in a tunnel or is jammed, shielded or broken, and no tunnel lasts half an
hour. Vague fixes alone (an antenna lost, the cell still heard) get six hours. Where gaps are usual at this place
and half of the day (``anomaly.places``), they may last as long as they usually do.

Evidence says which of these it was. Not told apart: jammer, foil and broken antenna; without a fix a band tells
neither satellites nor hdop. What no message tells is ``device.silence``. Cost: about 0.1 µs a reading; 21 bytes a
wearer.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET_COLUMN, end_all, end_where, number, open_where
from anomaly.places import NOWHERE, PLACE_COLUMNS, Floats, cell_of, learn, see, settle, slot_of, usual_s
from schemas.alerts import AlertCode
from schemas.judging import Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

Flags = NDArray[np.bool_]

_STALE_S: Final = 300.0
"""A fix older than this when it was told is a repetition (operators see a gap dotted after five minutes, MoJ)."""
_SHARP_M: Final = 200.0
"""Satellites and Wi-Fi are sharper; what is vaguer comes from a cell (30 m indoors by NIJ 1004.00, with room)."""
_VAGUE_M: Final = 1_000.0
"""A circle of a kilometre is a district, not a place."""
_AT_ONCE_S: Final = 1_800.0
"""The longest road tunnels (some 20 km) take 15 to 20 minutes at the speeds allowed in them."""
_FADED_S: Final = 9_000.0
"""The stretch between two breaks of a shift in a basement or underground, with room."""
_IN_A_ROW: Final = 3
"""Sharp fixes without a gap after which their loss is no fading: indoors the rungs of the ladder flicker."""
_VAGUE_S: Final = 21_600.0
"""Half a shift and a meal; a wearer who stays in the cell's circle is not lost."""
_TELLS_S: Final = 600.0
"""One reading speaks for no more time than this: what a silent band's receiver saw, nobody knows."""
_LEARNS_S: Final = 600.0
"""Shorter gaps need no explanation."""
_HALF_DAY_S: Final = 43_200
"""Halves of a UTC day are 08–20 h and 20–08 h in China: a hall is manned by day, and locked by night. What is usual
is learned for each half, and apart for what is lost at once (a tunnel's mouth) and what fades (a cellar)."""
_MOST: Final = 65_535.0


@dataclass(frozen=True, slots=True)
class NoFix(Detector):
    """Rings when a band has been blind or vague for too long; a fresh fix within a kilometre ends it.

    Nobody is expected to be seen more often than to be heard: ``silence_after_ms`` (one a row) is the least allowance.

    >>> no_fix = NoFix(np.array([1]), np.array([600_000]))
    >>> table = Table.new(no_fix.keys, no_fix.columns)
    >>> for minute in range(5, 60, 5):
    ...     lat = 26.58 if minute <= 15 else float("nan")
    ...     step = Readings.of(device=[1], event_ms=[60_000 * minute], lat=[lat], lon=[lat], accuracy_m=[8.0])
    ...     for verdict in no_fix.judge(table, np.array([0]), step):
    ...         print(minute, verdict.transition.value, verdict.onset_ms, verdict.evidence["lost"])
    45 opened 900000 at_once
    """

    keys: NDArray[np.int64] = field()
    silence_after_ms: Times
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.DEVICE_NO_FIX.value

    @property
    def columns(self) -> Columns:
        """When it last reported, for how long it is blind and vague (s), its last sharp fixes in a row, their cell."""
        return {
            "told_s": (np.uint32, 0),
            "blind_s": (np.uint16, 0),
            "vague_s": (np.uint16, 0),
            "sharp": (np.uint8, 0),
            "cell": (np.uint32, NOWHERE),
            **ONSET_COLUMN,
            **PLACE_COLUMNS,
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Run both clocks up to each reading, or set them back where it has a fix; then compare."""
        fresh = step.has_fix & ~(step.age_s > _STALE_S)
        placed = fresh & ~(step.accuracy_m > _VAGUE_M)
        blind_s, vague_s = self._clocks(table, rows, step)
        half = step.event_ms // 1000 // _HALF_DAY_S % 2
        part = 2 * half + _at_once(table, rows)
        allowed_s = self._allowed_s(table, rows, part, ~fresh & (blind_s > _LEARNS_S))
        verdicts = self._ring(table, rows, step, (~fresh, ~placed), (blind_s, vague_s), allowed_s)
        verdicts += end_where(
            table,
            AlertCode.DEVICE_NO_FIX,
            rows,
            condition=placed,
            at_ms=step.event_ms,
            evidence=lambda n: {"blind_s": int(blind_s[n]), "accuracy_m": number(step.accuracy_m[n])},
        )
        self._learn(table, rows, fresh & (blind_s >= _LEARNS_S), blind_s, part)
        self._note(table, rows, step, fresh, placed, (blind_s, vague_s), half)
        return verdicts

    def tick(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:  # noqa: ARG002 - its clocks run with readings
        """Believe what was learned of places."""
        settle(table)
        return []

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.DEVICE_NO_FIX, gone, now_ms)

    def _clocks(self, table: Table, rows: Rows, step: Readings) -> tuple[Floats, Floats]:
        """Seconds blind and vague up to each reading, as if it had no fix."""
        told_s = table["told_s"][rows]
        passed_s = np.minimum(step.event_ms // 1000 - told_s, _TELLS_S)
        passed_s = np.where(told_s > 0, passed_s, 0.0).astype(np.float32)
        return (
            np.minimum(table["blind_s"][rows] + passed_s, np.float32(_MOST)),
            np.minimum(table["vague_s"][rows] + passed_s, np.float32(_MOST)),
        )

    def _allowed_s(self, table: Table, rows: Rows, part: Times, asked: Flags) -> Floats:
        """How long each may be blind; what the place explains is looked up only for who has been for a while."""
        allowed_s = np.where(_at_once(table, rows), _AT_ONCE_S, _FADED_S)
        at = np.flatnonzero(asked)
        usually_s = usual_s(table, slot_of(table["cell"][rows[at]], part[at]))
        allowed_s[at] = np.maximum(allowed_s[at], usually_s)
        plan_s = self.silence_after_ms[rows] / 1000.0
        return np.maximum(allowed_s, plan_s).astype(np.float32) * np.float32(self.thresholds.no_fix_scale)

    def _ring(
        self,
        table: Table,
        rows: Rows,
        step: Readings,
        lacking: tuple[Flags, Flags],
        clocks_s: tuple[Floats, Floats],
        allowed_s: Floats,
    ) -> list[Verdict]:
        blind_s, vague_s = clocks_s
        vague_allowed_s = np.maximum(allowed_s, np.float32(_VAGUE_S * self.thresholds.no_fix_scale))
        at_once = _at_once(table, rows)
        too_blind, too_vague = lacking[0] & (blind_s >= allowed_s), lacking[1] & (vague_s >= vague_allowed_s)

        def evidence(n: int) -> dict[str, object]:
            lost = "vague" if not too_blind[n] else "at_once" if at_once[n] else "faded"
            return {
                "lost": lost,
                "without_s": int(vague_s[n] if lost == "vague" else blind_s[n]),
                "threshold_s": int(vague_allowed_s[n] if lost == "vague" else allowed_s[n]),
                "accuracy_m": number(step.accuracy_m[n]),
                "rssi_dbm": number(step.rssi_dbm[n]),
                "steps": number(step.steps[n]),
            }

        since_s = np.where(too_blind, blind_s, vague_s)
        return open_where(
            table,
            AlertCode.DEVICE_NO_FIX,
            rows,
            condition=too_blind | too_vague,
            onset_ms=step.event_ms - since_s.astype(np.int64) * 1000,
            at_ms=step.event_ms,
            evidence=evidence,
        )

    def _learn(self, table: Table, rows: Rows, over: Flags, blind_s: Floats, part: Times) -> None:
        at = np.flatnonzero(over)
        if len(at):
            learn(table, table["cell"][rows[at]], blind_s[at], part[at])

    def _note(
        self,
        table: Table,
        rows: Rows,
        step: Readings,
        fresh: Flags,
        placed: Flags,
        clocks_s: tuple[Floats, Floats],
        half: Times,
    ) -> None:
        unbroken = table["blind_s"][rows] == 0
        table["told_s"][rows] = step.event_ms // 1000
        table["blind_s"][rows] = np.where(fresh, 0.0, clocks_s[0])
        table["vague_s"][rows] = np.where(placed, 0.0, clocks_s[1])
        at = np.flatnonzero(fresh)
        cells = cell_of(step.lat[at], step.lon[at])
        table["cell"][rows[at]] = cells
        sharp = ~(step.accuracy_m[at] > _SHARP_M)
        before = np.where(unbroken[at], table["sharp"][rows[at]], 0)
        table["sharp"][rows[at]] = np.where(sharp, np.minimum(before + 1, _IN_A_ROW), 0)
        see(table, slot_of(cells, 2 * half[at] + _at_once(table, rows[at])))


def _at_once(table: Table, rows: Rows) -> Flags:
    """Whose fixes were sharp to the last."""
    return np.asarray(table["sharp"][rows] >= _IN_A_ROW)
