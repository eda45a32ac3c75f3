"""Group-chat robots that say no with HTTP 200 and a code in the body: WeCom, DingTalk, Feishu.

Apprise looks at the status only, so a page refused for its rate ("45009") or for a missing keyword
("310000") would count as delivered. These take the place of Apprise's own and read the answer.
"""
# Apprise is typed in part.
# mypy: disable-error-code="no-untyped-call"

from typing import Any
from urllib.parse import unquote

import requests
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot


def answer_code(answer: object) -> int | None:
    """The code in a robot's answer: 0 is yes, None is an answer of no known form, which is no yes.

    >>> answer_code({"errcode": 45009, "errmsg": "api freq out of limit"}), answer_code({"code": 0}), answer_code("ok")
    (45009, 0, None)
    """
    if not isinstance(answer, dict):
        return None
    codes = [answer[name] for name in ("errcode", "code", "StatusCode") if isinstance(answer.get(name), int)]
    return codes[0] if codes else None


def _text(title: str, body: str) -> str:
    return f"{title}\n{body}" if title else body


class _Robot(NotifyBase):
    """What the three have in common: a posted text, and an answer to be read."""

    def _post(self, url: str, payload: dict[str, Any], params: dict[str, str] | None = None) -> bool:
        try:
            response = requests.post(
                url,
                json=payload,
                params=params,
                timeout=self.request_timeout,
                verify=self.verify_certificate,
                allow_redirects=False,
            )
        except requests.RequestException:
            return False
        return self._taken(response)

    def _taken(self, response: requests.Response) -> bool:
        if response.status_code != requests.codes.ok:
            self.logger.warning("error=%d", response.status_code)
            return False
        try:
            code = answer_code(response.json())
        except requests.JSONDecodeError:
            code = None
        if code != 0:
            self.logger.warning("code=%s", code)
        return code == 0


class WeComBot(NotifyWeComBot, _Robot):
    """企业微信群机器人."""

    def send(self, body: str, title: str = "", *_: object, **__: object) -> bool:
        """Whether the robot took the text."""
        return self._post(self.api_url, {"msgtype": "text", "text": {"content": _text(title, body)}})


class Feishu(NotifyFeishu, _Robot):
    """飞书自定义机器人."""

    def send(self, body: str, title: str = "", *_: object, **__: object) -> bool:
        """Whether the robot took the text."""
        url = self.notify_url.format(token=self.token)
        return self._post(url, {"msg_type": "text", "content": {"text": _text(title, body)}})


class DingTalk(NotifyDingTalk, _Robot):
    """钉钉自定义机器人."""

    def send(self, body: str, title: str = "", *_: object, **__: object) -> bool:
        """Whether the robot took the text."""
        payload = {"msgtype": "text", "text": {"content": _text(title, body)}, "at": {"atMobiles": self.targets}}
        params = None
        if self.secret:
            timestamp_ms, sign = self.get_signature()
            # Apprise quotes it for an address, but parameters are quoted when posted: twice is a wrong signature.
            params = {"timestamp": timestamp_ms, "sign": unquote(sign)}
        return self._post(self.notify_url.format(token=self.token), payload, params)


def install() -> None:
    """Put these robots in the place of Apprise's own; doing it again changes nothing."""
    manager = NotificationManager()
    for robot in (WeComBot, Feishu, DingTalk):
        if manager[robot.secure_protocol] is not robot:
            manager.add(robot, force=True)
