"""CBOR as plain data and nothing else: the one place where bytes of strangers meet ``cbor2``.

CBOR's tags turn data into objects: dates, regular expressions, integers of any size, and references by which an
array may contain itself, or eight bytes stand for billions. None of it is in our formats, so a tag is refused unless
a format asks for it; so are a key given twice and nesting deeper than any message. What is left costs time and
memory in proportion to its bytes. Not promised: that nothing follows the first item; what follows is not read.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import cbor2

DEPTH: Final = 8
"""Arrays and maps within each other; a message of wire v1 has four, the rest is room for fields unknown today."""
DECIMAL: Final = 4
"""The tag of decimal fractions, which RFC 8428 allows for numbers."""

_BUILT_IN: Final = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""The tags that ``cbor2`` would decode by itself; those it does not know reach ``tag_hook``."""


def plain(payload: bytes, *, depth: int = DEPTH, tags: frozenset[int] = frozenset(), words_only: bool = True) -> Any:  # noqa: ANN401 - any data
    """The first item of the bytes as numbers, texts, bytes, lists and dictionaries; ``words_only`` allows no other key.

    Raises what ``cbor2`` raises for bytes that are no such item; the caller turns any of it into one answer.

    >>> plain(bytes.fromhex("a1617605"))
    {'v': 5}
    >>> plain(bytes.fromhex("d81c81d81d00"))  # an array that contains itself
    Traceback (most recent call last):
    cbor2.CBORDecodeError: error decoding semantic tag 29
    """
    return cbor2.loads(
        payload,
        max_depth=depth,
        allow_duplicate_keys=False,
        strict_hashable_types=words_only,
        semantic_decoders=_REFUSED if not tags else {tag: no for tag, no in _REFUSED.items() if tag not in tags},
        tag_hook=_refuse,
    )


def _refuse(*_: object) -> NoReturn:
    raise ValueError("tags are not taken")


_REFUSED: Final[Mapping[int, Callable[..., NoReturn]]] = dict.fromkeys(_BUILT_IN, _refuse)
