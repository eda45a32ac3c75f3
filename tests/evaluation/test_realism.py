"""The realism test itself: it must tell what differs, and must not tell what does not."""

import numpy as np
import pytest

from evaluation.outcome import Interval
from evaluation.realism.days import DAY_MIN, DaySample, day_samples, fitbit_days
from evaluation.realism.features import (
    HOUR_NAMES,
    Features,
    hour_features,
    lifesnaps_hours,
    lifesnaps_nights,
    minute_features,
    night_features,
)
from evaluation.realism.report import as_markdown, realism_report
from evaluation.realism.targets import marginal_targets
from evaluation.realism.two_sample import compare, marginals
from schemas.readings import Readings
from tests.recordings import DATA, needs

METRES_PER_DEGREE = 111_194.93
DAY_MS = 86_400_000
NAMES = ("first", "second", "third")


def people(rng, count, days=12, shift=0.0, habit=0.0):
    """Days of some people by three features, each person with a habit of their own."""
    names = np.repeat([f"p{n}" for n in range(count)], days)
    own = np.repeat(rng.normal(0.0, habit, (count, 3)), days, axis=0) if habit else 0.0
    return Features(NAMES, tuple(names.tolist()), rng.normal(size=(count * days, 3)) + own + [shift, 0.0, 0.0])


def day(person="p", number=0, **columns):
    values = {name: np.full(DAY_MIN, np.nan) for name in ("hr_bpm", "steps", "skin_temp_c", "rmssd_ms", "lat", "lon")}
    values |= {"hr_bpm": np.full(DAY_MIN, 65.0), "steps": np.zeros(DAY_MIN)}
    return DaySample(person=person, day=number, **(values | columns))


def column(samples, features, name):
    made = features(samples)
    return made.rows[:, made.names.index(name)].tolist()


def target(samples, name):
    return next(one.measured for one in marginal_targets(samples) if one.name == name)


def at_metres(north, minutes=DAY_MIN):
    """A place a minute, metres north; NaN where there is no fix."""
    lat = np.full(DAY_MIN, np.nan)
    lat[:minutes] = 30.0 + np.resize(np.array(north, np.float64), minutes) / METRES_PER_DEGREE
    return {"lat": lat, "lon": np.where(np.isnan(lat), np.nan, 101.0)}


def test_equal_people_cannot_be_told_apart():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    told = [compare("none", "made up", people(rng, 12), people(rng, 12), seed=seed).auc for seed in range(6)]
    assert np.mean([auc.value for auc in told]) == pytest.approx(0.5, abs=0.05)
    assert sum(auc.low < 0.5 < auc.high for auc in told) >= 5


def test_what_differs_is_told_and_named():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    told = compare("shifted", "made up", people(rng, 12), people(rng, 12, shift=3.0), seed=1)
    assert told.auc.value > 0.9
    assert told.auc.low > 0.8
    assert told.marginals[0].feature == "first"
    assert told.auc.value == max(told.aucs.values()) == told.aucs[told.by]


def test_knowing_people_by_their_habits_is_no_telling():
    """If days were held out instead of people, everybody would be recognised by a habit as strong as this."""
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(2)
    told = compare("habits", "made up", people(rng, 40, habit=3.0), people(rng, 40, habit=3.0), seed=1)
    assert told.auc.low < 0.5 < told.auc.high
    assert told.auc.value < 0.7


def test_the_interval_is_wide_where_people_are_few():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(3)
    few = compare("few", "made up", people(rng, 4, 60, 0.3, 1.0), people(rng, 4, 60, 0.0, 1.0), seed=1).auc
    many = compare("many", "made up", people(rng, 40, 6, 0.3, 1.0), people(rng, 40, 6, 0.0, 1.0), seed=1).auc
    assert few.high - few.low > 1.5 * (many.high - many.low)


def test_absence_alone_tells_nothing():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(4)
    simulated, real = people(rng, 30), people(rng, 30)
    real.rows[rng.random(len(real.rows)) < 0.6, 1] = np.nan
    told = compare("blind", "made up", simulated, real, seed=1)
    assert told.auc.value < 0.6


def test_a_feature_that_one_side_lacks_is_left_out_by_name():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(5)
    simulated, real = people(rng, 6), people(rng, 6)
    real.rows[:, 2] = np.nan
    told = compare("lacking", "made up", simulated, real, seed=1)
    assert told.left_out == ["third"]
    assert {one.feature for one in told.marginals} == {"first", "second"}


def test_one_person_cannot_be_held_out():
    rng = np.random.default_rng(6)
    with pytest.raises(ValueError, match="at least two"):
        compare("lone", "made up", people(rng, 1), people(rng, 5), seed=1)


def test_the_same_seed_gives_the_same_comparison():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(7)
    simulated, real = people(rng, 8), people(rng, 8, shift=0.5)
    first, second = (compare("twice", "made up", simulated, real, seed=3) for _ in range(2))
    assert first == second


def test_marginals_come_with_the_most_telling_first_and_their_quantiles():
    simulated = Features(("same", "more"), ("a",) * 4, np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]]))
    real = Features(("same", "more"), ("b",) * 4, simulated.rows + np.array([0.0, 10.0]))
    first, last = marginals(simulated, real)
    assert (first.feature, first.auc, last.feature, last.auc) == ("more", 1.0, "same", 0.5)
    assert (first.simulated[1], first.real[1]) == (2.5, 12.5)


def test_readings_become_whole_local_days_by_the_minute():
    minutes = np.arange(-600, 2 * DAY_MIN + 600)  # ten hours before a local midnight to ten after another
    event_ms = (minutes - 480 + 10 * DAY_MIN) * 60_000 + 500
    readings = Readings.of(
        device=np.full(len(minutes), 7),
        event_ms=event_ms,
        heart_rate_bpm=np.where(minutes == 30, 0, 60 + minutes % 7),
        steps=np.ones(len(minutes)),
    )
    samples = day_samples(readings.take(np.random.default_rng(1).permutation(len(minutes))), 480)
    assert [(sample.person, sample.day) for sample in samples] == [("7", 10), ("7", 11)]
    assert samples[0].hr_bpm[:3].tolist() == [60, 61, 62]
    assert np.isnan(samples[0].hr_bpm[30])
    assert samples[1].steps.sum() == DAY_MIN


def test_two_readings_of_a_minute_add_their_steps():
    event_ms = np.repeat(np.arange(DAY_MIN), 2) * 60_000 + np.tile([0, 30_000], DAY_MIN)
    readings = Readings.of(device=np.ones(len(event_ms)), event_ms=event_ms, steps=np.full(len(event_ms), 4.0))
    (sample,) = day_samples(readings, 0)
    assert set(sample.steps.tolist()) == {8.0}


def test_a_repeated_fix_is_none():
    n = DAY_MIN
    age_s = np.where(np.arange(n) % 2, 60.0, 0.0)
    readings = Readings.of(
        device=np.ones(n),
        event_ms=np.arange(n) * 60_000,
        steps=np.zeros(n),
        lat=np.ones(n),
        lon=np.ones(n),
        age_s=age_s,
    )
    (sample,) = day_samples(readings, 0)
    assert np.isfinite(sample.lat).sum() == n // 2


def test_a_day_with_less_than_eight_hours_is_not_compared():
    event_ms = np.concatenate([np.arange(400), [2 * DAY_MIN]]) * 60_000
    assert not day_samples(Readings.of(device=np.ones(401), event_ms=event_ms, steps=np.zeros(401)), 0)


def test_features_of_a_day_are_what_they_say():
    rate, steps = np.full(DAY_MIN, 65.0), np.zeros(DAY_MIN)
    rate[100:110], rate[700:705] = 45.0, 120.0
    steps[700:705], steps[800:801] = 100.0, 100.0
    rate[900:970] = steps[900:970] = np.nan
    rate[1000:1020] = steps[1000:1020] = np.nan
    made = minute_features([day(hr_bpm=rate, steps=steps)])
    row = dict(zip(made.names, made.rows[0].tolist(), strict=True))
    assert (row["hr_below_50_min"], row["hr_above_100_min"], row["hr_night_min_bpm"]) == (10, 5, 45)
    assert (row["gaps_over_10_min"], row["gaps_over_60_min"]) == (2, 1)
    assert (row["steps_daytime"], row["walking_bouts_daytime"], row["steps_11"]) == (600, 1, 500)
    assert row["longest_rest_daytime_min"] == 280  # 07:00 to 11:40
    assert np.isnan(row["hr_mean_15_bpm"])  # the hour of the gap


def test_steps_and_hours_are_taken_out_before_the_residual():
    rng = np.random.default_rng(1)
    steps = rng.integers(0, 120, DAY_MIN).astype(float)
    hour = np.arange(DAY_MIN) // 60
    explained = day(hr_bpm=60 + 0.3 * steps + hour, steps=steps)
    noisy = day("q", hr_bpm=60 + 0.3 * steps + hour + rng.normal(0, 5, DAY_MIN), steps=steps)
    sds = column([explained, noisy], minute_features, "hr_residual_sd_bpm")
    assert sds[0] == pytest.approx(0.0, abs=1e-6)
    assert sds[1] == pytest.approx(5.0, abs=0.5)


def test_hourly_steps_and_active_hours():
    steps = np.zeros(DAY_MIN)
    steps[480:490] = 30.0
    made = hour_features([day(steps=steps)])
    assert made.names == HOUR_NAMES
    assert made.rows[0, [8, 24, 25]].tolist() == [300.0, 300.0, 1.0]


def test_night_values_are_of_the_night():
    skin = np.where(np.arange(DAY_MIN) < 360, 34.0, 30.0)
    assert column([day(skin_temp_c=skin)], night_features, "night_skin_temp_c") == [34.0]


def test_a_gap_over_midnight_is_one_gap():
    late, early = np.full(DAY_MIN, 65.0), np.full(DAY_MIN, 65.0)
    late[1_400:], early[:40] = np.nan, np.nan
    none = {"steps": np.full(DAY_MIN, np.nan)}
    joined = [day(number=0, hr_bpm=late, **none), day(number=1, hr_bpm=early, **none)]
    apart = [day(number=0, hr_bpm=late, **none), day(number=2, hr_bpm=early, **none)]
    assert target(joined, "gaps over 60 min") == 0.5
    assert target(apart, "gaps over 60 min") == 0.0


def test_slow_minutes_close_together_are_one_episode():
    rate = np.full(DAY_MIN, 65.0)
    rate[[100, 110, 200]] = 45.0
    assert target([day(hr_bpm=rate)], "HR below 50, episodes") == 2.0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("implied speed over 30 m/s", 2.0),
        ("implied speed over 50 m/s", 2.0),
        ("implied speed over 100 m/s", 0.0),
        ("spike and return over 500 m", 1.0),
        ("GPS gaps over 10 min", 1.0),
    ],
)
def test_the_figures_of_a_way_with_one_spike(name, expected):
    north = np.zeros(1_000)
    north[500] = 4_000.0  # 67 m/s there and back
    assert target([day(**at_metres(north, 1_000))], name) == expected


def test_where_nothing_was_measured_there_is_no_figure():
    measured = {one.name: one.measured for one in marginal_targets([day()])}
    assert measured["implied speed over 30 m/s"] is measured["skin temperature slope, 1 %"] is None
    assert measured["gaps over 60 min"] == 0.0
    assert all(one.measured is None for one in marginal_targets([]))


def test_skin_slopes_are_a_minute_apart():
    skin = 30.0 + 0.5 * (np.arange(DAY_MIN) % 2)
    assert target([day(skin_temp_c=skin)], "skin temperature slope, 99.9 %") == pytest.approx(0.5)


def test_a_place_seen_before_is_not_new():
    home_and_work = np.repeat(np.tile([0.0, 5_000.0], 12), 60)
    ever_farther = np.repeat(np.arange(24) * 5_000.0, 60)
    assert target([day(**at_metres(home_and_work))], "moves to places never seen") == 0.0
    assert target([day(**at_metres(ever_farther))], "moves to places never seen") == 1.0


@needs("lifesnaps_daily")
def test_zero_means_missing_in_the_daily_values():
    made = lifesnaps_nights(DATA)
    assert not (made.rows == 0).any()
    assert np.isnan(made.rows[:, made.names.index("night_rmssd_ms")]).sum() > 100


@needs("lifesnaps_daily")
def test_two_halves_of_the_same_study_are_alike():
    pytest.importorskip("sklearn")
    real = lifesnaps_hours(DATA)
    first = np.array([int(person[1:]) % 2 == 0 for person in real.people])

    def half(chosen):
        return Features(real.names, tuple(np.array(real.people)[chosen].tolist()), real.rows[chosen])

    told = compare("halves", "LifeSnaps", half(first), half(~first), seed=1)
    assert told.auc.low < 0.5
    assert told.auc.value < 0.65


@needs("fitbit_minute")
def test_real_minutes_have_the_published_gaps_and_residuals():
    samples = fitbit_days(DATA)
    assert len({sample.person for sample in samples}) == 3
    assert target(samples, "gaps over 60 min") == pytest.approx(0.97, abs=0.3)
    assert 4.7 <= target(samples, "HR residual sd") <= 9.3
    assert target(samples, "HR below 50, episodes") == pytest.approx(0.14, abs=0.1)


@needs("fitbit_minute")
@needs("lifesnaps_daily")
def test_a_lifeless_simulator_is_told_at_once_and_the_report_says_why():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    dull = [
        day(f"s{n}", number, hr_bpm=rng.normal(65, 1, DAY_MIN), steps=rng.integers(0, 2, DAY_MIN) * 10.0)
        for n in range(4)
        for number in range(4)
    ]
    report = realism_report(dull, DATA, seed=1)
    text = as_markdown(report)
    minutes = next(one for one in report.comparisons if one.name == "minutes")
    assert minutes.auc.value > 0.9
    assert isinstance(minutes.auc, Interval)
    assert "| no |" in text
    assert "| gaps over 60 min | per day | 0 | 0.97 |" in text
    assert minutes.marginals[0].feature in text
