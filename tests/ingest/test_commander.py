"""Commands and answers on a real broker, seen and spoken by clients that are not ours; and any bytes as an answer."""

import json
from collections.abc import Iterable, Iterator
from threading import Event

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ingest.client import BrokerConfig
from ingest.commander import AckDelivery, Commander, hear_ack
from schemas.topics import Channel, Topic
from schemas.wire import CONTENT_TYPE_CBOR, Command, CommandType
from tests.listener import listening
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

TOPIC = Topic("dongqu", "band-1", Channel.DOWN)
ACK = "wb/v1/dongqu/band-1/ack"
LOCATE = Command(id="c-18", type=CommandType.LOCATE)
PLAN = Command(id="c-17", type=CommandType.PLAN, interval_s=15.0, until_ms=5)
ANSWER = {"id": "c-17", "ok": True, "time_ms": 5}


@pytest.fixture(params=["5", "3.1.1"])
def commander(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> Iterator[Commander]:
    made = Commander("shouhuan-test", BrokerConfig(mosquitto.host, mosquitto.port, request.param))
    made.open()
    wait_until(lambda: made.connected, "the session")
    yield made
    made.close()


def test_a_stranger_hears_each_command_once_though_it_is_handed_over_again_while_under_way(
    commander: Commander, mosquitto: Mosquitto
) -> None:
    with listening(mosquitto, str(TOPIC)) as told:
        commander.publish(TOPIC, PLAN, 900)
        commander.publish(TOPIC, PLAN, 900)
        commander.publish(TOPIC, LOCATE, 900)
        confirmed: list[str] = []
        wait_until(lambda: confirmed.extend(commander.confirmed()) or len(confirmed) == 2, "the broker's confirmation")
        wait_until(lambda: "c-18" in [command["id"] for command in told.heard], "the second command")
        assert told.heard == [
            {"id": "c-17", "type": "plan", "interval_s": 15.0, "until_ms": 5},
            {"id": "c-18", "type": "locate"},
        ]
    assert confirmed == ["c-17", "c-18"]
    assert commander.confirmed() == []


def test_what_the_broker_refuses_is_not_confirmed_and_may_be_tried_again() -> None:
    refused = ReasonCode(PacketTypes.PUBACK, "Not authorized")
    commander = Commander("shouhuan-test", BrokerConfig("127.0.0.1", 1))
    for mid in (1, 2):
        commander.publish(TOPIC, PLAN, 900)
        assert list(commander._under_way) == [mid]
        commander._on_publish(commander._client, None, mid, refused, None)
        assert commander.confirmed() == []


def test_a_strangers_answer_is_heard_and_comes_again_until_it_is_acknowledged(mosquitto: Mosquitto) -> None:
    news = Event()
    broker = BrokerConfig(mosquitto.host, mosquitto.port)
    first = Commander("shouhuan-test", broker, news.set)
    first.open()
    answers = []
    wait_until(lambda: mosquitto.publish(ACK, json.dumps(ANSWER)) or bool(answers.extend(first.take(9)) or answers),
               "an answer")  # fmt: skip
    assert news.is_set()
    first.close()
    second = Commander("shouhuan-test", broker)
    second.open()
    again = []
    wait_until(lambda: bool(again.extend(second.take(9)) or again), "the answer again")
    assert again[0].heard == answers[0].heard
    assert again[0].heard.device == "band-1"
    second.acknowledge(again)
    second.close()


def test_answers_that_wait_when_a_connection_is_lost_are_forgotten_for_their_return(
    commander: Commander, mosquitto: Mosquitto
) -> None:
    wait_until(lambda: mosquitto.publish(ACK, json.dumps(ANSWER)) or len(commander._answers) > 0, "an answer")
    waiting = len(commander._answers)
    mosquitto.stop()
    wait_until(lambda: not commander.connected, "the loss")
    mosquitto.start()
    wait_until(lambda: commander.connected, "the session again")
    mosquitto.publish(ACK, json.dumps(ANSWER | {"id": "after"}))
    wait_until(lambda: "after" in ids(commander._answers), "another answer")
    assert ids(commander._answers) == ["c-17"] * waiting + ["after"]


def ids(answers: Iterable[AckDelivery]) -> list[str]:
    return [answer.heard.ack.id for answer in list(answers)]


@given(payload=st.binary(max_size=200), content_type=st.sampled_from([None, CONTENT_TYPE_CBOR]))
def test_no_bytes_raise(payload: bytes, content_type: str | None) -> None:
    assert hear_ack(ACK, payload, content_type).device == "band-1"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"yes", id="no JSON"),
        pytest.param(b'{"id":"c-17"}', id="half an answer"),
        pytest.param(b'{"id":17,"ok":"yes","time_ms":-1}', id="wrong kinds"),
        pytest.param(b"[" * 10_000, id="deep"),
        pytest.param(b'{"id":"c-17","ok":true,"time_ms":5,"detail":"' + b"x" * 70_000 + b'"}', id="too large"),
    ],
)
def test_what_is_no_answer_is_a_value(payload: bytes) -> None:
    assert hear_ack(ACK, payload) == ("band-1", None)


def test_an_answer_outside_the_topic_grammar_is_nobodys() -> None:
    assert hear_ack("wb/v1/dongqu/ack", json.dumps(ANSWER).encode()) == ("", None)


@pytest.mark.parametrize("encode", [msgspec.json.encode, cbor2.dumps], ids=["json", "cbor"])
def test_an_answer_is_json_or_cbor_and_its_words_are_printable(encode: object) -> None:
    ack = hear_ack(ACK, encode(ANSWER | {"detail": "battery\n" + "x" * 400})).ack  # type: ignore[operator]
    assert (ack.id, ack.ok, len(ack.detail)) == ("c-17", True, 200)
    assert ack.detail.isprintable()
