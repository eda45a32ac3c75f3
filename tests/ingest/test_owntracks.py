"""OwnTracks: its published kinds of messages, and what a location becomes."""

import json
from typing import Any

import pytest

from ingest.decode.answers import ASSUMED_ACCURACY_M, Decoded, Ignored, Refusal
from ingest.decode.owntracks import NOT_READINGS, decode
from schemas.reasons import RejectReason
from schemas.wire import Reading

TST = 1_795_406_405
HERE = {"_type": "location", "lat": 26.58, "lon": 101.71, "tst": TST}


def told(**fields: Any) -> Reading:
    answer = decode(json.dumps(HERE | fields).encode())
    assert isinstance(answer, Decoded)
    (reading,) = answer.uplink.readings
    return reading


def test_a_phones_location_is_a_reading_in_our_units() -> None:
    reading = told(acc=12, alt=1180, vel=54, cog=270, batt=81, bs=1, tid="zh", conn="m", t="u", vac=3, inregions=["家"])
    assert reading.time_ms == TST * 1000
    fix = reading.fix
    assert (fix.lat, fix.lon, fix.accuracy_m, fix.altitude_m) == (26.58, 101.71, 12, 1180)  # type: ignore[union-attr]
    assert (fix.speed_mps, fix.heading_deg, fix.age_s) == (pytest.approx(15), 270, 0)  # type: ignore[union-attr]
    assert (reading.device.battery_pct, reading.device.charging) == (81, False)  # type: ignore[union-attr]


@pytest.mark.parametrize(("bs", "charging"), [(0, None), (1, False), (2, True), (3, True), (9, None)])
def test_battery_status_says_whether_it_charges(bs: int, charging: bool | None) -> None:
    device = told(batt=50, bs=bs).device
    assert (device.charging if charging is not None else None) == charging  # type: ignore[union-attr]


def test_a_message_made_after_its_fix_is_a_reading_of_that_moment_with_an_old_fix() -> None:
    reading = told(created_at=TST + 40)
    assert (reading.time_ms, reading.fix.age_s) == ((TST + 40) * 1000, 40)  # type: ignore[union-attr]


def test_what_the_phone_does_not_know_is_absent() -> None:
    reading = told(vel=-1, cog=-1, batt=-100, bs=0)
    assert reading.fix.speed_mps != reading.fix.speed_mps  # type: ignore[union-attr]  # NaN
    assert reading.fix.heading_deg != reading.fix.heading_deg  # type: ignore[union-attr]
    assert not reading.device


@pytest.mark.parametrize("fields", [{}, {"acc": 0}], ids=["no accuracy", "an accuracy of zero"])
def test_a_position_is_never_taken_for_exact(fields: dict[str, Any]) -> None:
    assert told(**fields).fix.accuracy_m == ASSUMED_ACCURACY_M  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", sorted(NOT_READINGS))
def test_other_messages_of_the_booklet_are_counted_by_name(kind: str) -> None:
    assert decode(json.dumps({"_type": kind, "tst": TST, "lat": "none"}).encode()) == Ignored(f"owntracks.{kind}")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param({"_type": "encrypted", "data": "3N2yVq"}, RejectReason.ENCRYPTED, id="encrypted"),
        pytest.param({"_type": "ufo"}, RejectReason.MALFORMED, id="a type of nobody's"),
        pytest.param({"lat": 1, "lon": 2, "tst": TST}, RejectReason.MALFORMED, id="no type"),
        pytest.param({"_type": "location", "lat": 1, "tst": TST}, RejectReason.MALFORMED, id="half a position"),
        pytest.param({"_type": "location", "lat": 1, "lon": 2}, RejectReason.MALFORMED, id="no time"),
        pytest.param(HERE | {"tst": -1}, RejectReason.MALFORMED, id="before time began"),
        pytest.param(HERE | {"tst": 10**30}, RejectReason.MALFORMED, id="after all time"),
        pytest.param(HERE | {"lat": "26.58"}, RejectReason.MALFORMED, id="a text for a number"),
        pytest.param([HERE], RejectReason.MALFORMED, id="an array"),
    ],
)
def test_what_is_no_location_is_refused_with_a_reason(payload: Any, reason: RejectReason) -> None:
    answer = decode(json.dumps(payload).encode())
    assert isinstance(answer, Refusal)
    assert answer.reason is reason
