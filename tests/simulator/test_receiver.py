"""What receivers make of true places: under a clear sky, and in the field."""

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator import Options
from simulator.lives import Mode
from simulator.movement import Motion
from simulator.noise import GaussMarkov
from simulator.plane import Floats
from simulator.receiver import CELL, GNSS, WIFI
from simulator.terrain import DEAD_ZONES, STREETS, TUNNELS, Disc, within
from tests.simulator.watched import Watched, people, watch


@pytest.fixture(scope="module")
def often() -> Watched:
    """Two hours of a working day's noon, a reading every ten seconds."""
    return watch(
        Options(seed=7, interval_s=10.0, duration_s=7_200.0, incidents=False),
        people(40, 2),
        1_772_380_800_000 + 39_600_000,
    )


def _error(run: Watched) -> Floats:
    """Metres east and north by which each fix misses (bands x steps x 2)."""
    return run.fix_xy - run.motion.xy


def _error_m(run: Watched) -> Floats:
    return np.hypot(*np.moveaxis(_error(run), 2, 0))


def _fresh(run: Watched, source: int) -> NDArray[np.bool_]:
    return (run.column("source") == source) & (run.column("age_s") == 0)


def test_under_a_clear_sky_every_reading_has_a_satellite_fix(calm: Watched) -> None:
    assert np.isfinite(calm.column("lat")).all()
    assert (calm.column("source") == GNSS).all()
    assert (calm.column("age_s") == 0).all()


@pytest.mark.parametrize("name", ["calm", "often"])
def test_under_a_clear_sky_accuracy_is_honest_about_68_percent(name: str, request: pytest.FixtureRequest) -> None:
    run: Watched = request.getfixturevalue(name)
    assert 0.6 < (_error_m(run) <= run.column("accuracy_m")).mean() < 0.76


def test_the_error_of_fixes_wanders_instead_of_jumping(often: Watched) -> None:
    east = _error(often)[..., 0]
    one, six, hundred = (np.corrcoef(east[:, :-lag].ravel(), east[:, lag:].ravel())[0, 1] for lag in (1, 6, 100))
    assert one > 0.85
    assert 0.3 < six < one
    assert abs(hundred) < 0.3


def test_reported_speed_and_heading_are_the_true_ones_give_or_take(often: Watched) -> None:
    gap_mps = np.abs(often.column("speed_mps") - often.motion.speed_mps)
    assert np.quantile(gap_mps, 0.99) < 0.6
    moving = often.motion.speed_mps > 1
    turned_deg = (often.column("heading_deg") - often.motion.heading_deg + 180) % 360 - 180
    assert np.quantile(np.abs(turned_deg[moving]), 0.95) < 15


def test_satellites_are_fewer_where_the_error_is_larger(field: Watched) -> None:
    gnss = _fresh(field, GNSS)
    few = field.column("satellites") <= np.nanmedian(field.column("satellites")[gnss])
    accuracy_m = field.column("accuracy_m")
    assert np.median(accuracy_m[gnss & few]) > np.median(accuracy_m[gnss & ~few])


def test_only_satellites_tell_speed_and_height(field: Watched) -> None:
    told = np.isfinite(field.column("lat"))
    for name in ("speed_mps", "heading_deg", "altitude_m", "satellites"):
        assert (np.isfinite(field.column(name)) == (told & (field.column("source") == GNSS))).all()


def test_errors_in_the_field_are_correlated_in_time(field: Watched) -> None:
    error, gnss = _error(field)[..., 0], _fresh(field, GNSS) & (_error_m(field) < 100)
    both = gnss[:, :-1] & gnss[:, 1:]
    assert np.corrcoef(error[:, :-1][both], error[:, 1:][both])[0, 1] > 0.3


def test_tails_are_heavier_under_roofs_and_between_high_houses(field: Watched) -> None:
    error_m, gnss = _error_m(field), _fresh(field, GNSS)
    lat, lon = field.fleet.roster.plane.block_degrees(field.motion.xy)
    streets, open_air = within(STREETS, lat, lon), field.motion.roof < 0.25
    open_m, street_m, inside_m = (
        np.quantile(error_m[gnss & where], 0.95) for where in (open_air & ~streets, open_air & streets, ~open_air)
    )
    assert street_m > 1.3 * open_m
    assert inside_m > 1.3 * open_m


def test_some_fixes_are_missing_under_roofs_and_few_under_the_sky(field: Watched) -> None:
    missing = np.isnan(field.column("lat")) & field.told
    roofed = field.motion.roof > 0.5
    assert 0.005 < missing[roofed].mean() < 0.6
    assert missing[field.motion.roof < 0.1].mean() < 0.5 * missing[roofed].mean()


def test_wifi_and_cells_stand_in_coarser_and_coarser(field: Watched) -> None:
    accuracy_m, error_m = field.column("accuracy_m"), _error_m(field)
    claims, errors = (
        [np.median(column[_fresh(field, source)]) for source in (GNSS, WIFI, CELL)] for column in (accuracy_m, error_m)
    )
    assert claims == sorted(claims)
    assert errors == sorted(errors)
    assert claims[2] > 10 * claims[0]
    shares = [float((field.column("source") == source).sum() / field.told.sum()) for source in (GNSS, WIFI, CELL)]
    assert min(shares) > 0.01
    assert (field.motion.roof[field.column("source") == WIFI] >= 0.2).all(), "there is no Wi-Fi in the fields"


def test_accuracy_in_the_field_is_right_more_often_than_not_and_not_always(field: Watched) -> None:
    for source in (GNSS, WIFI):
        fresh = _fresh(field, source)
        assert 0.45 < (_error_m(field) <= field.column("accuracy_m"))[fresh].mean() < 0.85


def test_a_fix_that_leaps_returns_and_often_gives_no_warning(field: Watched) -> None:
    error_m = _error_m(field)
    leaps = np.argwhere((_fresh(field, GNSS) & (error_m > 500))[:, :-6])
    assert len(leaps) > 3
    for row, step in leaps.tolist():
        after = error_m[row, step + 1 : step + 7]
        assert np.isnan(after).all() or np.nanmin(after) < 500
    warned = [error_m[row, step] < 4 * field.column("accuracy_m")[row, step] for row, step in leaps.tolist()]
    assert 0 < np.mean(warned) < 1
    assert len(leaps) < 0.002 * field.told.sum()


def test_an_old_fix_is_told_again_to_the_last_digit_with_its_age(field: Watched) -> None:
    age_s, lat, lon = field.column("age_s"), field.column("lat"), field.column("lon")
    old = np.argwhere(age_s[:, 1:] > 0)
    told = [(row, step + 1) for row, step in old.tolist() if np.isfinite(lat[row, step])]
    assert len(told) > 50
    for row, step in told:
        assert (lat[row, step], lon[row, step]) == (lat[row, step - 1], lon[row, step - 1])
        assert age_s[row, step] == age_s[row, step - 1] + field.fleet.dt_s
    assert (old[:, 0].size / field.told.sum()) < 0.05


def _at(run: Watched, lat: float, lon: float, speed_mps: float) -> Motion:
    """Everybody at one place, at one speed."""
    plane, n = run.fleet.roster.plane, len(run.fleet.roster)
    xy = np.array([plane.to_metres(row, np.array([lat]), np.array([lon])) for row in range(n)])
    same = np.full((n, 1), speed_mps)
    return Motion(xy, same, same, same, np.full((n, 1), Mode.CAR, np.int8), np.zeros((n, 1)))


@pytest.mark.parametrize(
    ("place", "speed_mps", "network", "sky"),
    [(TUNNELS[0], 12.0, False, False), (TUNNELS[0], 1.0, True, True), (DEAD_ZONES[0], 1.0, False, True)],
    ids=["riding through a tunnel", "walking above it", "in a dead zone"],
)
def test_where_there_is_no_network_and_no_sky(
    field: Watched, place: Disc, speed_mps: float, *, network: bool, sky: bool
) -> None:
    seen = field.fleet._coverage(_at(field, place.lat, place.lon, speed_mps))
    assert [bool(np.median(where)) for where in seen] == [network, sky]


def test_under_a_clear_sky_there_are_no_tunnels(calm: Watched) -> None:
    seen = calm.fleet._coverage(_at(calm, TUNNELS[0].lat, TUNNELS[0].lon, 12.0))
    assert all(where.all() for where in seen)


def test_a_band_without_network_keeps_its_readings_until_it_has_one(field: Watched) -> None:
    late_s = field.cells(field.reports.sent_s - field.reports.at_s)
    stored = late_s > 400
    assert 0.0001 < stored.mean() < 0.2
    assert field.told.mean() > 0.95


def test_noise_keeps_its_size_however_it_is_stepped() -> None:
    for dt_s in (1.0, 30.0, 600.0):
        noise = GaussMarkov(np.random.default_rng(1), 20_000, tau_s=60.0, dt_s=dt_s)
        assert noise.advance(5).std() == pytest.approx(1.0, abs=0.03)
