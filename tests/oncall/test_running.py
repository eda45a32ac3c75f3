"""Several dispatchers at once, leases, and one that runs until it is told to stop."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from oncall.dispatcher import Dispatcher
from oncall.errors import ChannelDown
from oncall.message import Message
from oncall.policy import Policy
from oncall.stages import Reason
from store.pages import Outbox
from tests.oncall.conftest import CONSOLE_URL, START, Clock, Roster, Webhook
from tests.processes import running
from tests.scrape import Probe
from tests.services.ports import free_port

MakeDispatcher = Callable[..., Dispatcher]


def test_two_dispatchers_at_once_send_each_page_once(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher
) -> None:
    roster.contact(webhook.url())
    pages = [roster.page() for _ in range(20)]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(len(dispatcher().run_once()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(pages) == len({payload["message"] for payload in webhook.received})
    assert len(webhook.received) == len(pages)
    assert min(counts) > 0, "both took part"
    assert roster.attempts() == [(1, "delivered")] * len(pages)


def test_a_late_failure_does_not_reopen_what_another_delivered(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, clock: Clock, database_url: str
) -> None:
    def slower_than_its_lease(url: str, message: Message, timeout_s: float) -> None:
        clock.advance(Policy().lease_s + 1)
        dispatcher().run_once()
        raise ChannelDown("too late")

    roster.contact(webhook.url())
    roster.page()
    dispatcher(send=slower_than_its_lease).run_once()
    assert roster.states() == ["delivered"]
    assert roster.attempts() == [(1, "channel_down"), (2, "delivered")]
    with Outbox(database_url) as outbox:
        assert outbox.next_due() is None


def test_a_page_in_flight_belongs_to_one_until_its_lease_ends(roster: Roster, database_url: str) -> None:
    roster.contact("json://127.0.0.1")
    roster.page()
    lease = timedelta(seconds=60)
    with Outbox(database_url) as one, Outbox(database_url) as other:
        assert one.claim(now=START, lease=lease) is not None
        assert other.claim(now=START + timedelta(seconds=59), lease=lease) is None
        again = other.claim(now=START + lease, lease=lease)
    assert again is not None
    assert again.attempt == 2


def test_a_running_dispatcher_wakes_for_a_page_and_stops_when_told(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher
) -> None:
    roster.contact(webhook.url())
    roster.page()
    stop = threading.Event()
    oncall = dispatcher(policy=Policy(idle_s=60, parallel=1))
    running = threading.Thread(target=oncall.run, args=(stop,))
    running.start()
    try:
        assert soon(lambda: roster.states() == ["delivered"])
        roster.page()
        roster.notify()
        assert soon(lambda: roster.states() == ["delivered", "delivered"])
    finally:
        stop.set()
        roster.notify()
        running.join(timeout=10)
    assert not running.is_alive()


def test_one_hanging_channel_does_not_hold_up_the_others(roster: Roster, dispatcher: MakeDispatcher) -> None:
    release, sent = threading.Event(), []

    def hang_or_send(url: str, message: Message, timeout_s: float) -> None:
        if "hang" in url:
            release.wait(30)
        sent.append(url)

    roster.contact("json://hang", "hang")
    roster.contact("json://fine", "fine")
    roster.page("hang")
    roster.page("fine")
    stop = threading.Event()
    running = threading.Thread(target=dispatcher(send=hang_or_send, policy=Policy(idle_s=0.2)).run, args=(stop,))
    running.start()
    try:
        assert soon(lambda: sent == ["json://fine"])
    finally:
        release.set()
        stop.set()
        running.join(timeout=10)


def test_a_database_that_is_away_is_waited_for_and_said(clock: Clock) -> None:
    nobody_listens_here = "postgresql://127.0.0.1:1/shouhuan"
    oncall = Dispatcher(nobody_listens_here, {}, CONSOLE_URL, clock, policy=Policy(idle_s=0.01, parallel=1))
    stop = threading.Event()
    with capture_logs() as logs, ThreadPoolExecutor(1) as pool:
        running = pool.submit(oncall.run, stop)
        assert soon(lambda: len(logs) > 1 or running.done())
        stop.set()
        running.result(timeout=10)
    assert {entry["event"] for entry in logs} == {"database-away"}
    assert "127.0.0.1:1/shouhuan" in logs[0]["reason"]


def test_what_nobody_foresaw_ends_a_running_dispatcher_with_that_error(
    roster: Roster, dispatcher: MakeDispatcher
) -> None:
    def break_down(url: str, message: Message, timeout_s: float) -> None:
        raise ZeroDivisionError

    roster.contact("json://127.0.0.1")
    roster.page()
    with pytest.raises(ZeroDivisionError):
        dispatcher(send=break_down, policy=Policy(idle_s=0.1)).run(threading.Event())


def test_a_running_process_counts_how_attempts_ended(
    roster: Roster, webhook: Webhook, database_url: str, tmp_path: Path
) -> None:
    webhook.answers = [503]
    roster.contact(webhook.url())
    roster.page()
    probe = Probe(free_port())
    environment = {"SHOUHUAN_DATABASE_URL": database_url, "SHOUHUAN_MONITOR_PORT": str(probe.port)}
    with running(["oncall"], environment, tmp_path / "oncall.log") as oncall:
        assert soon(lambda: roster.states() == ["delivered"], 30), oncall.log.read_text()
        samples = probe.samples()
        assert probe.problems() == []
    ended = {reason.value: samples[f"shouhuan_deliveries_total{{outcome={reason.value}}}"] for reason in Reason}
    assert {reason: number for reason, number in ended.items() if number} == {"channel_down": 1, "delivered": 1}
    assert samples["shouhuan_pages_overdue_seconds"] == 0


def soon(condition: Callable[[], Any], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
