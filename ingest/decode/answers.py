"""What every decoder answers, and what decoders of formats other than ours have to agree on."""

from collections.abc import Callable
from typing import Final, NamedTuple
from zlib import crc32

from schemas.reasons import RejectReason
from schemas.wire import Uplink

ASSUMED_ACCURACY_M: Final = 100.0
"""Of a position whose sender gives none: what US law asks of networks locating a call in 67 % (47 CFR 20.18(h)).

A position taken for exact would ring at every wall; one of 100 m must lie well outside before it says anything.
"""
_DETAIL_CHARS: Final = 200


class Decoded(NamedTuple):
    """A payload that was taken; ``unknown_fields`` were ignored, but somebody should know."""

    uplink: Uplink
    unknown_fields: bool


class Refusal(NamedTuple):
    """Why a payload was not taken, for people and for counting."""

    reason: RejectReason
    detail: str


class Ignored(NamedTuple):
    """A message that its format knows and that says nothing to judge; counted under ``name``, from a bounded set."""

    name: str


Answer = Decoded | Refusal | Ignored
Decoder = Callable[[bytes, str | None, int], Answer]
"""Payload, MQTT 5 content type, and when it reached us (UTC ms) → an answer. Pure, and no input raises."""


def printable(text: str) -> str:
    """A short text that any log and any database takes: no control characters, no lone surrogates.

    >>> printable("a" + chr(0) + "b")
    'a?b'
    """
    return "".join(c if c.isprintable() else "?" for c in text[:_DETAIL_CHARS])


def malformed(error: Exception) -> Refusal:
    """The answer to bytes that are not the format; what a parser said, in words that may be shown."""
    return Refusal(RejectReason.MALFORMED, printable(str(error) or type(error).__name__))


def content_number(payload: bytes) -> int:
    """A number for a message whose format has none: below zero, the same for the same bytes.

    So the same bytes again are a duplicate, and another message of the same second is not. It says nothing of order.

    >>> content_number(b"a") == content_number(b"a") != content_number(b"b")
    True
    >>> content_number(b"a") < 0
    True
    """
    return -1 - crc32(payload)
