"""Hard negatives: each looks like an event, is told as a context, and is no event."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from schemas.registry import Registry
from schemas.truth import ContextLine
from simulator import KINDS, Kind
from simulator.script import LEAVES
from tests.simulator.watched import Watched, only, people, watch

HARD_NEGATIVES = [kind for kind in Kind if KINDS[kind].code is None]


WAYS_OF_LIFE = {"home_on_the_line", "night_shift", "dead_zone_commute"}


class Staged(NamedTuple):
    """What a run of one kind shows."""

    kind: Kind
    run: Watched
    lines: list[ContextLine]


@pytest.fixture(scope="module")
def travellers() -> Registry:
    return people(24, 6, leaves_per_day=0.06)


@pytest.fixture(scope="module", params=HARD_NEGATIVES, ids=str)
def staged(request: pytest.FixtureRequest, town_of_forty: Registry, travellers: Registry) -> Staged:
    kind: Kind = request.param
    wearers, days, registry = (24, 6.0, travellers) if kind in LEAVES else (40, 2.0, town_of_forty)
    run = watch(only(kind, wearers=wearers, days=days, times=12), registry)
    return Staged(kind, run, [line for line in run.contexts if line.context == kind.value])


def test_a_hard_negative_is_told_as_a_context(staged: Staged) -> None:
    assert staged.lines
    assert staged.run.contexts == sorted(staged.run.contexts, key=ContextLine.order)
    assert {line.context for line in staged.run.contexts} <= {staged.kind.value, *WAYS_OF_LIFE}
    assert all(line.start < line.end for line in staged.lines)


def test_a_hard_negative_lasts_as_long_and_is_as_strong_as_its_ranges_say(staged: Staged) -> None:
    ranges = dict(KINDS[staged.kind].ranges)
    shortest_s, longest_s = ranges.pop("lasting_s")
    end_s = staged.run.fleet.options.duration_s or 0.0
    for line in staged.lines:
        start_s, stop_s = staged.run.seconds(line.start), staged.run.seconds(line.end)
        if staged.kind not in LEAVES:
            assert stop_s == end_s or shortest_s - 0.1 <= stop_s - start_s <= longest_s + 0.1
        assert "lasting_s" not in line.parameters, "start and end say that"
        assert line.parameters.keys() >= ranges.keys()
        for name, (low, high) in ranges.items():
            assert low <= line.parameters[name] <= high


def test_no_true_event_goes_by_the_name_of_a_hard_negative(staged: Staged) -> None:
    assert staged.kind.value not in {event.parameters["kind"] for event in staged.run.truth}


def test_whoever_rides_or_travels_with_leave_breaks_nothing(staged: Staged) -> None:
    for line in staged.lines if staged.kind in {*LEAVES, Kind.CYCLING} else ():
        for event in staged.run.truth:
            assert event.device != line.device or event.end <= line.start or line.end <= event.start


def test_a_hard_negative_shows_in_what_bands_report(staged: Staged) -> None:
    SIGNS[staged.kind](staged)


def _raised(staged: Staged, name: str) -> float:
    """How much a column rose, on average over all."""
    return float(np.mean([staged.run.raised(line, name, 300.0) for line in staged.lines]))


def _rides_without_steps(staged: Staged) -> None:
    for line in staged.lines:
        row, steps = staged.run.row(line), staged.run.steps(line)
        rides = staged.run.motion.speed_mps[row, steps] > 2.5
        assert rides.mean() > 0.6
        assert staged.run.within("steps", line)[rides][2:].max() == 0
    assert _raised(staged, "heart_rate_bpm") > 10


def _warm_and_a_little_fast(staged: Staged) -> None:
    assert _raised(staged, "skin_temp_c") > 1
    assert _raised(staged, "heart_rate_bpm") > 5


def _cold(staged: Staged) -> None:
    assert _raised(staged, "skin_temp_c") < -1.5


def _a_little_fast(staged: Staged) -> None:
    assert _raised(staged, "heart_rate_bpm") > 3


def _misses_pulses(staged: Staged) -> None:
    usual = np.isnan(staged.run.column("heart_rate_bpm"))[staged.run.untouched(staged.lines)].mean()
    for line in staged.lines:
        missing = np.isnan(staged.run.within("heart_rate_bpm", line)).mean()
        assert missing > usual + 0.1
        assert missing < 0.8
        assert (staged.run.within("strap_closed", line) == 1).all()


def _charges_with_its_strap_closed(staged: Staged) -> None:
    for line in staged.lines:
        assert np.isnan(staged.run.within("heart_rate_bpm", line)).all()
        assert np.nansum(staged.run.within("steps", line)) == 0
        assert (staged.run.within("strap_closed", line) == 1).all()
        on_the_charger = staged.run.within("charging", line) == 1
        assert (on_the_charger | (staged.run.within("battery_pct", line) >= 90)).all()


def _neither_fix_nor_message(staged: Staged) -> None:
    arrives_s = staged.run.cells(staged.run.reports.sent_s)
    for line in staged.lines:
        row, steps, end_s = staged.run.row(line), staged.run.steps(line), staged.run.seconds(line.end)
        assert np.isnan(staged.run.within("lat", line)).all()
        assert (arrives_s[row, steps] >= end_s).all()
        assert (arrives_s[row, steps] < end_s + 65).all(), "what was stored comes with the next report"


def _as_fast_as_a_train(staged: Staged) -> None:
    for line in staged.lines:
        assert np.nanmax(staged.run.within("speed_mps", line)) >= 55
        assert staged.run.within("speed_mps", line)[-1] < 3, "home before the leave ends"


def _far_away_and_back_in_time(staged: Staged) -> None:
    for line in staged.lines:
        away_m = staged.run.from_home_m[staged.run.row(line), staged.run.steps(line)]
        assert away_m.max() > 20_000
        assert away_m[-1] < 1_000


SIGNS: dict[Kind, Callable[[Staged], None]] = {
    Kind.CYCLING: _rides_without_steps,
    Kind.HOT_BATH: _warm_and_a_little_fast,
    Kind.COLD_DAY: _cold,
    Kind.CAFFEINE: _a_little_fast,
    Kind.LOOSE_BAND: _misses_pulses,
    Kind.CHARGING_GAP: _charges_with_its_strap_closed,
    Kind.TUNNEL_RIDE: _neither_fix_nor_message,
    Kind.TRAIN_RIDE: _as_fast_as_a_train,
    Kind.APPROVED_LEAVE: _far_away_and_back_in_time,
}


def test_every_hard_negative_has_a_sign() -> None:
    assert SIGNS.keys() == set(HARD_NEGATIVES)


@pytest.mark.parametrize(
    ("way", "share"), [("home_on_the_line", 0.15), ("night_shift", 0.1), ("dead_zone_commute", 0.15)]
)
def test_how_some_people_live_is_a_context_of_the_whole_run(small: Watched, way: str, share: float) -> None:
    lines = [line for line in small.contexts if line.context == way]
    assert 0.5 * share * 60 <= len(lines) <= 1.5 * share * 60
    assert {small.seconds(line.start) for line in lines} == {0.0}
    assert {small.seconds(line.end) for line in lines} == {small.fleet.options.duration_s}
    assert len({line.device for line in lines}) == len(lines)


def test_night_workers_are_at_work_at_night(small: Watched) -> None:
    nights = [small.row(line) for line in small.contexts if line.context == "night_shift"]
    at_three = (small.times_s // 3_600) % 24 == 3
    later = small.times_s > 86_400
    away = small.from_home_m > 60
    others = [row for row in range(60) if row not in nights]
    assert away[nights][(at_three & later)[nights]].mean() > 0.6
    assert away[others][(at_three & later)[others]].mean() < 0.3
