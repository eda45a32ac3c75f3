"""What can happen to a wearer and a band: every kind of event and of hard negative, with ranges for its parameters.

Ranges are what one would see in the field, drawn uniformly; a scenario may narrow them. ``lasting_s`` is how long it
lasts. Nothing here was taken from the judge: what it calls a threshold is not known to this folder.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.alerts import AlertCode

Ranges = Mapping[str, tuple[float, float]]
MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0


class Kind(StrEnum):
    """Everything that a script can hold: events first, then what only looks like one."""

    ZONE_EXIT_WALK = "zone_exit_walk"
    ZONE_EXIT_FAST = "zone_exit_fast"
    ZONE_EXIT_BRIEF = "zone_exit_brief"
    ZONE_EXIT_ALONG = "zone_exit_along"
    ZONE_ENTER_WALK = "zone_enter_walk"
    ZONE_ENTER_PASS = "zone_enter_pass"  # noqa: S105 - somebody passes
    ZONE_ENTER_BRIEF = "zone_enter_brief"
    ZONE_APPROACH = "zone_approach"
    ZONE_DWELL = "zone_dwell"
    CURFEW_ABSENCE = "curfew_absence"
    CURFEW_LATE = "curfew_late"
    LEAVE_OVERSTAY = "leave_overstay"
    PROTECTED_APPROACH = "protected_approach"
    GATHERING = "gathering"
    STRAP_CUT = "strap_cut"
    STRAP_LOOSENED = "strap_loosened"
    CASE_OPENED = "case_opened"
    OFF_BODY = "off_body"
    HANDED_OVER = "handed_over"
    LOW_BATTERY = "low_battery"
    DEAD_BATTERY = "dead_battery"
    SILENCE_OFF = "silence_off"
    SILENCE_JAMMED = "silence_jammed"
    SILENCE_SHIELDED = "silence_shielded"
    SILENCE_DEAD_ZONE = "silence_dead_zone"
    SILENCE_NETWORK = "silence_network"
    NO_FIX_JAMMED = "no_fix_jammed"
    NO_FIX_ANTENNA = "no_fix_antenna"
    DISTRICT_OUTAGE = "district_outage"
    SPOOF_JUMP = "spoof_jump"
    SPOOF_FREEZE = "spoof_freeze"
    SPOOF_REPLAY = "spoof_replay"
    SPOOF_DRAG = "spoof_drag"
    SPOOF_CLONE = "spoof_clone"
    SPOOF_CLOCK = "spoof_clock"
    SOS = "sos"
    FAST_HEART = "fast_heart"
    SLOW_HEART = "slow_heart"
    LOW_OXYGEN = "low_oxygen"
    FEVER = "fever"
    ILLNESS = "illness"
    STRESS = "stress"
    FALL = "fall"
    ROUTINE_NIGHT = "routine_night"
    ROUTINE_PLACE = "routine_place"

    CYCLING = "cycling"
    HOT_BATH = "hot_bath"
    COLD_DAY = "cold_day"
    CAFFEINE = "caffeine"
    LOOSE_BAND = "loose_band"
    CHARGING_GAP = "charging_gap"
    TUNNEL_RIDE = "tunnel_ride"
    TRAIN_RIDE = "train_ride"
    APPROVED_LEAVE = "approved_leave"


class Spec(NamedTuple):
    """One kind: the alert that should ring (None: none should), its ranges, the local hours in which it may begin."""

    code: AlertCode | None
    ranges: Ranges
    hours: tuple[float, float] = (0.0, 24.0)


_WALK, _RIDE = (0.8, 1.6), (8.0, 16.0)
_C = AlertCode

KINDS: Final[Mapping[Kind, Spec]] = {
    Kind.ZONE_EXIT_WALK: Spec(
        _C.ZONE_EXIT, {"lasting_s": (20 * MINUTE, 90 * MINUTE), "speed_mps": _WALK, "beyond_m": (200, 1_200)}, (7, 20)
    ),
    Kind.ZONE_EXIT_FAST: Spec(
        _C.ZONE_EXIT, {"lasting_s": (30 * MINUTE, 3 * HOUR), "speed_mps": _RIDE, "beyond_m": (800, 6_000)}, (7, 20)
    ),
    Kind.ZONE_EXIT_BRIEF: Spec(
        _C.ZONE_EXIT, {"lasting_s": (2 * MINUTE, 6 * MINUTE), "speed_mps": _WALK, "beyond_m": (30, 80)}, (7, 20)
    ),
    Kind.ZONE_EXIT_ALONG: Spec(
        _C.ZONE_EXIT, {"lasting_s": (15 * MINUTE, 40 * MINUTE), "speed_mps": _WALK, "beyond_m": (40, 90)}, (7, 20)
    ),
    Kind.ZONE_ENTER_WALK: Spec(_C.ZONE_ENTER, {"lasting_s": (10 * MINUTE, 60 * MINUTE), "speed_mps": _WALK}, (7, 20)),
    Kind.ZONE_ENTER_PASS: Spec(_C.ZONE_ENTER, {"lasting_s": (20 * MINUTE, 40 * MINUTE), "speed_mps": _RIDE}, (7, 20)),
    Kind.ZONE_ENTER_BRIEF: Spec(
        _C.ZONE_ENTER, {"lasting_s": (2 * MINUTE, 6 * MINUTE), "speed_mps": _WALK, "inside_m": (30, 60)}, (7, 20)
    ),
    Kind.ZONE_APPROACH: Spec(
        _C.ZONE_APPROACH, {"lasting_s": (1 * MINUTE, 4 * MINUTE), "speed_mps": _WALK, "short_of_m": (12, 35)}, (7, 20)
    ),
    Kind.ZONE_DWELL: Spec(
        _C.ZONE_DWELL, {"lasting_s": (20 * MINUTE, 60 * MINUTE), "speed_mps": _WALK, "short_of_m": (20, 80)}, (7, 20)
    ),
    Kind.CURFEW_ABSENCE: Spec(
        _C.ZONE_CURFEW, {"lasting_s": (30 * MINUTE, 4 * HOUR), "speed_mps": _WALK, "away_m": (300, 1_500)}, (22.3, 26)
    ),
    Kind.CURFEW_LATE: Spec(
        _C.ZONE_CURFEW, {"lasting_s": (2 * HOUR, 4 * HOUR), "speed_mps": _WALK, "away_m": (300, 1_500)}, (20.6, 21.4)
    ),
    Kind.LEAVE_OVERSTAY: Spec(_C.LEAVE_OVERSTAY, {"lasting_s": (1 * HOUR, 24 * HOUR)}),
    Kind.PROTECTED_APPROACH: Spec(
        _C.PROXIMITY_PROTECTED,
        {"lasting_s": (5 * MINUTE, 30 * MINUTE), "speed_mps": (5.0, 12.0), "away_m": (20, 80)},
        (8, 20),
    ),
    Kind.GATHERING: Spec(
        _C.GATHERING,
        {"lasting_s": (40 * MINUTE, 120 * MINUTE), "speed_mps": (5.0, 12.0), "members": (4, 8), "within_m": (10, 30)},
        (9, 18),
    ),
    Kind.STRAP_CUT: Spec(_C.DEVICE_STRAP, {"lasting_s": (10 * MINUTE, 4 * HOUR)}),
    Kind.STRAP_LOOSENED: Spec(_C.DEVICE_STRAP, {"lasting_s": (20 * MINUTE, 60 * MINUTE), "flips": (3, 21)}),
    Kind.CASE_OPENED: Spec(_C.DEVICE_CASE, {"lasting_s": (5 * MINUTE, 2 * HOUR)}),
    Kind.OFF_BODY: Spec(_C.DEVICE_OFF_BODY, {"lasting_s": (30 * MINUTE, 5 * HOUR), "ambient_c": (14, 28)}),
    Kind.HANDED_OVER: Spec(
        _C.DEVICE_OFF_BODY, {"lasting_s": (1 * HOUR, 6 * HOUR), "gap_s": (60, 300), "other_bpm": (12, 25)}, (7, 20)
    ),
    Kind.LOW_BATTERY: Spec(_C.DEVICE_BATTERY, {"lasting_s": (30 * MINUTE, 4 * HOUR), "level_pct": (11, 17)}),
    Kind.DEAD_BATTERY: Spec(_C.DEVICE_BATTERY, {"lasting_s": (7 * HOUR, 14 * HOUR), "level_pct": (3, 6)}),
    Kind.SILENCE_OFF: Spec(_C.DEVICE_SILENCE, {"lasting_s": (90 * MINUTE, 8 * HOUR)}),
    Kind.SILENCE_JAMMED: Spec(_C.DEVICE_SILENCE, {"lasting_s": (70 * MINUTE, 3 * HOUR)}),
    Kind.SILENCE_SHIELDED: Spec(_C.DEVICE_SILENCE, {"lasting_s": (70 * MINUTE, 4 * HOUR)}),
    Kind.SILENCE_DEAD_ZONE: Spec(_C.DEVICE_SILENCE, {"lasting_s": (2 * HOUR, 5 * HOUR)}, (7, 16)),
    Kind.SILENCE_NETWORK: Spec(_C.DEVICE_SILENCE, {"lasting_s": (2 * HOUR, 40 * HOUR)}),
    Kind.NO_FIX_JAMMED: Spec(_C.DEVICE_NO_FIX, {"lasting_s": (70 * MINUTE, 3 * HOUR)}, (7, 20)),
    Kind.NO_FIX_ANTENNA: Spec(_C.DEVICE_NO_FIX, {"lasting_s": (4 * HOUR, 20 * HOUR)}),
    Kind.DISTRICT_OUTAGE: Spec(_C.SITE_OUTAGE, {"lasting_s": (70 * MINUTE, 4 * HOUR), "share": (0.3, 1.0)}),
    Kind.SPOOF_JUMP: Spec(_C.DEVICE_SPOOF, {"lasting_s": (10 * MINUTE, 90 * MINUTE), "away_m": (2_000, 40_000)}),
    Kind.SPOOF_FREEZE: Spec(_C.DEVICE_SPOOF, {"lasting_s": (20 * MINUTE, 90 * MINUTE)}, (8, 18)),
    Kind.SPOOF_REPLAY: Spec(_C.DEVICE_SPOOF, {"lasting_s": (45 * MINUTE, 3 * HOUR), "from_s": (20 * HOUR, 28 * HOUR)}),
    Kind.SPOOF_DRAG: Spec(_C.DEVICE_SPOOF, {"lasting_s": (20 * MINUTE, 60 * MINUTE), "drift_mps": (0.5, 2.0)}),
    Kind.SPOOF_CLONE: Spec(_C.DEVICE_SPOOF, {"lasting_s": (20 * MINUTE, 2 * HOUR), "away_m": (1_500, 20_000)}),
    Kind.SPOOF_CLOCK: Spec(
        _C.DEVICE_SPOOF, {"lasting_s": (30 * MINUTE, 2 * HOUR), "behind_s": (20 * MINUTE, 2 * HOUR)}
    ),
    Kind.SOS: Spec(_C.DEVICE_SOS, {"lasting_s": (30, 180)}),
    Kind.FAST_HEART: Spec(_C.VITALS_HEART_RATE, {"lasting_s": (20 * MINUTE, 60 * MINUTE), "above_bpm": (25, 60)}),
    Kind.SLOW_HEART: Spec(
        _C.VITALS_HEART_RATE, {"lasting_s": (20 * MINUTE, 60 * MINUTE), "heart_rate_bpm": (30, 38)}, (1, 5)
    ),
    Kind.LOW_OXYGEN: Spec(_C.VITALS_SPO2, {"lasting_s": (15 * MINUTE, 90 * MINUTE), "spo2_pct": (81, 88)}),
    Kind.FEVER: Spec(_C.VITALS_TEMPERATURE, {"lasting_s": (8 * HOUR, 48 * HOUR), "above_c": (1.2, 2.8)}),
    Kind.ILLNESS: Spec(_C.VITALS_HEART_RATE, {"lasting_s": (4.5 * DAY, 5.5 * DAY), "above_bpm": (5, 8)}, (19, 22)),
    Kind.STRESS: Spec(_C.VITALS_STRESS, {"lasting_s": (12 * MINUTE, 40 * MINUTE), "above_bpm": (8, 25)}, (9, 21)),
    Kind.FALL: Spec(_C.VITALS_FALL, {"lasting_s": (8 * MINUTE, 60 * MINUTE), "peak_g": (3.0, 8.0)}, (7, 22)),
    Kind.ROUTINE_NIGHT: Spec(_C.ROUTINE_DEVIATION, {"lasting_s": (9 * HOUR, 12 * HOUR)}, (19, 21)),
    Kind.ROUTINE_PLACE: Spec(_C.ROUTINE_DEVIATION, {"lasting_s": (2.5 * HOUR, 6 * HOUR)}, (8, 14)),
    Kind.CYCLING: Spec(None, {"lasting_s": (20 * MINUTE, 60 * MINUTE), "speed_mps": (4.0, 6.5)}, (8, 19)),
    Kind.HOT_BATH: Spec(None, {"lasting_s": (20 * MINUTE, 45 * MINUTE)}, (19, 22)),
    Kind.COLD_DAY: Spec(None, {"lasting_s": (6 * HOUR, 14 * HOUR), "below_c": (3, 6)}, (5, 9)),
    Kind.CAFFEINE: Spec(None, {"lasting_s": (2 * HOUR, 4 * HOUR), "above_bpm": (7, 12)}, (8, 16)),
    Kind.LOOSE_BAND: Spec(None, {"lasting_s": (2 * HOUR, 10 * HOUR), "dropouts": (0.25, 0.5)}),
    Kind.CHARGING_GAP: Spec(None, {"lasting_s": (50 * MINUTE, 2 * HOUR)}, (18, 23)),
    Kind.TUNNEL_RIDE: Spec(None, {"lasting_s": (3 * MINUTE, 12 * MINUTE)}, (7, 20)),
    Kind.TRAIN_RIDE: Spec(None, {"lasting_s": (6 * HOUR, 30 * HOUR), "speed_mps": (60.0, 83.0)}, (7, 12)),
    Kind.APPROVED_LEAVE: Spec(None, {"lasting_s": (6 * HOUR, 30 * HOUR), "speed_mps": (15.0, 25.0)}, (7, 12)),
}

READ_OFF_THE_GROUND: Final = frozenset(kind for kind in Kind if kind.startswith(("zone_e", "curfew_", "leave_")))
"""Breaches: whatever the script wanted, it is the path walked that says when a wall was crossed."""

MOVES: Final = frozenset(
    {
        *(kind for kind in Kind if kind.startswith(("zone_", "curfew_", "routine_"))), Kind.LEAVE_OVERSTAY,
        Kind.PROTECTED_APPROACH, Kind.GATHERING, Kind.CYCLING, Kind.TRAIN_RIDE, Kind.APPROVED_LEAVE,
    }
)  # fmt: skip
"""What leads somebody somewhere: a breach while it lasts is its doing."""

NEEDS_PULSE: Final = frozenset(
    {
        Kind.OFF_BODY, Kind.HANDED_OVER, Kind.FAST_HEART, Kind.SLOW_HEART, Kind.LOW_OXYGEN, Kind.FEVER, Kind.ILLNESS,
        Kind.STRESS, Kind.FALL, Kind.CAFFEINE, Kind.HOT_BATH, Kind.LOOSE_BAND,
    }
)  # fmt: skip
"""Nothing of these can be seen on a band whose wearer has not consented to physiology."""
