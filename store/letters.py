"""Dead letters looked at and asked to be judged again; what became of each request stays on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from psycopg.rows import class_row

from store.connection import Connection, Link, translated

DONE_WELL: Final = ("stored", "duplicate", "ignored")
"""Outcomes after which nothing of a letter is left to do."""


class LetterError(Exception):
    """What was asked about letters cannot be answered; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter as it is kept; ``replay_no`` is 0 unless it was asked for, ``outcome`` that of its last replay."""

    number: int
    received_ms: int
    topic: str
    reason: str
    detail: str
    readings: list[int]
    content_type: str
    payload: bytes
    outcome: str = ""
    replay_no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters: None means any. ``waiting_only`` leaves out those replayed well."""

    reason: str | None = None
    org: str | None = None
    since: datetime | None = None
    waiting_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a replay: ``outcome`` is stored, duplicate, ignored, no_consent, no_payload or a reject reason."""

    replay_no: int
    number: int
    outcome: str
    detail: str = ""
    stored: int = 0
    duplicates: int = 0


_COLUMNS: Final[LiteralString] = """
    dead_letter_no AS number, (extract(epoch FROM received_at) * 1000)::bigint AS received_ms, topic, reason,
    dead_letter.detail, readings, content_type, payload
"""
_LAST: Final[LiteralString] = """
    LEFT JOIN LATERAL (
        SELECT CASE WHEN done_at IS NULL THEN 'asked' ELSE outcome END AS outcome FROM dead_letter_replay
        WHERE dead_letter_replay.dead_letter_no = dead_letter.dead_letter_no ORDER BY replay_no DESC LIMIT 1
    ) AS last ON true
"""
_WHERE: Final[LiteralString] = """
    WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
      AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
      AND (%(org)s::text IS NULL OR split_part(topic, '/', CASE WHEN topic LIKE 'wb/%%' THEN 3 ELSE 2 END) = %(org)s)
      AND (NOT %(waiting_only)s OR last.outcome IS NULL OR last.outcome <> ALL (%(done_well)s))
"""
_LIST: Final = f"""
    SELECT {_COLUMNS}, coalesce(last.outcome, '') AS outcome FROM dead_letter {_LAST} {_WHERE}
    ORDER BY dead_letter_no DESC LIMIT %(limit)s
"""  # noqa: S608 - pieces of our own
_COUNTS: Final = f"SELECT reason, count(*) FROM dead_letter {_LAST} {_WHERE} GROUP BY reason ORDER BY 2 DESC, 1"  # noqa: S608
_FIND: Final = f"""
    SELECT {_COLUMNS}, coalesce(last.outcome, '') AS outcome FROM dead_letter {_LAST} WHERE dead_letter_no = %s
"""  # noqa: S608
_WEARERS: Final = """
    SELECT DISTINCT wearer FROM assignment
    WHERE device = %s AND upper_inf(recorded) AND validity @> to_timestamp(%s / 1000.0)
"""
_ASK: Final = """
    INSERT INTO dead_letter_replay (dead_letter_no, asked_at, asked_by)
    SELECT dead_letter_no, %s, %s FROM dead_letter WHERE dead_letter_no = ANY (%s) ORDER BY dead_letter_no
    RETURNING replay_no
"""
_WAITING: Final = f"""
    SELECT {_COLUMNS}, replay_no FROM dead_letter_replay JOIN dead_letter USING (dead_letter_no)
    WHERE done_at IS NULL ORDER BY replay_no LIMIT %s
"""  # noqa: S608
_DONE: Final = """
    UPDATE dead_letter_replay SET done_at = timestamptz 'epoch' + %s * interval '1 millisecond', outcome = %s,
                                  detail = %s, stored = %s, duplicates = %s
    WHERE replay_no = %s AND done_at IS NULL
"""
_ERASE: Final = """
    UPDATE dead_letter SET payload = ''
    FROM dead_letter_replay AS asked WHERE asked.dead_letter_no = dead_letter.dead_letter_no AND asked.replay_no = %s
"""
_OUTCOMES: Final = """
    SELECT replay_no, dead_letter_no AS number, outcome, detail, stored, duplicates FROM dead_letter_replay
    WHERE replay_no = ANY (%s) AND done_at IS NOT NULL ORDER BY replay_no
"""


def counts(connection: Connection, wanted: Wanted) -> dict[str, int]:
    """How many letters there are by reason, most first."""
    return dict(connection.execute(_COUNTS, _facts(wanted)).fetchall())


def letters(connection: Connection, wanted: Wanted, limit: int) -> list[Letter]:
    """The newest letters, newest first, at most ``limit``."""
    with connection.cursor(row_factory=class_row(Letter)) as cursor:
        return cursor.execute(_LIST, {**_facts(wanted), "limit": limit}).fetchall()


def find_letter(connection: Connection, number: int) -> Letter | None:
    """One letter, or None."""
    with connection.cursor(row_factory=class_row(Letter)) as cursor:
        return cursor.execute(_FIND, (number,)).fetchone()


def wearers_of(connection: Connection, device: str, at_ms: int) -> list[str]:
    """Who had a band at a moment."""
    return [wearer for (wearer,) in connection.execute(_WEARERS, (device, at_ms))]


def ask(connection: Connection, numbers: Sequence[int], by: str, at: datetime) -> list[int]:
    """Ask the stream to judge letters again; the numbers of the requests, fewer where there is no such letter."""
    return [replay_no for (replay_no,) in connection.execute(_ASK, (at, by, list(numbers)))]


def outcomes(connection: Connection, replay_nos: Sequence[int]) -> list[Outcome]:
    """What became of these requests, as far as they are done."""
    with connection.cursor(row_factory=class_row(Outcome)) as cursor:
        return cursor.execute(_OUTCOMES, (list(replay_nos),)).fetchall()


def _facts(wanted: Wanted) -> dict[str, object]:
    return {name: getattr(wanted, name) for name in Wanted.__slots__} | {"done_well": list(DONE_WELL)}


class ReplayDesk:
    """The stream's side: requests that wait, and where their outcome is written. One connection, made anew if lost.

    Raises ``StoreUnavailable`` where trying again helps.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._link = Link(url, autocommit=True)

    def waiting(self, limit: int) -> list[Letter]:
        """The oldest requests not done yet, each with its letter."""
        with translated(self._url), self._link.open().cursor(row_factory=class_row(Letter)) as cursor:
            return cursor.execute(_WAITING, (limit,)).fetchall()

    def done(
        self, replay_no: int, *, outcome: str, detail: str, stored: int, duplicates: int, at_ms: int, erase: bool
    ) -> None:
        """Write what became of a request; ``erase`` the payload where the law forbids to keep it (ADR 0003)."""
        row = (at_ms, outcome, detail, stored, duplicates, replay_no)
        with self._link.transaction() as connection:
            connection.execute(_DONE, row)
            if erase:
                connection.execute(_ERASE, (replay_no,))

    def close(self) -> None:
        """Give the connection back."""
        self._link.close()
