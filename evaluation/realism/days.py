"""What is a day of somebody's life? A local day by the minute, from a run's readings or from Fitbit's recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluation.backgrounds import fitbit_rates, minute_of, read_csv
from schemas.readings import ABSENT, SOURCE_CODE, Readings
from schemas.wire import Source

DAY_MIN: Final = 1_440
EDGE_MIN: Final = 10
"""A run that begins or ends this near to midnight has the whole day."""
LEAST_RECORDED_MIN: Final = 480
"""A day with less than eight hours of readings is not compared."""
REPEATED_FROM_S: Final = 60.0

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DaySample:
    """One person's local day by the minute: arrays of 1,440, NaN where nothing was measured.

    ``day`` counts local days since 1970-01-01. ``steps`` are per minute; a fix is one the receiver made in that minute.
    """

    person: str
    day: int
    hr_bpm: Floats
    steps: Floats
    skin_temp_c: Floats
    rmssd_ms: Floats
    lat: Floats
    lon: Floats

    @property
    def recorded(self) -> Flags:
        """The minutes in which the band measured anything."""
        return np.asarray(~np.isnan(self.hr_bpm) | ~np.isnan(self.steps) | ~np.isnan(self.skin_temp_c))


def day_samples(readings: Readings, tz_offset_min: int) -> list[DaySample]:
    """The whole local days of a run of about one reading a minute, by device and day.

    The run's first and last day count only if it covers them. Of several readings in a minute the last one's values
    hold, and their steps add up. Fixes repeated from an earlier minute, or from cells and Wi-Fi, are none.
    """
    readings = readings.take(np.argsort(readings.event_ms, kind="stable"))
    own = (readings.source == ABSENT) | (readings.source == SOURCE_CODE[Source.GNSS])
    own &= ~(readings.age_s >= REPEATED_FROM_S)
    return _days(
        readings.device.astype(np.str_),
        readings.event_ms // 60_000 + tz_offset_min,
        {
            "hr_bpm": np.where(readings.heart_rate_bpm > 0, readings.heart_rate_bpm, np.nan),
            "steps": readings.steps,
            "skin_temp_c": readings.skin_temp_c,
            "rmssd_ms": readings.hrv_rmssd_ms,
            "lat": np.where(own, readings.lat, np.nan),
            "lon": np.where(own, readings.lon, np.nan),
        },
    )


def fitbit_days(folder: Path) -> list[DaySample]:
    """Three people's days from ``folder/fitbit_minute``: rates of the 5 s file, steps where the minute file has them.

    Only days of the 5 s file: the minute file has no nights, which would look like a gap each day.
    """
    people, minutes, rates = fitbit_rates(folder)
    steps = {
        (row["user"], minute_of(row["t"])): float(row["steps"])
        for row in read_csv(folder / "fitbit_minute" / "minute_hr_steps.csv.gz")
    }
    walked = np.array([steps.get(key, np.nan) for key in zip(people.tolist(), minutes.tolist(), strict=True)])
    return [
        sample
        for person in np.unique(people)
        for sample in _days(
            people[people == person],
            minutes[people == person],
            {"hr_bpm": rates[people == person], "steps": walked[people == person]},
        )
    ]


def _days(people: NDArray[np.str_], minutes: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> list[DaySample]:
    if not len(minutes):
        return []
    names, person = np.unique(people, return_inverse=True)
    day, minute = np.divmod(minutes, DAY_MIN)
    keys, row = np.unique(np.column_stack([person, day]), axis=0, return_inverse=True)
    tables = {
        name: _table(columns.get(name), row.ravel(), minute, len(keys), add=name == "steps") for name in _MEASURED
    }
    begun = keys[:, 1] * DAY_MIN >= minutes.min() - EDGE_MIN
    whole = begun & ((keys[:, 1] + 1) * DAY_MIN <= minutes.max() + 1 + EDGE_MIN)
    samples = [
        DaySample(str(names[keys[n, 0]]), int(keys[n, 1]), *(tables[name][n] for name in _MEASURED))
        for n in np.flatnonzero(whole)
    ]
    return [sample for sample in samples if sample.recorded.sum() >= LEAST_RECORDED_MIN]


_MEASURED: Final = ("hr_bpm", "steps", "skin_temp_c", "rmssd_ms", "lat", "lon")


def _table(
    values: NDArray[Any] | None, row: NDArray[np.intp], minute: NDArray[np.int64], days: int, *, add: bool
) -> Floats:
    table = np.full((days, DAY_MIN), np.nan)
    if values is None:
        return table
    known = np.flatnonzero(~np.isnan(values))
    at = row[known], minute[known]
    table[at] = 0.0 if add else values[known]
    if add:
        np.add.at(table, at, values[known])
    return table
