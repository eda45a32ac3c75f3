"""The same readings over a worse way: lost, late, twice, by a wrong clock, or to a judge that starts cold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.judging import Times
from schemas.readings import Readings

DUPLICATE_WITHIN_S: Final = 600.0
"""A message sent again comes this long after the first at most."""
FORGET_MS: Final = 31 * 86_400_000
"""The door refuses what is a day younger than this already, so that no older reading can come again."""

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_SHARES: Final = ("loss", "reorder", "duplicates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What the way does to readings; shares are of 1, every draw follows from ``seed``.

    ``loss``: never arrive. ``reorder``: arrive up to ``reorder_s`` later than they did. ``duplicates``: are sent
    again within ten minutes. ``clock_s``: each band's clock is off by a constant of at most this much, either
    way. ``cold_start_days``: the judge hears nothing before, and what happened before does not count.

    Raises ``ValueError`` naming the field that is out of range.

    >>> Degradation(loss=0.05, clock_s=120.0).describe()
    ['5 % of readings lost', 'clocks off by up to ±120 s, each band by a constant']
    >>> Degradation(loss=5)
    Traceback (most recent call last):
        ...
    ValueError: loss is 5; it is a share from 0 to 1
    """

    loss: float = 0.0
    reorder: float = 0.0
    reorder_s: float = 600.0
    duplicates: float = 0.0
    clock_s: float = 0.0
    cold_start_days: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share from 0 to 1")
        for name in ("reorder_s", "clock_s", "cold_start_days"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it is at least 0 and finite")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it is at least 0")

    def describe(self) -> list[str]:
        """What is done, in words for a report; nothing where nothing is."""
        said = {
            f"{self.loss * 100:g} % of readings lost": self.loss,
            f"{self.reorder * 100:g} % of readings delayed by up to {self.reorder_s:g} s": self.reorder,
            f"{self.duplicates * 100:g} % of readings sent again within {DUPLICATE_WITHIN_S:g} s": self.duplicates,
            f"clocks off by up to ±{self.clock_s:g} s, each band by a constant": self.clock_s,
            f"the judge starts cold after {self.cold_start_days:g} days": self.cold_start_days,
        }
        return [words for words, amount in said.items() if amount]

    def counts_from_ms(self, first_ms: int) -> int:
        """From when on readings are heard and events count, if the first reading reached us at ``first_ms``."""
        return first_ms + round(self.cold_start_days * _DAY_MS)


def degraded(batches: Iterable[Readings], degradation: Degradation) -> Iterator[Readings]:
    """The readings as they would have arrived, each (band, event time, sequence number) once, by ``ingest_ms``.

    ``batches`` come in the order of receipt. At most a delay's worth of readings is held back, and the keys of
    the last 31 days. Without any degradation the batches are passed on as they are.
    """
    if not degradation.describe():
        yield from batches
        return
    way, door = _Way(degradation), Door()
    held = Readings.empty()
    for batch in batches:
        if not len(batch):
            continue
        held = _by_arrival(Readings.concat([held, way.send(batch)]))
        arrived = int(np.searchsorted(held.ingest_ms, batch.ingest_ms[-1], side="right"))
        yield from _nonempty(door.admit(held.take(np.arange(arrived))))
        held = held.take(np.arange(arrived, len(held)))
    yield from _nonempty(door.admit(held))


class _Way:
    """What happens to readings between the bands and us: draws in their order, whatever the batches."""

    def __init__(self, degradation: Degradation) -> None:
        self._degradation = degradation
        self._rng = np.random.default_rng(degradation.seed)
        self._clocks_ms: dict[int, int] = {}
        self._counts_from_ms: int | None = None

    def send(self, batch: Readings) -> Readings:
        """What of a batch arrives, and when, in no order: the same reading possibly twice."""
        asked = self._degradation
        lost, late, late_by, again, again_after = self._rng.random((len(batch), 5)).T
        if self._counts_from_ms is None:
            self._counts_from_ms = asked.counts_from_ms(int(batch.ingest_ms[0]))
        sent = (batch.ingest_ms >= self._counts_from_ms) & (lost >= asked.loss)
        twice = sent & (again < asked.duplicates)
        delay_s = np.where(late < asked.reorder, late_by * asked.reorder_s, 0.0)
        batch = batch.replace(event_ms=batch.event_ms + self._clock_ms(batch.device))
        return Readings.concat([_later(batch, delay_s, sent), _later(batch, again_after * DUPLICATE_WITHIN_S, twice)])

    def _clock_ms(self, device: NDArray[np.int32]) -> Times:
        devices, place = np.unique(device, return_inverse=True)
        for number in devices.tolist():
            if number not in self._clocks_ms:
                off_s = np.random.default_rng([self._degradation.seed, number]).uniform(-1.0, 1.0)
                self._clocks_ms[number] = round(off_s * self._degradation.clock_s * 1000.0)
        return np.array([self._clocks_ms[number] for number in devices.tolist()], np.int64)[place]


class Door:
    """Lets each (band, event time, sequence number) in once, as the store does; forgets what is 31 days old.

    >>> door = Door()
    >>> twice = Readings.of(device=[1, 1, 2], seq=[7, 7, 7], event_ms=[5, 5, 5], ingest_ms=[9, 9, 9])
    >>> len(door.admit(twice)), len(door.admit(twice))
    (2, 0)
    """

    def __init__(self) -> None:
        self._seen: dict[int, NDArray[np.uint64]] = {}

    def admit(self, readings: Readings) -> Readings:
        """The readings that were not let in before, in their order; of equal ones the first."""
        if not len(readings):
            return readings
        keys, hours = _keys(readings), readings.event_ms // _HOUR_MS
        fresh = np.zeros(len(readings), np.bool_)
        for hour in np.unique(hours).tolist():
            mine = np.flatnonzero(hours == hour)
            fresh[mine] = self._note(hour, keys[mine])
        self._forget(int(readings.ingest_ms[-1]) - FORGET_MS)
        return readings if fresh.all() else readings.take(fresh)

    def _note(self, hour: int, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which keys are new to an hour, the first of equal ones only; notes them."""
        seen = self._seen.get(hour, np.empty(0, np.uint64))
        once, first = np.unique(keys, return_index=True)
        place = np.searchsorted(seen, once)
        known = np.zeros(len(once), np.bool_)
        inner = place < len(seen)
        known[inner] = seen[place[inner]] == once[inner]
        self._seen[hour] = np.insert(seen, place[~known], once[~known])
        fresh = np.zeros(len(keys), np.bool_)
        fresh[first[~known]] = True
        return fresh

    def _forget(self, before_ms: int) -> None:
        for hour in [hour for hour in self._seen if (hour + 1) * _HOUR_MS <= before_ms]:
            del self._seen[hour]


def _keys(readings: Readings) -> NDArray[np.uint64]:
    """One number a reading within its hour: 21 bits of the band, 22 of the time in the hour, 21 of the sequence.

    Two readings of one band and millisecond would have to be two million messages apart to be taken for one.
    """
    device, seq = readings.device.astype(np.uint64), readings.seq.astype(np.uint64)
    in_hour = (readings.event_ms % _HOUR_MS).astype(np.uint64)
    return np.asarray(device << np.uint64(43) | in_hour << np.uint64(21) | seq & np.uint64(2**21 - 1))


def _later(batch: Readings, delay_s: NDArray[np.float64], where: NDArray[np.bool_]) -> Readings:
    ingest_ms = batch.ingest_ms + np.round(delay_s * 1000.0).astype(np.int64)
    return batch.replace(ingest_ms=ingest_ms).take(where)


def _by_arrival(readings: Readings) -> Readings:
    return readings.take(np.argsort(readings.ingest_ms, kind="stable"))


def _nonempty(readings: Readings) -> Iterator[Readings]:
    if len(readings):
        yield readings
