"""The wearer is asked first: a band that runs low vibrates before any operator hears of it.

Asked once when the battery becomes low, once more when it becomes critical, again only after it has been well.
Decided by the same ``discharge`` as ``device.battery``, on a memory of its own: verdicts go to people and are
replayed, prompts go to bands and are not. A backlog asks nothing. Cost: about 0.05 µs a reading; 12 bytes a wearer.
It knows no night: whoever sleeps beside an empty band is woken.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.battery import DISCHARGE, GRACE_S, discharge
from schemas.judging import Columns, Rows, Table
from schemas.readings import Readings
from schemas.registry import Thresholds

_LIVE_MS: Final = 120_000
"""A reading that took longer to reach us says nothing about now."""

VALID_MS: Final = GRACE_S * 1000
"""A prompt makes sense until the operator hears of it."""


class PromptReason(StrEnum):
    """Why a wearer is asked to charge."""

    LOW = "battery_low"
    CRITICAL = "battery_critical"


_REASON: Final = (PromptReason.LOW, PromptReason.CRITICAL)


class Nudge(NamedTuple):
    """One wearer is to be asked to charge; ``at_ms`` is the event time of the reading that decided."""

    row: int
    at_ms: int
    reason: PromptReason


@dataclass(frozen=True, slots=True)
class Prompt:
    """Decides for all wearers of a shard.

    >>> prompt = Prompt(np.array([1]))
    >>> table = Table.new(prompt.keys, prompt.columns)
    >>> for now_ms, percent in ((0, 50), (60_000, 19), (120_000, 18), (180_000, 7), (240_000, 6)):
    ...     step = Readings.of(device=[1], event_ms=[now_ms], ingest_ms=[now_ms], battery_pct=[percent])
    ...     print([nudge.reason.value for nudge in prompt.decide(table, np.array([0]), step)])
    []
    ['battery_low']
    []
    ['battery_critical']
    []
    """

    keys: NDArray[np.int64]
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def columns(self) -> Columns:
        """The discharge, and how often its wearer was asked since it was last well."""
        return {**DISCHARGE, "asked": (np.uint8, 0)}

    def decide(self, table: Table, rows: Rows, step: Readings) -> list[Nudge]:
        """Apply one reading to each of ``rows`` (aligned) and say who is to be asked."""
        charge = discharge(table, rows, step, self.thresholds)
        asked = np.where(charge.well, 0, table["asked"][rows])
        grade = np.where(charge.critical, 2, np.where(charge.low, 1, 0))
        live = step.ingest_ms - step.event_ms <= _LIVE_MS
        due = np.flatnonzero(live & (grade > asked))
        asked[due] = grade[due]
        table["asked"][rows] = asked
        return [Nudge(int(rows[n]), int(step.event_ms[n]), _REASON[int(grade[n]) - 1]) for n in due]
