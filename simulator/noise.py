"""Noise with a memory: first-order Gauss-Markov processes, because nothing on a body or in the sky is white.

All work on a block: one row a band, one column a step of ``dt_s``.
"""

from typing import Any

import numpy as np

from simulator.plane import Floats


class GaussMarkov:
    """Unit-variance noise of ``n`` bands whose correlation falls by 1/e in ``tau_s``.

    >>> noise = GaussMarkov(np.random.default_rng(1), 50_000, tau_s=60.0, dt_s=60.0)
    >>> block = noise.advance(2)
    >>> round(float(np.corrcoef(block[:, 0], block[:, 1])[0, 1]), 1), round(float(block.std()), 1)
    (0.4, 1.0)
    """

    def __init__(self, rng: np.random.Generator, n: int, tau_s: float, dt_s: float) -> None:
        self._rng = rng
        self._kept = float(np.exp(-dt_s / tau_s))
        self._value: Floats = rng.standard_normal(n)

    def advance(self, steps: int) -> Floats:
        """The next block (bands x steps)."""
        fresh = self._rng.standard_normal((steps, len(self._value))) * np.sqrt(1.0 - self._kept**2)
        for number, news in enumerate(fresh):
            self._value = self._kept * self._value + news
            fresh[number] = self._value
        return np.ascontiguousarray(fresh.T)


class Follower:
    """A value that follows its target with a lag of ``tau_s``, one a band.

    >>> follower = Follower(np.zeros(1), tau_s=60.0, dt_s=60.0)
    >>> follower.advance(np.full((1, 3), 10.0)).round(1).tolist()
    [[6.3, 8.6, 9.5]]
    """

    def __init__(self, start: Floats, tau_s: float, dt_s: float) -> None:
        self._value = np.array(start, np.float64)
        self._kept = float(np.exp(-dt_s / tau_s))

    def advance(self, target: Floats, kept: Floats | None = None) -> Floats:
        """The value over a block of targets; ``kept`` (bands x steps) overrides the lag, 0 follows at once."""
        out: Any = np.empty(target.shape[::-1])
        share = np.full(target.shape[::-1], self._kept) if kept is None else kept.T
        for step, (aim, keep) in enumerate(zip(target.T, share, strict=True)):
            self._value = aim + keep * (self._value - aim)
            out[step] = self._value
        return np.ascontiguousarray(out.T)
