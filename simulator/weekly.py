"""When a schedule holds: a yes or no for each minute of each day of the week, and of the dates that differ."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schemas.registry import DatedWindows, Day, DayWindow, Schedule, Window

DAY_MIN: Final = 24 * 60
WEEK_MIN: Final = 7 * DAY_MIN
EPOCH: Final = date(1970, 1, 1)
"""A Thursday; weeks begin on Monday."""


def local_minute(time_ms: NDArray[np.int64], offset_min: int) -> NDArray[np.int64]:
    """The minute of the local week, from 0 (Monday 00:00).

    >>> local_minute(np.array([0]), offset_min=480).tolist()  # Thursday 08:00 in Shanghai
    [4800]
    """
    return (time_ms // 60_000 + offset_min + EPOCH.weekday() * DAY_MIN) % WEEK_MIN


def offset_min(timezone: str, at_ms: int) -> int:
    """Minutes by which local time is ahead of UTC at a moment.

    >>> offset_min("Asia/Shanghai", 0)
    480
    """
    offset = datetime.fromtimestamp(at_ms / 1000.0, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    return int(offset.total_seconds()) // 60 if offset else 0


@dataclass(frozen=True, slots=True)
class Weekly:
    """A schedule as tables; its zone's offset is that of the run's start (no summer time within a run).

    ``tables`` say for each kind of day (the seven of the week, then each of ``dated``) at which minutes the windows
    that begin on it hold, over two days: one that runs past midnight belongs to the day on which it began. ``dated``
    are the days, as days since 1970 and ascending, that an exception or the holiday calendar takes out of the week.

    >>> from schemas.registry import Window
    >>> night = Schedule(id="night", windows=[Window(days=list(Day), start="22:00", end="06:00")])
    >>> Weekly.of(night, 0).holds(np.array([0, 14 * 3_600_000])).tolist()  # 08:00 and 22:00 in Shanghai
    [False, True]
    """

    tables: NDArray[np.bool_]
    dated: NDArray[np.int64]
    offset_min: int

    @classmethod
    def of(cls, schedule: Schedule, at_ms: int, holidays: Collection[date] = ()) -> Self:
        """Lay the windows of a schedule out, day by day; ``holidays`` are those of its calendar."""
        week: list[Sequence[Window | DayWindow]] = [[w for w in schedule.windows if day in w.days] for day in Day]
        dated: dict[date, Sequence[Window | DayWindow]] = dict.fromkeys(holidays, schedule.holiday_windows)
        for exception in schedule.exceptions:
            # A later one wins, and any wins over a holiday.
            dated |= dict.fromkeys(_days(exception), exception.windows)
        tables = np.array([_laid_out(windows) for windows in (*week, *(dated[day] for day in sorted(dated)))])
        days = np.array([(day - EPOCH).days for day in sorted(dated)], np.int64)
        return cls(tables, days, offset_min(schedule.timezone, at_ms))

    @property
    def always(self) -> bool:
        """Whether there is no minute at which it does not hold."""
        today, tomorrow = self.tables[:, :DAY_MIN], self.tables[:7, DAY_MIN:]
        return bool((today[:7] | np.roll(tomorrow, 1, axis=0)).all() and today[7:].all())

    def holds(self, time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the schedule holds at each time."""
        day, minute = np.divmod(time_ms // 60_000 + self.offset_min, DAY_MIN)
        return np.asarray(self.tables[self._kind(day), minute] | self.tables[self._kind(day - 1), DAY_MIN + minute])

    def _kind(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        weekday = (day + EPOCH.weekday()) % 7
        if not len(self.dated):
            return weekday
        place = np.minimum(np.searchsorted(self.dated, day), len(self.dated) - 1)
        return np.where(self.dated[place] == day, 7 + place, weekday)


def _days(exception: DatedWindows) -> list[date]:
    last = exception.last or exception.first
    return [exception.first + timedelta(days=n) for n in range((last - exception.first).days + 1)]


def _laid_out(windows: Sequence[Window | DayWindow]) -> NDArray[np.bool_]:
    minutes = np.zeros(2 * DAY_MIN, np.bool_)
    for window in windows:
        start, end = _minute(window.start), _minute(window.end)
        minutes[start : end if end > start else end + DAY_MIN] = True
    return minutes


def _minute(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 60 + int(minutes)
