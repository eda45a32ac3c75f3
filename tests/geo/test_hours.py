from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.hours import Hours, windows_between
from schemas.registry import DatedWindows, Day, DayWindow, Schedule, Window
from tests.world import ALWAYS


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def schedule(*windows: tuple[list[Day], str, str], timezone: str = "Asia/Shanghai") -> Schedule:
    return Schedule(id="s", timezone=timezone, windows=[Window(days=d, start=a, end=b) for d, a, b in windows])


def holds(schedule: Schedule, local: str, holidays: frozenset[date] = frozenset()) -> bool:
    return bool(Hours(schedule, holidays).at(np.array([ms(local)]))[0][0])


def dated(first: date, *windows: tuple[str, str], last: date | None = None) -> DatedWindows:
    return DatedWindows(first=first, last=last, windows=[DayWindow(start=a, end=b) for a, b in windows])


def hours_held(schedule: Schedule, first: str, last: str, holidays: frozenset[date] = frozenset()) -> list[str]:
    """What holds between two local midnights, as ``from-to`` in UTC."""
    return [
        "-".join(f"{datetime.fromtimestamp(t / 1000, UTC):%dT%H:%M}" for t in interval)
        for interval in windows_between(schedule, ms(first), ms(last), holidays)
        if interval[1] > ms(first) and interval[0] < ms(last)
    ]


NIGHT = schedule((list(Day), "22:00", "06:00"))


@pytest.mark.parametrize(
    ("local", "holds"),
    [
        pytest.param("2026-11-23T21:59:59+08:00", False, id="a second before"),
        pytest.param("2026-11-23T22:00:00+08:00", True, id="at the start"),
        pytest.param("2026-11-24T00:30:00+08:00", True, id="past midnight"),
        pytest.param("2026-11-24T06:00:00+08:00", False, id="the end is outside"),
    ],
)
def test_an_overnight_window_runs_into_the_next_day(local: str, holds: bool) -> None:
    assert Hours(NIGHT).at(np.array([ms(local)]))[0][0] == holds


def test_overlapping_windows_are_one() -> None:
    both = schedule(([Day.MON], "08:00", "12:00"), ([Day.MON], "11:00", "15:00"))
    monday = [(a, b) for a, b in windows_between(both, ms("2026-11-23T00:00+08:00"), ms("2026-11-24T00:00+08:00"))]
    assert (ms("2026-11-23T08:00+08:00"), ms("2026-11-23T15:00+08:00")) in monday


def test_a_schedule_without_a_gap_never_turns() -> None:
    holds, _, until = Hours(Schedule(id="s", windows=ALWAYS)).at(np.array([ms("2026-11-23T00:00+08:00")]))
    assert holds[0]
    assert until[0] - ms("2026-11-23T00:00+08:00") > 7 * 86_400_000


def test_local_hours_follow_daylight_saving_time() -> None:
    day = schedule((list(Day), "09:00", "17:00"), timezone="Europe/Berlin")
    winter = Hours(day).at(np.array([ms("2026-01-05T08:00+00:00")]))
    summer = Hours(day).at(np.array([ms("2026-07-06T07:00+00:00")]))
    assert winter[0][0]
    assert summer[0][0]
    assert not Hours(day).at(np.array([ms("2026-01-05T07:59+00:00")]))[0][0]


@given(st.integers(0, 14 * 86_400), st.integers(0, 14 * 86_400))
def test_asking_out_of_order_and_far_apart_gives_the_same_answers(first_s: int, second_s: int) -> None:
    base = ms("2026-11-01T00:00+00:00")
    asked = Hours(NIGHT)
    for seconds in (first_s, second_s, first_s * 20):
        at = np.array([base + seconds * 1000])
        local = datetime.fromtimestamp(at[0] / 1000, UTC).hour + 8
        assert asked.at(at)[0][0] == (local % 24 >= 22 or local % 24 < 6)


WEEK = schedule((list(Day), "08:00", "12:00"))
FREE = date(2026, 11, 25)


def with_exceptions(*exceptions: DatedWindows, week: Schedule = WEEK, **more) -> Schedule:
    return Schedule(id="s", timezone=week.timezone, windows=week.windows, exceptions=list(exceptions), **more)


@pytest.mark.parametrize(
    ("exceptions", "local", "expected"),
    [
        pytest.param([dated(FREE)], "2026-11-25T09:00+08:00", False, id="a day off"),
        pytest.param([dated(FREE)], "2026-11-24T09:00+08:00", True, id="the day before a day off"),
        pytest.param([dated(FREE)], "2026-11-26T09:00+08:00", True, id="the day after a day off"),
        pytest.param([dated(FREE, ("14:00", "16:00"))], "2026-11-25T15:00+08:00", True, id="other windows hold"),
        pytest.param([dated(FREE, ("14:00", "16:00"))], "2026-11-25T09:00+08:00", False, id="and the week's do not"),
        pytest.param([dated(FREE, last=date(2026, 11, 27))], "2026-11-27T09:00+08:00", False, id="last day of a range"),
        pytest.param([dated(FREE, last=date(2026, 11, 27))], "2026-11-28T09:00+08:00", True, id="day after a range"),
        pytest.param(
            [dated(FREE, last=date(2026, 11, 27)), dated(date(2026, 11, 26), ("09:00", "10:00"))],
            "2026-11-26T09:30+08:00",
            True,
            id="the later exception wins",
        ),
        pytest.param(
            [dated(date(2026, 11, 26), ("09:00", "10:00")), dated(FREE, last=date(2026, 11, 27))],
            "2026-11-26T09:30+08:00",
            False,
            id="the later exception wins, though wider",
        ),
    ],
)
def test_a_dated_exception_replaces_its_days(exceptions, local: str, expected: bool) -> None:
    assert holds(with_exceptions(*exceptions), local) == expected


def test_an_exception_names_local_days_not_days_of_utc() -> None:
    early = with_exceptions(dated(FREE), week=schedule((list(Day), "00:30", "01:00")))
    assert not holds(early, "2026-11-25T00:45+08:00")  # still the 24th in UTC
    assert holds(early, "2026-11-26T00:45+08:00")


@pytest.mark.parametrize(
    ("holiday_windows", "local", "expected"),
    [
        pytest.param([], "2026-11-25T09:00+08:00", False, id="a holiday without windows is free"),
        pytest.param([("18:00", "20:00")], "2026-11-25T19:00+08:00", True, id="a holiday has windows of its own"),
        pytest.param([("18:00", "20:00")], "2026-11-25T09:00+08:00", False, id="instead of the week's"),
        pytest.param([("18:00", "20:00")], "2026-11-26T09:00+08:00", True, id="other days keep the week's"),
        pytest.param([("18:00", "20:00")], "2026-11-26T19:00+08:00", False, id="and only those"),
    ],
)
def test_a_holiday_of_the_calendar_replaces_the_week(holiday_windows, local: str, expected: bool) -> None:
    shared = with_exceptions(calendar="cn", holiday_windows=[DayWindow(start=a, end=b) for a, b in holiday_windows])
    assert holds(shared, local, frozenset({FREE})) == expected


def test_an_exception_wins_over_a_holiday() -> None:
    both = with_exceptions(
        dated(FREE, ("10:00", "11:00")), calendar="cn", holiday_windows=[DayWindow(start="18:00", end="20:00")]
    )
    assert hours_held(both, "2026-11-25T00:00+08:00", "2026-11-26T00:00+08:00", frozenset({FREE})) == [
        "25T02:00-25T03:00"
    ]


def test_a_night_that_began_before_a_day_off_ends_in_its_morning() -> None:
    nights = with_exceptions(dated(FREE), week=NIGHT)
    assert hours_held(nights, "2026-11-24T12:00+08:00", "2026-11-27T12:00+08:00") == [
        "24T14:00-24T22:00",
        "26T14:00-26T22:00",
    ]


def test_a_night_that_began_before_the_days_asked_for_is_found() -> None:
    assert hours_held(NIGHT, "2026-11-24T00:00+08:00", "2026-11-24T12:00+08:00") == ["23T14:00-23T22:00"]


def test_a_night_of_an_exception_runs_into_the_next_day() -> None:
    long_night = with_exceptions(dated(FREE, ("20:00", "09:00")), week=NIGHT)
    assert holds(long_night, "2026-11-26T08:59:59+08:00")
    assert not holds(long_night, "2026-11-26T09:00:00+08:00")


@pytest.mark.parametrize(
    ("exception", "days_off"),
    [
        pytest.param(dated(date(2026, 11, 24), last=date(2026, 12, 23)), 30, id="a month off"),
        pytest.param(dated(date(2026, 11, 24), last=date(2027, 5, 22)), 180, id="half a year off"),
    ],
)
def test_a_long_break_ends_when_it_ends_and_does_not_last_for_ever(exception, days_off: int) -> None:
    hours, asked = Hours(with_exceptions(exception)), np.array([ms("2026-11-24T09:00+08:00")])
    back = asked[0] + days_off * 86_400_000 - 3_600_000  # 08:00 on the day after
    seen = []
    while asked[0] < back and len(seen) <= days_off:
        held, _, until = hours.at(asked)
        assert not held[0]
        assert asked[0] < until[0] <= back  # "at most": a caller may be told to ask again
        seen.append(until[0])
        asked = until
    assert hours.at(asked)[0][0]


def test_a_schedule_holds_from_its_first_second_to_the_one_before_its_end() -> None:
    edges = ["07:59:59.999", "08:00:00", "11:59:59.999", "12:00:00"]
    assert [holds(WEEK, f"2026-11-25T{edge}+08:00") for edge in edges] == [False, True, True, False]
    _, since, until = Hours(WEEK).at(np.array([ms("2026-11-25T10:00+08:00")]))
    assert (since[0], until[0]) == (ms("2026-11-25T08:00+08:00"), ms("2026-11-25T12:00+08:00"))


BERLIN_NIGHT = schedule((list(Day), "01:30", "03:30"), timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "held"),
    [
        pytest.param("2026-03-28", "28T00:30-28T02:30", id="the day before"),
        pytest.param("2026-03-29", "29T00:30-29T01:30", id="an hour is left out"),
        pytest.param("2026-10-25", "24T23:30-25T02:30", id="an hour comes twice"),
        pytest.param("2026-10-26", "26T00:30-26T02:30", id="the day after"),
    ],
)
def test_on_the_days_that_the_clocks_change_a_window_keeps_its_local_ends(day: str, held: str) -> None:
    noon = ms(f"{day}T12:00+01:00")
    found = hours_held(
        BERLIN_NIGHT,
        datetime.fromtimestamp(noon / 1000 - 12 * 3600, UTC).isoformat(),
        datetime.fromtimestamp(noon / 1000, UTC).isoformat(),
    )
    assert found == [held]


def test_a_window_that_the_clocks_leap_over_does_not_become_a_day_long() -> None:
    leapt = schedule((list(Day), "02:30", "03:15"), timezone="Europe/Berlin")
    assert not holds(leapt, "2026-03-29T12:00+02:00")
    held = windows_between(leapt, ms("2026-03-28T00:00+01:00"), ms("2026-03-31T00:00+02:00"))
    assert max(end - start for start, end in held) <= 45 * 60_000


def test_a_leap_day_is_a_day_like_others() -> None:
    leap = date(2028, 2, 29)  # a Tuesday
    assert holds(schedule(([Day.TUE], "08:00", "12:00")), "2028-02-29T09:00+08:00")
    assert not holds(with_exceptions(dated(leap)), "2028-02-29T09:00+08:00")
    assert holds(with_exceptions(dated(leap)), "2028-03-01T09:00+08:00")
    over = with_exceptions(dated(date(2028, 2, 28), ("22:00", "06:00")), week=schedule(([Day.MON], "08:00", "09:00")))
    assert holds(over, "2028-02-29T05:59+08:00")


@given(st.dates(date(2026, 1, 1), date(2030, 12, 31)), st.integers(0, 86_399))
def test_what_holds_is_what_the_wall_clock_says(day: date, second: int) -> None:
    local = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second) - timedelta(hours=8)
    workdays = schedule(([Day.MON, Day.WED], "08:00", "12:00"))
    expected = day.weekday() in {0, 2} and 8 * 3600 <= second < 12 * 3600
    assert holds(workdays, local.isoformat()) == expected
