"""How often does GPS wander ring a fence, how soon does a real crossing, and how fast is it judged?

Correlated noise, fixes a minute apart and, as the platform commands them near a line, 15 s apart.

A circle of 100 m. Wander: people at its centre, and people who live 10 m inside its line (the hard case), for days.
Crossing: a walk straight out at 1.3 m/s. ``accuracy_m`` is honest: the 68 % radius of the error.
"""

import numpy as np

from bench.timing import best_s
from geo.drift import drift_m
from geo.presence import COLUMNS, OUTSIDE, Fixes, PresenceConfig, update
from schemas.judging import Table

RADIUS_M = 100.0
PAIRS = 50_000
CORRELATION_S = 300.0
WEARERS = 100
DAYS = 5
WALKS = 2_000
WALK_MPS = 1.3
RADIUS_68 = 1.51
"""The 68 % radius of a circular normal error, in standard deviations of one axis."""


def run() -> dict[str, dict[str, float]]:
    cases = {
        f"error {sigma} m an axis, {step_s} s": _case(sigma, step_s)
        for sigma in (10.0, 20.0, 30.0)
        for step_s in (60, 15)
    }
    return cases | {"judgements of a fix and a zone": {"per second": _per_second()}}


def _per_second() -> float:
    table = Table.new(np.arange(PAIRS), COLUMNS)
    errors, rounds = _Wander(20.0, PAIRS, 60), iter(range(1, 1_000_000))
    return PAIRS / best_s(lambda: _fix(table, errors, np.full(PAIRS, 90.0), next(rounds), 0.0))


def _case(sigma: float, step_s: int) -> dict[str, float]:
    delays = _delays_s(sigma, step_s)
    median, p95, p99 = np.percentile(delays, [50, 95, 99])
    return {
        "false a wearer-day, at the centre": _false_a_day(sigma, 0.0, step_s),
        "false a wearer-day, home 10 m inside the line": _false_a_day(sigma, RADIUS_M - 10.0, step_s),
        "crossings found": float(np.isfinite(delays).mean()),
        "crossing to alert, median s": median,
        "crossing to alert, p95 s": p95,
        "crossing to alert, p99 s": p99,
    }


def _false_a_day(sigma: float, home_m: float, step_s: int) -> float:
    table, errors = Table.new(np.arange(WEARERS), COLUMNS), _Wander(sigma, WEARERS, step_s)
    rings, before = 0, np.zeros(WEARERS, np.bool_)
    for number in range(DAYS * 86_400 // step_s):
        _fix(table, errors, np.full(WEARERS, home_m), number, 0.0)
        outside = table["presence"] == OUTSIDE
        rings += int((outside & ~before).sum())
        before = outside
    return rings / (WEARERS * DAYS)


def _delays_s(sigma: float, step_s: int) -> np.ndarray:
    table, errors = Table.new(np.arange(WALKS), COLUMNS), _Wander(sigma, WALKS, step_s)
    starts_s = np.random.default_rng(2).uniform(600, 600 + step_s, WALKS)
    crossed_s = starts_s + RADIUS_M / WALK_MPS
    found_s = np.full(WALKS, np.inf)
    for number in range(3_600 // step_s):
        walked_m = np.maximum(number * step_s - starts_s, 0.0) * WALK_MPS
        _fix(table, errors, walked_m, number, np.where(walked_m > 0, WALK_MPS, 0.0))
        found_s[(table["presence"] == OUTSIDE) & np.isinf(found_s)] = number * step_s
    return found_s - crossed_s


def _fix(table: Table, errors: "_Wander", east_m: np.ndarray, number: int, mps: np.ndarray | float) -> None:
    config, pairs = PresenceConfig(), np.arange(len(east_m))
    x, y = errors.next()
    x = x + east_m
    accuracy_m = np.full(len(east_m), RADIUS_68 * errors.sigma, np.float32)
    at_ms = np.full(len(east_m), number * errors.step_s * 1000)
    doppler_mps = np.broadcast_to(np.float32(mps), len(east_m))
    fix_m = np.hypot(x, y) - RADIUS_M
    drift = drift_m(table, pairs, fix_m, x, y, accuracy_m, doppler_mps, at_ms, config)
    reckoned_m = np.hypot(x - drift[0], y - drift[1]) - RADIUS_M
    uncounted = np.zeros(len(pairs), np.bool_)
    fixes = Fixes(fix_m, reckoned_m, *drift, x, y, accuracy_m, doppler_mps, uncounted, uncounted, at_ms)
    update(table, pairs, np.full(len(pairs), OUTSIDE), fixes, config)


class _Wander:
    """A first-order Gauss-Markov error on two axes."""

    def __init__(self, sigma: float, count: int, step_s: int) -> None:
        self.sigma, self.step_s = sigma, step_s
        self._random = np.random.default_rng(1)
        self._error = self._random.normal(0.0, sigma, (2, count))
        self._keeps = np.exp(-step_s / CORRELATION_S)

    def next(self) -> np.ndarray:
        fresh = self._random.normal(0.0, self.sigma, self._error.shape)
        self._error = self._keeps * self._error + np.sqrt(1.0 - self._keeps**2) * fresh
        return self._error
