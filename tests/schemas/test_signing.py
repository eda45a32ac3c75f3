"""A signature holds for one band's topic and every byte, and no bytes confuse it."""

import hmac
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.signing import band_key, is_signed, sign
from schemas.topics import Channel, Topic
from schemas.wire import Command, CommandType, encode_json

SITE = bytes(range(32))
KEY = band_key(SITE, "dongqu", "band-1")
TOPIC = str(Topic("dongqu", "band-1", Channel.DOWN))
PLAN = encode_json(Command(id="c-1", type=CommandType.PLAN, interval_s=15, until_ms=9, expires_ms=10))


def test_a_signed_command_is_the_same_json_with_one_member_more() -> None:
    plain, signed = json.loads(PLAN), json.loads(sign(KEY, TOPIC, PLAN))
    assert list(signed) == [*plain, "mac"]
    assert {name: signed[name] for name in plain} == plain


def test_a_band_can_check_it_with_nothing_but_the_protocols_words() -> None:
    """As docs/protocol.md says it, without our code: derive, cut off the last 74 bytes, compare."""
    message = sign(KEY, TOPIC, PLAN)
    key = hmac.new(SITE, b"shouhuan command key 1\ndongqu/band-1", sha256).digest()
    mac = hmac.new(key, TOPIC.encode() + b"\n" + message[:-74], sha256).hexdigest()
    assert message[-74:] == f',"mac":"{mac}"}}'.encode()


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer_and_none_passes_unsigned(message: bytes) -> None:
    assert not is_signed(KEY, TOPIC, message)


@given(st.data())
def test_one_changed_byte_is_noticed(data: st.DataObject) -> None:
    message = bytearray(sign(KEY, TOPIC, PLAN))
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    assert not is_signed(KEY, TOPIC, bytes(message))


@pytest.mark.parametrize(
    ("key", "topic"),
    [
        (band_key(SITE, "dongqu", "band-2"), TOPIC),
        (band_key(bytes(32), "dongqu", "band-1"), TOPIC),
        (KEY, str(Topic("dongqu", "band-2", Channel.DOWN))),
    ],
    ids=["another band's key", "another site's key", "another topic"],
)
def test_it_holds_for_one_band_of_one_site(key: bytes, topic: str) -> None:
    assert is_signed(KEY, TOPIC, sign(KEY, TOPIC, PLAN))
    assert not is_signed(key, topic, sign(KEY, TOPIC, PLAN))
