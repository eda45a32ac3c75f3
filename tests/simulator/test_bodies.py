"""Bodies and batteries of which nothing is asked: hearts, skin and charge that agree with what their wearers do."""

import numpy as np
import pytest

from schemas.registry import Registry
from simulator import Options
from simulator.lives import Mode
from simulator.plane import Floats
from tests.simulator.conftest import NOON_MS
from tests.simulator.watched import DAY_S, Watched, watch


@pytest.fixture(scope="module")
def heart(calm: Watched) -> Floats:
    return calm.column("heart_rate_bpm")


def _asleep(run: Watched) -> Floats:
    """Where everybody but a night worker sleeps."""
    hour = (run.times_s / 3_600) % 24
    return (hour > 2) & (hour < 4.5)


def test_hearts_beat_faster_for_walkers(calm: Watched, heart: Floats) -> None:
    walking = (calm.motion.mode == Mode.WALK) & (calm.motion.speed_mps > 0.9)
    assert np.nanmean(heart[walking]) > np.nanmean(heart[calm.column("steps") == 0]) + 10


def test_hearts_beat_slower_at_night(calm: Watched, heart: Floats) -> None:
    night = _asleep(calm)
    awake = ~night & (calm.column("steps") == 0)
    assert np.nanmean(heart[night]) < np.nanmean(heart[awake]) - 2


def test_each_heart_has_its_own_rest(calm: Watched, heart: Floats) -> None:
    resting = np.nanmedian(np.where(calm.column("steps") == 0, heart, np.nan), axis=1)
    assert resting.std() > 3
    within_bpm = np.nanstd(np.where(_asleep(calm), heart, np.nan), axis=1)
    assert np.median(within_bpm) < resting.std() + 3


def test_a_heart_does_not_jump(calm: Watched, heart: Floats) -> None:
    quiet = (calm.column("steps")[:, 1:] == 0) & (calm.column("steps")[:, :-1] == 0)
    assert np.nanquantile(np.abs(np.diff(heart, axis=1))[quiet], 0.95) < 15


def test_optics_fail_more_often_while_arms_swing(calm: Watched, heart: Floats) -> None:
    walking = (calm.motion.mode == Mode.WALK) & (calm.motion.speed_mps > 0.9)
    still = calm.column("steps") == 0
    assert np.isnan(heart[walking]).mean() > np.isnan(heart[still]).mean()
    quality = calm.column("quality")
    assert np.nanmean(quality[walking]) < np.nanmean(quality[still]) - 0.1
    assert (np.isnan(heart) == (quality < 0.25)).mean() > 0.99


def test_oxygen_and_variability_are_read_at_rest_only(calm: Watched) -> None:
    moving = calm.column("activity") > 0.4
    for name in ("spo2_pct", "hrv_rmssd_ms"):
        assert np.isnan(calm.column(name)[moving]).all()
        assert np.isfinite(calm.column(name)[calm.column("steps") == 0]).mean() > 0.8


def test_nobody_is_ill_when_nothing_happens(calm: Watched, heart: Floats) -> None:
    still = calm.column("steps") == 0
    assert np.nanquantile(heart[still], 0.999) < 125
    assert np.nanquantile(heart, 0.001) > 40
    assert np.nanquantile(calm.column("spo2_pct"), 0.001) > 91
    assert np.nanmax(calm.column("peak_g")) < 9
    skin_c = calm.column("skin_temp_c")
    assert 25 < np.nanmin(skin_c) < np.nanmax(skin_c) < 40


def test_days_have_steps_and_nights_hardly_any(calm: Watched) -> None:
    steps = calm.column("steps")
    by_day = np.nansum(steps[:, : int(DAY_S / calm.fleet.dt_s)], axis=1)
    assert 1_500 < np.median(by_day) < 20_000
    assert by_day.std() > 500
    assert np.nanmean(steps[_asleep(calm)]) < 0.1 * np.nanmean(steps)


def test_in_the_field_sensors_pause_at_times_and_bands_report_all_the_same(field: Watched) -> None:
    paused = np.isnan(field.column("quality")) & field.told
    assert 0.001 < paused.mean() < 0.5
    for name in ("heart_rate_bpm", "steps", "skin_temp_c"):
        assert np.isnan(field.column(name)[paused]).all()
    assert np.isfinite(field.column("battery_pct")[paused]).all()


def test_batteries_drain_over_days_and_are_charged_in_time(registry: Registry) -> None:
    options = Options(seed=7, interval_s=600.0, duration_s=5 * DAY_S, incidents=False)
    run = watch(options, registry, NOON_MS)
    level, charging = run.column("battery_pct"), run.column("charging")
    assert level.min() > 18
    assert level.max() <= 100
    change = np.diff(level, axis=1)
    assert (change > 0).any(axis=1).all()
    # A step can end both ways: it takes the last per cent and the plug is drawn, or the other way round.
    assert (change[charging[:, 1:] == 1] >= 0).mean() > 0.98
    assert (change[(charging[:, 1:] == 0) & (charging[:, :-1] == 0)] <= 0).all()
    assert 0.01 < charging.mean() < 0.1
