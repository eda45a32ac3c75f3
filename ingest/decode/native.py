"""Wire v1, JSON or CBOR: the same structure, told apart by content type or first byte."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from ingest.decode.answers import Decoded, Refusal, malformed
from ingest.decode.cbor import plain
from schemas.reasons import RejectReason
from schemas.wire import (
    CONTENT_TYPE_CBOR,
    MAX_PAYLOAD_BYTES,
    MAX_READINGS,
    DeviceStatus,
    Fix,
    Reading,
    Uplink,
    Vitals,
)


class _StrictFix(Fix, frozen=True, kw_only=True, forbid_unknown_fields=True): ...


class _StrictVitals(Vitals, frozen=True, kw_only=True, forbid_unknown_fields=True): ...


class _StrictDevice(DeviceStatus, frozen=True, kw_only=True, forbid_unknown_fields=True): ...


class _StrictReading(Reading, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fix: _StrictFix | UnsetType = UNSET
    vitals: _StrictVitals | UnsetType = UNSET
    device: _StrictDevice | UnsetType = UNSET


class _StrictUplink(Uplink, frozen=True, kw_only=True, forbid_unknown_fields=True):
    readings: list[_StrictReading]  # type: ignore[assignment]  # a list that is only read is covariant


_STRICT: Final = msgspec.json.Decoder(_StrictUplink)
_LENIENT: Final = msgspec.json.Decoder(Uplink)
_CBOR_MAP: Final = range(0xA0, 0xC0)


def decode(payload: bytes, content_type: str | None = None, _received_ms: int = 0) -> Decoded | Refusal:
    """Decode one payload; any bytes give an answer, none an exception.

    >>> decode(b'{"v":1,"seq":0,"readings":[{"time_ms":5,"vitals":{}}]}').uplink.readings[0].time_ms
    5
    >>> decode(b"ring").reason
    <RejectReason.MALFORMED: 'malformed'>
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        return Refusal(RejectReason.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
    try:
        decoded = _decode_cbor(payload) if _is_cbor(payload, content_type) else _decode_json(payload)
    except Exception as error:  # noqa: BLE001 - decoders raise many kinds on hostile bytes; each is one answer
        return malformed(error)
    return _check(decoded)


def _is_cbor(payload: bytes, content_type: str | None) -> bool:
    return content_type == CONTENT_TYPE_CBOR or (payload[:1] != b"" and payload[0] in _CBOR_MAP)


def _decode_json(payload: bytes) -> Decoded:
    return _strictly_first(lambda: _STRICT.decode(payload), lambda: _LENIENT.decode(payload))


def _decode_cbor(payload: bytes) -> Decoded:
    data = plain(payload)
    _refuse_nan(data)
    return _strictly_first(lambda: msgspec.convert(data, _StrictUplink), lambda: msgspec.convert(data, Uplink))


def _strictly_first(strict: Callable[[], Uplink], lenient: Callable[[], Uplink]) -> Decoded:
    """Known fields only is the common case and costs nothing extra; unknown ones cost a second look."""
    try:
        return Decoded(strict(), unknown_fields=False)
    except msgspec.ValidationError:
        return Decoded(lenient(), unknown_fields=True)


def _refuse_nan(data: object) -> None:
    """NaN means absent in our columns, so a band may not send it as a value."""
    values: list[Any] = [data]
    for value in values:
        if isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)
        elif value != value:  # noqa: PLR0124 - the definition of NaN
            raise ValueError("NaN is not a value; leave the field out")


def _check(decoded: Decoded) -> Decoded | Refusal:
    uplink = decoded.uplink
    if uplink.v != 1:
        return Refusal(RejectReason.MALFORMED, f"version {uplink.v}; this is version 1")
    if not uplink.readings:
        return Refusal(RejectReason.MALFORMED, "no readings")
    if len(uplink.readings) > MAX_READINGS:
        return Refusal(RejectReason.TOO_LARGE, f"{len(uplink.readings)} readings; at most {MAX_READINGS}")
    for place, reading in enumerate(uplink.readings):
        if reading.fix is UNSET and reading.vitals is UNSET and reading.device is UNSET:
            return Refusal(RejectReason.MALFORMED, f"readings[{place}] has neither fix, vitals nor device")
    return decoded
