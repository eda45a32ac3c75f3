"""One scenario a kind of event: its truth is told, and its sign shows in what the bands report."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.alerts import AlertCode
from schemas.registry import Registry
from schemas.truth import TruthLine
from simulator import KINDS, Kind
from simulator.fences import Fences
from simulator.kinds import READ_OFF_THE_GROUND
from simulator.plane import METRES_PER_DEGREE, Floats
from tests.simulator.watched import Watched, only, people, watch

EVENTS = [kind for kind in Kind if KINDS[kind].code is not None]


class Staged(NamedTuple):
    """What a run of one kind shows: all of its truth lines, and the ground they happened on."""

    kind: Kind
    run: Watched
    lines: list[TruthLine]
    fences: Fences


def _ground(kind: Kind) -> tuple[int, float, float]:
    """Wearers, days and leaves a wearer-day: enough for whatever lasts as long as this."""
    if kind is Kind.LEAVE_OVERSTAY:
        return 24, 6.0, 0.06
    if kind is Kind.ILLNESS:
        return 16, 7.0, 0.0
    return (24, 4.0, 0.0) if kind in {Kind.FEVER, Kind.SILENCE_NETWORK} else (40, 2.0, 0.0)


@pytest.fixture(scope="module")
def registries() -> dict[tuple[int, float, float], Registry]:
    return {}


@pytest.fixture(scope="module", params=EVENTS, ids=str)
def staged(request: pytest.FixtureRequest, registries: dict[tuple[int, float, float], Registry]) -> Staged:
    kind: Kind = request.param
    wearers, days, leaves = ground = _ground(kind)
    if ground not in registries:
        registries[ground] = people(wearers, days, leaves_per_day=leaves)
    run = watch(only(kind, wearers=wearers, days=days, times=8), registries[ground])
    lines = [line for line in run.truth if line.parameters["kind"] == kind.value and line.code is KINDS[kind].code]
    return Staged(kind, run, lines, Fences.of(run.fleet.roster, registries[ground].schedules, run.fleet.start_ms))


def test_an_event_is_told_under_its_code_and_kind(staged: Staged) -> None:
    assert staged.lines
    scripted = {incident.kind for incident in staged.run.fleet.script}
    assert scripted == {staged.kind}


def test_an_event_lasts_as_long_and_is_as_strong_as_its_ranges_say(staged: Staged) -> None:
    ranges = dict(KINDS[staged.kind].ranges)
    shortest_s, longest_s = ranges.pop("lasting_s")
    if staged.kind is Kind.GATHERING:
        # It ends for all at once, and begins for each when they arrive.
        shortest_s -= 1_800.0
    end_s = staged.run.fleet.options.duration_s
    for line in staged.lines:
        start_s, stop_s = staged.run.seconds(line.start), staged.run.seconds(line.end)
        assert 0 <= start_s < stop_s <= end_s
        if staged.kind not in READ_OFF_THE_GROUND:
            # A silence may be stretched to what its plan tolerates, a short event to three reports.
            assert stop_s - start_s <= max(longest_s, 7_200.0) + 0.1
            assert stop_s == end_s or stop_s - start_s >= shortest_s - 0.1
            assert line.parameters.keys() >= ranges.keys()
        for name in line.parameters.keys() & ranges.keys() - {"members"}:
            assert ranges[name][0] <= line.parameters[name] <= ranges[name][1], name


def test_an_event_shows_in_what_bands_report_or_do_not_report(staged: Staged) -> None:
    SIGNS[staged.kind](staged)


def test_whoever_rests_or_has_fallen_and_a_band_that_lies_about_stay_where_they_are(staged: Staged) -> None:
    for line in staged.lines if staged.kind in STAY_PUT else ():
        row, steps = staged.run.row(line), staged.run.steps(line)
        assert staged.run.motion.travelled_m[row, steps[2:]].sum() < 1


STAY_PUT = {Kind.FAST_HEART, Kind.SLOW_HEART, Kind.STRESS, Kind.FALL, Kind.OFF_BODY, Kind.STRAP_CUT}


def _only_then(name: str, value: float) -> Callable[[Staged], None]:
    def sign(staged: Staged) -> None:
        column = staged.run.column(name)
        for line in staged.lines:
            assert (column[staged.run.row(line), staged.run.steps(line)] == value).all()
        assert not (column[staged.run.untouched(staged.lines)] == value).any()

    return sign


def _strap_opens_and_closes(staged: Staged) -> None:
    strap = staged.run.column("strap_closed")
    for line in staged.lines:
        assert set(staged.run.within("strap_closed", line)) == {0.0, 1.0}
    assert (strap[staged.run.untouched(staged.lines)] == 1).all()


def _off_the_body(staged: Staged) -> None:
    for line in staged.lines:
        assert np.isnan(staged.run.within("heart_rate_bpm", line)).all()
        assert (staged.run.within("quality", line) == 0).all()
        assert np.nansum(staged.run.within("steps", line)) == 0
        skin_c = staged.run.within("skin_temp_c", line)[-1]
        assert abs(skin_c - line.parameters["ambient_c"]) < 3


def _on_another_wrist(staged: Staged) -> None:
    for line in staged.lines:
        heart = staged.run.within("heart_rate_bpm", line)
        gap = max(int(line.parameters["gap_s"] // staged.run.fleet.dt_s), 1)
        assert np.isnan(heart[:gap]).all()
        assert np.isfinite(heart[gap + 2 :]).mean() > 0.8


def _battery_low(staged: Staged) -> None:
    for line in staged.lines:
        level = staged.run.within("battery_pct", line)
        assert level[0] <= line.parameters["level_pct"] + 0.5
        assert (np.diff(level) <= 0).all()
        assert (staged.run.within("charging", line) == 0).all()
    assert staged.run.column("battery_pct")[staged.run.untouched(staged.lines, 7_200.0)].min() > 18


def _battery_dies(staged: Staged) -> None:
    silences = [line for line in staged.run.truth if line.code is AlertCode.DEVICE_SILENCE]
    assert silences
    for line in staged.lines:
        assert staged.run.within("battery_pct", line)[0] <= 6.5
    for line in silences:
        assert line.parameters["kind"] == Kind.DEAD_BATTERY
        assert not staged.run.told[staged.run.row(line), staged.run.steps(line)].any()


def _arrivals_s(run: Watched, line: TruthLine) -> Floats:
    mine = run.reports.row == run.row(line)
    return run.reports.sent_s[mine]


def _nothing_arrives(staged: Staged) -> None:
    for line in staged.lines:
        start_s, end_s = staged.run.seconds(line.start), staged.run.seconds(line.end)
        arrived_s = _arrivals_s(staged.run, line)
        # What had left before is still on its way.
        assert not ((arrived_s > start_s + 1) & (arrived_s < end_s)).any()


def _no_reading_is_made(staged: Staged) -> None:
    _nothing_arrives(staged)
    for line in staged.lines:
        assert not staged.run.told[staged.run.row(line), staged.run.steps(line)].any()
    for line in _ended(staged):
        assert staged.run.told[staged.run.row(line), staged.run.steps(line)[-1] + 1]


def _stored_without_a_fix(staged: Staged) -> None:
    _nothing_arrives(staged)
    for line in _ended(staged):
        assert staged.run.told[staged.run.row(line), staged.run.steps(line)].all()
        assert np.isnan(staged.run.within("lat", line)).all()


def _stored_with_its_fixes(staged: Staged) -> None:
    _nothing_arrives(staged)
    for line in _ended(staged):
        assert np.isfinite(staged.run.within("lat", line)).all()


def _ended(staged: Staged) -> list[TruthLine]:
    """Events whose end was seen, so that what was stored could be sent."""
    last_s = staged.run.fleet.options.duration_s or 0.0
    ended = [line for line in staged.lines if staged.run.seconds(line.end) < last_s - 600]
    assert ended
    return ended


def _no_fix(staged: Staged) -> None:
    for line in staged.lines:
        assert np.isnan(staged.run.within("lat", line)).all()
        assert staged.run.told[staged.run.row(line), staged.run.steps(line)].all()
        late_s = staged.run.cells(staged.run.reports.sent_s - staged.run.reports.at_s)
        assert np.nanmax(late_s[staged.run.row(line), staged.run.steps(line)]) < 1
    assert np.isfinite(staged.run.column("lat")[staged.run.untouched(staged.lines)]).all()


def _off_m(run: Watched) -> Floats:
    """How far each fix lies from where its band truly is."""
    return np.hypot(*np.moveaxis(run.fix_xy - run.motion.xy, 2, 0))


def _far_from_the_truth(staged: Staged) -> None:
    off_m = _off_m(staged.run)
    for line in staged.lines:
        away_m = off_m[staged.run.row(line), staged.run.steps(line)]
        assert away_m.min() > 1_900
        assert np.median(away_m) == pytest.approx(line.parameters["away_m"], rel=0.05)
    assert np.quantile(off_m[staged.run.untouched(staged.lines)], 0.99) < 100


def _one_place_to_the_last_digit(staged: Staged) -> None:
    for line in staged.lines:
        for name in ("lat", "lon", "accuracy_m"):
            assert len(set(staged.run.within(name, line))) == 1
        assert (staged.run.within("age_s", line) == 0).all()


def _drifts_away(staged: Staged) -> None:
    off_m = _off_m(staged.run)
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        since_s = staged.run.times_s[row, steps] - staged.run.seconds(line.start)
        grown_m = off_m[row, steps] - line.parameters["drift_mps"] * since_s
        assert np.abs(grown_m).max() < 80
        assert off_m[row, steps[-1]] > 400


def _an_earlier_track(staged: Staged) -> None:
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        back = min(line.parameters["from_s"], staged.run.seconds(line.start)) / staged.run.fleet.dt_s
        places = staged.run.fix_xy[row]
        # What was told of then is the truth, unless that was falsified too.
        untouched = staged.run.untouched(staged.lines)[row]
        steps = steps[untouched[np.floor(steps - back).astype(int)] & untouched[np.ceil(steps - back).astype(int)]]
        before = places[np.floor(steps - back).astype(int)]
        after = places[np.ceil(steps - back).astype(int)]
        detour_m = _apart_m(places[steps], before) + _apart_m(places[steps], after) - _apart_m(before, after)
        assert detour_m.max() < 1, "each point lies on the way between two fixes of then"


def _apart_m(one: Floats, other: Floats) -> Floats:
    return np.hypot(*(one - other).T)


def _two_places_under_one_number(staged: Staged) -> None:
    reports = staged.run.reports
    for line in staged.lines:
        start_s, end_s = staged.run.seconds(line.start), staged.run.seconds(line.end)
        mine = (reports.row == staged.run.row(line)) & (reports.at_s >= start_s) & (reports.at_s < end_s)
        said: dict[int, list[float]] = defaultdict(list)
        for seq, lat in zip(reports.seq[mine].tolist(), reports.columns["lat"][mine].tolist(), strict=True):
            said[seq].append(lat)
        twice = [lats for lats in said.values() if len(lats) > 1]
        assert len(twice) >= 0.8 * len(said)
        apart_m = np.array([np.ptp(lats) for lats in twice]) * METRES_PER_DEGREE
        assert apart_m == pytest.approx(line.parameters["away_m"], rel=0.02)


def _clock_set_back(staged: Staged) -> None:
    off_s = staged.run.cells((staged.run.reports.time_ms - staged.run.fleet.start_ms) / 1000 - staged.run.reports.at_s)
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        assert off_s[row, steps] == pytest.approx(-line.parameters["behind_s"], abs=2.5)
    assert np.nanmax(np.abs(off_s[staged.run.untouched(staged.lines)])) <= 2.001


def _heart_races(staged: Staged) -> None:
    for line in staged.lines:
        assert staged.run.raised(line, "heart_rate_bpm", 300) > 0.25 * line.parameters["above_bpm"]
        assert np.nansum(staged.run.within("steps", line)) == 0
    assert _ratio(staged, "heart_rate_bpm", "above_bpm", settle_s=300) == pytest.approx(1, abs=0.35)


def _ratio(staged: Staged, column: str, parameter: str, *, settle_s: float) -> float:
    """By how much a column rose over all events, as a share of what the truth says."""
    raised = [staged.run.raised(line, column, settle_s) for line in staged.lines]
    return float(np.sum(raised) / sum(line.parameters[parameter] for line in staged.lines))


def _heart_slows(staged: Staged) -> None:
    for line in staged.lines:
        settled = staged.run.within("heart_rate_bpm", line)[6:]
        assert abs(np.nanmedian(settled) - line.parameters["heart_rate_bpm"]) < 6


def _blood_lacks_oxygen(staged: Staged) -> None:
    for line in staged.lines:
        assert abs(np.nanmedian(staged.run.within("spo2_pct", line)) - line.parameters["spo2_pct"]) < 3
    assert np.nanquantile(staged.run.column("spo2_pct")[staged.run.untouched(staged.lines)], 0.01) > 91


def _skin_is_warmer(staged: Staged) -> None:
    assert _ratio(staged, "skin_temp_c", "above_c", settle_s=7_200) > 0.4
    assert np.mean([staged.run.raised(line, "heart_rate_bpm", 7_200) for line in staged.lines]) > 3


def _heart_is_a_little_faster_for_days(staged: Staged) -> None:
    assert 0.3 < _ratio(staged, "heart_rate_bpm", "above_bpm", settle_s=43_200) < 2


def _heart_is_faster_and_steadier(staged: Staged) -> None:
    assert np.mean([staged.run.raised(line, "heart_rate_bpm", 200) for line in staged.lines]) > 5
    assert np.mean([staged.run.raised(line, "hrv_rmssd_ms", 200) for line in staged.lines]) < -3


def _a_blow_and_stillness(staged: Staged) -> None:
    for line in staged.lines:
        assert staged.run.within("peak_g", line)[:2].max() == pytest.approx(line.parameters["peak_g"], abs=0.01)
        assert staged.run.within("steps", line).sum() == 0
        assert np.median(staged.run.within("activity", line)) < 0.2
    assert staged.run.column("peak_g")[staged.run.untouched(staged.lines, 60)].max() < 9


def _is_elsewhere(staged: Staged) -> None:
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        arrived = steps[90:]
        assert (staged.run.from_home_m[row, arrived] > 60).mean() > 0.9
        settled = staged.run.fix_xy[row, arrived]
        assert (_apart_m(settled, np.median(settled, axis=0)) < 150).mean() > 0.9


def _pair(staged: Staged, line: TruthLine, zone: str) -> int:
    row = staged.run.row(line)
    return next(n for n, pair in enumerate(staged.fences.pairs) if pair.row == row and pair.zone.id == zone)


def _beyond_m(staged: Staged, line: TruthLine, places: Floats) -> Floats:
    """How far on the wrong side of its wall each place of a breach lies."""
    pair = _pair(staged, line, line.parameters["zone"])
    sign = 1.0 if staged.fences.keeps_in[pair] else -1.0
    return sign * staged.fences.distance_of_m(np.full(len(places), pair), places)


def _on_the_wrong_side(staged: Staged) -> None:
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        true_m = _beyond_m(staged, line, staged.run.motion.xy[row, steps])
        # Out, in and out again within a minute is one breach.
        assert (true_m <= 0).sum() <= 0.05 * len(steps)
        # Twenty-five metres beside the wall the receiver's error may put a fix on either side.
        assert (_beyond_m(staged, line, staged.run.fix_xy[row, steps]) > -40).all()
    deepest_m = max(line.parameters["deepest_m"] for line in staged.lines)
    low_m, high_m = _DEPTH_M.get(staged.kind, (100.0, 7_000.0))
    assert 0.5 * low_m < deepest_m <= high_m + 1
    # Whoever passes through at speed may be inside between two reports only.
    assert max(_fixes_beyond_m(staged), default=0.0) > min(0.5 * low_m, 50.0) or staged.kind is Kind.ZONE_ENTER_PASS


def _fixes_beyond_m(staged: Staged) -> list[float]:
    return [
        float(_beyond_m(staged, line, staged.run.fix_xy[staged.run.row(line), staged.run.steps(line)]).max())
        for line in staged.lines
        if len(staged.run.steps(line))
    ]


_DEPTH_M = {
    kind: spec.ranges[name] for kind, spec in KINDS.items() for name in ("beyond_m", "inside_m") if name in spec.ranges
}


def _home_wall_m(staged: Staged, line: TruthLine, kind_of_zone: str) -> tuple[NDArray[np.intp], Floats]:
    """The steps of an event, and how far the nearest wall of a kind is then (positive: on the lawful side)."""
    row, steps = staged.run.row(line), staged.run.steps(line)
    places = staged.run.motion.xy[row, steps]
    distances = [
        staged.fences.distance_of_m(np.full(len(places), n), places) * (-1.0 if staged.fences.keeps_in[n] else 1.0)
        for n in staged.fences.of_row[row]
        if staged.fences.pairs[n].zone.kind == kind_of_zone
    ]
    return steps, np.min(distances, axis=0)


def _nears_the_wall(staged: Staged) -> None:
    for line in staged.lines:
        _, room_m = _home_wall_m(staged, line, "keep_in")
        assert room_m.min() > 0
        # The nearest wall may be another one than that which was walked to, never a farther one.
        assert room_m.min() <= line.parameters["short_of_m"] + 20


def _lingers_at_the_wall(staged: Staged) -> None:
    for line in staged.lines:
        _, room_m = _home_wall_m(staged, line, "keep_out")
        assert room_m.min() > 0
        assert (room_m <= line.parameters["short_of_m"] + 20).mean() > 0.8


def _is_far_away_when_due_back(staged: Staged) -> None:
    for line in staged.lines:
        away_m = staged.run.from_home_m[staged.run.row(line), staged.run.steps(line)]
        assert away_m[0] > 2_000
        assert (away_m > 150).mean() > 0.9


def _between_bands_m(run: Watched, one: int, other: int, steps: NDArray[np.intp]) -> Floats:
    """How far apart two bands truly are."""
    lat, lon = run.fleet.roster.plane.block_degrees(run.motion.xy[:, steps])
    north = (lat[one] - lat[other]) * METRES_PER_DEGREE
    east = (lon[one] - lon[other]) * METRES_PER_DEGREE * np.cos(np.radians(lat[one]))
    return np.hypot(east, north)


def _comes_near_the_protected(staged: Staged) -> None:
    for line in staged.lines:
        other = staged.run.fleet.roster.device.index(line.parameters["protected"])
        apart_m = _between_bands_m(staged.run, staged.run.row(line), other, staged.run.steps(line))
        assert (apart_m < 120).mean() > 0.5


def _all_at_one_spot(staged: Staged) -> None:
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        others = [staged.run.fleet.roster.device.index(device) for device in line.parameters["members"]]
        assert KINDS[Kind.GATHERING].ranges["members"][0] <= len(others) + 1 <= 8
        middle = steps[len(steps) // 2 : -2]
        for other in others:
            assert _between_bands_m(staged.run, row, other, middle).max() <= line.parameters["within_m"] + 1


def _share_of_a_district_is_cut_off(staged: Staged) -> None:
    _stored_with_its_fixes(staged)
    together: dict[str, Sequence[str]] = defaultdict(list)
    for line in staged.lines:
        together[line.start] = [*together[line.start], staged.run.fleet.roster.org[staged.run.row(line)]]
    assert all(len(set(orgs)) == 1 for orgs in together.values())
    assert max(map(len, together.values())) > 2


SIGNS: dict[Kind, Callable[[Staged], None]] = {
    **dict.fromkeys(READ_OFF_THE_GROUND, _on_the_wrong_side),
    Kind.ZONE_APPROACH: _nears_the_wall,
    Kind.ZONE_DWELL: _lingers_at_the_wall,
    Kind.LEAVE_OVERSTAY: _is_far_away_when_due_back,
    Kind.PROTECTED_APPROACH: _comes_near_the_protected,
    Kind.GATHERING: _all_at_one_spot,
    Kind.STRAP_CUT: _only_then("strap_closed", 0.0),
    Kind.STRAP_LOOSENED: _strap_opens_and_closes,
    Kind.CASE_OPENED: _only_then("case_closed", 0.0),
    Kind.SOS: _only_then("sos", 1.0),
    Kind.OFF_BODY: _off_the_body,
    Kind.HANDED_OVER: _on_another_wrist,
    Kind.LOW_BATTERY: _battery_low,
    Kind.DEAD_BATTERY: _battery_dies,
    Kind.SILENCE_OFF: _no_reading_is_made,
    Kind.SILENCE_JAMMED: _stored_without_a_fix,
    Kind.SILENCE_SHIELDED: _stored_without_a_fix,
    Kind.SILENCE_DEAD_ZONE: _stored_without_a_fix,
    Kind.SILENCE_NETWORK: _stored_with_its_fixes,
    Kind.DISTRICT_OUTAGE: _share_of_a_district_is_cut_off,
    Kind.NO_FIX_JAMMED: _no_fix,
    Kind.NO_FIX_ANTENNA: _no_fix,
    Kind.SPOOF_JUMP: _far_from_the_truth,
    Kind.SPOOF_FREEZE: _one_place_to_the_last_digit,
    Kind.SPOOF_REPLAY: _an_earlier_track,
    Kind.SPOOF_DRAG: _drifts_away,
    Kind.SPOOF_CLONE: _two_places_under_one_number,
    Kind.SPOOF_CLOCK: _clock_set_back,
    Kind.FAST_HEART: _heart_races,
    Kind.SLOW_HEART: _heart_slows,
    Kind.LOW_OXYGEN: _blood_lacks_oxygen,
    Kind.FEVER: _skin_is_warmer,
    Kind.ILLNESS: _heart_is_a_little_faster_for_days,
    Kind.STRESS: _heart_is_faster_and_steadier,
    Kind.FALL: _a_blow_and_stillness,
    Kind.ROUTINE_NIGHT: _is_elsewhere,
    Kind.ROUTINE_PLACE: _is_elsewhere,
}


def test_every_kind_of_event_has_a_sign() -> None:
    assert SIGNS.keys() == set(EVENTS)


def test_everything_happens_in_the_small_scenario_and_no_interval_is_reversed_or_overlaps(small: Watched) -> None:
    assert {line.parameters["kind"] for line in small.truth} >= {
        kind.value for kind in small.fleet.options.mix if kind in EVENTS
    }
    times: dict[tuple[str, str, object], list[tuple[str, str]]] = defaultdict(list)
    for line in small.truth:
        assert line.start < line.end
        times[line.device, line.code, line.parameters.get("zone")].append((line.start, line.end))
    for spans in times.values():
        assert all(one[1] <= next_one[0] for one, next_one in pairwise(sorted(spans)))
