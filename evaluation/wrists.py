"""Real wrists with skin temperature: an hour each of people at a desk, as a band would send it once a minute.

From ``folder/stress_predict`` (Empatica E4). ``device.off_body`` and ``vitals.fall`` were calibrated on every second
person (S01, S03 … S23), so only the others are here. Steps and peaks were not recorded and are absent.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluation.backgrounds import NO_WHOLE_DAY, QUALITY, Background, Band, background, case_of, read_csv
from evaluation.case import Case
from evaluation.outcome import Context

BRISK_G: Final = 0.25
"""The deviation of a brisk walk's acceleration at the wrist: activity 1."""
LOST_MIN: Final = (1.0, 30.0)
"""For so long three Fitbit wearers show no rate, six times a day, whether worn or not (309 gaps of a minute to an hour
in 49 days). Set on 2026-11-25, after trials with those very gaps on the same people, and not fitted to any."""
LOST_QUALITY: Final = 0.1
SETTLED_MIN: Final = 10
"""Nothing is lost before a detector could have seen the band worn."""


def wrist_minutes(folder: Path, *, copies: int = 1) -> Background:
    """The people that nothing was calibrated on, ``copies`` bands each, a reading a minute.

    Raises ``FileNotFoundError``.
    """
    people: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_csv(folder / "stress_predict" / "e4_1hz.csv.gz"):
        people[row["subject"]].append(row)
    bands = [
        Band(f"wrist-{person}.{copy}", f"wrist-{person}.{copy}", columns)
        for person in sorted(people)[1::2]
        for columns in [_minutes(people[person])]
        for copy in range(1, copies + 1)
    ]
    alike = (f"{copies} bands each of {len(bands) // copies} people",) if copies > 1 else ()
    return replace(background("wrist minutes", bands, []), notes=(NO_WHOLE_DAY, *alike))


def lost_pulses(made: Background, rng: np.random.Generator) -> Case:
    """The same with one stretch a band in which the sensor finds no pulse though the band is worn: a hard negative."""
    readings = made.readings.replace(
        heart_rate_bpm=made.readings.heart_rate_bpm.copy(), quality=made.readings.quality.copy()
    )
    contexts: list[Context] = []
    for device, number in made.numbered.device_no.items():
        mine = np.flatnonzero(readings.device == number)
        length = max(1, round(rng.uniform(*LOST_MIN)))
        first = int(rng.integers(SETTLED_MIN, max(len(mine) - length, SETTLED_MIN + 1)))
        span = mine[first : first + length]
        readings.heart_rate_bpm[span], readings.quality[span] = np.nan, LOST_QUALITY
        start_ms, end_ms = int(readings.event_ms[span[0]]), int(readings.event_ms[span[-1]])
        contexts.append(Context(device, "pulse_lost", start_ms, end_ms))
    return case_of(f"{made.name}, pulse lost", made.numbered, readings, made.events, contexts, made.notes)


def _minutes(rows: Sequence[Mapping[str, str]]) -> dict[str, NDArray[Any]]:
    """The last rate and temperature of each whole minute, and how much the wrist moved in it."""
    at_s, rate, skin_c, spread_g = (
        np.array([float(row[name] or "nan") for row in rows]) for name in ("t", "hr", "temp_c", "acc_std_g")
    )
    minute = ((at_s - at_s[0]) // 60).astype(np.intp)
    last = np.flatnonzero(np.diff(minute, append=minute[-1]))
    moved_g = np.bincount(minute, weights=spread_g) / np.maximum(np.bincount(minute), 1)
    return {
        "event_ms": (at_s[last] * 1000.0).astype(np.int64),
        "heart_rate_bpm": rate[last],
        "skin_temp_c": skin_c[last],
        "activity": np.minimum(moved_g[minute[last]] / BRISK_G, 1.0),
        "quality": np.full(len(last), QUALITY),
    }
