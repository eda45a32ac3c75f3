"""The outbox of commands: what was asked leaves once, what is too late never leaves, and answers find their command."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from schemas.commands import CommandDrop, DeviceCommand, HeardAck, command_id
from schemas.wire import Command, CommandAck, CommandType
from store.commands import CommandLog
from store.registry import import_registry
from tests.store.build import ask
from tests.world import START, START_MS, registry

EXPIRES = START + timedelta(minutes=15)
LATER = START + timedelta(seconds=1)


def asked(at_s: float = 0, device_no: int = 1, reason: str = "near") -> DeviceCommand:
    at_ms = START_MS + round(at_s * 1000)
    device = f"band-{device_no}"
    identity = str(command_id("dongqu", device, at_ms, CommandType.PLAN))
    plan = Command(id=identity, type=CommandType.PLAN, interval_s=15.0, until_ms=at_ms + 900_000)
    return DeviceCommand(
        command=plan,
        org="dongqu",
        device=device,
        device_no=device_no,
        asked_ms=at_ms,
        expires_ms=at_ms + 900_000,
        reason=reason,
    )


@pytest.fixture
def url(database_url: str) -> str:
    import_registry(database_url, registry(bands=2), now=START)
    return database_url


@pytest.fixture
def log(url: str) -> Iterator[CommandLog]:
    made = CommandLog(url, "mqtt-commands")
    yield made
    made.close()


def ids(log: CommandLog, now: datetime = LATER) -> list[str]:
    return [waiting.command.id for waiting in log.waiting(now, 10)]


def test_a_command_waits_with_its_topic_and_everything_it_says_and_stands_in_a_row(log: CommandLog, url: str) -> None:
    one = asked()
    log.record([one])
    (waiting,) = log.waiting(LATER, 10)
    assert (str(waiting.topic), waiting.command, waiting.expires_at) == (
        "wb/v1/dongqu/band-1/down",
        one.command,
        EXPIRES,
    )
    row = ask(url, "SELECT id, device_no, type, parameters, asked_at, reason, published_at, acked_at, ok FROM command")
    parameters = {"interval_s": 15.0, "until_ms": START_MS + 900_000}
    assert row == [(UUID(one.command.id), 1, "plan", parameters, START, "near", None, None, None)]


def test_what_has_left_or_is_too_late_does_not_leave_again_though_it_is_decided_again(
    log: CommandLog, url: str
) -> None:
    left, late = asked(60), asked(0, device_no=2)
    log.record([left, late])
    log.published([left.command.id], LATER)
    assert log.expire(EXPIRES) == 1
    log.record([left, late])
    assert ids(log) == []
    assert log.expire(EXPIRES) == 0
    assert ask(url, "SELECT published_at, dropped FROM command ORDER BY asked_at") == [(None, "expired"), (LATER, None)]


def test_the_oldest_leave_first_and_what_is_past_its_time_is_not_among_them(log: CommandLog) -> None:
    first, second = asked(0), asked(60, reason="released")
    log.record([second, first])
    assert ids(log) == [first.command.id, second.command.id]
    assert [waiting.command.id for waiting in log.waiting(LATER, 1)] == [first.command.id]
    assert ids(log, EXPIRES) == [second.command.id]


def test_what_the_broker_confirms_after_all_was_not_dropped(log: CommandLog, url: str) -> None:
    log.record([asked()])
    log.expire(EXPIRES)
    log.published([asked().command.id], EXPIRES)
    assert ask(url, "SELECT published_at, dropped FROM command") == [(EXPIRES, None)]


def test_each_set_of_workers_sends_its_own(log: CommandLog, url: str) -> None:
    log.record([asked()])
    others = CommandLog(url, "other-commands")
    assert others.waiting(LATER, 10) == []
    assert others.expire(EXPIRES) == 0
    others.close()


def test_a_command_to_a_band_that_we_no_longer_know_just_expires(log: CommandLog) -> None:
    log.record([asked(device_no=99)])
    assert ids(log) == []
    assert log.expire(EXPIRES) == 1


def heard(command: str, device: str = "band-1", **more: object) -> HeardAck:
    return HeardAck(device, CommandAck(id=command, ok=True, time_ms=START_MS, **more))  # type: ignore[arg-type]


def test_an_answer_finds_its_command_and_says_no_in_words(log: CommandLog, url: str) -> None:
    log.record([asked(0), asked(60)])
    refused = CommandAck(id=asked(60).command.id, ok=False, time_ms=START_MS, detail="no\x00power")
    assert not log.acknowledge([heard(asked(0).command.id), HeardAck("band-1", refused)], LATER)
    answers = ask(url, "SELECT acked_at, ok, detail FROM command ORDER BY asked_at")
    assert answers == [(LATER, True, None), (LATER, False, "no�power")]


@pytest.mark.parametrize(
    ("one", "why"),
    [
        pytest.param(heard(asked().command.id, "band-2"), CommandDrop.UNKNOWN, id="another band's"),
        pytest.param(heard(asked(7).command.id), CommandDrop.UNKNOWN, id="never asked"),
        pytest.param(heard("c-17"), CommandDrop.UNKNOWN, id="no id of ours"),
        pytest.param(HeardAck("band-1", None), CommandDrop.MALFORMED, id="no answer at all"),
    ],
)
def test_an_answer_that_is_nobodys_is_counted_and_changes_nothing(
    log: CommandLog, url: str, one: HeardAck, why: CommandDrop
) -> None:
    log.record([asked()])
    assert log.acknowledge([one, one], LATER) == {why: 2}
    log.acknowledge([one], EXPIRES)
    assert ask(url, "SELECT reason, number, last_at FROM ack_drop") == [(why.value, 3, EXPIRES)]
    assert ask(url, "SELECT acked_at FROM command") == [(None,)]


def test_the_first_answer_counts_and_the_same_again_is_a_duplicate(log: CommandLog, url: str) -> None:
    log.record([asked()])
    log.acknowledge([heard(asked().command.id)], LATER)
    contradiction = CommandAck(id=asked().command.id, ok=False, time_ms=START_MS)
    assert log.acknowledge([HeardAck("band-1", contradiction)], EXPIRES) == {CommandDrop.DUPLICATE: 1}
    assert ask(url, "SELECT acked_at, ok FROM command") == [(LATER, True)]
