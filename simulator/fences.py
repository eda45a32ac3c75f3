"""Where wearers truly stand to their zones: one row a (band, zone) pair, in metres and without any error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from schemas.registry import Calendar, Schedule, Zone, ZoneKind
from simulator.plane import Floats
from simulator.roster import Roster, corners
from simulator.weekly import Weekly

FARTHEST_M: Final = 5_000.0
STEP_M: Final = 5.0
FORBIDDEN_M: Final = 60.0


class Pair(NamedTuple):
    """One zone as it concerns one band: its row, and what it is."""

    row: int
    zone: Zone


@dataclass(frozen=True, slots=True)
class Fences:
    """All pairs. Circles have a centre and a radius; polygons have edges (ax, ay, bx, by), padded by points."""

    pairs: tuple[Pair, ...]
    row: NDArray[np.intp]
    centre: Floats
    radius_m: Floats
    edges: Floats
    keeps_in: NDArray[np.bool_]
    schedule: NDArray[np.intp]
    weekly: tuple[Weekly, ...]
    leaves: tuple[tuple[tuple[int, int], ...], ...]
    of_row: tuple[tuple[int, ...], ...]
    from_home_m: Floats

    @classmethod
    def of(cls, roster: Roster, schedules: Sequence[Schedule], at_ms: int, calendars: Sequence[Calendar] = ()) -> Self:
        """Lay out the zones of every band on the roster in its wearer's plane."""
        holidays = {calendar.id: calendar.dates for calendar in calendars}
        pairs = tuple(Pair(row, zone) for row, zones in enumerate(roster.zones) for zone in zones)
        number = {schedule.id: place for place, schedule in enumerate(schedules)}
        rings = [_rings(roster, pair) for pair in pairs]
        fences = cls(
            pairs=pairs,
            row=np.array([pair.row for pair in pairs], np.intp),
            centre=np.array([ring[0][0] for ring in rings], np.float64).reshape(-1, 2),
            radius_m=np.array([pair.zone.radius_m or 0.0 for pair in pairs], np.float64),
            edges=_padded([_edges(ring) for ring in rings]),
            keeps_in=np.array([pair.zone.kind is not ZoneKind.KEEP_OUT for pair in pairs], np.bool_),
            schedule=np.array([number[p.zone.schedule] if p.zone.schedule else -1 for p in pairs], np.intp),
            weekly=tuple(Weekly.of(s, at_ms, holidays.get(s.calendar or "", ())) for s in schedules),
            leaves=roster.leaves,
            of_row=_by_row(pairs, len(roster)),
            from_home_m=np.empty(len(pairs)),
        )
        everything = np.arange(len(pairs))
        fences.from_home_m[:] = fences.distance_of_m(everything, np.zeros((len(pairs), 2)))
        return fences

    def distance_m(self, xy: Floats) -> Floats:
        """Metres from each pair's wall to its band (one point a band): negative inside the zone."""
        return self.distance_of_m(np.arange(len(self.pairs)), xy[self.row])

    def distance_of_m(self, pairs: NDArray[np.intp], points: Floats) -> Floats:
        """The same for chosen pairs, one point a pair."""
        distance = np.hypot(*(points - self.centre[pairs]).T) - self.radius_m[pairs]
        polygons = np.flatnonzero(self.radius_m[pairs] == 0)
        if len(polygons):
            distance[polygons] = _to_edges_m(points[polygons], self.edges[pairs[polygons]])
        return np.asarray(distance)

    def breached(self, pair: int, distance_m: Floats, time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether one pair's demand holds at each time and is not met; a leave suspends all but keep-out."""
        number = int(self.schedule[pair])
        holds = self.weekly[number].holds(time_ms) if number >= 0 else np.ones(len(time_ms), np.bool_)
        if not self.keeps_in[pair]:
            return np.asarray(holds & (distance_m < 0))
        for from_ms, to_ms in self.leaves[self.row[pair]]:
            holds &= (time_ms < from_ms) | (time_ms >= to_ms)
        return np.asarray(holds & (distance_m > 0))

    def last_edge_ms(self, pair: int, time_ms: int) -> int:
        """The last moment up to a time at which a demand may have turned: a leave's edge, else the full minute."""
        edges = [edge for leave in self.leaves[self.row[pair]] for edge in leave if time_ms - 60_000 < edge <= time_ms]
        return max(edges, default=time_ms // 60_000 * 60_000)

    def clear_of_walls(self, row: int, points: Floats, off_m: float) -> bool:
        """Whether points of one wearer's plane lie inside every keep-in and off every keep-out, with room to spare."""
        for pair in self.of_row[row]:
            if self.schedule[pair] >= 0:
                continue
            distance_m = self.distance_of_m(np.full(len(points), pair), points)
            room_m = min(off_m, 0.5 * abs(float(self.from_home_m[pair])))
            if self.keeps_in[pair] and distance_m.max() > -min(room_m, 60.0):
                return False
            if not self.keeps_in[pair] and distance_m.min() < room_m:
                return False
        return True

    def clear_of_forbidden(self, row: int, points: Floats) -> bool:
        """Whether points of one wearer's plane lie off every keep-out."""
        forbidden = [pair for pair in self.of_row[row] if not self.keeps_in[pair]]
        return all(self.distance_of_m(np.full(len(points), pair), points).min() > FORBIDDEN_M for pair in forbidden)

    def extent_m(self, pair: int) -> float:
        """How far a zone reaches from its middle."""
        if self.radius_m[pair]:
            return float(self.radius_m[pair])
        return float(np.hypot(*(self.edges[pair, :, :2] - self.middle(pair)).T).max())

    def find(self, row: int, kind: ZoneKind) -> int | None:
        """The first pair of a band with a zone of the kind."""
        return next((n for n, pair in enumerate(self.pairs) if pair.row == row and pair.zone.kind is kind), None)

    def wall_m(self, pair: int, angle: float) -> float:
        """How far from home in a direction a zone's wall is first crossed (to 5 m; 5 km where it never is)."""
        along = np.arange(0.0, FARTHEST_M, STEP_M)
        inside = self.distance_of_m(np.full(len(along), pair), along[:, None] * direction(angle)) <= 0
        crossed = inside != inside[0]
        return float(along[np.argmax(crossed)]) if crossed.any() else FARTHEST_M

    def middle(self, pair: int) -> Floats:
        """The middle of a zone, in its wearer's plane."""
        if self.radius_m[pair]:
            return np.asarray(self.centre[pair])
        corner = self.edges[pair, :, :2]
        return np.asarray((corner.min(axis=0) + corner.max(axis=0)) / 2.0)


def _by_row(pairs: Sequence[Pair], rows: int) -> tuple[tuple[int, ...], ...]:
    numbers: list[list[int]] = [[] for _ in range(rows)]
    for number, pair in enumerate(pairs):
        numbers[pair.row].append(number)
    return tuple(map(tuple, numbers))


def direction(angle: float) -> Floats:
    """A unit vector; the angle counts from east, anticlockwise, in radians."""
    return np.array([np.cos(angle), np.sin(angle)])


def _rings(roster: Roster, pair: Pair) -> list[Floats]:
    rings = [np.array([position[:2] for position in ring], np.float64) for ring in corners(pair.zone)]
    return [roster.plane.to_metres(pair.row, ring[:, 1], ring[:, 0]) for ring in rings]


def _edges(rings: Sequence[Floats]) -> Floats:
    return np.concatenate([np.column_stack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])


def _padded(edges: Sequence[Floats]) -> Floats:
    """All to the longest, by repeating a corner: an edge of no length is crossed by nothing and nearest to nobody."""
    longest = max((len(edge) for edge in edges), default=0)
    return np.array([np.concatenate([e, np.tile(e[:1, [0, 1, 0, 1]], (longest - len(e), 1))]) for e in edges])


def _to_edges_m(points: Floats, edges: Floats) -> Floats:
    """Signed distance to polygons (n x edges x 4), even-odd rule."""
    px, py = points[:, :1], points[:, 1:]
    ax, ay, bx, by = (edges[..., k] for k in range(4))
    dx, dy = bx - ax, by - ay
    square: Any = np.maximum(dx * dx + dy * dy, 1e-9)
    along = np.clip(((px - ax) * dx + (py - ay) * dy) / square, 0.0, 1.0)
    nearest = np.hypot(px - ax - along * dx, py - ay - along * dy).min(axis=1)
    spans = (ay > py) != (by > py)
    crosses = spans & (px < ax + dx * (py - ay) / np.where(spans, dy, 1.0))
    return np.asarray(np.where(crosses.sum(axis=1) % 2 == 1, -nearest, nearest))
