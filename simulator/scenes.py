"""Incidents in which the wearer goes somewhere: what the script says, as departures to places."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from schemas.registry import ZoneKind
from simulator.fences import Fences, direction
from simulator.kinds import MINUTE, Kind
from simulator.lives import Departure, Lives, Mode, Place
from simulator.plane import Floats, Plane
from simulator.script import Incident

STAGED_WITHIN_S: Final = 30.0
"""Movements due this early begin near their wall, so that somebody watching need not wait for the way."""

SHORT_OF_M: Final = 30.0
TURNS: Final = 6
TURN: Final = np.pi / 9
FAR_AWAY_M: Final = (30_000.0, 90_000.0)
HOME_BY_S: Final = 50 * MINUTE
OPEN_SKY: Final = 0.0
MOST_ROUNDS: Final = 60
TARGET: Final[Mapping[Kind, ZoneKind]] = {
    Kind.ZONE_EXIT_WALK: ZoneKind.KEEP_IN,
    Kind.ZONE_EXIT_FAST: ZoneKind.KEEP_IN,
    Kind.ZONE_EXIT_BRIEF: ZoneKind.KEEP_IN,
    Kind.ZONE_EXIT_ALONG: ZoneKind.KEEP_IN,
    Kind.ZONE_APPROACH: ZoneKind.KEEP_IN,
    Kind.ZONE_ENTER_WALK: ZoneKind.KEEP_OUT,
    Kind.ZONE_ENTER_PASS: ZoneKind.KEEP_OUT,
    Kind.ZONE_ENTER_BRIEF: ZoneKind.KEEP_OUT,
    Kind.ZONE_DWELL: ZoneKind.KEEP_OUT,
    Kind.CURFEW_ABSENCE: ZoneKind.CURFEW,
    Kind.CURFEW_LATE: ZoneKind.CURFEW,
}


class Scenes:
    """Knows the ground: turns an incident into a list of departures, the last of them back home at its end."""

    def __init__(self, rng: np.random.Generator, fences: Fences, lives: Lives, plane: Plane) -> None:
        self._rng = rng
        self._fences = fences
        self._lives = lives
        self._plane = plane
        self._play: Mapping[Kind, Callable[[Incident], list[Departure]]] = {
            Kind.ZONE_EXIT_WALK: self._leave_zone,
            Kind.ZONE_EXIT_FAST: self._leave_zone,
            Kind.ZONE_EXIT_BRIEF: self._leave_zone,
            Kind.ZONE_EXIT_ALONG: self._walk_along,
            Kind.ZONE_APPROACH: self._approach,
            Kind.ZONE_ENTER_WALK: self._enter,
            Kind.ZONE_ENTER_PASS: self._pass_through,
            Kind.ZONE_ENTER_BRIEF: self._enter_briefly,
            Kind.ZONE_DWELL: self._linger,
            Kind.CURFEW_ABSENCE: self._go_out,
            Kind.CURFEW_LATE: self._go_out,
            Kind.LEAVE_OVERSTAY: self._travel,
            Kind.APPROVED_LEAVE: self._travel,
            Kind.TRAIN_RIDE: self._travel,
            Kind.PROTECTED_APPROACH: self._seek,
            Kind.GATHERING: self._meet,
            Kind.ROUTINE_NIGHT: self._stay_over,
            Kind.ROUTINE_PLACE: self._stay_over,
            Kind.CYCLING: self._cycle,
        }
        self._meetings: dict[tuple[float, Kind], tuple[float, float]] = {}

    def departures(self, incident: Incident) -> list[Departure]:
        """Where to and when; empty for what does not move anybody."""
        play = self._play.get(incident.kind)
        return play(incident) if play else []

    def stage(self, incident: Incident) -> Place | None:
        """Where somebody stands at the beginning of a run whose script sends them out at once."""
        if incident.kind not in TARGET or incident.start_s > STAGED_WITHIN_S:
            return None
        angle, wall_m = self._way_out(incident)
        x, y = (wall_m - SHORT_OF_M) * direction(angle)
        incident.parameters["_angle"] = angle
        return Place(float(x), float(y), OPEN_SKY)

    def _leave_zone(self, incident: Incident) -> list[Departure]:
        angle, wall_m = self._way_out(incident)
        return self._there_and_back(incident, (wall_m + incident.parameters["beyond_m"]) * direction(angle))

    def _walk_along(self, incident: Incident) -> list[Departure]:
        angle, _ = self._way_out(incident)
        pair = self._pair(incident)
        corners = []
        for turn in range(TURNS):
            heading = angle + turn * TURN
            corners.append((self._fences.wall_m(pair, heading) + incident.parameters["beyond_m"]) * direction(heading))
        return self._there_and_back(incident, *corners)

    def _approach(self, incident: Incident) -> list[Departure]:
        angle, wall_m = self._way_out(incident)
        point = (wall_m - incident.parameters["short_of_m"]) * direction(angle)
        return self._there_and_back(incident, point, stays=True)

    def _enter(self, incident: Incident) -> list[Departure]:
        return self._there_and_back(incident, self._fences.middle(self._pair(incident)))

    def _pass_through(self, incident: Incident) -> list[Departure]:
        pair = self._pair(incident)
        middle = self._fences.middle(pair)
        outwards = middle / max(float(np.hypot(*middle)), 1.0)
        return self._there_and_back(incident, middle + (self._fences.extent_m(pair) + 400.0) * outwards)

    def _enter_briefly(self, incident: Incident) -> list[Departure]:
        angle, wall_m = self._way_out(incident)
        return self._there_and_back(incident, (wall_m + incident.parameters["inside_m"]) * direction(angle))

    def _linger(self, incident: Incident) -> list[Departure]:
        angle, wall_m = self._way_out(incident)
        point = (wall_m - incident.parameters["short_of_m"]) * direction(angle)
        return self._there_and_back(incident, point, stays=True)

    def _go_out(self, incident: Incident) -> list[Departure]:
        """Beyond the curfew's wall, in a direction that breaks no other zone where there is one."""
        pair, away_m = self._pair(incident), incident.parameters["away_m"]
        for angle in self._rng.uniform(0.0, 2.0 * np.pi, 24):
            way = max(away_m, self._fences.wall_m(pair, angle) + 60.0) * direction(float(angle))
            if self._lives.allowed(incident.row, np.array([way])):
                break
        return self._there_and_back(incident, way)

    def _travel(self, incident: Incident) -> list[Departure]:
        """An approved journey far away; home before it ends, or as late as the script has it."""
        far = self._far_away(incident.row)
        there = Place(float(far[0]), float(far[1]), 0.6)
        fast = incident.kind is Kind.TRAIN_RIDE
        mode, speed = (Mode.TRAIN if fast else Mode.CAR), incident.parameters.get("speed_mps", 20.0)
        way_s = float(np.hypot(*far)) / speed
        late_s = incident.end_s - incident.parameters["leave_to_s"]
        back_s = incident.end_s - way_s - (0.0 if late_s > 1.0 else HOME_BY_S)
        leaves_s = incident.parameters["leave_from_s"] + 10 * MINUTE
        home = self._home(incident)
        return [Departure(leaves_s, there, mode, speed), Departure(max(back_s, leaves_s), home, mode, speed)]

    def _far_away(self, row: int) -> Floats:
        """A point far from home, with no forbidden zone on the way there if there is one like that."""
        for angle in self._rng.uniform(0.0, 2.0 * np.pi, 12):
            far = self._rng.uniform(*FAR_AWAY_M) * direction(float(angle))
            if self._fences.clear_of_forbidden(row, np.linspace(0.0, 1.0, 2_000)[:, None] * far):
                break
        return np.asarray(far)

    def _seek(self, incident: Incident) -> list[Departure]:
        other = incident.parameters["protected"]
        x, y = self._plane.to_metres(
            incident.row, self._plane.lat[other : other + 1], self._plane.lon[other : other + 1]
        )[0]
        aside = incident.parameters["away_m"] * direction(float(self._rng.uniform(0.0, 2.0 * np.pi)))
        return self._there_and_back(incident, np.array([x, y]) + aside, stays=True)

    def _meet(self, incident: Incident) -> list[Departure]:
        """All members at one spot, chosen near the home of the one who is asked first."""
        key = (incident.start_s, incident.kind)
        if key not in self._meetings:
            spot = self._lives.somewhere(incident.row, 1_200.0)
            lat, lon = self._plane.degrees_of(incident.row, spot.x, spot.y)
            self._meetings[key] = lat, lon
        lat, lon = self._meetings[key]
        x, y = self._plane.to_metres(incident.row, np.array([lat]), np.array([lon]))[0]
        aside = self._rng.uniform(0.0, 0.5) * incident.parameters["within_m"]
        spot = np.array([x, y]) + aside * direction(float(self._rng.uniform(0.0, 2.0 * np.pi)))
        return self._there_and_back(incident, spot, stays=True)

    def _stay_over(self, incident: Incident) -> list[Departure]:
        habits = self._lives.habits[incident.row]
        place = self._lives.somewhere(incident.row, habits.reach_m)
        return [Departure(incident.start_s, place), Departure(incident.end_s, habits.home)]

    def _cycle(self, incident: Incident) -> list[Departure]:
        """From place to place by bicycle for as long as it lasts, then home."""
        habits, speed = self._lives.habits[incident.row], incident.parameters["speed_mps"]
        way, here, rides_s = list[Departure](), habits.home, 0.0
        while rides_s < incident.end_s - incident.start_s and len(way) < MOST_ROUNDS:
            there = self._lives.somewhere(incident.row, habits.reach_m)
            rides_s += float(np.hypot(there.x - here.x, there.y - here.y)) / speed
            way.append(Departure(incident.start_s, there, Mode.CYCLE, speed))
            here = there
        return [*way, Departure(incident.end_s, habits.home, Mode.CYCLE, speed)]

    def _there_and_back(self, incident: Incident, *points: Floats, stays: bool = False) -> list[Departure]:
        """To the points one after the other, there until the incident ends, and home.

        Where ``stays``, they are there for as long as it lasts, however long the way was.
        """
        speed = incident.parameters["speed_mps"]
        mode = Mode.WALK if speed < 2.5 else Mode.CAR
        way = [
            Departure(incident.start_s, Place(float(x), float(y), OPEN_SKY), mode, speed)
            for x, y in (point.tolist() for point in points)
        ]
        if stays:
            # A meeting ends for all of them at once.
            stays_s = 0.0 if incident.kind is Kind.GATHERING else incident.end_s - incident.start_s
            way[-1] = way[-1]._replace(stays_s=stays_s, note=incident.parameters)
        return [*way, Departure(incident.end_s, self._home(incident), mode, speed)]

    def _home(self, incident: Incident) -> Place:
        return self._lives.habits[incident.row].home

    def _way_out(self, incident: Incident) -> tuple[float, float]:
        """A direction from home, and how far that way the wall is."""
        pair = self._pair(incident)
        if "_angle" in incident.parameters:
            angle = float(incident.parameters.pop("_angle"))
        elif TARGET[incident.kind] is ZoneKind.KEEP_OUT:
            east, north = self._fences.middle(pair)
            angle = float(np.arctan2(north, east))
        else:
            angle = float(self._rng.uniform(0.0, 2.0 * np.pi))
        return angle, self._fences.wall_m(pair, angle)

    def _pair(self, incident: Incident) -> int:
        pair = self._fences.find(incident.row, TARGET[incident.kind])
        if pair is None:
            raise ValueError(f"{incident.kind.value} needs a {TARGET[incident.kind].value} zone for its wearer")
        return pair


def rows_with(fences: Fences, kind: ZoneKind) -> set[int]:
    """Rows of wearers who have a zone of a kind."""
    return {pair.row for pair in fences.pairs if pair.zone.kind is kind}
