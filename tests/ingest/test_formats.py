"""What holds for every decoder: any bytes give one answer, and the topic chooses who answers."""

import json
import random
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode.formats import DECODERS
from ingest.directory import Directory
from ingest.vet import Batch, Message, VetConfig, vet
from schemas.reasons import RejectReason
from schemas.registry import NumberedRegistry
from schemas.topics import UPLINKS, Format, parse_uplink, up_filter
from schemas.wire import MAX_PAYLOAD_BYTES
from tests.fuzz.accounting import CONTENT_TYPES, account
from tests.fuzz.corpus import BOMBS, seeds
from tests.world import START_MS, registry

NUMBERED = NumberedRegistry.from_file(registry(bands=1))
DIRECTORY = Directory.of(NUMBERED)
EVERY = [pytest.param(format_, id=format_.value) for format_ in Format]


def topic(format_: Format) -> str:
    return UPLINKS[format_].format(org="dongqu", device="band-1")


def vetted(*messages: Message, directory: Directory = DIRECTORY) -> Batch:
    return vet(messages, directory, VetConfig())


def test_every_format_has_a_decoder_and_a_topic() -> None:
    assert set(DECODERS) == set(UPLINKS) == set(Format)


@pytest.mark.parametrize("format_", EVERY)
def test_a_topic_names_its_format_org_and_device(format_: Format) -> None:
    assert parse_uplink(topic(format_)) == (format_, "dongqu", "band-1")
    assert up_filter(shared=True, format_=format_).startswith("$share/shouhuan/")


@pytest.mark.parametrize("format_", EVERY)
@given(payload=st.binary(max_size=300), content_type=st.sampled_from(CONTENT_TYPES))
def test_any_bytes_give_one_answer_and_are_accounted_for(
    format_: Format, payload: bytes, content_type: str | None
) -> None:
    account(format_, payload, content_type)


NATIVE = ("v", "seq", "readings", "time_ms", "fix", "lat", "lon")
words = st.sampled_from(
    (*NATIVE, "_type", "location", "lwt", "tst", "acc", "vel", "bn", "bt", "bver", "n", "u", "t", "vs")
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=4) | st.just("beat/min")
structures = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5), max_leaves=12
)
records = st.lists(st.dictionaries(words, scalars, max_size=6), max_size=5)


@pytest.mark.parametrize("format_", EVERY)
@given(value=structures | records)
def test_any_structure_is_accounted_for_in_either_encoding(format_: Format, value: Any) -> None:
    for payload in (json.dumps(value).encode(), cbor2.dumps(value)):
        account(format_, payload, None)


@pytest.mark.parametrize("format_", EVERY)
@given(chance=st.randoms(use_true_random=False))
def test_a_message_with_a_few_bytes_changed_is_accounted_for(format_: Format, chance: random.Random) -> None:
    payload = bytearray(chance.choice([*seeds(format_, START_MS), b"[]"]))
    for _ in range(chance.randrange(1, 6)):
        payload[chance.randrange(len(payload))] = chance.randrange(256)
    account(format_, bytes(payload), None)


@pytest.mark.parametrize("format_", EVERY)
@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_is_one_dead_letter_and_costs_its_neighbours_nothing(format_: Format, name: str) -> None:
    good = Message(topic(Format.NATIVE), seeds(Format.NATIVE, START_MS)[0], START_MS)
    for content_type in CONTENT_TYPES:
        batch = vetted(Message(topic(format_), BOMBS[name], START_MS, content_type), good)
        assert len(batch.readings) == 1
        assert [letter.reason for letter in batch.dead_letters] in ([RejectReason.MALFORMED], [RejectReason.TOO_LARGE])


@pytest.mark.parametrize("format_", EVERY)
def test_what_a_band_may_send_is_taken_whole(format_: Format) -> None:
    for payload in seeds(format_, START_MS):
        batch = vetted(Message(topic(format_), payload, START_MS))
        assert len(batch.readings) + sum(batch.ignored.values()) >= 1
        assert batch.dead_letters == []


@pytest.mark.parametrize("format_", EVERY)
def test_too_much_is_too_large(format_: Format) -> None:
    assert DECODERS[format_](b" " * (MAX_PAYLOAD_BYTES + 1), None, 0).reason is RejectReason.TOO_LARGE  # type: ignore[union-attr]


@pytest.mark.parametrize("format_", EVERY)
def test_a_format_that_is_switched_off_says_so(format_: Format) -> None:
    others = Directory.of(NUMBERED, set(Format) - {format_})
    (letter,) = vetted(Message(topic(format_), b"{}", START_MS), directory=others).dead_letters
    assert letter.reason is RejectReason.MALFORMED
    assert "SHOUHUAN_FORMATS" in letter.detail


def test_no_payload_is_kept_of_a_message_that_has_one_reading_without_an_order() -> None:
    fix = {"lat": 26.5, "lon": 101.7, "accuracy_m": 8}
    told = [{"time_ms": START_MS - 8 * 86_400_000, "fix": fix}, {"time_ms": START_MS, "fix": fix | {"lat": 99}}]
    payload = json.dumps({"v": 1, "seq": 0, "readings": told}).encode()
    letters = vetted(Message(topic(Format.NATIVE), payload, START_MS)).dead_letters
    assert {letter.reason: letter.payload for letter in letters} == {
        RejectReason.NO_ORDER: b"",
        RejectReason.OUT_OF_RANGE: b"",
    }


@pytest.mark.parametrize("format_", [Format.OWNTRACKS, Format.SENML])
def test_the_same_bytes_are_the_same_message_and_others_of_that_second_are_not(format_: Format) -> None:
    one, two, *_ = seeds(format_, START_MS)
    numbers = [int(vetted(Message(topic(format_), payload, START_MS)).readings.seq[0]) for payload in (one, one, two)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert max(numbers) < 0
