"""``drag``: fixes that move while the receiver's own speed and the wearer's steps say that nobody does.

A false signal that is pulled off slowly leaves Doppler and body behind. Score: the sum of the legs that begin and end
at rest (below 0.5 m/s), each less a metre a step, fading over twenty minutes; threshold: 150 m and three radii, in
three legs or more of which none is half of the sum (two of equal length, where fixes are rare). Noise at rest
telescopes: its sum stays within a radius or two. A leg over 3 m/s is a ride that two halts frame, and starts the sum
anew; three of those in half an hour without a moving fix between (legs of 300 m, no steps) are a ride that only the
fixes make. Who tells no steps must be pulled half as far again. Ended when the sum has faded to half the threshold.

Not found: a drag under a wearer who rides: at a fix a minute a cyclist's legs differ from the speeds at their ends by
1.7 m/s (nine rides, FIT), which is as much as the drag.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anomaly.spoof_leg import SLOW_MPS, Flags, Floats, Leg, Whole
from anomaly.spoof_sign import Opened, Sign, Trick, rounded
from schemas.judging import Columns, Rows, Table
from schemas.readings import Readings

FADES_S: Final = 1_200.0
"""A tug of 0.5 m/s makes 250 m in ten minutes of it; what wanders for hours does not add up."""
LEAST_M: Final = 150.0
RADII: Final = 3.0
MOST_MPS: Final = 3.0
"""Faster is no drag but a ride: the slowest thing that carries people is faster than a walker."""
LEGS: Final = 3
FEW_LEGS: Final = 2
FEW_LEGS_S: Final = 100.0
"""Legs so long show their rate well: two will do."""
RIDE_M: Final = 300.0
"""A leg from rest to rest that only a vehicle makes."""
RIDES: Final = 3
RIDES_WITHIN_S: Final = 1_800.0
STEPS_OF_REST: Final = 10.0
UNTOLD: Final = 1.5
"""Times the distance, where no steps are known: the speeds alone may have been those of halts."""
MOST_OF_TWO: Final = 0.6
MOST_OF_MANY: Final = 0.5
"""No leg is more of the sum than this: a drag is steady, a way between two rests is one leg."""


@dataclass(frozen=True, slots=True)
class Drag(Trick):
    """Watches for motion that nothing else shows."""

    scale: float = 1.0

    @property
    def onsets(self) -> dict[str, str]:
        """When the first leg was made that adds to the sum."""
        return {"drag": "drag_s"}

    @property
    def columns(self) -> Columns:
        """The sum, its longest leg, since when, its legs, and rides without a moving fix."""
        return {
            "pulled_east_m": (np.float16, 0),
            "pulled_north_m": (np.float16, 0),
            "longest_m": (np.float16, 0),
            "drag_s": (np.uint32, 0),
            "legs": (np.uint8, 0),
            "rides": (np.uint8, 0),
        }

    def judge(self, table: Table, rows: Rows, step: Readings, leg: Leg, opened: Opened) -> list[Sign]:
        """Add the legs at rest to their sums, or begin anew; let rides be forgotten."""
        asked = np.flatnonzero(leg.made & (leg.resting | (table["rides"][rows] > 0) | opened["drag"]))
        at, leg = rows[asked], leg.take(asked)
        rests = leg.sharp & leg.resting
        rode = rests & (leg.far_m > MOST_MPS * leg.lasted_s)
        pulled, longest, legs = _added(table, at, leg, adds=rests & ~rode, anew=rode)
        rides = _ridden(table, at, leg, rode)
        first = (rests & (legs == 1) & (rides == 0)) | (rode & (rides == 1))
        begun = np.flatnonzero(first & ~opened["drag"][asked])
        table["drag_s"][at[begun]] = leg.fix_s[begun]

        needed_m = self.scale * (LEAST_M + RADII * leg.error_m) * np.where(np.isnan(leg.walked_m), UNTOLD, 1.0)
        few = (legs >= FEW_LEGS) & (leg.lasted_s >= FEW_LEGS_S) & (longest <= MOST_OF_TWO * pulled)
        many = (legs >= LEGS) & (longest <= MOST_OF_MANY * pulled)
        rings, ends = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        rings[asked] = (rests & ~rode & (pulled >= needed_m) & (few | many)) | (rode & (rides >= RIDES))
        ends[asked] = (pulled < needed_m / 2.0) & (rides == 0)

        def evidence(n: int) -> dict[str, object]:
            k = int(np.searchsorted(asked, n))
            return {
                "pulled_m": round(float(pulled[k])),
                "threshold_m": round(float(needed_m[k])),
                "legs": int(legs[k]),
                "longest_m": round(float(longest[k])),
                "rides_at_rest": int(rides[k]),
                "speed_mps": rounded(leg.to_mps[k]),
                "steps": rounded(leg.walked_m[k]),
                "error_m": rounded(leg.error_m[k]),
            }

        return [Sign("drag", table["drag_s"][rows], rings, ends, step.event_ms, evidence)]


def _added(table: Table, at: Rows, leg: Leg, *, adds: Flags, anew: Flags) -> tuple[Floats, Floats, Whole]:
    """The length of each sum, its longest leg and its legs, after this one."""
    names = ("pulled_east_m", "pulled_north_m", "longest_m")
    east, north, longest = (table[name][at].astype(np.float64) for name in names)
    own = np.where(adds, np.clip(1.0 - np.nan_to_num(leg.walked_m) / np.maximum(leg.far_m, 1.0), 0.0, 1.0), 0.0)
    left = np.where(anew, 0.0, FADES_S / (FADES_S + leg.lasted_s))
    east, north = left * east + own * leg.east_m, left * north + own * leg.north_m
    pulled = np.hypot(east, north)
    scattered = anew | (adds & (pulled <= leg.error_m))
    longest = np.where(scattered, 0.0, np.maximum(left * longest, own * leg.far_m))
    legs = np.where(scattered, 0, np.minimum(table["legs"][at].astype(np.int64) + adds, 200))
    for name, value in zip((*names, "legs"), (east, north, longest, legs), strict=True):
        table[name][at] = value
    return pulled, longest, legs


def _ridden(table: Table, at: Rows, leg: Leg, rode: Flags) -> Whole:
    """How many rides from rest to rest there have been since the last moving fix."""
    before = table["rides"][at].astype(np.int64)
    over = (leg.to_mps >= SLOW_MPS) | (leg.fix_s - table["drag_s"][at] > RIDES_WITHIN_S)
    far = leg.standing & (leg.sure_m > RIDE_M) & ~leg.impossible & (leg.walked_m <= STEPS_OF_REST)
    rides = np.minimum(np.where(over, 0, before) + (rode & far), 200)
    table["rides"][at] = rides
    return np.asarray(rides)
