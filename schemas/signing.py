"""Commands that a band can trust: HMAC-SHA256 (RFC 2104) over the topic and the message's own bytes.

The last member of a signed message is ``mac``. It covers the topic, a line feed, and every byte before it, so a band
checks it before it parses anything, and no canonical form is needed. Each band has a key of its own, derived from
the site's; who takes a band apart can command that band and no other. A copied command is stopped by the band: it
expires by ``expires_ms``, and its id is obeyed once. Not promised: secrecy, which is the transport's.
"""

import hmac
from hashlib import sha256
from typing import Final

KEY_BYTES: Final = 32
"""Of a site's key and of a band's: as many as SHA-256 gives."""
_LABEL: Final = b"shouhuan command key 1\n"
_BEFORE: Final = b',"mac":"'
_AFTER: Final = b'"}'
_MAC_DIGITS: Final = 64
_TAIL: Final = len(_BEFORE) + _MAC_DIGITS + len(_AFTER)


def band_key(site_key: bytes, org: str, device: str) -> bytes:
    """The key of one band.

    >>> band_key(bytes(32), "dongqu", "band-1") == band_key(bytes(32), "dongqu", "band-2")
    False
    """
    return hmac.digest(site_key, _LABEL + f"{org}/{device}".encode(), sha256)


def sign(key: bytes, topic: str, message: bytes) -> bytes:
    """A JSON object's bytes with a ``mac`` as its last member.

    >>> sign(bytes(32), "wb/v1/dongqu/band-1/down", b'{"id":"c-1"}')[:24]
    b'{"id":"c-1","mac":"56b48'
    """
    body = message.removesuffix(b"}")
    return body + _BEFORE + _mac(key, topic, body) + _AFTER


def is_signed(key: bytes, topic: str, message: bytes) -> bool:
    """Whether these bytes were signed for this topic by somebody who has the key; any bytes give an answer."""
    body, tail = message[:-_TAIL], message[-_TAIL:]
    return hmac.compare_digest(tail, _BEFORE + _mac(key, topic, body) + _AFTER)


def _mac(key: bytes, topic: str, body: bytes) -> bytes:
    return hmac.digest(key, topic.encode() + b"\n" + body, sha256).hex().encode()
