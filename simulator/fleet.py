"""A fleet of bands stepped in time: lives, bodies and receivers played in blocks, reports taken from them in turn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.registry import Registry, ZoneKind
from schemas.truth import ContextLine, TruthLine, moment
from simulator.bodies import Bodies, Day
from simulator.delivery import TRANSIT_S, Block, Delivery
from simulator.downlink import Downlink, Order
from simulator.fences import Fences
from simulator.kinds import HOUR, KINDS, NEEDS_PULSE, Kind
from simulator.lives import Lives, Work
from simulator.movement import Motion, Movement
from simulator.noise import GaussMarkov
from simulator.options import HORIZON_S, Mix, Options
from simulator.overlays import Overlays, overlays
from simulator.plane import Floats
from simulator.plans import Obedience
from simulator.power import REPORT_PCT, Charge, Power
from simulator.receiver import Receiver
from simulator.reports import Reports
from simulator.roster import Roster, corners
from simulator.scenes import TARGET, Scenes, rows_with
from simulator.script import Cast, Incident, Trip, plan
from simulator.spoofing import Spoofing
from simulator.terrain import DEAD_ZONES, TUNNELS, Disc, within
from simulator.truth import ZoneTruth, contexts, scripted
from simulator.weekly import local_minute, offset_min

BLOCK_READINGS: Final = 250_000
"""Bands x steps played at once: enough that numpy's fixed costs vanish, little enough that memory stays flat."""

BLOCK_STEPS: Final = (12, 720)
FARTHEST_REACH_M: Final = 3_000.0
COMMUTE_DEAD_M: Final = 260.0
AT_HOME_M: Final = 60.0
NEAR_LINE_M: Final = 15.0
ODD_DAYS: Final = 64
"""After so many days the small irregularities of sleep begin again."""

OLD_FIRMWARE_LACKS: Final = ("hdop", "hrv_rmssd_ms", "peak_g")


class Fleet:
    """All bands of a registry. Deterministic: the same options, registry, start and orders give the same reports.

    ``commanded``: bands hear what is sent to them; what happens to them is the same whether anything is sent or not,
    but for what reporting costs their batteries, which is settled block by block.
    """

    def __init__(
        self,
        options: Options,
        registry: Registry,
        *,
        start_ms: int,
        transit_s: tuple[float, float] = TRANSIT_S,
        commanded: bool = False,
    ) -> None:
        self.roster = Roster.of(registry, start_ms)
        self.start_ms = start_ms
        self.options = options
        self.dt_s = options.step
        n = len(self.roster)
        rngs = [np.random.default_rng([options.seed, 2, part]) for part in range(11)]
        way, bodies, sky, cells, scenes, stagger, radio, delivery, people, outages, downlink = rngs
        self._offset_s = stagger.permutation(n) * self.dt_s / n
        self._local_min = self._local_offsets(registry)
        start_hour = float(self._hours(np.zeros((n, 1))).mean())
        self._start_hour = start_hour
        fences = Fences.of(self.roster, registry.schedules, start_ms, registry.calendars)
        self._fences = fences
        confined = _confined(fences, n)
        curfewed = np.isin(np.arange(n), list(rows_with(fences, ZoneKind.CURFEW)))
        offices = [_office(self.roster, row) for row in range(n)]
        lives = Lives(people, fences, _reach_m(fences, n), confined, curfewed, offices, options.people)
        self._lives = lives
        self.interval_s = np.full(n, options.interval_s) if options.interval_s else self.roster.interval_s
        self.script = self._script(fences, confined, curfewed)
        stage = Scenes(scenes, fences, lives, self.roster.plane)
        self._odd_h = people.normal(0.0, 0.6, (n, ODD_DAYS, 2))
        self._weekday = int(local_minute(np.array([start_ms]), int(self._local_min[0]))[0]) // (24 * 60)
        self._movement = Movement(way, lives, stage, self.script, start_hour, self._weekday, self.dt_s)
        self._bodies = Bodies(bodies, n, self.dt_s, in_the_field=options.in_the_field)
        self._power = Power(cells, n, self.dt_s, self.script)
        self._receiver = Receiver(sky, self.roster.plane, self.dt_s, in_the_field=options.in_the_field)
        self._spoofing = Spoofing(self.script)
        self._rssi_dbm = radio.normal(-86.0, 6.0, n)[:, None]
        self._fading = GaussMarkov(radio, n, 90.0, self.dt_s)
        self.old_firmware = radio.random(n) < options.faults.old_firmware
        commuters = people.permutation(n)[: round(options.people.dead_zone_commute * n)]
        self._commuters = sorted(commuters.tolist()) if options.in_the_field else []
        self._dead_zones = (*DEAD_ZONES, *self._commutes()) if options.in_the_field else ()
        self._zone_truth = ZoneTruth(fences, self._movement, start_ms)
        self.downlink = Downlink(downlink)
        self._delivery = Delivery(
            delivery,
            interval_steps=np.maximum(1, np.rint(self.interval_s / self.dt_s)).astype(np.int64),
            dt_s=self.dt_s,
            start_ms=start_ms,
            faults=options.faults,
            script=self.script,
            transit_s=transit_s,
            downlink=self.downlink if commanded else None,
            outages=outages if commanded else None,
        )
        self._settled = np.zeros(n, np.int64)
        self._next_step = 0
        self.motion: Motion | None = None

    @property
    def played_s(self) -> float:
        """How much of the run has been played."""
        return self._next_step * self.dt_s

    def reports(self, duration_s: float, every_s: float | None = None) -> Iterator[Reports]:
        """What reaches the broker of so many seconds of the run, block after block, or every so often.

        What is sent to bands between two of them is heard during the next.
        """
        total = max(1, -int(-duration_s // self.dt_s))
        while self._next_step < total:
            block = self.play(min(self._block_steps(), total - self._next_step))
            steps = block.times_s.shape[1]
            each = steps if every_s is None else max(1, round(every_s / self.dt_s))
            block = block if every_s is None else block.by_step()
            for first in range(0, steps, each):
                last = min(first + each, steps)
                ends = self._next_step >= total and last == steps
                told = self._delivery.take(block, first, last, to_the_end=ends)
                yield told.take(told.at_s < duration_s)

    def slices(self) -> Iterator[Reports]:
        """The same step by step and without end: for a run in real time, in which bands obey."""
        while True:
            block = self.play(self._block_steps())
            for step in range(block.times_s.shape[1]):
                yield self._delivery.take(block, step, step + 1)

    def number_from(self, seqs: Sequence[int]) -> None:
        """The number of each band's next message, by row."""
        self._delivery.number_from(seqs)

    def command(self, row: int, interval_s: float, until_ms: int | None = None) -> None:
        """A band is told to report so often, until a moment or for good."""
        until_s = np.inf if until_ms is None else (until_ms - self.start_ms) / 1000.0
        self._delivery.command(row, interval_s, until_s)

    def send(self, order: Order) -> None:
        """Tell one band to report at another interval; it hears once it can be reached. Raises if not ``commanded``."""
        self._delivery.send(order)

    @property
    def obedience(self) -> Obedience:
        """What orders have come to so far."""
        return self._delivery.obedience

    def play(self, steps: int) -> Block:
        """What all bands measure over the next steps."""
        numbers = np.arange(self._next_step, self._next_step + steps)
        times_s = numbers * self.dt_s + self._offset_s[:, None]
        self._next_step += steps
        laid = overlays(times_s, self.script)
        motion = self._movement.over(times_s)
        self.motion = motion
        self._zone_truth.observe(times_s, motion)
        vitals = self._bodies.advance(motion, self._day(times_s), laid)
        covered, sky = self._coverage(motion)
        at_home = np.hypot(motion.xy[..., 0], motion.xy[..., 1]) < AT_HOME_M
        self._settle()
        charge = self._power.advance(times_s, laid.on("forgotten"), at_home, laid.on("plugged"))
        self._note_empty(times_s, charge)
        fix = self._receiver.advance(motion, laid.on("no_sky") | ~sky)
        self._spoofing.falsify(times_s, fix)
        for name in vitals:
            vitals[name] = np.where(self.roster.measures[:, None], vitals[name], np.nan)
        columns = {**fix, **vitals, **self._device(charge, laid)}
        for name in OLD_FIRMWARE_LACKS:
            columns[name] = np.where(self.old_firmware[:, None], np.nan, columns[name])
        return Block(
            first_step=int(numbers[0]),
            times_s=times_s,
            columns=columns,
            connected=covered & ~laid.on("no_network"),
            powered=charge.alive & ~laid.on("no_power"),
        )

    def truth(self, end_s: float) -> list[TruthLine]:
        """What really happened up to a time of the run, ordered by start."""
        device = self.roster.device
        walked = self._zone_truth.lines(device, self.script, end_s)
        return sorted([*scripted(self.script, device, self.start_ms, end_s), *walked], key=TruthLine.order)

    def contexts(self, end_s: float) -> list[ContextLine]:
        """What only looked like an event up to a time of the run: what happened, and how some people live."""
        happened = contexts(self.script, self.roster.device, self.start_ms, end_s)
        whole_run = {"start": moment(self.start_ms), "end": moment(self.start_ms + round(end_s * 1000.0))}
        lived = [
            ContextLine(device=self.roster.device[row], context=name, parameters={}, **whole_run)
            for name, rows in self._ways_of_life().items()
            for row in rows
        ]
        return sorted([*happened, *lived], key=ContextLine.order)

    def _ways_of_life(self) -> dict[str, list[int]]:
        keeps_in = self._fences.keeps_in & (self._fences.schedule < 0)
        near_line = keeps_in & (np.abs(self._fences.from_home_m) < NEAR_LINE_M)
        return {
            "home_on_the_line": sorted(set(self._fences.row[near_line].tolist())),
            "night_shift": [row for row, one in enumerate(self._lives.habits) if one.job is Work.NIGHT],
            "dead_zone_commute": self._commuters,
        }

    def _script(self, fences: Fences, confined: NDArray[np.bool_], curfewed: NDArray[np.bool_]) -> list[Incident]:
        if not self.options.incidents:
            return []
        cast = Cast(
            able=_able(self.roster, fences, confined, curfewed, self.options.mix),
            org=self.roster.org,
            leaves=self._trips(),
            interval_s=self.interval_s.tolist(),
            silence_after_s=self.roster.silence_after_s.tolist(),
            start_hour=self._start_hour,
        )
        return plan(self.options.mix, cast, seed=self.options.seed, horizon_s=self.options.duration_s or HORIZON_S)

    def _trips(self) -> list[Trip]:
        """Approved leaves that lie within the run."""
        ends_s = self.options.duration_s or HORIZON_S
        trips = [
            Trip(row, (from_ms - self.start_ms) / 1000.0, (to_ms - self.start_ms) / 1000.0)
            for row, leaves in enumerate(self.roster.leaves)
            for from_ms, to_ms in leaves
        ]
        return [trip for trip in trips if trip.start_s > 0 and trip.end_s < ends_s - HOUR]

    def _commutes(self) -> list[Disc]:
        """Dead spots half-way to work for those whose valley has one there."""
        discs = []
        for row in self._commuters:
            work = self._lives.habits[row].work
            lat, lon = self.roster.plane.degrees_of(row, work.x / 2.0, work.y / 2.0)
            discs.append(Disc(lat, lon, COMMUTE_DEAD_M))
        return discs

    def _coverage(self, motion: Motion) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where there is a network, and where there is any sky."""
        everywhere = np.ones(motion.roof.shape, np.bool_)
        if not self.options.in_the_field:
            return everywhere, everywhere
        lat, lon = self.roster.plane.block_degrees(motion.xy)
        tunnel = within(TUNNELS, lat, lon) & (motion.speed_mps > 4.0)
        home = np.hypot(motion.xy[..., 0], motion.xy[..., 1]) < AT_HOME_M
        return ~tunnel & (home | ~within(self._dead_zones, lat, lon)), ~tunnel

    def _device(self, charge: Charge, laid: Overlays) -> dict[str, Floats]:
        fading = self._fading.advance(charge.level_pct.shape[1])
        return {
            "battery_pct": np.round(charge.level_pct),
            "charging": charge.charging.astype(np.float64),
            "strap_closed": (~laid.on("strap_open")).astype(np.float64),
            "case_closed": (~laid.on("case_open")).astype(np.float64),
            "sos": laid.on("sos").astype(np.float64),
            "rssi_dbm": np.clip(np.round(self._rssi_dbm + 4.0 * fading), -120, -45),
        }

    def _note_empty(self, times_s: Floats, charge: Charge) -> None:
        """When a forgotten battery gave out is known only once it has."""
        for incident in self.script:
            if incident.kind is Kind.DEAD_BATTERY and "empty_s" not in incident.parameters:
                at = times_s[incident.row]
                dead = (at >= incident.start_s) & (at < incident.end_s) & ~charge.alive[incident.row]
                if dead.any():
                    incident.parameters["empty_s"] = round(float(at[np.argmax(dead)]), 1)

    def _day(self, times_s: Floats) -> Day:
        """Hours and sleep: everybody by their own habit, give or take what the day is like, later at weekends."""
        hours = self._hours(times_s)
        day, hour = np.divmod(hours, 24.0)
        rows = np.arange(len(times_s))[:, None]
        odd = self._odd_h[rows, day.astype(np.int64) % ODD_DAYS]
        weekend = (self._weekday + day.astype(np.int64)) % 7 >= 5
        habits = self._lives.habits
        wakes = np.array([one.wakes_h for one in habits])[:, None] + odd[..., 0] + 1.0 * weekend
        # Whoever goes to bed after midnight sleeps from early in the day that follows.
        sleeps = np.array([one.sleeps_h for one in habits])[:, None] + odd[..., 1]
        asleep = np.where(hour < 12.0, (hour < wakes) & (hour + 24.0 >= sleeps), hour >= sleeps)
        by_day = np.array([one.job is Work.NIGHT for one in habits])[:, None]
        return Day(hour, np.where(by_day, (hour > 8.2) & (hour < 14.5), asleep))

    def _hours(self, times_s: Floats) -> Floats:
        """Local hours since the midnight before the run."""
        midnight_h = (self.start_ms / 3.6e6 + self._local_min[:, None] / 60.0) // 24.0 * 24.0
        return np.asarray(self.start_ms / 3.6e6 + times_s / HOUR + self._local_min[:, None] / 60.0 - midnight_h)

    def _local_offsets(self, registry: Registry) -> NDArray[np.int64]:
        timezones = {org.id: offset_min(org.timezone, self.start_ms) for org in registry.orgs}
        return np.array([timezones[org] for org in self.roster.org])

    def _settle(self) -> None:
        """What was reported beyond the plan is paid for by the battery."""
        told = self.obedience.beyond_plan
        self._power.spend(REPORT_PCT * (told - self._settled))
        self._settled = told.copy()

    def _block_steps(self) -> int:
        least, most = BLOCK_STEPS
        return int(np.clip(BLOCK_READINGS // len(self.roster), least, most))


def _confined(fences: Fences, n: int) -> NDArray[np.bool_]:
    """Wearers whose curfew never ends."""
    always = [k < 0 or fences.weekly[k].always for k in fences.schedule.tolist()]
    flags = np.zeros(n, np.bool_)
    for pair, whole_week in zip(fences.pairs, always, strict=True):
        flags[pair.row] |= whole_week and pair.zone.kind is ZoneKind.CURFEW
    return flags


def _office(roster: Roster, row: int) -> Floats | None:
    """The middle of the first place of interest, in the wearer's plane."""
    if not roster.interests[row]:
        return None
    ring = np.array([position[:2] for position in corners(roster.interests[row][0])[0]], np.float64)
    lon, lat = (ring.min(axis=0) + ring.max(axis=0)) / 2.0
    return np.asarray(roster.plane.to_metres(row, np.array([lat]), np.array([lon]))[0])


def _reach_m(fences: Fences, n: int) -> Floats:
    """How far from home a wearer's own places may lie: nearly as far as the keep-in's far side."""
    reach_m = np.full(n, FARTHEST_REACH_M)
    for number, pair in enumerate(fences.pairs):
        if pair.zone.kind is ZoneKind.KEEP_IN:
            farthest_m = float(np.hypot(*fences.middle(number))) + fences.extent_m(number)
            reach_m[pair.row] = min(reach_m[pair.row], 0.9 * farthest_m)
    return reach_m


def _able(
    roster: Roster, fences: Fences, confined: NDArray[np.bool_], curfewed: NDArray[np.bool_], mix: Mapping[Kind, Mix]
) -> Mapping[Kind, list[int]]:
    """Whom each kind can happen to."""
    stuck = set(np.flatnonzero(confined).tolist())
    everybody = set(range(len(roster)))
    with_pulse = set(np.flatnonzero(roster.measures).tolist())
    bound, banned = rows_with(fences, ZoneKind.KEEP_IN) - stuck, rows_with(fences, ZoneKind.KEEP_OUT) - stuck
    targets = {ZoneKind.KEEP_IN: bound, ZoneKind.KEEP_OUT: banned - bound or banned}
    targets[ZoneKind.CURFEW] = rows_with(fences, ZoneKind.CURFEW)
    free = everybody - set(np.flatnonzero(curfewed).tolist())
    able: dict[Kind, set[int]] = {}
    for kind in KINDS:
        rows = targets[TARGET[kind]] if kind in TARGET else everybody
        rows = rows & with_pulse if kind in NEEDS_PULSE else rows
        rows = free if kind is Kind.ROUTINE_NIGHT else rows
        able[kind] = rows - stuck if kind in _GOING_OUT else rows
    if stuck and mix.get(Kind.CURFEW_ABSENCE, Mix()).at_s:
        # A show at noon needs somebody whose curfew holds at noon.
        able[Kind.CURFEW_ABSENCE] = stuck
    return {kind: sorted(rows) for kind, rows in able.items()}


_GOING_OUT: Final = frozenset(
    {Kind.PROTECTED_APPROACH, Kind.GATHERING, Kind.ROUTINE_NIGHT, Kind.ROUTINE_PLACE, Kind.CYCLING, Kind.CURFEW_LATE}
)
