"""A command on its way to a band: what is asked, of which band, why, until when it makes sense; and what came back."""

from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid5

import msgspec

from schemas.alerts import NAMESPACE
from schemas.wire import Command, CommandAck, CommandType


class CommandDrop(StrEnum):
    """Why a command never left (``expired``), or why an answer to one says nothing."""

    EXPIRED = "expired"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"


class DeviceCommand(msgspec.Struct, frozen=True, kw_only=True):
    """One command to one band, with what decided it.

    ``asked_ms`` is the event time of the reading that decided. After ``expires_ms`` (UTC, our clock) it is not sent
    any more: it would speak of a moment that has passed.
    """

    command: Command
    org: str
    device: str
    device_no: int
    asked_ms: int
    expires_ms: int
    reason: str


class HeardAck(NamedTuple):
    """What came in on a band's ``…/ack``; ``ack`` is None where its bytes are no answer."""

    device: str
    ack: CommandAck | None


def command_id(org: str, device: str, asked_ms: int, kind: CommandType) -> UUID:
    """The id of a command, a function of what decided it: a replay asks under the same name.

    >>> command_id("dongqu", "band-1", 0, CommandType.PLAN) == command_id("dongqu", "band-1", 0, CommandType.PLAN)
    True
    """
    return uuid5(NAMESPACE, f"{org}/{device}|command|{kind.value}|{asked_ms}")
