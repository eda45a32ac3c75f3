"""Why a message or a reading was not taken: each drop has one of these names, in logs, metrics and tests alike."""

from enum import StrEnum

import msgspec


class RejectReason(StrEnum):
    """Why bytes became a dead letter (kept, countable, replayable after a fix)."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    ENCRYPTED = "encrypted"
    UNKNOWN_DEVICE = "unknown_device"
    WRONG_ORG = "wrong_org"
    OUT_OF_RANGE = "out_of_range"
    FUTURE = "future"
    TOO_OLD = "too_old"
    NO_ORDER = "no_order"


class DropReason(StrEnum):
    """What is counted but not kept: nothing is lost by it, or the law forbids keeping it."""

    DUPLICATE = "duplicate"
    NO_CONSENT = "no_consent"
    UNKNOWN_FIELD = "unknown_field"
    IGNORED = "ignored"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or some readings of it, that could not be taken.

    ``payload`` is the whole message, except where any reading of it was ``no_order``: keeping a position
    that the law forbids to collect would be collecting it, so there the payload is empty (ADR 0003).
    ``readings`` are the positions refused inside the message; empty means the message as a whole.
    """

    topic: str
    received_ms: int
    reason: RejectReason
    detail: str
    payload: bytes
    readings: tuple[int, ...] = ()
    content_type: str = ""
