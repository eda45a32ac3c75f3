"""When a weekly schedule holds: one yes or no for each minute of the local week."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schemas.registry import Day, Schedule

DAY_MIN: Final = 24 * 60
WEEK_MIN: Final = 7 * DAY_MIN
EPOCH_WEEKDAY_MIN: Final = 3 * DAY_MIN
"""1 January 1970 was a Thursday; weeks begin on Monday."""


def local_minute(time_ms: NDArray[np.int64], offset_min: int) -> NDArray[np.int64]:
    """The minute of the local week, from 0 (Monday 00:00).

    >>> local_minute(np.array([0]), offset_min=480).tolist()  # Thursday 08:00 in Shanghai
    [4800]
    """
    return (time_ms // 60_000 + offset_min + EPOCH_WEEKDAY_MIN) % WEEK_MIN


def offset_min(timezone: str, at_ms: int) -> int:
    """Minutes by which local time is ahead of UTC at a moment.

    >>> offset_min("Asia/Shanghai", 0)
    480
    """
    offset = datetime.fromtimestamp(at_ms / 1000.0, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    return int(offset.total_seconds()) // 60 if offset else 0


@dataclass(frozen=True, slots=True)
class Weekly:
    """A schedule as a table; its zone's offset is that of the run's start (no summer time within a run).

    >>> from schemas.registry import Window
    >>> night = Schedule(id="night", windows=[Window(days=list(Day), start="22:00", end="06:00")])
    >>> Weekly.of(night, 0).holds(np.array([0, 14 * 3_600_000])).tolist()  # 08:00 and 22:00 in Shanghai
    [False, True]
    """

    minutes: NDArray[np.bool_]
    offset_min: int

    @classmethod
    def of(cls, schedule: Schedule, at_ms: int) -> Self:
        """Lay the windows of a schedule out over a week."""
        minutes = np.zeros(WEEK_MIN, np.bool_)
        for window in schedule.windows:
            start, end = _minute(window.start), _minute(window.end)
            length = end - start if end > start else end - start + DAY_MIN
            for day in window.days:
                first = list(Day).index(day) * DAY_MIN + start
                minutes[np.arange(first, first + length) % WEEK_MIN] = True
        return cls(minutes, offset_min(schedule.timezone, at_ms))

    def holds(self, time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the schedule holds at each time."""
        return np.asarray(self.minutes[local_minute(time_ms, self.offset_min)])


def _minute(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 60 + int(minutes)
