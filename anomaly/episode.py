"""What every episodic detector does alike: open where a condition began, clear where it ended."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.alerts import AlertCode, Priority, Transition
from schemas.judging import NEVER, Columns, Rows, Table, Times, Verdict
from schemas.rare import Rare

ONSET: Final = "open_onset_ms"
ONSET_COLUMN: Final[Columns] = {ONSET: (Rare, NEVER)}

Evidence = Callable[[int], dict[str, Any]]
"""The evidence for the n-th row of a step."""


def number(value: float, digits: int = 1) -> float | None:
    """A column's number for evidence: rounded, and None where the band sent none (JSON has no NaN).

    >>> number(float("nan")), number(12.34)
    (None, 12.3)
    """
    return None if np.isnan(value) else round(float(value), digits)


def open_where(
    table: Table,
    code: AlertCode,
    rows: Rows,
    *,
    condition: NDArray[np.bool_],
    onset_ms: Times,
    at_ms: Times,
    evidence: Evidence,
    by_reading: bool = True,
    priority: Priority | None = None,
) -> list[Verdict]:
    """Open an alert for each row whose condition holds and has none open; arrays are aligned with ``rows``."""
    places = np.flatnonzero(condition & (table[ONSET][rows] == NEVER))
    table[ONSET][rows[places]] = onset_ms[places]
    return [
        Verdict(
            row=int(rows[place]),
            code=code,
            transition=Transition.OPENED,
            onset_ms=int(onset_ms[place]),
            at_ms=int(at_ms[place]),
            step=int(place) if by_reading else -1,
            evidence=evidence(int(place)),
            priority=priority,
        )
        for place in places
    ]


def end_where(
    table: Table,
    code: AlertCode,
    rows: Rows,
    *,
    condition: NDArray[np.bool_],
    at_ms: Times,
    evidence: Evidence,
    transition: Transition = Transition.CLEARED,
    by_reading: bool = True,
) -> list[Verdict]:
    """End the alert of each row that has one open and whose ending condition holds."""
    places = np.flatnonzero(condition & (table[ONSET][rows] != NEVER))
    verdicts = [
        Verdict(
            row=int(rows[place]),
            code=code,
            transition=transition,
            onset_ms=int(table[ONSET][rows[place]]),
            at_ms=int(at_ms[place]),
            step=int(place) if by_reading else -1,
            evidence=evidence(int(place)),
        )
        for place in places
    ]
    table[ONSET][rows[places]] = NEVER
    return verdicts


def placed(verdicts: Iterable[Verdict], places: Rows) -> list[Verdict]:
    """Verdicts about some readings of a step, as verdicts about the step: ``places`` is where those stand in it."""
    return [verdict._replace(step=int(places[verdict.step])) for verdict in verdicts]


def end_all(table: Table, code: AlertCode, gone: Rows, now_ms: int) -> list[Verdict]:
    """Clear whatever is open for rows that the rules no longer name."""
    return end_where(
        table,
        code,
        gone,
        condition=np.ones(len(gone), np.bool_),
        at_ms=np.full(len(gone), now_ms),
        evidence=lambda _: {"ended_by": "rules"},
        by_reading=False,
    )
