import numpy as np
import pytest

from schemas.registry import Registry, ZoneKind
from schemas.wire import Vitals
from simulator import Fleet, Kind, Options, Pattern
from simulator.fences import Fences
from simulator.messages import messages
from simulator.noise import GaussMarkov
from simulator.plane import Floats
from simulator.roster import Roster
from tests.simulator.conftest import NOON_MS

CALM = Options(seed=7, interval_s=10.0, incidents=False)


@pytest.fixture(scope="module")
def hours(registry: Registry) -> tuple[Fleet, dict[str, Floats]]:
    """Two hours round noon of a calm fleet: every column as rounds x bands."""
    fleet = Fleet(CALM, registry, start_ms=NOON_MS)
    rows = []
    for number in range(720):
        one = fleet.advance(number)
        rows.append({"x": fleet.true_xy[:, 0].copy(), "y": fleet.true_xy[:, 1].copy()} | one.fix | one.vitals)
    return fleet, {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _true_speed_mps(columns: dict[str, Floats]) -> Floats:
    return np.hypot(np.diff(columns["x"], axis=0), np.diff(columns["y"], axis=0)) / CALM.interval_s


def _error_m(fleet: Fleet, columns: dict[str, Floats]) -> tuple[Floats, Floats]:
    plane = fleet.roster.plane
    east = (columns["lon"] - plane.lon) * 111_195.0 * np.cos(np.radians(plane.lat)) - columns["x"]
    return east, (columns["lat"] - plane.lat) * 111_195.0 - columns["y"]


def test_people_move_at_speeds_of_people_and_buses(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    speed_mps = _true_speed_mps(hours[1])
    assert speed_mps.max() < 12
    moving = speed_mps > 0.3
    assert 0.02 < moving.mean() < 0.5
    assert 1.0 < np.median(speed_mps[moving]) < 1.8


def test_paths_bend_gently_and_never_jump(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    steps = np.stack([np.diff(hours[1]["x"], axis=0), np.diff(hours[1]["y"], axis=0)])
    both = np.hypot(*steps[:, 1:]) > 5
    both &= np.hypot(*steps[:, :-1]) > 5
    angle = np.arctan2(steps[1], steps[0])
    turn = np.abs((np.diff(angle, axis=0) + np.pi) % (2 * np.pi) - np.pi)[both]
    assert np.quantile(turn, 0.95) < np.radians(20)


def test_the_error_of_fixes_wanders_instead_of_jumping(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    east, _ = _error_m(*hours)
    one, twelve = (np.corrcoef(east[:-lag].ravel(), east[lag:].ravel())[0, 1] for lag in (1, 12))
    assert one > 0.85
    assert 0.15 < twelve < 0.6


def test_accuracy_is_honest_about_68_percent(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    error_m = np.hypot(*_error_m(*hours))
    assert 0.6 < (error_m <= hours[1]["accuracy_m"]).mean() < 0.76


def test_reported_speed_is_the_true_one_give_or_take(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    gap = np.abs(hours[1]["speed_mps"][1:] - _true_speed_mps(hours[1]))
    assert np.quantile(gap, 0.99) < 0.6


def test_steps_match_the_ground_walked(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    speed_mps = _true_speed_mps(hours[1])
    walking = (speed_mps > 0.9) & (speed_mps < 2)
    stride_m = speed_mps[walking] * CALM.interval_s / hours[1]["steps"][1:][walking]
    assert 0.6 < np.median(stride_m) < 0.9
    assert hours[1]["steps"][1:][speed_mps == 0].max() == 0


def test_hearts_beat_faster_for_walkers_and_keep_their_own_rest(hours: tuple[Fleet, dict[str, Floats]]) -> None:
    heart, speed_mps = hours[1]["heart_rate_bpm"][1:], _true_speed_mps(hours[1])
    assert heart[speed_mps > 0.9].mean() > heart[speed_mps == 0].mean() + 10
    resting = np.array([np.median(one[~fast]) for one, fast in zip(heart.T, (speed_mps > 0).T, strict=True)])
    assert resting.std() > 4
    assert heart[speed_mps == 0].max() < 110


def test_nobody_breaches_a_zone_unless_told_to_however_long_the_day(registry: Registry) -> None:
    fleet = Fleet(Options(seed=11, interval_s=120.0, incidents=False), registry, start_ms=NOON_MS)
    for number in range(720 * 3):
        fleet.advance(number)
    assert fleet.truth(3 * 86_400.0) == []


def test_everybody_is_at_home_at_night_and_many_are_not_by_day(registry: Registry) -> None:
    fleet = Fleet(Options(seed=7, interval_s=600.0, incidents=False), registry, start_ms=NOON_MS)
    away_m = []
    for number in range(90):
        fleet.advance(number)
        away_m.append(np.hypot(*fleet.true_xy.T))
    assert (away_m[0] > 50).mean() > 0.3
    assert max(away.max() for away in away_m[61:]) == 0  # from 22:10 on


def test_batteries_drain_over_days_and_are_charged_in_time(registry: Registry) -> None:
    fleet = Fleet(Options(seed=7, interval_s=600.0, incidents=False), registry, start_ms=NOON_MS)
    levels = np.stack([fleet.advance(number).device["battery_pct"] for number in range(144 * 4)])
    assert levels.min() > 25
    assert (np.diff(levels, axis=0) <= 0).mean() > 0.9
    assert (np.diff(levels, axis=0) > 0).any(axis=0).all()


def test_early_movements_begin_near_their_wall(registry: Registry) -> None:
    fleet = Fleet(Options(seed=7), registry, start_ms=NOON_MS)
    roster = Roster.of(registry, NOON_MS)
    fences = Fences.of(roster, registry.schedules, NOON_MS)
    staged = [incident for incident in fleet.script if incident.kind == "zone_exit" and incident.start_s < 30]
    distance_m = fences.distance_m(fleet.true_xy)
    assert len(staged) == 2
    for incident in staged:
        pair = fences.find(incident.row, ZoneKind.KEEP_IN)
        assert pair is not None
        assert -50 < distance_m[pair] < -10


def test_a_cut_band_has_no_pulse_and_cools(registry: Registry) -> None:
    options = Options(seed=7, interval_s=10.0, duration_s=300.0, mix=(Pattern(Kind.STRAP_CUT, 3, 5),))
    fleet = Fleet(options, registry, start_ms=NOON_MS)
    rounds = [fleet.advance(number) for number in range(30)]
    cut = {i.row: i.start_s for i in fleet.script if i.start_s < 60 and fleet.roster.measures[i.row]}
    assert len(cut) > 5
    for row, start_s in cut.items():
        vitals = [m.parts["vitals"] for one in rounds for m in messages(one, fleet.roster.measures) if m.row == row]
        pulses = [v.heart_rate_bpm for v in vitals if isinstance(v, Vitals)]
        assert all(np.isnan(pulses[n]) == (one.at_s[row] >= start_s) for n, one in enumerate(rounds))
        assert vitals[-1].skin_temp_c < vitals[0].skin_temp_c - 3
        assert vitals[-1].quality == 0


def test_whoever_has_a_fast_heart_rests_where_they_are(registry: Registry) -> None:
    options = Options(seed=7, interval_s=10.0, duration_s=300.0, mix=(Pattern(Kind.FAST_HEART, 3, 3),))
    fleet = Fleet(options, registry, start_ms=NOON_MS)
    fleet.advance(0)
    places = []
    for number in range(1, 30):
        fleet.advance(number)
        places.append(fleet.true_xy.copy())
    early = [incident.row for incident in fleet.script if incident.start_s < 10]
    late = [incident.row for incident in fleet.script if 100 < incident.start_s < 200]
    assert len(early) >= 2
    assert len(late) > 20
    assert all((places[1][row] == places[-1][row]).all() for row in early)
    assert all((places[20][row] == places[-1][row]).all() for row in late)


def test_the_script_of_a_fleet_does_not_need_every_kind_of_wearer(registry: Registry) -> None:
    bare = Registry(orgs=registry.orgs, wearers=registry.wearers[:2], devices=registry.devices[:2],
                    assignments=registry.assignments[:2])  # fmt: skip
    fleet = Fleet(Options(seed=7), bare, start_ms=NOON_MS)
    fleet.advance(0)
    assert {incident.kind for incident in fleet.script}.isdisjoint({"zone_exit", "zone_enter", "fast_heart"})


def test_noise_keeps_its_size_however_it_is_stepped() -> None:
    noise = GaussMarkov(np.random.default_rng(1), (20_000,), tau_s=60.0)
    for dt_s in (1.0, 30.0, 600.0):
        noise.advance(np.full(20_000, dt_s))
    assert noise.value.std() == pytest.approx(1.0, abs=0.03)
