"""Positions falsified: what a band reports instead of what its receiver found."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.fences import direction
from simulator.kinds import HOUR, Kind
from simulator.plane import METRES_PER_DEGREE, Floats
from simulator.receiver import Columns
from simulator.script import Incident

SPOOFS: Final = (Kind.SPOOF_JUMP, Kind.SPOOF_FREEZE, Kind.SPOOF_REPLAY, Kind.SPOOF_DRAG)
REMEMBERED_S: Final = 32 * HOUR
FORGED_M: Final = 9.0


class Spoofing:
    """Changes fix columns in place; remembers the tracks of those whose yesterday will be replayed."""

    def __init__(self, script: Sequence[Incident]) -> None:
        self._script = [incident for incident in script if incident.kind in SPOOFS]
        self._kept = sorted({incident.row for incident in script if incident.kind is Kind.SPOOF_REPLAY})
        self._tracks: dict[int, tuple[Floats, Floats, Floats]] = {row: (np.empty(0),) * 3 for row in self._kept}

    def falsify(self, times_s: Floats, fix: Columns) -> None:
        """Apply what is under way in a block."""
        for row in self._kept:
            self._remember(row, times_s[row], fix["lat"][row], fix["lon"][row])
        for incident in self._script:
            at = times_s[incident.row]
            steps = np.flatnonzero((at >= incident.start_s) & (at < incident.end_s))
            if len(steps):
                self._spoof(incident, steps, at[steps], fix)

    def _spoof(self, incident: Incident, steps: NDArray[np.intp], at_s: Floats, fix: Columns) -> None:
        row, p = incident.row, incident.parameters
        match incident.kind:
            case Kind.SPOOF_JUMP:
                shift(fix, row, steps, p["away_m"], _bearing(incident))
            case Kind.SPOOF_DRAG:
                shift(fix, row, steps, p["drift_mps"] * (at_s - incident.start_s), _bearing(incident))
            case Kind.SPOOF_FREEZE:
                _freeze(incident, steps, fix)
            case _:
                self._replay(incident, steps, at_s, fix)
        _as_if_new(fix, row, steps)

    def _replay(self, incident: Incident, steps: NDArray[np.intp], at_s: Floats, fix: Columns) -> None:
        known_s, lat, lon = self._tracks[incident.row]
        earlier_s = at_s - min(incident.parameters["from_s"], incident.start_s)
        accuracy_m = fix["accuracy_m"][incident.row, steps]
        fix["accuracy_m"][incident.row, steps] = np.where(np.isnan(accuracy_m), FORGED_M, accuracy_m)
        fix["lat"][incident.row, steps] = np.round(np.interp(earlier_s, known_s, lat), 6)
        fix["lon"][incident.row, steps] = np.round(np.interp(earlier_s, known_s, lon), 6)

    def _remember(self, row: int, at_s: Floats, lat: Floats, lon: Floats) -> None:
        told = ~np.isnan(lat)
        known = [
            np.concatenate(pair) for pair in zip(self._tracks[row], (at_s[told], lat[told], lon[told]), strict=True)
        ]
        recent = known[0] > at_s[0] - REMEMBERED_S
        self._tracks[row] = (known[0][recent], known[1][recent], known[2][recent])


def shift(fix: Columns, row: int, steps: NDArray[np.intp], away_m: Floats | float, angle: float) -> None:
    """Move the fixes of one band so many metres in a direction."""
    east, north = direction(angle)
    fix["lat"][row, steps] = np.round(fix["lat"][row, steps] + north * away_m / METRES_PER_DEGREE, 6)
    per_degree_east = METRES_PER_DEGREE * np.cos(np.radians(fix["lat"][row, steps]))
    fix["lon"][row, steps] = np.round(fix["lon"][row, steps] + east * away_m / per_degree_east, 6)


def _freeze(incident: Incident, steps: NDArray[np.intp], fix: Columns) -> None:
    """The first fix, to the last digit, again and again as if it were new."""
    if "lat" not in incident.parameters:
        told = steps[~np.isnan(fix["lat"][incident.row, steps])]
        if not len(told):
            return
        first = {name: float(fix[name][incident.row, told[0]]) for name in ("lat", "lon", "accuracy_m")}
        incident.parameters.update(first)
    for name in ("lat", "lon", "accuracy_m"):
        fix[name][incident.row, steps] = incident.parameters[name]


def _as_if_new(fix: Columns, row: int, steps: NDArray[np.intp]) -> None:
    """A forger's fixes are all by satellite and fresh."""
    told = steps[~np.isnan(fix["lat"][row, steps])]
    fix["age_s"][row, told] = 0.0
    fix["source"][row, told] = 0.0
    fix["accuracy_m"][row, told] = np.minimum(fix["accuracy_m"][row, told], 25.0)


def _bearing(incident: Incident) -> float:
    """A direction that belongs to the incident: the same in every block."""
    return (incident.start_s * 0.618 + incident.row) % (2.0 * np.pi)
