from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.hours import Hours, windows_between
from schemas.registry import Day, Schedule, Window
from tests.world import ALWAYS


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def schedule(*windows: tuple[list[Day], str, str], timezone: str = "Asia/Shanghai") -> Schedule:
    return Schedule(id="s", timezone=timezone, windows=[Window(days=d, start=a, end=b) for d, a, b in windows])


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
