"""What a naive product would have rung: fixed thresholds, a point in a polygon, and chance, to run beside our judge.

One rule a code, no hysteresis, no context. What a rule says is joined to episodes only, so that the
baselines are not beaten by their repetitions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from evaluation.outcome import Found
from flows.judge import HISTORIC_AFTER_MS
from flows.rules import rules_by_shard
from geo.demands import Demands
from geo.presence import OUTSIDE
from geo.shapes import METRES_PER_DEGREE
from geo.watch import CODES
from schemas.alerts import KINDS, AlertCode, AlertState
from schemas.judging import NEVER, Columns, Rows, Table, Times, WearerRules
from schemas.readings import Readings
from schemas.registry import NumberedRegistry, ZoneKind

FIXED: Final = "fixed threshold"
NAIVE: Final = "naive point in polygon"
QUIET_MS: Final = 15 * 60_000
"""A rule that was not true for longer than this and is again, rings again."""
GATHERING_EVERY_MS: Final = 5 * 60_000

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MEASURES: Final[dict[AlertCode, str]] = {
    AlertCode.DEVICE_STRAP: "strap_closed",
    AlertCode.DEVICE_CASE: "case_closed",
    AlertCode.DEVICE_SOS: "sos",
    AlertCode.DEVICE_BATTERY: "battery_pct",
    AlertCode.DEVICE_OFF_BODY: "heart_rate_absent",
    AlertCode.DEVICE_SILENCE: "gap_s",
    AlertCode.DEVICE_NO_FIX: "without_fix_s",
    AlertCode.DEVICE_SPOOF: "implied_speed_mps",
    AlertCode.VITALS_HEART_RATE: "heart_rate_bpm",
    AlertCode.VITALS_SPO2: "spo2_pct",
    AlertCode.VITALS_TEMPERATURE: "skin_temp_c",
    AlertCode.VITALS_FALL: "peak_g",
    AlertCode.VITALS_STRESS: "heart_rate_bpm",
    AlertCode.GATHERING: "wearers",
    AlertCode.SITE_OUTAGE: "bands",
    AlertCode.ZONE_APPROACH: "distance_m",
    AlertCode.ZONE_DWELL: "distance_m",
    AlertCode.ZONE_EXIT: "distance_m",
    AlertCode.ZONE_ENTER: "distance_m",
    AlertCode.ZONE_CURFEW: "distance_m",
}
"""What an alert of each rule shows as its evidence."""
_NAIVE_CODES: Final = tuple(CODES.values())
_BY_PAIR: Final = frozenset({*_NAIVE_CODES, AlertCode.ZONE_APPROACH, AlertCode.ZONE_DWELL})
_MEMORY: Final[Columns] = {
    "heard_ms": (np.int64, NEVER),
    "without_fix_since_ms": (np.int64, NEVER),
    "fix_ms": (np.int64, NEVER),
    "lat": (np.float64, np.nan),
    "lon": (np.float64, np.nan),
    "has_pulse": (np.bool_, False),
}
_ANSWERS: Final[Columns] = {"holds": (np.bool_, False), "asked_ms": (np.int64, NEVER), "turns_ms": (np.int64, NEVER)}


@dataclass(frozen=True, slots=True)
class FixedThresholds:
    """The numbers of the fixed rules: textbook limits and what tenders and data sheets write, none of them tuned.

    Heart rate: the clinical limits of brady- and tachycardia at rest, here asked at any time; ``stress`` is a
    raised rate without steps in the same reading. ``spo2_low_pct``: the clinical limit of hypoxaemia.
    ``skin_temp_high_c``: fever, as if skin were core. ``peak_g``: the usual limit on the magnitude of a wrist's
    acceleration. ``battery_low_pct``: what phones warn at. ``implied_speed_mps``: faster than any train here.
    """

    battery_low_pct: float = 20.0
    heart_rate_high_bpm: float = 100.0
    heart_rate_low_bpm: float = 50.0
    stress_heart_rate_bpm: float = 90.0
    spo2_low_pct: float = 90.0
    skin_temp_high_c: float = 38.0
    peak_g: float = 3.0
    silence_s: float = 600.0
    no_fix_s: float = 600.0
    implied_speed_mps: float = 100.0
    gathering_wearers: int = 3
    gathering_m: float = 50.0
    gathering_fresh_s: float = 600.0
    outage_bands: int = 5
    outage_s: float = 600.0
    near_m: float = 100.0
    dwell_s: float = 900.0


class Hits(NamedTuple):
    """When a rule was true, by key and then by time: from when to when, when we could know, and what it saw."""

    key: Rows
    from_ms: Times
    to_ms: Times
    known_ms: Times
    value: Floats

    def take(self, index: NDArray[np.intp]) -> "Hits":
        """The hits at these positions."""
        return Hits(self.key[index], self.from_ms[index], self.to_ms[index], self.known_ms[index], self.value[index])


class Episodes:
    """The hits of one rule as alerts: a key's next alert needs more than ``QUIET_MS`` without a hit before it.

    >>> episodes = Episodes(keys=1)
    >>> at = np.array([0, 14, 40]) * 60_000
    >>> episodes.add(Hits(np.zeros(3, np.intp), at, at, at, np.zeros(3)))
    >>> (episodes.joined().from_ms // 60_000).tolist(), (episodes.joined().to_ms // 60_000).tolist()
    ([0, 40], [14, 40])
    """

    def __init__(self, keys: int) -> None:
        self._last_ms = np.full(keys, NEVER, np.int64)
        self._opened: list[Hits] = []
        self._ended_before: list[Times] = []

    def add(self, hits: Hits) -> None:
        """Take hits sorted by key and time; one older than the newest of its key only ever belongs to an episode."""
        if not len(hits.key):
            return
        before_ms = np.maximum(previous(hits.key, hits.to_ms, self._last_ms), self._last_ms[hits.key])
        opens = np.flatnonzero((before_ms == NEVER) | (hits.from_ms - before_ms > QUIET_MS))
        if len(opens):
            self._opened.append(hits.take(opens))
            self._ended_before.append(before_ms[opens])
        remember_last(self._last_ms, hits.key, np.maximum(before_ms, hits.to_ms))

    def joined(self) -> Hits:
        """Each episode by its first hit, with ``to_ms`` when it was last true; by key and time."""
        hits = _concat(self._opened)
        order = np.argsort(hits.key, kind="stable")
        hits, before_ms = hits.take(order), np.concatenate([np.empty(0, np.int64), *self._ended_before])[order]
        is_last = _ends_run(hits.key)
        return hits._replace(to_ms=np.where(is_last, self._last_ms[hits.key], np.roll(before_ms, -1)))


class Baselines:
    """Both baselines over one stream of readings; nothing is to be added after ``end``.

    A batch is judged by band and event time, as our judge does; batches come in the order of receipt.
    """

    def __init__(self, wearers: WearerRules, demands: Demands, thresholds: FixedThresholds) -> None:
        self._wearers, self._demands, self._thresholds = wearers, demands, thresholds
        self._memory = Table.new(wearers.keys, _MEMORY)
        self._answers = Table.new(demands.key, _ANSWERS)
        self._near_since_ms = np.full(len(demands.key), NEVER, np.int64)
        self._episodes = {code: Episodes(len(demands.key) if code in _BY_PAIR else len(wearers)) for code in _MEASURES}
        self._silences: list[Hits] = []
        self._gathered_ms = NEVER
        self._now_ms = NEVER
        kinds = [demands.zones[zone].kind for zone in demands.zone]
        self._of_kind = {kind: np.array([k is kind for k in kinds], np.bool_) for kind in CODES}

    @classmethod
    def of(cls, numbered: NumberedRegistry, thresholds: FixedThresholds | None = None) -> Self:
        """Baselines that ask of everybody what the registry asks."""
        rules = rules_by_shard(numbered, shards=1)[0]
        return cls(rules.wearers, rules.demands, thresholds or FixedThresholds())

    def add(self, readings: Readings) -> None:
        """Judge a batch; readings of unknown bands are ignored."""
        rows = self._wearers.rows_of(readings.device)
        known = np.flatnonzero(rows >= 0)
        if not len(known):
            return
        self._hear(rows[known], readings.ingest_ms[known])
        order = known[np.lexsort((readings.event_ms[known], rows[known]))]
        rows, readings = rows[order], readings.take(order)
        self._judge_readings(rows, readings)
        self._judge_pulse(rows, readings)
        self._judge_no_fix(rows, readings)
        with_fix = np.flatnonzero(readings.has_fix)
        rows, fixes = rows[with_fix], readings.take(with_fix)
        self._judge_zones(rows, fixes)
        self._judge_speed(rows, fixes)
        self._judge_gathering()

    def end(self, now_ms: int) -> None:
        """The stream is over: bands that say nothing more are silent by now, what was true lately is still open."""
        self._now_ms = max(self._now_ms, now_ms)
        heard_ms = self._memory["heard_ms"]
        rows = np.flatnonzero(heard_ms != NEVER)
        self._fall_silent(rows, heard_ms[rows], np.full(len(rows), now_ms))

    def alerts(self) -> dict[str, list[Found]]:
        """All alerts so far by the baseline's name, by when they rang."""
        outage = Episodes(len(self._wearers))
        outage.add(outages(_concat(self._silences), self._wearers.org, self._thresholds))
        episodes = self._episodes | {AlertCode.SITE_OUTAGE: outage}
        found = {code: list(self._found(code, of_code)) for code, of_code in episodes.items()}
        return {
            FIXED: _ordered([f for code in found.keys() - set(_NAIVE_CODES) for f in found[code]]),
            NAIVE: _ordered([f for code in _NAIVE_CODES for f in found[code]]),
        }

    def _judge_readings(self, rows: Rows, readings: Readings) -> None:
        for code, mask in point_rules(readings, self._thresholds).items():
            at = np.flatnonzero(mask)
            if len(at):
                values = getattr(readings, _MEASURES[code])[at].astype(np.float64)
                self._episodes[code].add(_hits(rows[at], readings, at, values))

    def _judge_pulse(self, rows: Rows, readings: Readings) -> None:
        absent = np.isnan(readings.heart_rate_bpm)
        has_pulse = self._memory["has_pulse"]
        has_pulse[rows[~absent]] = True
        at = np.flatnonzero(absent & has_pulse[rows])
        self._episodes[AlertCode.DEVICE_OFF_BODY].add(_hits(rows[at], readings, at, np.ones(len(at))))

    def _judge_no_fix(self, rows: Rows, readings: Readings) -> None:
        since = held_since(self._memory["without_fix_since_ms"], rows, ~readings.has_fix, readings.event_ms)
        without_s = np.where(since == NEVER, 0.0, (readings.event_ms - since) / 1000.0)
        at = np.flatnonzero(without_s > self._thresholds.no_fix_s)
        self._episodes[AlertCode.DEVICE_NO_FIX].add(_hits(rows[at], readings, at, without_s[at]))

    def _judge_zones(self, rows: Rows, fixes: Readings) -> None:
        demands, limits = self._demands, self._thresholds
        pairs, place = demands.pairs_of(rows)
        distance_m = demands.shapes.signed_distance_m(demands.zone[pairs], fixes.lat[place], fixes.lon[place])
        wrong = np.where(demands.wrong_side[pairs] == OUTSIDE, distance_m > 0, distance_m < 0)
        near = ~wrong & (np.abs(distance_m) <= limits.near_m) & ~self._of_kind[ZoneKind.CURFEW][pairs]
        keep_out = self._of_kind[ZoneKind.KEEP_OUT][pairs]
        said = np.flatnonzero(wrong | near | keep_out)
        said = said[np.argsort(pairs[said], kind="stable")]
        pairs, place, distance_m = pairs[said], place[said], distance_m[said]
        event_ms = fixes.event_ms[place]
        holds = self._demanded(pairs, event_ms)
        wrong, near = wrong[said] & holds, near[said] & holds
        since = held_since(self._near_since_ms, pairs, near & keep_out[said], event_ms)
        rules = {CODES[kind]: wrong & mine[pairs] for kind, mine in self._of_kind.items()}
        rules[AlertCode.ZONE_APPROACH] = near
        rules[AlertCode.ZONE_DWELL] = (since != NEVER) & (event_ms - since >= limits.dwell_s * 1000.0)
        for code, mask in rules.items():
            at = np.flatnonzero(mask)
            self._episodes[code].add(_hits(pairs[at], fixes, place[at], distance_m[at]))

    def _demanded(self, pairs: NDArray[np.intp], at_ms: Times) -> Mask:
        """Whether demands hold, asked anew only where the answer may have turned: leaves are slow to ask."""
        answers = self._answers
        holds = answers["holds"][pairs]
        anew = np.flatnonzero((at_ms < answers["asked_ms"][pairs]) | (at_ms >= answers["turns_ms"][pairs]))
        if len(anew):
            asked, asked_ms = pairs[anew], at_ms[anew]
            holds[anew], _, turns_ms = self._demands.at(asked, asked_ms)
            for name, column in (("holds", holds[anew]), ("asked_ms", asked_ms), ("turns_ms", turns_ms)):
                remember_last(answers[name], asked, column)
        return holds

    def _judge_speed(self, rows: Rows, fixes: Readings) -> None:
        memory = self._memory
        fresh = np.flatnonzero(fixes.event_ms > memory["fix_ms"][rows])
        rows, event_ms, lat, lon = rows[fresh], fixes.event_ms[fresh], fixes.lat[fresh], fixes.lon[fresh]
        before_ms = previous(rows, event_ms, memory["fix_ms"])
        metres = apart_m(lat, lon, previous(rows, lat, memory["lat"]), previous(rows, lon, memory["lon"]))
        comparable = (before_ms != NEVER) & (event_ms > before_ms)
        speed_mps = np.zeros(len(rows))
        np.divide(metres * 1000.0, event_ms - before_ms, out=speed_mps, where=comparable)
        at = np.flatnonzero(speed_mps > self._thresholds.implied_speed_mps)
        self._episodes[AlertCode.DEVICE_SPOOF].add(_hits(rows[at], fixes, fresh[at], speed_mps[at]))
        for name, column in (("fix_ms", event_ms), ("lat", lat), ("lon", lon)):
            remember_last(memory[name], rows, column)

    def _hear(self, rows: Rows, ingest_ms: Times) -> None:
        self._now_ms = max(self._now_ms, int(ingest_ms[-1]))
        order = np.argsort(rows, kind="stable")
        rows, ingest_ms = rows[order], ingest_ms[order]
        heard_ms = self._memory["heard_ms"]
        before_ms = previous(rows, ingest_ms, heard_ms)
        spoke = np.flatnonzero(before_ms != NEVER)
        self._fall_silent(rows[spoke], before_ms[spoke], ingest_ms[spoke])
        remember_last(heard_ms, rows, ingest_ms)

    def _fall_silent(self, rows: Rows, heard_ms: Times, until_ms: Times) -> None:
        """Ring at the moment the time is up, whenever we come to look."""
        gap_ms = until_ms - heard_ms
        after_ms = int(self._thresholds.silence_s * 1000.0)
        at = np.flatnonzero(gap_ms > after_ms)
        if len(at):
            due_ms = heard_ms[at] + after_ms
            hits = Hits(rows[at], due_ms, until_ms[at], due_ms, gap_ms[at] / 1000.0)
            self._silences.append(hits)
            self._episodes[AlertCode.DEVICE_SILENCE].add(hits)

    def _judge_gathering(self) -> None:
        now_ms, limits = self._now_ms, self._thresholds
        if self._gathered_ms != NEVER and now_ms - self._gathered_ms < GATHERING_EVERY_MS:
            return
        self._gathered_ms = now_ms
        fix_ms = self._memory["fix_ms"]
        rows = np.flatnonzero((fix_ms != NEVER) & (fix_ms >= now_ms - limits.gathering_fresh_s * 1000.0))
        company = company_within(self._memory["lat"][rows], self._memory["lon"][rows], limits.gathering_m)
        at = np.flatnonzero(company >= limits.gathering_wearers)
        times = np.full(len(at), now_ms)
        self._episodes[AlertCode.GATHERING].add(Hits(rows[at], times, times, times, company[at].astype(np.float64)))

    def _found(self, code: AlertCode, episodes: Episodes) -> Iterator[Found]:
        joined = episodes.joined()
        for key, from_ms, to_ms, known_ms, value in zip(*(column.tolist() for column in joined), strict=True):
            row = int(self._demands.row[key]) if code in _BY_PAIR else key
            still_open = self._now_ms - to_ms <= QUIET_MS
            historic = known_ms - from_ms > HISTORIC_AFTER_MS
            yield Found(
                device=self._wearers.device[row],
                wearer=self._wearers.wearer[row],
                code=code,
                subject=self._demands.zones[self._demands.zone[key]].id if code in _BY_PAIR else "",
                priority=KINDS[code].priority.label,
                found_ms=from_ms if historic else known_ms,
                known_ms=known_ms,
                ended_ms=None if still_open else to_ms,
                state=AlertState.OPEN if still_open else AlertState.CLEARED,
                historic=historic,
                evidence={_MEASURES[code]: round(value, 1)},
            )


def point_rules(readings: Readings, limits: FixedThresholds) -> dict[AlertCode, Mask]:
    """For each rule that looks at one reading alone, the readings at which it is true; what is absent is not."""
    heart_bpm = readings.heart_rate_bpm
    return {
        AlertCode.DEVICE_STRAP: readings.strap_closed == 0,
        AlertCode.DEVICE_CASE: readings.case_closed == 0,
        AlertCode.DEVICE_SOS: readings.sos == 1,
        AlertCode.DEVICE_BATTERY: (readings.battery_pct <= limits.battery_low_pct) & (readings.charging != 1),
        AlertCode.VITALS_HEART_RATE: (heart_bpm > limits.heart_rate_high_bpm) | (heart_bpm < limits.heart_rate_low_bpm),
        AlertCode.VITALS_SPO2: readings.spo2_pct < limits.spo2_low_pct,
        AlertCode.VITALS_TEMPERATURE: readings.skin_temp_c > limits.skin_temp_high_c,
        AlertCode.VITALS_FALL: readings.peak_g > limits.peak_g,
        AlertCode.VITALS_STRESS: (heart_bpm > limits.stress_heart_rate_bpm) & (readings.steps == 0),
    }


def outages(silences: Hits, org: Sequence[str], limits: FixedThresholds) -> Hits:
    """Silences (by row) of an org that began close together: each rings when enough of them have."""
    members = np.array(org)[silences.key] if len(silences.key) else np.empty(0, np.str_)
    parts = [_outages(silences.take(np.flatnonzero(members == name)), limits) for name in np.unique(members)]
    hits = _concat(parts)
    return hits.take(np.lexsort((hits.from_ms, hits.key)))


def _outages(silences: Hits, limits: FixedThresholds) -> Hits:
    silences = silences.take(np.argsort(silences.from_ms, kind="stable"))
    fell_ms, span_ms = silences.from_ms, int(limits.outage_s * 1000.0)
    together = np.arange(1, len(fell_ms) + 1) - np.searchsorted(fell_ms, fell_ms - span_ms)
    enough = np.flatnonzero(together >= limits.outage_bands)
    if not len(enough):
        return _concat([])
    decided = enough[np.searchsorted(enough, np.arange(len(fell_ms))).clip(max=len(enough) - 1)]
    at = np.flatnonzero((fell_ms[decided] >= fell_ms) & (fell_ms[decided] - fell_ms <= span_ms))
    rang_ms, until_ms = fell_ms[decided[at]], silences.to_ms[at]
    return Hits(silences.key[at], rang_ms, np.maximum(rang_ms, until_ms), rang_ms, together[decided[at]].astype(float))


def company_within(lat: Floats, lon: Floats, within_m: float) -> NDArray[np.intp]:
    """How many of the points lie within so many metres of each, itself included.

    From west to east each point is compared with the next one, the one after that, and so on while any is near.

    >>> company_within(np.array([26.58, 26.5803, 26.6]), np.array([101.71, 101.71, 101.71]), 50.0).tolist()
    [2, 2, 1]
    """
    order = np.argsort(lon)
    lat, lon = lat[order], lon[order]
    within_lon = within_m / METRES_PER_DEGREE / np.cos(np.radians(np.abs(lat)))
    company = np.ones(len(order), np.intp)
    for ahead in range(1, len(order)):
        west = np.flatnonzero(lon[ahead:] - lon[:-ahead] <= within_lon[:-ahead])
        if not len(west):
            break
        west = west[apart_m(lat[west], lon[west], lat[west + ahead], lon[west + ahead]) <= within_m]
        company[west] += 1
        company[west + ahead] += 1
    return company[np.argsort(order)]


def apart_m(lat: Floats, lon: Floats, other_lat: Floats, other_lon: Floats) -> Floats:
    """Metres between points that are near each other; NaN where one of them is."""
    x = (lon - other_lon) * np.cos(np.radians(lat))
    return np.asarray(np.hypot(x, lat - other_lat) * METRES_PER_DEGREE)


def previous(key: Rows, values: NDArray[Any], remembered: NDArray[Any]) -> NDArray[Any]:
    """The value before each of the same key: the keys come in runs, before a run is what was remembered of its key.

    >>> previous(np.array([0, 0, 2]), np.array([5, 6, 7]), np.array([-1, -1, 3])).tolist()
    [-1, 5, 3]
    """
    before = np.roll(values, 1)
    first = _starts_run(key)
    before[first] = remembered[key[first]]
    return before


def remember_last(remembered: NDArray[Any], key: Rows, values: NDArray[Any]) -> None:
    """Note the last value of each run of keys under its key."""
    last = np.flatnonzero(_ends_run(key))
    remembered[key[last]] = values[last]


def held_since(since_ms: Times, key: Rows, holds: Mask, time_ms: Times) -> Times:
    """Since when a condition holds without a break, ``NEVER`` where it does not; the keys come in runs.

    ``since_ms`` (one a key) is what was so before, and afterwards what is so now.

    >>> since = np.array([3])
    >>> held_since(since, np.zeros(4, int), np.array([True, False, True, True]), np.array([5, 6, 7, 8])).tolist()
    [3, -1, 7, 7]
    """
    if not len(key):
        return np.empty(0, np.int64)
    first = _starts_run(key)
    before_ms = np.where(first, since_ms[key], NEVER)
    began = np.where(before_ms == NEVER, time_ms, before_ms)
    held_before = np.where(first, before_ms != NEVER, np.roll(holds, 1))
    anchor = np.maximum.accumulate(np.where(first | (holds & ~held_before), np.arange(len(key)), 0))
    since = np.where(holds, began[anchor], NEVER)
    remember_last(since_ms, key, since)
    return since


def random_alerts(like: Sequence[Found], observed: Mapping[str, tuple[int, int]], *, seed: int) -> list[Found]:
    """As many alerts of each code as ``like`` has, on any observed device at any moment from its first to its last.

    ``observed``: first and last UTC ms by device, at least one. The wearer is known where ``like`` names the device's.
    """
    rng = np.random.default_rng(seed)
    devices = sorted(observed)
    wearers = {found.device: found.wearer for found in like}
    return _ordered([_at_random(found.code, devices, observed, wearers, rng) for found in like])


def _at_random(
    code: AlertCode,
    devices: Sequence[str],
    observed: Mapping[str, tuple[int, int]],
    wearers: Mapping[str, str],
    rng: np.random.Generator,
) -> Found:
    device = devices[int(rng.integers(len(devices)))]
    first_ms, last_ms = observed[device]
    at_ms = int(rng.integers(first_ms, last_ms, endpoint=True))
    return Found(
        device=device,
        wearer=wearers.get(device, ""),
        code=code,
        subject="",
        priority=KINDS[code].priority.label,
        found_ms=at_ms,
        known_ms=at_ms,
        ended_ms=at_ms,
        state=AlertState.CLEARED,
        historic=False,
        evidence={},
    )


def _concat(parts: Sequence[Hits]) -> Hits:
    none = (np.empty(0, dtype) for dtype in (np.intp, np.int64, np.int64, np.int64, np.float64))
    return Hits._make(np.concatenate(columns) for columns in zip(none, *parts, strict=True))


def _starts_run(key: Rows) -> Mask:
    first = np.ones(len(key), np.bool_)
    np.not_equal(key[1:], key[:-1], out=first[1:])
    return first


def _ends_run(key: Rows) -> Mask:
    last = np.ones(len(key), np.bool_)
    np.not_equal(key[1:], key[:-1], out=last[:-1])
    return last


def _hits(key: Rows, readings: Readings, at: NDArray[np.intp], value: Floats) -> Hits:
    return Hits(key, readings.event_ms[at], readings.event_ms[at], readings.ingest_ms[at], value)


def _ordered(found: list[Found]) -> list[Found]:
    return sorted(found, key=lambda f: (f.found_ms, f.device, f.code, f.subject))
