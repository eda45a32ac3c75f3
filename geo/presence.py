"""Inside or outside, decided from fixes that are discs: evidence accumulates, one fix never decides.

Model: the error of a fix is logistic with scale ``s = hypot(accuracy, unmodelled)``, so the log odds
of being outside, given a signed distance d, are d / s; tails heavier than normal are what receivers
in streets show. Evidence against the present belief adds up (a one-sided CUSUM, Page 1954) and the
belief flips at a threshold. Each fix is capped, so that at least two are needed however far the
first one lies; fixes in quick succession share their error and weigh less.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.judging import NEVER, Columns, Table, Times

UNKNOWN: Final = -1
INSIDE: Final = 0
OUTSIDE: Final = 1

Floats = NDArray[np.float64]

COLUMNS: Final[Columns] = {
    "presence": (np.int8, UNKNOWN),
    "evidence": (np.float16, 0.0),
    "since_ms": (np.int64, NEVER),
    "fix_s": (np.uint32, 0),
    "x_m": (np.float32, np.nan),
    "y_m": (np.float32, np.nan),
    "accuracy_m": (np.float16, np.nan),
    "speed_mps": (np.float16, np.nan),
}
"""Belief, evidence against it, since when it runs; the newest fix: second, metres in the zone's plane, radius, speed.

A fix that is told again with an age is no new evidence (``is_new``).
"""

COARSEST_M: Final = 60_000.0
"""What an accuracy is stored as at most: half precision ends there."""


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """The numbers of the model: metres, log odds, seconds.

    ``unmodelled_m`` is error that receivers do not admit to (multipath, correlation). Leaving asks that the
    whole disc of the fix lies outside, and ``margin_m`` at least, or wander on the line would ring at every
    fix (ADR 0008); entering does not. A fix coarser
    than ``coarse_accuracy_m`` (a cell) errs the same way every time: it supports, but never decides.

    Rings when evidence of being on the wrong side reaches ``leave_threshold`` (outside a keep-in or curfew place) or
    ``enter_threshold`` (inside a keep-out): signal wanders outwards from a home near the line every night, but hardly
    ever into a forbidden zone (ADR 0011). Coming back takes ``threshold``.

    The error of somebody who stays wanders for minutes: by Doppler slower than ``walks_from_mps``, their fixes are one
    witness that repeats itself. Whoever walks goes somewhere, so a smaller margin will do.

    A fix that leaps away at once (``leap_mps`` and three times what Doppler says, within ``leap_within_s``) weighs
    ``leap_weight``: whoever rides shows it. Outside without a step and without speed weighs ``still_weight``: nobody
    leaves unmoved. One fix says at most its cap, which lies below what it would
    have to reach alone.
    """

    unmodelled_m: float = 12.0
    margin_m: float = 15.0
    inward_cap: float = 3.0
    outward_cap: float = 4.0
    threshold: float = 4.5
    leave_threshold: float = 6.0
    enter_threshold: float = 3.2
    independent_after_s: float = 15.0
    least_weight: float = 0.5
    walks_from_mps: float = 0.8
    walking_margin: float = 0.2
    resting_independent_after_s: float = 60.0
    resting_least_weight: float = 0.25
    coarse_accuracy_m: float = 500.0
    leap_within_s: float = 180.0
    leap_mps: float = 8.0
    leap_weight: float = 0.3
    still_weight: float = 0.35

    def scaled(self, factor: float) -> "PresenceConfig":
        """The same with all thresholds so many times as high."""
        return replace(
            self,
            threshold=self.threshold * factor,
            leave_threshold=self.leave_threshold * factor,
            enter_threshold=self.enter_threshold * factor,
        )


class Fixes(NamedTuple):
    """One fix a pair: signed distance to the zone's wall (m), place in its plane (m), accuracy (m), speed, its time.

    ``still``: the band counted no step and felt no speed since the reading before.
    """

    distance_m: Floats
    x_m: Floats
    y_m: Floats
    accuracy_m: NDArray[np.float32]
    speed_mps: NDArray[np.float32]
    still: NDArray[np.bool_]
    fix_ms: Times

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> "Fixes":
        """The fixes at some positions, or where a mask is true."""
        return Fixes(
            self.distance_m[index],
            self.x_m[index],
            self.y_m[index],
            self.accuracy_m[index],
            self.speed_mps[index],
            self.still[index],
            self.fix_ms[index],
        )


class Weighed(NamedTuple):
    """What fixes said, one value a pair: log odds of being outside, the evidence after them, what it must reach."""

    log_odds: Floats
    score: Floats
    threshold: Floats


def is_new(table: Table, pairs: NDArray[np.intp], fix_ms: Times, age_s: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which fixes are newer than the newest of their pair; an age in whole seconds makes a repeated one a second newer.

    >>> table = Table.new(np.array([1, 2, 3]), COLUMNS)
    >>> table["fix_s"][:] = 60
    >>> is_new(table, np.arange(3), np.array([60_500, 61_500, 62_000]), np.array([0, 30, 30], "f4")).tolist()
    [True, False, True]
    """
    later_s = fix_ms // 1000 - table["fix_s"][pairs].astype(np.int64)
    return np.asarray(later_s > np.where(age_s > 0, 1, -1))


def update(
    table: Table, pairs: NDArray[np.intp], wrong_side: NDArray[np.int8], fixes: Fixes, config: PresenceConfig
) -> Weighed:
    """Let one new fix a pair speak (``is_new``); ``wrong_side`` is where the pair's zone does not want its wearer.

    When the belief flips, the score is the evidence for it and ``since_ms`` the onset: the time of the first fix of
    the run that flipped it.

    >>> table = Table.new(np.array([1]), COLUMNS)
    >>> for n, metres in enumerate([-80.0, -80.0, 300.0, 300.0]):
    ...     here, fine, slow = np.array([metres]), np.array([8.0], "f4"), np.array([1.0], "f4")
    ...     one = Fixes(here, here, here * 0.0, fine, slow, np.array([False]), np.array([n * 60_000]))
    ...     weighed = update(table, np.array([0]), np.array([OUTSIDE]), one, PresenceConfig())
    ...     print(int(table["presence"][0]), int(table["since_ms"][0]))
    -1 0
    0 0
    0 120000
    1 120000
    """
    belief = table["presence"][pairs]
    outward = log_odds(fixes.distance_m, fixes.accuracy_m, fixes.speed_mps, config)
    outward = outward * _weight(table, pairs, fixes, config)

    held = table["evidence"][pairs].astype(np.float64)
    against = np.where(belief == INSIDE, outward, -outward)
    evidence = np.where(belief == UNKNOWN, held + outward, np.maximum(held + against, 0.0))
    coarse = fixes.accuracy_m > config.coarse_accuracy_m
    bound = np.where(coarse, np.maximum(np.abs(held), config.threshold / 2.0), np.inf)
    evidence = np.clip(evidence, -bound, bound)
    restarts = np.where(belief == UNKNOWN, np.sign(evidence) != np.sign(held), (held <= 0) & (evidence > 0))

    towards = np.where(belief == UNKNOWN, UNKNOWN, 1 - belief)
    rings_at = np.where(wrong_side == OUTSIDE, config.leave_threshold, config.enter_threshold)
    threshold = np.where(towards == wrong_side, rings_at, config.threshold)
    flips = np.abs(evidence) >= threshold
    flipped_to = np.where(belief == UNKNOWN, evidence > 0, belief == INSIDE).astype(np.int8)
    table["presence"][pairs] = np.where(flips, flipped_to, belief)
    table["evidence"][pairs] = np.where(flips, 0.0, evidence)
    table["since_ms"][pairs] = np.where(restarts, fixes.fix_ms, table["since_ms"][pairs])
    table["fix_s"][pairs] = fixes.fix_ms // 1000
    table["x_m"][pairs], table["y_m"][pairs] = fixes.x_m, fixes.y_m
    table["accuracy_m"][pairs] = np.minimum(fixes.accuracy_m, COARSEST_M)
    table["speed_mps"][pairs] = fixes.speed_mps
    return Weighed(outward, np.abs(evidence), threshold)


def log_odds(
    distance_m: Floats, accuracy_m: NDArray[np.float32], speed_mps: NDArray[np.float32], config: PresenceConfig
) -> Floats:
    """Capped log odds of being outside, given a signed distance, the disc that holds the fix, and speed by Doppler."""
    share = np.where(speed_mps >= config.walks_from_mps, config.walking_margin, 1.0)
    margin_m = np.maximum(accuracy_m, config.margin_m) * share
    beyond = np.where(distance_m > 0, np.maximum(distance_m - margin_m, 0.0), distance_m)
    odds = beyond / np.hypot(accuracy_m, config.unmodelled_m)
    return np.asarray(np.clip(odds, -config.inward_cap, config.outward_cap))


def _weight(table: Table, pairs: NDArray[np.intp], fixes: Fixes, config: PresenceConfig) -> Floats:
    """A run's first fix counts whole, later ones by how long ago the one before them was; a leap counts little."""
    running = table["evidence"][pairs] != 0
    apart_s = fixes.fix_ms / 1000.0 - table["fix_s"][pairs]
    rests = fixes.speed_mps < config.walks_from_mps
    after_s = np.where(rests, config.resting_independent_after_s, config.independent_after_s)
    shared = np.clip(apart_s / after_s, np.where(rests, config.resting_least_weight, config.least_weight), 1.0)
    weight = np.where(running, shared, 1.0)
    weight = np.where(_leaps(table, pairs, fixes, apart_s, config), config.leap_weight * weight, weight)
    unmoved = fixes.still & (fixes.distance_m > 0) & (table["presence"][pairs] == INSIDE)
    return np.asarray(np.where(unmoved, config.still_weight * weight, weight))


def _leaps(
    table: Table, pairs: NDArray[np.intp], fixes: Fixes, apart_s: Floats, config: PresenceConfig
) -> NDArray[np.bool_]:
    """Which fixes lie farther from the one before than Doppler, at either end, knows of."""
    metres = np.hypot(fixes.x_m - table["x_m"][pairs], fixes.y_m - table["y_m"][pairs])
    implied_mps = metres / np.maximum(apart_s, 1.0)
    doppler_mps = np.fmax(table["speed_mps"][pairs].astype(np.float64), fixes.speed_mps)
    possible_mps = np.maximum(config.leap_mps, 3.0 * doppler_mps)
    return np.asarray((apart_s <= config.leap_within_s) & (implied_mps > possible_mps))
