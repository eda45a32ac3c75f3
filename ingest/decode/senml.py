"""SenML (RFC 8428), JSON or CBOR, on ``senml/{org}/{device}``: a pack's records of one time are one reading.

Records are resolved as section 4 has it: base name, time, unit and value hold from their record on until the next of
their kind; a time below 2^28 s is relative to now, which is when the pack reached us. A version above ours, a field
whose label ends in ``_`` and is not ours, and records of unlike versions are refused; other unknown fields and
measurements that no band makes are ignored and counted.

What a record measures is told by the last word of its name (after ``:``, ``/`` or ``.``), which is wire v1's field
without its unit (``heart_rate``, ``skin_temp`` …), or by a unit that means one thing on a wrist: ``lat``, ``lon``,
``%EL``, ``beat/min``. A value in a unit that is not the field's is ignored: 36.5 of something is no temperature.
``%`` is RFC 8428's other name for the ratio ``/``, not a hundredth. Secondary units are those of RFC 8798.

Who speaks is said by the topic, never by the names; one pack is one band's, and two unlike values for one field at one
time are refused. Without accuracy a position has ``ASSUMED_ACCURACY_M``. Packs have no number: the same bytes are the
same pack. Not promised: that a pack without absolute time, sent again by the broker after a crash, is known again;
its time is another then. Sums, update times and binary values are not used; SensML streams are not read.
"""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from ingest.decode.answers import ASSUMED_ACCURACY_M, Answer, Decoded, Refusal, content_number, malformed
from ingest.decode.cbor import DECIMAL, plain
from schemas.reasons import RejectReason
from schemas.wire import (
    CONTENT_TYPE_CBOR,
    MAX_PAYLOAD_BYTES,
    MAX_READINGS,
    DeviceStatus,
    Fix,
    Reading,
    Source,
    Uplink,
    Vitals,
)

CONTENT_TYPES_CBOR: Final = frozenset({"application/senml+cbor", CONTENT_TYPE_CBOR})
VERSION: Final = 10
SECONDARY_UNITS_VERSION: Final = 26
"""RFC 9100: version 10 with the feature "secondary units", which we know too."""
NOW_BELOW_S: Final = 2.0**28

Record = Mapping[str, Any]
Scale = tuple[float, float]
"""A value in the record's unit times the first plus the second is one in ours."""


class Resolved(NamedTuple):
    """One measurement with nothing left to look up: name, unit, UTC ms, and a number, text or yes/no."""

    name: str
    unit: str
    time_ms: int
    value: float | str | bool


class _Place(NamedTuple):
    part: str
    field: str
    scales: Mapping[str, Scale]


_CBOR_LABELS: Final[dict[Any, str]] = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_LABELS: Final = frozenset(_CBOR_LABELS.values())
_NUMBERS: Final = frozenset({"bt", "bv", "bs", "v", "s", "t", "ut"})
_TEXTS: Final = frozenset({"bn", "bu", "n", "u", "vs", "vd"})
_CBOR_ARRAY: Final = range(0x80, 0xA0)
_CBOR_DEPTH: Final = 5
"""Pack, record, decimal fraction, and two for extensions."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*", re.ASCII)
_LAST_WORD: Final = re.compile(r"[^:/.]*\Z")
_LATEST_MS: Final = 2**53

_SAME: Final = (1.0, 0.0)
_RATIO: Final = {"/": _SAME, "%": _SAME, "/100": (0.01, 0.0)}
_PERCENT: Final = {"/": (100.0, 0.0), "%": (100.0, 0.0), "/100": _SAME}
_SECONDS: Final = {"s": _SAME, "ms": (0.001, 0.0), "min": (60.0, 0.0)}
_NUMBER_PLACES: Final[dict[str, _Place]] = {
    "lat": _Place("fix", "lat", {"lat": _SAME}),
    "lon": _Place("fix", "lon", {"lon": _SAME}),
    "accuracy": _Place("fix", "accuracy_m", {"m": _SAME, "km": (1000.0, 0.0)}),
    "altitude": _Place("fix", "altitude_m", {"m": _SAME, "km": (1000.0, 0.0)}),
    "speed": _Place("fix", "speed_mps", {"m/s": _SAME, "km/h": (1 / 3.6, 0.0)}),
    "heading": _Place("fix", "heading_deg", {"rad": (180.0 / math.pi, 0.0)}),
    "satellites": _Place("fix", "satellites", {"count": _SAME}),
    "hdop": _Place("fix", "hdop", {"/": _SAME}),
    "age": _Place("fix", "age_s", _SECONDS),
    "heart_rate": _Place("vitals", "heart_rate_bpm", {"beat/min": _SAME}),
    "hrv_rmssd": _Place("vitals", "hrv_rmssd_ms", {"s": (1000.0, 0.0), "ms": _SAME}),
    "spo2": _Place("vitals", "spo2_pct", _PERCENT),
    "skin_temp": _Place("vitals", "skin_temp_c", {"Cel": _SAME, "K": (1.0, -273.15)}),
    "steps": _Place("vitals", "steps", {"count": _SAME}),
    "activity": _Place("vitals", "activity", _RATIO),
    "peak": _Place("vitals", "peak_g", {"m/s2": (1 / 9.80665, 0.0)}),
    "quality": _Place("vitals", "quality", _RATIO),
    "battery": _Place("device", "battery_pct", {"%EL": _SAME} | _PERCENT),
    "rssi": _Place("device", "rssi_dbm", {"dBW": (1.0, 30.0), "dBm": _SAME}),
}
_WORD_OF_UNIT: Final = {"lat": "lat", "lon": "lon", "%EL": "battery", "beat/min": "heart_rate"}
_SWITCHES: Final = frozenset({"charging", "strap_closed", "case_closed", "sos"})

Found = dict[str, dict[str, Any]]
"""Part of a reading → field → value."""


def decode(payload: bytes, content_type: str | None = None, received_ms: int = 0) -> Answer:
    """Decode one pack; any bytes give an answer, none an exception.

    >>> pack = b'[{"bn":"band-1:","bt":1795406405,"n":"heart_rate","u":"beat/min","v":61},{"u":"%EL","v":80}]'
    >>> reading, = decode(pack).uplink.readings
    >>> reading.time_ms, reading.vitals.heart_rate_bpm, reading.device.battery_pct
    (1795406405000, 61.0, 80.0)
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        return Refusal(RejectReason.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
    try:
        resolved = resolve(_records(payload, content_type), received_ms)
        found, unknown = _by_time(resolved)
        readings = [_reading(time_ms, parts) for time_ms, parts in sorted(found.items())]
    except Exception as error:  # noqa: BLE001 - parsers raise many kinds on hostile bytes; each is one answer
        return malformed(error)
    if not readings:
        return Refusal(RejectReason.MALFORMED, "nothing in the pack is what a band measures")
    if len(readings) > MAX_READINGS:
        return Refusal(RejectReason.TOO_LARGE, f"{len(readings)} readings; at most {MAX_READINGS}")
    return Decoded(Uplink(v=1, seq=content_number(payload), readings=readings), unknown)


def resolve(records: Sequence[Record], now_ms: int) -> list[Resolved]:
    """A pack's records with their base values applied, in order of time; records of base values only go.

    Raises ``ValueError`` for what RFC 8428 forbids.

    >>> resolve([{"bn": "a:", "bt": 2e9, "bu": "A", "n": "x", "v": 1}, {"n": "x", "t": -5, "bv": 10, "v": 2}], 0)
    [Resolved(name='a:x', unit='A', time_ms=1999999995000, value=12.0), Resolved(name='a:x', unit='A', time_ms=2000000000000, value=1.0)]
    """  # noqa: E501 - the answer of the example
    base: dict[str, Any] = {"bn": "", "bt": 0.0, "bu": "", "bv": 0.0}
    _check_versions(records)
    resolved = []
    for number, record in enumerate(records):
        _check(record, number)
        base |= {label: record[label] for label in base.keys() & record.keys()}
        if (value := _value(record, base["bv"], number)) is not None:
            name = base["bn"] + record.get("n", "")
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"record {number}: {name!r} is no SenML name")
            time_ms = _time_ms(float(base["bt"]) + float(record.get("t", 0.0)), now_ms)
            resolved.append(Resolved(name, record.get("u", base["bu"]), time_ms, value))
    return sorted(resolved, key=lambda one: one.time_ms)


def _records(payload: bytes, content_type: str | None) -> list[dict[str, Any]]:
    if content_type in CONTENT_TYPES_CBOR or (payload[:1] != b"" and payload[0] in _CBOR_ARRAY):
        pack = plain(payload, depth=_CBOR_DEPTH, tags=frozenset({DECIMAL}), words_only=False)
        return [_spelled(record) for record in _array(pack)]
    return [_object(record) for record in _array(msgspec.json.decode(payload))]


def _array(pack: object) -> list[Any]:
    if not isinstance(pack, list):
        raise ValueError("a pack is an array of records")  # noqa: TRY004 - for the caller it is one kind
    return pack


def _object(record: object) -> dict[Any, Any]:
    if not isinstance(record, dict):
        raise ValueError("a record is an object")  # noqa: TRY004
    return record


def _spelled(record: object) -> dict[str, Any]:
    """The same record with the labels of JSON."""
    labelled = _object(record)
    spelled = {_word(label): value for label, value in labelled.items()}
    if len(spelled) < len(labelled):
        raise ValueError("a label is given as number and as text")
    return spelled


def _word(label: Any) -> Any:  # noqa: ANN401 - CBOR allows any key
    # Not by equality alone: 1.0 and True would be taken for the label 1.
    return _CBOR_LABELS.get(label, label) if type(label) is int else label


def _check_versions(records: Sequence[Record]) -> None:
    versions = {record["bver"] for record in records if "bver" in record}
    if len(versions) > 1:
        raise ValueError("records of one pack have unlike versions")
    for version in versions:
        if type(version) is not int or version < 1:
            raise ValueError("bver is no positive integer")
        if version > VERSION and version != SECONDARY_UNITS_VERSION:
            raise ValueError(f"bver {version}; we know {VERSION} and {SECONDARY_UNITS_VERSION}")


def _check(record: Record, number: int) -> None:
    for label, value in record.items():
        if label in _NUMBERS:
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
                raise ValueError(f"record {number}: {label} is no finite number")
        elif label in _TEXTS:
            if not isinstance(value, str | bytes if label == "vd" else str):
                raise ValueError(f"record {number}: {label} is no text")
        elif label == "vb":
            if not isinstance(value, bool):
                raise ValueError(f"record {number}: vb is neither true nor false")
        elif label not in _LABELS and isinstance(label, str) and label.endswith("_"):
            raise ValueError(f"record {number}: {label} must be understood, and is not")


def _value(record: Record, base: float, number: int) -> float | str | bool | None:
    """What a record measures; None where it measures nothing that we use."""
    kinds = record.keys() & {"v", "vs", "vb", "vd"}
    if len(kinds) > 1:
        raise ValueError(f"record {number} has {len(kinds)} values")
    if not kinds:
        # A base value alone is one only where the record is of something; without that it is for those to come.
        return float(base) if base and "s" not in record and record.keys() & {"n", "u", "t"} else None
    kind = kinds.pop()
    if kind == "v":
        return float(record["v"]) + float(base)
    return None if kind == "vd" else record[kind]


def _time_ms(time_s: float, now_ms: int) -> int:
    time_ms = round(time_s * 1000) + (now_ms if time_s < NOW_BELOW_S else 0)
    if not 0 <= time_ms <= _LATEST_MS:
        raise ValueError(f"a time of {time_s:g} s is none")
    return time_ms


def _by_time(resolved: Sequence[Resolved]) -> tuple[dict[int, Found], bool]:
    """Fields by the time they hold for, and whether anything was none of ours."""
    found: dict[int, Found] = {}
    unknown = False
    for one in resolved:
        if (placed := _placed(one)) is None:
            unknown = True
            continue
        part, field, value = placed
        fields = found.setdefault(one.time_ms, {}).setdefault(part, {})
        if fields.setdefault(field, value) != value:
            raise ValueError(f"two values of {field} at one time")
    return found, unknown


def _placed(one: Resolved) -> tuple[str, str, Any] | None:
    """Part, field and value in our unit; None where a band measures no such thing."""
    word = _LAST_WORD.search(one.name)[0]  # type: ignore[index]  # the end of a text is always found
    if isinstance(one.value, bool):
        return ("device", word, one.value) if word in _SWITCHES else None
    if isinstance(one.value, str):
        texts = {"firmware": ("device", word, one.value), "source": ("fix", word, one.value)}
        return texts.get(word)
    place = _NUMBER_PLACES.get(word) or _NUMBER_PLACES.get(_WORD_OF_UNIT.get(one.unit, ""))
    if place is None or one.unit not in place.scales:
        return None
    scale, offset = place.scales[one.unit]
    return place.part, place.field, one.value * scale + offset


def _reading(time_ms: int, parts: Found) -> Reading:
    built: dict[str, Any] = {}
    if (fix := parts.get("fix")) is not None:
        if not fix.keys() >= {"lat", "lon"}:
            raise ValueError(f"half a position: {', '.join(sorted(fix))} without both lat and lon at one time")
        source = Source(fix.pop("source", Source.GNSS))
        built["fix"] = Fix(source=source, **{"accuracy_m": ASSUMED_ACCURACY_M} | fix)
    if (vitals := parts.get("vitals")) is not None:
        built["vitals"] = Vitals(**vitals)
    if (device := parts.get("device")) is not None:
        built["device"] = DeviceStatus(**device)
    return Reading(time_ms=time_ms, **built)
