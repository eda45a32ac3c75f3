"""The live feed: what is committed reaches everybody who may see it, at once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
from sse_starlette import ServerSentEvent

from console.live import MOST_WAITING, Subscriber
from schemas.alerts import AlertCode
from tests.console.build import event, raise_alerts
from tests.console.conftest import NOW, Console

DONG, XI = "w-0001", "w-0008"


@contextmanager
def listening(browser: httpx.Client) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """Events by name and content, from after the first ``resync``."""
    with browser.stream("GET", "/api/events") as answer:
        events = parsed(answer.iter_lines())
        assert next(events)[0] == "resync"
        yield events


def parsed(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_an_alert_reaches_a_listener_when_it_is_committed(console: Console) -> None:
    with listening(console.sign_in()) as events:
        raise_alerts(console.database_url, event(console.people, DONG, AlertCode.DEVICE_STRAP, NOW))
        name, incident = next(events)
    assert (name, incident["wearer"], incident["codes"], incident["state"]) == (
        "incident",
        DONG,
        ["device.strap"],
        "open",
    )


def test_what_an_operator_does_reaches_the_others(console: Console) -> None:
    raise_alerts(console.database_url, event(console.people, DONG, AlertCode.ZONE_EXIT, NOW))
    first, second = console.sign_in("chief"), console.sign_in("dong")
    incident = first.get("/api/incidents").json()[0]["incident_id"]
    with listening(second) as events:
        first.post(f"/api/incidents/{incident}/acknowledge", json={})
        assert next(events)[1]["state"] == "acknowledged"
        first.post(f"/api/incidents/{incident}/close", json={"cause": "confirmed"})
        assert next(events)[1]["state"] == "closed"


def test_a_listener_hears_only_of_their_own_orgs(console: Console) -> None:
    with listening(console.sign_in("dong")) as events:
        raise_alerts(console.database_url, event(console.people, XI, AlertCode.DEVICE_SOS, NOW))
        raise_alerts(console.database_url, event(console.people, DONG, AlertCode.ZONE_EXIT, NOW))
        assert next(events)[1]["wearer"] == DONG


def test_many_alerts_at_once_all_arrive(console: Console) -> None:
    wearers = [f"w-{number:04d}" for number in range(1, 21)]
    with listening(console.sign_in()) as events:
        for wearer in wearers:
            raise_alerts(console.database_url, event(console.people, wearer, AlertCode.ZONE_EXIT, NOW))
        heard: set[str] = set()
        while len(heard) < len(wearers):
            heard.add(next(events)[1]["wearer"])
    assert heard == set(wearers)


def test_the_feed_comes_back_after_the_database_dropped_it(console: Console) -> None:
    with listening(console.sign_in()) as events:
        with psycopg.connect(console.database_url, autocommit=True) as connection:
            connection.execute("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
        assert next(events)[0] == "resync"
        raise_alerts(console.database_url, event(console.people, DONG, AlertCode.ZONE_EXIT, NOW))
        assert next(events)[1]["wearer"] == DONG


def test_a_notification_of_somebody_elses_does_not_end_the_feed(console: Console) -> None:
    with listening(console.sign_in()) as events:
        console.rows("SELECT pg_notify('shouhuan_incident', 'hello')")
        raise_alerts(console.database_url, event(console.people, DONG, AlertCode.ZONE_EXIT, NOW))
        assert next(events)[1]["wearer"] == DONG


def test_a_listener_who_does_not_keep_up_is_dropped_not_buffered() -> None:
    slow = Subscriber(None)
    taken = [slow.offer(ServerSentEvent(data="{}")) for _ in range(MOST_WAITING + 1)]
    assert taken == [True] * MOST_WAITING + [False]
