import json
from typing import Any

import pytest

from evaluation.outcome import Check, Figures, Interval
from evaluation.stored import store, worse
from schemas.alerts import AlertCode
from tests.evaluation.build import evaluation, figures, interval, load, nothing_found, report, rich_evaluation


def against_usual(ours: Figures) -> list[str]:
    """What a detector with these figures does worse than the usual one, which was kept as JSON."""
    kept = json.loads(json.dumps(store(evaluation())))
    return worse(evaluation(codes=[report(ours=ours), report(AlertCode.DEVICE_STRAP)]), kept)


def test_an_equal_detector_is_no_complaint() -> None:
    assert against_usual(figures()) == []


def test_what_was_stored_of_everything_is_not_worse_than_itself() -> None:
    whole = rich_evaluation()
    passing = evaluation(codes=whole.codes, contexts=whole.contexts, exhibits=whole.exhibits)
    assert worse(passing, json.loads(json.dumps(store(passing)))) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        pytest.param(
            {"recall": interval(0.9)}, "zone.exit: recall fell to 0.900, below 0.940 (was 0.970).", id="recall"
        ),
        pytest.param(
            {"false_per_wearer_day": interval(0.2)},
            "zone.exit: false alerts a wearer-day rose to 0.200, above 0.080 (was 0.052).",
            id="false",
        ),
        pytest.param(
            {"detect_p95_s": interval(600.0)},
            "zone.exit: time to find at p95 rose to 10.0 min, above 5.2 min (was 3.9 min).",
            id="p95",
        ),
        pytest.param(
            {"alerts_per_event": interval(1.4)},
            "zone.exit: alerts an event rose to 1.40, above 1.09 (was 1.04).",
            id="duplicates",
        ),
    ],
)
def test_a_figure_beyond_its_stored_interval_is_a_sentence(changed: dict[str, Any], complaint: str) -> None:
    assert against_usual(figures(**changed)) == [complaint]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"recall": interval(0.94)}, id="recall at its low end"),
        pytest.param({"false_per_wearer_day": interval(0.08)}, id="false at its high end"),
        pytest.param({"recall": interval(1.0)}, id="more recall"),
        pytest.param({"false_per_wearer_day": interval(0.0)}, id="fewer false"),
        pytest.param({"detect_p95_s": interval(5.0)}, id="sooner"),
        pytest.param({"alerts_per_event": interval(1.0)}, id="fewer duplicates"),
    ],
)
def test_what_stays_within_or_gets_better_is_no_complaint(changed: dict[str, Any]) -> None:
    assert against_usual(figures(**changed)) == []


def test_a_detector_taken_away_is_caught_by_what_it_no_longer_finds() -> None:
    assert [line.split(" fell ")[0] for line in against_usual(nothing_found(200)) if " fell " in line] == [
        "zone.exit: recall"
    ]


def test_a_code_that_vanished_is_a_complaint() -> None:
    assert worse(evaluation(codes=[report()]), store(evaluation())) == ["device.strap: no longer evaluated."]


def test_a_code_that_lost_its_events_is_a_complaint() -> None:
    none = figures(events=0, found=0, recall=Interval(), detect_p95_s=Interval(), alerts_per_event=Interval())
    assert against_usual(none) == ["zone.exit: none of its 200 events are left to find."]


def test_a_new_code_and_what_could_not_be_counted_before_are_no_complaints() -> None:
    before = evaluation(codes=[report(ours=figures(events=0, recall=Interval(), detect_p95_s=Interval()))])
    assert worse(evaluation(codes=[report(), report(AlertCode.GATHERING)]), store(before)) == []


def test_more_load_is_a_complaint_and_less_is_none() -> None:
    kept = store(evaluation())
    assert worse(evaluation(load=load(0.16)), kept) == ["load, all rose to 0.160, above 0.135 (was 0.118)."]
    assert worse(evaluation(load=load(0.08)), kept) == []


def test_a_failed_check_is_a_complaint_whatever_was_stored() -> None:
    failed = Check(name="a restart changes no alert", passed=False, detail="2 differ")
    passed = Check(name="order changes no alert", passed=True, detail="")
    assert worse(evaluation(checks=[failed, passed]), store(evaluation(checks=[failed, passed]))) == [
        "check failed: a restart changes no alert (2 differ)."
    ]


def test_what_is_stored_are_the_figures_by_code_with_their_intervals() -> None:
    kept = store(evaluation())
    assert kept["codes"]["zone.exit"] == {
        "events": 200,
        "recall": {"value": 0.97, "low": 0.94, "high": 0.99},
        "false_per_wearer_day": {"value": 0.052, "low": 0.031, "high": 0.08},
        "detect_p95_s": {"value": 235.0, "low": 190.0, "high": 310.0},
        "alerts_per_event": {"value": 1.04, "low": 1.01, "high": 1.09},
    }
    assert kept["load"]["without an event"] == {"value": 0.047, "low": 0.039, "high": 0.056}
