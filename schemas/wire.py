"""Wire protocol v1: what a band says in one MQTT message, as types.

JSON and CBOR carry the same structure. Types check shape only; the ranges in ``LIMITS`` are
vetted per reading on columns (``ingest.vet``), so one absurd reading costs its neighbours nothing.
Evolution: new fields get defaults, types never change, fields are never reused.
"""

import math
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_PAYLOAD_BYTES: Final = 64 * 1024
MAX_READINGS: Final = 1_000
MAX_FIRMWARE_BYTES: Final = 16
CONTENT_TYPE_CBOR: Final = "application/cbor"

NAN: Final = math.nan
"""The default of every optional number: absent. It cannot be sent; JSON has no NaN and CBOR's is refused."""

Count = Annotated[int, Meta(ge=0, le=2**53)]


class Source(StrEnum):
    """Where a fix came from; its ordinal is the code in columns and tables."""

    GNSS = "gnss"
    WIFI = "wifi"
    CELL = "cell"


class Fix(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One position, WGS-84; ``accuracy_m`` is the radius that holds it at 68 %.

    ``age_s`` is how old the fix was at the reading's time: a repeated fix is no new evidence.
    """

    lat: float
    lon: float
    accuracy_m: float
    altitude_m: float = NAN
    speed_mps: float = NAN
    heading_deg: float = NAN
    source: Source = Source.GNSS
    satellites: float = NAN
    hdop: float = NAN
    age_s: float = 0.0


class Vitals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Physiology; ``steps``, ``activity`` (0–1) and ``peak_g`` cover the time since the previous reading.

    ``quality`` (0–1) is the band's own trust in its optical sensor.
    """

    heart_rate_bpm: float = NAN
    hrv_rmssd_ms: float = NAN
    spo2_pct: float = NAN
    skin_temp_c: float = NAN
    steps: float = NAN
    activity: float = NAN
    peak_g: float = NAN
    quality: float = NAN


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The band itself: power, closure, button, radio, firmware."""

    battery_pct: float = NAN
    charging: bool | UnsetType = UNSET
    strap_closed: bool | UnsetType = UNSET
    case_closed: bool | UnsetType = UNSET
    sos: bool | UnsetType = UNSET
    rssi_dbm: float = NAN
    firmware: str | UnsetType = UNSET


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the band knew at ``time_ms`` (UTC, on the body); at least one of the three parts is present."""

    time_ms: Count
    fix: Fix | UnsetType = UNSET
    vitals: Vitals | UnsetType = UNSET
    device: DeviceStatus | UnsetType = UNSET


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of ``…/up``: ``seq`` counts a device's messages from 0 and survives its reboots.

    >>> up = Uplink(v=1, seq=7, readings=[Reading(time_ms=0, vitals=Vitals(heart_rate_bpm=61.0))])
    >>> encode_json(up)
    b'{"v":1,"seq":7,"readings":[{"time_ms":0,"vitals":{"heart_rate_bpm":61.0}}]}'
    """

    v: int
    seq: Count
    readings: list[Reading]


LIMITS: Final[dict[str, tuple[float, float]]] = {
    "lat": (-90, 90),
    "lon": (-180, 180),
    "accuracy_m": (0, 100_000),
    "altitude_m": (-500, 9_000),
    "speed_mps": (0, 400),
    "heading_deg": (0, 360),
    "satellites": (0, 128),
    "hdop": (0, 100),
    "age_s": (0, 864_000),
    "heart_rate_bpm": (0, 300),
    "hrv_rmssd_ms": (0, 1_000),
    "spo2_pct": (0, 100),
    "skin_temp_c": (-40, 70),
    "steps": (0, 100_000),
    "activity": (0, 1),
    "peak_g": (0, 100),
    "quality": (0, 1),
    "battery_pct": (0, 100),
    "rssi_dbm": (-160, 20),
}
"""What a band can honestly report, inclusive; outside it the reading is a dead letter ``out_of_range``."""


class CommandType(StrEnum):
    """What the platform may ask of a band on ``…/down``."""

    PLAN = "plan"
    LOCATE = "locate"
    VIBRATE = "vibrate"
    END = "end"


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command on ``…/down``; the band answers on ``…/ack`` with the same id.

    ``mac`` is added to its bytes by ``schemas.signing`` and stands last.
    """

    id: str
    type: CommandType
    interval_s: float | UnsetType = UNSET
    until_ms: Count | UnsetType = UNSET
    text: str | UnsetType = UNSET
    expires_ms: Count | UnsetType = UNSET
    mac: str | UnsetType = UNSET


class CommandAck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A band's answer on ``…/ack``."""

    id: str
    ok: bool
    time_ms: Count
    detail: str | UnsetType = UNSET


def encode_json(message: msgspec.Struct) -> bytes:
    """One wire message as JSON bytes; absent fields are left out."""
    return msgspec.json.encode(message)


def to_builtins(message: msgspec.Struct) -> dict[str, Any]:
    """The same structure as plain values, ready for a CBOR encoder."""
    plain: dict[str, Any] = msgspec.to_builtins(message)
    return plain
