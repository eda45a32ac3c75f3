"""The judge's contract: tables of arrays that detectors keep, verdicts they give, rules they read.

A detector is frozen rules plus pure steps over a ``Table``; ``geo`` and ``anomaly`` implement it,
``flows`` runs all of them alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from schemas.alerts import AlertCode, Priority, Transition
from schemas.rare import Rare
from schemas.readings import Readings

NEVER: Final = -1
"""In a column of times: it has not happened."""

Rows = NDArray[np.intp]
Times = NDArray[np.int64]


class Common(NamedTuple):
    """A column of the table as a whole, ``size`` long: what is learned of places rather than of wearers."""

    dtype: DTypeLike
    initial: float
    size: int


Columns = Mapping[str, tuple[DTypeLike, float] | Common]


@dataclass(frozen=True, slots=True)
class Table:
    """A detector's memory: one key a row (a device, or a device and zone), one array a column.

    Arrays are changed in place; a snapshot is plain values only. A column of dtype ``Rare`` is one of int64 that takes
    a byte a row while it has no values. What is in ``common`` belongs to no row: any newer table takes it over whole.

    >>> table = Table.new(np.array([7, 3]), {"seen": (np.int64, NEVER)})
    >>> table["seen"][1] = 5
    >>> newer = Table.new(np.array([3, 9]), {"seen": (np.int64, NEVER)})
    >>> newer.inherit(table)
    >>> newer["seen"].tolist()
    [5, -1]
    """

    keys: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    common: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @classmethod
    def new(cls, keys: NDArray[np.int64], columns: Columns) -> Self:
        """A table of the given keys (unique, any order), every column at its initial value."""
        return cls(
            np.asarray(keys, np.int64),
            {name: _column(len(keys), *of) for name, of in columns.items() if not isinstance(of, Common)},
            {name: np.full(of.size, of.initial, of.dtype) for name, of in columns.items() if isinstance(of, Common)},
        )

    def inherit(self, older: "Table", void: tuple[str, ...] = ()) -> None:
        """Take over what an older table knew of the same keys, except for ``void`` columns."""
        _, here, there = np.intersect1d(self.keys, older.keys, assume_unique=True, return_indices=True)
        for name in (self.columns.keys() & older.columns.keys()) - set(void):
            self[name][here] = older[name][there]
        for name in self.common.keys() & older.common.keys():
            if len(self.common[name]) == len(older.common[name]):
                self.common[name][:] = older.common[name]

    def snapshot(self) -> dict[str, Any]:
        """Plain values that ``restore`` understands in any later version."""
        return {
            "keys": self.keys.tobytes(),
            "columns": {name: _plain(np.asarray(column)) for name, column in self.columns.items()},
            "common": {name: _plain(array) for name, array in self.common.items()},
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> "Table":
        """The table that ``snapshot`` described, writable again."""
        return cls(
            np.frombuffer(snapshot["keys"], np.int64),
            {name: np.frombuffer(raw, dtype).copy() for name, (dtype, raw) in snapshot["columns"].items()},
            {name: np.frombuffer(raw, dtype).copy() for name, (dtype, raw) in snapshot.get("common", {}).items()},
        )


def _column(rows: int, dtype: DTypeLike, initial: float) -> Any:  # noqa: ANN401
    return Rare(rows, int(initial)) if dtype is Rare else np.full(rows, initial, dtype)


def _plain(array: NDArray[Any]) -> tuple[str, bytes]:
    return array.dtype.str, array.tobytes()


class Verdict(NamedTuple):
    """What a detector found: one step in the life of one alert.

    ``row`` is the wearer's row, ``onset_ms`` when the condition began (it names the alert, so a
    clear must repeat it), ``at_ms`` the moment that decided, ``step`` the deciding reading's position
    in the judged batch or -1 for a tick.
    """

    row: int
    code: AlertCode
    transition: Transition
    onset_ms: int
    at_ms: int
    step: int
    evidence: dict[str, Any]
    subject: str = ""
    priority: Priority | None = None
    rule_version: int | None = None


@dataclass(frozen=True, slots=True)
class WearerRules:
    """What holds for each judged band, one row each, ordered by device number.

    ``ahead_s``: by how much the standard time of its org is ahead of UTC.
    """

    version: int
    device_no: NDArray[np.int32]
    wearer_no: NDArray[np.int32]
    interval_ms: NDArray[np.int64]
    silence_after_ms: NDArray[np.int64]
    ahead_s: NDArray[np.int32]
    device: tuple[str, ...] = ()
    wearer: tuple[str, ...] = ()
    org: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.device_no)

    @property
    def keys(self) -> NDArray[np.int64]:
        """One key a row that names band and wearer: a band handed on starts with an empty memory."""
        return np.asarray(self.device_no.astype(np.int64) << 32 | self.wearer_no)

    def rows_of(self, device_no: NDArray[np.int32]) -> Rows:
        """The row of each device, -1 where the rules do not know it."""
        if not len(self):
            return np.full(len(device_no), -1, np.intp)
        found = np.searchsorted(self.device_no, device_no).clip(max=len(self) - 1)
        return np.where(self.device_no[found] == device_no, found, -1)


class Detector(ABC):
    """One kind of condition, judged for all wearers at once.

    A subclass is a frozen dataclass of rules; what it remembers stands in its table. ``judge`` takes at
    most one reading a row, newer than those before it; ``tick`` tells the time of each row where nothing
    was received. Both change the table and return verdicts; the same calls give the same verdicts.
    """

    __slots__ = ()

    takes_late: ClassVar[bool] = False
    """Whether readings older than the newest one judged are passed on, too."""

    void_under_new_rules: ClassVar[tuple[str, ...]] = ()
    """Columns that start anew when the rules change."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Under which its table is kept in snapshots."""

    @property
    def codes(self) -> frozenset[AlertCode]:
        """What it rings: the code that it is named after, unless it says otherwise."""
        return frozenset({AlertCode(self.name)})

    @property
    @abstractmethod
    def keys(self) -> NDArray[np.int64]:
        """The key of each row of its table."""

    @property
    @abstractmethod
    def columns(self) -> Columns:
        """The table's columns: dtype and initial value; ``Common`` ones belong to no row."""

    def memory_of(self, rows: Rows) -> Rows:
        """Where its table speaks of wearers, in the order of their rows: a row each unless it says otherwise."""
        return rows

    @abstractmethod
    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Apply one reading to each of ``rows``; ``step`` is aligned with ``rows``."""

    def tick(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:  # noqa: ARG002
        """Let time pass for ``rows`` up to ``now_ms`` (one a row); advancing in two steps equals advancing in one."""
        return []

    def listening_since(self, table: Table, since_ms: int) -> None:  # noqa: B027
        """We were deaf before ``since_ms``: what was not heard until then is no evidence."""

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:  # noqa: ARG002
        """Clear what is open at these positions of the table: the rules no longer speak of them."""
        return []

    def release(self, table: Table, row: int, onset_ms: int) -> None:  # noqa: B027
        """A person closed the alert of that onset: the next occurrence rings again."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Everything that reached us on this partition up to ``now_ms`` has been handed on.

    ``since_ms`` is when we began to listen without a break; before that we may have missed a band's voice.
    """

    partition: str
    now_ms: int
    since_ms: int = 0


class Released(NamedTuple):
    """One latched alert that a person closed."""

    device_no: int
    code: AlertCode
    onset_ms: int


@dataclass(frozen=True, slots=True)
class Release:
    """People closed incidents; telling it twice changes nothing."""

    alerts: tuple[Released, ...]
