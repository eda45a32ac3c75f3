"""How often does GPS wander ring a fence, and how soon does a real crossing? Correlated noise, fixes a minute apart.

A circle of 100 m. Wander: people at its centre, and people who live 10 m inside its line (the hard case), for days.
Crossing: a walk straight out at 1.3 m/s. ``accuracy_m`` is honest: the 68 % radius of the error.
"""

import numpy as np

from geo.presence import COLUMNS, OUTSIDE, PresenceConfig, update
from schemas.judging import Table

RADIUS_M = 100.0
STEP_S = 60
CORRELATION_S = 300.0
WEARERS = 100
DAYS = 5
WALKS = 2_000
WALK_MPS = 1.3
RADIUS_68 = 1.51
"""The 68 % radius of a circular normal error, in standard deviations of one axis."""


def run() -> dict[str, dict[str, float]]:
    return {f"error {sigma} m an axis": _case(sigma) for sigma in (10.0, 20.0, 30.0)}


def _case(sigma: float) -> dict[str, float]:
    delays = _delays_s(sigma)
    median, p95, p99 = np.percentile(delays, [50, 95, 99])
    return {
        "false a wearer-day, at the centre": _false_a_day(sigma, 0.0),
        "false a wearer-day, home 10 m inside the line": _false_a_day(sigma, RADIUS_M - 10.0),
        "crossings found": float(np.isfinite(delays).mean()),
        "crossing to alert, median s": median,
        "crossing to alert, p95 s": p95,
        "crossing to alert, p99 s": p99,
    }


def _false_a_day(sigma: float, home_m: float) -> float:
    table, errors = Table.new(np.arange(WEARERS), COLUMNS), _Wander(sigma, WEARERS)
    rings, before = 0, np.zeros(WEARERS, np.bool_)
    for number in range(DAYS * 86_400 // STEP_S):
        _fix(table, errors, np.full(WEARERS, home_m), number)
        outside = table["presence"] == OUTSIDE
        rings += int((outside & ~before).sum())
        before = outside
    return rings / (WEARERS * DAYS)


def _delays_s(sigma: float) -> np.ndarray:
    table, errors = Table.new(np.arange(WALKS), COLUMNS), _Wander(sigma, WALKS)
    starts_s = np.random.default_rng(2).uniform(600, 600 + STEP_S, WALKS)
    crossed_s = starts_s + RADIUS_M / WALK_MPS
    found_s = np.full(WALKS, np.inf)
    for number in range(60):
        walked_m = np.maximum(number * STEP_S - starts_s, 0.0) * WALK_MPS
        _fix(table, errors, walked_m, number)
        found_s[(table["presence"] == OUTSIDE) & np.isinf(found_s)] = number * STEP_S
    return found_s - crossed_s


def _fix(table: Table, errors: "_Wander", east_m: np.ndarray, number: int) -> None:
    x, y = errors.next()
    distance_m = np.hypot(east_m + x, y) - RADIUS_M
    accuracy_m = np.full(len(east_m), RADIUS_68 * errors.sigma, np.float32)
    at_ms = np.full(len(east_m), number * STEP_S * 1000)
    update(table, np.arange(len(east_m)), distance_m, accuracy_m, at_ms, PresenceConfig())


class _Wander:
    """A first-order Gauss-Markov error on two axes."""

    def __init__(self, sigma: float, count: int) -> None:
        self.sigma = sigma
        self._random = np.random.default_rng(1)
        self._error = self._random.normal(0.0, sigma, (2, count))
        self._keeps = np.exp(-STEP_S / CORRELATION_S)

    def next(self) -> np.ndarray:
        fresh = self._random.normal(0.0, self.sigma, self._error.shape)
        self._error = self._keeps * self._error + np.sqrt(1.0 - self._keeps**2) * fresh
        return self._error
