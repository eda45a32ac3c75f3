import json
import math
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode.native import Decoded, Refusal, decode
from schemas.reasons import RejectReason
from schemas.wire import CONTENT_TYPE_CBOR, DeviceStatus, Fix, Reading, Uplink, Vitals, encode_json, to_builtins

EXAMPLE: dict[str, Any] = {
    "v": 1,
    "seq": 18231,
    "readings": [
        {
            "time_ms": 1795406405120,
            "fix": {"lat": 26.58234, "lon": 101.71456, "accuracy_m": 8.5, "source": "gnss", "age_s": 0},
            "vitals": {"heart_rate_bpm": 78, "steps": 12, "quality": 0.9},
            "device": {"battery_pct": 81, "charging": False, "strap_closed": True, "firmware": "1.4.2"},
        }
    ],
}

CONTAINS_ITSELF = bytes.fromhex("d81c81d81d00")
# Each array holds the one before twice, by reference: 2^30 values if anybody walks it.
BILLIONS = b"\xd8\x1c\x82" * 30 + b"\x00\x00" + b"".join(b"\xd8\x1d" + cbor2.dumps(n) for n in range(29, 0, -1))


def changed(**fields: Any) -> bytes:
    message = json.loads(json.dumps(EXAMPLE))
    message["readings"][0] |= fields
    return json.dumps(message).encode()


@given(st.binary(max_size=400))
def test_any_bytes_give_an_answer_and_never_an_exception(payload: bytes) -> None:
    assert isinstance(decode(payload), Decoded | Refusal)
    assert isinstance(decode(payload, CONTENT_TYPE_CBOR), Decoded | Refusal)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*EXAMPLE, "fix", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(json_values)
def test_any_structure_gives_an_answer_in_either_encoding(value: Any) -> None:
    assert isinstance(decode(json.dumps(value).encode()), Decoded | Refusal)
    assert isinstance(decode(cbor2.dumps(value)), Decoded | Refusal)


def test_json_and_cbor_are_the_same_structure() -> None:
    assert decode(json.dumps(EXAMPLE).encode()) == decode(cbor2.dumps(EXAMPLE), CONTENT_TYPE_CBOR)
    assert decode(cbor2.dumps(EXAMPLE)) == decode(json.dumps(EXAMPLE).encode())


def test_what_we_encode_we_decode() -> None:
    reading = Reading(
        time_ms=5,
        fix=Fix(lat=26.5, lon=101.7, accuracy_m=8.0),
        vitals=Vitals(heart_rate_bpm=61.0),
        device=DeviceStatus(battery_pct=80.0, sos=True),
    )
    up = Uplink(v=1, seq=3, readings=[reading])
    for payload in (encode_json(up), cbor2.dumps(to_builtins(up))):
        decoded = decode(payload)
        assert isinstance(decoded, Decoded)
        assert decoded.uplink.seq == 3
        again = decoded.uplink.readings[0]
        assert msgspec.to_builtins(again) == msgspec.to_builtins(reading)


numbers = st.floats(allow_nan=False, allow_infinity=False)
switches = st.booleans()
fixes = st.fixed_dictionaries({"lat": numbers, "lon": numbers, "accuracy_m": numbers}, optional={"speed_mps": numbers})
bodies = st.fixed_dictionaries({}, optional={"heart_rate_bpm": numbers, "steps": numbers, "quality": numbers})
states = st.fixed_dictionaries({}, optional={"battery_pct": numbers, "sos": switches, "firmware": st.text()})
part = st.one_of(fixes.map(lambda f: {"fix": Fix(**f)}), bodies.map(lambda v: {"vitals": Vitals(**v)}),
                 states.map(lambda d: {"device": DeviceStatus(**d)}))  # fmt: skip
counts = st.integers(0, 2**53)


@given(seq=counts, told=st.lists(st.tuples(counts, part), min_size=1, max_size=4))
def test_whatever_we_encode_we_decode(seq: int, told: list[tuple[int, dict[str, Any]]]) -> None:
    up = Uplink(v=1, seq=seq, readings=[Reading(time_ms=time_ms, **parts) for time_ms, parts in told])
    for payload in (encode_json(up), cbor2.dumps(to_builtins(up))):
        decoded = decode(payload)
        assert isinstance(decoded, Decoded)
        assert msgspec.to_builtins(decoded.uplink) == msgspec.to_builtins(up)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"", RejectReason.MALFORMED, id="empty"),
        pytest.param(b"ring ring", RejectReason.MALFORMED, id="text"),
        pytest.param(b"[" * 100_00, RejectReason.MALFORMED, id="a tower of brackets"),
        pytest.param(b"\x9b" + b"\xff" * 8, RejectReason.MALFORMED, id="a CBOR array of 2^64"),
        pytest.param(b"\xbf" * 5000, RejectReason.MALFORMED, id="a tower of CBOR maps"),
        pytest.param(b'{"v":1,"seq":0,"readings":[' + b" " * 65_536 + b"]}", RejectReason.TOO_LARGE, id="too large"),
        pytest.param(b'{"v":1,"seq":0,"readings":[]}', RejectReason.MALFORMED, id="no readings"),
        pytest.param(b'{"v":2,"seq":0,"readings":[{"time_ms":1,"vitals":{}}]}', RejectReason.MALFORMED, id="version 2"),
        pytest.param(
            b'{"v":1,"seq":-1,"readings":[{"time_ms":1,"vitals":{}}]}', RejectReason.MALFORMED, id="negative seq"
        ),
        pytest.param(
            b'{"v":1,"seq":99999999999999999999999,"readings":[{"time_ms":1,"vitals":{}}]}',
            RejectReason.MALFORMED,
            id="a huge integer",
        ),
        pytest.param(changed(fix=None), RejectReason.MALFORMED, id="null is not absent"),
        pytest.param(changed(vitals={"heart_rate_bpm": "fast"}), RejectReason.MALFORMED, id="a word for a number"),
        pytest.param(changed(fix={"lat": 1.0}), RejectReason.MALFORMED, id="half a fix"),
        pytest.param(b'{"v":1,"seq":0,"readings":[{"time_ms":1}]}', RejectReason.MALFORMED, id="nothing in it"),
        pytest.param(
            json.dumps({"v": 1, "seq": 0, "readings": [{"time_ms": 1, "vitals": {}}] * 1001}).encode(),
            RejectReason.TOO_LARGE,
            id="1,001 readings",
        ),
        pytest.param(
            cbor2.dumps({"v": 1, "seq": 0, "readings": [{"time_ms": 1, "vitals": {"steps": math.nan}}]}),
            RejectReason.MALFORMED,
            id="NaN in CBOR",
        ),
        pytest.param(b"\xa1\x61v" + CONTAINS_ITSELF, RejectReason.MALFORMED, id="a CBOR array that contains itself"),
        pytest.param(b"\xa1\x61v" + BILLIONS, RejectReason.MALFORMED, id="fifty bytes of CBOR that stand for billions"),
        pytest.param(b"\xa1\x61v\xd8\x23\x64(a+)", RejectReason.MALFORMED, id="a regular expression in CBOR"),
        pytest.param(b"\xa1\x61v\xc2\x59\xf0\x00" + b"\xff" * 61_440, RejectReason.MALFORMED, id="an integer of 61 KB"),
        pytest.param(b"\xa2\x61v\x01\x61v\x01", RejectReason.MALFORMED, id="a CBOR key twice"),
        pytest.param(b"\xa1\x61v" + b"\x81" * 60_000, RejectReason.MALFORMED, id="a tower of CBOR arrays"),
        pytest.param(b"\xa1\x81\x01\x01", RejectReason.MALFORMED, id="an array as a CBOR key"),
    ],
)
def test_what_is_not_the_protocol_is_refused_with_a_reason(payload: bytes, reason: RejectReason) -> None:
    refusal = decode(payload)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert refusal.detail.isprintable()


def test_unknown_fields_are_ignored_but_noticed() -> None:
    decoded = decode(changed(mood="good"))
    assert isinstance(decoded, Decoded)
    assert decoded.unknown_fields
    known = decode(json.dumps(EXAMPLE).encode())
    assert isinstance(known, Decoded)
    assert not known.unknown_fields
