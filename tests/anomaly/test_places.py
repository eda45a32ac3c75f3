"""Where gaps are usual: learned, bounded, and forgotten again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.places import (
    LONGEST_KNOWN_S,
    LONGEST_S,
    PLACE_COLUMNS,
    SLOTS,
    cell_of,
    learn,
    see,
    settle,
    slot_of,
    usual_s,
)
from schemas.judging import Table

VALLEY, TOWN = (26.5312, 101.7112), (26.5812, 101.7112)


def cell(place: tuple[float, float]) -> np.ndarray:
    return cell_of(np.array([place[0]]), np.array([place[1]]))


def fresh() -> Table:
    return Table.new(np.array([1]), PLACE_COLUMNS)


def usual_at(table: Table, place: tuple[float, float], part: int = 0) -> float:
    return float(usual_s(table, slot_of(cell(place), part))[0])


def gaps(table: Table, place: tuple[float, float], *minutes: float, part: int = 0) -> Table:
    for one in minutes:
        learn(table, cell(place), np.array([one * 60.0], np.float32), part)
    settle(table)
    return table


def seen(table: Table, place: tuple[float, float], times: int) -> Table:
    see(table, np.repeat(slot_of(cell(place)), times))
    settle(table)
    return table


def test_what_is_learned_is_not_believed_before_time_passes() -> None:
    table = fresh()
    learn(table, cell(VALLEY), np.array([1200.0], np.float32))
    assert usual_at(table, VALLEY) == 0.0
    settle(table)
    assert usual_at(table, VALLEY) > 1200.0


def test_one_gap_explains_others_there_and_nearby_but_not_elsewhere() -> None:
    table = gaps(fresh(), VALLEY, 20)
    assert usual_at(table, VALLEY) > 20 * 60
    assert usual_at(table, (VALLEY[0] + 0.0025, VALLEY[1])) == usual_at(table, VALLEY)
    assert usual_at(table, TOWN) == 0.0


def test_the_more_gaps_are_known_the_nearer_is_what_is_usual_to_them() -> None:
    few, many = gaps(fresh(), VALLEY, 20), gaps(fresh(), VALLEY, *[20.0] * 30)
    assert 20 * 60 < usual_at(many, VALLEY) < usual_at(few, VALLEY)


def test_a_gap_at_a_place_stayed_in_for_days_explains_nothing() -> None:
    table = gaps(seen(fresh(), TOWN, 3000), TOWN, 90, 120)
    assert usual_at(table, TOWN) == 0.0
    assert usual_at(gaps(table, TOWN, 100, 100), TOWN) > 0.0


def test_a_place_hardly_known_explains_two_hours_and_a_known_one_no_more_than_a_shift() -> None:
    assert usual_at(gaps(fresh(), VALLEY, 300), VALLEY) == LONGEST_S
    assert LONGEST_S < usual_at(gaps(fresh(), VALLEY, *[300.0] * 6), VALLEY) <= LONGEST_KNOWN_S


def test_what_is_usual_by_day_says_nothing_of_the_night() -> None:
    table = gaps(fresh(), VALLEY, 20, part=1)
    assert usual_at(table, VALLEY, part=1) > 0.0
    assert usual_at(table, VALLEY, part=0) == 0.0


def test_old_gaps_are_forgotten_when_nothing_is_lost_there_any_more() -> None:
    table = gaps(fresh(), VALLEY, *[30.0] * 8)
    for _ in range(20):
        seen(table, VALLEY, 1000)
    assert usual_at(table, VALLEY) == 0.0


def test_who_has_no_known_place_teaches_nobody() -> None:
    table = gaps(fresh(), (float("nan"), float("nan")), 60)
    assert not table.common["place_gaps"].any()


def test_newer_rules_take_over_what_was_learned_and_a_snapshot_keeps_it() -> None:
    table = gaps(fresh(), VALLEY, 20)
    newer = Table.new(np.array([7]), PLACE_COLUMNS)
    newer.inherit(Table.restore(table.snapshot()))
    assert usual_at(newer, VALLEY) == usual_at(table, VALLEY)


@given(st.floats(-90, 90), st.floats(-180, 180), st.integers(0, 3))
def test_every_place_on_earth_has_a_slot(lat: float, lon: float, part: int) -> None:
    assert 0 <= slot_of(cell((lat, lon)), part)[0] < SLOTS


@pytest.mark.parametrize("minutes", [[5, 700], [1], [720] * 9], ids=["far apart", "short", "long"])
def test_what_is_usual_is_finite_and_bounded(minutes: list[float]) -> None:
    assert 0.0 < usual_at(gaps(fresh(), VALLEY, *minutes), VALLEY) <= LONGEST_KNOWN_S
