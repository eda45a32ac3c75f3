"""A fleet of bands stepped in time: one round is one report of every band, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.registry import Registry, ZoneKind
from simulator.bodies import Bodies
from simulator.fences import Fences
from simulator.incidents import Incident, Kind, plan
from simulator.movement import Movement
from simulator.noise import GaussMarkov
from simulator.options import Options
from simulator.plane import Floats
from simulator.power import Power
from simulator.receiver import Receiver
from simulator.roster import Roster
from simulator.scenes import Scenes
from simulator.truth import TruthLine, ZoneTruth, scripted
from simulator.weekly import WEEK_MIN, local_minute, offset_min

HORIZON_S: Final = 86_400.0
"""How far ahead a run without end is scripted; after a day nothing goes wrong any more."""

ROAMING_M: Final = 600.0
ROAMING_SHARE: Final = 0.55


@dataclass(frozen=True, slots=True)
class Round:
    """One report of every band, one row a band; columns are named as on the wire.

    ``at_s`` is the time of the run, ``time_ms`` the same on the clock; ``sends`` is False where a band is silent.
    """

    at_s: Floats
    time_ms: NDArray[np.int64]
    sends: NDArray[np.bool_]
    fix: dict[str, Floats]
    vitals: dict[str, Floats]
    device: dict[str, Floats]
    worn: NDArray[np.bool_]


class Fleet:
    """All bands of a registry. Deterministic: the same options, registry and start give the same rounds."""

    def __init__(self, options: Options, registry: Registry, *, start_ms: int) -> None:
        self.roster = Roster.of(registry, start_ms)
        self.start_ms = start_ms
        n = len(self.roster)
        bodies, sky, way, cells, scenes, stagger = (np.random.default_rng([options.seed, 2, part]) for part in range(6))
        timezones = {org.id: org.timezone for org in registry.orgs}
        self._interval_s = options.interval_s
        self._offset_s = stagger.permutation(n) * options.interval_s / n
        self._at_s = np.zeros(n)
        self._local_min = np.array([offset_min(timezones[org], start_ms) for org in self.roster.org])
        fences = Fences.of(self.roster, registry.schedules, start_ms)
        stays_in = _stays_in(fences, n)
        self._movement = Movement(way, np.where(stays_in, 0.0, _roaming_m(fences, n)), float(self._hour().mean()))
        self._bodies = Bodies(bodies, n)
        self._power = Power(cells, n)
        self._receiver = Receiver(sky, self.roster.plane)
        self._rssi_dbm = cells.normal(-86.0, 6.0, n)
        self._fading = GaussMarkov(cells, (n,), 90.0)
        self.script = _script(options, self.roster, fences, stays_in)
        self._scenes = Scenes(scenes, self.script, fences, self._movement, self._power)
        self._zone_truth = ZoneTruth(fences, self._movement.xy)

    @property
    def true_xy(self) -> Floats:
        """Where everybody really is: metres east and north of home."""
        return self._movement.xy

    def advance(self, number: int) -> Round:
        """The next round; call with 0, 1, 2 … in turn. Bands report spread over the interval, each in its place."""
        at_s = number * self._interval_s + self._offset_s
        dt_s, self._at_s = at_s - self._at_s, at_s
        hour, n = self._hour(), len(self.roster)
        self._movement.advance(at_s, dt_s, hour)
        self._zone_truth.observe(at_s, self._time_ms(), self._movement.xy)
        self._scenes.turn(at_s)
        self._power.advance(dt_s, self._is(Kind.LOW_BATTERY))
        worn = ~self._is(Kind.STRAP_CUT)
        driven_bpm = self._scenes.number(Kind.FAST_HEART, "heart_rate_bpm", n)
        return Round(
            at_s=at_s,
            time_ms=self._time_ms(),
            sends=~self._is(Kind.SILENCE),
            fix=self._receiver.advance(self._movement.xy, self._movement.speed_mps, self._movement.heading_deg, dt_s),
            vitals=self._bodies.advance(self._movement.speed_mps, hour, dt_s, worn, driven_bpm),
            device=self._device(dt_s, worn),
            worn=worn,
        )

    def truth(self, end_s: float) -> list[TruthLine]:
        """What really happened up to a time of the run, ordered by start."""
        lines = scripted(self.script, self.roster.device, self.start_ms, end_s)
        return sorted([*lines, *self._zone_truth.lines(self.roster.device, self.start_ms, end_s)], key=TruthLine.order)

    def _device(self, dt_s: Floats, worn: NDArray[np.bool_]) -> dict[str, Floats]:
        return {
            "battery_pct": np.round(self._power.level_pct),
            "charging": self._power.charging.astype(np.float64),
            "strap_closed": worn.astype(np.float64),
            "case_closed": (~self._is(Kind.CASE_OPENED)).astype(np.float64),
            "sos": self._is(Kind.SOS).astype(np.float64),
            "rssi_dbm": np.clip(np.round(self._rssi_dbm + 4.0 * self._fading.advance(dt_s)), -120, -45),
        }

    def _is(self, kind: Kind) -> NDArray[np.bool_]:
        flags = np.zeros(len(self.roster), np.bool_)
        flags[self._scenes.rows(kind)] = True
        return flags

    def _time_ms(self) -> NDArray[np.int64]:
        return np.asarray(self.start_ms + np.round(self._at_s * 1000.0).astype(np.int64))

    def _hour(self) -> Floats:
        return np.asarray(local_minute(self._time_ms(), 0) + self._local_min) % 1440 / 60.0


def _stays_in(fences: Fences, n: int) -> NDArray[np.bool_]:
    """Wearers whose curfew never ends."""
    always = [k < 0 or bool(fences.weekly[k].minutes.sum() == WEEK_MIN) for k in fences.schedule.tolist()]
    flags = np.zeros(n, np.bool_)
    for pair, whole_week in zip(fences.pairs, always, strict=True):
        flags[pair.row] |= whole_week and pair.zone.kind is ZoneKind.CURFEW
    return flags


def _roaming_m(fences: Fences, n: int) -> Floats:
    """How far from home a wearer's own places may lie: well within the keep-in, well off every keep-out."""
    roaming_m = np.full(n, ROAMING_M)
    wall_m = fences.distance_m(np.zeros((n, 2)))
    for pair, distance_m in zip(fences.pairs, wall_m.tolist(), strict=True):
        room_m = -distance_m if pair.zone.kind is ZoneKind.KEEP_IN else distance_m
        if pair.zone.kind is not ZoneKind.CURFEW:
            roaming_m[pair.row] = min(roaming_m[pair.row], ROAMING_SHARE * max(room_m, 0.0))
    return roaming_m


def _script(options: Options, roster: Roster, fences: Fences, stays_in: NDArray[np.bool_]) -> Sequence[Incident]:
    if not options.incidents:
        return ()
    return plan(
        options.mix,
        _able(roster, fences, stays_in),
        seed=options.seed,
        horizon_s=options.duration_s or HORIZON_S,
        interval_s=options.interval_s,
        silence_after_s=roster.silence_after_s.tolist(),
    )


def _able(roster: Roster, fences: Fences, stays_in: NDArray[np.bool_]) -> Mapping[Kind, list[int]]:
    """Whom each kind can happen to."""
    having = {kind: {pair.row for pair in fences.pairs if pair.zone.kind is kind} for kind in ZoneKind}
    confined = set(np.flatnonzero(stays_in).tolist())
    bound, banned = having[ZoneKind.KEEP_IN] - confined, having[ZoneKind.KEEP_OUT] - confined
    able: dict[Kind, set[int]] = {kind: set(range(len(roster))) for kind in Kind}
    able[Kind.ZONE_EXIT] = bound
    able[Kind.ZONE_ENTER] = banned - bound or banned
    able[Kind.CURFEW_ABSENCE] = confined or having[ZoneKind.CURFEW]
    able[Kind.FAST_HEART] = set(np.flatnonzero(roster.measures).tolist())
    return {kind: sorted(rows) for kind, rows in able.items()}
