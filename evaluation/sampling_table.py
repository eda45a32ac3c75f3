"""What the sampling loop gave and cost, in words and rows, wherever an evaluation is shown."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from rich.console import Console

from evaluation.outcome import Interval, Paired, Sampling
from evaluation.table import Say, most_first, plain_table, rate, seconds, share, texts

READ_SO: Final = (
    "Each pair of figures is without → with the loop, over the same events of the same run. "
    "Sooner and later count events that both found, by 5 s or more."
)
INTERVALS: Final = "Brackets hold the 95 % interval of the change, by bootstrap over wearers."


class Column(NamedTuple):
    """A figure of both runs, and how sure its change is."""

    heading: str
    figures: Callable[[Paired], str]
    change: Callable[[Paired], str] = lambda _: ""


COLUMNS: Final = (
    Column("events", lambda p: f"{p.events:,}"),
    Column(
        "to find, p50",
        lambda p: _pair(p.without.p50_s, p.closed.p50_s, seconds),
        lambda p: _span(p.p50_change_s, seconds),
    ),
    Column("p95", lambda p: _pair(p.without.p95_s, p.closed.p95_s, seconds), lambda p: _span(p.p95_change_s, seconds)),
    Column("p99", lambda p: _pair(p.without.p99_s, p.closed.p99_s, seconds)),
    Column("sooner / later", lambda p: f"{p.sooner:,} / {p.later:,}"),
    Column(
        "recall", lambda p: _pair(p.recall_without, p.recall_closed, share), lambda p: _span(p.recall_change, share)
    ),
    Column(
        "false / wearer-day",
        lambda p: _pair(p.false_without, p.false_closed, rate),
        lambda p: _span(p.false_change, rate),
    ),
)


def costs(sampling: Sampling) -> list[tuple[str, str]]:
    """What it cost, by name."""
    worst = f"worst tenth of wearers {sampling.battery_worst_tenth_pct:.1f} %"
    return [
        ("time on the fast plan", f"{100 * sampling.fast_share:.1f} %"),
        ("readings", f"{sampling.readings_more_pct:+.1f} % ({sampling.readings_closed:,})"),
        ("battery", f"{sampling.battery_pct:.1f} % of a charge a wearer-day more, {worst}"),
        ("commands", f"{rate(sampling.per_wearer_day)} a wearer-day: {most_first(sampling.asked)}"),
        ("commands that no band heard in time", f"{sampling.expired:,}"),
    ]


def rows(sampling: Sampling) -> Iterator[list[str]]:
    """One row of cells a code, all crossings together first."""
    return ([each.figures(pair) + each.change(pair) for each in COLUMNS] for pair in sampling.codes)


def print_sampling(sampling: Sampling, console: Console) -> None:
    """Print it for people at a terminal, where there is no room for intervals."""
    table = plain_table("sampling loop", *(each.heading for each in COLUMNS))
    for pair in sampling.codes:
        table.add_row(*texts(pair.code, *(each.figures(pair) for each in COLUMNS)))
    spent = plain_table("what it cost", "", left=2)
    for name, words in costs(sampling):
        spent.add_row(*texts(name, words))
    for part in (table, READ_SO, spent):
        console.print(part, highlight=False)
        console.print()


def _pair(before: float | None, after: float | None, say: Say) -> str:
    """Both figures, or one where they are the same.

    >>> _pair(145.0, 53.0, seconds), _pair(1.0, 1.0, share), _pair(None, None, share)
    ('2.4 min → 53 s', '1.000', '–')
    """
    said = [say(before), say(after)]
    return said[0] if said[0] == said[1] else " → ".join(said)


def _span(change: Interval, say: Say) -> str:
    """The interval of a change, signed; nothing where nothing changed.

    >>> _span(Interval(-92.0, -130.0, -40.0), seconds), _span(Interval(0.0, 0.0, 0.0), rate)
    (' (−2.2 min to −40 s)', '')
    """
    if change.low is None or change.high is None or say(abs(change.low)) == say(abs(change.high)) == say(0.0):
        return ""
    return f" ({_signed(change.low, say)} to {_signed(change.high, say)})"


def _signed(value: float, say: Say) -> str:
    said = say(abs(value))
    return said if said == say(0.0) else f"{'+' if value > 0 else '−'}{said}"
