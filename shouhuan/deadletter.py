"""``shouhuan deadletter``: what could not be taken, looked at and judged again."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.decode.cbor import plain
from ingest.directory import Directory
from ingest.replays import STORED, again
from schemas.topics import parse_uplink
from shouhuan.clock import now
from shouhuan.explain import os_user
from shouhuan.settings import Settings
from shouhuan.stream import vet_config
from store.acts import Act, audit_with
from store.connection import Connection, connect, translated
from store.history import has_order
from store.letters import (
    DONE_WELL,
    Letter,
    LetterError,
    Outcome,
    Wanted,
    ask,
    counts,
    find_letter,
    letters,
    outcomes,
    wearers_of,
)
from store.registry import load_registry

_SPAN: Final = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_MOST: Final = 10_000
_HEX_BYTES: Final = 16
_HEX_LINES: Final = 64
_LOOK_EVERY_S: Final = 0.1


def show_list(
    settings: Settings, reason: str | None, org: str | None, since: str | None, limit: int, out: Console
) -> None:
    """Print how many letters there are of each reason, and the newest ones. Raises ``LetterError``."""
    wanted = Wanted(reason=reason, org=org, since=None if since is None else moment(since, now()))
    with _connected(settings) as connection:
        by_reason, found = counts(connection, wanted), letters(connection, wanted, limit)
    summary = Table("reason", "letters", title="dead letters")
    for name, count in by_reason.items():
        summary.add_row(name, f"{count:,}")
    out.print(summary)
    table = Table("letter", "received", "topic", "reason", "detail", "replayed")
    for letter in found:
        outcome = letter.outcome or "-"
        table.add_row(
            str(letter.number), _time(letter), *map(_text, (letter.topic, letter.reason, letter.detail, outcome))
        )
    if found:
        out.print(table)


def show(settings: Settings, number: int, operator: str | None, out: Console) -> None:
    """Print one letter; the look is in the audit before anything is read. Raises ``LetterError``."""
    with _connected(settings) as connection:
        letter = find_letter(connection, number)
        refusal = _audited(connection, letter, number, operator or os_user())
    if letter is None:
        raise LetterError(refusal)
    facts = Table(show_header=False, box=None)
    for name, value in _facts(letter):
        facts.add_row(name, _text(value))
    out.print(facts)
    for line in [refusal] if refusal else payload_lines(letter.payload):
        out.print(_text(line), soft_wrap=True)


def replay(
    settings: Settings,
    numbers: Sequence[int],
    reason: str | None,
    operator: str | None,
    wait_s: float,
    out: Console,
    *,
    dry_run: bool,
) -> int:
    """Ask the stream to judge letters again and print what became of them; 1 if any was refused again or still waits.

    Raises ``LetterError``.
    """
    with _connected(settings) as connection:
        chosen = _chosen(connection, numbers, reason)
        if dry_run:
            done = _foretold(connection, settings, chosen)
        else:
            asked = _ask(connection, chosen, operator or os_user())
            done = _await(connection, asked, wait_s)
    table = Table(
        "letter", "outcome", "stored", "duplicates", "detail", title="would become" if dry_run else "replayed"
    )
    for outcome in done:
        numbers_of = (str(outcome.stored), str(outcome.duplicates))
        table.add_row(str(outcome.number), outcome.outcome, *numbers_of, _text(outcome.detail))
    out.print(table)
    if waiting := len(chosen) - len(done):
        out.print(
            f"{waiting} wait for a running `shouhuan stream`; `shouhuan deadletter list` shows when they are done"
        )
    return int(waiting > 0 or any(outcome.outcome not in DONE_WELL for outcome in done))


def moment(text: str, at: datetime) -> datetime:
    """A moment so long before ``at``, or one with an offset; raises ``LetterError`` for anything else.

    >>> moment("12h", datetime.fromisoformat("2026-11-23T12:00:00+00:00")).isoformat()
    '2026-11-23T00:00:00+00:00'
    """
    if match := _SPAN.fullmatch(text):
        return at - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        given = datetime.min  # noqa: DTZ901 - no offset: refused below
    if given.tzinfo is None:
        raise LetterError(f"--since {text!r} is neither 90m, 12h or 3d nor a time with an offset")
    return given


def payload_lines(payload: bytes) -> list[str]:
    """A payload for eyes: JSON or CBOR indented, anything else in hexadecimal.

    >>> payload_lines(bytes.fromhex("a1617605"))
    ['{', '  "v": 5', '}']
    >>> payload_lines(b"ring!")
    ['00000000  72 69 6e 67 21                                   ring!']
    """
    if not payload:
        return ["the payload was not kept: no order covered it"]
    for read in (msgspec.json.decode, lambda data: plain(data, words_only=False)):
        try:
            told = read(payload)
            if isinstance(told, dict | list):
                return json.dumps(told, indent=2, ensure_ascii=False, default=str).splitlines()
        except Exception:  # noqa: BLE001, S112 - it is one of the others, then
            continue
    return list(_hexdump(payload))


def _hexdump(payload: bytes) -> Iterator[str]:
    for start in range(0, min(len(payload), _HEX_BYTES * _HEX_LINES), _HEX_BYTES):
        piece = payload[start : start + _HEX_BYTES]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)  # noqa: PLR2004 - printable ASCII
        yield f"{start:08x}  {piece.hex(' '):<{3 * _HEX_BYTES}} {shown}"
    if len(payload) > _HEX_BYTES * _HEX_LINES:
        yield f"… {len(payload):,} bytes in all"


def _audited(connection: Connection, letter: Letter | None, number: int, operator: str) -> str:
    """Why the payload may not be seen, or nothing; either way the look is in the audit, as for a track."""
    at, subject = now(), f"deadletter:{number}"
    parts = None if letter is None else parse_uplink(letter.topic)
    wearers = wearers_of(connection, parts.device, letter.received_ms) if letter and parts else []
    unlawful = [wearer for wearer in wearers if not has_order(connection, wearer, at)]
    if letter is None:
        refusal = f"there is no dead letter {number}: see `shouhuan deadletter list`"
    else:
        refusal = f"not shown: no supervision order covers wearer {unlawful[0]} now" if unlawful else ""
    look = Act(at=at, operator=operator, action="deadletter.show", subject=subject, allowed=not refusal, detail=refusal)
    audit_with(connection, look)
    for wearer in wearers if not refusal else []:
        audit_with(
            connection, Act(at=at, operator=operator, action="track.view", subject=f"wearer:{wearer}", detail=subject)
        )
    return refusal


def _chosen(connection: Connection, numbers: Sequence[int], reason: str | None) -> list[Letter]:
    if bool(numbers) == (reason is not None):
        raise LetterError("name letters by number, or all of one reason with --reason")
    if reason is not None:
        return letters(connection, Wanted(reason=reason, waiting_only=True), _MOST)[::-1]
    found = {number: find_letter(connection, number) for number in numbers}
    if missing := [str(number) for number, letter in found.items() if letter is None]:
        raise LetterError(f"no dead letter {', '.join(missing)}: see `shouhuan deadletter list`")
    return [letter for letter in found.values() if letter is not None]


def _foretold(connection: Connection, settings: Settings, chosen: Sequence[Letter]) -> list[Outcome]:
    directory = Directory.of(load_registry(connection), settings.formats)
    verdicts = [(letter, again(letter, directory, vet_config(settings))) for letter in chosen]
    return [
        Outcome(
            replay_no=0,
            number=letter.number,
            outcome=verdict.outcome or STORED,
            detail=verdict.detail,
            stored=len(verdict.readings),
        )
        for letter, verdict in verdicts
    ]


def _ask(connection: Connection, chosen: Sequence[Letter], operator: str) -> list[int]:
    at = now()
    for letter in chosen:
        act = Act(at=at, operator=operator, action="deadletter.replay", subject=f"deadletter:{letter.number}")
        audit_with(connection, act)
    return ask(connection, [letter.number for letter in chosen], operator, at)


def _await(connection: Connection, asked: Sequence[int], wait_s: float) -> list[Outcome]:
    until = time.monotonic() + wait_s
    while len(done := outcomes(connection, asked)) < len(asked) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
    return done


def _facts(letter: Letter) -> Iterator[tuple[str, str]]:
    yield "letter", str(letter.number)
    yield "received", _time(letter)
    yield "topic", letter.topic
    yield "reason", letter.reason
    yield "detail", letter.detail
    if letter.readings:
        yield "readings", ", ".join(map(str, letter.readings))
    if letter.content_type:
        yield "content type", letter.content_type
    yield "replayed", letter.outcome or "never"
    yield "bytes", f"{len(letter.payload):,}"


def _time(letter: Letter) -> str:
    return datetime.fromtimestamp(letter.received_ms / 1000, now().tzinfo).strftime("%Y-%m-%d %H:%M:%S")


def _text(words: str) -> Text:
    """What a stranger wrote, without markup and without what would move the cursor."""
    return Text("".join(c if c.isprintable() else "?" for c in words))


@contextmanager
def _connected(settings: Settings) -> Iterator[Connection]:
    url = settings.database_url.get_secret_value()
    with translated(url), connect(url, autocommit=True) as connection:
        yield connection
