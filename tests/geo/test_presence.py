from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.drift import drift_m
from geo.presence import COLUMNS, INSIDE, OUTSIDE, UNKNOWN, Fixes, PresenceConfig, update
from schemas.judging import Table

CONFIG = PresenceConfig()


NAN = float("nan")


def tell(
    table: Table,
    at_s: float,
    metres: float,
    accuracy_m: float = 8.0,
    speed_mps: float = 0.0,
    side: int = OUTSIDE,
    *,
    still: bool = False,
    strides: bool = False,
) -> int:
    """One fix due north of a wall; what is believed after it."""
    here, none, at_ms = np.array([metres]), np.array([0.0]), np.array([round(at_s * 1000)])
    disc, speed = np.array([accuracy_m], np.float32), np.array([speed_mps], np.float32)
    drift = drift_m(table, np.array([0]), here, here, none, disc, speed, at_ms, CONFIG)
    fix = Fixes(here, here - drift[0], *drift, here, none, disc, speed, np.array([still]), np.array([strides]), at_ms)
    update(table, np.array([0]), np.array([side]), fix, CONFIG)
    return int(table["presence"][0])


def walk(
    distances: list[float],
    accuracy_m: float = 8.0,
    step_s: float = 60.0,
    wrong_side: int = OUTSIDE,
    speed_mps: float = 0.0,
) -> list[int]:
    table = Table.new(np.array([1]), COLUMNS)
    return [
        tell(table, (n + 1) * step_s, metres, accuracy_m, speed_mps, wrong_side) for n, metres in enumerate(distances)
    ]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1e5))
def test_belief_never_flips_twice_in_a_row_on_single_fixes(distances: list[float], accuracy_m: float) -> None:
    seen = [UNKNOWN, *walk(distances, accuracy_m)]
    flips = [n for n in range(1, len(seen)) if seen[n] != seen[n - 1]]
    assert all(later - earlier >= 2 for earlier, later in zip([0, *flips], flips, strict=False))


@given(st.lists(st.floats(-1e6, 14.9), min_size=3, max_size=50))
def test_wander_within_the_margin_never_counts_as_leaving(distances: list[float]) -> None:
    assert OUTSIDE not in walk([-80.0, -80.0, *distances])


def test_two_fixes_far_outside_decide_a_minute_apart() -> None:
    assert walk([-80, -80, 380, 380])[-2:] == [INSIDE, OUTSIDE]


def test_a_leap_that_no_doppler_knows_of_takes_more_than_two_fixes() -> None:
    assert walk([-80, -80, 4_000, 4_000])[-2:] == [INSIDE, INSIDE]


@pytest.mark.parametrize("beyond_m", [25.0, 40.0, 55.0, 70.0, 400.0])
def test_leaving_never_takes_fewer_fixes_than_entering_and_near_the_line_more(beyond_m: float) -> None:
    def fixes_needed(wrong_side: int) -> int:
        sign = 1 if wrong_side == OUTSIDE else -1
        seen = walk([-80 * sign] * 2 + [beyond_m * sign] * 30, wrong_side=wrong_side)
        return seen.index(wrong_side) - 1

    assert fixes_needed(OUTSIDE) >= fixes_needed(INSIDE) >= 2
    if beyond_m <= 40:
        assert fixes_needed(OUTSIDE) > fixes_needed(INSIDE)


def test_the_less_accurate_the_fixes_the_more_of_them_it_takes() -> None:
    def fixes_needed(accuracy_m: float) -> int:
        return walk([-300, -300, -300, -300, -300, *[120.0] * 40], accuracy_m).index(OUTSIDE) - 4

    assert fixes_needed(5) < fixes_needed(50) < fixes_needed(100)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(10_000, 60_000))
def test_discs_of_10_km_never_decide_anything(distances: list[float], accuracy_m: float) -> None:
    assert set(walk(distances, accuracy_m)) == {UNKNOWN}
    assert set(walk(distances, accuracy_m, wrong_side=INSIDE)) == {UNKNOWN}


@pytest.mark.parametrize("wrong_side", [pytest.param(OUTSIDE, id="keep in"), pytest.param(INSIDE, id="keep out")])
def test_a_cell_fix_of_2_km_supports_but_never_decides_however_often_it_comes(wrong_side: int) -> None:
    right_m = 300.0 if wrong_side == INSIDE else -300.0
    table = Table.new(np.array([1]), COLUMNS)
    for n in range(3):
        tell(table, 60.0 * n, right_m, side=wrong_side)
    believed = {tell(table, 600.0 * n, -30 * right_m, 2_000.0, NAN, wrong_side) for n in range(1, 40)}
    assert believed == {INSIDE if wrong_side == OUTSIDE else OUTSIDE}


@pytest.mark.parametrize("accuracy_m", [0.0, 1e-3])
def test_a_disc_of_no_size_is_believed_no_more_than_the_model_allows(accuracy_m: float) -> None:
    assert walk([-80, -80, 380, 380], accuracy_m)[1:] == [INSIDE, INSIDE, OUTSIDE]
    assert OUTSIDE not in walk([-80, -80, *[14.9] * 40], accuracy_m)
    assert walk([-80, -80, 1e6, -80, 1e6, -80], accuracy_m)[1:] == [INSIDE] * 5


@pytest.mark.parametrize(
    ("speed_mps", "outcome"),
    [
        pytest.param(0.0, [INSIDE, INSIDE], id="Doppler says still"),
        pytest.param(25.0, [INSIDE, OUTSIDE], id="Doppler says riding"),
    ],
)
def test_a_leap_counts_if_doppler_knows_of_it(speed_mps: float, outcome: list[int]) -> None:
    assert walk([-80, -80, 4_000, 4_000], speed_mps=speed_mps)[-2:] == outcome


def test_after_a_leap_that_was_true_the_wearer_is_found_in_the_end() -> None:
    assert walk([-80, -80, *[4_000.0] * 4])[-1] == OUTSIDE


def test_21_flips_far_over_the_line_are_one_change_at_most_and_within_the_margin_none() -> None:
    far = walk([-80, -80, *[100.0, -100.0] * 21])
    near = walk([-80, -80, *[22.0, -22.0] * 21])
    changes = [sum(a != b for a, b in pairwise(seen[2:])) for seen in (far, near)]
    assert changes[0] <= 1
    assert changes[1] == 0


@pytest.mark.parametrize("step_s", [5.0, 15.0, 60.0])
def test_two_fixes_far_outside_decide_however_often_they_come_and_one_never(step_s: float) -> None:
    seen = walk([-80, -80, -80, -80, -80, 240, 240], step_s=step_s, speed_mps=30.0)
    assert seen[-2:] == [INSIDE, OUTSIDE]


def test_onset_is_the_first_fix_of_the_run_that_flipped_the_belief() -> None:
    table = Table.new(np.array([1]), COLUMNS)
    told = [-80.0, -80.0, 60.0, -80.0, -80.0, *[60.0] * 9]
    beliefs = [tell(table, 60.0 * n, metres, speed_mps=1.2) for n, metres in enumerate(told, 1)]
    assert beliefs[-1] == OUTSIDE
    # What comes after the change may be a run back; the onset stands at the change.
    fresh = Table.new(np.array([1]), COLUMNS)
    for n, metres in enumerate(told[: beliefs.index(OUTSIDE) + 1], 1):
        tell(fresh, 60.0 * n, metres, speed_mps=1.2)
    assert fresh["since_s"][0] == 6 * 60


# Drift and motion.


def told(
    moves: list[tuple[float, float]], accuracy_m: float = 8.0, step_s: float = 60.0, *, still: bool = False
) -> list[int]:
    """Beliefs after fixes of (metres, Doppler)."""
    table = Table.new(np.array([1]), COLUMNS)
    return [
        tell(table, (n + 1) * step_s, metres, accuracy_m, mps, still=still) for n, (metres, mps) in enumerate(moves)
    ]


def test_who_has_long_stayed_is_not_where_a_drift_of_minutes_puts_them() -> None:
    hour_at_home, out_and_back = [-20.0] * 60, [40.0, 60.0, 60.0, 40.0]
    assert OUTSIDE not in walk([*hour_at_home, *out_and_back, *hour_at_home], accuracy_m=30.0)
    assert OUTSIDE in walk([-20.0, -20.0, *[60.0] * 60], accuracy_m=30.0)


def test_who_sets_off_takes_their_drift_along_while_it_decays() -> None:
    table = Table.new(np.array([1]), COLUMNS)
    for n in range(1, 31):
        tell(table, n * 60.0, -50.0, accuracy_m=30.0)
    tell(table, 31 * 60.0, -20.0, accuracy_m=30.0)
    drifts = [float(table["drift_x_m"][0])]
    for n in range(32, 36):
        tell(table, n * 60.0, -20.0 + 78.0 * (n - 31), accuracy_m=30.0, speed_mps=1.3)
        drifts.append(float(table["drift_x_m"][0]))
    assert 20.0 < drifts[0] < 30.0
    assert all(0.0 < later < earlier for earlier, later in pairwise(drifts))


def test_a_way_longer_than_three_standard_deviations_is_no_drift() -> None:
    table = Table.new(np.array([1]), COLUMNS)
    for n, metres in enumerate([-50.0, -50.0, -50.0, 60.0], 1):
        tell(table, n * 60.0, metres, accuracy_m=30.0)
    assert table["drift_x_m"][0] == 0.0


def test_a_walker_needs_less_than_somebody_who_stays() -> None:
    walks = told([(-80, 0.1), (-80, 0.1), (-40, 1.3), (20, 1.3), (80, 1.3)], accuracy_m=15.0)
    stays = told([(-80, 0.1), (-80, 0.1), (-40, 0.1), (20, 0.1), (40, 0.1)], accuracy_m=15.0)
    assert (walks[-2:], stays[-1]) == ([INSIDE, OUTSIDE], INSIDE)


@pytest.mark.parametrize(
    ("strides", "says"), [pytest.param(True, True, id="steps"), pytest.param(False, False, id="none")]
)
def test_one_doppler_reading_may_err_unless_steps_agree(strides: bool, says: bool) -> None:
    table = Table.new(np.array([1]), COLUMNS)
    for n in range(1, 6):
        tell(table, n * 60.0, -60.0, accuracy_m=30.0)
    tell(table, 360.0, 60.0, accuracy_m=30.0, speed_mps=1.3, strides=strides)
    assert (table["presence"][0], table["evidence"][0] > 3.0) == (INSIDE, says)


OUT_AND_HOME = [(-80.0, 0.1), (-80.0, 0.1), (100.0, 1.3), (160.0, 1.3), (100.0, 1.3), (30.0, 1.3)]


def test_passing_home_on_a_way_that_agrees_with_speed_takes_one_fix_inside() -> None:
    assert told([*OUT_AND_HOME, (-40.0, 1.3)])[-2:] == [OUTSIDE, INSIDE]


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param((-40.0, 0.1), id="Doppler says still"),
        pytest.param((-40.0, float("nan")), id="no Doppler"),
        pytest.param((-400.0, 1.3), id="farther than anybody walks"),
        pytest.param((-5.0, 1.3), id="hardly inside"),
    ],
)
def test_otherwise_one_fix_inside_brings_nobody_back(inside: tuple[float, float]) -> None:
    assert told([*OUT_AND_HOME, inside])[-2:] == [OUTSIDE, OUTSIDE]


def test_a_rider_whose_band_has_no_doppler_counts_no_steps_and_is_found_at_the_second_fix() -> None:
    home = [(-80.0, NAN)] * 3
    rides = told([*home, (700.0, NAN), (1_500.0, NAN)], accuracy_m=40.0, still=True)
    stays = told([*home, (700.0, NAN), (700.0, NAN)], accuracy_m=40.0, still=True)
    assert (rides[-1], stays[-1]) == (OUTSIDE, INSIDE)
