"""Reads what really happened from JSON lines, whoever wrote them; a bad file is one error that names every bad line."""

import gzip
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from evaluation.outcome import Context, Event
from schemas.alerts import AlertCode
from schemas.truth import ContextLine, TruthLine

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CODES: Final = {code.value: code for code in AlertCode}


class TruthError(Exception):
    """A file that cannot be judged by, with every problem found in it.

    >>> print(TruthError("truth.jsonl", ["line 4: no JSON object"]))
    truth.jsonl: 1 problem; nothing was judged
      line 4: no JSON object
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}; nothing was judged" + "".join(f"\n  {problem}" for problem in problems))
        self.problems = list(problems)


def read_truth(path: Path, devices: Collection[str] | None = None) -> list[Event]:
    """The events of a file of ``TruthLine``s (``.gz`` too), in its order; times may have any offset from UTC.

    ``devices`` are the capture's bands; None asks nothing of the names. Raises ``TruthError`` with all that is wrong:
    lines that are none, unknown codes and bands, times that run backwards, and intervals of one band, code and zone
    that overlap (two events that nobody could tell apart would be counted twice).
    """
    bands = None if devices is None else frozenset(devices)
    lines = [_Line(number, raw) for number, raw in _lines(path)]
    events = [(line.number, event) for line in lines if (event := _event(line, bands))]
    _refuse(path, [*_problems(lines), *_overlaps(events)])
    return [event for _, event in events]


def read_contexts(path: Path) -> list[Context]:
    """The hard negatives of a file of ``ContextLine``s (``.gz`` too); raises ``TruthError`` like ``read_truth``."""
    lines = [_Line(number, raw) for number, raw in _lines(path)]
    contexts = [_context(line) for line in lines]
    _refuse(path, _problems(lines))
    return [context for context in contexts if context]


def events_of(lines: Iterable[TruthLine]) -> list[Event]:
    """Lines of our own making, taken at their word."""
    return [Event(line.device, line.code, _ms(line.start), _ms(line.end), line.parameters) for line in lines]


def contexts_of(lines: Iterable[ContextLine]) -> list[Context]:
    """Lines of our own making, taken at their word."""
    return [Context(line.device, line.context, _ms(line.start), _ms(line.end)) for line in lines]


class _Span(NamedTuple):
    start_ms: int
    end_ms: int
    line: int


class _Line:
    """One line as it is read, field by field: None for what is not as it should be, which ``problems`` then tells."""

    def __init__(self, number: int, raw: bytes) -> None:
        self.number = number
        self.problems: list[str] = []
        try:
            self._fields: Any = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fields = None
        self.is_object = isinstance(self._fields, dict)
        if not self.is_object:
            self.problems.append("no JSON object; write one event a line")

    def only(self, known: Sequence[str]) -> None:
        """Refuse fields of other names."""
        for name in sorted(self._fields.keys() - set(known)):
            self.problems.append(f"unknown field {name}{_nearest(name, known)}; leave it out or put it into parameters")

    def text(self, name: str) -> str | None:
        value = self._fields.get(name)
        if isinstance(value, str) and value:
            return value
        self.problems.append(f"{name} {self._is_wrong(name)}; write a text that is not empty")
        return None

    def parameters(self) -> dict[str, Any]:
        parameters = self._fields.get("parameters")
        if not isinstance(parameters, dict):
            self.problems.append(f"parameters {self._is_wrong('parameters')}; write an object, {{}} if there are none")
            return {}
        for name in ("kind", "zone"):
            if not isinstance(parameters.get(name, ""), str):
                self.problems.append(f"parameters.{name} is no text; write its name in quotes")
        return parameters

    def code(self) -> AlertCode | None:
        name = self.text("code")
        if name is None or name in _CODES:
            return _CODES[name] if name else None
        self.problems.append(f"unknown code {name}{_nearest(name, _CODES)}; write a code of the alert that should ring")
        return None

    def span(self) -> tuple[int, int] | None:
        """Start and end in ms."""
        start_ms, end_ms = self._moment("start"), self._moment("end")
        if start_ms is None or end_ms is None:
            return None
        if end_ms < start_ms:
            self.problems.append(f"end {self._fields['end']} is before start {self._fields['start']}; exchange them")
            return None
        return start_ms, end_ms

    def _moment(self, name: str) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text.upper())
        except ValueError:
            self.problems.append(f"{name} {text} is no time; write it like 2026-11-23T10:00:00+08:00")
            return None
        if moment.tzinfo is None:
            self.problems.append(f"{name} {text} has no offset from UTC; add Z or one like +08:00")
            return None
        return _since_epoch_ms(moment)

    def _is_wrong(self, name: str) -> str:
        if name not in self._fields:
            return "is missing"
        return f"is {msgspec.json.encode(self._fields[name]).decode():.60}"


def _event(line: _Line, bands: frozenset[str] | None) -> Event | None:
    if not line.is_object:
        return None
    line.only(TruthLine.__struct_fields__)
    device, code, span, parameters = line.text("device"), line.code(), line.span(), line.parameters()
    if device and bands is not None and device not in bands:
        line.problems.append(f"the capture has no band {device}; write it as the topics do, or leave its events out")
    return Event(device, code, *span, parameters) if device and code and span else None


def _context(line: _Line) -> Context | None:
    if not line.is_object:
        return None
    line.only(ContextLine.__struct_fields__)
    device, name, span, _ = line.text("device"), line.text("context"), line.span(), line.parameters()
    return Context(device, name, *span) if device and name and span else None


def _overlaps(events: Iterable[tuple[int, Event]]) -> Iterator[tuple[int, str]]:
    alike: defaultdict[tuple[str, AlertCode, str], list[_Span]] = defaultdict(list)
    for number, event in events:
        key = event.device, event.code, str(event.parameters.get("zone", ""))
        alike[key].append(_Span(event.start_ms, event.end_ms, number))
    for (device, code, zone), spans in alike.items():
        what = " ".join(filter(None, (device, code.value, zone)))
        for one, other in _overlapping(sorted(spans)):
            told = f"overlaps line {min(one, other)} ({what}); make one event of them or part their times"
            yield max(one, other), told


def _overlapping(spans: Sequence[_Span]) -> Iterator[tuple[int, int]]:
    """For spans by start, the lines of each that begins before all earlier ones have ended, and of the last to end."""
    furthest = spans[0]
    for span in spans[1:]:
        if span.start_ms < furthest.end_ms or span.start_ms == furthest.start_ms:
            yield furthest.line, span.line
        furthest = max(furthest, span, key=lambda span: span.end_ms)


def _lines(path: Path) -> list[tuple[int, bytes]]:
    """Numbered from 1; empty ones are passed over."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return [(number, line) for number, line in enumerate(stream, 1) if line.strip()]
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TruthError(path.name, [f"cannot be read ({reason}); check that it is there and whole"]) from error


def _problems(lines: Iterable[_Line]) -> list[tuple[int, str]]:
    return [(line.number, problem) for line in lines for problem in line.problems]


def _refuse(path: Path, problems: Sequence[tuple[int, str]]) -> None:
    if problems:
        told = sorted(problems, key=lambda problem: problem[0])
        raise TruthError(path.name, [f"line {number}: {problem}" for number, problem in told])


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), n=1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _ms(text: str) -> int:
    return _since_epoch_ms(datetime.fromisoformat(text))


def _since_epoch_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
