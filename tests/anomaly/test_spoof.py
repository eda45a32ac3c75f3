"""Tricks with position and time ring; tunnels, trains, stops, spikes and backlogs do not."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.spoof import Spoof
from anomaly.spoof_leg import reach_m
from schemas.judging import Table
from schemas.readings import SOURCE_CODE, Readings
from schemas.registry import Thresholds
from schemas.wire import Source

START_S = 1_795_406_400
KM = 1 / 111.19493
"""Of latitude, in degrees."""
HOME = 26.58
WIFI, CELL = SOURCE_CODE[Source.WIFI], SOURCE_CODE[Source.CELL]
Told = Mapping[str, Any]


def fix(minute: float, north_km: float = 0.0, **more: Any) -> Told:
    """A reading at rest, its fix scattered by a metre or so as fixes are."""
    scatter = 1e-6 * (int(minute * 60) * 7919 % 13)
    return {"minute": minute, "lat": HOME + north_km * KM + scatter, "speed_mps": 0.1, "steps": 0, **more}


def still(minutes: Iterable[float], north_km: float = 0.0, **more: Any) -> list[Told]:
    return [fix(minute, north_km, **more) for minute in minutes]


def ride(minutes: Iterable[int], mps: float, **more: Any) -> list[Told]:
    return [fix(m, (m * 60 * mps) / 1000, speed_mps=mps, **more) for m in minutes]


def rung(told: Iterable[Told], scale: float = 1.0) -> list[tuple[str, str, float]]:
    """Trick, transition and minute of each verdict."""
    spoof = Spoof(np.array([1]), Thresholds(spoof_scale=scale))
    table = Table.new(spoof.keys, spoof.columns)
    found = []
    for number, one in enumerate(told):
        columns = {"lon": 101.7, "accuracy_m": 8.0, "source": 0, "age_s": 0.0, "seq": number, "late_s": 1.0, **one}
        minute, late_s = columns.pop("minute"), columns.pop("late_s")
        event_ms = round((START_S + minute * 60) * 1000)
        times = {"event_ms": [event_ms], "ingest_ms": [event_ms + round(late_s * 1000)]}
        step = Readings.of(device=[1], **times, **{name: [value] for name, value in columns.items()})
        found += [(v.subject, v.transition.value, minute) for v in spoof.judge(table, np.array([0]), step)]
    return found


def tricks(told: Iterable[Told]) -> set[str]:
    return {trick for trick, _, _ in rung(told)}


def test_a_place_that_nobody_can_have_reached_and_that_stays_is_a_jump_at_its_third_fix() -> None:
    assert rung([*still(range(5)), *still(range(5, 9), 15)]) == [("jump", "opened", 7)]


def test_a_jump_ends_when_the_wearer_is_back() -> None:
    told = [*still(range(5)), *still(range(5, 9), 15), *still(range(9, 12))]
    assert rung(told) == [("jump", "opened", 7), ("jump", "cleared", 9)]


@pytest.mark.parametrize("fixes", [1, 2])
def test_a_spike_that_returns_is_no_jump(fixes: int) -> None:
    assert rung([*still(range(5)), *still(range(5, 5 + fixes), 3), *still(range(5 + fixes, 20))]) == []


def test_a_broken_fix_is_wrong_upwards_too_and_is_no_place() -> None:
    told = [*still(range(5), altitude_m=1200), *still(range(5, 12), 3, altitude_m=6200)]
    assert rung(told) == []


def test_a_tunnel_is_no_jump() -> None:
    assert rung([*ride(range(10), 22), *ride(range(18, 30), 22)]) == []


def test_a_train_is_no_jump_though_it_gathers_speed_between_two_fixes() -> None:
    assert rung([fix(-1), fix(0), *ride(range(1, 30), 75)]) == []


def test_a_train_whose_passengers_are_placed_by_wifi_is_no_jump() -> None:
    on_board = ride(range(1, 20), 80, source=WIFI)
    arrived = still(range(20, 25), 20 * 60 * 80 / 1000)
    assert rung([*still(range(-3, 1)), *[{**one, "speed_mps": np.nan} for one in on_board], *arrived]) == []


def test_a_flight_is_no_jump() -> None:
    assert rung([*still(range(5)), *still(range(90, 100), 900)]) == []


def test_a_cell_far_off_is_no_jump() -> None:
    told = [*still(range(5)), *still(range(5, 9), 6, source=CELL, accuracy_m=2000.0), *still(range(9, 14))]
    assert rung(told) == []


def test_a_wrong_access_point_is_no_jump() -> None:
    told = [*still(range(5)), *still(range(5, 9), 40, source=WIFI, accuracy_m=30.0), *still(range(9, 14))]
    assert rung(told) == []


def test_a_repeated_fix_that_catches_up_is_no_jump() -> None:
    """The drive goes on at 20 m/s while the logger repeats a fix for nine minutes."""
    repeats = [{**fix(10 + n, 12, speed_mps=20), "age_s": 60.0 * n} for n in range(1, 10)]
    assert rung([*ride(range(11), 20), *repeats, *ride(range(20, 25), 20)]) == []


def test_two_bands_under_one_number_are_a_clone_at_the_third_reading() -> None:
    told = [*still(range(5)), *(one for n in range(5, 9) for one in (fix(n), fix(n + 0.4, 5)))]
    assert rung(told) == [("clone", "opened", 6.4)]


def test_a_message_number_used_twice_shows_the_clone_at_once() -> None:
    twice = [{**fix(5), "seq": 5}, {**fix(5.4, 5), "seq": 5}]
    assert rung([*still(range(5)), *twice]) == [("clone", "opened", 5.4)]


def test_the_numbers_of_a_format_without_numbers_show_neither_clone_nor_clock() -> None:
    twice = [{**fix(5), "seq": -5}, {**fix(5.4, 5), "seq": -5}, {**fix(5.8), "seq": -5}]
    assert rung([*still(range(5)), *twice]) == []
    back = [fix(n, seq=-1 - n * 7919 % 65_521, late_s=3_600.0) for n in range(10, 16)]
    assert rung([*(fix(n + 70, seq=-1 - n) for n in range(5)), *back]) == []


def test_readings_of_one_message_share_its_number_honestly() -> None:
    stored = [{**fix(5 + n, 3 * (n == 1)), "seq": 5, "late_s": 180 - 60 * n} for n in range(4)]
    assert rung([*still(range(5)), *stored]) == []


FROZEN: Told = {"lat": HOME, "speed_mps": 0.0}


@pytest.mark.parametrize(
    "alive",
    [
        pytest.param(lambda n: {"speed_mps": 1.2 + n / 10}, id="a speed"),
        pytest.param(lambda n: {"altitude_m": 1200.0 + 15 * n}, id="a height that changes"),
        pytest.param(lambda n: {"steps": 90 + n}, id="steps"),
    ],
)
def test_a_frozen_place_rings_at_its_third_fix_where_something_else_moves(alive: Any) -> None:
    told = [{**fix(n), **FROZEN, **alive(n)} for n in range(5)]
    assert rung([*told, fix(6, 0.3)]) == [("freeze", "opened", 2), ("freeze", "cleared", 6)]


def test_a_receiver_that_holds_its_place_at_rest_is_honest_all_night() -> None:
    assert rung([*still(range(3)), *({**fix(n), **FROZEN} for n in range(3, 600))]) == []


def test_a_receiver_that_never_held_its_place_does_not_begin_to() -> None:
    assert rung([*still(range(20)), *({**fix(n), **FROZEN} for n in range(20, 25))]) == [("freeze", "opened", 22)]


def test_a_repeated_fix_is_not_frozen() -> None:
    told = [{**fix(n), **FROZEN, "speed_mps": 1.4, "age_s": 60.0 * n, "steps": 100} for n in range(10)]
    assert rung(told) == []


def test_an_access_point_places_everybody_at_the_same_coordinates() -> None:
    assert rung({**fix(n), **FROZEN, "source": WIFI, "steps": 90} for n in range(30)) == []


@pytest.mark.parametrize("mps", [0.5, 1.0, 2.0])
def test_a_drag_under_one_who_rests_rings_before_500_m(mps: float) -> None:
    told = [*still(range(20)), *(fix(20 + n, n * 60 * mps / 1000) for n in range(1, 20))]
    trick, transition, minute = rung(told)[0]
    assert (trick, transition) == ("drag", "opened")
    assert (minute - 20) * 60 * mps < 500


def test_a_walk_that_the_steps_show_is_no_drag() -> None:
    told = [*still(range(20)), *(fix(20 + n, n * 0.07, steps=95) for n in range(1, 20))]
    assert rung(told) == []


def test_a_walk_that_the_speed_shows_is_no_drag() -> None:
    told = [*still(range(20)), *(fix(20 + n, n * 0.07, steps=np.nan, speed_mps=1.2) for n in range(1, 20))]
    assert rung(told) == []


def test_a_ride_between_two_halts_is_no_drag() -> None:
    assert rung([*still(range(20)), *still(range(20, 40), 0.6)]) == []


def walk(minutes: Iterable[int], at: int = 0) -> list[Told]:
    """A way of no pattern; ``at`` moves the clock, not the places."""
    rng = np.random.default_rng(5)
    ways = np.cumsum(rng.uniform(30, 80, 400) * np.sign(rng.normal(size=400)))
    return [{**fix(at + m), "lat": HOME + round(ways[m] / 1000 * KM, 6), "speed_mps": 1.3} for m in minutes]


def test_a_way_played_again_rings_within_a_quarter_of_an_hour() -> None:
    again = rung([*walk(range(60)), *walk(range(25, 60), at=35)])
    assert again[0][:2] == ("replay", "opened")
    assert 60 <= again[0][2] <= 75


def test_the_same_street_walked_again_is_no_replay() -> None:
    again = [{**one, "lat": one["lat"] + 2e-6 * (n % 3 + 1)} for n, one in enumerate(walk(range(25, 60), at=35))]
    assert rung([*walk(range(60)), *again]) == []


def test_times_that_run_through_what_was_told_are_a_clock_put_back() -> None:
    told = [*still(range(60)), *(fix(n, late_s=2401) for n in range(20, 40)), *still(range(80, 85))]
    assert rung(told) == [("clock", "opened", 22), ("clock", "cleared", 80)]


def test_a_backlog_is_no_clock_put_back_even_after_a_live_message() -> None:
    live = fix(60, seq=100)
    stored = [fix(n, seq=101 + n, late_s=60 * (60 - n) + n) for n in range(5, 60)]
    assert rung([*still(range(5)), live, *stored]) == []


def test_messages_that_overtook_each_other_are_no_clock_put_back() -> None:
    late = [fix(n, seq=n, late_s=60.0 * (30 - n)) for n in (10, 11, 12, 13)]
    assert rung([*(fix(n, seq=n) for n in range(30) if n not in range(10, 14)), *late]) == []


def test_the_dial_makes_a_jump_wait() -> None:
    told = [*still(range(5)), *still(range(5, 30), 15)]
    assert rung(told, scale=3.0) == [("jump", "opened", 11)]


speeds = st.floats(0, 60) | st.just(float("nan"))


@given(one=speeds, other=speeds, lasted_s=st.floats(1, 7200), longer_s=st.floats(0, 7200))
def test_who_has_longer_comes_no_less_far(one: float, other: float, lasted_s: float, longer_s: float) -> None:
    far = reach_m(np.array([lasted_s, lasted_s + longer_s]), np.array([one] * 2), np.array([other] * 2))
    assert far[1] >= far[0] - 1e-6
    assert far[0] >= 0
