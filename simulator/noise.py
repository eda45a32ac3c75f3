"""Noise with a memory: first-order Gauss-Markov processes, because nothing on a body or in the sky is white."""

import numpy as np

from simulator.plane import Floats


class GaussMarkov:
    """Unit-variance noise of any shape (first axis: bands) whose correlation falls by 1/e in ``tau_s``.

    >>> noise = GaussMarkov(np.random.default_rng(1), (50_000,), tau_s=60.0)
    >>> before = noise.value
    >>> after = noise.advance(np.full(50_000, 60.0))
    >>> round(float(np.corrcoef(before, after)[0, 1]), 1), round(float(after.std()), 1)
    (0.4, 1.0)
    """

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], tau_s: float) -> None:
        self._rng = rng
        self._tau_s = tau_s
        self.value: Floats = rng.standard_normal(shape)

    def advance(self, dt_s: Floats) -> Floats:
        """The noise ``dt_s`` later (one a band)."""
        kept = np.exp(-dt_s / self._tau_s).reshape(-1, *[1] * (self.value.ndim - 1))
        self.value = kept * self.value + np.sqrt(1.0 - kept**2) * self._rng.standard_normal(self.value.shape)
        return self.value


def towards(value: Floats, target: Floats, dt_s: Floats, tau_s: float) -> Floats:
    """A value that follows its target with a lag, ``dt_s`` later.

    >>> float(towards(np.array([0.0]), np.array([10.0]), np.array([1e9]), tau_s=60.0)[0])
    10.0
    """
    return np.asarray(target + (value - target) * np.exp(-dt_s / tau_s))
