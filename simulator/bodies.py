"""What a wrist sensor reads from a body: heart, skin, blood and motion that agree with each other and the hour.

Shapes and sizes follow what wrist data show in public (heart 5–9 bpm round what steps and hour explain, a skin that
changes by up to half a degree a minute, optics that fail while arms swing); none of it is known to the judge.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.lives import Mode
from simulator.movement import Motion
from simulator.noise import Follower, GaussMarkov
from simulator.overlays import Overlays
from simulator.plane import Floats

STRIDE_M: Final = 0.72
HEART_LAG_S: Final = 45.0
SKIN_LAG_S: Final = 420.0
AMBIENT_C: Final = 24.0
LEAST_QUALITY: Final = 0.25
"""Below this the optics give no number at all."""

CADENCE_LOCK: Final = 0.006
"""Share of brisk minutes in which the optics count steps instead of beats."""

Columns = dict[str, Floats]


class Day(NamedTuple):
    """Where everybody is in their day (bands x steps): local hour 0-24, asleep or not."""

    hour: Floats
    asleep: NDArray[np.bool_]


class Bodies:
    """Physiology of all wearers, each with an own heart, skin, restlessness and drift."""

    def __init__(self, rng: np.random.Generator, n: int, dt_s: float, *, in_the_field: bool) -> None:
        self._rng = rng
        self._in_the_field = in_the_field
        self._dt_s = dt_s
        self._rest_bpm = np.clip(rng.normal(75.0, 6.5, n), 60.0, 94.0)[:, None]
        self._per_step = rng.uniform(0.28, 0.48, n)[:, None]
        self._swing_bpm = rng.uniform(1.0, 4.0, n)[:, None]
        self._skin_c = rng.normal(32.7, 0.6, n)[:, None]
        self._vagal_ms = rng.lognormal(np.log(27.0), 0.4, n)[:, None]
        self._restless = rng.lognormal(0.0, 0.45, n)[:, None]
        noise = {
            "drift": 5 * 86_400.0, "mood": 2_700.0, "beat": 240.0, "fidget": 150.0, "busy": 5_400.0, "skin": 1_800.0,
            "draught": 300.0, "oxygen": 900.0, "fit": 2_400.0, "sensing": 2_400.0, "saving": 18_000.0,
        }  # fmt: skip
        self._noise = {name: GaussMarkov(rng, n, tau_s, dt_s) for name, tau_s in noise.items()}
        self._heart = Follower(self._rest_bpm[:, 0], HEART_LAG_S, dt_s)
        self._skin = Follower(self._skin_c[:, 0], SKIN_LAG_S, dt_s)

    def advance(self, motion: Motion, day: Day, laid: Overlays) -> Columns:
        """The wire's vitals columns over a block; a pulse is NaN where the optics give none."""
        noise = {name: one.advance(day.hour.shape[1]) for name, one in self._noise.items()}
        worn = ~laid.on("off_body")
        steps = self._steps(motion, day, laid, noise) * worn
        per_minute = steps * 60.0 / self._dt_s
        effort = np.where(laid.on("cycling"), 95.0, np.maximum(per_minute, np.where(motion.speed_mps > 2.5, 8.0, 0.0)))
        activity = self._activity(per_minute, motion, laid, worn, noise)
        quality = self._quality(activity, laid, worn, noise)
        heart = self._heart_rate(effort, day, laid, noise)
        seen = quality >= LEAST_QUALITY
        locked = (per_minute > 90) & (self._rng.random(steps.shape) < CADENCE_LOCK)
        vagal = self._vagal_ms * np.exp((self._rest_bpm - heart) / 38.0) * self._lognormal(steps.shape, 0.2)
        absent = np.nan
        columns = {
            "heart_rate_bpm": np.where(seen, np.clip(np.round(np.where(locked, per_minute, heart)), 28, 215), absent),
            "hrv_rmssd_ms": np.where(
                seen & (activity < 0.35), np.clip(np.round(vagal * laid["vagal"], 1), 4.0, 220.0), absent
            ),
            "spo2_pct": np.where(seen & (activity < 0.3), self._oxygen(day, laid, noise), absent),
            "skin_temp_c": np.round(self._skin_temp(motion, day, laid, worn, noise), 2),
            "steps": steps,
            "activity": np.round(activity, 2),
            "peak_g": np.round(np.maximum(self._peak_g(activity), laid["peak_g"]), 2),
            "quality": np.round(quality, 2),
        }
        if not self._in_the_field:
            return columns
        # Sensors restart, and at night some bands save power.
        off = (noise["sensing"] < -2.1) | (day.asleep & (noise["saving"] < -0.35))
        return {name: np.where(off, np.nan, column) for name, column in columns.items()}

    def _steps(self, motion: Motion, day: Day, laid: Overlays, noise: Columns) -> Floats:
        """On foot by the metres walked; elsewhere awake, a few now and then; riding or asleep, none."""
        staying = motion.mode == Mode.STAY
        walked = np.where(motion.mode == Mode.WALK, motion.travelled_m / STRIDE_M, 0.0)
        pottering = staying & ~day.asleep & (noise["fidget"] + 0.6 * noise["busy"] > 1.2)
        about = self._rng.gamma(1.5, 21.0, walked.shape) * self._restless * self._dt_s / 60.0
        steps = np.where(pottering, about, walked) * ~laid.on("still")
        # A night is not one piece: people get up.
        up = day.asleep & (self._rng.random(walked.shape) < 0.007 * self._dt_s / 60.0)
        return np.asarray(np.round(np.where(up & ~laid.on("still"), about, steps)))

    def _activity(
        self, per_minute: Floats, motion: Motion, laid: Overlays, worn: NDArray[np.bool_], noise: Columns
    ) -> Floats:
        riding = np.isin(motion.mode, (Mode.BUS, Mode.CAR, Mode.TRAIN))
        level = 0.02 + per_minute / 180.0 + np.where(riding, 0.06, 0.0) + np.where(laid.on("cycling"), 0.18, 0.0)
        fidgeting = 0.05 * np.exp(0.7 * noise["fidget"]) * ~laid.on("still")
        return np.asarray(np.clip((level + fidgeting) * worn * self._lognormal(level.shape, 0.12), 0.0, 1.0))

    def _quality(self, activity: Floats, laid: Overlays, worn: NDArray[np.bool_], noise: Columns) -> Floats:
        fit = 0.95 - 0.55 * activity + 0.10 * np.minimum(noise["fit"], 0.0)
        lost = self._rng.random(activity.shape) < laid["dropouts"] + 0.004 + 0.12 * (activity > 0.55)
        slack = noise["fit"] < -2.15
        return np.asarray(np.clip(np.where(lost | slack, 0.12, fit), 0.0, 1.0) * worn)

    def _heart_rate(self, effort: Floats, day: Day, laid: Overlays, noise: Columns) -> Floats:
        rhythm = self._swing_bpm * np.sin((day.hour - 10.0) / 12.0 * np.pi) + np.where(day.asleep, -4.5, 2.5)
        raised = self._per_step * np.minimum(effort, 130.0) + 6.0 * (effort > 4.0)
        target = self._rest_bpm + 1.5 * noise["drift"] + rhythm + raised + laid["add_bpm"]
        target += np.where(day.asleep, 2.0, 7.4) * noise["mood"]
        target = np.where(np.isnan(laid["set_bpm"]), target, laid["set_bpm"])
        return np.asarray(self._heart.advance(target) + np.where(day.asleep, 1.8, 4.0) * noise["beat"])

    def _oxygen(self, day: Day, laid: Overlays, noise: Columns) -> Floats:
        usual = np.where(day.asleep, 95.6, 96.8)
        level = np.where(np.isnan(laid["set_spo2"]), usual, laid["set_spo2"]) + 0.9 * noise["oxygen"]
        return np.asarray(np.clip(np.round(level), 70, 100))

    def _skin_temp(self, motion: Motion, day: Day, laid: Overlays, worn: NDArray[np.bool_], noise: Columns) -> Floats:
        outdoors = (motion.roof < 0.25) & ~day.asleep
        warm = self._skin_c + np.where(day.asleep, 1.3, 0.0) - 1.6 * outdoors + 0.7 * noise["skin"] + laid["add_c"]
        ambient = np.where(np.isnan(laid["ambient_c"]), AMBIENT_C, laid["ambient_c"])
        core = self._skin.advance(np.where(worn, warm, ambient))
        gust = noise["draught"] * np.where(day.asleep, 0.09, 0.18) * (1.0 + 0.9 * (np.abs(noise["draught"]) > 2.2))
        return np.asarray(core + gust * worn)

    def _peak_g(self, activity: Floats) -> Any:  # noqa: ANN401 - numpy's own arithmetic
        return 1.02 + 1.2 * activity * self._lognormal(activity.shape, 0.35)

    def _lognormal(self, shape: tuple[int, ...], sigma: float) -> Floats:
        return np.exp(sigma * self._rng.standard_normal(shape))
