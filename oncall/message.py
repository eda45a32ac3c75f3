"""What a page says, in the reader's language: never a name, never a position.

A push crosses other people's servers; what it omits is one login away behind its link.
"""

from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.alerts import KINDS, AlertKind, Priority
from store.pages import ClaimedPage

DEFAULT_LANGUAGE: Final = "zh"
DEFAULT_TIMEZONE: Final = "Asia/Shanghai"

PRIORITY_NAMES: Final[dict[Priority, dict[str, str]]] = {
    Priority.WELFARE: {"zh": "关怀", "en": "WELFARE"},
    Priority.LOW: {"zh": "低", "en": "LOW"},
    Priority.MEDIUM: {"zh": "中", "en": "MEDIUM"},
    Priority.HIGH: {"zh": "高", "en": "HIGH"},
    Priority.HIGHEST: {"zh": "最高", "en": "HIGHEST"},
}
TITLES: Final = {"zh": "【{priority}】{alert}", "en": "[{priority}] {alert}"}
_KINDS_BY_CODE: Final[dict[str, AlertKind]] = {code.value: kind for code, kind in KINDS.items()}
INCIDENT_NAMES: Final = {"zh": "事件", "en": "incident"}
WHOM: Final = {"zh": "对象编号：{wearer}\n", "en": "Wearer: {wearer}\n"}
"""The first line, where there is a wearer: an incident of a site has none."""
BODIES: Final = {
    "zh": "机构：{org}\n时间：{time}\n事件：{incident}\n详情：{link}",
    "en": "Organisation: {org}\nTime: {time}\nIncident: {incident}\nDetails: {link}",
}


class Message(NamedTuple):
    """What is sent; ``priority`` is for channels that can be loud or quiet."""

    title: str
    body: str
    priority: Priority


def compose(page: ClaimedPage, console_url: str) -> Message:
    """The message of a page; what is unknown about it falls back to its id, never fails."""
    language = page.language if page.language in TITLES else DEFAULT_LANGUAGE
    priority = Priority(page.priority)
    title = TITLES[language].format(priority=PRIORITY_NAMES[priority][language], alert=_alert_name(page.code, language))
    whom = "" if page.wearer is None else WHOM[language].format(wearer=page.wearer)
    body = whom + BODIES[language].format(
        org=_org_name(page, language),
        time=_local_time(page),
        incident=page.incident_id,
        link=f"{console_url.rstrip('/')}/#incident={page.incident_id}",
    )
    return Message(title, body, priority)


def _alert_name(code: str | None, language: str) -> str:
    """The kind's name in a language; a code of a newer version is its own name.

    >>> _alert_name("device.strap", "zh"), _alert_name("device.strap", "en"), _alert_name("new.kind", "en")
    ('断带、拆卸', 'strap opened or cut', 'new.kind')
    """
    if code is None:
        return INCIDENT_NAMES[language]
    kind = _KINDS_BY_CODE.get(code)
    if kind is None:
        return code
    return kind.zh if language == "zh" else kind.en


def _org_name(page: ClaimedPage, language: str) -> str:
    foreign = page.org_name_en if language == "en" else None
    return foreign or page.org_name or page.org


def _local_time(page: ClaimedPage) -> str:
    """When the incident opened, as the org's people read it, with the offset that makes it exact."""
    local = page.opened_at.astimezone(ZoneInfo(page.timezone or DEFAULT_TIMEZONE))
    return local.isoformat(" ", "seconds")
