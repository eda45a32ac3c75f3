"""Files that people write, read with every problem listed: where in the file, what is wrong, what to do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec
import yaml

_AT: Final = re.compile(r"^(?P<message>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)


class Problem(NamedTuple):
    """One thing wrong with a file: where in it, and what.

    >>> print(Problem("zones[3].geometry", "ring is not closed"))
    zones[3].geometry: ring is not closed
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def listed(source: str, problems: "list[Problem] | tuple[Problem, ...]", consequence: str) -> str:
    """An error's text: how many problems, what follows from that, one line each.

    >>> print(listed("a.yaml", [Problem("days", "is missing")], "nothing was run"))
    a.yaml: 1 problem; nothing was run
      days: is missing
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"{source}: {count}; {consequence}" + "".join(f"\n  {problem}" for problem in problems)


def read_plain(path: Path) -> Any:  # noqa: ANN401 - whatever somebody wrote
    """The content of a YAML or JSON file; raises ``ValueError`` with words for people."""
    try:
        text = path.read_text(encoding="utf-8")
        # JSON has a reader of its own, many times faster on a large file; anything else is YAML.
        if path.suffix == ".json":
            return msgspec.json.decode(text)
        # Safe, and where libyaml is there as fast as it gets.
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"is not YAML or JSON: {' '.join(str(error).split())}") from error


def shape_problems(path: str, item: object, kind: Any, said: str) -> Iterator[Problem]:  # noqa: ANN401 - a type form
    """Every field that is wrong, not just the first one, which is where msgspec stops and what it ``said``."""
    if not (isinstance(item, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        yield _problem(path, said)
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in item:
        if name not in fields:
            yield Problem(_below(path, name), f"unknown field; there are {', '.join(fields)}")
    for name, field in fields.items():
        if name in item:
            yield from problems_of(_below(path, name), item[name], field.type)
        elif field.required:
            yield Problem(_below(path, name), "is missing")


def problems_of(path: str, value: object, kind: Any) -> Iterator[Problem]:  # noqa: ANN401 - a type form
    """What is wrong with one value of a type, looking into mappings and objects."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        arguments = get_args(kind)
        if get_origin(kind) is dict and isinstance(value, dict):
            for key, inner in value.items():
                yield from problems_of(_below(path, key), key, arguments[0])
                yield from problems_of(_below(path, key), inner, arguments[1])
        else:
            yield from shape_problems(path, value, kind, str(error))


def _below(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _problem(path: str, said: str) -> Problem:
    """Msgspec's words, with the place in our form and a hint where YAML is known to mislead."""
    match = _AT.match(said)
    message, inner = (said, "") if match is None else (match["message"], match["path"] or "")
    return Problem(path + inner, message + _hint(message))


def _hint(message: str) -> str:
    if message.startswith("Expected `str`, got"):
        return "; write it in quotes"
    if "timezone component" in message or message.startswith("Expected `datetime`"):
        return "; write it like 2026-11-23T08:00:00+08:00"
    return ""
