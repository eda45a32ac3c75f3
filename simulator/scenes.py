"""Incidents acted out: what each does to movement and battery, and which switches it holds meanwhile."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.registry import ZoneKind
from simulator.fences import Fences, direction
from simulator.incidents import MOVES, Incident, Kind
from simulator.movement import Movement
from simulator.plane import Floats
from simulator.power import Power

STAGED_WITHIN_S: Final = 30.0
"""Movements due this early begin near their wall, so that somebody watching need not wait for the way."""

SHORT_OF_M: Final = 30.0
TARGET_ZONE: Final = {
    Kind.ZONE_EXIT: ZoneKind.KEEP_IN,
    Kind.ZONE_ENTER: ZoneKind.KEEP_OUT,
    Kind.CURFEW_ABSENCE: ZoneKind.CURFEW,
}
BEYOND_M: Final = {Kind.ZONE_EXIT: (450.0, 900.0), Kind.CURFEW_ABSENCE: (180.0, 300.0)}
HOME: Final = (0.0, 0.0)


class Scenes:
    """The script in progress: incidents to come, and those under way (at most one a band)."""

    def __init__(
        self, rng: np.random.Generator, script: Sequence[Incident], fences: Fences, movement: Movement, power: Power
    ) -> None:
        self._rng = rng
        self._fences = fences
        self._movement = movement
        self._power = power
        self._to_come = list(script)
        self._under_way: list[Incident] = []
        self._way: dict[int, tuple[float, float]] = {}
        for incident in script:
            if incident.kind in MOVES and incident.start_s <= STAGED_WITHIN_S:
                self._stage(incident)

    def turn(self, at_s: Floats) -> None:
        """End and begin what is due by each band's time of the run."""
        for incident in [one for one in self._under_way if one.end_s <= at_s[one.row]]:
            self._under_way.remove(incident)
            self._end(incident)
        for incident in [one for one in self._to_come if one.start_s <= at_s[one.row]]:
            self._to_come.remove(incident)
            self._begin(incident)

    def rows(self, kind: Kind) -> NDArray[np.intp]:
        """Bands to which something of a kind is happening."""
        return np.array([incident.row for incident in self._under_way if incident.kind is kind], np.intp)

    def number(self, kind: Kind, parameter: str, n: int) -> Floats:
        """A parameter of what is under way, one a band; NaN where nothing of the kind is."""
        column = np.full(n, np.nan)
        for incident in self._under_way:
            if incident.kind is kind:
                column[incident.row] = incident.parameters[parameter]
        return column

    def _begin(self, incident: Incident) -> None:
        self._under_way.append(incident)
        if incident.kind in MOVES:
            speed_mps = incident.parameters["speed_mps"]
            self._movement.send(incident.row, self._destination(incident), speed_mps, incident.end_s)
        elif incident.kind is Kind.LOW_BATTERY:
            self._power.drop(incident.row, incident.parameters["level_pct"])
        elif incident.kind is Kind.FAST_HEART:
            self._movement.hold(incident.row, incident.end_s)

    def _end(self, incident: Incident) -> None:
        if incident.kind in MOVES:
            self._movement.send(incident.row, np.array(HOME), incident.parameters["speed_mps"], -np.inf)

    def _stage(self, incident: Incident) -> None:
        angle, wall_m = self._way_out(incident)
        self._movement.stage(incident.row, (wall_m - SHORT_OF_M) * direction(angle), incident.start_s)
        self._way[incident.row] = angle, wall_m

    def _destination(self, incident: Incident) -> Floats:
        if incident.kind is Kind.ZONE_ENTER:
            return self._fences.middle(self._pair(incident))
        angle, wall_m = self._way.pop(incident.row) if incident.row in self._way else self._way_out(incident)
        return (wall_m + self._rng.uniform(*BEYOND_M[incident.kind])) * direction(angle)

    def _way_out(self, incident: Incident) -> tuple[float, float]:
        """A direction from home, and how far that way the wall is."""
        pair = self._pair(incident)
        angle = float(self._rng.uniform(0.0, 2.0 * np.pi))
        if incident.kind is Kind.ZONE_ENTER:
            east, north = self._fences.middle(pair)
            angle = float(np.arctan2(north, east))
        return angle, self._fences.wall_m(pair, angle)

    def _pair(self, incident: Incident) -> int:
        pair = self._fences.find(incident.row, TARGET_ZONE[incident.kind])
        if pair is None:
            raise ValueError(f"{incident.kind.value} needs a {TARGET_ZONE[incident.kind].value} zone for its wearer")
        return pair
