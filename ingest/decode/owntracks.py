"""OwnTracks JSON, as phones and trackers publish it on ``owntracks/{user}/{device}``: a location is a reading.

Source: the OwnTracks booklet, chapter "JSON" (owntracks.org/booklet/tech/json). The user is the org, the device the
band. ``tst`` is when the position was fixed and ``created_at`` when the message was made; the reading's time is the
later one and the difference its ``age_s``, so a position told again is no new evidence. ``vel`` is km/h.

A phone leaves out what is zero or unknown: without ``acc``, ``ASSUMED_ACCURACY_M`` holds; a negative ``vel``, ``cog``
or ``batt`` is the phone's word for unknown. Messages have no number, so the same bytes are the same message: what the
broker or the phone sends again, retained ones among them, is a duplicate.

Not done: encrypted messages are refused, since a platform that shares a key with every phone keeps no secret; a
``t=p`` ping, whose ``tst`` is the present though the position may be old, is taken at its word; no commands are sent.
"""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ingest.decode.answers import ASSUMED_ACCURACY_M, Answer, Decoded, Ignored, Refusal, content_number, malformed
from schemas.reasons import RejectReason
from schemas.wire import MAX_PAYLOAD_BYTES, NAN, DeviceStatus, Fix, Reading, Uplink

NOT_READINGS: Final = frozenset({
    "beacon", "card", "cmd", "configuration", "dump", "lwt", "msg",
    "request", "status", "steps", "transition", "waypoint", "waypoints",
})  # fmt: skip
"""Types of the booklet, of today and of earlier editions, that say nothing of where a wearer is."""

Epoch = Annotated[float, Meta(ge=0, le=2**43)]
"""Seconds since 1970; as many as still fit into a reading's time in ms."""

_KMH_TO_MPS: Final = 1 / 3.6
_CHARGING: Final[dict[int, bool]] = {1: False, 2: True, 3: True}
"""Battery status 1 unplugged, 2 charging, 3 full, which only a plugged-in phone is; 0 is unknown."""


class _Kind(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="_type")


class _Location(msgspec.Struct, frozen=True, kw_only=True):
    lat: float
    lon: float
    tst: Epoch
    created_at: Epoch = 0.0
    acc: float = 0.0
    alt: float = NAN
    vel: float = NAN
    cog: float = NAN
    batt: float = NAN
    bs: int = 0


_KIND: Final = msgspec.json.Decoder(_Kind)
_LOCATION: Final = msgspec.json.Decoder(_Location)


def decode(payload: bytes, _content_type: str | None = None, _received_ms: int = 0) -> Answer:
    """Decode one payload; any bytes give an answer, none an exception.

    >>> taken = decode(b'{"_type":"location","lat":26.58,"lon":101.71,"acc":9,"vel":36,"tst":1795406405}')
    >>> taken.uplink.readings[0].time_ms, taken.uplink.readings[0].fix.speed_mps
    (1795406405000, 10.0)
    >>> decode(b'{"_type":"lwt","tst":1795406405}')
    Ignored(name='owntracks.lwt')
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        return Refusal(RejectReason.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
    try:
        kind = _KIND.decode(payload).type
        if kind != "location":
            return _not_a_location(kind)
        reading = _reading(_LOCATION.decode(payload))
    except Exception as error:  # noqa: BLE001 - parsers raise many kinds on hostile bytes; each is one answer
        return malformed(error)
    return Decoded(Uplink(v=1, seq=content_number(payload), readings=[reading]), unknown_fields=False)


def _not_a_location(kind: str) -> Answer:
    if kind in NOT_READINGS:
        return Ignored(f"owntracks.{kind}")
    if kind == "encrypted":
        return Refusal(RejectReason.ENCRYPTED, "we have no key: switch payload encryption off in the app, and use TLS")
    raise ValueError(f"_type {kind!r} is none of OwnTracks'")


def _reading(said: _Location) -> Reading:
    told_s = max(said.tst, said.created_at)
    fix = Fix(
        lat=said.lat,
        lon=said.lon,
        accuracy_m=said.acc or ASSUMED_ACCURACY_M,
        altitude_m=said.alt,
        speed_mps=_known(said.vel) * _KMH_TO_MPS,
        heading_deg=_known(said.cog),
        age_s=told_s - said.tst,
    )
    return Reading(time_ms=round(told_s * 1000), fix=fix, device=_device(said))


def _device(said: _Location) -> DeviceStatus | UnsetType:
    battery_pct, charging = _known(said.batt), _CHARGING.get(said.bs, UNSET)
    if battery_pct != battery_pct and charging is UNSET:  # noqa: PLR0124 - the definition of NaN
        return UNSET
    return DeviceStatus(battery_pct=battery_pct, charging=charging)


def _known(value: float) -> float:
    return NAN if value < 0 else value
