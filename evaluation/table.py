"""An evaluation in a terminal, and how its figures are worded wherever they are shown."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evaluation.outcome import (
    EVENT_RATES,
    Check,
    CodeReport,
    ContextReport,
    Evaluation,
    Figures,
    Interval,
    Load,
    Variant,
)

TARGET_PER_WEARER_DAY: Final = 0.14
"""The load held to be bearable: at most so many incidents a wearer-day, with an event or without."""

NOTHING: Final = "–"
"""Said where there was nothing to count."""

SILENT: Final = "Baselines that ring nothing for a code are left out, “never” always: recall 0, no false alert."
"""Said under a table of codes."""

_LEAST_SAID: Final = 0.0001
_DECIMALS_BELOW: Final = ((0.001, 4), (1, 3), (10, 2))
_SECONDS_BELOW: Final = 120
_MINUTES_BELOW: Final = 120 * 60
_HOURS_BELOW: Final = 48 * 3600

Say = Callable[[float | None], str]


def share(value: float | None) -> str:
    """A share of 1, to a thousandth.

    >>> share(0.9846), share(None)
    ('0.985', '–')
    """
    return NOTHING if value is None else f"{value:.3f}"


def rate(value: float | None) -> str:
    """A figure per wearer-day or per event, to a thousandth, and what is smaller but not nothing to its first digit.

    >>> rate(0), rate(4.42), rate(0.0524), rate(0.00031), rate(0.00001)
    ('0', '4.42', '0.052', '0.0003', '<0.0001')
    """
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if value < _LEAST_SAID:
        return f"<{_LEAST_SAID}"
    return f"{value:.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    return next((decimals for below, decimals in _DECIMALS_BELOW if value < below), 1)


def seconds(value: float | None) -> str:
    """A duration given in seconds, in the unit in which people would say it.

    >>> seconds(58), seconds(390), seconds(8_280), seconds(200_000), seconds(None)
    ('58 s', '6.5 min', '2.3 h', '2.3 d', '–')
    """
    if value is None:
        return NOTHING
    if value < _SECONDS_BELOW:
        return f"{value:.0f} s"
    if value < _MINUTES_BELOW:
        return f"{value / 60:.1f} min"
    return f"{value / 3600:.1f} h" if value < _HOURS_BELOW else f"{value / 86_400:.1f} d"


def with_interval(interval: Interval, say: Say) -> str:
    """A figure followed by its interval.

    >>> with_interval(Interval(0.97, 0.94, 0.99), share), with_interval(Interval(), share)
    ('0.970 (0.940–0.990)', '–')
    """
    if interval.value is None or interval.low is None or interval.high is None:
        return say(interval.value)
    return f"{say(interval.value)} ({say(interval.low)}–{say(interval.high)})"


def precise(figures: Figures, event_rate: float) -> str:
    """Precision at a rate of true events, and the least that the data leave it."""
    said, least = (by_rate.get(str(event_rate)) for by_rate in (figures.precision, figures.precision_at_least))
    return rate(said) if least is None or said is None else f"{rate(said)} (≥{rate(least)})"


def most_first(counts: Mapping[str, int]) -> str:
    """Counts by name, most first.

    >>> most_first({"zone.exit": 2, "zone.enter": 0, "device.silence": 5})
    'device.silence 5, zone.exit 2'
    """
    met = sorted((-count, name) for name, count in counts.items() if count)
    return ", ".join(f"{name} {-less}" for less, name in met) or "none"


def without_detector(codes: Iterable[CodeReport]) -> list[CodeReport]:
    """The codes for which no detector is built yet."""
    return [report for report in codes if not report.has_detector]


def excuse(report: CodeReport) -> str:
    """One plain sentence about a code without detector."""
    if report.ours.events == 0:
        return f"{report.code} has no detector yet, and no event asked for one."
    return f"{report.code} has no detector yet: all of its {report.ours.events} events are missed."


def print_table(evaluation: Evaluation, console: Console) -> None:
    """Print an evaluation for people at a terminal of 120 columns or more."""
    for part in _parts(evaluation):
        console.print(part, highlight=False)
        console.print()


def _parts(evaluation: Evaluation) -> Iterator[Table | Text]:
    yield _head(evaluation)
    yield _codes_table(evaluation.codes)
    yield Text(SILENT)
    if excuses := [excuse(report) for report in without_detector(evaluation.codes)]:
        yield Text("\n".join(excuses), style="yellow")
    if any(report.variants for report in evaluation.codes):
        yield _kinds_table(evaluation.codes)
    if evaluation.contexts:
        yield _contexts_table(evaluation.contexts)
    yield _load_table(evaluation.load)
    yield Text(load_note(evaluation.load))
    if evaluation.checks:
        yield _checks_table(evaluation.checks)


def _head(evaluation: Evaluation) -> Text:
    seed = "" if evaluation.seed is None else f", seed {evaluation.seed}"
    degraded = f"\ndegraded by: {', '.join(evaluation.degradations)}" if evaluation.degradations else ""
    reporting = f"\n{evaluation.reporting}" if evaluation.reporting else ""
    return Text.assemble(
        (evaluation.title, "bold"),
        f"  {evaluation.date}{seed}: {evaluation.wearers:,} wearers, {evaluation.wearer_days:,.0f} wearer-days, ",
        f"{evaluation.readings:,} readings{reporting}{degraded}",
    )


_FIGURE_COLUMNS: Final[tuple[tuple[str, Callable[[Figures], str]], ...]] = (
    ("events", lambda f: f"{f.events:,}"),
    ("recall", lambda f: with_interval(f.recall, share)),
    ("false /\nwearer-day", lambda f: with_interval(f.false_per_wearer_day, rate)),
    ("worst\ntenth", lambda f: rate(f.worst_decile_per_wearer_day)),
    ("p50\nto find", lambda f: seconds(f.detect_p50_s.value)),
    ("p95\nto find", lambda f: seconds(f.detect_p95_s.value)),
    (f"prec.\nat {EVENT_RATES[0]}", lambda f: precise(f, EVENT_RATES[0])),
    ("alerts\n/event", lambda f: rate(f.alerts_per_event.value)),
    ("ex-\nplained", lambda f: f"{f.explained:,}"),
)


def _codes_table(codes: Iterable[CodeReport]) -> Table:
    table = plain_table("code", *(heading for heading, _ in _FIGURE_COLUMNS))
    for report in codes:
        table.add_row(*_our_cells(report), style="" if report.has_detector else "yellow")
        for name, figures in ringing(report).items():
            table.add_row(Padding(Text(name), (0, 0, 0, 2)), *texts(*_cells(figures)), style="dim")
    return table


def ringing(report: CodeReport) -> dict[str, Figures]:
    """The baselines that ring anything for a code: all others find nothing, and ring nothing falsely."""
    return {name: figures for name, figures in report.baselines.items() if figures.alerts}


def _our_cells(report: CodeReport) -> list[Text]:
    if report.has_detector:
        return texts(report.code, *_cells(report.ours))
    return texts(report.code, f"{report.ours.events:,}", "no detector", *[NOTHING] * (len(_FIGURE_COLUMNS) - 2))


def _cells(figures: Figures) -> list[str]:
    return [say(figures) for _, say in _FIGURE_COLUMNS]


def _kinds_table(codes: Iterable[CodeReport]) -> Table:
    table = plain_table("code", "kind", "events", "found", "recall", "found in p50", left=2)
    for report in codes:
        for number, variant in enumerate(report.variants):
            table.add_row(*texts("" if number else report.code, *_kind_cells(variant)))
    return table


def _kind_cells(variant: Variant) -> list[str]:
    counts = [f"{variant.events:,}", f"{variant.found:,}"]
    return [variant.kind, *counts, with_interval(variant.recall, share), seconds(variant.detect_p50_s)]


def per_occurrence(context: ContextReport) -> float | None:
    """False alerts a hard negative; None where it never occurred."""
    return sum(context.false_alerts.values()) / context.occurrences if context.occurrences else None


def _contexts_table(contexts: Iterable[ContextReport]) -> Table:
    table = plain_table("hard negative", "occurrences", "false each", "false alerts by code")
    table.columns[-1].justify = "left"
    table.columns[-1].no_wrap = False
    for context in contexts:
        each = rate(per_occurrence(context))
        table.add_row(*texts(context.context, f"{context.occurrences:,}", each, most_first(context.false_alerts)))
    return table


def loads(load: Load) -> list[tuple[str, Interval]]:
    """What operators would have met, by its name: incidents per wearer-day."""
    return [
        ("all", load.per_wearer_day),
        ("without an event", load.without_event_per_wearer_day),
        ("wearers without any event", load.undisturbed_per_wearer_day),
    ]


def load_note(load: Load) -> str:
    """What the load is held against, and what it is made of."""
    made_of = f"{load.incidents:,} incidents: {most_first(load.by_priority)}"
    return f"At most {TARGET_PER_WEARER_DAY} a wearer-day is the target. {made_of}."


def _load_table(load: Load) -> Table:
    table = plain_table("load", "incidents / wearer-day")
    for name, interval in loads(load):
        table.add_row(*texts(name, with_interval(interval, rate)))
    return table


def _checks_table(checks: Iterable[Check]) -> Table:
    table = plain_table("check", "", "", left=3)
    table.columns[-1].no_wrap = False
    for check in checks:
        verdict = Text("passed", "green") if check.passed else Text("FAILED", "bold red")
        table.add_row(Text(check.name), verdict, Text(check.detail))
    return table


def plain_table(*headings: str, left: int = 1) -> Table:
    """A plain table whose first columns are names, which may wrap, and whose others are figures, which never do."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < left else "right", no_wrap=place >= left)
    return table


def texts(*cells: str) -> list[Text]:
    """Cells of a row."""
    # As plain text: a name with brackets would otherwise be taken for rich's markup.
    return [Text(cell) for cell in cells]
