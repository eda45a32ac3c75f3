"""Sending one message through Apprise; what goes wrong is an error's class, never a log line with an address."""

import logging
import re
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from threading import Lock, Thread, local
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from oncall import robots
from oncall.errors import ChannelDown, ChannelRefused, DeliveryError
from oncall.message import Message
from schemas.alerts import Priority

OWN_PREFIX: Final = "SHOUHUAN_"
"""Variables of the program itself, its session secret among them, are never put into an address."""

NOTIFY_TYPES: Final[dict[Priority, NotifyType]] = {
    Priority.WELFARE: NotifyType.INFO,
    Priority.LOW: NotifyType.INFO,
    Priority.MEDIUM: NotifyType.WARNING,
    Priority.HIGH: NotifyType.WARNING,
    Priority.HIGHEST: NotifyType.FAILURE,
}
# No image addresses: a phone that fetches one tells its host that an alert was read. No time limit of
# Apprise's own: it would send from a pool whose hanging threads hold up other channels and the exit.
_ASSET: Final = AppriseAsset(
    app_id="Shouhuan", app_desc="Shouhuan", app_url="", image_url_mask="", image_url_logo="", service_timeout=0
)
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_ANSWER: Final = re.compile(r"\b(?:error|code)=-?\d+\b")
_TALKATIVE: Final = ("apprise", "urllib3.connectionpool")
_prepared: Final = Lock()
_heard: Final = local()


def expand(url: str, environment: Mapping[str, str]) -> str:
    """A contact's URL with each ``${NAME}`` exchanged for its value; the result is secret.

    Raises ``ChannelRefused`` naming the variable that is not set, or is not a contact's to read.

    >>> expand("wecombot://${WECOM_KEY}", {"WECOM_KEY": "k-1"})
    'wecombot://k-1'
    >>> expand("wecombot://${WECOM_KEY}", {})
    Traceback (most recent call last):
    oncall.errors.ChannelRefused: the contact's URL needs the variable WECOM_KEY, which is not set: set it for the \
on-call process
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith(OWN_PREFIX):
            raise ChannelRefused(f"a contact's URL may not read {name}: keep its secret in a variable of another name")
        if name not in environment:
            raise ChannelRefused(
                f"the contact's URL needs the variable {name}, which is not set: set it for the on-call process"
            )
        return environment[name]

    return _VARIABLE.sub(value, url)


def send(url: str, message: Message, timeout_s: float) -> None:
    """Deliver a message to an expanded URL, or raise ``ChannelDown`` or ``ChannelRefused``.

    Returning means that the far side took it, not that a person read it. After ``timeout_s`` the
    message may still arrive: it is then delivered once more by the next attempt.
    """
    answer: SimpleQueue[DeliveryError | None] = SimpleQueue()
    # A daemon, since a channel that hangs must not keep the process from ending.
    Thread(target=lambda: answer.put(_try(url, message)), name="page-send", daemon=True).start()
    try:
        error = answer.get(timeout=timeout_s)
    except Empty:
        raise ChannelDown(f"no answer within {timeout_s:g} s") from None
    if error is not None:
        raise error


def _try(url: str, message: Message) -> DeliveryError | None:
    _prepare()
    _heard.answer = None
    try:
        channel = Apprise(asset=_ASSET)
        if not channel.add(url):
            return ChannelRefused("the contact's URL is none that Apprise knows: check its scheme and its parts")
        taken = channel.notify(
            title=message.title,
            body=message.body,
            notify_type=NOTIFY_TYPES[message.priority],
            body_format=NotifyFormat.TEXT,
        )
    except Exception as error:  # noqa: BLE001 - any plugin may raise anything; its text may hold the address
        return ChannelDown(f"the channel broke with {type(error).__name__}")
    return None if taken else ChannelDown(_what_was_heard())


def _what_was_heard() -> str:
    return "no connection, or no answer" if _heard.answer is None else f"the far side answered {_heard.answer}"


def _prepare() -> None:
    """Both libraries log addresses with their tokens; a filter holds at any level the root may set."""
    with _prepared:
        robots.install()
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(_note_answer_and_drop)


def _note_answer_and_drop(record: logging.LogRecord) -> bool:
    found = _ANSWER.search(record.getMessage())
    if found:
        _heard.answer = found[0]
    return False
