import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.presence import COLUMNS, INSIDE, OUTSIDE, UNKNOWN, Fixes, PresenceConfig, update
from schemas.judging import Table

CONFIG = PresenceConfig()


def walk(distances: list[float], accuracy_m: float = 8.0, step_s: float = 60.0, wrong_side: int = OUTSIDE) -> list[int]:
    table = Table.new(np.array([1]), COLUMNS)
    seen = []
    for n, metres in enumerate(distances):
        at = np.array([round((n + 1) * step_s * 1000)])
        here, fine = np.array([metres]), np.array([accuracy_m], np.float32)
        update(table, np.array([0]), np.array([wrong_side]), Fixes(here, here, here * 0.0, fine, fine * 0, at), CONFIG)
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
