"""Which commands a band obeys: those signed with its key, in time, once.

Without a key it obeys whoever speaks to it, as a band does that was never given one.
"""

from typing import Final, NamedTuple

import msgspec

from schemas.signing import band_key, is_signed
from schemas.topics import Topic
from schemas.wire import Command

UNSIGNED: Final = "not signed with this band's key"
EXPIRED: Final = "too late: it has expired"
_COMMAND: Final = msgspec.json.Decoder(Command)


class Order(NamedTuple):
    """A command as a band takes it: obeyed, or refused in words, or answered again because it was obeyed before."""

    command: Command
    refusal: str = ""
    again: bool = False


class Trust:
    """What a site's bands remember of commands; ids are forgotten when they expire."""

    def __init__(self, site_key: bytes | None) -> None:
        self._site_key = site_key
        self._obeyed: dict[str, dict[str, int]] = {}

    def take(self, topic: Topic, message: bytes, now_ms: int) -> Order | None:
        """What a band makes of a message on its ``…/down``; None where it is no command at all."""
        try:
            command = _COMMAND.decode(message)
        except msgspec.MsgspecError:
            return None
        if self._site_key is None:
            return Order(command)
        if not is_signed(band_key(self._site_key, topic.org, topic.device), str(topic), message):
            return Order(command, UNSIGNED)
        expires_ms = command.expires_ms
        if not isinstance(expires_ms, int) or expires_ms <= now_ms:
            return Order(command, EXPIRED)
        return Order(command, again=self._was_obeyed(topic.device, command.id, expires_ms, now_ms))

    def _was_obeyed(self, device: str, identity: str, expires_ms: int, now_ms: int) -> bool:
        known = {name: until for name, until in self._obeyed.get(device, {}).items() if until > now_ms}
        self._obeyed[device] = known | {identity: expires_ms}
        return identity in known
