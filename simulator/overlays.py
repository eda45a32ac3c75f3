"""What the script does to a block of bodies, receivers and bands: one array an influence (bands x steps), on demand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.kinds import DAY, HOUR, MINUTE, Kind
from simulator.plane import Floats
from simulator.script import Incident

RAMP_S: Final = 180.0
NEUTRAL: Final[dict[str, float]] = {
    "add_bpm": 0.0,
    "set_bpm": np.nan,
    "add_c": 0.0,
    "ambient_c": np.nan,
    "set_spo2": np.nan,
    "vagal": 1.0,
    "dropouts": 0.0,
    "peak_g": 0.0,
    "off_body": 0.0,
    "still": 0.0,
    "cycling": 0.0,
    "strap_open": 0.0,
    "case_open": 0.0,
    "sos": 0.0,
    "no_sky": 0.0,
    "no_network": 0.0,
    "no_power": 0.0,
    "forgotten": 0.0,
    "plugged": 0.0,
}


@dataclass(slots=True)
class Overlays:
    """The influences of a block; reading one that nobody touched costs nothing but its neutral value."""

    times_s: Floats
    arrays: dict[str, Floats] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        """An influence over the block, shaped bands x steps."""
        if name in self.arrays:
            return self.arrays[name]
        return np.broadcast_to(np.float64(NEUTRAL[name]), self.times_s.shape)

    def on(self, name: str) -> NDArray[np.bool_]:
        """An influence that is a yes or no."""
        return np.asarray(self[name] > 0)

    def put(self, name: str, row: int, steps: NDArray[np.bool_], value: Floats | float) -> None:
        """Set an influence of one band at some steps."""
        if name not in self.arrays:
            self.arrays[name] = np.full(self.times_s.shape, NEUTRAL[name])
        self.arrays[name][row, steps] = value


def overlays(times_s: Floats, script: Sequence[Incident]) -> Overlays:
    """Everything the script does within a block of times (s of the run)."""
    laid = Overlays(times_s)
    for incident in script:
        at = times_s[incident.row]
        steps = (at >= incident.start_s) & (at < incident.end_s)
        if incident.kind in EFFECTS and steps.any():
            for name, value in EFFECTS[incident.kind](incident, at[steps]).items():
                laid.put(name, incident.row, steps, value)
    return laid


Influences = Mapping[str, Floats | float]
Effect = Callable[[Incident, Floats], Influences]
"""What an incident does at some times of it, s of the run."""


def _always(**influences: float) -> Effect:
    """The same as long as it lasts."""
    return lambda _incident, _at_s: influences


def _ramp(incident: Incident, at_s: Floats, over_s: float = RAMP_S) -> Floats:
    """From 0 to 1 and back to 0, so slowly at both ends."""
    return np.asarray(np.clip(np.minimum(at_s - incident.start_s, incident.end_s - at_s) / over_s, 0.0, 1.0))


def _strap_loosened(incident: Incident, at_s: Floats) -> Influences:
    """A clasp that opens and closes so many times, open first, on a wrist that the optics see less and less of."""
    lasting_s = incident.end_s - incident.start_s
    share = (at_s - incident.start_s) / lasting_s
    each = 1.0 / max(round(incident.parameters["flips"]), 1)
    return {"dropouts": 0.3 + 0.4 * share, "strap_open": ((share / each) % 1.0 < 0.5).astype(np.float64)}


def _handed_over(incident: Incident, at_s: Floats) -> Influences:
    """Off one wrist, and after a while on another, whose heart is slower or faster by as much."""
    off = at_s - incident.start_s < incident.parameters["gap_s"]
    other = incident.parameters["other_bpm"] * (-1.0) ** incident.row
    return {"off_body": off.astype(np.float64), "add_bpm": np.where(off, 0.0, other), "vagal": 0.6}


def _fever(incident: Incident, at_s: Floats) -> Influences:
    """Each degree costs the heart eight beats a minute."""
    above_c = incident.parameters["above_c"] * _ramp(incident, at_s, 2 * HOUR)
    return {"add_c": above_c, "add_bpm": 8.0 * above_c}


def _fall(incident: Incident, at_s: Floats) -> Influences:
    """A blow within a minute, then stillness, and a heart that calms down."""
    since_s = at_s - incident.start_s
    peak_g = np.where(since_s < MINUTE, incident.parameters["peak_g"], 0.0)
    return {"peak_g": peak_g, "still": 1.0, "add_bpm": 18.0 * np.exp(-since_s / (10 * MINUTE))}


def _cold_day(incident: Incident, at_s: Floats) -> Influences:
    return {"add_c": -incident.parameters["below_c"] * _ramp(incident, at_s, HOUR)}


def _scaled(parameter: str, name: str, over_s: float = RAMP_S, **more: float) -> Effect:
    """A parameter that comes and goes on a ramp, and what stays the same beside it."""
    return lambda incident, at_s: {name: incident.parameters[parameter] * _ramp(incident, at_s, over_s), **more}


_DARK: Final = _always(no_network=1.0, no_sky=1.0)

EFFECTS: Final[Mapping[Kind, Effect]] = {
    Kind.STRAP_CUT: _always(strap_open=1.0, off_body=1.0),
    Kind.STRAP_LOOSENED: _strap_loosened,
    Kind.CASE_OPENED: _always(case_open=1.0),
    Kind.SOS: _always(sos=1.0),
    Kind.OFF_BODY: lambda incident, _: {"off_body": 1.0, "ambient_c": incident.parameters["ambient_c"]},
    Kind.HANDED_OVER: _handed_over,
    Kind.LOW_BATTERY: _always(forgotten=1.0),
    Kind.DEAD_BATTERY: _always(forgotten=1.0),
    Kind.SILENCE_OFF: _always(no_power=1.0),
    Kind.SILENCE_JAMMED: _DARK,
    Kind.SILENCE_SHIELDED: _DARK,
    Kind.SILENCE_DEAD_ZONE: _DARK,
    Kind.TUNNEL_RIDE: _DARK,
    Kind.SILENCE_NETWORK: _always(no_network=1.0),
    Kind.DISTRICT_OUTAGE: _always(no_network=1.0),
    Kind.NO_FIX_JAMMED: _always(no_sky=1.0),
    Kind.NO_FIX_ANTENNA: _always(no_sky=1.0),
    Kind.FAST_HEART: _scaled("above_bpm", "add_bpm", still=1.0),
    Kind.SLOW_HEART: lambda incident, _: {"set_bpm": incident.parameters["heart_rate_bpm"], "still": 1.0},
    Kind.LOW_OXYGEN: lambda incident, _: {"set_spo2": incident.parameters["spo2_pct"]},
    Kind.FEVER: _fever,
    Kind.ILLNESS: _scaled("above_bpm", "add_bpm", 0.4 * DAY),
    Kind.STRESS: _scaled("above_bpm", "add_bpm", still=1.0, vagal=0.65),
    Kind.FALL: _fall,
    Kind.CYCLING: _always(cycling=1.0),
    Kind.HOT_BATH: lambda incident, at_s: {
        "add_c": 3.0 * _ramp(incident, at_s), "add_bpm": 14.0 * _ramp(incident, at_s), "still": 1.0,
    },
    Kind.COLD_DAY: _cold_day,
    Kind.CAFFEINE: _scaled("above_bpm", "add_bpm", 20 * MINUTE),
    Kind.LOOSE_BAND: lambda incident, _: {"dropouts": incident.parameters["dropouts"]},
    Kind.CHARGING_GAP: _always(plugged=1.0, dropouts=1.0, still=1.0, add_c=1.0),
}  # fmt: skip
"""What each kind does to a body or a band while it lasts; moves, spoofing and clocks are elsewhere."""
