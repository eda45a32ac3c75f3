"""Commands to bands made durable: the outbox from which they leave, and what the bands answered."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET
from psycopg.types.json import Jsonb

from schemas.commands import CommandDrop, DeviceCommand, HeardAck
from schemas.topics import Channel, Topic
from schemas.wire import Command, CommandAck, to_builtins
from store.connection import Connection, Link, scalar
from store.dead_letters import storable

_NAMED: Final = {"id", "type"}
"""What has a column of its own; everything else that a command says stands in ``parameters``."""

_RECORD: Final = """
    INSERT INTO command (id, device_no, type, parameters, asked_at, expires_at, reason, sender)
    VALUES (%(id)s, %(device_no)s, %(type)s, %(parameters)s, %(asked_at)s, %(expires_at)s, %(reason)s, %(sender)s)
    ON CONFLICT DO NOTHING
"""
_WAITING: Final = """
    SELECT device.org, device.id, command.id, command.type, command.parameters, command.expires_at
    FROM command JOIN device ON device.device_no = command.device_no AND upper_inf(device.recorded)
    WHERE command.sender = %s AND command.published_at IS NULL AND command.dropped IS NULL AND command.expires_at > %s
    ORDER BY command.asked_at, command.id LIMIT %s
"""
_EXPIRE: Final = """
    UPDATE command SET dropped = 'expired'
    WHERE sender = %s AND published_at IS NULL AND dropped IS NULL AND expires_at <= %s
"""
# A broker that answers after the expiry had the command all the same: then it was not dropped.
_PUBLISHED: Final = "UPDATE command SET published_at = %s, dropped = NULL WHERE id = ANY(%s) AND published_at IS NULL"
# The row's lock makes one of two workers that hear the same answer the first.
_ASKED: Final = """
    SELECT command.acked_at IS NOT NULL
    FROM command JOIN device ON device.device_no = command.device_no AND upper_inf(device.recorded)
    WHERE command.id = %s AND device.id = %s FOR UPDATE OF command
"""
_ACKED: Final = "UPDATE command SET acked_at = %s, ok = %s, detail = %s WHERE id = %s"
_COUNT: Final = """
    INSERT INTO ack_drop (reason, number, last_at) VALUES (%(reason)s, %(number)s, %(at)s)
    ON CONFLICT (reason) DO UPDATE SET number = ack_drop.number + %(number)s, last_at = %(at)s
"""


class WaitingCommand(NamedTuple):
    """A command that is to leave, where to, and until when."""

    topic: Topic
    command: Command
    expires_at: datetime


class CommandLog:
    """The commands of one sender (a set of workers), for one thread at a time.

    Writing the same again changes nothing. After ``StoreUnavailable`` call again; the connection is made anew.
    """

    def __init__(self, url: str, sender: str) -> None:
        self._sender = sender
        self._link = Link(url)

    def record(self, commands: Sequence[DeviceCommand]) -> None:
        """Make commands durable; one that was recorded before stays as it became since."""
        with self._link.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(_RECORD, [self._row(command) for command in commands])

    def waiting(self, now: datetime, limit: int) -> list[WaitingCommand]:
        """The oldest commands that have not left and still make sense; those of bands we no longer know just expire."""
        with self._link.transaction() as connection:
            rows = connection.execute(_WAITING, (self._sender, now, limit)).fetchall()
        return [_waiting(*row) for row in rows]

    def expire(self, now: datetime) -> int:
        """Drop what never left and makes no sense any more; returns how many."""
        with self._link.transaction() as connection:
            return connection.execute(_EXPIRE, (self._sender, now)).rowcount

    def published(self, ids: Sequence[str], at: datetime) -> None:
        """The broker has taken these: they never leave again."""
        with self._link.transaction() as connection:
            connection.execute(_PUBLISHED, (at, [UUID(name) for name in ids]))

    def acknowledge(self, heard: Sequence[HeardAck], at: datetime) -> Counter[CommandDrop]:
        """Write answers to their commands; returns, and counts in ``ack_drop``, those that say nothing, by reason."""
        dropped = Counter[CommandDrop]()
        with self._link.transaction() as connection:
            dropped.update(why for one in heard if (why := _answer(connection, one, at)) is not None)
            for reason, number in dropped.items():
                connection.execute(_COUNT, {"reason": reason.value, "number": number, "at": at})
        return dropped

    def close(self) -> None:
        """Give the connection back; a later call makes a new one."""
        self._link.close()

    def _row(self, asked: DeviceCommand) -> dict[str, Any]:
        plain = to_builtins(asked.command)
        return {
            "id": UUID(asked.command.id),
            "device_no": asked.device_no,
            "type": asked.command.type.value,
            "parameters": Jsonb({name: value for name, value in plain.items() if name not in _NAMED}),
            "asked_at": _time(asked.asked_ms),
            "expires_at": _time(asked.expires_ms),
            "reason": asked.reason,
            "sender": self._sender,
        }


def _answer(connection: Connection, heard: HeardAck, at: datetime) -> CommandDrop | None:
    """Write one answer to its command, or say why it says nothing: a band answers only for itself, and once."""
    if heard.ack is None:
        return CommandDrop.MALFORMED
    command = _uuid(heard.ack.id)
    answered = None if command is None else scalar(connection, _ASKED, (command, heard.device))
    if answered is None:
        return CommandDrop.UNKNOWN
    if answered:
        return CommandDrop.DUPLICATE
    connection.execute(_ACKED, (at, heard.ack.ok, _detail(heard.ack), command))
    return None


def _detail(ack: CommandAck) -> str | None:
    return None if ack.detail is UNSET else storable(str(ack.detail))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _waiting(
    org: str, device: str, command: UUID, kind: str, parameters: dict[str, Any], expires_at: datetime
) -> WaitingCommand:
    plain = {"id": str(command), "type": kind, **parameters}
    return WaitingCommand(Topic(org, device, Channel.DOWN), msgspec.convert(plain, Command), expires_at)


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC) + timedelta(milliseconds=time_ms % 1000)
