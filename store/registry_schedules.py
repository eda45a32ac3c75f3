"""Whether a schedule's windows last, and its exceptions and holidays make sense; pure."""

from collections.abc import Iterator, Sequence

from schemas.problems import Problem
from schemas.registry import DayWindow, Schedule, Window


def schedule_problems(schedule: Schedule, path: str) -> Iterator[Problem]:
    """Everything wrong with a schedule but its references; ``path`` is its place in the file.

    Exceptions may overlap, the later one in the list wins; one without windows is a day off.

    >>> odd = Schedule(id="s", windows=[], holiday_windows=[DayWindow(start="08:00", end="08:00")])
    >>> for problem in schedule_problems(odd, "schedules[0]"):
    ...     print(problem)
    schedules[0].holiday_windows[0].end: 08:00 to 08:00 lasts no time; a whole day is 00:00 to 24:00
    schedules[0].holiday_windows: hold on the days of a calendar, and this schedule names none
    """
    for where, windows in _lists(schedule, path):
        for number, window in enumerate(windows):
            if window.start == window.end:
                message = f"{window.start} to {window.end} lasts no time; a whole day is 00:00 to 24:00"
                yield Problem(f"{where}[{number}].end", message)
    for number, dated in enumerate(schedule.exceptions):
        if dated.last is not None and dated.last < dated.first:
            message = f"{dated.last} is before {dated.first}; both days are included, one day needs no last"
            yield Problem(f"{path}.exceptions[{number}].last", message)
    if schedule.holiday_windows and schedule.calendar is None:
        yield Problem(f"{path}.holiday_windows", "hold on the days of a calendar, and this schedule names none")


def _lists(schedule: Schedule, path: str) -> Iterator[tuple[str, Sequence[Window | DayWindow]]]:
    yield f"{path}.windows", schedule.windows
    for number, dated in enumerate(schedule.exceptions):
        yield f"{path}.exceptions[{number}].windows", dated.windows
    yield f"{path}.holiday_windows", schedule.holiday_windows
