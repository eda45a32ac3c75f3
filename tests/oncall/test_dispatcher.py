"""From the outbox to a real webhook: delivered, retried, suppressed, given up, never lost, never named."""

import json
import logging
from collections.abc import Callable

import pytest

from oncall.dispatcher import Dispatcher
from oncall.message import Message
from oncall.policy import Policy, retry_wait
from oncall.stages import Reason
from store.pages import PageState
from tests.oncall.conftest import CONSOLE_URL, WEARER_NAME, Clock, Roster, Webhook

MakeDispatcher = Callable[..., Dispatcher]


class Killed(BaseException):
    """Stands for a process that dies in the middle of a send."""


def die(url: str, message: Message, timeout_s: float) -> None:
    raise Killed


def test_a_due_page_reaches_its_webhook_with_all_an_operator_needs(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher
) -> None:
    roster.contact(webhook.url())
    incident_id = roster.incident()
    roster.page(incident_id=incident_id)

    outcomes = dispatcher().run_once()

    assert [outcome.reason for outcome in outcomes] == [Reason.DELIVERED]
    assert roster.states() == ["delivered"]
    assert roster.attempts() == [(1, "delivered")]
    [payload] = webhook.received
    assert payload["title"] == "【最高】断带、拆卸"
    assert payload["message"].splitlines() == [
        "对象编号：w-007",
        "机构：东区",
        "时间：2026-11-20 22:30:00+08:00",
        f"事件：{incident_id}",
        f"详情：{CONSOLE_URL}/#incident={incident_id}",
    ]


@pytest.mark.parametrize(
    ("language", "title", "org", "time"),
    [("zh", "【中】区域中断", "机构：东区", "时间"), ("en", "[MEDIUM] area outage", "Organisation: East", "Time")],
)
def test_a_message_about_a_site_speaks_of_its_org_and_of_no_wearer(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, language: str, title: str, org: str, time: str
) -> None:
    roster.contact(webhook.url(), language=language)
    roster.page(incident_id=roster.incident("site.outage", 2, wearer_no=0))
    dispatcher().run_once()
    [payload] = webhook.received
    assert payload["title"] == title
    first, second, *_ = payload["message"].splitlines()
    assert (first, second[: len(time)]) == (org, time)
    assert "#0" not in payload["message"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_message_names_the_wearer_or_a_place(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, language: str
) -> None:
    roster.contact(webhook.url(), language=language)
    roster.page()
    dispatcher().run_once()
    sent = json.dumps(webhook.received, ensure_ascii=False)
    assert "w-007" in sent
    assert WEARER_NAME not in sent
    assert "26.58" not in sent
    assert "101.71" not in sent


def test_a_failing_channel_is_tried_again_when_its_wait_is_over_and_not_before(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, clock: Clock
) -> None:
    webhook.answers = [500, 500]
    roster.contact(webhook.url())
    page_no = roster.page()
    oncall, policy = dispatcher(), Policy()

    for attempt in (1, 2):
        assert [outcome.reason for outcome in oncall.run_once()] == [Reason.CHANNEL_DOWN]
        wait_s = retry_wait(policy, page_no, attempt).total_seconds()
        clock.advance(wait_s - 0.1)
        assert oncall.run_once() == []
        clock.advance(0.2)

    assert [outcome.reason for outcome in oncall.run_once()] == [Reason.DELIVERED]
    assert roster.attempts() == [(1, "channel_down"), (2, "channel_down"), (3, "delivered")]
    assert "error=500" in roster.details()


def test_a_channel_that_stays_down_ends_as_failed_and_stays_visible(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, clock: Clock
) -> None:
    webhook.answers = [503] * 5
    roster.contact(webhook.url())
    roster.page()
    oncall = dispatcher(policy=Policy(attempts=3))
    for _ in range(5):
        oncall.run_once()
        clock.advance(3600)
    assert len(webhook.received) == 3
    assert roster.states() == ["failed"]
    assert "gave up after 3 attempts" in roster.details()


def test_a_crash_between_claim_and_send_costs_one_attempt_and_loses_nothing(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, clock: Clock
) -> None:
    roster.contact(webhook.url())
    roster.page()
    with pytest.raises(Killed):
        dispatcher(send=die).run_once()
    assert roster.attempts() == [(1, "started")]

    survivor = dispatcher()
    assert survivor.run_once() == [], "the lease still runs"
    clock.advance(Policy().lease_s + 1)
    survivor.run_once()
    clock.advance(3600)
    survivor.run_once()

    assert roster.attempts() == [(1, "started"), (2, "delivered")]
    assert len(webhook.received) == 1


def test_a_crash_in_the_last_attempt_does_not_count_as_given_up(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, clock: Clock
) -> None:
    roster.contact(webhook.url())
    roster.page()
    with pytest.raises(Killed):
        dispatcher(send=die, policy=Policy(attempts=1)).run_once()
    clock.advance(Policy().lease_s + 1)
    dispatcher(policy=Policy(attempts=1)).run_once()
    assert roster.states() == ["delivered"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [("acknowledged", Reason.SUPPRESSED_ACKNOWLEDGED), ("closed", Reason.SUPPRESSED_CLOSED)],
    ids=["acknowledged", "closed"],
)
def test_an_incident_somebody_took_care_of_pages_nobody(
    roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher, state: str, reason: Reason
) -> None:
    roster.contact(webhook.url())
    roster.page()
    roster.set_incident_state(state)
    assert [outcome.reason for outcome in dispatcher().run_once()] == [reason]
    assert webhook.received == []
    assert roster.states() == ["suppressed"]
    assert roster.attempts() == [(1, reason.value)]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no-such-scheme://x", "none that Apprise knows"),
        ("json://127.0.0.1/${WEBHOOK_KEY}", "WEBHOOK_KEY"),
        ("json://127.0.0.1/${SHOUHUAN_SESSION_SECRET}", "may not read SHOUHUAN_SESSION_SECRET"),
    ],
    ids=["unknown scheme", "unset variable", "a setting of the program"],
)
def test_an_address_that_can_never_work_fails_at_once_with_its_reason(
    roster: Roster, dispatcher: MakeDispatcher, clock: Clock, url: str, words: str
) -> None:
    roster.contact(url)
    roster.page()
    oncall = dispatcher({"SHOUHUAN_SESSION_SECRET": "s3cret"})
    assert [outcome.reason for outcome in oncall.run_once()] == [Reason.CHANNEL_REFUSED]
    clock.advance(3600)
    assert oncall.run_once() == []
    assert roster.states() == ["failed"]
    assert words in roster.details()


def test_a_contact_gone_from_the_registry_fails_by_name(roster: Roster, dispatcher: MakeDispatcher) -> None:
    roster.page(contact="departed")
    [outcome] = dispatcher().run_once()
    assert (outcome.state, outcome.reason) == (PageState.FAILED, Reason.CHANNEL_REFUSED)
    assert "departed" in roster.details()


@pytest.mark.parametrize("answer", [200, 500], ids=["delivered", "refused"])
def test_a_secret_of_an_address_appears_in_no_log_and_no_record(
    roster: Roster,
    webhook: Webhook,
    dispatcher: MakeDispatcher,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    answer: int,
) -> None:
    webhook.answers = [answer]
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="apprise")
    roster.contact(webhook.url("${WEBHOOK_KEY}"))
    roster.page()
    dispatcher({"WEBHOOK_KEY": "k3y-of-the-hook"}).run_once()
    assert len(webhook.received) == 1
    written = caplog.text + "".join(capsys.readouterr()) + roster.details()
    assert "k3y-of-the-hook" not in written


def test_the_gravest_page_goes_first(roster: Roster, webhook: Webhook, dispatcher: MakeDispatcher) -> None:
    roster.contact(webhook.url(), language="en")
    roster.page(incident_id=roster.incident("device.battery", 1))
    roster.page(incident_id=roster.incident("device.sos", 4))
    dispatcher().run_once()
    assert [payload["title"] for payload in webhook.received] == ["[HIGHEST] help button pressed", "[LOW] battery low"]
