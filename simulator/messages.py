"""From reports to wire messages: one payload a message, what is absent left out."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from schemas.wire import Source
from simulator.plane import Floats
from simulator.reports import DEVICE, FIX, VITALS, Reports

FIRMWARE: Final = ("1.4.2", "1.3.0")
"""Of most bands, and of those that know less."""

_SWITCHES: Final = ("charging", "strap_closed", "case_closed", "sos")
_SOURCES: Final = [source.value for source in Source]
_YES_NO: Final = (False, True)
_ENCODER: Final = msgspec.json.Encoder()


class Message(NamedTuple):
    """What one band says: its row on the roster, its number, when it reaches the broker, its readings as values."""

    row: int
    seq: int
    sent_s: float
    readings: list[dict[str, Any]]


def messages(reports: Reports, old_firmware: np.ndarray[Any, np.dtype[np.bool_]]) -> Iterator[Message]:
    """The messages of some reports, in their order."""
    readings = list(_readings(reports, old_firmware))
    starts = np.flatnonzero(np.diff(reports.message, prepend=-1))
    ends = [*starts[1:].tolist(), len(reports)]
    heads = zip(
        reports.row[starts].tolist(), reports.seq[starts].tolist(), reports.sent_s[starts].tolist(), strict=True
    )
    for (row, seq, sent_s), first, end in zip(heads, starts.tolist(), ends, strict=True):
        yield Message(row, seq, sent_s, readings[first:end])


def payload(message: Message, seq: int) -> bytes:
    """The bytes of ``…/up`` for a message under a number."""
    return _ENCODER.encode({"v": 1, "seq": seq, "readings": message.readings})


def _readings(reports: Reports, old_firmware: np.ndarray[Any, np.dtype[np.bool_]]) -> Iterator[dict[str, Any]]:
    fixes, vitals = _records(reports.columns, FIX), _records(reports.columns, VITALS)
    devices = _records(reports.columns, DEVICE)
    old = old_firmware[reports.row].tolist()
    for time_ms, fix, body, device, is_old in zip(reports.time_ms.tolist(), fixes, vitals, devices, old, strict=True):
        reading: dict[str, Any] = {"time_ms": time_ms}
        if fix:
            fix["source"] = _SOURCES[int(fix["source"])]
            reading["fix"] = fix
        if body:
            reading["vitals"] = body
        for name in _SWITCHES:
            device[name] = _YES_NO[int(device[name])]
        device["firmware"] = FIRMWARE[is_old]
        reading["device"] = device
        yield reading


def _records(columns: dict[str, Floats], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """One mapping a row, without what is NaN: the only value that is not equal to itself."""
    values = zip(*(columns[name].tolist() for name in names), strict=True)
    return ({n: v for n, v in zip(names, record, strict=True) if v == v} for record in values)  # noqa: PLR0124
