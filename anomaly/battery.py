"""``device.battery``: low, then critical, while nobody charges; its wearer is prompted first, operators see what stays.

A band's own discharge is a clipped moving average of its steps in whole per cent while not charging; level ÷ rate
predicts when it will be empty. Low is 20 per cent or three hours (a recharge takes two, NIJ 1004.00, after the way
home); critical 8 per cent or half an hour (SCRAM). Whoever is low is asked to charge (``anomaly.prompt``), and an
alert opens only if that did not help within 20 minutes, or if it is critical. The charger ends it, or a level well
above low.

Evidence: a low battery that its wearer mends within the grace is none of an operator's business.
Steps are whole per cent, so a rate is known after two of them; temperature and age of the cell are not looked at.
Cost: about 0.1 µs a
reading; 20 bytes a wearer.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, end_all, end_where, number, open_where
from schemas.alerts import AlertCode, Priority, Transition
from schemas.judging import Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]

GRACE_S: Final = 1_200
"""Time to feel the band, walk to a charger and plug it in, before an operator is bothered."""
_LOW_H: Final = 3.0
_CRITICAL_H: Final = 0.5
_WELL_H: Final = 4.0
"""A prediction wavers by a step in twenty; this much above low it no longer does."""
_WEIGHT: Final = np.float32(0.2)
"""The share of the newest step: five steps, a few hours, make a rate."""
_CLIP: Final = np.float32(3.0)
"""A step that took a third of the usual time, or thrice as long, is a cold morning or a lost reading."""
_FIRST_PCT_H: Final = 100.0 / 24.0
"""Until a band has shown its own rate: a charge must last 24 hours (NIJ 1004.00)."""
_LEAST_PCT_H: Final = np.float32(0.1)
"""No band lives for more than forty days, and nothing is divided by nought."""
_UNKNOWN: Final = 255

DISCHARGE: Final[Columns] = {
    "level_pct": (np.uint8, _UNKNOWN),
    "level_s": (np.uint32, 0),
    "rate_pct_h": (np.float16, _FIRST_PCT_H),
    "low_s": (np.uint32, 0),
}
"""The level last told and when it fell to that (0: it did not fall), the rate of discharge, and since when it is low
and not charging (0: it is not); UTC seconds."""


class Charge(NamedTuple):
    """What is known after a reading, one a row; absent numbers are NaN. ``told`` is where the reading spoke of it."""

    told: Flags
    level_pct: Floats
    rate_pct_h: Floats
    left_h: Floats
    low: Flags
    critical: Flags
    well: Flags


def discharge(table: Table, rows: Rows, step: Readings, limits: Thresholds) -> Charge:
    """Note the level in a table that has ``DISCHARGE``; a reading without one says nothing.

    >>> table = Table.new(np.array([1]), DISCHARGE)
    >>> for hour, percent in enumerate((50, 48, 46)):
    ...     step = Readings.of(device=[1], event_ms=[3_600_000 * (hour + 1)], battery_pct=[percent])
    ...     charge = discharge(table, np.array([0]), step, Thresholds())
    >>> round(float(charge.rate_pct_h[0]), 1), round(float(charge.left_h[0]))
    (3.7, 12)
    """
    now_s, charging = step.event_ms // 1000, step.charging == 1
    told = ~np.isnan(step.battery_pct)
    level_pct = np.clip(np.where(told, step.battery_pct, np.float32(0.0)), 0.0, 100.0)
    before_pct, rate = table["level_pct"][rows].astype(np.float32), table["rate_pct_h"][rows].astype(np.float32)
    fell = told & ~charging & (np.floor(level_pct) < before_pct) & (before_pct < _UNKNOWN)
    moved = told & (charging | fell | (np.floor(level_pct) > before_pct) | (before_pct == _UNKNOWN))
    hours = np.maximum(now_s - table["level_s"][rows], 1).astype(np.float32) / np.float32(3600.0)
    seen = np.clip((before_pct - np.floor(level_pct)) / hours, rate / _CLIP, rate * _CLIP)
    # How long the first level had stood before it was told, nobody knows.
    rate = np.where(fell & (table["level_s"][rows] > 0), rate + _WEIGHT * (seen - rate), rate).astype(np.float32)
    left_h = np.where(told, level_pct / np.maximum(rate, _LEAST_PCT_H), np.float32(np.nan))
    running = told & ~charging
    low = running & ((level_pct <= limits.battery_low_pct) | (left_h <= _LOW_H))
    critical = running & ((level_pct <= limits.battery_critical_pct) | (left_h <= _CRITICAL_H))
    well = charging | (told & (level_pct >= limits.battery_clear_pct) & ~(left_h < _WELL_H))
    at = rows[moved]
    table["level_pct"][at], table["level_s"][at] = np.floor(level_pct[moved]), np.where(fell, now_s, 0)[moved]
    table["rate_pct_h"][rows[fell]] = rate[fell]
    since_s = table["low_s"][rows]
    table["low_s"][rows] = np.where(well, 0, np.where(low & (since_s == 0), now_s, since_s))
    return Charge(told, np.where(told, level_pct, np.float32(np.nan)), rate, left_h, low, critical, well)


@dataclass(frozen=True, slots=True)
class Battery(Detector):
    """Rings low once an episode, after the wearer's grace, and raises its priority once when critical.

    >>> battery = Battery(np.array([1]))
    >>> table = Table.new(battery.keys, battery.columns)
    >>> for minute, percent in enumerate((50, 18, 18, 18, 6, 5, 40)):
    ...     step = Readings.of(device=[1], event_ms=[600_000 * (minute + 1)], battery_pct=[percent], charging=[0])
    ...     print([(v.transition.value, v.priority) for v in battery.judge(table, np.array([0]), step)])
    []
    []
    []
    [('opened', <Priority.LOW: 1>)]
    [('updated', <Priority.MEDIUM: 2>)]
    []
    [('cleared', None)]
    """

    keys: NDArray[np.int64] = field()
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.DEVICE_BATTERY.value

    @property
    def columns(self) -> Columns:
        """The discharge, whether the open alert has been raised to critical, and its onset."""
        return {**DISCHARGE, "critical": (np.bool_, False), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Compare level and prediction; a reading without a level says nothing."""
        charge = discharge(table, rows, step, self.thresholds)
        since_s = table["low_s"][rows].astype(np.int64)
        waited = charge.low & (since_s > 0) & (step.event_ms // 1000 - since_s >= GRACE_S)

        def evidence(n: int) -> dict[str, object]:
            left_h = float(charge.left_h[n])
            return {
                "battery_pct": number(charge.level_pct[n]),
                "threshold_pct": self.thresholds.battery_low_pct,
                "charging": bool(step.charging[n] == 1),
                "rate_pct_h": number(charge.rate_pct_h[n], 2),
                "empty_in_h": number(left_h),
                "empty_ms": None if np.isnan(left_h) else int(step.event_ms[n]) + int(left_h * 3_600_000),
                "low_since_ms": int(since_s[n]) * 1000 or None,
                "grace_s": GRACE_S,
            }

        verdicts = open_where(
            table,
            AlertCode.DEVICE_BATTERY,
            rows,
            condition=waited | charge.critical,
            onset_ms=since_s * 1000,
            at_ms=step.event_ms,
            evidence=evidence,
            priority=Priority.LOW,
        )
        raised = np.flatnonzero(charge.critical & ~table["critical"][rows])
        table["critical"][rows] = np.where(charge.well, False, table["critical"][rows] | charge.critical)
        verdicts += [
            Verdict(
                row=int(rows[n]),
                code=AlertCode.DEVICE_BATTERY,
                transition=Transition.UPDATED,
                onset_ms=int(table[ONSET][rows[n]]),
                at_ms=int(step.event_ms[n]),
                step=int(n),
                evidence=evidence(int(n)) | {"threshold_pct": self.thresholds.battery_critical_pct},
                priority=Priority.MEDIUM,
            )
            for n in raised
        ]
        return verdicts + end_where(
            table, AlertCode.DEVICE_BATTERY, rows, condition=charge.well, at_ms=step.event_ms, evidence=evidence
        )

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.DEVICE_BATTERY, gone, now_ms)
