"""When a schedule holds in the simulator, on dates that differ from the week too, as the judge reads it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.hours import Hours
from schemas.registry import Calendar, DatedWindows, Day, DayWindow, Registry, Schedule, Window
from simulator import Fleet, Options
from simulator.weekly import Weekly
from tests.simulator.watched import MONDAY_MS

MONDAY = date(2026, 3, 2)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = [Window(days=list(Day), start="22:00", end="06:00")]
HOUR_MS = 3_600_000


def at_ms(day: int, hour: float) -> int:
    """A local moment, days after Monday 2 March."""
    midnight = datetime(MONDAY.year, MONDAY.month, MONDAY.day, tzinfo=SHANGHAI)
    return round((midnight + timedelta(days=day, hours=hour)).timestamp() * 1000)


def on(day: int) -> date:
    return MONDAY + timedelta(days=day)


def hours_of(day: int, weekly: Weekly) -> list[int]:
    """The full hours of a day at which it holds."""
    return [hour for hour in range(24) if weekly.holds(np.array([at_ms(day, hour)]))[0]]


def laid_out(holidays: list[date] | None = None, **schedule: Any) -> Weekly:
    return Weekly.of(Schedule(id="s", **{"windows": NIGHT} | schedule), at_ms(0, 0), holidays or [])


USUAL = [0, 1, 2, 3, 4, 5, 22, 23]


def test_a_day_off_is_off_but_for_the_night_that_began_the_day_before() -> None:
    weekly = laid_out(exceptions=[DatedWindows(first=on(3))])
    assert hours_of(2, weekly) == USUAL
    assert hours_of(3, weekly) == [0, 1, 2, 3, 4, 5]
    assert hours_of(4, weekly) == [22, 23], "the night that would have begun on the day off does not"
    assert hours_of(5, weekly) == USUAL


def test_a_dated_window_holds_from_the_first_to_the_last_of_its_days() -> None:
    noon = [DayWindow(start="12:00", end="14:00")]
    weekly = laid_out(exceptions=[DatedWindows(first=on(3), last=on(4), windows=noon)])
    assert hours_of(4, weekly) == [12, 13]
    assert hours_of(5, weekly) == [22, 23]


def test_a_holiday_has_its_own_windows() -> None:
    weekly = laid_out([on(1)], calendar="c", holiday_windows=[DayWindow(start="20:00", end="08:00")])
    assert hours_of(1, weekly) == [0, 1, 2, 3, 4, 5, 20, 21, 22, 23]
    assert hours_of(2, weekly) == [0, 1, 2, 3, 4, 5, 6, 7, 22, 23]


def test_an_exception_wins_over_a_holiday_and_the_later_over_the_earlier() -> None:
    early, late = ([DayWindow(start=start, end="23:00")] for start in ("19:00", "21:00"))
    exceptions = [DatedWindows(first=on(1), windows=early), DatedWindows(first=on(1), windows=late)]
    assert hours_of(1, laid_out([on(1)], calendar="c", exceptions=exceptions))[6:] == [21, 22]


def test_what_holds_at_all_hours_no_longer_does_so_with_a_day_off() -> None:
    everything = [Window(days=list(Day), start="00:00", end="24:00")]
    assert laid_out(windows=everything).always
    assert not laid_out(windows=everything, exceptions=[DatedWindows(first=on(2))]).always
    assert not laid_out().always


CLOCK = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
DAY_WINDOWS = st.lists(st.builds(DayWindow, start=CLOCK, end=CLOCK), max_size=2)
DATES = st.builds(on, st.integers(-1, 15))
DATED = st.builds(
    lambda first, more, windows: DatedWindows(first=first, last=first + timedelta(days=more), windows=windows),
    DATES, st.integers(0, 3), DAY_WINDOWS,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    windows=st.lists(
        st.builds(Window, days=st.lists(st.sampled_from(Day), min_size=1, unique=True), start=CLOCK, end=CLOCK),
        min_size=1, max_size=2,
    ),
    exceptions=st.lists(DATED, max_size=3),
    holidays=st.lists(DATES, max_size=3),
    holiday_windows=DAY_WINDOWS,
)  # fmt: skip
def test_truth_and_judge_read_a_schedule_alike(
    windows: list[Window], exceptions: list[DatedWindows], holidays: list[date], holiday_windows: list[DayWindow]
) -> None:
    schedule = Schedule(id="s", windows=windows, exceptions=exceptions, calendar="c", holiday_windows=holiday_windows)
    times_ms = np.arange(at_ms(0, 0), at_ms(14, 0), 7 * 60_000)
    judged, _, _ = Hours(schedule, frozenset(holidays)).at(times_ms)
    assert Weekly.of(schedule, at_ms(0, 0), holidays).holds(times_ms).tolist() == judged.tolist()


@pytest.mark.parametrize("timezone", ["Asia/Shanghai", "UTC", "America/Lima"])
def test_dates_are_those_of_the_schedules_own_place(timezone: str) -> None:
    weekly = laid_out(timezone=timezone, windows=[Window(days=list(Day), start="00:00", end="24:00")],
                      exceptions=[DatedWindows(first=on(3))])  # fmt: skip
    off = [ms for ms in range(at_ms(1, 0), at_ms(6, 0), HOUR_MS) if not weekly.holds(np.array([ms]))[0]]
    local = [datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(timezone)) for ms in off]
    assert {moment.date() for moment in local} == {on(3)}
    assert len(off) == 24


def test_a_fleet_takes_holidays_from_its_registry(town_of_forty: Registry) -> None:
    night = next(s for s in town_of_forty.schedules if s.id == "night")
    registry = msgspec.structs.replace(
        town_of_forty,
        schedules=[
            s if s is not night else msgspec.structs.replace(night, calendar="c") for s in town_of_forty.schedules
        ],
        calendars=[Calendar(id="c", dates=[on(1)])],
    )
    nights = np.array([at_ms(day, 23) for day in range(3)])
    held = []
    for each in (town_of_forty, registry):
        fences = Fleet(Options(incidents=False), each, start_ms=MONDAY_MS)._fences
        curfew = next(n for n, pair in enumerate(fences.pairs) if pair.zone.schedule == "night")
        held.append(fences.breached(curfew, np.full(3, 50.0), nights).tolist())
    assert held == [[True, True, True], [True, False, True]]
