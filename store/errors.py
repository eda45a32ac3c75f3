"""What can go wrong with the store.

::

    StoreError                  the database answered, and the answer was no
    ├── StoreUnavailable        no answer: trying again helps
    ├── MigrationError          the schema in the database is not one of ours
    ├── RegistryError           a registry file with its problems, all of them at once
    ├── ZoneUnknown             there is no such zone among those one may see
    └── ZoneConflict            the zone is not, or no longer, what the change supposes

Facts are attributes; the message says what is wrong, where, and what to do.
"""

from collections.abc import Sequence
from typing import ClassVar

from schemas.problems import Problem, listed


class StoreError(Exception):
    """The database refused; the same call will be refused again."""

    retryable: ClassVar[bool] = False


class StoreUnavailable(StoreError):  # noqa: N818 - the name says what the caller needs to know
    """The database did not answer, or broke off; nothing of the call was acknowledged."""

    retryable: ClassVar[bool] = True

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"the database at {where} does not answer ({reason}); "
            "check that it runs and that the address is right, `shouhuan doctor` tries it"
        )
        self.where = where
        self.reason = reason


class MigrationError(StoreError):
    """A migration that was applied is not the file of that name we have now."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class RegistryError(StoreError):
    """A registry that cannot be used, with every problem found in it."""

    def __init__(self, problems: Sequence[Problem], source: str = "registry") -> None:
        super().__init__(listed(source, tuple(problems), "nothing was imported"))
        self.problems = tuple(problems)
        self.source = source


class ZoneUnknown(StoreError):  # noqa: N818 - the name says what the caller needs to know
    """A zone that does not exist, or is not the asker's to see: the two are not told apart."""


class ZoneConflict(StoreError):  # noqa: N818
    """An id that is taken, a zone that has ended, or one that somebody changed meanwhile: read it again."""
