"""The gate against getting worse: figures kept from an earlier evaluation, and what a later one does worse."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from evaluation.outcome import CodeReport, Evaluation, Interval
from evaluation.table import Say, loads, rate, seconds, share

_MORE_IS_WORSE: Final[tuple[tuple[str, str, Callable[[CodeReport], Interval], Say], ...]] = (
    ("false_per_wearer_day", "false alerts a wearer-day", lambda report: report.ours.false_per_wearer_day, rate),
    ("detect_p95_s", "time to find at p95", lambda report: report.ours.detect_p95_s, seconds),
    ("alerts_per_event", "alerts an event", lambda report: report.ours.alerts_per_event, rate),
)


def store(evaluation: Evaluation) -> dict[str, Any]:
    """What to keep of an evaluation, as plain values for JSON.

    ``codes`` by code: ``events`` and, each with its interval, ``recall``, ``false_per_wearer_day``, ``detect_p95_s``,
    ``alerts_per_event``; ``load`` by name, incidents per wearer-day. Figures that could not be counted are None.
    """
    kept: dict[str, Any] = msgspec.to_builtins(
        {
            "command": evaluation.command,
            "date": evaluation.date,
            "codes": {report.code.value: _kept(report) for report in evaluation.codes},
            "load": dict(loads(evaluation.load)),
        }
    )
    return kept


def _kept(report: CodeReport) -> dict[str, Any]:
    others = {name: figure(report) for name, _, figure, _ in _MORE_IS_WORSE}
    return {"events": report.ours.events, "recall": report.ours.recall} | others


def worse(evaluation: Evaluation, stored: Mapping[str, Any]) -> list[str]:
    """One sentence for each figure that is worse than what ``store`` kept, by more than the kept interval.

    Worse are: recall below its low end, everything else above its high end, a code or its events gone, and a failed
    check. A figure that got better, or that the stored evaluation could not count, is no complaint.
    """
    codes = {report.code.value: report for report in evaluation.codes}
    complaints: list[str] = []
    for code, kept in stored["codes"].items():
        complaints += _worse_code(code, codes.get(code), kept)
    for name, figure in loads(evaluation.load):
        complaints += _above(f"load, {name}", figure, stored["load"].get(name), rate)
    complaints += [f"check failed: {c.name} ({c.detail})." for c in evaluation.checks if not c.passed]
    return complaints


def _worse_code(code: str, report: CodeReport | None, kept: Mapping[str, Any]) -> Iterator[str]:
    if report is None:
        yield f"{code}: no longer evaluated."
        return
    if kept["events"] and not report.ours.events:
        yield f"{code}: none of its {kept['events']} events are left to find."
    yield from _below(f"{code}: recall", report.ours.recall, kept["recall"], share)
    for name, words, figure, say in _MORE_IS_WORSE:
        yield from _above(f"{code}: {words}", figure(report), kept[name], say)


def _below(what: str, now: Interval, kept: Mapping[str, float | None], say: Say) -> Iterator[str]:
    low = kept["low"]
    if now.value is not None and low is not None and now.value < low:
        yield f"{what} fell to {say(now.value)}, below {say(low)} (was {say(kept['value'])})."


def _above(what: str, now: Interval, kept: Mapping[str, float | None] | None, say: Say) -> Iterator[str]:
    high = kept["high"] if kept else None
    if kept and now.value is not None and high is not None and now.value > high:
        yield f"{what} rose to {say(now.value)}, above {say(high)} (was {say(kept['value'])})."
