"""Where people go, and when: everyday lives in the field and in the demo."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.registry import Registry, ZoneKind
from simulator import Fleet, Kind, Options, Scenario, read_scenario
from simulator.fences import Fences
from simulator.lives import Mode, Work
from simulator.plane import Floats
from simulator.roster import Roster
from simulator.scenes import rows_with
from tests.simulator.conftest import NOON_MS
from tests.simulator.watched import DAY_S, Watched, watch

FASTEST_MPS = {Mode.WALK: 2.5, Mode.BUS: 14.0, Mode.CAR: 20.0}
WEEKDAYS, WEEKEND = range(5), range(5, 7)


def _jobs(run: Watched, job: Work) -> list[int]:
    return [row for row, habits in enumerate(run.fleet._lives.habits) if habits.job is job]


def _away(run: Watched, rows: list[int], day: int, hour: float) -> float:
    """The share of some wearers who are not at home at an hour of a day of the run."""
    step = int((day * 24 + hour) * 3600 / run.fleet.dt_s)
    return float((run.from_home_m[rows, step] > 60).mean())


@pytest.mark.parametrize("mode", FASTEST_MPS)
def test_nobody_is_ever_faster_than_their_way_of_moving_allows(field: Watched, mode: Mode) -> None:
    # Within one step somebody may get off the bus and stay or walk on.
    mine = field.motion.mode == mode
    steady = mine & np.roll(mine, 1, axis=1)
    steady[:, 0] = False
    assert (field.motion.speed_mps[steady] <= FASTEST_MPS[mode]).all()


@pytest.mark.parametrize("name", ["field", "calm", "small"])
def test_paths_never_jump(name: str, request: pytest.FixtureRequest) -> None:
    run: Watched = request.getfixturevalue(name)
    moved_m = np.hypot(*np.moveaxis(np.diff(run.motion.xy, axis=1), 2, 0))
    assert (moved_m <= run.motion.travelled_m[:, 1:] + 0.01).all()
    rides = {Kind.LEAVE_OVERSTAY, Kind.APPROVED_LEAVE} & set(run.fleet.options.mix)
    assert moved_m.max() / run.fleet.dt_s < (35 if rides else 20)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_path_is_the_same_however_it_is_cut_into_blocks(town_of_forty: Registry, calm: Watched, steps: int) -> None:
    fleet = Fleet(calm.fleet.options, town_of_forty, start_ms=calm.fleet.start_ms)
    pieces = []
    for _ in range(-(-240 // steps)):
        fleet.play(steps)
        assert fleet.motion is not None
        pieces.append(fleet.motion)
    for name in ("xy", "speed_mps", "travelled_m", "mode", "roof"):
        played = np.concatenate([getattr(motion, name) for motion in pieces], axis=1)[:, :240]
        assert np.allclose(played, getattr(calm.motion, name)[:, :240], atol=1e-6), name


def test_a_quiet_week_in_the_field_breaches_hardly_any_zone(field: Watched, everyday: Scenario) -> None:
    assert len(field.truth) <= everyday.days * everyday.wearers / 300
    assert {line.parameters["kind"] for line in field.truth} <= {"life"}


def test_nor_does_a_fleet_with_night_workers_and_homes_on_the_fence_line() -> None:
    scenario = read_scenario("small")
    options = Options(seed=3, interval_s=60.0, duration_s=3 * DAY_S, incidents=False, people=scenario.people,
                      in_the_field=True)  # fmt: skip
    run = watch(options, scenario.registry(), scenario.start_ms)
    assert len(run.truth) <= max(1, 3 * scenario.wearers / 300)


def test_a_quiet_day_of_the_demo_breaches_none(registry: Registry) -> None:
    run = watch(Options(seed=11, interval_s=60.0, duration_s=DAY_S, incidents=False), registry, NOON_MS)
    assert run.truth == []


def test_everybody_with_a_curfew_is_at_home_at_night_and_many_are_not_by_day(
    field: Watched, everyday: Scenario
) -> None:
    registry = everyday.registry()
    fences = Fences.of(Roster.of(registry, everyday.start_ms), registry.schedules, everyday.start_ms)
    curfewed = sorted(rows_with(fences, ZoneKind.CURFEW))
    assert [_away(field, curfewed, day, hour) for day in range(7) for hour in (0.5, 3.0, 5.5, 22.5)] == [0.0] * 28
    assert np.mean([_away(field, curfewed, day, 15) for day in WEEKDAYS]) > 0.25


@pytest.mark.parametrize(
    ("job", "more", "less"),
    [
        (Work.DAY, (WEEKDAYS, 10.0), (WEEKEND, 10.0)),
        (Work.DAY, (WEEKDAYS, 10.0), (WEEKDAYS, 3.0)),
        (Work.NIGHT, (range(1, 5), 3.0), (range(1, 5), 11.0)),
        (Work.NIGHT, (range(1, 5), 3.0), (range(6, 7), 3.0)),
    ],
    ids=[
        "offices are closed on Sundays",
        "offices are closed at night",
        "night shifts are by night",
        "not at weekends",
    ],
)
def test_working_days_nights_and_weekends_differ(
    field: Watched, job: Work, more: tuple[range, float], less: tuple[range, float]
) -> None:
    rows = _jobs(field, job)
    shares = [np.mean([_away(field, rows, day, hour) for day in days]) for days, hour in (more, less)]
    assert shares[0] > shares[1] + 0.3


def test_regular_places_are_returned_to_and_new_ones_are_seen(field: Watched) -> None:
    stays = field.motion.mode == Mode.STAY
    away = stays & (field.from_home_m > 100)
    visited = [
        {tuple(place) for place in np.round(field.motion.xy[row, away[row]], 0).tolist()}
        for row in _jobs(field, Work.DAY)
    ]
    assert 4 < np.mean([len(places) for places in visited]) < 60


def _walking(run: Watched) -> NDArray[np.bool_]:
    """Steps of the run in which somebody walks from beginning to end."""
    walks = run.motion.mode == Mode.WALK
    return walks & (run.motion.speed_mps > 0.9) & ~np.isnan(run.column("steps"))


def test_steps_match_the_metres_walked(calm: Watched) -> None:
    walking = _walking(calm)
    stride_m = calm.motion.travelled_m[walking].sum() / calm.column("steps")[walking].sum()
    assert 0.6 < stride_m < 0.85


def _in(mode: Mode) -> Callable[[Watched], NDArray[np.bool_]]:
    return lambda run: (run.motion.mode == mode) & (run.motion.speed_mps > 3)


@pytest.mark.parametrize("where", [_in(Mode.BUS), _in(Mode.CAR)], ids=["bus", "car"])
def test_who_rides_takes_no_steps(calm: Watched, where: Callable[[Watched], NDArray[np.bool_]]) -> None:
    steps: Floats = calm.column("steps")[where(calm)]
    assert len(steps) > 50
    assert steps.max() == 0


def test_early_movements_of_a_show_begin_near_their_wall(registry: Registry) -> None:
    fleet = Fleet(Options(seed=7), registry, start_ms=NOON_MS)
    fleet.play(1)
    assert fleet.motion is not None
    fences = Fences.of(fleet.roster, registry.schedules, NOON_MS)
    distance_m = fences.distance_m(fleet.motion.xy[:, 0])
    staged = [i for i in fleet.script if i.kind is Kind.ZONE_EXIT_FAST and i.start_s < 30]
    assert len(staged) == 2
    for incident in staged:
        pair = fences.find(incident.row, ZoneKind.KEEP_IN)
        assert pair is not None
        assert -60 < distance_m[pair] < -5


def test_a_script_does_not_need_every_kind_of_wearer(registry: Registry) -> None:
    bare = Registry(orgs=registry.orgs, wearers=registry.wearers[:2], devices=registry.devices[:2],
                    assignments=registry.assignments[:2])  # fmt: skip
    fleet = Fleet(Options(seed=7), bare, start_ms=NOON_MS)
    fleet.play(1)
    assert {incident.kind for incident in fleet.script}.isdisjoint({Kind.ZONE_EXIT_FAST, Kind.FAST_HEART})
    assert fleet.script
