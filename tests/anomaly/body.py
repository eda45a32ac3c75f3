"""Bands of one body each, told minute by minute what they measure."""

from typing import Any

import numpy as np

from schemas.judging import Detector, Table, Verdict
from schemas.readings import Readings

AHEAD_S = np.array([8 * 3600], np.int32)
KEYS = np.array([1])
MIDNIGHT_MS = 1_795_363_200_000  # 2026-11-23 00:00 in Shanghai


def told(detector: Detector, table: Table, at_min: np.ndarray, **columns: Any) -> list[Verdict]:
    """Judge one reading after the other; a column is an array, or one value for all."""
    whole = {name: np.broadcast_to(values, at_min.shape) for name, values in columns.items()}
    verdicts = []
    for n, minute in enumerate(at_min):
        here = {name: values[n : n + 1] for name, values in whole.items()}
        step = Readings.of(device=[1], event_ms=[MIDNIGHT_MS + round(minute * 60_000)], **here)
        verdicts += detector.judge(table, np.array([0]), step)
    return verdicts


def fresh(detector: Detector) -> Table:
    """Nothing known yet."""
    return Table.new(detector.keys, detector.columns)


def opened(verdicts: list[Verdict]) -> list[Verdict]:
    """Those that rang."""
    return [verdict for verdict in verdicts if verdict.transition == "opened"]


def beating(rng: np.random.Generator, n: int, level: float = 68.0, spread: float = 4.0) -> np.ndarray:
    """Rates at rest as bands send them: whole beats around a level."""
    return np.round(rng.normal(level, spread, n))
