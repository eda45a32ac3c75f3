"""Messages in, columns and dead letters out: shape was checked by the decoder, here come law, time and range."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from ingest.decode.answers import Decoded, Ignored, Refusal, printable
from ingest.directory import Directory, Entry
from schemas.readings import ABSENT, DTYPES, SOURCE_CODE, VITALS_COLUMNS, Readings
from schemas.reasons import DeadLetter, RejectReason
from schemas.wire import LIMITS, MAX_FIRMWARE_BYTES, NAN, DeviceStatus, Reading, Vitals


class Message(NamedTuple):
    """One MQTT publication as it reached us."""

    topic: str
    payload: bytes
    received_ms: int
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class VetConfig:
    """How far a band's clock may be off, and for how long it may have stored."""

    max_future_s: float = 120.0
    max_age_s: float = 30 * 86_400.0


class Batch(NamedTuple):
    """What became of some messages; every reading is in ``readings`` or under a dead letter.

    ``ignored`` counts messages that their format knows and that carry no reading, by name.
    """

    readings: Readings
    dead_letters: list[DeadLetter]
    messages: int
    no_consent: int
    unknown_field: int
    ignored: dict[str, int] = {}  # noqa: RUF012 - never changed


_NO_VITALS: Final = Vitals()
_NO_DEVICE: Final = DeviceStatus()
_NO_FIX: Final = (NAN, NAN, NAN, NAN, NAN, NAN, ABSENT, NAN, NAN, NAN)
_YES_NO: Final[dict[Any, int]] = {True: 1, False: 0, UNSET: ABSENT}
_RANGED: Final = tuple(LIMITS.items())
_COLUMNS: Final = tuple(DTYPES.items())


def vet(messages: Sequence[Message], directory: Directory, config: VetConfig) -> Batch:
    """Decode and vet messages in order. No input raises; nothing disappears without a reason."""
    rows: list[tuple[Any, ...]] = []
    origin: list[tuple[int, int]] = []
    refused: dict[tuple[int, RejectReason], list[tuple[int, str]]] = defaultdict(list)
    whole = -1
    unknown_field = 0
    ignored: Counter[str] = Counter()
    for number, message in enumerate(messages):
        entry = directory.look_up(message.topic)
        if isinstance(entry, Refusal):
            refused[number, entry.reason].append((whole, entry.detail))
            continue
        decoded = entry.decode(message.payload, message.content_type, message.received_ms)
        if not isinstance(decoded, Decoded):
            if isinstance(decoded, Ignored):
                ignored[decoded.name] += 1
            else:
                refused[number, decoded.reason].append((whole, decoded.detail))
            continue
        unknown_field += decoded.unknown_fields
        for place, row in enumerate(_rows(entry, decoded, message.received_ms)):
            if isinstance(row, Refusal):
                refused[number, row.reason].append((place, row.detail))
            else:
                rows.append(row)
                origin.append((number, place))
    readings, consented = _columns(rows)
    wrong = _refusals(readings, config)
    for index, refusal in wrong.items():
        number, place = origin[index]
        refused[number, refusal.reason].append((place, refusal.detail))
    if wrong:
        kept = np.setdiff1d(np.arange(len(readings)), list(wrong))
        readings, consented = readings.take(kept), consented[kept]
    readings, no_consent = _without_unconsented(readings, consented)
    return Batch(readings, list(_letters(messages, refused)), len(messages), no_consent, unknown_field, ignored)


def _rows(entry: Entry, decoded: Decoded, received_ms: int) -> Iterable[tuple[Any, ...] | Refusal]:
    seq = decoded.uplink.seq
    for reading in decoded.uplink.readings:
        span = entry.span_at(reading.time_ms)
        if span is None:
            yield Refusal(RejectReason.NO_ORDER, "no supervision order covers this time")
        else:
            yield _row((entry.device_no, span.wearer_no, seq, reading.time_ms, received_ms), reading, span.vitals)


def _row(head: tuple[int, ...], reading: Reading, consented: bool) -> tuple[Any, ...] | Refusal:  # noqa: FBT001
    fix = reading.fix
    vitals = _NO_VITALS if reading.vitals is UNSET else reading.vitals
    device = _NO_DEVICE if reading.device is UNSET else reading.device
    firmware = "" if device.firmware is UNSET else device.firmware
    if not (firmware.isascii() and (firmware.isprintable()) and len(firmware) <= MAX_FIRMWARE_BYTES):
        return Refusal(RejectReason.OUT_OF_RANGE, f"device.firmware is not 1–{MAX_FIRMWARE_BYTES} printable characters")
    position = (
        _NO_FIX
        if fix is UNSET
        else (
            fix.lat, fix.lon, fix.accuracy_m, fix.altitude_m, fix.speed_mps, fix.heading_deg,
            SOURCE_CODE[fix.source], fix.satellites, fix.hdop, fix.age_s,
        )
    )  # fmt: skip
    return (
        *head, *position,
        vitals.heart_rate_bpm, vitals.hrv_rmssd_ms, vitals.spo2_pct, vitals.skin_temp_c,
        vitals.steps, vitals.activity, vitals.peak_g, vitals.quality,
        device.battery_pct, _YES_NO[device.charging], _YES_NO[device.strap_closed], _YES_NO[device.case_closed],
        _YES_NO[device.sos], device.rssi_dbm, firmware.encode(),
        consented,
    )  # fmt: skip


def _columns(rows: list[tuple[Any, ...]]) -> tuple[Readings, NDArray[np.bool_]]:
    """The readings of some rows, and which of them a consent covers: a row's last value."""
    if not rows:
        return Readings.empty(), np.empty(0, np.bool_)
    *columns, consented = zip(*rows, strict=True)
    with np.errstate(over="ignore"):  # a number too large for its column becomes infinite, and that is out of range
        values = zip(_COLUMNS, columns, strict=True)
        readings = Readings(**{name: np.array(column, dtype) for (name, dtype), column in values})
    return readings, np.array(consented, np.bool_)


def _refusals(readings: Readings, config: VetConfig) -> dict[int, Refusal]:
    """The readings to refuse, each under the first reason that applies."""
    found: dict[int, Refusal] = {}
    for name, (low, high) in _RANGED:
        column = getattr(readings, name)
        for index in np.flatnonzero((column < low) | (column > high)):
            detail = printable(f"{name} is {column[index]}; allowed are {low} to {high}")
            found.setdefault(int(index), Refusal(RejectReason.OUT_OF_RANGE, detail))
    ahead_s = (readings.event_ms - readings.ingest_ms) / 1000.0
    for index in np.flatnonzero(ahead_s > config.max_future_s):
        found.setdefault(int(index), Refusal(RejectReason.FUTURE, f"the band's clock is {ahead_s[index]:.0f} s ahead"))
    for index in np.flatnonzero(-ahead_s > config.max_age_s):
        detail = f"stored for {-ahead_s[index] / 86_400:.0f} days; at most {config.max_age_s / 86_400:.0f}"
        found.setdefault(int(index), Refusal(RejectReason.TOO_OLD, detail))
    return found


def _without_unconsented(readings: Readings, consented: NDArray[np.bool_]) -> tuple[Readings, int]:
    """Physiology is off unless a consent is recorded: strip it, count it, and drop readings that had nothing else."""
    strip = ~consented & readings.has_vitals
    if not strip.any():
        return readings, 0
    bare = readings.replace(
        **{name: np.where(strip, np.float32(np.nan), getattr(readings, name)) for name in VITALS_COLUMNS}
    )
    return bare.take(bare.has_fix | bare.has_device | bare.has_vitals), int(strip.sum())


def _letters(
    messages: Sequence[Message], refused: dict[tuple[int, RejectReason], list[tuple[int, str]]]
) -> Iterable[DeadLetter]:
    unlawful = {number for number, reason in refused if reason is RejectReason.NO_ORDER}
    for (number, reason), places in refused.items():
        message = messages[number]
        yield DeadLetter(
            topic=printable(message.topic),
            received_ms=message.received_ms,
            reason=reason,
            detail=places[0][1],
            content_type=printable(message.content_type or ""),
            payload=b"" if number in unlawful else message.payload,
            readings=tuple(place for place, _ in places if place >= 0),
        )
