import time

import psycopg
import pytest

from store.errors import StoreUnavailable
from store.listen import Listener, Notification
from tests.store.build import ask


def notify(url: str, channel: str, payload: str = "") -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", (channel, payload))


def test_what_was_notified_since_the_last_poll_is_heard_at_once(database_url: str) -> None:
    with Listener(database_url, ["a", "b"]) as listener:
        assert listener.poll(0) == []
        for channel, payload in (("a", "1"), ("other", ""), ("b", "2"), ("a", "3")):
            notify(database_url, channel, payload)
        start = time.monotonic()
        heard: list[Notification] = []
        while len(heard) < 3 and time.monotonic() - start < 5:
            heard += listener.poll(5)
        assert time.monotonic() - start < 4
    assert heard == [Notification("a", "1"), Notification("b", "2"), Notification("a", "3")]


def test_with_no_news_a_poll_returns_when_its_time_is_over(database_url: str) -> None:
    with Listener(database_url, ["a"]) as listener:
        start = time.monotonic()
        assert listener.poll(0.1) == []
        assert 0.1 <= time.monotonic() - start < 2


def test_a_lost_connection_is_told_once_and_made_anew(database_url: str) -> None:
    with Listener(database_url, ["a"]) as listener:
        listener.poll(0)
        ask(database_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' "
                          "AND datname = current_database()")  # fmt: skip
        with pytest.raises(StoreUnavailable):
            listener.poll(5)
        listener.poll(0)
        notify(database_url, "a", "again")
        assert listener.poll(5) == [Notification("a", "again")]


def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        Listener("postgresql://postgres@127.0.0.1:1/x", ["a"]).poll(0)
