"""A column in which hardly any row has a value: onsets of open alerts, of which few in a hundred wearers have one."""

from typing import Any, Final, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

_BYTES_A_VALUE: Final = 100
"""Of a row number, its value and their place in a dictionary, about."""


class Rare:
    """Whole numbers by row, indexed by row numbers as an array is: one byte a row, and some where there is a value.

    ``missing`` stands where there is none; writing it removes the value. As an array it is an int64 one.

    >>> onset = Rare(4, -1)
    >>> onset[np.array([2, 3])] = np.array([50, 60])
    >>> onset[3] = -1
    >>> onset[np.array([3, 2])].tolist(), onset[2], np.asarray(onset).tolist()
    ([-1, 50], 50, [-1, -1, 50, -1])
    """

    __slots__ = ("_has", "_missing", "_values")

    def __init__(self, rows: int, missing: int) -> None:
        self._has = np.zeros(rows, np.bool_)
        self._missing = missing
        self._values: dict[int, int] = {}

    @overload
    def __getitem__(self, rows: int) -> int: ...
    @overload
    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[np.int64]: ...
    def __getitem__(self, rows: int | NDArray[np.intp]) -> int | NDArray[np.int64]:
        if not isinstance(rows, np.ndarray):
            return self._values.get(int(rows), self._missing)
        found = np.full(len(rows), self._missing, np.int64)
        for place in np.flatnonzero(self._has[rows]).tolist():
            found[place] = self._values[int(rows[place])]
        return found

    def __setitem__(self, rows: int | NDArray[np.intp], values: int | NDArray[np.int64]) -> None:
        rows = np.atleast_1d(rows)
        values = np.broadcast_to(np.asarray(values, np.int64), rows.shape)
        for place in np.flatnonzero(self._has[rows] | (values != self._missing)).tolist():
            row, value = int(rows[place]), int(values[place])
            self._has[row] = value != self._missing
            if value == self._missing:
                self._values.pop(row, None)
            else:
                self._values[row] = value

    def __array__(self, dtype: DTypeLike | None = None, *, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[np.arange(len(self._has))], dtype)

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return self._has.nbytes + _BYTES_A_VALUE * len(self._values)
