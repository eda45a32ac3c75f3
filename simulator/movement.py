"""Where everybody is: tracks extended day by day from habits and script, and read off at any time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kinds import DAY, HOUR, Kind
from simulator.lives import Departure, Lives, Mode, halt
from simulator.plane import Floats
from simulator.scenes import STAGED_WITHIN_S, Scenes
from simulator.script import Incident
from simulator.ways import Track, Ways, sampled

MOVING_MPS: Final = 0.2


HOLDS: Final = frozenset(
    {
        Kind.STRAP_CUT, Kind.OFF_BODY, Kind.FAST_HEART, Kind.SLOW_HEART, Kind.STRESS, Kind.FALL, Kind.HOT_BATH,
        Kind.CHARGING_GAP,
    }
)  # fmt: skip
"""What keeps a wearer, or the band alone, where it happens."""


class Motion(NamedTuple):
    """True motion over a block (bands x steps): metres in each wearer's plane, m/s, degrees, ``Mode``, roof 0-1.

    ``travelled_m`` is the path since the step before.
    """

    xy: Floats
    speed_mps: Floats
    heading_deg: Floats
    travelled_m: Floats
    mode: NDArray[np.int8]
    roof: Floats


class Movement:
    """Tracks of all wearers; ``start_hour`` and ``weekday`` are local at the run's beginning (Monday is 0)."""

    def __init__(
        self, rng: np.random.Generator, lives: Lives, scenes: Scenes, script: Sequence[Incident], start_hour: float,
        weekday: int, dt_s: float,
    ) -> None:  # fmt: skip
        self._lives = lives
        self._ways = Ways(rng, lives)
        self._scenes = scenes
        self._midnight_s = -start_hour * HOUR
        self._weekday = weekday
        self._dt_s = dt_s
        self._day = 0
        self._outings: dict[int, list[tuple[float, float, list[Departure]]]] = {}
        self._tracks = [self._begin(row, script) for row in range(len(lives.habits))]
        for incident in script:
            self._schedule(incident)

    def over(self, times_s: Floats) -> Motion:
        """Motion at each band's times of the run (bands x steps, rising)."""
        while self._midnight_s + self._day * DAY <= float(times_s[:, -1].max()):
            self._plan_day()
        step_s = self._dt_s
        for track in self._tracks:
            track.forget_before(float(times_s[:, 0].min()) - 2 * step_s)
        with_before = np.concatenate([times_s[:, :1] - step_s, times_s], axis=1)
        x, y, along, mode, roof = sampled(self._tracks, with_before)
        travelled_m = np.diff(along, axis=1)
        dx, dy = np.diff(x, axis=1), np.diff(y, axis=1)
        return Motion(
            xy=np.stack([x[:, 1:], y[:, 1:]], axis=2),
            speed_mps=travelled_m / step_s,
            heading_deg=np.degrees(np.arctan2(dx, dy)) % 360.0,
            travelled_m=travelled_m,
            mode=mode[:, 1:].astype(np.int8),
            roof=roof[:, 1:],
        )

    def between(self, rows: NDArray[np.intp], from_s: Floats, to_s: Floats, points: int) -> tuple[Floats, Floats]:
        """Times and positions at so many equal parts of some bands' time spans (spans x points)."""
        share = np.linspace(0.0, 1.0, points)
        times = from_s[:, None] + share * (to_s - from_s)[:, None]
        xy = np.empty((*times.shape, 2))
        for number, row in enumerate(rows.tolist()):
            track = self._tracks[row]
            xy[number, :, 0] = np.interp(times[number], track.t, track.x)
            xy[number, :, 1] = np.interp(times[number], track.t, track.y)
        return times, xy

    def _begin(self, row: int, script: Sequence[Incident]) -> Track:
        staged = (self._scenes.stage(incident) for incident in script if incident.row == row)
        place = next((place for place in staged if place), None)
        return Track.at(place or self._lives.habits[row].home, self._midnight_s)

    def _schedule(self, incident: Incident) -> None:
        departures = self._scenes.departures(incident)
        if departures:
            first_s = 0.0 if incident.start_s <= STAGED_WITHIN_S else departures[0].at_s
            self._send(incident.row, -np.inf if first_s == 0.0 else first_s, departures)
        if incident.kind in HOLDS:
            home = self._lives.habits[incident.row].home
            self._send(incident.row, incident.start_s, [halt(incident.start_s), Departure(incident.end_s, home)])
        if incident.kind is Kind.PROTECTED_APPROACH and "protected" in incident.parameters:
            # Somebody must be there to be approached.
            other = incident.parameters["protected"]
            home = self._lives.habits[other].home
            since_s = incident.start_s - HOUR
            self._send(other, since_s, [Departure(since_s, home), Departure(incident.end_s + HOUR, home)])

    def _send(self, row: int, from_s: float, departures: list[Departure]) -> None:
        """What a wearer does instead of their own errands, until the last of it."""
        self._outings.setdefault(row, []).append((from_s, departures[-1].at_s, departures))

    def _plan_day(self) -> None:
        start_s = self._midnight_s + self._day * DAY
        for row, track in enumerate(self._tracks):
            outings = self._outings.get(row, ())
            life = self._lives.day(row, start_s, (self._weekday + self._day) % 7)
            free = [d for d in life if not any(a <= d.at_s < b for a, b, _ in outings)]
            special = [d for _, _, way in outings for d in way if start_s <= d.at_s < start_s + DAY]
            way = [(d, False) for d in free] + [(d, True) for d in special]
            for departure, scripted in sorted(way, key=lambda step: step[0].at_s):
                self._depart(row, track, departure, scripted=scripted)
            track.stay_until(max(track.t[-1], start_s + DAY))
        self._day += 1

    def _depart(self, row: int, track: Track, departure: Departure, *, scripted: bool) -> None:
        """Set out when it is time, or when the way before has ended; be there for as long as it says."""
        if departure.halts:
            track.stop_at(departure.at_s)
            return
        if track.t[-1] < departure.at_s:
            track.stay_until(departure.at_s)
        straight = scripted and departure.mode is not Mode.CYCLE
        self._ways.go(row, track, departure.to, departure.mode, departure.speed_mps, straight=straight)
        if departure.note is not None:
            departure.note["arrives_s"] = round(track.t[-1], 1)
            track.stay_until(track.t[-1] + departure.stays_s)
