"""``jump`` and ``clone``: a leg that nobody can have travelled, and then a stay; or there, back and there again.

Score of a jump: new satellite fixes that agree with the far place after an impossible leg; threshold: two, so the third
fix there rings. Raw fixes imply over 100 m/s 0.3 times a day in honest tracks and spike over 500 m and return 0.07
times (GeoLife, DETECTION 2b), so a leg alone is nothing: one that goes back to where the first began ends the matter.
Score of a clone: impossible legs between the same two places; threshold: three (there, back, there), no more than ten
agreeing fixes apart; a message number used already by a message that had reached us before counts for two.
A fix that is also displaced upwards, more steeply than any slope, is a broken one and no place. Ended by the leg back,
by a fix near the place left, or for a jump after twelve hours: then that is where the wearer is.

Evidence: the last leg, how far one could have come, how far the place left is. Not found: a jump shorter than a fast
ride of the same time (2 km in a minute for one who drives already, 7 km of a five-minute interval for one who stood).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anomaly.spoof_leg import ERRORS, NEAR_M, Leg
from anomaly.spoof_sign import Opened, Sign, Trick, rounded
from schemas.judging import Columns, Rows, Table
from schemas.readings import Readings

STAYS: Final = 2
"""Agreeing fixes after the leg: reflections hold a false place for one fix or two, not three."""
RETURNED: Final = 2
RETURNS: Final = 3
"""There, back, there: a spike makes two such legs."""
CALM: Final = 10
"""Agreeing fixes after which what went back and forth has come to rest."""
STEEPEST: Final = 0.3
"""Height over way of a leg of kilometres: no road is half as steep."""
FORGET_S: Final = 12 * 3600


@dataclass(frozen=True, slots=True)
class Hop(Trick):
    """Watches for impossible legs."""

    stays: int = STAYS

    @property
    def onsets(self) -> dict[str, str]:
        """Both begin with the first impossible leg."""
        return {"jump": "left_s", "clone": "left_s"}

    @property
    def columns(self) -> Columns:
        """How many impossible legs, and agreeing fixes since the last; the place left is the common table's."""
        return {
            "hops": (np.uint8, 0),
            "calm": (np.uint8, 0),
        }

    def judge(self, table: Table, rows: Rows, step: Readings, leg: Leg, opened: Opened) -> list[Sign]:
        """Count legs and stays."""
        hops, calm = table["hops"][rows].astype(np.int64), table["calm"][rows].astype(np.int64)
        leap = leg.impossible & ~(leg.climb_m > STEEPEST * leg.far_m)
        away = hops > 0
        back = leg.back & away
        # What was dragged, frozen or played back snaps to where the wearer is: the end of a trick, not another.
        returning = opened["freeze"] | opened["drag"] | opened["replay"]
        first = leap & ~back & leg.satellite & ~returning
        agrees = leg.made & leg.satellite & ~leg.impossible
        home = leg.made & ~leg.impossible & (hops == 1) & (leg.left_m - ERRORS * leg.error_m <= NEAR_M)
        forgotten = leg.made & away & (leg.fix_s - table["left_s"][rows] > FORGET_S)

        calm = np.where(first | back, 0, np.minimum(calm + agrees, CALM))
        hops = np.where(first, 1, np.minimum(hops + back, 200)) + np.where((first | back) & leg.reused, RETURNS - 1, 0)
        over = home | forgotten | ((hops >= RETURNED) & (calm >= CALM))
        hops = np.where(over, 0, hops)
        onset_s = table["left_s"][rows]
        moved = np.flatnonzero(first | back)
        table["left_lat"][rows[moved]] = table["lat"][rows[moved]]
        table["left_lon"][rows[moved]] = table["lon"][rows[moved]]
        table["left_lat"][rows[over]] = table["left_lon"][rows[over]] = 0
        begun = np.flatnonzero(first & ~opened["clone"])
        table["left_s"][rows[begun]] = leg.fix_s[begun]
        table["hops"][rows], table["calm"][rows] = hops, calm

        def evidence(n: int) -> dict[str, object]:
            return {
                "leg_m": round(float(leg.far_m[n])),
                "leg_s": round(float(leg.lasted_s[n])),
                "reach_m": rounded(leg.reach_m[n], 0),
                "from_left_m": rounded(leg.left_m[n], 0),
                "error_m": rounded(leg.error_m[n]),
                "legs": int(hops[n]),
                "stayed_fixes": int(calm[n]) + 1,
                "number_reused": bool(leg.reused[n]),
            }

        ended_s, begun_s = onset_s, table["left_s"][rows]
        jumped = (hops == 1) & agrees & (calm >= self.stays) & ~opened["clone"]
        cloned = (first | back) & (hops >= RETURNS)
        return [
            Sign("jump", np.where(jumped, begun_s, ended_s), jumped, first | (hops != 1), step.event_ms, evidence),
            Sign("clone", np.where(cloned, begun_s, ended_s), cloned, hops < RETURNED, step.event_ms, evidence),
        ]
