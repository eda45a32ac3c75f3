"""What fuzzing starts from: messages that are right, and bombs; made here, so that no bytes lie about unread."""

import json
from typing import Any

import cbor2

from schemas.topics import Format


def seeds(format_: Format, at_ms: int) -> list[bytes]:
    """Messages that a band may send in a format; the first two are different readings of one moment."""
    return {Format.NATIVE: _native, Format.OWNTRACKS: _owntracks, Format.SENML: _senml}[format_](at_ms)


def _native(at_ms: int) -> list[bytes]:
    fix = {"lat": 26.58234, "lon": 101.71456, "accuracy_m": 8.5, "altitude_m": 1180, "speed_mps": 1.2, "source": "gnss"}
    vitals = {"heart_rate_bpm": 78, "spo2_pct": 97, "skin_temp_c": 33.4, "steps": 12, "peak_g": 1.3, "quality": 0.9}
    device = {"battery_pct": 81, "charging": False, "strap_closed": True, "sos": False, "firmware": "1.4.2"}
    parts: list[dict[str, Any]] = [{"fix": fix}, {"vitals": vitals}, {"fix": fix, "vitals": vitals, "device": device}]
    told = [{"v": 1, "seq": n, "readings": [{"time_ms": at_ms, **part}]} for n, part in enumerate(parts)]
    return [encode(message) for encode in (_json, cbor2.dumps) for message in told]


def _owntracks(at_ms: int) -> list[bytes]:
    at_s = at_ms // 1000
    here = {"_type": "location", "lat": 26.58, "lon": 101.71, "tst": at_s}
    phone = {
        "acc": 12,
        "alt": 1180,
        "vel": 5,
        "cog": 87,
        "batt": 81,
        "bs": 2,
        "tid": "zh",
        "conn": "m",
        "created_at": at_s,
    }
    told = [here, here | phone, {"_type": "lwt", "tst": at_s}, {"_type": "transition", "event": "enter", "wtst": 1}]
    return [_json(message) for message in told]


def _senml(at_ms: int) -> list[bytes]:
    at_s = at_ms / 1000
    base = {"bn": "urn:dev:band-1:", "bt": at_s}
    place = [base | {"n": "gps", "u": "lat", "v": 26.58}, {"n": "gps", "u": "lon", "v": 101.71}]
    place += [{"n": "accuracy", "u": "m", "v": 8.5}, {"n": "speed", "u": "km/h", "v": 4}]
    heart = [base | {"bver": 10, "u": "beat/min", "n": "pulse", "v": 61}, {"n": "spo2", "u": "/", "v": 0.97, "t": -5}]
    band = [base | {"u": "%EL", "n": "x", "v": 80}, {"n": "strap_closed", "vb": True}, {"n": "firmware", "vs": "1.4"}]
    packs = [place, heart, band]
    return [_json(pack) for pack in packs] + [cbor2.dumps(_by_number(pack)) for pack in packs]


def _by_number(pack: list[dict[str, Any]]) -> list[dict[Any, Any]]:
    labels = ["bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"]
    return [{labels.index(label) - 6: value for label, value in record.items()} for record in pack]


def _json(message: Any) -> bytes:
    return json.dumps(message).encode()


BOMBS = {
    "a tower of brackets": b"[" * 60_000,
    "a tower of braces": b'{"a":' * 10_000,
    "a tower of CBOR arrays": b"\x81" * 60_000,
    "a tower of endless CBOR arrays": b"\x9f" * 60_000,
    "a CBOR array of 2^64": b"\x9b" + b"\xff" * 8,
    "a CBOR text of 2^62": b"\x7b\x3f" + b"\xff" * 7,
    "a CBOR map of 2^32": b"\xba" + b"\xff" * 4,
    "an endless CBOR text": b"\x7f" + b"\x61a" * 20_000,
    "CBOR cut short": cbor2.dumps({"v": 1, "seq": 0, "readings": [{"time_ms": 1}]})[:-3],
    "a CBOR array that contains itself": bytes.fromhex("a16176d81c81d81d00"),
    "a pack that contains itself": bytes.fromhex("d81c81d81d00"),
    "an integer of 60 KB": b"\xa1\x61v\xc2\x59\xea\x60" + b"\xff" * 60_000,
    "an integer of 60,000 digits": b'[{"bt":' + b"9" * 60_000 + b"}]",
    "a number beyond any": b'[{"n":"a","u":"lat","v":1e999}]',
    "a decimal fraction beyond any": bytes.fromhex("81a30061610161560 2c4821b7fffffffffffffff01".replace(" ", "")),
    "a regular expression": b"\xa1\x61v\xd8\x23\x64(a+)",
    "NaN in JSON": b'[{"n":"a","u":"lat","v":NaN}]',
    "NaN in CBOR": bytes.fromhex("81a3006161016256 3102f97e00".replace(" ", "")),
    "a CBOR key twice": b"\xa2\x61v\x01\x61v\x01",
    "a CBOR label twice": b"\x81\xa3\x00\x61a\x02\x01\x61v\x02",
    "an array as a key": b"\xa1\x81\x01\x01",
    "half a surrogate": b'{"_type":"\\ud800"}',
    "a NUL": b"\x00",
    "nothing": b"",
    "invalid UTF-8": b'{"_type":"\xff\xfe"}',
    "a break and nothing to break": b"\xff",
    "seven thousand records and a wrong one": b"[" + b'{"v":1},' * 7_000 + b"0]",
    "seven thousand unknown records": b'[{"bn":"a"}' + b',{"v":1}' * 7_000 + b"]",
    "a thousand times half a position": b'[{"bn":"a"}' + b',{"u":"lat","v":1}' * 3_000 + b"]",
    "sixty thousand zeros": b"[" + b"0," * 30_000 + b"0]",
    "sixty thousand CBOR zeros": b"\x99\xea\x60" + b"\x00" * 60_000,
    "an object of many fields": b"{" + b",".join(b'"%d":0' % n for n in range(6_000)) + b"}",
    "a CBOR map of many labels": b"\x81\xb9\x27\x10"
    + b"".join(b"\x19" + n.to_bytes(2, "big") + b"\x00" for n in range(10_000)),
}
"""Bytes that have brought parsers down: by depth, length, repetition, size, reference; none is a message."""

WORDS = (
    *("v", "seq", "readings", "time_ms", "fix", "vitals", "device", "_type", "location", "lwt", "encrypted", "tst"),
    *("created_at", "bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "t", "s", "vs", "vb", "vd", "ut", "new_"),
    *("lat", "lon", "%EL", "beat/min", "Cel", "m/s2", "skin_temp", "heart_rate", "firmware", "source", "gnss"),
)
"""What a mutation may put in whole."""
