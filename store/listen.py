"""LISTEN/NOTIFY for a thread: wait for news of a change, without asking over and over."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from psycopg import sql

from store.connection import Connection, connect, translated


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
        self._channels = channels
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, timeout_s: float) -> list[Notification]:
        """What was notified since the last call; waits up to ``timeout_s`` for the first.

        Raises ``StoreUnavailable`` at once where the database does not answer: waiting is the caller's.
        """
        with translated(self._url):
            connection = self._connected()
            heard = connection.notifies(timeout=timeout_s, stop_after=1)
            return [Notification(notice.channel, notice.payload) for notice in heard]

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, autocommit=True)
            for channel in self._channels:
                self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        return self._connection
