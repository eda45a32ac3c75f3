"""A band with a key obeys what is signed, in time, once; without a key it believes everybody."""

import json

import pytest

from schemas.signing import band_key, sign
from schemas.topics import Channel, Topic
from schemas.wire import Command, CommandType, encode_json
from simulator.trust import EXPIRED, UNSIGNED, Order, Trust

SITE = bytes(range(32))
TOPIC = Topic("dongqu", "band-1", Channel.DOWN)
NOW_MS = 1_000_000
PLAN = Command(id="c-1", type=CommandType.PLAN, interval_s=15, until_ms=NOW_MS, expires_ms=NOW_MS + 1_000)


def signed(command: Command = PLAN, topic: Topic = TOPIC) -> bytes:
    return sign(band_key(SITE, topic.org, topic.device), str(topic), encode_json(command))


def taken(message: bytes, trust: Trust | None = None, now_ms: int = NOW_MS) -> Order:
    order = (trust or Trust(SITE)).take(TOPIC, message, now_ms)
    assert order is not None
    return order


def test_a_signed_command_is_obeyed_once_and_answered_each_time() -> None:
    trust = Trust(SITE)
    assert taken(signed(), trust)[1:] == ("", False)
    assert taken(signed(), trust)[1:] == ("", True)


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        (encode_json(PLAN), UNSIGNED),
        (signed().replace(b":15,", b":86400,"), UNSIGNED),
        (signed(topic=Topic("dongqu", "band-2", Channel.DOWN)), UNSIGNED),
        (signed(PLAN)[:-1] + b" }", UNSIGNED),
        (signed(Command(id="c-2", type=CommandType.END)), EXPIRED),
        (signed(Command(id="c-2", type=CommandType.END, expires_ms=NOW_MS)), EXPIRED),
    ],
    ids=["unsigned", "altered", "another band's", "reformatted", "without an end", "expired"],
)
def test_what_is_not_ours_or_too_late_is_refused_in_words(message: bytes, refusal: str) -> None:
    assert json.loads(message)
    assert taken(message).refusal == refusal


def test_a_copy_that_comes_after_its_id_is_forgotten_has_expired() -> None:
    trust = Trust(SITE)
    taken(signed(), trust)
    assert taken(signed(), trust, NOW_MS + 1_000).refusal == EXPIRED


def test_a_band_without_a_key_obeys_as_before() -> None:
    assert taken(encode_json(PLAN), Trust(None)).refusal == ""


def test_what_is_no_command_is_nothing() -> None:
    assert Trust(SITE).take(TOPIC, b"yes, sir", NOW_MS) is None
