"""``device.strap``, ``device.case``, ``device.sos``: what rings at once and stays until a person has looked.

Never debounced (a cut that "clears itself" in minutes has been a real cut before). However often the
signal flips, the alert is one; each flip updates its evidence. It takes a person's closing of the
incident (``release``) to make the next occurrence a new alert. Cost: under 0.1 µs a reading.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, open_where
from schemas.alerts import AlertCode, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Verdict
from schemas.rare import Rare
from schemas.readings import ABSENT, Readings


@dataclass(frozen=True, slots=True)
class Latch(Detector):
    """Rings when ``column`` (a yes/no of the band) takes the value ``alarm``.

    >>> strap = Latch(np.array([1]), AlertCode.DEVICE_STRAP, "strap_closed", alarm=0)
    >>> table = Table.new(strap.keys, strap.columns)
    >>> for closed in (1, 0, 1, 0):
    ...     step = Readings.of(device=[1], event_ms=[1000], strap_closed=[closed])
    ...     print([verdict.transition.value for verdict in strap.judge(table, np.array([0]), step)])
    []
    ['opened']
    ['updated']
    ['updated']
    """

    keys: NDArray[np.int64] = field()
    code: AlertCode
    column: str
    alarm: int
    takes_late: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The alert code's own."""
        return self.code.value

    @property
    def columns(self) -> Columns:
        """The signal's last value, how often it went to alarm, and the latched alert's onset."""
        return {"last": (np.int8, ABSENT), "flips": (Rare, 0), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Ring on the change to alarm; while latched, note each change."""
        value = getattr(step, self.column)
        told = (value != ABSENT) & (value != table["last"][rows])
        alarmed = told & (value == self.alarm)
        flips = np.where(table[ONSET][rows] == NEVER, 0, table["flips"][rows]) + alarmed
        # A first "all is well" is no change; only a latched alert has anything to update.
        updated = told & (table[ONSET][rows] != NEVER)
        table["last"][rows] = np.where(told, value, table["last"][rows])
        table["flips"][rows] = flips
        verdicts = open_where(
            table,
            self.code,
            rows,
            condition=alarmed & ~updated,
            onset_ms=step.event_ms,
            at_ms=step.event_ms,
            evidence=lambda n: self._evidence(value[n], flips[n]),
        )
        return verdicts + [
            Verdict(
                row=int(rows[n]),
                code=self.code,
                transition=Transition.UPDATED,
                onset_ms=int(table[ONSET][rows[n]]),
                at_ms=int(step.event_ms[n]),
                step=int(n),
                evidence=self._evidence(value[n], flips[n]),
            )
            for n in np.flatnonzero(updated)
        ]

    def release(self, table: Table, row: int, onset_ms: int) -> None:
        """A person closed that alert: the next change to alarm is a new one."""
        if table[ONSET][row] == onset_ms:
            table[ONSET][row] = NEVER

    def _evidence(self, value: int, flips: int) -> dict[str, Any]:
        return {"signal": self.column, "value": bool(value), "occurrences": int(flips)}
