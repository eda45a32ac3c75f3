"""Robots that answer HTTP 200 to everything: what they say in the body decides."""

import base64
import hashlib
import hmac

import pytest

from oncall import robots
from oncall.channel import send
from oncall.errors import ChannelDown
from oncall.message import Message
from schemas.alerts import Priority
from tests.oncall.conftest import Webhook

MESSAGE = Message("【最高】断带、拆卸", "对象编号：w-007", Priority.HIGHEST)
WECOM = (robots.WeComBot, "wecombot://0123abcd-0123-0123-0123-0123456789ab")
FEISHU = (robots.Feishu, "feishu://0123abcd-0123-0123-0123-0123456789ab")
DINGTALK = (robots.DingTalk, "dingtalk://SECabc123@a1b2c3d4e5f6a1b2c3d4e5f6")


@pytest.fixture(params=[WECOM, FEISHU, DINGTALK], ids=["wecom", "feishu", "dingtalk"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, webhook: Webhook) -> str:
    robot, url = request.param
    monkeypatch.setattr(robot, "notify_url", f"http://{webhook.address}/robot")
    return str(url)


@pytest.mark.parametrize("answer", [b'{"errcode": 0}', b'{"code": 0}', b'{"StatusCode": 0}'])
def test_a_robot_that_says_yes_has_delivered(url: str, webhook: Webhook, answer: bytes) -> None:
    webhook.body = answer
    send(url, MESSAGE, 5)
    [payload] = webhook.received
    text = payload.get("text") or payload["content"]
    assert next(iter(text.values())).splitlines() == [MESSAGE.title, MESSAGE.body]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"errcode": 45009}', "code=45009"),
        (b'{"code": 9499}', "code=9499"),
        (b"{}", "no answer"),
        (b"ok", "no answer"),
    ],
    ids=["rate", "request", "codeless", "no json"],
)
def test_a_robot_that_says_no_with_http_200_has_not_delivered(
    url: str, webhook: Webhook, answer: bytes, words: str
) -> None:
    webhook.body = answer
    with pytest.raises(ChannelDown, match=words):
        send(url, MESSAGE, 5)


def test_a_robot_that_is_broken_has_not_delivered(url: str, webhook: Webhook) -> None:
    webhook.answers, webhook.body = [502], b'{"errcode": 0}'
    with pytest.raises(ChannelDown, match="error=502"):
        send(url, MESSAGE, 5)


def test_dingtalk_gets_a_signature_it_can_verify(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots.DingTalk, "notify_url", f"http://{webhook.address}/robot")
    webhook.body = b'{"errcode": 0}'
    send(DINGTALK[1], MESSAGE, 5)
    [query] = webhook.queries
    signed = f"{query['timestamp'][0]}\nSECabc123".encode()
    expected = base64.b64encode(hmac.new(b"SECabc123", signed, hashlib.sha256).digest()).decode()
    assert query["sign"] == [expected]
