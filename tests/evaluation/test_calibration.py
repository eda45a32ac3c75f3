"""Budgets of false alerts: which setting keeps them, and what is done where none does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.calibration import FACTORS, Rung, calibrate, choose, recalibrated
from schemas.alerts import AlertCode
from schemas.registry import AlertRule
from shouhuan.calibrate import with_rules
from shouhuan.cases import Played
from simulator.scenario import parse_scenario

FALL, HEART, EXIT = AlertCode.VITALS_FALL, AlertCode.VITALS_HEART_RATE, AlertCode.ZONE_EXIT
RULE = AlertRule(code=FALL, budget=0.01)
HECTIC = {
    "name": "hectic",
    "start": "2026-03-02T00:00:00+08:00",
    "days": 1.5,
    "wearers": 16,
    "seed": 5,
    "events": {"zone_exit_walk": 0.3, "fast_heart": 0.2},
    "hard_negatives": {"hot_bath": 0.5, "caffeine": 0.5},
}


def test_a_rule_that_keeps_its_budget_stays_as_it_is() -> None:
    chosen = choose(RULE, [Rung(0.5, 0.0), Rung(1.0, 0.0), Rung(2.0, 0.0)])
    assert (chosen.before.patience, chosen.after.patience, chosen.kept) == (1.0, 1.0, True)


def test_it_becomes_more_eager_only_where_more_is_known_to_be_found() -> None:
    rungs = [Rung(0.5, 0.009, 0.9), Rung(0.7, 0.004, 0.9), Rung(1.0, 0.0, 0.8), Rung(2.0, 0.0, 0.8)]
    assert choose(RULE, rungs).after.patience == 0.7


def test_a_setting_that_keeps_it_by_luck_is_not_taken() -> None:
    chosen = choose(RULE, [Rung(1.0, 0.02), Rung(1.4, 0.0), Rung(2.0, 0.03), Rung(2.8, 0.0)])
    assert chosen.after.patience == 2.8


def test_where_no_setting_keeps_it_the_most_patient_one_is_said_to_fail() -> None:
    chosen = choose(RULE, [Rung(1.0, 0.5), Rung(4.0, 0.1)])
    assert (chosen.after.patience, chosen.kept) == (4.0, False)


def test_a_rule_without_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="no budget"):
        choose(AlertRule(code=FALL), [Rung(1.0, 0.0)])


rates = st.lists(st.floats(0.0, 0.1), min_size=len(FACTORS), max_size=len(FACTORS))


@given(rates, st.floats(0.001, 0.1))
def test_what_is_chosen_keeps_the_budget_or_says_so(false: list[float], budget: float) -> None:
    rungs = [Rung(factor, rate) for factor, rate in zip(FACTORS, false, strict=True)]
    chosen = choose(AlertRule(code=FALL, budget=budget), rungs)
    assert chosen.kept == (chosen.after.false <= budget)
    assert all(rung.false <= budget for rung in rungs if chosen.kept and rung.patience > chosen.after.patience)


def test_a_history_sets_the_rules_that_have_a_budget_and_no_others() -> None:
    rules = [AlertRule(code=HEART, budget=0.000_1), AlertRule(code=EXIT, budget=5.0), AlertRule(code=FALL)]
    case = with_rules(Played(parse_scenario(HECTIC)).case(lambda _: None), rules)
    found, days = calibrate(case)
    heart, exits = found
    assert days == 16 * 2  # the half day counts, for it has twelve hours
    assert heart.after.false <= heart.before.false
    assert heart.after.patience >= 1.0
    assert exits.kept
    assert {rule.code for rule in recalibrated(found)} == {HEART, EXIT}


def test_a_registry_without_budgets_has_nothing_to_keep() -> None:
    with pytest.raises(ValueError, match="alert_rules"):
        calibrate(Played(parse_scenario(HECTIC)).case(lambda _: None))
