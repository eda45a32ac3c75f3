"""Evaluations as the body of ``docs/evaluation.md``: how they were made and every figure with its interval."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from evaluation import sampling_table
from evaluation.outcome import (
    EVENT_RATES,
    Check,
    CodeReport,
    ContextReport,
    Evaluation,
    Figures,
    Load,
    Sampling,
    Variant,
)
from evaluation.table import (
    SILENT,
    excuse,
    load_note,
    loads,
    most_first,
    per_occurrence,
    precise,
    rate,
    ringing,
    seconds,
    share,
    with_interval,
    without_detector,
)
from schemas.alerts import KINDS, AlertCode

_READING: Final = (
    "An event is found if its alert rings within the event and its grace; an alert that no event explains is false, "
    "and false alerts less than 15 minutes apart are one. The time to find counts a missed event with its whole "
    "duration and grace. Precision is stated at a rate of true events a wearer-day. The worst tenth are the wearers "
    "with most false alerts. Brackets hold the 95 % interval by bootstrap over wearers; – stands where there was "
    "nothing to count."
)
_ESCAPED: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " "} | {mark: f"\\{mark}" for mark in "\\`*[|"}
)

_FIGURE_COLUMNS: Final[tuple[tuple[str, Callable[[Figures], str]], ...]] = (
    ("events", lambda f: f"{f.events:,}"),
    ("recall", lambda f: with_interval(f.recall, share)),
    ("false / wearer-day", lambda f: with_interval(f.false_per_wearer_day, rate)),
    ("worst tenth", lambda f: rate(f.worst_decile_per_wearer_day)),
    ("to find, p50", lambda f: with_interval(f.detect_p50_s, seconds)),
    ("to find, p95", lambda f: with_interval(f.detect_p95_s, seconds)),
    ("precision at " + " / ".join(map(str, EVENT_RATES)), lambda f: _precision(f)),  # noqa: PLW0108 - it stands below
    ("alerts / event", lambda f: with_interval(f.alerts_per_event, rate)),
    ("explained", lambda f: f"{f.explained:,}"),
)


def as_markdown(evaluations: Sequence[Evaluation]) -> str:
    """One second-level section an evaluation, below what to know before reading them; the same for the same figures."""
    return "\n\n".join([_READING, *map(_section, evaluations)]) + "\n"


def _section(evaluation: Evaluation) -> str:
    parts = [
        f"## {_text(evaluation.title)}",
        f"```\n{evaluation.command}\n```",
        _made(evaluation),
        "### By alert",
        _codes_table(evaluation.codes),
        SILENT,
        *(_text(excuse(report)) for report in without_detector(evaluation.codes)),
        "### Recall by kind",
        _kinds_table(evaluation.codes),
        "### Hard negatives",
        _contexts_table(evaluation.contexts),
        "### Load",
        _load_table(evaluation.load),
        _text(load_note(evaluation.load)),
        *_sampling(evaluation.sampling),
        "### Checks",
        _checks_table(evaluation.checks),
    ]
    return "\n\n".join(parts)


def _made(evaluation: Evaluation) -> str:
    seed = "no seed" if evaluation.seed is None else f"seed {evaluation.seed}"
    facts = (
        f"{evaluation.date}, {seed}: {evaluation.wearers:,} wearers, {evaluation.wearer_days:,.0f} wearer-days, "
        f"{evaluation.readings:,} readings."
    )
    reporting = f"Reporting: {evaluation.reporting}." if evaluation.reporting else ""
    degraded = f"Degraded by: {', '.join(evaluation.degradations)}." if evaluation.degradations else "Nothing degraded."
    took = ", ".join(f"{stage} {duration:.1f}" for stage, duration in evaluation.seconds.items())
    return " ".join(
        _text(part) for part in (facts, reporting, degraded, f"Seconds by stage: {took}." if took else "") if part
    )


def _codes_table(codes: Iterable[CodeReport]) -> str:
    rows = [row for report in codes for row in _code_rows(report)]
    return _table(["alert", "by", *(heading for heading, _ in _FIGURE_COLUMNS)], rows, left=2)


def _code_rows(report: CodeReport) -> list[list[str]]:
    name = f"`{report.code}` {KINDS[report.code].en}"
    ours = [name, "**ours**", *_cells(report.ours)] if report.has_detector else _no_detector(name, report.ours)
    return [ours, *(["", _text(by), *_cells(figures)] for by, figures in ringing(report).items())]


def _no_detector(name: str, ours: Figures) -> list[str]:
    return [name, "no detector yet", f"{ours.events:,}", *[""] * (len(_FIGURE_COLUMNS) - 1)]


def _cells(figures: Figures) -> list[str]:
    return [say(figures) for _, say in _FIGURE_COLUMNS]


def _precision(figures: Figures) -> str:
    return " / ".join(precise(figures, event_rate) for event_rate in EVENT_RATES)


def _kinds_table(codes: Iterable[CodeReport]) -> str:
    rows = [[f"`{report.code}`", *_kind_cells(variant)] for report in codes for variant in report.variants]
    return _table(["alert", "kind", "events", "found", "recall", "to find, p50"], rows, left=2)


def _kind_cells(variant: Variant) -> list[str]:
    recall = with_interval(variant.recall, share)
    return [_text(variant.kind), f"{variant.events:,}", f"{variant.found:,}", recall, seconds(variant.detect_p50_s)]


def _contexts_table(contexts: Iterable[ContextReport]) -> str:
    rows = [
        [_text(c.context), f"{c.occurrences:,}", rate(per_occurrence(c)), _text(most_first(c.false_alerts))]
        for c in contexts
    ]
    return _table(["looks like an event", "occurrences", "false alerts each", "by code"], rows)


def _load_table(load: Load) -> str:
    rows = [[name, with_interval(interval, rate)] for name, interval in loads(load)]
    return _table(["incidents", "per wearer-day"], rows)


def _sampling(sampling: Sampling | None) -> list[str]:
    if sampling is None:
        return []
    compared = [[_code(p.code), *cells] for p, cells in zip(sampling.codes, sampling_table.rows(sampling), strict=True)]
    spent = [[name, _text(words)] for name, words in sampling_table.costs(sampling)]
    return [
        "### The sampling loop",
        _text(f"{sampling_table.READ_SO} {sampling_table.INTERVALS}"),
        _table(["alert", *(each.heading for each in sampling_table.COLUMNS)], compared),
        _table(["what it cost", ""], spent, left=2),
    ]


def _code(name: str) -> str:
    return f"`{name}`" if name in set(AlertCode) else f"**{name}**"


def _checks_table(checks: Iterable[Check]) -> str:
    rows = [[_text(c.name), "passed" if c.passed else "**FAILED**", _text(c.detail)] for c in checks]
    return _table(["what must hold", "", ""], rows, left=3)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    if not rows:
        return "None in this evaluation."
    rule = ["---" if place < left else "---:" for place in range(len(headings))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *rows))


def _text(value: str) -> str:
    r"""Text that Markdown shows as it is.

    >>> print(_text("z > 3 | *<b>*"))
    z &gt; 3 \| \*&lt;b&gt;\*
    """
    return value.translate(_ESCAPED)
