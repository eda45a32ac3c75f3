"""From a round's columns to wire messages, in the order in which they are sent."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.wire import DeviceStatus, Fix, Reading, Uplink, Vitals
from simulator.fleet import Round
from simulator.plane import Floats

FIRMWARE: Final = "1.4.2"
_PULSE: Final = ("heart_rate_bpm", "hrv_rmssd_ms", "spo2_pct")
_SWITCHES: Final = ("charging", "strap_closed", "case_closed", "sos")
_ENCODER: Final = msgspec.json.Encoder()


class Message(NamedTuple):
    """What one band says: the row it has on the roster, when (of the run, on the clock), and the reading's parts."""

    row: int
    at_s: float
    time_ms: int
    parts: dict[str, Any]


def messages(round_: Round, measures: NDArray[np.bool_]) -> Iterator[Message]:
    """One message a band that sends, by time; vitals only where ``measures``, a pulse only where it is worn."""
    rows = np.argsort(round_.at_s)
    rows = rows[round_.sends[rows]]
    device = {name: c.astype(np.bool_) if name in _SWITCHES else c for name, c in round_.device.items()}
    columns = zip(
        rows.tolist(),
        round_.at_s[rows].tolist(),
        round_.time_ms[rows].tolist(),
        measures[rows].tolist(),
        round_.worn[rows].tolist(),
        _records(round_.fix, rows),
        _records(round_.vitals, rows),
        _records(device, rows),
        strict=True,
    )
    for row, at_s, time_ms, measured, worn, fix, vitals, status in columns:
        parts = {"fix": Fix(**fix), "device": DeviceStatus(**status, firmware=FIRMWARE)}
        if measured:
            parts["vitals"] = Vitals(**(vitals if worn else _without_pulse(vitals)))
        yield Message(row, at_s, time_ms, parts)


def payload(message: Message, seq: int, time_ms: int) -> bytes:
    """The bytes of ``…/up`` for a message stamped with a time."""
    return _ENCODER.encode(Uplink(v=1, seq=seq, readings=[Reading(time_ms=time_ms, **message.parts)]))


def _records(columns: dict[str, Any], rows: NDArray[np.intp]) -> Iterator[dict[str, Any]]:
    names = tuple(columns)
    values: list[list[Floats]] = [column[rows].tolist() for column in columns.values()]
    return (dict(zip(names, record, strict=True)) for record in zip(*values, strict=True))


def _without_pulse(vitals: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in vitals.items() if name not in _PULSE}
