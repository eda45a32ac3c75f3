"""What a receiver makes of the truth: errors that wander and have heavy tails, and an imperfect idea of their size.

Where the sky is narrow the source is coarser; at times an old fix is told again, and now and then one leaps.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.lives import Mode
from simulator.movement import Motion
from simulator.noise import GaussMarkov
from simulator.plane import Floats, Plane
from simulator.terrain import STREETS, within

RADIUS_68: Final = 1.51
"""The radius that holds 68 % of a circular normal error, in units of its per-axis deviation."""

GNSS, WIFI, CELL, NONE = 0, 1, 2, 3
"""In the order of ``schemas.wire.Source``, and none at all."""

SPIKES: Final = 2.4e-4
"""Leaps a fix: about one in three days at one a minute; half of them come with no warning in ``accuracy_m``."""

SPIKE_M: Final = (150.0, 9_000.0)
STALE: Final = 0.012
"""Share of fixes that are the one before, told again with its age."""

Columns = dict[str, Floats]


class Receiver:
    """Fixes of all bands over blocks; under a clear sky (not ``in_the_field``) every step has a satellite fix."""

    def __init__(self, rng: np.random.Generator, plane: Plane, dt_s: float, *, in_the_field: bool) -> None:
        n = len(plane.lat)
        self._rng = rng
        self._plane = plane
        self._dt_s = dt_s
        self._in_the_field = in_the_field
        self._open_m = rng.uniform(2.5, 5.0, n)[:, None]
        self._inside_m = rng.uniform(6.0, 12.0, n)[:, None]
        self._altitude_m = rng.uniform(1020.0, 1320.0, n)[:, None]
        self._wander = [GaussMarkov(rng, n, tau_s, dt_s) for tau_s in (180.0, 180.0)]
        self._jitter = [GaussMarkov(rng, n, tau_s, dt_s) for tau_s in (40.0, 40.0)]
        self._tower = [GaussMarkov(rng, n, tau_s, dt_s) for tau_s in (20_000.0, 20_000.0)]
        self._swell = GaussMarkov(rng, n, 900.0, dt_s)
        self._sky = GaussMarkov(rng, n, 9_000.0, dt_s)
        self._last = np.full((3, n), np.nan)
        self._age_s = np.zeros(n)

    def advance(self, motion: Motion, dark: NDArray[np.bool_]) -> Columns:
        """The wire's fix columns over a block (bands x steps); NaN where there is no fix. ``dark``: no sky at all."""
        steps = motion.roof.shape[1]
        lat, lon = self._plane.block_degrees(motion.xy)
        source = self._source(motion, dark, self._sky.advance(steps))
        sigma_m = self._sigma_m(motion, source, within(STREETS, lat, lon), self._swell.advance(steps))
        error_m = self._error_m(sigma_m, source, steps)
        claimed_m = RADIUS_68 * sigma_m * np.exp(self._rng.normal(0.0, 0.1 + 0.2 * self._in_the_field, sigma_m.shape))
        if self._in_the_field:
            self._leap(error_m, claimed_m)
        lat, lon = self._plane.block_degrees(motion.xy + error_m)
        fresh = (source != NONE) & ~(self._rng.random(source.shape) < STALE * self._in_the_field)
        columns: Columns = {
            "lat": np.round(lat, 6),
            "lon": np.round(lon, 6),
            "accuracy_m": np.asarray(np.round(np.maximum(claimed_m, 2.5), 1)),
        }
        age_s = self._retell(columns, fresh, source != NONE)
        columns |= {**self._details(motion, source, sigma_m, error_m), "age_s": age_s}
        nothing = np.isnan(columns["lat"])
        return {name: np.where(nothing, np.nan, column) for name, column in columns.items()}

    def _source(self, motion: Motion, dark: NDArray[np.bool_], sky: Floats) -> NDArray[np.int8]:
        """Satellites as far as roof and luck allow, else Wi-Fi, else a cell, else nothing."""
        if not self._in_the_field:
            return np.where(dark, NONE, GNSS).astype(np.int8)
        under = 2.9 * motion.roof - 2.4 + 0.25 * (motion.mode == Mode.BUS) + 0.45 * (motion.mode == Mode.TRAIN)
        seen = sky - under
        source = np.select([seen > 0.0, seen > -1.5, seen > -2.1], [GNSS, WIFI, CELL], NONE)
        # Away from houses there is no Wi-Fi to hear.
        source = np.where((source == WIFI) & (motion.roof < 0.2), CELL, source)
        return np.asarray(np.where(dark, NONE, source), np.int8)

    def _sigma_m(self, motion: Motion, source: NDArray[np.int8], street: NDArray[np.bool_], swell: Floats) -> Floats:
        outdoors = motion.roof < 0.25
        if not self._in_the_field:
            return np.asarray(np.where(motion.speed_mps > 0.3, self._open_m, self._inside_m))
        satellite = np.where(outdoors, self._open_m * np.where(street, 2.4, 1.0), self._inside_m * (0.8 + motion.roof))
        tail = np.exp(np.where(outdoors & ~street, 0.3, 0.55) * swell)
        return np.asarray(np.select([source == GNSS, source == WIFI], [satellite * tail, 24.0 * tail], 480.0 * tail))

    def _error_m(self, sigma_m: Floats, source: NDArray[np.int8], steps: int) -> Floats:
        axes = []
        for wander, jitter, tower in zip(self._wander, self._jitter, self._tower, strict=True):
            slow, fast, mast = wander.advance(steps), jitter.advance(steps), tower.advance(steps)
            unit = np.select(
                [source == GNSS, source == WIFI], [0.9 * slow + 0.44 * fast, 0.6 * slow + 0.8 * fast], mast
            )
            axes.append(unit * sigma_m)
        return np.stack(axes, axis=2)

    def _leap(self, error_m: Floats, claimed_m: Floats) -> None:
        """A spike and, a step or two later, the return."""
        rows, steps = np.nonzero(self._rng.random(claimed_m.shape) < SPIKES * self._dt_s / 60.0)
        for row, step in zip(rows.tolist(), steps.tolist(), strict=True):
            until = step + int(self._rng.integers(1, 3))
            metres = float(np.exp(self._rng.uniform(*np.log(SPIKE_M))))
            angle = self._rng.uniform(0.0, 2.0 * np.pi)
            error_m[row, step:until] += metres * np.array([np.cos(angle), np.sin(angle)])
            if self._rng.random() < 0.5:
                claimed_m[row, step:until] = metres * self._rng.uniform(0.5, 1.5)

    def _retell(self, columns: Columns, fresh: NDArray[np.bool_], any_fix: NDArray[np.bool_]) -> Floats:
        """Where no new fix was made but one is told, the newest one again, in place; its age in seconds."""
        n, steps = fresh.shape
        newest = np.where(fresh, np.arange(1, steps + 1), 0)
        newest = np.maximum.accumulate(newest, axis=1)
        rows = np.arange(n)[:, None]
        age_s = np.where(newest > 0, np.arange(1, steps + 1) - newest, np.arange(1, steps + 1)) * self._dt_s
        age_s = age_s + np.where(newest > 0, 0.0, self._age_s[:, None])
        for number, name in enumerate(("lat", "lon", "accuracy_m")):
            told = np.where(newest > 0, columns[name][rows, np.maximum(newest - 1, 0)], self._last[number][:, None])
            self._last[number] = told[:, -1]
            columns[name] = np.where(any_fix, told, np.nan)
        self._age_s = age_s[:, -1]
        return np.asarray(age_s)

    def _details(self, motion: Motion, source: NDArray[np.int8], sigma_m: Floats, error_m: Floats) -> Columns:
        """What only satellites tell: speed by Doppler, heading, height, how many and how well they stand."""
        shape = source.shape
        gnss = source == GNSS
        satellites = np.clip(np.round(16.0 - np.minimum(sigma_m, 14.0) + self._rng.normal(0, 0.7, shape)), 4, 24)
        doppler_mps = np.abs(motion.speed_mps + self._rng.normal(0.0, 0.15, shape)).round(1)
        heading = np.round((motion.heading_deg + self._rng.normal(0, 4, shape)) % 360.0)
        altitude_m = np.round(self._altitude_m + 2.0 * error_m[..., 0])
        return {
            "altitude_m": np.where(gnss, np.clip(altitude_m, -400, 8_900), np.nan),
            "speed_mps": np.where(gnss, doppler_mps, np.nan),
            "heading_deg": np.where(gnss, heading, np.nan),
            "source": source.astype(np.float64),
            "satellites": np.where(gnss, satellites, np.nan),
            "hdop": np.where(gnss, (9.0 / satellites).round(1), np.nan),
        }
