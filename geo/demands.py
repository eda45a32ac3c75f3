"""What zones ask of whom and when, one row a (wearer, zone) pair, laid out by wearer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geo.hours import Hours, Interval, merged, within
from geo.presence import INSIDE, OUTSIDE, UNKNOWN
from geo.shapes import Floats, Placed, Shapes, shape_of
from schemas.judging import Rows, Times
from schemas.registry import FOREVER_MS, Calendar, LeavePlace, Schedule, Zone, ZoneKind, epoch_ms

SUSPENDED_BY_LEAVE = frozenset({ZoneKind.KEEP_IN, ZoneKind.CURFEW})
"""A leave opens the fence; a court's prohibition stands (it is not the bureau's to lift)."""

WRONG_SIDE: Final = {
    ZoneKind.KEEP_IN: OUTSIDE,
    ZoneKind.KEEP_OUT: INSIDE,
    ZoneKind.CURFEW: OUTSIDE,
    ZoneKind.INTEREST: UNKNOWN,
}
"""Where a zone of each kind does not want its wearer; an interest zone does not mind."""


ENDED_JUST_NOW_MS: Final = 15 * 60_000
"""Whoever is found outside so soon after a leave has ended did not leave: they did not come back."""


class Allowed(NamedTuple):
    """A leave that allows places: from when to when, and which (positions in ``Demands.shapes``)."""

    from_ms: int
    to_ms: int
    shapes: tuple[int, ...]


class Away(NamedTuple):
    """One wearer's leave as the registry has it: an interval, and the places that it allows (none: anywhere)."""

    from_ms: int
    to_ms: int
    places: tuple[LeavePlace, ...]


class Pair(NamedTuple):
    """One wearer's row and the position of a zone that concerns them."""

    row: int
    zone: int


@dataclass(frozen=True, slots=True)
class Demands:
    """All pairs of a shard: pairs of row r are ``start[r] : start[r + 1]``."""

    start: NDArray[np.intp]
    row: NDArray[np.intp]
    zone: NDArray[np.intp]
    key: NDArray[np.int64]
    valid_from_ms: Times
    valid_to_ms: Times
    schedule: NDArray[np.intp]
    suspendable: NDArray[np.bool_]
    wrong_side: NDArray[np.int8]
    zones: tuple[Zone, ...]
    shapes: Shapes
    hours: tuple[Hours, ...]
    leaves: Mapping[int, Sequence[Interval]]
    allowed: Mapping[int, Sequence[Allowed]]
    ends_ms: Mapping[int, Sequence[int]]

    @classmethod
    def of(
        cls,
        wearers: NDArray[np.int64],
        zones: Sequence[Zone],
        pairs: Sequence[Pair],
        schedules: Sequence[Schedule],
        leaves: Mapping[int, Sequence[Away]],
        calendars: Sequence[Calendar] = (),
    ) -> Self:
        """Lay out pairs (any order); ``wearers`` are the keys of rows, ``leaves`` those of each row."""
        holidays = {calendar.id: frozenset(calendar.dates) for calendar in calendars}
        places: list[Placed] = [place for away in leaves.values() for leave in away for place in leave.places]
        shape_number = {id(place): number for number, place in enumerate(places, len(zones))}
        ordered = sorted(pairs)
        row = np.array([pair.row for pair in ordered], np.intp)
        zone = np.array([pair.zone for pair in ordered], np.intp)
        number = {schedule.id: place for place, schedule in enumerate(schedules)}
        per_zone = [number[z.schedule] if z.schedule else -1 for z in zones]
        return cls(
            start=np.searchsorted(row, np.arange(len(wearers) + 1)).astype(np.intp),
            row=row,
            zone=zone,
            key=np.array([pair_key(int(wearers[r]), zones[z].id) for r, z in ordered], np.int64),
            valid_from_ms=np.array([epoch_ms(z.valid_from, -FOREVER_MS) for z in zones], np.int64)[zone],
            valid_to_ms=np.array([epoch_ms(z.valid_to) for z in zones], np.int64)[zone],
            schedule=np.array(per_zone, np.intp)[zone],
            suspendable=np.array([z.kind in SUSPENDED_BY_LEAVE for z in zones], np.bool_)[zone],
            wrong_side=np.array([WRONG_SIDE[z.kind] for z in zones], np.int8)[zone],
            zones=tuple(zones),
            shapes=Shapes.of([shape_of(z) for z in [*zones, *places]]),
            hours=tuple(Hours(schedule, holidays.get(schedule.calendar or "", frozenset())) for schedule in schedules),
            leaves={row: _anywhere(away) for row, away in leaves.items()},
            allowed={row: _somewhere(away, shape_number) for row, away in leaves.items()},
            ends_ms={row: sorted(leave.to_ms for leave in away) for row, away in leaves.items()},
        )

    def pairs_of(self, rows: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """All pairs of the given rows, and for each pair the position of its row in ``rows``.

        >>> # rows 0 and 1 with two pairs and one
        >>> demands = Demands.of(np.array([1, 2]), [], [], [], {})
        >>> demands.pairs_of(np.array([1]))[0].tolist()
        []
        """
        counts = self.start[rows + 1] - self.start[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        within_row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.start[rows][owner] + within_row, owner

    def at(self, pairs: NDArray[np.intp], time_ms: Times) -> tuple[NDArray[np.bool_], Times, Times]:
        """Whether each pair's demand holds at its time, since when (at the earliest), and until when at most."""
        since, until = self.valid_from_ms[pairs].copy(), self.valid_to_ms[pairs].copy()
        holds = (since <= time_ms) & (time_ms < until)
        until = np.where(time_ms < since, since, np.where(holds, until, FOREVER_MS))
        schedule = self.schedule[pairs]
        for number in np.unique(schedule[schedule >= 0]):
            mine = np.flatnonzero(schedule == number)
            on, turned_on, turns = self.hours[number].at(time_ms[mine])
            holds[mine] &= on
            since[mine] = np.maximum(since[mine], turned_on)
            until[mine] = np.minimum(until[mine], turns)
        if self.leaves:
            self._suspend(pairs, time_ms, holds, since, until)
        return holds, since, until

    def eased_m(self, pairs: NDArray[np.intp], distance_m: Floats, time_ms: Times, lat: Floats, lon: Floats) -> Floats:
        """Distances to what a wearer may not leave, where a leave allows more places: to the nearest wall of all."""
        if not any(self.allowed.values()):
            return distance_m
        eased = distance_m.copy()
        for n in np.flatnonzero(self.suspendable[pairs] & np.isin(self.row[pairs], list(self.allowed))).tolist():
            for leave in self.allowed[int(self.row[pairs[n]])]:
                if leave.from_ms <= time_ms[n] < leave.to_ms:
                    here = np.full(len(leave.shapes), 1.0)
                    to_places = self.shapes.signed_distance_m(np.array(leave.shapes), here * lat[n], here * lon[n])
                    eased[n] = min(eased[n], to_places.min())
        return eased

    def came_back(self, pair: int, onset_ms: int) -> bool:
        """Whether nobody's leave had ended just before: False tells being overdue from having left."""
        if not self.suspendable[pair]:
            return True
        return not any(end <= onset_ms <= end + ENDED_JUST_NOW_MS for end in self.ends_ms.get(int(self.row[pair]), ()))

    def _suspend(
        self, pairs: NDArray[np.intp], time_ms: Times, holds: NDArray[np.bool_], since: Times, until: Times
    ) -> None:
        away = np.isin(self.row[pairs], list(self.leaves)) & self.suspendable[pairs]
        for place in np.flatnonzero(away):
            on_leave, turned, turns = within(self.leaves[int(self.row[pairs[place]])], int(time_ms[place]))
            holds[place] &= not on_leave
            since[place] = max(since[place], turned)
            until[place] = min(until[place], turns)


def _anywhere(away: Sequence[Away]) -> list[Interval]:
    return merged(sorted((leave.from_ms, leave.to_ms) for leave in away if not leave.places))


def _somewhere(away: Sequence[Away], shape_number: Mapping[int, int]) -> list[Allowed]:
    return [
        Allowed(leave.from_ms, leave.to_ms, tuple(shape_number[id(place)] for place in leave.places))
        for leave in away
        if leave.places
    ]


def pair_key(wearer_key: int, zone_id: str) -> int:
    """A stable 64-bit key of a pair, so that memory survives any change of order or number.

    >>> pair_key(1, "home") == pair_key(1, "home") != pair_key(2, "home")
    True
    """
    digest = blake2b(f"{wearer_key}|{zone_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
