"""When a demand holds: windows of the week and of dates in a time zone, a validity, the leaves that suspend it.

A schedule becomes the sorted UTC moments at which it turns on and off, computed for a span of days
and extended when somebody asks beyond it. Overlapping windows are one.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schemas.judging import Times
from schemas.registry import FOREVER_MS, Day, DayWindow, Schedule, Window

_DAY_MS: Final = 86_400_000
_MARGIN_DAYS: Final = 9
"""A weekly schedule turns at least once within this many days, unless it always holds or dates suspend it."""
_WEEKDAY: Final = {day: number for number, day in enumerate(Day)}

Interval = tuple[int, int]


@dataclass(slots=True)
class Hours:
    """The turning moments of one schedule; asks beyond the known span extend it.

    >>> night = Hours(Schedule(id="n", timezone="Asia/Shanghai",
    ...               windows=[Window(days=list(Day), start="22:00", end="06:00")]))
    >>> at = int(datetime(2026, 11, 23, 15, tzinfo=UTC).timestamp() * 1000)  # 23:00 in Shanghai
    >>> holds, since, until = night.at(np.array([at]))
    >>> bool(holds[0]), int(at - since[0]) // 3_600_000, int(until[0] - at) // 3_600_000
    (True, 1, 7)
    """

    schedule: Schedule
    holidays: frozenset[date] = frozenset()
    _from_ms: int = 0
    _to_ms: int = 0
    _turns: Times = field(default_factory=lambda: np.empty(0, np.int64))

    def at(self, time_ms: Times) -> tuple[NDArray[np.bool_], Times, Times]:
        """Whether the schedule holds at each time, since when it is so, and until when at most (then ask again)."""
        self._cover(int(time_ms.min()), int(time_ms.max()))
        place = np.searchsorted(self._turns, time_ms, side="right")
        known_to_ms = max(self._to_ms, *self._turns[-1:].tolist())
        padded = np.concatenate([[-FOREVER_MS], self._turns, [known_to_ms]])
        return place % 2 == 1, padded[place], padded[place + 1]

    def _cover(self, low_ms: int, high_ms: int) -> None:
        if self._from_ms <= low_ms - _DAY_MS and high_ms + _DAY_MS <= self._to_ms:
            return
        known = (self._from_ms, self._to_ms) if self._to_ms else (low_ms, high_ms)
        self._from_ms = min(known[0], low_ms - _MARGIN_DAYS * _DAY_MS)
        self._to_ms = max(known[1], high_ms + _MARGIN_DAYS * _DAY_MS)
        windows = windows_between(self.schedule, self._from_ms, self._to_ms, self.holidays)
        self._turns = np.array([moment for interval in windows for moment in interval], np.int64)


def windows_between(
    schedule: Schedule, from_ms: int, to_ms: int, holidays: frozenset[date] = frozenset()
) -> list[Interval]:
    """The schedule's windows touching a span, in UTC ms, merged where they overlap or touch."""
    zone = ZoneInfo(schedule.timezone)
    first = datetime.fromtimestamp(from_ms / 1000, UTC).astimezone(zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(to_ms / 1000, UTC).astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    found = (_interval(window, day, zone) for day in days for window in windows_of(schedule, day, holidays))
    return merged(sorted((start, end) for start, end in found if start < end))


def windows_of(schedule: Schedule, day: date, holidays: frozenset[date]) -> Sequence[Window | DayWindow]:
    """The windows that begin on a local day: those of the last exception that names it, of a holiday, of the week.

    >>> from schemas.registry import DatedWindows
    >>> week = Schedule(id="s", windows=[Window(days=[Day.THU], start="08:00", end="12:00")],
    ...                 exceptions=[DatedWindows(first=date(2026, 10, 1), last=date(2026, 10, 7))])
    >>> [len(windows_of(week, date(2026, 10, day), frozenset())) for day in (1, 8)]
    [0, 1]
    """
    for dated in reversed(schedule.exceptions):
        if dated.first <= day <= (dated.last or dated.first):
            return dated.windows
    if day in holidays:
        return schedule.holiday_windows
    return [window for window in schedule.windows if day.weekday() in {_WEEKDAY[name] for name in window.days}]


def _interval(window: Window | DayWindow, day: date, zone: ZoneInfo) -> Interval:
    """From its start to its end by the wall clock; empty where the clocks leap over it."""
    ends = day if window.end > window.start else day + timedelta(days=1)
    return _moment(day, window.start, zone), _moment(ends, window.end, zone)


def _moment(day: date, clock: str, zone: ZoneInfo) -> int:
    hour, minute = int(clock[:2]), int(clock[3:])
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=hour // 24)
    return int(local.replace(hour=hour % 24, minute=minute).timestamp() * 1000)


def merged(intervals: Sequence[Interval]) -> list[Interval]:
    """Sorted intervals with those that overlap or touch made one.

    >>> merged([(0, 5), (5, 8), (9, 10)])
    [(0, 8), (9, 10)]
    """
    joined: list[Interval] = []
    for start, end in intervals:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def within(intervals: Sequence[Interval], time_ms: int) -> tuple[bool, int, int]:
    """Whether a time lies in one of sorted, disjoint intervals, since when it is so, and until when.

    >>> within([(10, 20)], 10), within([(10, 20)], 25)[:2]
    ((True, 10, 20), (False, 20))
    """
    edges = [-FOREVER_MS, *(moment for interval in intervals for moment in interval), FOREVER_MS]
    place = bisect_right(edges, time_ms)
    return place % 2 == 0, edges[place - 1], edges[place]
