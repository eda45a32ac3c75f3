"""SenML: the examples of RFC 8428, its rules of resolution, and what of a pack becomes a reading."""

import json
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode.answers import ASSUMED_ACCURACY_M, Decoded, Refusal
from ingest.decode.senml import Resolved, decode, resolve
from schemas.reasons import RejectReason
from schemas.wire import MAX_READINGS, Reading

NOW_MS = 1_795_406_405_000
BT = 1_795_406_400
ONE_WIRE = "urn:dev:ow:10e2073a01080063"
MOBILE: list[dict[str, Any]] = [  # RFC 8428, 5.1.3
    {"bn": ONE_WIRE, "bt": 1.320067464e09, "bu": "%RH", "v": 20},
    {"u": "lon", "v": 24.30621},
    {"u": "lat", "v": 60.07965},
    {"t": 60, "v": 20.3},
    {"u": "lon", "t": 60, "v": 24.30622},
    {"u": "lat", "t": 60, "v": 60.07965},
    {"t": 120, "v": 20.7},
    {"u": "lon", "t": 120, "v": 24.30623},
    {"u": "lat", "t": 120, "v": 60.07966},
    {"u": "%EL", "t": 150, "v": 98},
    {"t": 180, "v": 21.2},
    {"u": "lon", "t": 180, "v": 24.30628},
    {"u": "lat", "t": 180, "v": 60.07967},
]


def taken(pack: Any, now_ms: int = NOW_MS) -> list[Reading]:
    answer = decode(json.dumps(pack).encode(), None, now_ms)
    assert isinstance(answer, Decoded), answer
    return answer.uplink.readings


def refused(pack: Any) -> str:
    answer = decode(json.dumps(pack).encode(), None, NOW_MS)
    assert isinstance(answer, Refusal)
    assert answer.reason is RejectReason.MALFORMED
    return answer.detail


def one(**record: Any) -> list[dict[str, Any]]:
    return [{"bn": "band-1:", "bt": BT} | record]


def test_the_single_data_point_of_the_rfc_is_now() -> None:
    record = {"n": ONE_WIRE, "u": "Cel", "v": 23.1}
    assert resolve([record], NOW_MS) == [Resolved(ONE_WIRE, "Cel", NOW_MS, 23.1)]


def test_the_multiple_data_points_of_the_rfc_end_at_their_base_time() -> None:
    pack: list[dict[str, Any]] = [
        {"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e09, "bu": "A", "bver": 5}
        | {"n": "voltage", "u": "V", "v": 120.1},
        *({"n": "current", "t": -t, "v": v} for t, v in ((5, 1.2), (4, 1.3), (3, 1.4), (2, 1.5), (1, 1.6))),
        {"n": "current", "v": 1.7},
    ]
    resolved = resolve(pack, NOW_MS)
    assert [one.time_ms for one in resolved] == [1_276_020_076_001 - 1000 * s for s in (5, 4, 3, 2, 1, 0, 0)]
    assert {(one.name, one.unit) for one in resolved} == {
        ("urn:dev:ow:10e2073a0108006:voltage", "V"),
        ("urn:dev:ow:10e2073a0108006:current", "A"),
    }


def test_the_mobile_device_of_the_rfc_resolves_as_the_rfc_has_it() -> None:
    at = [0, 0, 0, 60, 60, 60, 120, 120, 120, 150, 180, 180, 180]
    units = [record.get("u", "%RH") for record in MOBILE]
    assert resolve(MOBILE, NOW_MS) == [
        Resolved(ONE_WIRE, unit, (1_320_067_464 + t) * 1000, record["v"])
        for unit, t, record in zip(units, at, MOBILE, strict=True)
    ]


def test_the_mobile_device_of_the_rfc_is_four_positions_and_a_battery_and_its_humidity_is_noticed() -> None:
    answer = decode(json.dumps(MOBILE).encode(), None, NOW_MS)
    assert isinstance(answer, Decoded)
    assert answer.unknown_fields
    assert [(r.time_ms // 1000 - 1_320_067_464, bool(r.fix), bool(r.device)) for r in answer.uplink.readings] == [
        (0, True, False), (60, True, False), (120, True, False), (150, False, True), (180, True, False),
    ]  # fmt: skip
    fix = answer.uplink.readings[0].fix
    assert (fix.lat, fix.lon, fix.accuracy_m) == (60.07965, 24.30621, ASSUMED_ACCURACY_M)  # type: ignore[union-attr]


def test_the_data_types_and_the_base_names_of_the_rfc() -> None:
    kinds: list[dict[str, Any]] = [
        {"bn": f"{ONE_WIRE}:", "n": "temp", "u": "Cel", "v": 23.1},
        {"n": "label", "vs": "Machine Room"},
        {"n": "open", "vb": False},
        {"n": "nfv-reader", "vd": "aGkgCg"},
    ]
    assert [one.value for one in resolve(kinds, NOW_MS)] == [23.1, "Machine Room", False]
    collection: list[dict[str, Any]] = [
        {"bn": "2001:db8::2/", "bt": 1.320078429e09, "n": "temperature", "u": "Cel", "v": 25.2},
        {"n": "humidity", "u": "%RH", "v": 30},
        {"bn": "2001:db8::1/", "n": "temperature", "u": "Cel", "v": 12.3},
        {"n": "humidity", "u": "%RH", "v": 67},
    ]
    assert resolve(collection, NOW_MS)[-1] == Resolved("2001:db8::1/humidity", "%RH", 1_320_078_429_000, 67)


def test_a_record_of_base_values_only_measures_nothing() -> None:
    thermostat: list[dict[str, Any]] = [{"bn": f"{ONE_WIRE}:"}, {"n": "temp", "u": "Cel", "v": 23.1}]
    assert len(resolve(thermostat, NOW_MS)) == 1


def test_json_and_cbor_with_its_numbered_labels_are_the_same_pack() -> None:
    labels = {"bn": -2, "bt": -3, "bu": -4, "u": 1, "v": 2, "t": 6}
    numbered = cbor2.dumps([{labels[label]: value for label, value in record.items()} for record in MOBILE])
    for content_type in (None, "application/senml+cbor", "application/cbor"):
        answer = decode(numbered, content_type, NOW_MS)
        assert isinstance(answer, Decoded)
        assert repr(answer.uplink.readings) == repr(taken(MOBILE))


numbers = st.floats(-1e6, 1e6)


@given(
    records=st.lists(
        st.fixed_dictionaries(
            {"n": st.sampled_from(["pulse", "heart_rate", "battery"]), "u": st.sampled_from(["beat/min", "%EL"])},
            optional={"v": numbers, "t": numbers, "bt": numbers, "bv": numbers, "bu": st.just("%EL")},
        ),
        max_size=6,
    ),
    extra=st.booleans(),
)
def test_a_resolved_pack_resolves_to_itself(records: list[dict[str, Any]], extra: bool) -> None:
    pack = [{"bn": "band-1:", "bt": BT}, *({k: v for k, v in r.items() if k != "bt" or extra} for r in records)]
    once = resolve(pack, NOW_MS)
    spelled = [{"n": one.name, "u": one.unit, "t": one.time_ms / 1000, "v": one.value} for one in once]
    if all(record["t"] >= 2**28 for record in spelled):
        assert resolve(spelled, NOW_MS) == once
    assert [one.time_ms for one in once] == sorted(one.time_ms for one in once)


def test_a_decimal_fraction_is_a_number() -> None:
    payload = cbor2.dumps([{0: "b:skin_temp", 1: "K", 2: cbor2.CBORTag(4, [-2, 30655])}])
    answer = decode(payload, None, NOW_MS)
    assert isinstance(answer, Decoded)
    assert answer.uplink.readings[0].vitals.skin_temp_c == pytest.approx(33.4)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("record", "part", "field", "value"),
    [
        pytest.param({"n": "speed", "u": "m/s", "v": 1}, "fix", None, None, id="a speed without a place"),
        pytest.param({"n": "x", "u": "beat/min", "v": 61}, "vitals", "heart_rate_bpm", 61, id="by its unit"),
        pytest.param({"n": "spo2", "u": "/", "v": 0.97}, "vitals", "spo2_pct", 97, id="a ratio"),
        pytest.param({"n": "spo2", "u": "%", "v": 0.97}, "vitals", "spo2_pct", 97, id="% is the ratio"),
        pytest.param({"n": "spo2", "u": "/100", "v": 97}, "vitals", "spo2_pct", 97, id="hundredths"),
        pytest.param({"n": "hrv_rmssd", "u": "s", "v": 0.042}, "vitals", "hrv_rmssd_ms", 42, id="seconds"),
        pytest.param({"n": "peak", "u": "m/s2", "v": 19.6133}, "vitals", "peak_g", 2, id="acceleration"),
        pytest.param({"n": "rssi", "u": "dBW", "v": -117}, "device", "rssi_dbm", -87, id="dBW"),
        pytest.param({"n": "skin_temp", "u": "Cel", "bv": 30, "v": 3}, "vitals", "skin_temp_c", 33, id="base value"),
        pytest.param({"n": "heart_rate", "u": "beat/min", "bv": 60, "t": 1}, "vitals", "heart_rate_bpm", 60,
                     id="base value alone"),
        pytest.param({"n": "strap_closed", "vb": False}, "device", "strap_closed", False, id="a switch"),
        pytest.param({"n": "firmware", "vs": "1.4.2"}, "device", "firmware", "1.4.2", id="a text"),
    ],
)  # fmt: skip
def test_a_record_is_a_field_in_our_unit(record: dict[str, Any], part: str, field: str | None, value: Any) -> None:
    if field is None:
        assert "half a position" in refused(one(**record))
        return
    (reading,) = taken(one(**record))
    assert getattr(getattr(reading, part), field) == pytest.approx(value)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"n": "temp", "u": "Cel", "v": 36.5}, id="somebody's temperature"),
        pytest.param({"n": "skin_temp", "u": "degF", "v": 97}, id="a unit that is not the field's"),
        pytest.param({"n": "heart_rate", "v": 61}, id="no unit"),
        pytest.param({"n": "sos", "v": 1}, id="a number for a switch"),
    ],
)
def test_what_is_none_of_ours_is_ignored_and_noticed(record: dict[str, Any]) -> None:
    answer = decode(json.dumps([*one(u="%EL", v=80), record]).encode(), None, NOW_MS)
    assert isinstance(answer, Decoded)
    assert answer.unknown_fields
    assert not answer.uplink.readings[0].vitals


@pytest.mark.parametrize(
    ("pack", "because"),
    [
        pytest.param(one(u="%EL", v=1, new_=1), "must be understood", id="a field that must be understood"),
        pytest.param(one(u="%EL", v=1, bver=11), "bver 11", id="a version above ours"),
        pytest.param([*one(u="%EL", v=1, bver=9), {"v": 1, "bver": 10}], "unlike versions", id="two versions"),
        pytest.param(one(u="%EL", v=1, bver=0), "positive", id="version 0"),
        pytest.param(one(u="%EL", v=1, vs="1"), "2 values", id="two values"),
        pytest.param(one(u="%EL", v=True), "finite number", id="yes for a number"),
        pytest.param(one(u=5, v=1), "no text", id="a number for a unit"),
        pytest.param([{"u": "%EL", "v": 1}], "no SenML name", id="no name"),
        pytest.param([{"n": "a b", "u": "%EL", "v": 1}], "no SenML name", id="a space in a name"),
        pytest.param([*one(u="%EL", v=1), {"u": "%EL", "v": 2}], "two values", id="two batteries at one time"),
        pytest.param(one(u="lat", v=26.5), "half a position", id="a latitude"),
        pytest.param([{"n": "a", "u": "%EL", "v": 1, "t": -1e13}], "a time of", id="before time began"),
        pytest.param(one(u="V", v=3.3), "nothing in the pack", id="nothing of ours"),
        pytest.param([], "nothing in the pack", id="nothing at all"),
        pytest.param({"n": "a"}, "array", id="no array"),
        pytest.param([5], "object", id="no object"),
    ],
)
def test_what_the_rfc_or_sense_forbids_is_refused_in_words(pack: Any, because: str) -> None:
    assert because in refused(pack)


@pytest.mark.parametrize(("source", "known"), [("wifi", True), ("gnss", True), ("moon", False)])
def test_a_source_is_one_of_ours(source: str, known: bool) -> None:
    pack = [*one(u="lat", n="g", v=26.5), {"u": "lon", "n": "g", "v": 101.7}, {"n": "source", "vs": source}]
    if not known:
        assert "moon" in refused(pack)
        return
    assert taken(pack)[0].fix.source == source  # type: ignore[union-attr]


def test_a_base_value_for_records_to_come_is_no_measurement() -> None:
    pack = [{"bn": "b:pulse", "bt": BT, "bu": "beat/min", "bv": 60}, {"t": 1, "v": 1}, {"t": 2}]
    beats = [reading.vitals.heart_rate_bpm for reading in taken(pack)]  # type: ignore[union-attr]
    assert beats == [61, 60]


def test_unknown_fields_are_ignored_and_secondary_units_are_known() -> None:
    pack = one(u="%EL", v=80, bver=26, mood={"deep": [1]})
    assert taken(pack)[0].device.battery_pct == 80  # type: ignore[union-attr]


def test_a_time_below_2_to_the_28_is_relative_to_arrival() -> None:
    (reading,) = taken([{"n": "a", "u": "%EL", "v": 80, "t": -90}])
    assert reading.time_ms == NOW_MS - 90_000


def test_a_pack_of_more_readings_than_a_message_may_have_is_too_large() -> None:
    pack = [*one(u="%EL", v=1), *({"u": "%EL", "t": t, "v": 1} for t in range(1, MAX_READINGS + 1))]
    answer = decode(json.dumps(pack).encode(), None, NOW_MS)
    assert isinstance(answer, Refusal)
    assert answer.reason is RejectReason.TOO_LARGE
