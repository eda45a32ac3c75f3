import re

from evaluation.markdown import as_markdown
from evaluation.outcome import Check, ContextReport
from schemas.alerts import AlertCode
from tests.evaluation.build import evaluation, figures, nothing_found, report, rich_evaluation, variant


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows; an escaped bar divides nothing."""
    found = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in found]


def row_of(first: str, text: str) -> list[str]:
    return next(row for row in rows(text) if row[0] == first)


def test_it_says_how_it_was_made() -> None:
    text = as_markdown([evaluation(degradations=["5 % lost"])])
    assert "```\nshouhuan evaluate --wearers 400 --days 31 --seed 7\n```" in text
    assert (
        "2026-11-24, seed 7: 400 wearers, 12,400 wearer-days, 17,856,000 readings. Degraded by: 5 % lost. "
        "Seconds by stage: read 12.4, judge 41.0, score 3.2." in text
    )


def test_every_figure_of_ours_carries_its_interval() -> None:
    ours = row_of("`zone.exit` left a keep-in zone", as_markdown([evaluation()]))
    assert ours[1:] == [
        "**ours**",
        "200",
        "0.970 (0.940–0.990)",
        "0.052 (0.031–0.080)",
        "0.400",
        "58 s (52 s–63 s)",
        "3.9 min (3.2 min–5.2 min)",
        "0.157 / 0.018",
        "1.04 (1.01–1.09)",
        "4",
    ]


def test_baselines_follow_their_code() -> None:
    text = as_markdown([evaluation(codes=[report(baselines={"naive": figures(events=7)})])])
    by = [row[1:3] for row in rows(text) if len(row) == len(row_of("alert", text))]
    assert by[2:] == [["**ours**", "200"], ["naive", "7"]]


def test_a_code_without_detector_gets_a_plain_sentence_and_no_figures() -> None:
    text = as_markdown([evaluation(codes=[report(AlertCode.VITALS_FALL, has_detector=False, ours=nothing_found(12))])])
    assert "\nvitals.fall has no detector yet: all of its 12 events are missed.\n" in text
    assert row_of("`vitals.fall` fall", text)[1:] == ["no detector yet", "12", *[""] * 8]


def test_kinds_contexts_load_and_checks_have_their_tables() -> None:
    text = as_markdown(
        [
            evaluation(
                codes=[report(variants=[variant("slow", 100, 50, 75.0)])],
                contexts=[ContextReport(context="cycling", occurrences=4, false_alerts={"zone.exit": 1})],
                checks=[Check(name="restart", passed=False, detail="2 differ")],
            )
        ]
    )
    assert row_of("`zone.exit`", text) == ["`zone.exit`", "slow", "100", "50", "0.500 (0.402–0.598)", "75 s"]
    assert row_of("cycling", text) == ["cycling", "4", "0.250", "zone.exit 1"]
    assert row_of("all", text) == ["all", "0.118 (0.103–0.135)"]
    assert row_of("restart", text) == ["restart", "**FAILED**", "2 differ"]


def test_a_part_without_contents_says_so() -> None:
    assert as_markdown([evaluation(contexts=[], checks=[])]).count("None in this evaluation.") == 3


def test_each_evaluation_has_a_section_in_the_order_given() -> None:
    text = as_markdown([evaluation(title="second generator"), evaluation(title="real background", seed=None)])
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["second generator", "real background"]
    assert "2026-11-24, no seed:" in text


def test_rows_have_as_many_cells_as_their_headings_whatever_is_in_them() -> None:
    hostile = "a | b\n<i> *c* `d`"
    text = as_markdown([evaluation(title=hostile, codes=[report(variants=[variant(hostile, 5, 5)],
                                                                baselines={hostile: figures()})])])  # fmt: skip
    assert row_of("`zone.exit`", text)[1] == r"a \| b &lt;i&gt; \*c\* \`d\`"
    blocks = [rows(block) for block in text.split("\n\n") if block.startswith("|")]
    assert [len({len(row) for row in block}) for block in blocks] == [1] * len(blocks)


def test_the_same_figures_give_the_same_text() -> None:
    counted = {"zone.exit": 2, "gathering": 2, "device.silence": 9}
    there = ContextReport(context="cycling", occurrences=4, false_alerts=counted)
    back = ContextReport(context="cycling", occurrences=4, false_alerts=dict(reversed(counted.items())))
    assert as_markdown([evaluation(contexts=[there])]) == as_markdown([evaluation(contexts=[back])])
    assert as_markdown([rich_evaluation()]) == as_markdown([rich_evaluation()])
