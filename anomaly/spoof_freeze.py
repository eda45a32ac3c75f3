"""``freeze``: one new satellite fix after the other at the same micro-degree while the rest of it, or the body, moves.

Score: successive new fixes with the very coordinates of the one before, each contradicted by a speed, a height that
changed, a walker's steps, or the receiver's habit (its last ten fixes at rest all lay apart); threshold: two
contradicted repeats, so the third frozen fix rings. Without contradiction equal coordinates are honest: receivers hold
their place at rest. Of nine rides and runs (FIT) three hold it for up to 31 s, at a speed of exactly 0 and a
barometer's height within 1 m. A fix that is only repeated is none: see ``age_s``. Ended by the first fix elsewhere.
Not found: one who sits, with a receiver that holds its place, and a sender that holds speed and height.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from anomaly.spoof_leg import ERRORS, Leg
from anomaly.spoof_sign import Opened, Sign, Trick, rounded
from schemas.judging import Columns, Rows, Table
from schemas.readings import Readings

REPEATS: Final = 2
MOVES_MPS: Final = 0.6
"""A speed that moves a fix in any interval; the one held place with a speed had 0.54 m/s (FIT)."""
CLIMB_M: Final = 4.0
"""Four times what a barometer wanders while a bicycle waits, and above what a float16 loses below 4 km."""
SCATTERS: Final = 10
"""Fixes at rest that lay apart since the last that was held: such a receiver holds nothing."""
SETTLED_S: Final = 30.0
"""So long after the last fix a resting receiver would hold: of what it does within seconds nothing follows."""
STEPS_A_MINUTE: Final = 50.0
"""Walking; less may be housework on the spot."""


@dataclass(frozen=True, slots=True)
class Freeze(Trick):
    """Watches for places held against what else is known."""

    repeats: int = REPEATS

    @property
    def onsets(self) -> dict[str, str]:
        """When the first fix came that repeats another."""
        return {"freeze": "held_s"}

    @property
    def columns(self) -> Columns:
        """Since when the place is held, the contradicted repeats, and legs at rest that scattered."""
        return {"held_s": (np.uint32, 0), "held": (np.uint8, 0), "scatters": (np.uint8, 0)}

    def judge(self, table: Table, rows: Rows, step: Readings, leg: Leg, opened: Opened) -> list[Sign]:  # noqa: ARG002
        """Count contradicted repeats."""
        held = leg.made & leg.satellite & (leg.far_m == 0.0)
        elsewhere = leg.made & (leg.far_m > 0.0)
        pace = leg.walked_m / np.maximum(leg.lasted_s, 1.0) * 60.0
        scatters = table["scatters"][rows].astype(np.int64)
        never_holds = (scatters >= SCATTERS) & (leg.lasted_s >= SETTLED_S)
        moving = (leg.to_mps > MOVES_MPS) | (leg.climb_m > CLIMB_M) | (pace >= STEPS_A_MINUTE)
        against = held & (moving | never_holds)
        settled = leg.sharp & leg.resting & (leg.lasted_s >= SETTLED_S) & (leg.far_m <= ERRORS * leg.error_m)
        rests = elsewhere & settled
        scatters = np.where(held & ~against, 0, np.minimum(scatters + rests, SCATTERS))
        table["scatters"][rows] = scatters
        repeats = np.where(elsewhere, 0, np.minimum(table["held"][rows].astype(np.int64) + against, 200))
        begun = np.flatnonzero(against & (repeats == 1))
        table["held_s"][rows[begun]] = leg.fix_s[begun]
        table["held"][rows] = repeats

        def evidence(n: int) -> dict[str, object]:
            return {
                "repeats": int(repeats[n]),
                "threshold_repeats": self.repeats,
                "speed_mps": rounded(leg.to_mps[n]),
                "scatters_at_rest": bool(never_holds[n]),
                "climb_m": rounded(leg.climb_m[n]),
                "steps_per_min": rounded(pace[n]),
                "held_s": int(leg.fix_s[n] - table["held_s"][rows[n]]),
            }

        return [
            Sign(
                "freeze", table["held_s"][rows], against & (repeats >= self.repeats), elsewhere, step.event_ms, evidence
            )
        ]
