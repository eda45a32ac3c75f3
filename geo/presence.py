"""Inside or outside, decided from fixes that are discs: evidence accumulates, one fix never decides.

Model: the error of a fix, less what is known of its drift (``geo.drift``), is logistic with scale ``s``, so the log
odds of being outside, given a signed distance d of the reckoned place, are d / s. Evidence against the present belief
adds up (a one-sided CUSUM, Page 1954) and the belief flips at a threshold. Each fix is capped, so that at least two
are needed however far the first one lies; fixes in quick succession share their error and weigh less. Only whoever
passes home on a way that agrees with their speed is back with one fix inside: it and the one outside before it agree.

Measured in ADR 0012. It does not predict: nobody is outside because they walk towards the line.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.judging import Columns, Table, Times

UNKNOWN: Final = -1
INSIDE: Final = 0
OUTSIDE: Final = 1

Floats = NDArray[np.float64]

COLUMNS: Final[Columns] = {
    "presence": (np.int8, UNKNOWN),
    "evidence": (np.float16, 0.0),
    "since_s": (np.uint32, 0),
    "fix_s": (np.uint32, 0),
    "x_m": (np.float32, np.nan),
    "y_m": (np.float32, np.nan),
    "accuracy_m": (np.float16, np.nan),
    "speed_mps": (np.float16, np.nan),
    "drift_x_m": (np.float16, 0.0),
    "drift_y_m": (np.float16, 0.0),
}
"""Belief, evidence against it, the second since which it runs; the newest fix: second, metres in the zone's plane,
radius, speed, and how far it lies from where its wearer is reckoned to be.

A fix that is told again with an age is no new evidence (``is_new``).
"""

COARSEST_M: Final = 60_000.0
"""What an accuracy is stored as at most: half precision ends there."""


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """The numbers of the model: metres, log odds, seconds.

    ``unmodelled_m`` is error that receivers do not admit to (multipath, correlation). Leaving asks that the
    whole disc of the fix lies outside, and ``margin_m`` at least, or wander on the line would ring at every
    fix (ADR 0008); entering does not. A fix coarser than ``coarse_accuracy_m`` is a cell's (off by 433 m in the
    median of 13 real drives) and errs the same way every time: it supports, but never decides.

    Rings when evidence of being on the wrong side reaches ``leave_threshold`` (outside a keep-in or curfew place) or
    ``enter_threshold`` (inside a keep-out): signal wanders outwards from a home near the line every night, but hardly
    ever into a forbidden zone (ADR 0011). Coming back takes ``threshold``.

    The error of somebody who stays wanders for minutes: by Doppler slower than ``walks_from_mps``, their fixes are one
    witness that repeats itself, and their drift is known (``geo.drift``): it lasts ``drift_lasts_s``, and beyond
    ``most_drift`` radii (three standard deviations) it is no drift but a way. Farther from the wall than
    ``drift_matters_within`` radii nobody asks for it. Whoever walks, by Doppler twice or by Doppler and
    ``walks_from_steps`` steps (20 s of a walk), needs no margin: their error changes with the
    street (``walking_unmodelled_m``), and their scale is ``walking_share`` of the radius. A normal error has 0.36;
    less, for who walks out over a line goes on (ADR 0012).

    A fix that leaps away at once (``leap_mps`` and three times what Doppler says, within ``leap_within_s``) weighs
    ``leap_weight``: whoever rides shows it. Outside without a step and without speed weighs ``still_weight``: nobody
    leaves unmoved. One fix says at most its cap, which lies below what it would have to reach alone.

    ``passing_cap`` lies above ``threshold``: one fix inside, no coarser than ``passing_accuracy_m``, is enough for who
    moves at both ends of the way to it, a way as long as Doppler explains.
    """

    unmodelled_m: float = 12.0
    margin_m: float = 15.0
    inward_cap: float = 3.0
    outward_cap: float = 4.0
    walking_cap: float = 5.5
    passing_cap: float = 5.0
    passing_accuracy_m: float = 60.0
    threshold: float = 4.5
    leave_threshold: float = 6.0
    enter_threshold: float = 3.2
    independent_after_s: float = 15.0
    least_weight: float = 0.5
    walks_from_mps: float = 0.8
    walks_from_steps: float = 30.0
    walking_share: float = 0.16
    walking_unmodelled_m: float = 2.0
    resting_independent_after_s: float = 60.0
    resting_least_weight: float = 0.25
    drift_lasts_s: float = 300.0
    drift_matters_within: float = 10.0
    most_drift: float = 2.0
    coarse_accuracy_m: float = 200.0
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

    ``reckoned_m`` is the signed distance of where its wearer is reckoned to be, ``drift_x_m`` and ``drift_y_m`` how far
    the fix lies from there (``geo.drift``). ``still``: the band counted no step and felt no speed since the reading
    before; ``strides``: it counted as many as a walk has.
    """

    distance_m: Floats
    reckoned_m: Floats
    drift_x_m: Floats
    drift_y_m: Floats
    x_m: Floats
    y_m: Floats
    accuracy_m: NDArray[np.float32]
    speed_mps: NDArray[np.float32]
    still: NDArray[np.bool_]
    strides: NDArray[np.bool_]
    fix_ms: Times

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> "Fixes":
        """The fixes at some positions, or where a mask is true."""
        return Fixes(
            self.distance_m[index],
            self.reckoned_m[index],
            self.drift_x_m[index],
            self.drift_y_m[index],
            self.x_m[index],
            self.y_m[index],
            self.accuracy_m[index],
            self.speed_mps[index],
            self.still[index],
            self.strides[index],
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
    table: Table,
    pairs: NDArray[np.intp],
    wrong_side: NDArray[np.int8],
    fixes: Fixes,
    config: PresenceConfig,
    patience: NDArray[np.float32] | float = 1.0,
) -> Weighed:
    """Let one new fix a pair speak (``is_new``); ``wrong_side`` is where the pair's zone does not want its wearer.

    ``patience`` multiplies what evidence must reach for that.

    When the belief flips, the score is the evidence for it and ``since_s`` the onset: the second of the first fix of
    the run that flipped it.

    >>> table = Table.new(np.array([1]), COLUMNS)
    >>> for n, metres in enumerate([-80.0, -80.0, 300.0, 300.0], 1):
    ...     here, fine, slow = np.array([metres]), np.array([8.0], "f4"), np.array([1.0], "f4")
    ...     none, at = here * 0.0, np.array([n * 60_000])
    ...     one = Fixes(here, here, none, none, here, none, fine, slow, *np.full((2, 1), False), at)
    ...     weighed = update(table, np.array([0]), np.array([OUTSIDE]), one, PresenceConfig())
    ...     print(int(table["presence"][0]), int(table["since_s"][0]))
    -1 60
    0 60
    0 180
    1 180
    """
    belief = table["presence"][pairs]
    # One Doppler reading may err; whoever walks shows it twice, or by steps.
    twice_mps = np.minimum(table["speed_mps"][pairs].astype(np.float32), fixes.speed_mps)
    pace_mps = np.where(fixes.strides, fixes.speed_mps, twice_mps)
    outward = log_odds(fixes.reckoned_m, fixes.accuracy_m, pace_mps, config)
    outward *= _weight(table, pairs, fixes, config)
    comes = (belief == OUTSIDE) & (wrong_side == OUTSIDE) & (fixes.reckoned_m < 0)
    moves = np.flatnonzero(comes & (fixes.speed_mps >= config.walks_from_mps))
    if len(moves):
        outward[moves] = np.minimum(outward[moves], _passing(table, pairs[moves], fixes.take(moves), config))

    held = table["evidence"][pairs].astype(np.float64)
    against = np.where(belief == INSIDE, outward, -outward)
    evidence = np.where(belief == UNKNOWN, held + outward, np.maximum(held + against, 0.0))
    coarse = fixes.accuracy_m > config.coarse_accuracy_m
    bound = np.where(coarse, np.maximum(np.abs(held), config.threshold / 2.0), np.inf)
    evidence = np.clip(evidence, -bound, bound)
    restarts = np.where(belief == UNKNOWN, np.sign(evidence) != np.sign(held), (held <= 0) & (evidence > 0))
    restarts |= table["since_s"][pairs] == 0

    towards = np.where(belief == UNKNOWN, UNKNOWN, 1 - belief)
    rings_at = np.where(wrong_side == OUTSIDE, config.leave_threshold, config.enter_threshold) * patience
    threshold = np.where(towards == wrong_side, rings_at, config.threshold)
    flips = np.abs(evidence) >= threshold
    flipped_to = np.where(belief == UNKNOWN, evidence > 0, belief == INSIDE).astype(np.int8)
    table["presence"][pairs] = np.where(flips, flipped_to, belief)
    table["evidence"][pairs] = np.where(flips, 0.0, evidence)
    table["since_s"][pairs] = np.where(restarts, fixes.fix_ms // 1000, table["since_s"][pairs])
    _remember(table, pairs, fixes)
    return Weighed(outward, np.abs(evidence), threshold)


def log_odds(
    reckoned_m: Floats, accuracy_m: NDArray[np.float32], pace_mps: NDArray[np.float32], config: PresenceConfig
) -> Floats:
    """Capped log odds of being outside, given a signed distance, the disc that holds the fix, and its wearer's pace."""
    walks = pace_mps >= config.walks_from_mps
    margin_m = np.where(walks, 0.0, np.maximum(accuracy_m, config.margin_m))
    beyond_m = np.where(reckoned_m > 0, np.maximum(reckoned_m - margin_m, 0.0), reckoned_m)
    odds = beyond_m / _scale_m(accuracy_m, pace_mps, config)
    return np.asarray(np.clip(odds, -config.inward_cap, np.where(walks, config.walking_cap, config.outward_cap)))


def _scale_m(accuracy_m: NDArray[np.float32], speed_mps: NDArray[np.float32], config: PresenceConfig) -> Floats:
    """The scale of the error that is left, in metres a unit of log odds."""
    walks = speed_mps >= config.walks_from_mps
    share = np.where(walks, config.walking_share, 1.0)
    unmodelled = np.where(walks, config.walking_unmodelled_m**2, config.unmodelled_m**2)
    return np.asarray(np.sqrt((share * accuracy_m) ** 2 + unmodelled))


def _remember(table: Table, pairs: NDArray[np.intp], fixes: Fixes) -> None:
    table["fix_s"][pairs] = fixes.fix_ms // 1000
    table["x_m"][pairs], table["y_m"][pairs] = fixes.x_m, fixes.y_m
    table["accuracy_m"][pairs] = np.minimum(fixes.accuracy_m, COARSEST_M)
    table["speed_mps"][pairs] = fixes.speed_mps
    table["drift_x_m"][pairs], table["drift_y_m"][pairs] = fixes.drift_x_m, fixes.drift_y_m


def _weight(table: Table, pairs: NDArray[np.intp], fixes: Fixes, config: PresenceConfig) -> Floats:
    """A run's first fix counts whole, later ones by how long ago the one before them was; a leap counts little."""
    running = table["evidence"][pairs] != 0
    apart_s = fixes.fix_ms / 1000.0 - table["fix_s"][pairs]
    rests = fixes.speed_mps < config.walks_from_mps
    after_s = np.where(rests, config.resting_independent_after_s, config.independent_after_s)
    shared = np.clip(apart_s / after_s, np.where(rests, config.resting_least_weight, config.least_weight), 1.0)
    weight = np.where(running, shared, 1.0)
    way_m = _way_m(table, pairs, fixes)
    weight[_leaps(table, pairs, fixes, way_m, apart_s, config)] *= config.leap_weight
    unmoved = np.flatnonzero(fixes.still & (fixes.distance_m > 0) & (table["presence"][pairs] == INSIDE))
    # Riders count no steps: where no Doppler can say so, a way longer than both discs twice does.
    discs_m = table["accuracy_m"][pairs[unmoved]].astype(np.float64) + fixes.accuracy_m[unmoved]
    rides = np.isnan(fixes.speed_mps[unmoved]) & (way_m[unmoved] > 2.0 * discs_m)
    weight[unmoved[~rides]] *= config.still_weight
    return weight


def _way_m(table: Table, pairs: NDArray[np.intp], fixes: Fixes) -> Floats:
    """Metres from the fix before."""
    east, north = fixes.x_m - table["x_m"][pairs], fixes.y_m - table["y_m"][pairs]
    return np.asarray(np.sqrt(east * east + north * north))


def _leaps(
    table: Table, pairs: NDArray[np.intp], fixes: Fixes, way_m: Floats, apart_s: Floats, config: PresenceConfig
) -> NDArray[np.bool_]:
    """Which fixes lie farther from the one before than Doppler, at either end, knows of."""
    implied_mps = way_m / np.maximum(apart_s, 1.0)
    doppler_mps = np.fmax(table["speed_mps"][pairs].astype(np.float64), fixes.speed_mps)
    possible_mps = np.maximum(config.leap_mps, 3.0 * doppler_mps)
    return np.asarray((apart_s <= config.leap_within_s) & (implied_mps > possible_mps))


def _passing(table: Table, pairs: NDArray[np.intp], fixes: Fixes, config: PresenceConfig) -> Floats:
    """What a fix inside says of who moved by Doppler at both ends of the way to it, if that way is as long as it says.

    Not above a cap that is enough alone; 0 of all others.
    """
    before_mps = table["speed_mps"][pairs].astype(np.float64)
    apart_s = fixes.fix_ms / 1000.0 - table["fix_s"][pairs]
    metres, least_mps = _way_m(table, pairs, fixes), np.minimum(before_mps, fixes.speed_mps)
    longest_m = 1.5 * np.maximum(before_mps, fixes.speed_mps) * apart_s + fixes.accuracy_m
    agrees = (metres <= longest_m) & (metres >= 0.3 * least_mps * apart_s)
    fine = (apart_s <= config.leap_within_s) & (fixes.accuracy_m <= config.passing_accuracy_m)
    odds = fixes.reckoned_m / _scale_m(fixes.accuracy_m, fixes.speed_mps, config)
    passes = agrees & fine & (least_mps >= config.walks_from_mps)
    return np.where(passes, np.maximum(odds, -config.passing_cap), 0.0)
