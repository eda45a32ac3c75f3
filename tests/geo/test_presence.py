import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.presence import COLUMNS, INSIDE, OUTSIDE, UNKNOWN, Fixes, PresenceConfig, is_new, update
from schemas.judging import Table

CONFIG = PresenceConfig()


NAN = float("nan")


def walk(
    distances: list[float],
    accuracy_m: float = 8.0,
    step_s: float = 60.0,
    wrong_side: int = OUTSIDE,
    speed_mps: float = 0.0,
) -> list[int]:
    table = Table.new(np.array([1]), COLUMNS)
    seen = []
    for n, metres in enumerate(distances):
        at = np.array([round((n + 1) * step_s * 1000)])
        here, fine = np.array([metres]), np.array([accuracy_m], np.float32)
        speed = np.array([speed_mps], np.float32)
        update(table, np.array([0]), np.array([wrong_side]), Fixes(here, here, here * 0.0, fine, speed, at), CONFIG)
        seen.append(int(table["presence"][0]))
    return seen


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


def test_leaving_takes_more_than_entering() -> None:
    leaves = walk([-80, -80, *[70.0] * 9], wrong_side=OUTSIDE).index(OUTSIDE)
    enters = walk([80, 80, *[-55.0] * 9], wrong_side=INSIDE)[2:].index(INSIDE)
    assert leaves - 2 > enters


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
    side = 1.0 if wrong_side == INSIDE else -1.0
    table_side = [side * 300.0] * 3

    def then_coarse(fine_first: list[float]) -> list[int]:
        table = Table.new(np.array([1]), COLUMNS)
        seen = []
        told = [(metres, 8.0) for metres in fine_first] + [(-side * 9_000.0, 2_000.0)] * 40
        for n, (metres, accuracy_m) in enumerate(told):
            here, disc = np.array([metres]), np.array([accuracy_m], np.float32)
            one = Fixes(here, here, here * 0.0, disc, disc * NAN, np.array([(n + 1) * 600_000]))
            update(table, np.array([0]), np.array([wrong_side]), one, CONFIG)
            seen.append(int(table["presence"][0]))
        return seen

    right_side = INSIDE if wrong_side == OUTSIDE else OUTSIDE
    assert set(then_coarse(table_side)[2:]) == {right_side}


@pytest.mark.parametrize("accuracy_m", [0.0, 1e-3])
def test_a_disc_of_no_size_is_believed_no_more_than_the_model_allows(accuracy_m: float) -> None:
    assert walk([-80, -80, 380, 380], accuracy_m)[1:] == [INSIDE, INSIDE, OUTSIDE]
    assert OUTSIDE not in walk([-80, -80, *[14.9] * 40], accuracy_m)
    assert walk([-80, -80, 1e6, -80, 1e6, -80], accuracy_m)[1:] == [INSIDE] * 5


@pytest.mark.parametrize(
    ("speed_mps", "outcome"),
    [
        pytest.param(0.0, [INSIDE, INSIDE], id="Doppler says still"),
        pytest.param(NAN, [INSIDE, INSIDE], id="no Doppler"),
        pytest.param(25.0, [INSIDE, OUTSIDE], id="Doppler says riding"),
    ],
)
def test_a_leap_counts_if_doppler_knows_of_it(speed_mps: float, outcome: list[int]) -> None:
    assert walk([-80, -80, 4_000, 4_000], speed_mps=speed_mps)[-2:] == outcome


def test_after_a_leap_that_was_true_the_wearer_is_found_in_the_end() -> None:
    assert walk([-80, -80, *[4_000.0] * 4], speed_mps=NAN)[-1] == OUTSIDE


def test_21_flips_far_over_the_line_are_one_change_at_most_and_within_the_margin_none() -> None:
    far = walk([-80, -80, *[100.0, -100.0] * 21])
    near = walk([-80, -80, *[22.0, -22.0] * 21])
    changes = [sum(a != b for a, b in zip(seen[2:], seen[3:], strict=False)) for seen in (far, near)]
    assert changes[0] <= 1
    assert changes[1] == 0


@pytest.mark.parametrize("step_s", [5.0, 15.0, 60.0])
def test_two_fixes_far_outside_decide_however_often_they_come_and_one_never(step_s: float) -> None:
    seen = walk([-80, -80, -80, -80, -80, 380, 380], step_s=step_s, speed_mps=30.0)
    assert seen[-2:] == [INSIDE, OUTSIDE]


@given(st.integers(0, 999), st.lists(st.integers(1_000, 600_000), min_size=1, max_size=30), st.booleans())
def test_a_fix_told_again_with_an_age_in_whole_seconds_is_not_new(first_ms: int, gaps: list[int], up: bool) -> None:
    """``is_new`` sees ages through ``fix_ms``; whole seconds may be rounded to the nearest or cut."""
    table = Table.new(np.array([1]), COLUMNS)
    fixed_ms = 1_795_406_405_000 + first_ms
    here, fine = np.array([300.0]), np.array([8.0], np.float32)

    def tell(fix_ms: int) -> bool:
        one = Fixes(here, here, here * 0.0, fine, fine * NAN, np.array([fix_ms]))
        new = bool(is_new(table, np.array([0]), one.fix_ms)[0])
        if new:
            update(table, np.array([0]), np.array([OUTSIDE]), one, CONFIG)
        return new

    assert tell(fixed_ms)
    now_ms = fixed_ms
    for gap_ms in gaps:
        now_ms += gap_ms
        age_s = (now_ms - fixed_ms) / 1000
        assert not tell(now_ms - (round(age_s) if up else int(age_s)) * 1000)


def test_onset_is_the_first_fix_of_the_run_that_flipped_the_belief() -> None:
    table = Table.new(np.array([1]), COLUMNS)
    for n, metres in enumerate([-80.0, -80.0, 60.0, -80.0, 60.0, 60.0, 60.0, 60.0, 60.0]):
        here, fine = np.array([metres]), np.array([8.0], np.float32)
        one = Fixes(here, here, here * 0.0, fine, fine * 0, np.array([(n + 1) * 60_000]))
        update(table, np.array([0]), np.array([OUTSIDE]), one, CONFIG)
        if table["presence"][0] == OUTSIDE:
            break
    assert table["presence"][0] == OUTSIDE
    assert table["since_ms"][0] == 5 * 60_000
