"""What a wrist sensor reads from a body: heart, skin, blood and motion that agree with each other and the hour."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.noise import GaussMarkov, towards
from simulator.plane import Floats

HEART_LAG_S: Final = 40.0
SKIN_LAG_S: Final = 300.0
AMBIENT_C: Final = 24.0
WALKS_FROM_MPS: Final = 0.3
RIDES_FROM_MPS: Final = 3.0
CADENCE_HZ: Final = 1.75
WAKES_H: Final = 6.0
SLEEPS_H: Final = 23.0
Columns = dict[str, Floats]


class Bodies:
    """Physiology of all wearers, each with an own resting rate, skin and vagal tone."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        self._rng = rng
        self._rest_bpm = np.clip(rng.normal(66.0, 6.0, n), 54.0, 80.0)
        self._skin_base_c = rng.normal(32.8, 0.5, n)
        self._vagal_ms = rng.lognormal(np.log(40.0), 0.25, n)
        self._heart = GaussMarkov(rng, (n,), 90.0)
        self._skin = GaussMarkov(rng, (n,), 2400.0)
        self._oxygen = GaussMarkov(rng, (n,), 600.0)
        self._fidget = GaussMarkov(rng, (n,), 240.0)
        self._heart_bpm = self._rest_bpm.copy()
        self._skin_c = self._skin_base_c.copy()

    def advance(
        self, speed_mps: Floats, hour: Floats, dt_s: Floats, worn: NDArray[np.bool_], driven_bpm: Floats
    ) -> Columns:
        """The wire's vitals columns; ``driven_bpm`` forces a heart to a rate (NaN: none), pulses end off the body."""
        effort = self._effort(speed_mps, hour)
        target_bpm = self._rest_bpm + 5.0 * np.sin((hour - 10.0) / 12.0 * np.pi) + 62.0 * np.maximum(effort - 0.05, 0.0)
        target_bpm = np.where(np.isnan(driven_bpm), target_bpm, driven_bpm)
        self._heart_bpm = towards(self._heart_bpm, target_bpm, dt_s, HEART_LAG_S)
        warm_c = self._skin_base_c + 0.5 * self._skin.advance(dt_s) - 0.6 * effort
        self._skin_c = towards(self._skin_c, np.where(worn, warm_c, AMBIENT_C), dt_s, SKIN_LAG_S)
        return self._rounded(effort, speed_mps, dt_s, worn)

    def _effort(self, speed_mps: Floats, hour: Floats) -> Floats:
        """0 to 1: walking by its speed, riding a little, sitting a fidget, sleeping nothing."""
        asleep = (hour < WAKES_H) | (hour >= SLEEPS_H)
        sitting = np.where(asleep, 0.01, 0.05 * np.exp(0.6 * self._fidget.value))
        walking = 0.12 + 0.25 * speed_mps
        moving = np.where(speed_mps >= RIDES_FROM_MPS, 0.12, walking)
        return np.asarray(np.clip(np.where(speed_mps >= WALKS_FROM_MPS, moving, sitting), 0.0, 1.0))

    def _rounded(self, effort: Floats, speed_mps: Floats, dt_s: Floats, worn: NDArray[np.bool_]) -> Columns:
        n = len(effort)
        self._fidget.advance(dt_s)
        on_foot = (speed_mps >= WALKS_FROM_MPS) & (speed_mps < RIDES_FROM_MPS)
        steps: Any = np.where(on_foot, CADENCE_HZ * dt_s * self._rng.normal(1.0, 0.05, n), 0.0)
        activity = np.clip(effort * self._rng.normal(1.0, 0.1, n), 0.0, 1.0)
        heart_bpm = self._heart_bpm + 2.2 * self._heart.advance(dt_s)
        vagal = np.exp((self._rest_bpm - heart_bpm) / 40.0) * self._rng.lognormal(0.0, 0.12, n)
        return {
            "heart_rate_bpm": np.clip(np.round(heart_bpm), 35, 210),
            "hrv_rmssd_ms": np.round(np.clip(self._vagal_ms * vagal, 4.0, 180.0), 1),
            "spo2_pct": np.clip(np.round(97.2 + 0.8 * self._oxygen.advance(dt_s)), 93, 100),
            "skin_temp_c": np.round(self._skin_c, 2),
            "steps": np.round(steps),
            "activity": np.round(activity, 2),
            "peak_g": np.round(1.02 + 1.3 * activity * self._rng.lognormal(0.0, 0.3, n), 2),
            "quality": np.round(np.where(worn, np.clip(0.96 - 0.5 * activity, 0.0, 1.0), 0.0), 2),
        }
