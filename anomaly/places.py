"""Where bands usually lose something and for how long: a bounded table of coarse cells, learned, one a shard.

A cell is 0.0025 degrees a side (278 m from north to south). For each: how many readings were seen there, how many
gaps began there, the sum of the logarithms of their lengths and that of the squares. Lengths of stays are
log-normal, so usually a gap is over within exp(m + 1.28 sd √(1 + 1/n)), nine times in ten; with few gaps the
spread is drawn to a factor of two. A gap counts for the cell where it began and for the eight around it, because
signal is lost somewhere along the rim. A cell explains nothing unless gaps are common there, measured against
the readings: who switches a band off at home, or jams it, does so once in a thousand minutes spent there, and
teaches nobody patience.

Cells are hashed into ``SLOTS`` places without a check: two that meet share their counts, and since most cells have
readings and few have gaps, what they share is mostly impatience. A slot that has seen much is halved, so old gaps
are forgotten. What is learned is believed from the next tick on (``settle``): until then it would depend on how
readings were cut into batches what one band knows of another. 512 KiB a shard; a reading costs about 20 ns. It knows
no roads and no floors of a building.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.judging import Columns, Common, Table

Floats = NDArray[np.float32]
Cells = NDArray[np.uint32]
Slots = NDArray[np.intp]

NOWHERE: Final = 0
"""The cell of who has no known place; its slot learns nothing."""

_BITS: Final = 14
SLOTS: Final = 1 << _BITS
"""A county of 10,000 km² has 145,000 cells, of which a shard's wearers visit some thousands."""

_BELIEVED: Final = ("place_seen", "place_gaps", "place_sum", "place_squares")
_FRESH: Final = tuple(f"fresh_{name}" for name in _BELIEVED)
PLACE_COLUMNS: Final[Columns] = {name: Common(np.float32, 0.0, SLOTS) for name in (*_BELIEVED, *_FRESH)}

_CELL_DEG: Final = 0.0025
"""A block: wide enough to hold the rim of a dead zone with its neighbours, narrow enough to part it from a home."""
_COLUMNS: Final = 144_000  # 360 degrees
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing spreads neighbours (Knuth 6.4)
_COMMON: Final = 1.0 / 1000.0
"""Gaps a reading from which on they are common: at one a minute, more than one in a waking day spent there."""
_MUCH: Final = 4096.0
"""Readings after which a slot forgets half: three days of minutes of one person."""
_KNOWN: Final = 5.0
LONGEST_S: Final = 7_200.0
LONGEST_KNOWN_S: Final = 43_200.0
"""However poor a place, it explains no more than two hours, within which programmes visit after a tamper (Colorado);
where five gaps are known (a mine, a works in a gorge), no more than a shift with its overtime."""
_UPPER: Final = 1.64
"""Standard deviations: nine in ten are back by then."""
_PRIOR_SD: Final = float(np.log(2.0))
_PRIOR_GAPS: Final = 3.0
"""Of a place that is hardly known it is assumed that stays differ by a factor of two, with the weight of three gaps."""


def cell_of(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> Cells:
    """The cell of each position (WGS-84 degrees), ``NOWHERE`` for NaN.

    >>> here, there, nowhere = cell_of(np.array([26.5812, 26.5813, np.nan]), np.array([101.7112, 101.7113, np.nan]))
    >>> bool(here == there), int(nowhere)
    (True, 0)
    """
    down = np.nan_to_num((lat + 90.0) / _CELL_DEG, nan=-1.0)
    along = np.nan_to_num((lon + 180.0) / _CELL_DEG)
    cells = down.astype(np.int64) * _COLUMNS + along.astype(np.int64) % _COLUMNS + 1
    return np.where(down < 0.0, NOWHERE, cells & 0xFFFFFFFF).astype(np.uint32)


def slot_of(cells: Cells, part: int | NDArray[np.int64] = 0) -> Slots:
    """The place in the table of each cell, for one part of the day; parts have nothing to do with each other."""
    mixed = (cells.astype(np.uint64) << np.uint64(2) | np.asarray(part, np.uint64)) * _GOLDEN
    return np.asarray(mixed >> np.uint64(64 - _BITS), np.intp)


def see(table: Table, slots: Slots) -> None:
    """Count a reading in each slot."""
    np.add.at(table.common["fresh_place_seen"], slots, np.float32(1.0))


def learn(table: Table, cells: Cells, gap_s: Floats, part: int | NDArray[np.int64] = 0) -> None:
    """Gaps that began in these cells are over and were honest."""
    known = np.flatnonzero(cells != NOWHERE)
    if not len(known):
        return
    around = np.add.outer((-_COLUMNS, 0, _COLUMNS), (-1, 0, 1)).ravel()
    nearby = (cells[known].astype(np.int64)[:, None] + around & 0xFFFFFFFF).astype(np.uint32)
    parts = np.broadcast_to(np.asarray(part), cells.shape)[known][:, None]
    slots = slot_of(nearby, parts)
    log_s = np.broadcast_to(np.log(gap_s[known])[:, None], slots.shape)
    for name, amount in zip(_FRESH[1:], (np.ones_like(log_s), log_s, log_s**2), strict=True):
        np.add.at(table.common[name], slots, amount.astype(np.float32))


def settle(table: Table) -> None:
    """Believe what was learned since the last time."""
    if not any(table.common[name].any() for name in _FRESH):
        return
    for believed, fresh in zip(_BELIEVED, _FRESH, strict=True):
        table.common[believed] += table.common[fresh]
        table.common[fresh][:] = 0.0
    full = table.common["place_seen"] > _MUCH
    for believed in _BELIEVED:
        table.common[believed][full] *= np.float32(0.5)


def usual_s(table: Table, slots: Slots) -> Floats:
    """Seconds after which nine in ten gaps that begin there are over; 0 where gaps are not common.

    >>> table = Table.new(np.array([1]), PLACE_COLUMNS)
    >>> tunnel = cell_of(np.array([26.58]), np.array([101.71]))
    >>> usual_s(table, slot_of(tunnel)).tolist()
    [0.0]
    >>> for _ in range(20):
    ...     learn(table, tunnel, np.array([600.0], np.float32))
    >>> settle(table)
    >>> usual_s(table, slot_of(tunnel)).round().tolist()
    [914.0]
    """
    usual = np.zeros(len(slots), np.float32)
    gaps = table.common["place_gaps"][slots]
    some = np.flatnonzero(gaps)
    at, n = slots[some], gaps[some]
    mean = table.common["place_sum"][at] / n
    spread = np.maximum(table.common["place_squares"][at] - n * mean**2, 0.0)
    variance = (_PRIOR_GAPS * _PRIOR_SD**2 + spread) / (_PRIOR_GAPS + n)
    upper_log_s = mean + _UPPER * np.sqrt(variance * (1.0 + 1.0 / n))
    upper = np.exp(np.minimum(upper_log_s, np.log(np.where(n >= _KNOWN, LONGEST_KNOWN_S, LONGEST_S))))
    usual[some] = np.where(n >= _COMMON * table.common["place_seen"][at], upper, 0.0)
    return usual
