"""Adaptive sampling: a band reports faster while its wearer is near a wall that matters, closing on one, or in breach.

A hysteresis a wearer: one fix is enough to be asked to hurry, five minutes of fixes far away (or of
standing still on the right side) to be released. Being asked costs battery, so it expires by itself
unless it is renewed: a lost release drains nothing. Decided by fixes alone; time changes nothing.
Cost: about 1 µs a fix with five zones; 21 bytes a wearer.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.demands import Demands
from geo.presence import INSIDE, OUTSIDE
from schemas.judging import NEVER, Columns, Rows, Table, Times
from schemas.readings import Readings

Flags = NDArray[np.bool_]


class AskReason(StrEnum):
    """Why a band is asked to report faster, or no longer."""

    NEAR = "near"
    CLOSING = "closing"
    BREACH = "breach"
    RELEASED = "released"


class Ask(NamedTuple):
    """A plan for one wearer's band: report every ``interval_s`` until ``until_ms`` (on the band's clock).

    ``at_ms`` is the event time of the fix that decided. A release is a plan that is over at once
    (``until_ms == at_ms``): only the band knows its own interval, and goes back to it.
    """

    row: int
    at_ms: int
    interval_s: float
    until_ms: int
    reason: AskReason


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """When a band is worth its battery: metres, seconds, per cent.

    - ``fast_s``: with a fix every 15 s two fixes outside, which a breach takes, come within the minute.
    - ``near_m``: what somebody on foot covers in two usual intervals of a minute.
    - ``far_m``: twice as far, or wander round the near line would ask and release by turns.
    - ``ahead_s``: a vehicle that would be at the wall within two usual intervals is not seen in time otherwise.
    - ``hold_s``: who turns back for a moment is still about to cross.
    - ``valid_s``: the most that a lost release costs. It is renewed when half of it has passed.
    - ``live_s``: a fix that was older when it reached us says nothing about now.
    - ``coarse_m``: a cell or a vague fix lies near every wall; it says nothing.
    - ``still_mps``: above what Doppler shows of somebody who sits, below a stroll. Home is often smaller than
      ``near_m``, and who sleeps there is not about to cross anything: the still are near nothing, count as far away,
      and are beyond a wall only by more than their fix is vague. 0 knows no stillness.
    - ``low_battery_pct``: below it a dead band is the greater danger than a late crossing, unless it is a breach.
    """

    fast_s: float = 15.0
    near_m: float = 150.0
    far_m: float = 300.0
    ahead_s: float = 120.0
    hold_s: float = 300.0
    valid_s: float = 900.0
    live_s: float = 120.0
    coarse_m: float = 500.0
    still_mps: float = 0.5
    low_battery_pct: float = 15.0

    def __post_init__(self) -> None:
        if not 0.0 < self.near_m < self.far_m:
            raise ValueError(f"far_m is {self.far_m}: give more than near_m ({self.near_m}), and near_m more than 0")
        if not 0.0 < self.fast_s < self.valid_s:
            raise ValueError(
                f"valid_s is {self.valid_s}: give more than fast_s ({self.fast_s}), and fast_s more than 0"
            )


_CALM, _NEAR, _CLOSING, _BREACH = range(4)
_REASON: Final = {_NEAR: AskReason.NEAR, _CLOSING: AskReason.CLOSING, _BREACH: AskReason.BREACH}

COLUMNS: Final[Columns] = {
    "fix_ms": (np.int64, NEVER),
    "wall_m": (np.float32, np.nan),
    "until_s": (np.uint32, 0),
    "calm_since_s": (np.uint32, 0),
    "low": (np.bool_, False),
}
"""The last fix that spoke and its distance to the nearest wall that mattered, until when the band was asked to
be fast, since when nothing has called for it (UTC seconds, 0: not so), and whether its battery is low."""


class _Fixes(NamedTuple):
    """What a step's live fixes say, aligned: whose, when, how vague, how far from a wall, how fast."""

    row: Rows
    event_ms: Times
    fix_ms: Times
    accuracy_m: NDArray[np.float32]
    wall_m: NDArray[np.float64]
    beyond_m: NDArray[np.float64]
    approached_m: NDArray[np.float64]
    speed_mps: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Decides for all wearers of a shard; ``keys`` and ``silence_after_ms`` have one value a wearer.

    A band whose silence is told sooner than after two fast intervals reports faster than that by itself,
    and is never asked.
    """

    demands: Demands
    keys: NDArray[np.int64]
    silence_after_ms: Times
    config: SamplingConfig = field(default_factory=SamplingConfig)

    @property
    def columns(self) -> Columns:
        """What is remembered of a wearer."""
        return COLUMNS

    def decide(self, table: Table, rows: Rows, step: Readings) -> list[Ask]:
        """Apply one reading to each of ``rows`` (aligned) and say what to ask of whom; late ones say nothing."""
        self._note_battery(table, rows, step)
        fixes = self._heed(table, rows, step)
        if not len(fixes.row):
            return []
        urgency = self._urgency(fixes)
        calm_for_s = self._note_calm(table, fixes, urgency)
        table["fix_ms"][fixes.row] = fixes.fix_ms
        table["wall_m"][fixes.row] = fixes.wall_m
        return self._asks(table, fixes, urgency) + self._releases(table, fixes, calm_for_s)

    def _note_battery(self, table: Table, rows: Rows, step: Readings) -> None:
        """A reading that tells no level, or one from a backlog, leaves what was known."""
        live = step.ingest_ms - step.event_ms <= self.config.live_s * 1000.0
        told = np.flatnonzero(live & ~np.isnan(step.battery_pct))
        low = (step.battery_pct[told] < self.config.low_battery_pct) & (step.charging[told] != 1)
        table["low"][rows[told]] = low

    def _heed(self, table: Table, rows: Rows, step: Readings) -> _Fixes:
        """The fixes that say something about now, each with its wall."""
        fix_ms = step.fix_ms
        live = step.ingest_ms - fix_ms <= self.config.live_s * 1000.0
        says = step.has_fix & live & (step.accuracy_m <= self.config.coarse_m) & (fix_ms > table["fix_ms"][rows])
        at = np.flatnonzero(says)
        row, accuracy_m = rows[at], step.accuracy_m[at]
        wall_m, beyond_m = self._wall(row, step.event_ms[at], step.lat[at], step.lon[at])
        approached_m = table["wall_m"][row] - wall_m
        # Where the receiver tells no speed, the way to the wall tells how much of it was towards or away from it.
        elapsed_s = (fix_ms[at] - table["fix_ms"][row]) / 1000.0
        walked_mps = np.maximum(np.abs(approached_m) - accuracy_m, 0.0) / elapsed_s
        speed_mps = np.where(np.isnan(step.speed_mps[at]), walked_mps, step.speed_mps[at])
        return _Fixes(row, step.event_ms[at], fix_ms[at], accuracy_m, wall_m, beyond_m, approached_m, speed_mps)

    def _wall(
        self, rows: Rows, at_ms: Times, lat: NDArray[np.float64], lon: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Metres to the nearest wall of a demand that holds, and how far beyond one that is not met; NaN for none."""
        wall_m, beyond_m = np.full((2, len(rows)), np.nan)
        pairs, owner = self.demands.pairs_of(rows)
        if not len(pairs):
            return wall_m, beyond_m
        wrong_side = self.demands.wrong_side[pairs]
        holds = self.demands.at(pairs, at_ms[owner])[0] & ((wrong_side == INSIDE) | (wrong_side == OUTSIDE))
        pairs, owner, wrong_side = pairs[holds], owner[holds], wrong_side[holds]
        distance_m = self.demands.shapes.signed_distance_m(self.demands.zone[pairs], lat[owner], lon[owner])
        distance_m = self.demands.eased_m(pairs, distance_m, at_ms[owner], lat[owner], lon[owner])
        np.fmin.at(wall_m, owner, np.abs(distance_m))
        wrong = np.flatnonzero(np.where(distance_m > 0, OUTSIDE, INSIDE) == wrong_side)
        np.fmax.at(beyond_m, owner[wrong], np.abs(distance_m[wrong]))
        return wall_m, beyond_m

    def _urgency(self, fixes: _Fixes) -> NDArray[np.intp]:
        """Why each fix calls for more, gravest first; a speed that nobody knows counts as moving."""
        config = self.config
        moving = ~(fixes.speed_mps < config.still_mps)
        clear_m = fixes.wall_m - fixes.accuracy_m
        near = moving & (clear_m <= config.near_m)
        closing = moving & (fixes.approached_m > 0) & (clear_m <= fixes.speed_mps * config.ahead_s)
        # A vague fix beyond the wall of a home says nothing of whoever sits in it.
        breach = np.where(moving, fixes.beyond_m > 0, fixes.beyond_m > fixes.accuracy_m)
        return np.select([breach, near, closing], [_BREACH, _NEAR, _CLOSING], _CALM)

    def _note_calm(self, table: Table, fixes: _Fixes, urgency: NDArray[np.intp]) -> NDArray[np.float64]:
        """For how long each wearer has been far from walls, or still; below 0 where it is neither."""
        still = fixes.speed_mps < self.config.still_mps
        calm = (urgency == _CALM) & (still | ~(fixes.wall_m < self.config.far_m))
        now_s = fixes.fix_ms // 1000
        since_s = table["calm_since_s"][fixes.row].astype(np.int64)
        since_s = np.where(calm, np.where(since_s > 0, since_s, now_s), 0)
        table["calm_since_s"][fixes.row] = since_s
        return np.where(calm, now_s - since_s, -1.0)

    def _asks(self, table: Table, fixes: _Fixes, urgency: NDArray[np.intp]) -> list[Ask]:
        left_s = table["until_s"][fixes.row].astype(np.int64) - fixes.event_ms // 1000
        due = (urgency != _CALM) & (left_s <= self.config.valid_s / 2.0)
        slower = self.silence_after_ms[fixes.row] >= 2_000.0 * self.config.fast_s
        can_afford = (urgency == _BREACH) | ~table["low"][fixes.row]
        asked = np.flatnonzero(due & slower & can_afford)
        until_ms = fixes.event_ms[asked] + round(self.config.valid_s * 1000.0)
        table["until_s"][fixes.row[asked]] = until_ms // 1000
        told = zip(fixes.row[asked], fixes.event_ms[asked], until_ms, urgency[asked], strict=True)
        return [
            Ask(int(row), int(at_ms), self.config.fast_s, int(until_ms), _REASON[int(why)])
            for row, at_ms, until_ms, why in told
        ]

    def _releases(self, table: Table, fixes: _Fixes, calm_for_s: NDArray[np.float64]) -> list[Ask]:
        fast = table["until_s"][fixes.row].astype(np.int64) * 1000 > fixes.event_ms
        released = np.flatnonzero(fast & (calm_for_s >= self.config.hold_s))
        table["until_s"][fixes.row[released]] = 0
        told = zip(fixes.row[released].tolist(), fixes.event_ms[released].tolist(), strict=True)
        return [Ask(row, at_ms, self.config.fast_s, at_ms, AskReason.RELEASED) for row, at_ms in told]
