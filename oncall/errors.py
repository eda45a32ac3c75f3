"""Why a message did not reach its person.

DeliveryError
├── ChannelDown     the far side did not answer or said it was busy: try again
└── ChannelRefused  the address can never work as it stands: somebody must mend it

Messages are for the record and for people: they never hold an expanded URL.
"""

from typing import ClassVar


class DeliveryError(Exception):
    """A message was not delivered; ``retryable`` says whether trying again can help."""

    retryable: ClassVar[bool]


class ChannelDown(DeliveryError):  # noqa: N818 - named after what happened
    """The far side did not answer or said it was busy."""

    retryable = True


class ChannelRefused(DeliveryError):  # noqa: N818 - likewise
    """The contact's URL cannot be used: unknown scheme, missing part, or an unset variable."""

    retryable = False
