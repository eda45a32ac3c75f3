"""Budgets of false alerts kept: how patient each detector must be, found by judging a history at several settings.

A setting keeps its budget if every more patient one does too: one lucky setting among bad ones is chance. Of those, an
alert rule gets the one that finds most, then the one nearest to what it is: nothing becomes more eager unless more is
known to be found. A setting is chosen on the history that it is measured on here; how it does later is what
``shouhuan evaluate`` and the next calibration say.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import log
from typing import Final, NamedTuple

from evaluation.case import Case
from evaluation.matching import explanations
from evaluation.metrics import settle
from evaluation.outcome import Event
from evaluation.recording import Observed
from evaluation.trial import Setting, Trial
from schemas.alerts import AlertCode
from schemas.registry import DIALS, AlertRule

FACTORS: Final = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Times the present patience: from half to four times."""


class Rung(NamedTuple):
    """What one setting would have done: false alerts a wearer-day, the share of events found where any are known."""

    patience: float
    false: float
    recall: float | None = None


class Calibrated(NamedTuple):
    """One alert rule before and after; ``kept`` says whether any setting that was tried keeps the budget."""

    rule: AlertRule
    before: Rung
    after: Rung
    kept: bool


def choose(rule: AlertRule, rungs: Sequence[Rung]) -> Calibrated:
    """The rung that keeps the rule's budget, finds most, and changes least; the most patient one where none keeps it.

    Raises ``ValueError`` for a rule without a budget.

    >>> rungs = [Rung(0.5, 0.20), Rung(1.0, 0.04), Rung(2.0, 0.009), Rung(4.0, 0.001)]
    >>> chosen = choose(AlertRule(code=AlertCode.VITALS_FALL, budget=0.01), rungs)
    >>> chosen.before.false, chosen.after.patience, chosen.kept
    (0.04, 2.0, True)
    """
    budget = rule.budget
    if budget is None:
        raise ValueError(f"{rule.code} has no budget to keep")

    def change(rung: Rung) -> float:
        return abs(log(rung.patience / rule.patience))

    patient_first = sorted(rungs, reverse=True)
    keeping = list(takewhile(lambda rung: rung.false <= budget, patient_first))
    before = min(rungs, key=change)
    after = min(keeping, key=lambda rung: (-(rung.recall or 0.0), change(rung)), default=patient_first[0])
    return Calibrated(rule, before, after, bool(keeping))


def calibrate(case: Case) -> tuple[list[Calibrated], float]:
    """Judge a case at every setting; returns what each rule with a budget comes to, and the wearer-days it rests on.

    Raises ``ValueError`` where no alert rule of the case's registry has a budget, or nobody was observed.
    """
    rules = {rule.code: rule for rule in case.numbered.registry.alert_rules if rule.budget is not None}
    if not rules:
        raise ValueError("no alert rule has a budget: set alert_rules[].budget in the registry (docs/registry.md)")
    trials = [(factor, Trial(case.numbered, Setting(str(factor), factor))) for factor in FACTORS]
    observed = Observed.of(case.numbered)
    for batch in case.batches():
        observed.add(batch)
        for _, trial in trials:
            trial.feed(batch)
    days = sum(observed.days().values())
    if not days:
        raise ValueError("the history has no whole day of any wearer: nothing can be measured on it")
    by_factor = {factor: _by_dial(case.events(), trial, observed, days) for factor, trial in trials}
    return [choose(rule, [_at(rule, factor, by_factor[factor]) for factor in FACTORS]) for rule in rules.values()], days


def recalibrated(calibrated: Sequence[Calibrated]) -> list[AlertRule]:
    """The alert rules as they should be from now on."""
    return [AlertRule(code=one.rule.code, patience=one.after.patience, budget=one.rule.budget) for one in calibrated]


def _at(rule: AlertRule, factor: float, rungs: Mapping[AlertCode, Rung]) -> Rung:
    return rungs[rule.code]._replace(patience=round(rule.patience * factor, 3))


def _by_dial(events: Sequence[Event], trial: Trial, observed: Observed, days: float) -> Mapping[AlertCode, Rung]:
    found = observed.in_time(trial.found())
    causes = explanations(events)
    settled = {code: settle(code, events, found, causes) for dial in DIALS.values() for code in dial.codes}
    rungs = {}
    for name, dial in DIALS.items():
        mine = [settled[code] for code in dial.codes]
        happened = sum(len(one.matching.events) for one in mine)
        hit = sum(sum(one.matching.found) for one in mine)
        rungs[name] = Rung(0.0, sum(len(one.false) for one in mine) / days, hit / happened if happened else None)
    return rungs
