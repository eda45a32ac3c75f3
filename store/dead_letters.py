"""Messages that could not be taken, kept whole."""

from collections.abc import Sequence
from typing import Final

from psycopg.types.json import Jsonb

from schemas.reasons import DeadLetter
from store.connection import Connection

_INSERT: Final = """
    INSERT INTO dead_letter (received_at, topic, reason, detail, readings, content_type, payload)
    VALUES (timestamptz 'epoch' + %s * interval '1 millisecond', %s, %s, %s, %s, %s, %b)
"""


def write_dead_letters(connection: Connection, dead_letters: Sequence[DeadLetter]) -> None:
    """Insert them as part of the caller's transaction."""
    if dead_letters:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, [_row(dead_letter) for dead_letter in dead_letters])


def storable(text: str) -> str:
    """A text as PostgreSQL can keep it: no NUL, no half of a surrogate pair.

    >>> storable("a" + chr(0) + "b" + chr(0xD800))
    'a�b?'
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _row(dead_letter: DeadLetter) -> tuple[int, str, str, str, Jsonb, str, bytes]:
    return (
        dead_letter.received_ms,
        storable(dead_letter.topic),
        dead_letter.reason.value,
        storable(dead_letter.detail),
        Jsonb(list(dead_letter.readings)),
        storable(dead_letter.content_type),
        dead_letter.payload,
    )
