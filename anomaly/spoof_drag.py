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

from anomaly.spoof_leg import SLOW_MPS, Leg
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
        """Add the leg to the sum, or begin anew."""
        east, north, longest = (
            table[name][rows].astype(np.float64) for name in ("pulled_east_m", "pulled_north_m", "longest_m")
        )
        legs, rides = table["legs"][rows].astype(np.int64), table["rides"][rows].astype(np.int64)
        told = ~np.isnan(leg.walked_m)
        rests = leg.sharp & leg.resting
        rode = rests & (leg.far_m > MOST_MPS * leg.lasted_s)
        adds = rests & ~rode
        share = np.clip(1.0 - np.nan_to_num(leg.walked_m) / np.maximum(leg.far_m, 1.0), 0.0, 1.0)
        left = np.where(rode, 0.0, np.where(leg.made, np.exp(-leg.lasted_s / FADES_S), 1.0))
        east = left * east + np.where(adds, share * leg.east_m, 0.0)
        north = left * north + np.where(adds, share * leg.north_m, 0.0)
        pulled = np.hypot(east, north)
        scattered = rode | (adds & (pulled <= leg.error_m))
        legs = np.where(scattered, 0, np.minimum(legs + adds, 200))
        longest = np.where(scattered, 0.0, np.maximum(left * longest, np.where(adds, share * leg.far_m, 0.0)))

        ride = rode & leg.standing & (leg.sure_m > RIDE_M) & ~leg.impossible & ~(leg.walked_m > STEPS_OF_REST)
        expired = leg.made & (rides > 0) & (leg.fix_s - table["drag_s"][rows] > RIDES_WITHIN_S)
        rides = np.where((leg.made & (leg.to_mps >= SLOW_MPS)) | expired, 0, rides)
        rides = np.minimum(rides + ride, 200)
        begun = np.flatnonzero((adds & (legs == 1) & (rides == 0) | ride & (rides == 1)) & ~opened["drag"])
        table["drag_s"][rows[begun]] = leg.fix_s[begun]
        names = ("pulled_east_m", "pulled_north_m", "longest_m", "legs", "rides")
        for name, value in zip(names, (east, north, longest, legs, rides), strict=True):
            table[name][rows] = value

        needed_m = self.scale * (LEAST_M + RADII * leg.error_m) * np.where(told, 1.0, UNTOLD)
        few = (legs >= FEW_LEGS) & (leg.lasted_s >= FEW_LEGS_S) & (longest <= MOST_OF_TWO * pulled)
        many = (legs >= LEGS) & (longest <= MOST_OF_MANY * pulled)
        dragged = adds & (pulled >= needed_m) & (few | many)
        rung = ride & (rides >= RIDES)

        def evidence(n: int) -> dict[str, object]:
            return {
                "pulled_m": round(float(pulled[n])),
                "threshold_m": round(float(needed_m[n])),
                "legs": int(legs[n]),
                "longest_m": round(float(longest[n])),
                "rides_at_rest": int(rides[n]),
                "speed_mps": rounded(leg.to_mps[n]),
                "steps": rounded(leg.walked_m[n]),
                "error_m": rounded(leg.error_m[n]),
            }

        over = leg.made & (pulled < needed_m / 2.0) & (rides == 0)
        return [Sign("drag", table["drag_s"][rows], dragged | rung, over, step.event_ms, evidence)]
