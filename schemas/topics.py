"""The topic grammar: ``wb/v1/{org}/{device}/{channel}``, and the topics of other formats of telemetry."""

import re
from enum import StrEnum
from typing import Final, NamedTuple

PREFIX: Final = "wb/v1"
SHARE_GROUP: Final = "shouhuan"
_NAME: Final = r"[A-Za-z0-9._-]{1,64}"
_TOPIC: Final = re.compile(rf"wb/v1/({_NAME})/({_NAME})/(up|status|down|ack)", re.ASCII)
_NAME_ONLY: Final = re.compile(_NAME, re.ASCII)


class Format(StrEnum):
    """What telemetry may be written in; the topic says which."""

    NATIVE = "native"
    OWNTRACKS = "owntracks"
    SENML = "senml"


UPLINKS: Final[dict[Format, str]] = {
    Format.NATIVE: f"{PREFIX}/{{org}}/{{device}}/up",
    Format.OWNTRACKS: "owntracks/{org}/{device}",
    Format.SENML: "senml/{org}/{device}",
}
"""Where a band publishes telemetry of each format."""
_UPLINKS: Final = {
    format_: re.compile(template.replace("{org}", f"({_NAME})").replace("{device}", f"({_NAME})"), re.ASCII)
    for format_, template in UPLINKS.items()
}


class Channel(StrEnum):
    """The last level of a topic: telemetry, presence (retained, last will), commands, their replies."""

    UP = "up"
    STATUS = "status"
    DOWN = "down"
    ACK = "ack"


class Topic(NamedTuple):
    """One band's channel.

    >>> str(Topic("dongqu", "band-0001", Channel.UP))
    'wb/v1/dongqu/band-0001/up'
    """

    org: str
    device: str
    channel: Channel

    def __str__(self) -> str:
        return f"{PREFIX}/{self.org}/{self.device}/{self.channel.value}"


def parse_topic(text: str) -> Topic | None:
    """The parts of a topic, or None where it is outside the grammar.

    >>> parse_topic("wb/v1/dongqu/band-0001/up")
    Topic(org='dongqu', device='band-0001', channel=<Channel.UP: 'up'>)
    >>> parse_topic("wb/v1/dongqu/+/up") is None
    True
    """
    match = _TOPIC.fullmatch(text)
    return None if match is None else Topic(match[1], match[2], Channel(match[3]))


def is_name(text: str) -> bool:
    """Whether a text may be an ``org`` or ``device`` level: 1–64 of ``A-Z a-z 0-9 . _ -``."""
    return _NAME_ONLY.fullmatch(text) is not None


class Uplink(NamedTuple):
    """Whose telemetry a topic carries, and in what format."""

    format: Format
    org: str
    device: str


def parse_uplink(text: str) -> Uplink | None:
    """The parts of a topic of telemetry, or None where it is none.

    >>> parse_uplink("owntracks/dongqu/phone-7")
    Uplink(format=<Format.OWNTRACKS: 'owntracks'>, org='dongqu', device='phone-7')
    >>> parse_uplink("wb/v1/dongqu/band-0001/ack") is None
    True
    """
    matches = ((format_, pattern.fullmatch(text)) for format_, pattern in _UPLINKS.items())
    return next((Uplink(format_, match[1], match[2]) for format_, match in matches if match), None)


def up_filter(*, shared: bool, format_: Format = Format.NATIVE) -> str:
    """The workers' subscription to a format: shared (MQTT 5), or plain for a broker of 3.1.1.

    >>> up_filter(shared=True)
    '$share/shouhuan/wb/v1/+/+/up'
    >>> up_filter(shared=False, format_=Format.SENML)
    'senml/+/+'
    """
    plain = UPLINKS[format_].format(org="+", device="+")
    return f"$share/{SHARE_GROUP}/{plain}" if shared else plain
