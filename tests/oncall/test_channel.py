"""Channels: the schemes people use are ones Apprise takes, and a channel that hangs or breaks is an answer."""

import socket
from collections.abc import Iterator

import pytest
from apprise import Apprise

from oncall.channel import send
from oncall.errors import ChannelDown, ChannelRefused
from oncall.message import Message
from schemas.alerts import Priority

MESSAGE = Message("title", "body", Priority.HIGH)

EXAMPLES = [
    "wecombot://0123abcd-0123-0123-0123-0123456789ab",
    "dingtalk://secret123@a1b2c3d4e5f6a1b2c3d4e5f6",
    "feishu://0123abcd-0123-0123-0123-0123456789ab",
    "lark://0123abcd-0123-0123-0123-0123456789ab",
    "bark://bark.example/0123456789abcdef",
    "barks://bark.example/0123456789abcdef",
    "ntfy://ntfy.example/oncall",
    "ntfys://user:password@ntfy.example/oncall",
    "mailto://user:password@mail.example?to=duty@mail.example",
    "mailtos://user:password@mail.example:465?to=duty@mail.example",
    "json://hook.example/path",
    "jsons://user:password@hook.example:8443/path",
    "form://hook.example/path",
    "xml://hook.example/path",
    "gotify://gotify.example/0123456789abcde",
    "schan://SCT0123456789abcdef",
    "pushplus://0123456789abcdef0123456789abcdef",
]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("url", EXAMPLES, ids=[url.partition(":")[0] for url in EXAMPLES])
def test_apprise_takes_every_documented_example(url: str) -> None:
    assert Apprise().add(url)


@pytest.mark.parametrize("url", ["", "nonsense", "gopher://x", "wecombot://"], ids=["empty", "word", "scheme", "part"])
def test_what_is_no_address_is_refused_for_good(url: str) -> None:
    with pytest.raises(ChannelRefused) as refusal:
        send(url, MESSAGE, 5)
    assert not refusal.value.retryable


def test_a_closed_port_is_worth_another_try(silent_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ChannelDown, match="no connection") as down:
        send(f"json://127.0.0.1:{port}", MESSAGE, 5)
    assert down.value.retryable


def test_a_far_side_that_never_answers_is_left_after_the_time_limit(silent_port: int) -> None:
    with pytest.raises(ChannelDown, match="no answer within"):
        send(f"json://127.0.0.1:{silent_port}", MESSAGE, 0.2)
