"""Inside or outside, decided from fixes that are discs: evidence accumulates, one fix never decides.

Model: the error of a fix is logistic with scale ``s = hypot(accuracy, unmodelled)``, so the log odds
of being outside, given a signed distance d, are d / s; tails heavier than normal are what receivers
in streets show. Evidence against the present belief adds up (a one-sided CUSUM, Page 1954) and the
belief flips at a threshold. Each fix is capped, so that at least two are needed however far the
first one lies; fixes in quick succession share their error and weigh less.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.judging import NEVER, Columns, Table

UNKNOWN: Final = -1
INSIDE: Final = 0
OUTSIDE: Final = 1

COLUMNS: Final[Columns] = {
    "presence": (np.int8, UNKNOWN),
    "evidence": (np.float32, 0.0),
    "since_ms": (np.int64, NEVER),
    "last_fix_ms": (np.int64, NEVER),
    "distance_m": (np.float32, np.nan),
    "accuracy_m": (np.float32, np.nan),
    "score": (np.float32, 0.0),
}


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """The numbers of the model: metres, log odds, seconds.

    ``unmodelled_m`` is error that receivers do not admit to (multipath, correlation). Leaving asks that the
    whole disc of the fix lies outside, and ``margin_m`` at least, or wander on the line would ring at every
    fix (ADR 0008); entering does not. A fix coarser
    than ``coarse_accuracy_m`` (a cell) errs the same way every time: it supports, but never decides.
    """

    unmodelled_m: float = 20.0
    margin_m: float = 15.0
    cap: float = 3.0
    threshold: float = 4.5
    independent_after_s: float = 15.0
    least_weight: float = 0.5
    coarse_accuracy_m: float = 500.0


def update(
    table: Table,
    pairs: NDArray[np.intp],
    distance_m: NDArray[np.float64],
    accuracy_m: NDArray[np.float32],
    fix_ms: NDArray[np.int64],
    config: PresenceConfig,
) -> None:
    """Let one fix a pair speak; a fix not newer than the last one says nothing new.

    When the belief flips, ``score`` keeps the evidence for it and ``since_ms`` is the onset: the time of
    the first fix of the run that flipped it.

    >>> table = Table.new(np.array([1]), COLUMNS)
    >>> for n, metres in enumerate([-80.0, -80.0, 300.0, 300.0]):
    ...     update(table, np.array([0]), np.array([metres]), np.array([8.0], "f4"), np.array([n * 60_000]),
    ...            PresenceConfig())
    ...     print(int(table["presence"][0]), int(table["since_ms"][0]))
    -1 0
    0 0
    0 120000
    1 120000
    """
    fresh = fix_ms > table["last_fix_ms"][pairs]
    pairs, distance_m, accuracy_m, fix_ms = pairs[fresh], distance_m[fresh], accuracy_m[fresh], fix_ms[fresh]
    belief = table["presence"][pairs]
    outward = _log_odds(distance_m, accuracy_m, config) * _weight(table, pairs, fix_ms, config)

    held = table["evidence"][pairs]
    against = np.where(belief == INSIDE, outward, -outward)
    evidence = np.where(belief == UNKNOWN, held + outward, np.maximum(held + against, 0.0))
    coarse = accuracy_m > config.coarse_accuracy_m
    bound = np.where(coarse, np.maximum(np.abs(held), config.threshold / 2.0), np.inf)
    evidence = np.clip(evidence, -bound, bound)
    restarts = np.where(belief == UNKNOWN, np.sign(evidence) != np.sign(held), (held <= 0) & (evidence > 0))
    run_began = np.where(restarts, fix_ms, table["since_ms"][pairs])

    flips = np.abs(evidence) >= config.threshold
    flipped_to = np.where(belief == UNKNOWN, evidence > 0, belief == INSIDE).astype(np.int8)
    table["presence"][pairs] = np.where(flips, flipped_to, belief)
    table["evidence"][pairs] = np.where(flips, 0.0, evidence)
    table["score"][pairs] = np.where(flips, np.abs(evidence), table["score"][pairs])
    table["since_ms"][pairs] = run_began
    table["last_fix_ms"][pairs] = fix_ms
    table["distance_m"][pairs] = distance_m
    table["accuracy_m"][pairs] = accuracy_m


def _log_odds(
    distance_m: NDArray[np.float64], accuracy_m: NDArray[np.float32], config: PresenceConfig
) -> NDArray[np.float64]:
    margin_m = np.maximum(accuracy_m, config.margin_m)
    beyond = np.where(distance_m > 0, np.maximum(distance_m - margin_m, 0.0), distance_m)
    odds = beyond / np.hypot(accuracy_m, config.unmodelled_m)
    return np.asarray(np.clip(odds, -config.cap, config.cap))


def _weight(
    table: Table, pairs: NDArray[np.intp], fix_ms: NDArray[np.int64], config: PresenceConfig
) -> NDArray[np.float64]:
    """A run's first fix counts whole; later ones by how long ago the one before them was."""
    running = table["evidence"][pairs] != 0
    apart_s = (fix_ms - table["last_fix_ms"][pairs]) / 1000.0
    shared = np.clip(apart_s / config.independent_after_s, config.least_weight, 1.0)
    return np.where(running, shared, 1.0)
