import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.directory import Directory
from ingest.vet import Batch, Message, VetConfig, vet
from schemas.reasons import RejectReason
from schemas.registry import NumberedRegistry
from tests.world import START, START_MS, Band, registry

DIRECTORY = Directory.of(NumberedRegistry.from_file(registry(bands=2)))
TOPIC = "wb/v1/dongqu/band-1/up"


def message(topic: str = TOPIC, received_s: float = 1.0, **parts: Any) -> Message:
    return Message(topic, json.dumps(Band().payload(0, **parts)).encode(), START_MS + round(received_s * 1000))


def judged(*messages: Message, directory: Directory = DIRECTORY) -> Batch:
    return vet(messages, directory, VetConfig())


def test_a_good_message_becomes_columns_with_the_registrys_numbers() -> None:
    batch = judged(message(device={"battery_pct": 80, "charging": False, "firmware": "1.4.2"}))
    readings = batch.readings
    assert (readings.device[0], readings.wearer[0], readings.seq[0]) == (1, 1, 0)
    assert (readings.event_ms[0], readings.ingest_ms[0]) == (START_MS, START_MS + 1000)
    assert (readings.charging[0], readings.strap_closed[0], readings.firmware[0]) == (0, -1, b"1.4.2")
    assert np.isnan(readings.heart_rate_bpm[0])
    assert batch.dead_letters == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(message("wb/v1/dongqu/band-9/up"), RejectReason.UNKNOWN_DEVICE, id="foreign device"),
        pytest.param(message("wb/v1/xiqu/band-1/up"), RejectReason.WRONG_ORG, id="another org's topic"),
        pytest.param(message("wb/v1/dongqu/band 1/up"), RejectReason.MALFORMED, id="topic outside the grammar"),
        pytest.param(message(at=(91.0, 101.7)), RejectReason.OUT_OF_RANGE, id="north of the pole"),
        pytest.param(message(vitals={"heart_rate_bpm": 1e300}), RejectReason.OUT_OF_RANGE, id="absurd heart"),
        pytest.param(message(device={"firmware": "x" * 17}), RejectReason.OUT_OF_RANGE, id="long firmware"),
        pytest.param(message(device={"firmware": "1\x00"}), RejectReason.OUT_OF_RANGE, id="NUL in firmware"),
        pytest.param(message(received_s=-121), RejectReason.FUTURE, id="from the future"),
        pytest.param(message(received_s=31 * 86_400), RejectReason.TOO_OLD, id="stored for a month"),
    ],
)
def test_what_cannot_be_taken_becomes_a_whole_dead_letter_with_a_reason(bad: Message, reason: RejectReason) -> None:
    batch = judged(bad, message())
    assert len(batch.readings) == 1
    assert [letter.reason for letter in batch.dead_letters] == [reason]
    assert batch.dead_letters[0].payload == bad.payload


def test_one_absurd_reading_costs_its_neighbours_nothing() -> None:
    payload = Band().payload(0)
    payload["readings"] = [
        payload["readings"][0] | {"time_ms": START_MS + n, "device": {"battery_pct": 80 if n != 1 else 180}}
        for n in range(3)
    ]
    batch = judged(Message(TOPIC, json.dumps(payload).encode(), START_MS))
    assert batch.readings.event_ms.tolist() == [START_MS, START_MS + 2]
    assert [(letter.reason, letter.readings) for letter in batch.dead_letters] == [(RejectReason.OUT_OF_RANGE, (1,))]


def test_without_a_lawful_order_nothing_is_kept_but_the_fact() -> None:
    past = Message(TOPIC, json.dumps(Band().payload(-8 * 86_400)).encode(), START_MS)
    batch = judged(past)
    assert len(batch.readings) == 0
    assert batch.dead_letters[0].reason is RejectReason.NO_ORDER
    assert batch.dead_letters[0].payload == b""


@given(st.integers(-30 * 86_400, 90 * 86_400))
@settings(deadline=None)
def test_positions_are_taken_exactly_while_an_order_holds(at_s: int) -> None:
    batch = judged(Message(TOPIC, json.dumps(Band().payload(at_s)).encode(), START_MS + at_s * 1000))
    moment = START + timedelta(seconds=at_s)
    lawful = START - timedelta(days=7) <= moment < START + timedelta(days=60)
    assert len(batch.readings) == int(lawful)


def test_physiology_without_consent_is_stripped_and_counted() -> None:
    directory = Directory.of(NumberedRegistry.from_file(registry(consent=False)))
    both = message(vitals={"heart_rate_bpm": 70})
    only = message(at=None, vitals={"heart_rate_bpm": 70})
    batch = judged(both, only, directory=directory)
    assert len(batch.readings) == 1
    assert not batch.readings.has_vitals.any()
    assert batch.readings.has_fix.all()
    assert batch.no_consent == 2


@given(st.lists(st.tuples(st.text(max_size=30), st.binary(max_size=60)), max_size=5))
def test_no_message_raises_and_none_disappears(messages: list[tuple[str, bytes]]) -> None:
    batch = judged(*(Message(topic, payload, START_MS) for topic, payload in messages), message())
    assert len(batch.readings) == 1
    assert len(batch.dead_letters) == len(messages)
    assert all(letter.topic.isprintable() for letter in batch.dead_letters)
