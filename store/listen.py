"""LISTEN/NOTIFY for a thread: wait for news of a change, without asking over and over."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from psycopg import sql

from store.connection import Connection, Link, translated


class Notification(NamedTuple):
    """A NOTIFY that reached us; ``payload`` may be empty."""

    channel: str
    payload: str


class Listener:
    """Listens on channels; for one thread at a time.

    What is notified while it is not connected is lost, so whoever listens also looks by itself now
    and then. Connecting happens in ``poll``, and again after the connection was lost.
    """

    def __init__(self, url: str, channels: Sequence[str]) -> None:
        self._url = url
        self._link = Link(url, autocommit=True, prepare=lambda connection: _listen(connection, channels))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, timeout_s: float) -> list[Notification]:
        """What was notified since the last call; waits up to ``timeout_s`` for the first.

        Raises ``StoreUnavailable`` at once where the database does not answer: waiting is the caller's.
        """
        with translated(self._url):
            connection = self._link.open()
            heard = connection.notifies(timeout=timeout_s, stop_after=1)
            return [Notification(notice.channel, notice.payload) for notice in heard]

    def close(self) -> None:
        """Stop listening."""
        self._link.close()


def _listen(connection: Connection, channels: Sequence[str]) -> None:
    for channel in channels:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
