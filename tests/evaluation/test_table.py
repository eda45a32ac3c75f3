from io import StringIO

import pytest
from rich.console import Console

from evaluation.outcome import Check, ContextReport, Evaluation, Interval
from evaluation.table import print_table
from schemas.alerts import AlertCode
from tests.evaluation.build import evaluation, figures, nothing_found, report, rich_evaluation, variant


def printed(shown: Evaluation, *, colours: bool = False) -> list[str]:
    console = Console(file=StringIO(), width=120, force_terminal=colours, color_system="standard" if colours else None)
    print_table(shown, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def line_with(words: str, lines: list[str]) -> str:
    return next(line for line in lines if words in line)


def test_a_code_is_one_row_with_its_intervals() -> None:
    row = line_with("zone.exit", printed(evaluation()))
    said = "zone.exit 200 0.970 (0.940–0.990) 0.052 (0.031–0.080) 0.400 58 s 3.9 min 0.157 1.04 4"
    assert " ".join(row.split()) == said


def test_baselines_stand_dimmed_below_ours() -> None:
    lines = printed(evaluation(codes=[report(baselines={"naive": figures(), "older": figures()})]), colours=True)
    ours = lines.index(line_with("zone.exit", lines))
    assert ["naive" in lines[ours + 1], "older" in lines[ours + 2]] == [True, True]
    assert ["\x1b[2m" in line for line in lines[ours : ours + 3]] == [False, True, True]


def test_nothing_is_cut_at_120_columns() -> None:
    whole = rich_evaluation()
    wide = figures(
        events=12_345,
        false_per_wearer_day=Interval(0.0003, 0.0001, 0.0006),
        detect_p50_s=Interval(6_600.0),
        detect_p95_s=Interval(6_900.0),
        explained=12_345,
    )
    long = "a baseline whose name says all that it does and more"
    every = evaluation(
        codes=[report(code, ours=wide, baselines={long: wide}) for code in AlertCode],
        checks=whole.checks,
        contexts=whole.contexts,
    )
    for shown in (whole, every):
        lines = printed(shown)
        assert max(map(len, lines)) <= 120
        assert not any("…" in line for line in lines)
        assert all(any(line.startswith(f"{r.code} ") for line in lines) for r in shown.codes)


def test_a_code_without_detector_says_so() -> None:
    fall = report(AlertCode.VITALS_FALL, has_detector=False, ours=nothing_found(12))
    lines = printed(evaluation(codes=[fall]))
    assert line_with("vitals.fall", lines).split()[:4] == ["vitals.fall", "12", "no", "detector"]
    assert "vitals.fall has no detector yet: all of its 12 events are missed." in lines


def test_a_code_without_detector_or_events_is_not_said_to_miss_any() -> None:
    fall = report(AlertCode.VITALS_FALL, has_detector=False, ours=nothing_found(0))
    assert "vitals.fall has no detector yet, and no event asked for one." in printed(evaluation(codes=[fall]))


def test_kinds_contexts_load_and_checks_follow() -> None:
    lines = printed(
        evaluation(
            codes=[report(variants=[variant("slow", 50, 25, 75.0)])],
            contexts=[ContextReport(context="cycling", occurrences=4, false_alerts={"zone.exit": 1, "gathering": 2})],
            checks=[Check(name="restart", passed=False, detail="2 differ")],
        )
    )
    assert line_with("slow", lines).split()[2:5] == ["50", "25", "0.500"]
    assert " ".join(line_with("cycling", lines).split()) == "cycling 4 0.750 gathering 2, zone.exit 1"
    assert line_with("without an event", lines).split()[-2:] == ["0.047", "(0.039–0.056)"]
    assert "target" in line_with("1,463 incidents: high 602", lines)
    assert line_with("restart", lines).split() == ["restart", "FAILED", "2", "differ"]


@pytest.mark.parametrize("name", ["[red]slow[/red]", "[/]", "slow :smile:"])
def test_names_are_shown_as_they_are(name: str) -> None:
    lines = printed(evaluation(title=name, codes=[report(variants=[variant(name, 5, 5)])]))
    assert sum(name in line for line in lines) == 2
