"""What does a day look like? A row of features by the minute, the hour or the night, simulated or of LifeSnaps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.backgrounds import read_csv
from evaluation.realism.days import DAY_MIN, LEAST_RECORDED_MIN, DaySample, Flags, Floats

LEAST_IN_HOUR_MIN: Final = 10
NIGHT: Final = slice(0, 360)
"""Local midnight to six."""
DAYTIME: Final = slice(420, 1_260)
"""Seven to nine in the evening: the hours of which the real minutes have steps."""
SLOW_BPM: Final = 50.0
FAST_BPM: Final = 100.0
WALKS_FROM_STEPS: Final = 30.0
BOUT_FROM_MIN: Final = 2
ACTIVE_HOUR_STEPS: Final = 250.0
RESTING_PCT: Final = 10.0

HOURS: Final = tuple(f"{hour:02d}" for hour in range(24))
MINUTE_NAMES: Final = (
    *(f"hr_mean_{hour}_bpm" for hour in HOURS),
    "hr_spread_bpm",
    "hr_residual_sd_bpm",
    "hr_night_min_bpm",
    "hr_below_50_min",
    "hr_above_100_min",
    *(f"steps_{hour}" for hour in HOURS),
    "steps_daytime",
    "longest_rest_daytime_min",
    "walking_bouts_daytime",
    "gaps_over_10_min",
    "gaps_over_60_min",
)
HOUR_NAMES: Final = (*(f"steps_{hour}" for hour in HOURS), "steps_total", "active_hours")
NIGHT_NAMES: Final = ("resting_hr_bpm", "night_rmssd_ms", "night_skin_temp_c", "steps_total")


class Features(NamedTuple):
    """What a classifier sees: one row a person-day, one column a name; NaN where a day has no such value."""

    names: tuple[str, ...]
    people: tuple[str, ...]
    rows: Floats


def minute_features(samples: Sequence[DaySample]) -> Features:
    """What a day looks like by the minute.

    Spread: 5 to 95 %. Residual: each person's rate regressed on steps and hour of day over all their days, sd within
    the day. A bout of walking is two minutes or more of over 30 steps; a rest, minutes on end without a step; both
    between seven and nine in the evening, since the real minutes have no steps at night.
    """
    residual = residuals(samples)
    rows = np.array([_minute_row(sample, residual[n]) for n, sample in enumerate(samples)])
    return Features(MINUTE_NAMES, people_of(samples), rows.reshape(-1, len(MINUTE_NAMES)))


def hour_features(samples: Sequence[DaySample]) -> Features:
    """Steps by hour, their sum, and the hours with more than 250."""
    steps = np.array([_by_hour(sample.steps, np.nansum) for sample in samples]).reshape(-1, 24)
    return _hour_features(people_of(samples), steps)


def night_features(samples: Sequence[DaySample]) -> Features:
    """Daily values as makers of watches give them: resting rate (the day's 10 % quantile), night RMSSD and skin, steps.

    The makers' own formulas are not published: a difference in these can lie in the formula.
    """
    rows = [
        (
            quantile(sample.hr_bpm, RESTING_PCT / 100.0),
            quantile(sample.rmssd_ms[NIGHT], 0.5),
            quantile(sample.skin_temp_c[NIGHT], 0.5),
            _sum(sample.steps),
        )
        for sample in samples
    ]
    return Features(NIGHT_NAMES, people_of(samples), np.array(rows, np.float64).reshape(-1, len(NIGHT_NAMES)))


def people_of(samples: Sequence[DaySample]) -> tuple[str, ...]:
    """Whose each day is."""
    return tuple(sample.person for sample in samples)


def lifesnaps_hours(folder: Path) -> Features:
    """Hourly steps of 36 people from ``folder/lifesnaps_daily/steps_hourly.csv.gz``; hours without a row are NaN."""
    days: dict[tuple[str, str], Floats] = {}
    for row in read_csv(folder / "lifesnaps_daily" / "steps_hourly.csv.gz"):
        day = days.setdefault((row["id"], row["date"]), np.full(24, np.nan))
        day[int(row["hour"])] = float(row["steps"])
    kept = {key: day for key, day in days.items() if np.isfinite(day).sum() * 60 >= LEAST_RECORDED_MIN}
    return _hour_features([person for person, _ in kept], np.array(list(kept.values())).reshape(-1, 24))


def lifesnaps_nights(folder: Path) -> Features:
    """Daily values of 36 people from ``folder/lifesnaps_daily/daily.csv.gz``, where 0 means missing."""
    columns = ("resting_hr", "rmssd", "nightly_temperature", "steps")
    days = list(read_csv(folder / "lifesnaps_daily" / "daily.csv.gz"))
    rows = np.array([[float(day[column] or 0.0) for column in columns] for day in days])
    rows[rows == 0] = np.nan
    kept = np.flatnonzero(np.isfinite(rows).any(axis=1))
    return Features(NIGHT_NAMES, tuple(days[n]["id"] for n in kept), rows[kept])


def _hour_features(people: Sequence[str], steps: Floats) -> Features:
    total = np.nansum(steps, axis=1)
    active = (steps > ACTIVE_HOUR_STEPS).sum(axis=1)
    return Features(HOUR_NAMES, tuple(people), np.column_stack([steps, total, active]))


def _minute_row(sample: DaySample, residual: Floats) -> list[float]:
    rate, awake, gaps = sample.hr_bpm, sample.steps[DAYTIME], run_lengths(~sample.recorded)
    has_steps = bool(np.isfinite(awake).any())
    rests, bouts = run_lengths(awake == 0), run_lengths(awake > WALKS_FROM_STEPS)
    return [
        *_by_hour(rate, np.nanmean),
        quantile(rate, 0.95) - quantile(rate, 0.05),
        float(np.nanstd(residual)) if np.isfinite(residual).any() else np.nan,
        quantile(rate[NIGHT], 0.0),
        float((rate < SLOW_BPM).sum()),
        float((rate > FAST_BPM).sum()),
        *_by_hour(sample.steps, np.nansum),
        _sum(awake),
        float(rests.max(initial=0)) if has_steps else np.nan,
        float((bouts >= BOUT_FROM_MIN).sum()) if has_steps else np.nan,
        float((gaps > 10).sum()),  # noqa: PLR2004
        float((gaps > 60).sum()),  # noqa: PLR2004
    ]


def run_lengths(flags: Flags) -> NDArray[np.intp]:
    """How long each run of true values is.

    >>> run_lengths(np.array([True, True, False, True])).tolist()
    [2, 1]
    """
    first, after = runs(flags)
    return np.asarray(after - first)


def runs(flags: Flags) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each run of true values begins, and the place after its end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2]


def _by_hour(values: Floats, summary: Any) -> list[float]:  # noqa: ANN401
    hours = values.reshape(24, 60)
    enough = np.isfinite(hours).sum(axis=1) >= LEAST_IN_HOUR_MIN
    return [float(summary(hour)) if known else np.nan for hour, known in zip(hours, enough, strict=True)]


def quantile(values: Floats, share: float) -> float:
    """Of the values that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if len(known) else np.nan


def _sum(values: Floats) -> float:
    return float(np.nansum(values)) if np.isfinite(values).any() else np.nan


def residuals(samples: Sequence[DaySample]) -> Floats:
    """Each day's minutes of rate that steps and the hour of day do not explain, NaN where either is missing."""
    residual = np.full((len(samples), DAY_MIN), np.nan)
    people = np.array(people_of(samples))
    for person in np.unique(people):
        mine = np.flatnonzero(people == person).tolist()
        rate = np.array([samples[n].hr_bpm for n in mine]).ravel()
        steps = np.array([samples[n].steps for n in mine]).ravel()
        residual[mine] = _unexplained(rate, steps).reshape(len(mine), DAY_MIN)
    return residual


def _unexplained(rate: Floats, steps: Floats) -> Floats:
    known = np.flatnonzero(np.isfinite(rate) & np.isfinite(steps))
    residual = np.full(len(rate), np.nan)
    hour = known % DAY_MIN // 60
    design = np.column_stack([steps[known], hour[:, None] == np.arange(24)])
    if len(known):
        residual[known] = rate[known] - design @ np.linalg.lstsq(design, rate[known], rcond=None)[0]
    return residual
