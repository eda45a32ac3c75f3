"""``device.silence``: no message for longer than the band's plan explains. A state of knowledge, not a breach.

Silence is measured on our clock (when did we last hear), its onset on the band's (when did it last
speak). If the band turns out to have recorded all along, only the network was silent: retracted.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET_COLUMN, end_all, end_where, open_where
from schemas.alerts import AlertCode, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings


@dataclass(frozen=True, slots=True)
class Silence(Detector):
    """Rings when ``silence_after_ms`` (one a row) have passed since the last message.

    The deciding moment is the due time itself, however seldom the clock is told.

    >>> silence = Silence(np.array([1]), np.array([60_000]))
    >>> table = Table.new(silence.keys, silence.columns)
    >>> row = np.array([0])
    >>> silence.judge(table, row, Readings.of(device=[1], event_ms=[5_000], ingest_ms=[6_000]))
    []
    >>> [(v.onset_ms, v.at_ms) for v in silence.tick(table, row, np.array([500_000]))]
    [(5000, 66000)]
    """

    keys: NDArray[np.int64] = field()
    silence_after_ms: Times
    name: str = AlertCode.DEVICE_SILENCE.value
    takes_late: ClassVar[bool] = True

    @property
    def columns(self) -> Columns:
        """When we last heard (our clock), the newest moment the band spoke of (its clock), the open alert's onset."""
        return {"heard_ms": (np.int64, NEVER), "spoken_ms": (np.int64, NEVER), **ONSET_COLUMN}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Let the time until this message pass, then note it; an open alert ends or turns out untrue."""
        verdicts = self.tick(table, rows, step.ingest_ms)
        gap_ms = step.event_ms - table["spoken_ms"][rows]
        recorded = gap_ms <= self.silence_after_ms[rows]

        def evidence(n: int) -> dict[str, object]:
            return {"gap_s": round(float(gap_ms[n]) / 1000.0, 1), "recorded_meanwhile": bool(recorded[n])}

        for condition, transition in ((recorded, Transition.RETRACTED), (~recorded, Transition.CLEARED)):
            verdicts += end_where(
                table,
                AlertCode.DEVICE_SILENCE,
                rows,
                condition=condition,
                at_ms=step.event_ms,
                evidence=evidence,
                transition=transition,
            )
        table["heard_ms"][rows] = np.maximum(table["heard_ms"][rows], step.ingest_ms)
        table["spoken_ms"][rows] = np.maximum(table["spoken_ms"][rows], step.event_ms)
        return verdicts

    def tick(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:
        """Ring for each row whose time is up; a band never heard of is not silent but unknown."""
        heard = table["heard_ms"][rows]
        after_ms = self.silence_after_ms[rows]
        due_ms = heard + after_ms
        return open_where(
            table,
            AlertCode.DEVICE_SILENCE,
            rows,
            condition=(heard != NEVER) & (due_ms <= now_ms),
            onset_ms=table["spoken_ms"][rows],
            at_ms=due_ms,
            evidence=lambda n: {"last_heard_ms": int(heard[n]), "silence_after_s": int(after_ms[n]) // 1000},
            by_reading=False,
        )

    def listening_since(self, table: Table, since_ms: int) -> None:
        """Every band gets its whole allowance from the moment we could hear it again."""
        heard = table["heard_ms"]
        heard[heard != NEVER] = np.maximum(heard[heard != NEVER], since_ms)

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        return end_all(table, AlertCode.DEVICE_SILENCE, gone, now_ms)
