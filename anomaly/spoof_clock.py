"""``clock``: messages that count on while their times run through what was told already, as late as the one before.

Score: successive readings with a higher ``seq`` and an event time at least five minutes before the newest, each as old
on arrival as the last to within 15 s; threshold: three. A backlog is honest: it counts in the order it was recorded, or
fills a gap and comes faster than it was lived, so the delay shrinks from one reading to the next. Reboots are honest
(``seq`` survives them), and so is a clock that is off by a minute or two, or set right once. Judged and told by our
clock: the band's is the one that lies. Ended when a reading is newer than all before and half as late.
Not found: a clock put forward (refused at the door), one put back while the band was silent for as long.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anomaly.spoof_leg import MOST_LATE_S, Leg, lateness_s
from anomaly.spoof_sign import Opened, Sign, Trick
from schemas.judging import Columns, Rows, Table
from schemas.readings import Readings

BACK_S: Final = 300
"""Beyond what clocks of bands are off (minutes a year) or are set right by."""
STEADY_S: Final = 15
"""Transit varies by seconds; the delay of a backlog shrinks by an interval, 15 s at the fastest."""
HALF: Final = 1 << 15
"""Numbers are told from 16 bits: what lies less than half ahead is newer."""
READINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Clock(Trick):
    """Watches for time that is told twice."""

    readings: int = READINGS

    @property
    def onsets(self) -> dict[str, str]:
        """When the first such reading reached us."""
        return {"clock": "back_s"}

    @property
    def columns(self) -> Columns:
        """When times began to run back, how late they were (s), how many in a row."""
        return {
            "back_s": (np.uint32, 0),
            "back_late_s": (np.int16, 0),
            "back": (np.uint8, 0),
        }

    def judge(self, table: Table, rows: Rows, step: Readings, leg: Leg, opened: Opened) -> list[Sign]:  # noqa: ARG002
        """Count readings that tell the past again."""
        behind_s = table["told_s"][rows].astype(np.int64) - step.event_ms // 1000
        count, before_s = table["back"][rows].astype(np.int64), table["back_late_s"][rows].astype(np.int64)
        rings, ends = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        asked = np.flatnonzero((behind_s > BACK_S) | (count > 0))
        if not len(asked):
            return [Sign("clock", table["back_s"][rows], rings, ends, step.ingest_ms, lambda _: {})]
        ahead = (step.seq - table["seq"][rows].astype(np.int64)) & 0xFFFF
        late_s = lateness_s(step)
        again = (step.seq >= 0) & (ahead > 0) & (ahead < HALF) & (behind_s > BACK_S) & (late_s < MOST_LATE_S)
        steady = np.abs(late_s - before_s) <= STEADY_S
        right = (behind_s < 0) & (2 * late_s <= before_s)
        count = np.where(again, np.where(steady, np.minimum(count + 1, 200), 1), np.where(right, 0, count))
        begun = np.flatnonzero(again & (count == 1) & ~opened["clock"])
        table["back_s"][rows[begun]] = step.ingest_ms[begun] // 1000
        table["back"][rows] = count
        table["back_late_s"][rows] = np.where(again, late_s, before_s)
        rings, ends = again & (count >= self.readings), right

        def evidence(n: int) -> dict[str, object]:
            return {
                "behind_s": int(behind_s[n]),
                "threshold_s": BACK_S,
                "late_s": int(late_s[n]),
                "seq": int(step.seq[n]),
                "ahead_messages": int(ahead[n]),
                "readings": int(count[n]),
            }

        return [Sign("clock", table["back_s"][rows], rings, ends, step.ingest_ms, evidence)]
