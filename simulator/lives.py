"""Lives: who has which places, who works when, and on which errands a day is spent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.fences import Fences
from simulator.kinds import HOUR
from simulator.options import People
from simulator.plane import Floats

NEW_PLACE: Final = 0.75
"""Share of errands to a place never seen before; with the regular ways this makes about a third of all moves."""

PLACE_TRIES: Final = 30
EARLIEST_H: Final = 6.2
"""Whoever has to be home by night does not leave before it is over."""

OFF_KEEP_OUT_M: Final = 220.0
INSIDE_SHARE: Final = 0.35
WALKS_UP_TO_M: Final = 1_100.0


class Mode(IntEnum):
    """What somebody does: stays under some roof or none, or moves in some way."""

    STAY = 0
    WALK = 1
    BUS = 2
    CAR = 3
    TRAIN = 4
    CYCLE = 5


class Place(NamedTuple):
    """A place: metres in its wearer's plane, and how much lies between it and the sky (0 open to 1 deep inside)."""

    x: float
    y: float
    roof: float


class Departure(NamedTuple):
    """At a time of the run somebody sets out for a place; ``speed_mps`` None moves as the mode does.

    With a ``note`` the moment of arrival is written into it (``arrives_s``), and they stay for ``stays_s`` from then.
    One that ``halts`` stops them wherever they are.
    """

    at_s: float
    to: Place
    mode: Mode | None = None
    speed_mps: float | None = None
    stays_s: float = 0.0
    note: dict[str, Any] | None = None
    halts: bool = False


def halt(at_s: float) -> Departure:
    """Stop where you are."""
    return Departure(at_s, Place(0.0, 0.0, 0.0), halts=True)


class Work(IntEnum):
    """When somebody works."""

    NONE = 0
    DAY = 1
    NIGHT = 2


@dataclass(frozen=True, slots=True)
class Habits:
    """One wearer's ways: places, hours (local), and how much of a homebody."""

    home: Place
    work: Place
    office: Place
    shops: tuple[Place, ...]
    friends: tuple[Place, ...]
    job: Work
    leaves_h: float
    returns_h: float
    wakes_h: float
    sleeps_h: float
    errands: float
    office_day: int
    has_car: bool
    reach_m: float


class Lives:
    """The habits of all wearers and their errands, day by day; ``confined`` wearers never leave home."""

    def __init__(
        self,
        rng: np.random.Generator,
        fences: Fences,
        reach_m: Floats,
        confined: NDArray[np.bool_],
        curfewed: NDArray[np.bool_],
        offices: Sequence[Floats | None],
        people: People,
    ) -> None:
        self._rng = rng
        self._fences = fences
        self._confined = confined
        self._curfewed = curfewed
        self._offices = offices
        rows = range(len(reach_m))
        free = [row for row in rows if not curfewed[row] and not confined[row]]
        nights = set(rng.permutation(free)[: round(people.night_shift * len(reach_m))].astype(int).tolist())
        self.habits = [self._habits(row, float(reach_m[row]), night=row in nights) for row in rows]

    def somewhere(self, row: int, reach_m: float) -> Place:
        """A place within reach of home where its wearer may be: inside keep-ins, off keep-outs."""
        for _ in range(PLACE_TRIES):
            away_m = reach_m * float(np.sqrt(self._rng.uniform(0.03, 1.0)))
            angle = self._rng.uniform(0.0, 2.0 * np.pi)
            place = Place(away_m * float(np.cos(angle)), away_m * float(np.sin(angle)), self._roof())
            if self.allowed(row, np.array([[place.x, place.y]])):
                return place
        return Place(0.0, 0.0, 0.8)

    def allowed(self, row: int, points: Floats) -> bool:
        """Whether a way through these points touches no wall that concerns the wearer."""
        return self._fences.clear_of_walls(row, points, OFF_KEEP_OUT_M)

    def day(self, row: int, start_s: float, weekday: int) -> list[Departure]:
        """A day's departures from its midnight on, in order, home in time for the night."""
        if self._confined[row]:
            return []
        habits = self.habits[row]
        errands = sorted(self._errands(row, habits, weekday), key=lambda departure: departure.at_s)
        return [departure._replace(at_s=start_s + departure.at_s) for departure in errands]

    def _habits(self, row: int, reach_m: float, *, night: bool) -> Habits:
        rng = self._rng
        job = Work.NIGHT if night else Work.DAY if rng.random() < 0.62 else Work.NONE
        wakes_h = float(np.clip(rng.normal(7.1, 0.8), 5.3, 9.3))
        near_m = min(reach_m, 900.0)
        return Habits(
            home=Place(0.0, 0.0, float(rng.uniform(0.45, 0.95))),
            work=self.somewhere(row, reach_m),
            office=self._office(row, reach_m),
            shops=tuple(self.somewhere(row, near_m) for _ in range(3)),
            friends=tuple(self.somewhere(row, reach_m) for _ in range(2)),
            job=job,
            leaves_h=wakes_h + float(rng.uniform(0.7, 1.4)),
            returns_h=float(rng.normal(17.6, 0.7)),
            wakes_h=wakes_h,
            sleeps_h=float(np.clip(rng.normal(23.6, 0.9), 21.5, 25.8)),
            errands=float(rng.gamma(4.0, 0.55)),
            office_day=int(rng.integers(0, 5)),
            has_car=bool(rng.random() < 0.25),
            reach_m=reach_m,
        )

    def _office(self, row: int, reach_m: float) -> Place:
        """Where the wearer reports: the justice office of the org, or a branch where the way there is barred."""
        office = self._offices[row]
        if office is None or not self.allowed(row, office[None, :]):
            return self.somewhere(row, reach_m)
        return Place(float(office[0]), float(office[1]), 0.7)

    def _errands(self, row: int, habits: Habits, weekday: int) -> Iterator[Departure]:
        rng = self._rng
        latest_h = 19.6 if self._curfewed[row] else 21.5
        busy: list[tuple[float, float]] = []
        works = habits.job is Work.DAY and weekday < 5 and rng.random() < 0.94
        if works:
            leaves_h, returns_h = habits.leaves_h + rng.normal(0, 0.2), habits.returns_h + rng.normal(0, 0.5)
            leaves_h = max(leaves_h, EARLIEST_H) if self._curfewed[row] else leaves_h
            yield Departure(leaves_h * HOUR, habits.work)
            if rng.random() < 0.35:
                yield Departure((12 + rng.uniform(0, 0.4)) * HOUR, self._shop(row, habits))
                yield Departure((12.7 + rng.uniform(0, 0.4)) * HOUR, habits.work)
            yield Departure(min(returns_h, latest_h) * HOUR, self._homewards(row, habits))
            yield Departure(min(returns_h + rng.uniform(0.4, 1.2), latest_h) * HOUR, habits.home)
            busy.append((leaves_h, returns_h + 1.0))
        if habits.job is Work.NIGHT and weekday < 5:
            yield Departure((7.2 + rng.normal(0, 0.2)) * HOUR, habits.home)
            yield Departure((21.3 + rng.normal(0, 0.2)) * HOUR, habits.work)
            busy += [(0.0, 14.5), (20.5, 24.0)]
        if weekday == habits.office_day:
            at_h = rng.uniform(9.0, 10.5) if rng.random() < 0.5 else rng.uniform(14.5, 16.0)
            yield Departure(at_h * HOUR, habits.office)
            yield Departure((at_h + rng.uniform(0.7, 1.2)) * HOUR, habits.work if works else habits.home)
            busy.append((at_h - 0.5, at_h + 1.5))
        if habits.job is not Work.NIGHT:
            yield Departure(latest_h * HOUR, habits.home)
        for _ in range(rng.poisson(habits.errands * (1.5 if weekday >= 5 else 1.0))):
            at_h, lasting_h = rng.uniform(habits.wakes_h + 1.0, latest_h - 0.7), rng.gamma(2.0, 0.5)
            back_h = min(at_h + max(lasting_h, 0.3), latest_h)
            if all(back_h < a or b < at_h for a, b in busy):
                yield Departure(at_h * HOUR, self._errand(row, habits))
                yield Departure(back_h * HOUR, habits.home)
                busy.append((at_h - 0.3, back_h + 0.3))

    def _homewards(self, row: int, habits: Habits) -> Place:
        return self._shop(row, habits) if self._rng.random() < 0.4 else habits.home

    def _shop(self, row: int, habits: Habits) -> Place:
        if self._rng.random() < NEW_PLACE / 2:
            return self.somewhere(row, min(habits.reach_m, 900.0))
        return habits.shops[int(self._rng.choice(3, p=(0.6, 0.28, 0.12)))]

    def _errand(self, row: int, habits: Habits) -> Place:
        if self._rng.random() < NEW_PLACE:
            return self.somewhere(row, habits.reach_m)
        if self._rng.random() < 0.6:
            return self._shop(row, habits)
        return habits.friends[int(self._rng.integers(0, len(habits.friends)))]

    def _roof(self) -> float:
        return 0.0 if self._rng.random() < 0.2 else float(self._rng.uniform(0.3, 1.0))


def mode_for(rng: np.random.Generator, habits: Habits, metres: float) -> Mode:
    """How a way of so many metres is gone: on foot, by car for those who have one, by bus."""
    if metres < WALKS_UP_TO_M * rng.uniform(0.6, 1.4):
        return Mode.WALK
    return Mode.CAR if habits.has_car else Mode.BUS
