"""How what bands measure reaches the broker: by plan, by number, at once, later, twice, and never lost."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from schemas.registry import DEFAULT_PLANS, Grade, Registry
from simulator import Faults, Fleet, Kind, Mix, Options, Reports
from simulator.messages import FIRMWARE, messages
from simulator.plane import Floats
from tests.simulator.watched import MONDAY_MS, Watched, only, people, watch

QUIET = Options(seed=7, interval_s=60.0, duration_s=21_600.0, incidents=False)
BY_PLAN = replace(QUIET, interval_s=None)


@pytest.fixture(scope="module")
def by_plan(town_of_forty: Registry) -> Watched:
    return watch(BY_PLAN, town_of_forty)


def _with(registry: Registry, options: Options = QUIET, **faults: float) -> Watched:
    return watch(replace(options, faults=Faults(**faults)), registry)


def _of_row(reports: Reports, row: int) -> Reports:
    return reports.take(reports.row == row)


def _rows(run: Watched) -> list[int]:
    return list(range(len(run.fleet.roster)))


def test_each_band_reports_as_often_as_its_wearers_grade_asks(by_plan: Watched, town_of_forty: Registry) -> None:
    plan_s = {plan.grade: plan.interval_s for plan in DEFAULT_PLANS}
    grade = {assignment.device: next(w.grade for w in town_of_forty.wearers if w.id == assignment.wearer)
             for assignment in town_of_forty.assignments}  # fmt: skip
    assert {plan_s[grade[device]] for device in by_plan.fleet.roster.device} == {60.0, 120.0, 300.0}
    for row, device in enumerate(by_plan.fleet.roster.device):
        assert np.diff(_of_row(by_plan.reports, row).at_s) == pytest.approx(plan_s[grade[device]])
    assert plan_s[Grade.GREEN] == 300.0


def test_bands_of_one_plan_do_not_all_report_at_the_same_step(by_plan: Watched) -> None:
    slow = np.flatnonzero(by_plan.fleet.interval_s == 300.0)
    first_s = [_of_row(by_plan.reports, row).at_s[0] for row in slow.tolist()]
    assert len({int(at_s // 60) for at_s in first_s}) > 1


@pytest.mark.parametrize(
    "faults",
    [{}, {"duplicates": 0.05}, {"reordered": 0.05}, {"outages_per_day": 20.0}, {"reboots_per_day": 20.0}],
    ids=["none", "duplicates", "reordered", "outages", "reboots"],
)
def test_a_band_numbers_its_messages_from_zero_and_skips_none(
    town_of_forty: Registry, faults: dict[str, float]
) -> None:
    run = _with(town_of_forty, **faults)
    for row in _rows(run):
        mine = _of_row(run.reports, row)
        assert sorted(set(mine.seq.tolist())) == list(range(int(mine.seq.max()) + 1))
        first_made_s = [float(mine.at_s[mine.seq == seq].min()) for seq in range(int(mine.seq.max()) + 1)]
        assert first_made_s == sorted(first_made_s), "in the order of sending"


def test_a_message_sent_twice_says_the_same_under_the_same_number(town_of_forty: Registry) -> None:
    run = _with(town_of_forty, duplicates=0.1)
    copies: dict[tuple[int, int], list[Reports]] = defaultdict(list)
    for message in np.unique(run.reports.message).tolist():
        part = run.reports.take(run.reports.message == message)
        copies[int(part.row[0]), int(part.seq[0])].append(part)
    twice = [parts for parts in copies.values() if len(parts) > 1]
    assert len(twice) / len(copies) == pytest.approx(0.1, abs=0.02)
    for one, other in twice:
        assert one.time_ms.tolist() == other.time_ms.tolist()
        assert other.sent_s[0] > one.sent_s[0]
        assert all(np.array_equal(column, other.columns[name], equal_nan=True) for name, column in one.columns.items())


def test_about_so_many_messages_as_asked_arrive_after_their_successors(town_of_forty: Registry) -> None:
    late = {"reordered": 0.1}
    run = _with(town_of_forty, **late)
    behind = 0
    for row in _rows(run):
        seq = _of_row(run.reports, row).seq
        behind += int((seq < np.maximum.accumulate(seq)).sum())
    # Who is delayed by less than the interval arrives before the next one all the same.
    assert 0.05 < behind / len(run.reports) < 0.11
    delay_s = run.reports.sent_s - run.reports.at_s
    assert delay_s.max() < 301


@pytest.mark.parametrize(
    "faults",
    [{"duplicates": 0.1}, {"reordered": 0.1}, {"duplicates": 0.1, "reordered": 0.1, "outages_per_day": 10.0}],
    ids=["duplicates", "reordered", "all at once"],
)
def test_whatever_goes_wrong_on_the_way_loses_no_reading(town_of_forty: Registry, faults: dict[str, float]) -> None:
    run = _with(town_of_forty, **faults)
    made = {(row, round(at_s, 3)) for row in _rows(run) for at_s in run.times_s[row].tolist()}
    arrived = set(zip(run.reports.row.tolist(), run.reports.at_s.round(3).tolist(), strict=True))
    assert arrived <= made
    # What is stored when the run ends has not arrived yet.
    missing = made - arrived
    assert all(at_s > 21_600 - 540 for _, at_s in missing)
    assert len(missing) <= (0 if "outages_per_day" not in faults else 200)


def test_what_arrives_is_in_the_order_of_its_arrival(small: Watched) -> None:
    assert (np.diff(small.reports.sent_s) >= 0).all()
    assert (small.reports.sent_s >= small.reports.at_s).all()


def _silences(registry: Registry, *, hours: tuple[float, float], interval_s: float = 60.0) -> Watched:
    ranges = {"lasting_s": (hours[0] * 3600, hours[1] * 3600)}
    mix = {Kind.SILENCE_NETWORK: Mix(per_wearer_day=0.2, ranges=ranges)}
    return watch(Options(seed=7, interval_s=interval_s, duration_s=86_400.0, mix=mix), registry)


def test_after_a_silence_all_that_was_stored_comes_in_a_burst_oldest_first(town_of_forty: Registry) -> None:
    run = _silences(town_of_forty, hours=(3, 5))
    ended = [line for line in run.truth if line.code == "device.silence" and run.seconds(line.end) < 86_000]
    assert ended
    for line in ended:
        start_s, end_s = run.seconds(line.start), run.seconds(line.end)
        mine = _of_row(run.reports, run.row(line))
        stored = mine.take((mine.at_s >= start_s) & (mine.at_s < end_s))
        assert len(stored) == len(run.steps(line)) > 120
        assert end_s <= stored.sent_s.min()
        assert stored.sent_s.max() < end_s + 60 + 10, "with the first report that gets through"
        assert (np.diff(stored.at_s) > 0).all()
        assert np.diff(stored.seq).tolist() == [int(new) for new in np.diff(stored.message) != 0]
        _, sizes = np.unique(mine.message, return_counts=True)
        assert sizes.max() == 60


@pytest.mark.parametrize("step", [0, 1, 7], ids=["none", "one", "seven"])
def test_clocks_are_at_most_two_seconds_off_unless_they_are_meant_to_be(town_of_forty: Registry, step: int) -> None:
    run = _with(town_of_forty, duplicates=0.01, clock_steps_per_day=float(step))
    off_s = (run.reports.time_ms - MONDAY_MS) / 1000 - run.reports.at_s
    worst_s = np.array([np.abs(off_s[run.reports.row == row]).max() for row in _rows(run)])
    assert worst_s.min() > 0
    assert (worst_s.max() <= 2.001) == (step == 0)


def test_a_share_of_clocks_is_far_off_and_stays_so(town_of_forty: Registry) -> None:
    run = _with(town_of_forty, clocks_off=0.5, clock_off_s=90.0)
    off_s = (run.reports.time_ms - MONDAY_MS) / 1000 - run.reports.at_s
    by_band = [off_s[run.reports.row == row] for row in _rows(run)]
    assert 8 <= sum(abs(band[0]) > 2.001 for band in by_band) <= 32
    assert max(np.ptp(band) for band in by_band) < 0.01
    assert np.abs(off_s).max() <= 90.001


def test_clocks_of_a_fleet_without_faults_are_right(by_plan: Watched) -> None:
    assert by_plan.reports.time_ms == pytest.approx(MONDAY_MS + by_plan.reports.at_s * 1000, abs=0.51)


def test_a_reboot_costs_minutes_and_nothing_else(town_of_forty: Registry) -> None:
    run = _with(town_of_forty, reboots_per_day=8.0)
    missing = 1.0 - run.told.mean()
    assert 0.002 < missing < 0.05
    for row in _rows(run):
        assert np.diff(_of_row(run.reports, row).at_s).max() <= 10 * 60


def test_old_firmware_says_so_and_lacks_what_it_does_not_know(town_of_forty: Registry) -> None:
    run = _with(town_of_forty, old_firmware=0.5)
    old = run.fleet.old_firmware
    assert 8 <= old.sum() <= 32
    for name in ("hdop", "hrv_rmssd_ms", "peak_g"):
        assert np.isnan(run.column(name)[old]).all()
        assert np.isfinite(run.column(name)[~old]).any(axis=1).all()
    for message in messages(run.reports, old):
        assert {reading["device"]["firmware"] for reading in message.readings} == {FIRMWARE[int(old[message.row])]}


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [(Kind.STRAP_CUT, "strap_closed", 0), (Kind.CASE_OPENED, "case_closed", 0), (Kind.SOS, "sos", 1)],
    ids=["strap", "case", "help button"],
)
def test_a_switch_that_turns_is_told_within_two_seconds_however_seldom_a_band_reports(
    town_of_forty: Registry, kind: Kind, column: str, value: float
) -> None:
    run = watch(only(kind, wearers=40, days=2, times=20, interval_s=None), town_of_forty)
    assert 300.0 in {
        float(run.fleet.interval_s[run.row(line)]) for line in run.truth if line.parameters["kind"] == kind
    }
    for line in run.truth:
        if line.parameters["kind"] == kind and line.code.startswith("device"):
            mine = _of_row(run.reports, run.row(line))
            told = mine.take((mine.columns[column] == value) & (mine.at_s >= run.seconds(line.start)))
            assert told.at_s.min() <= run.seconds(line.start) + 2
            assert told.sent_s.min() <= run.seconds(line.start) + 3


def test_a_commanded_band_reports_faster_until_its_time_and_then_as_planned(town_of_forty: Registry) -> None:
    fleet = Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS)
    row = int(np.flatnonzero(fleet.interval_s == 300.0)[0])
    slices = fleet.slices()
    parts = [next(slices) for _ in range(60)]
    fleet.command(row, 60.0, MONDAY_MS + 7_200_000)
    parts += [next(slices) for _ in range(120)]
    at_s = _of_row(Reports.concat(parts), row).at_s
    assert set(np.diff(at_s[at_s < 3_600])) == {300.0}
    assert set(np.diff(at_s[(at_s >= 3_600) & (at_s < 7_200)])) == {60.0}
    assert set(np.diff(at_s[at_s >= 7_260])) == {300.0}


def test_a_command_without_end_holds_for_good_and_for_its_band_alone(town_of_forty: Registry) -> None:
    fleet = Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS)
    row, other = np.flatnonzero(fleet.interval_s == 300.0)[:2].tolist()
    fleet.command(row, 120.0)
    told = Reports.concat(list(fleet.reports(21_600.0)))
    assert set(np.diff(_of_row(told, row).at_s)) == {120.0}
    assert set(np.diff(_of_row(told, other).at_s)) == {300.0}


@pytest.fixture(scope="module")
def morning(town_of_forty: Registry) -> Floats:
    """Twelve hours of steps as they are made (bands x minutes)."""
    return Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS).play(720).columns["steps"]


@pytest.mark.parametrize("width", [1, 2, 7, 60, 720])
def test_steps_are_neither_lost_nor_told_twice_however_the_time_is_sliced(
    town_of_forty: Registry, morning: Floats, width: int
) -> None:
    fleet = Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS)
    block = fleet.play(720)
    parts = [fleet._delivery.take(block, first, min(first + width, 720)) for first in range(0, 720, width)]
    told = Reports.concat(parts)
    for row in range(40):
        mine = _of_row(told, row)
        last = int(mine.at_s.max() // 60)
        assert mine.columns["steps"].sum() == morning[row, : last + 1].sum()
    assert morning.sum() > 40 * 1_000


@pytest.mark.parametrize("minutes", [12, 60, 720])
def test_each_reading_tells_the_steps_since_the_one_before_across_borders_of_blocks(
    town_of_forty: Registry, minutes: int
) -> None:
    fleet = Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS)
    blocks = [fleet.play(minutes) for _ in range(720 // minutes)]
    made = np.concatenate([block.columns["steps"] for block in blocks], axis=1)
    told = Reports.concat([fleet._delivery.take(block, 0, minutes) for block in blocks])
    for row in range(40):
        mine = _of_row(told, row)
        ends = (mine.at_s // 60).astype(int).tolist()
        expected = [made[row, since + 1 : until + 1].sum() for since, until in pairwise([-1, *ends])]
        assert mine.columns["steps"].tolist() == expected


def test_activity_is_the_mean_and_the_peak_the_most_since_the_reading_before(by_plan: Watched) -> None:
    minutes = Fleet(BY_PLAN, people(40, 2), start_ms=MONDAY_MS).play(360).columns
    checked = 0
    for row in np.flatnonzero(by_plan.fleet.interval_s > 60).tolist():
        mine = _of_row(by_plan.reports, row)
        ends = (mine.at_s // 60).astype(int).tolist()
        for number, (since, until) in enumerate(pairwise(ends), 1):
            during = slice(since + 1, until + 1)
            assert mine.columns["peak_g"][number] == minutes["peak_g"][row, during].max()
            assert mine.columns["activity"][number] == pytest.approx(minutes["activity"][row, during].mean(), abs=0.006)
            checked += 1
    assert checked > 500


def test_a_band_that_was_off_has_counted_no_steps(town_of_forty: Registry) -> None:
    run = watch(only(Kind.SILENCE_OFF, wearers=40, days=2, times=30), town_of_forty)
    back = [(run.row(line), int(run.steps(line)[-1]) + 1) for line in run.truth if line.code == "device.silence"]
    made = Fleet(run.fleet.options, town_of_forty, start_ms=MONDAY_MS)
    minutes = np.concatenate([made.play(720).columns["steps"] for _ in range(4)], axis=1)
    seen = [(run.column("steps")[row, step], minutes[row, step]) for row, step in back if step < minutes.shape[1]]
    assert len(seen) > 10
    assert all(told == counted for told, counted in seen)


def test_a_run_that_follows_another_goes_on_counting(town_of_forty: Registry) -> None:
    fleet = Fleet(QUIET, town_of_forty, start_ms=MONDAY_MS)
    fleet.number_from(range(100, 140))
    told = Reports.concat(list(fleet.reports(600.0)))
    assert [int(_of_row(told, row).seq[0]) for row in range(40)] == list(range(100, 140))


def test_slices_bring_what_reports_bring(town_of_forty: Registry) -> None:
    whole = Reports.concat(list(Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS).reports(43_200.0)))
    slices = Fleet(BY_PLAN, town_of_forty, start_ms=MONDAY_MS).slices()
    sliced = Reports.concat([next(slices) for _ in range(721)])
    sliced = sliced.take(sliced.at_s < 43_200.0)
    by_band = [np.lexsort((reports.at_s, reports.row)) for reports in (whole, sliced)]
    one, other = (reports.take(order) for reports, order in zip((whole, sliced), by_band, strict=True))
    assert one.row.tolist() == other.row.tolist()
    assert one.seq.tolist() == other.seq.tolist()
    for name, column in one.columns.items():
        assert np.allclose(column, other.columns[name], equal_nan=True), name


@pytest.mark.parametrize("kind", [Kind.SPOOF_CLONE, Kind.SPOOF_REPLAY, Kind.SPOOF_FREEZE, Kind.SPOOF_DRAG], ids=str)
def test_even_a_forged_fix_has_all_that_a_fix_must_have_or_is_none(kind: Kind) -> None:
    # In the field, deep under roofs, there is often no fix that could be forged.
    options = only(kind, wearers=40, days=2, times=60, in_the_field=True)
    run = watch(options, people(40, 2))
    columns = run.reports.columns
    told = np.isfinite(columns["lat"])
    assert not told.all()
    for name in ("lon", "accuracy_m", "source", "age_s"):
        assert (np.isfinite(columns[name]) == told).all(), name
    assert sum(1 for _ in messages(run.reports, run.fleet.old_firmware)) > 0
