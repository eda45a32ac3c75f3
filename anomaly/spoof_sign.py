"""What a trick's judge says of each row in one step: since when, what rings, what is over, and by which evidence."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import Evidence
from anomaly.spoof_leg import Leg
from schemas.judging import Columns, Rows, Table, Times
from schemas.readings import Readings

Opened = Mapping[str, NDArray[np.bool_]]
"""By trick, which rows of a step have its alert open."""


class Sign(NamedTuple):
    """One trick's verdict on a step, aligned with its rows; ``onset_s`` of what ends is that with which it rang."""

    trick: str
    onset_s: NDArray[Any]
    rings: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    at_ms: Times
    evidence: Evidence


class Trick(ABC):
    """One way to falsify: frozen numbers, columns of its own in the common table, one pure step."""

    @property
    @abstractmethod
    def onsets(self) -> dict[str, str]:
        """By the name of each trick that it can call, the column with its onset."""

    @property
    @abstractmethod
    def columns(self) -> Columns:
        """Its part of the table."""

    @abstractmethod
    def judge(self, table: Table, rows: Rows, step: Readings, leg: Leg, opened: Opened) -> list[Sign]:
        """Judge a step and remember; ``opened`` tells for each trick which rows have its alert open."""


def rounded(value: np.floating[Any], digits: int = 1) -> float | None:
    """A number for evidence; None where it is not known."""
    return None if np.isnan(value) else round(float(value), digits)
