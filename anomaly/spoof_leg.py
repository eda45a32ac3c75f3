"""The leg that every trick of ``device.spoof`` is judged by: from a band's last credible fix to the new one.

A fix is credible where it is no cell's and no vaguer than 250 m (a vague one stands in where there was none for ten
minutes, with a radius of 1.5 km: 99.9 % of serving cells lie within 4.5 km, 13 drives, DETECTION 2c). It is new where
its own time (``event_ms`` less ``age_s``) is. Repeated fixes make no leg: 73-96 % of a phone's rows repeat the last
coordinates because it logs faster than its receiver works, and the catch-up looks like 100-790 m/s (the same drives).

``reach_m`` is how far a vehicle can come: it speeds up from the one known speed, may go at its limit, slows down to the
other. Places are whole micro-degrees (0.11 m), so equal means equal.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from schemas.judging import Columns, Rows, Table
from schemas.readings import SOURCE_CODE, Readings
from schemas.wire import Source

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]

MOST_ERROR_M: Final = 250.0
"""Vaguer fixes are a cell's or a guess: they err by more than any trick here moves."""
VAGUE_M: Final = 1_500.0
"""The 68 % radius of what is vaguer than that; three of it are the 99.9 % distance of a serving cell."""
WITHOUT_S: Final = 600
"""After so long without a better one a vague fix counts."""
ERRORS: Final = 3.0
"""Times the 68 % radius: 98.9 % of a circular error's fixes lie within, and the rest rarely twice in a row."""
METRES_PER_MICRODEGREE: Final = 0.111_194_93
"""Of latitude, on a sphere of 6,371 km."""
UNKNOWN_MPS: Final = 30.0
"""Where no speed is known, that of a motorway."""
STILL_MPS: Final = 0.5
"""Doppler speeds of receivers at rest stay below."""
SLOW_MPS: Final = 2.0
"""Below it one walks, or a vehicle is about to stop or has just started."""

LEAST_HOP_M: Final = 500.0
"""A bus feed whose times are off by seconds makes impossible legs of 70 m (16 trips, Liverpool)."""
NEAR_M: Final = 500.0
"""Within it one is back where one was: people go on with their day meanwhile."""
GONE_ON: Final = 1.5
"""Times what the present speed makes of the time since: who rode before a false fix rides after it."""
MOST_SHARE: Final = 0.7
"""But clearly nearer to the place left than the leg is long."""
NEAR_SHARE: Final = 0.3
"""Or within this share of the leg."""

CAR: Final = (2.0, 40.0)
"""Speeding up and braking in m/s², a fully used car; 144 km/h, a fifth over the motorway limit."""
TRAIN: Final = (0.7, 97.0)
"""High-speed trains gather speed slowly; 350 km/h is the fastest in service."""
TOWN: Final = (1.2, 25.0)
"""From standing to standing between two fixes: one drives in traffic; 90 km/h."""
TOWN_S: Final = 400.0
"""Longer legs may hide a ride by motorway or rail, from stop to stop."""
SHOWN: Final = 1.1
"""What the receiver's own speed at either end would make of the leg is no surprise, nor a tenth more."""
AIRLINER_MPS: Final = 280.0
FLIGHT_S: Final = 1_800.0
"""No flight is shorter, and bands are off or blind in it."""

LEG_COLUMNS: Final[Columns] = {
    "lat": (np.int32, 0),
    "lon": (np.int32, 0),
    "fix_s": (np.uint32, 0),
    "error_m": (np.float16, np.nan),
    "speed_mps": (np.float16, np.nan),
    "altitude_m": (np.float16, np.nan),
    "told_s": (np.uint32, 0),
    "seq": (np.uint16, 0),
    "late_s": (np.int16, 0),
    "left_lat": (np.int32, 0),
    "left_lon": (np.int32, 0),
    "left_s": (np.uint32, 0),
}
"""The last credible fix (``fix_s`` 0: none yet), the newest reading's event time, its message's number (16 bits) and
how late it came, the place that an impossible leg left (0, 0: none) and when the first such leg arrived."""

MOST_LATE_S: Final = 32_767
"""What 16 bits hold."""
TRANSIT_S: Final = 3
"""Readings of one message reach us together: their delays differ by what lies between them, and this at most."""
WHOLE_S: Final = 5.0
"""A leg from the reading before to this one; the steps of longer ones were told in parts."""
_CELL: Final = SOURCE_CODE[Source.CELL]
_WIFI: Final = SOURCE_CODE[Source.WIFI]


@dataclass(frozen=True, slots=True)
class Leg:
    """What lies between two fixes of each row; only where ``made`` is true do the other columns mean anything.

    ``fresh``: the fix is new and counts. ``satellite``: no network's. ``reused``: the message bears the number of one
    that had reached us before this reading was made.

    ``east_m``, ``north_m`` and their length ``far_m``; ``error_m`` is the 68 % radius of both ends together. Speeds are
    reported ones, at the old end the last leg's own where none was. ``climb_m`` has no sign. ``walked_m``: a metre a
    step, NaN where steps are not known for the whole leg. ``reach_m`` is NaN where the leg is too short to ask;
    ``impossible`` are those that no vehicle can have made, and no jitter of a clock. ``left_m``: from the place left by
    the last impossible leg, NaN if there is none, and ``away_s`` since the first.
    """

    made: Flags
    fresh: Flags
    satellite: Flags
    reused: Flags
    radius_m: Floats
    lat: Whole
    lon: Whole
    fix_s: Whole
    lasted_s: Floats
    east_m: Floats
    north_m: Floats
    far_m: Floats
    error_m: Floats
    from_mps: Floats
    to_mps: Floats
    climb_m: Floats
    walked_m: Floats
    reach_m: Floats
    impossible: Flags
    left_m: Floats
    away_s: Floats

    def take(self, places: Rows) -> Self:
        """The legs at the given places."""
        return type(self)(**{f.name: getattr(self, f.name)[places] for f in fields(self)})

    @property
    def sure_m(self) -> Floats:
        """The leg's length that no error explains."""
        return np.maximum(self.far_m - ERRORS * self.error_m, 0.0)

    @property
    def back(self) -> Flags:
        """Which impossible legs lead back to the place that the one before had left."""
        gone_on_m = GONE_ON * np.fmax(self.from_mps, self.to_mps) * (self.away_s + self.lasted_s)
        gone_on_m = np.minimum(gone_on_m, MOST_SHARE * self.far_m)
        near_m = np.fmax(np.maximum(NEAR_M, NEAR_SHARE * self.far_m), gone_on_m)
        return np.asarray(self.impossible & (self.left_m - ERRORS * self.error_m <= near_m))

    @property
    def kept(self) -> Flags:
        """Which fixes the next leg begins at: a network's that lies impossibly far is a mistake of its map."""
        return np.asarray(self.fresh & (self.satellite | ~self.impossible | self.back))

    @property
    def sharp(self) -> Flags:
        """Which legs begin and end at a place worth the name, the new one by satellite."""
        return np.asarray(self.satellite & (self.error_m < VAGUE_M))

    @property
    def standing(self) -> Flags:
        """Which legs begin and end at rest, by the receiver's own speed."""
        return np.asarray(self.made & (self.from_mps < STILL_MPS) & (self.to_mps < STILL_MPS))

    @property
    def resting(self) -> Flags:
        """The same, and legs without a step where the receiver tells no speed."""
        silent = self.made & np.isnan(self.to_mps) & (self.walked_m == 0.0) & ~(self.from_mps >= SLOW_MPS)
        return np.asarray(self.standing | silent)


def leg_of(table: Table, rows: Rows, step: Readings, scale: float = 1.0) -> Leg:
    """Each row's leg to the step's fix; ``scale`` times what can be reached is taken for possible."""
    with np.errstate(invalid="ignore"):
        vague = (step.source == _CELL) | (step.accuracy_m > MOST_ERROR_M)
        radius_m = np.where(vague, np.maximum(step.accuracy_m, VAGUE_M), step.accuracy_m).astype(np.float64)
        fix_s = np.maximum(step.fix_ms // 1000, 0)
        last_s = table["fix_s"][rows].astype(np.int64)
        fresh = step.has_fix & (fix_s > last_s + np.where(vague, WITHOUT_S, 1))
        since_s = step.event_ms // 1000 - table["told_s"][rows]
        late_s = lateness_s(step)
        same_message = np.abs(table["late_s"][rows] - late_s - since_s) <= TRANSIT_S
        lat, lon = _micro(step.lat), _micro(step.lon)
        east_m, north_m = metres(table["lat"][rows], table["lon"][rows], lat, lon)
        far_m = np.hypot(east_m, north_m)
        lasted_s = (fix_s - last_s).astype(np.float64)
        error_m = np.hypot(radius_m, table["error_m"][rows])
        from_mps = table["speed_mps"][rows].astype(np.float64)
        to_mps = step.speed_mps.astype(np.float64)
        whole = np.abs(since_s - lasted_s) < WHOLE_S
        network = step.source == _WIFI
        made = fresh & (last_s > 0)
        sure_m = far_m - ERRORS * error_m
        long = np.flatnonzero(made & (sure_m > LEAST_HOP_M))
        possible_m = np.full(len(rows), np.nan)
        fastest_m = np.where(network[long], TRAIN[1] * lasted_s[long], 0.0)
        possible_m[long] = scale * np.maximum(reach_m(lasted_s[long], from_mps[long], to_mps[long]), fastest_m)
        return Leg(
            made=made,
            fresh=fresh,
            satellite=~network & ~vague,
            reused=(since_s > 0)
            & (step.seq >= 0)
            & ((step.seq & 0xFFFF) == table["seq"][rows])
            & (late_s < MOST_LATE_S)
            & ~same_message,
            radius_m=radius_m,
            lat=lat,
            lon=lon,
            fix_s=fix_s,
            lasted_s=lasted_s,
            east_m=east_m,
            north_m=north_m,
            far_m=far_m,
            error_m=np.nan_to_num(error_m),
            from_mps=from_mps,
            to_mps=to_mps,
            climb_m=np.abs(step.altitude_m - table["altitude_m"][rows]).astype(np.float64),
            walked_m=np.where(whole, step.steps, np.nan),
            reach_m=possible_m,
            impossible=sure_m > possible_m,
            left_m=_left_m(table, rows, lat, lon),
            away_s=(fix_s - table["left_s"][rows]).astype(np.float64),
        )


def _left_m(table: Table, rows: Rows, lat: Whole, lon: Whole) -> Floats:
    left_lat, left_lon = table["left_lat"][rows], table["left_lon"][rows]
    left_m = np.full(len(rows), np.nan)
    gone = np.flatnonzero((left_lat != 0) | (left_lon != 0))
    left_m[gone] = np.hypot(*metres(left_lat[gone], left_lon[gone], lat[gone], lon[gone]))
    return left_m


def remember(table: Table, rows: Rows, step: Readings, leg: Leg) -> None:
    """Make the new fix the last one where it is ``kept``; a speed not reported is the leg's own, if it can be."""
    kept = leg.kept
    made_mps = np.maximum(leg.far_m - leg.error_m, 0.0) / np.maximum(leg.lasted_s, 1.0)
    own_mps = np.where(leg.made, np.where(leg.impossible, leg.from_mps, made_mps), np.nan)
    values = {
        "lat": leg.lat,
        "lon": leg.lon,
        "fix_s": leg.fix_s,
        "error_m": leg.radius_m,
        "speed_mps": np.where(np.isnan(leg.to_mps), own_mps, leg.to_mps),
        "altitude_m": step.altitude_m,
    }
    at, which = rows[kept], np.flatnonzero(kept)
    for name, value in values.items():
        table[name][at] = value[which]
    told_s = np.maximum(step.event_ms // 1000, 0)
    newest = told_s > table["told_s"][rows]
    table["told_s"][rows[newest]] = told_s[newest]
    table["seq"][rows[newest]] = step.seq[newest] & 0xFFFF
    table["late_s"][rows[newest]] = lateness_s(step)[newest]


def lateness_s(step: Readings) -> Whole:
    """How long after its event time each reading reached us, in whole seconds from -9 to 9 hours."""
    return np.asarray(np.clip((step.ingest_ms - step.event_ms) // 1000, -MOST_LATE_S, MOST_LATE_S), np.int64)


def reach_m(lasted_s: Floats, from_mps: Floats, to_mps: Floats) -> Floats:
    """How far one can have come in a time, by the fastest way that fits both speeds; NaN speeds are unknown.

    A minute from standing to standing is a kilometre of town; from 8 m/s to 8 m/s a car makes 1.9 km of it.

    >>> reach_m(np.array([60.0, 60.0]), np.array([0.0, 8.0]), np.array([0.0, 8.0])).round().tolist()
    [979.0, 1888.0]
    """
    one, other = (np.where(np.isnan(mps), UNKNOWN_MPS, mps) for mps in (from_mps, to_mps))
    slow = (from_mps < SLOW_MPS) & (to_mps < SLOW_MPS) & (lasted_s <= TOWN_S)
    fast = np.maximum(_driven_m(lasted_s, one, other, *CAR), _driven_m(lasted_s, one, other, *TRAIN))
    ground = np.where(slow, _driven_m(lasted_s, one, other, *TOWN), fast)
    ground = np.fmax(ground, SHOWN * np.fmax(from_mps, to_mps) * lasted_s)
    return np.asarray(np.where(lasted_s >= FLIGHT_S, np.maximum(ground, AIRLINER_MPS * lasted_s), ground))


def _driven_m(lasted_s: Floats, one: Floats, other: Floats, gain: float, limit: float) -> Floats:
    most = np.maximum(np.maximum(one, other), limit)
    peak = np.clip((one + other + gain * lasted_s) / 2.0, np.maximum(one, other), most)
    return peak * lasted_s - ((peak - one) ** 2 + (peak - other) ** 2) / (2.0 * gain)


def metres(from_lat: NDArray[Any], from_lon: NDArray[Any], lat: Whole, lon: Whole) -> tuple[Floats, Floats]:
    """East and north of one place in micro-degrees to another."""
    east = (lon - from_lon).astype(np.float64)
    east -= np.rint(east / 360e6) * 360e6
    scale = METRES_PER_MICRODEGREE * np.cos(lat * np.radians(1e-6))
    return east * scale, (lat - from_lat) * METRES_PER_MICRODEGREE


def _micro(degrees: Floats) -> Whole:
    return np.rint(np.nan_to_num(degrees) * 1e6).astype(np.int64)
