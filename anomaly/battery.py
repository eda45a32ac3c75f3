"""``device.battery``: low, then critical, while not charging; back above the clear level or on the charger ends it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, end_all, end_where, number, open_where
from schemas.alerts import AlertCode, Priority, Transition
from schemas.judging import Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds


@dataclass(frozen=True, slots=True)
class Battery(Detector):
    """Rings low once an episode and raises its priority once when critical.

    >>> battery = Battery(np.array([1]))
    >>> table = Table.new(battery.keys, battery.columns)
    >>> for percent in (50, 18, 17, 6, 5, 40):
    ...     step = Readings.of(device=[1], event_ms=[0], battery_pct=[percent], charging=[0])
    ...     print([(v.transition.value, v.priority) for v in battery.judge(table, np.array([0]), step)])
    []
    [('opened', <Priority.LOW: 1>)]
    []
    [('updated', <Priority.MEDIUM: 2>)]
    []
    [('cleared', None)]
    """

    keys: NDArray[np.int64] = field()
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.DEVICE_BATTERY.value

    @property
    def columns(self) -> Columns:
        """Whether the open alert has been raised to critical, and its onset."""
        return {"critical": (np.bool_, False), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Compare the level; a reading without one says nothing."""
        level, charging = step.battery_pct, step.charging == 1
        low = (level <= self.thresholds.battery_low_pct) & ~charging
        critical = low & (level <= self.thresholds.battery_critical_pct)
        well = (level >= self.thresholds.battery_clear_pct) | charging

        def evidence(n: int) -> dict[str, object]:
            return {
                "battery_pct": number(level[n]),
                "threshold_pct": self.thresholds.battery_low_pct,
                "charging": bool(charging[n]),
            }

        verdicts = open_where(
            table,
            AlertCode.DEVICE_BATTERY,
            rows,
            condition=low,
            onset_ms=step.event_ms,
            at_ms=step.event_ms,
            evidence=evidence,
            priority=Priority.LOW,
        )
        raised = np.flatnonzero(critical & ~table["critical"][rows])
        table["critical"][rows] = np.where(well, False, table["critical"][rows] | critical)
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
            table, AlertCode.DEVICE_BATTERY, rows, condition=well, at_ms=step.event_ms, evidence=evidence
        )

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.DEVICE_BATTERY, gone, now_ms)
