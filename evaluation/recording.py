"""What the bands said, kept small to look things up afterwards, and for how long each was observed."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import DTypeLike, NDArray

from evaluation.outcome import Found
from schemas.judging import NEVER
from schemas.readings import Readings
from schemas.registry import FOREVER_MS, NumberedRegistry

FULL_DAY_HOURS: Final = 8
"""A day with readings in fewer hours says little about its wearer and is not counted."""

_HOUR_MS: Final = 3_600_000
_HOURS: Final = 24
_KEPT: Final[dict[str, DTypeLike]] = {
    "device": np.int32,
    "event_ms": np.int64,
    "ingest_ms": np.int64,
    "lat": np.float32,
    "lon": np.float32,
    "accuracy_m": np.float32,
    "heart_rate_bpm": np.float32,
    "skin_temp_c": np.float32,
    "spo2_pct": np.float32,
    "steps": np.float32,
    "activity": np.float32,
    "peak_g": np.float32,
    "battery_pct": np.float32,
    "strap_closed": np.int8,
    "case_closed": np.int8,
    "sos": np.int8,
}


class Recording:
    """Readings of a whole run in 63 bytes each; positions to within a metre (single precision degrees).

    They are sorted at the first look; what is added afterwards is sorted in at the next.

    >>> recording = Recording()
    >>> recording.add(Readings.of(device=[2, 1, 1], event_ms=[5, 9, 3], heart_rate_bpm=[60, 62, 61]))
    >>> recording.window(1, 0, 10).heart_rate_bpm.tolist()
    [61.0, 62.0]
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in _KEPT}
        self._sorted = True

    def add(self, readings: Readings) -> None:
        """Keep a batch, in any order."""
        for name, dtype in _KEPT.items():
            self._parts[name].append(getattr(readings, name).astype(dtype))
        self._sorted = False

    def window(self, device_no: int, from_ms: int, to_ms: int) -> Readings:
        """A band's readings from (included) one event time to another (excluded), by it; other columns are absent."""
        self._sort()
        device = self._column("device")
        start, end = np.searchsorted(device, np.array([device_no, device_no + 1], device.dtype))
        first, last = start + np.searchsorted(self._column("event_ms")[start:end], [from_ms, to_ms])
        return Readings.of(**{name: self._column(name)[first:last] for name in _KEPT})

    def _column(self, name: str) -> NDArray[np.generic]:
        parts = self._parts[name]
        return parts[0] if parts else np.empty(0, _KEPT[name])

    def _sort(self) -> None:
        """Column by column, or a run would have to fit into memory twice."""
        if self._sorted:
            return
        order = np.lexsort((np.concatenate(self._parts["event_ms"]), np.concatenate(self._parts["device"])))
        for name in _KEPT:
            whole = np.concatenate(self._parts[name])
            self._parts[name] = []
            self._parts[name] = [whole[order]]
        self._sorted = True


class Observed:
    """Since when, until when and on how many days each band was heard; a day counts with readings in 8 of its hours.

    Days are those of the band's org, times those of the events; readings of unknown bands are ignored. Counted by days
    of UTC, three days from midnight to midnight in Shanghai would be four.
    """

    def __init__(self, device_no: NDArray[np.int32], device: Sequence[str], timezone: Sequence[str]) -> None:
        """``device_no`` ascending, ``device`` its names, ``timezone`` where it is worn."""
        self._device_no, self._device, self._timezone = device_no, device, timezone
        self._ahead_ms: NDArray[np.int64] | None = None
        self._hours: defaultdict[int, NDArray[np.bool_]] = defaultdict(
            lambda: np.zeros((len(device_no), _HOURS), np.bool_)
        )
        self._first_ms = np.full(len(device_no), FOREVER_MS, np.int64)
        self._last_ms = np.full(len(device_no), NEVER, np.int64)

    @classmethod
    def of(cls, numbered: NumberedRegistry) -> Self:
        """Nobody observed yet."""
        timezone = {org.id: org.timezone for org in numbered.registry.orgs}
        ordered = sorted(numbered.registry.devices, key=lambda device: numbered.device_no[device.id])
        return cls(
            np.array([numbered.device_no[device.id] for device in ordered], np.int32),
            [device.id for device in ordered],
            [timezone[device.org] for device in ordered],
        )

    def add(self, readings: Readings) -> None:
        """Observe a batch, in any order."""
        rows = np.searchsorted(self._device_no, readings.device)
        known = np.flatnonzero(np.isin(readings.device, self._device_no))
        rows, event_ms = rows[known], readings.event_ms[known]
        np.minimum.at(self._first_ms, rows, event_ms)
        np.maximum.at(self._last_ms, rows, event_ms)
        if self._ahead_ms is None and len(event_ms):
            self._ahead_ms = _ahead_ms(self._timezone, int(event_ms[0]))
        local_ms = event_ms if self._ahead_ms is None else event_ms + self._ahead_ms[rows]
        day, hour = np.divmod(local_ms // _HOUR_MS, _HOURS)
        for number in np.unique(day).tolist():
            mine = day == number
            self._hours[number][rows[mine], hour[mine]] = True

    def days(self) -> dict[str, float]:
        """Wearer-days by device, 0 for a band that was heard on no whole one."""
        days = np.zeros(len(self._device))
        for hours in self._hours.values():
            days += hours.sum(axis=1) >= FULL_DAY_HOURS
        return {self._device[row]: float(days[row]) for row in self._heard()}

    def spans(self) -> dict[str, tuple[int, int]]:
        """First and last event time by device, of those heard at all."""
        return {self._device[row]: (int(self._first_ms[row]), int(self._last_ms[row])) for row in self._heard()}

    def in_time(self, found: Sequence[Found]) -> list[Found]:
        """Alerts that rang while any band spoke: that a recording ends is no silence of its bands."""
        end_ms = int(self._last_ms.max(initial=NEVER))
        return [one for one in found if one.found_ms <= end_ms]

    def _heard(self) -> list[int]:
        return [int(row) for row in np.flatnonzero(self._last_ms != NEVER)]


def _ahead_ms(timezone: Sequence[str], at_ms: int) -> NDArray[np.int64]:
    """By how much each place's clock is ahead of UTC at a moment; a run is too short for summer time to matter."""
    moment = datetime.fromtimestamp(at_ms / 1000.0, UTC)
    ahead = {name: moment.astimezone(ZoneInfo(name)).utcoffset() or timedelta() for name in set(timezone)}
    return np.array([round(ahead[name].total_seconds() * 1000.0) for name in timezone], np.int64)
