"""Takes pages from the outbox and sees each to its end: claim → suppress → compose → send → record."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import datetime
from threading import Event
from typing import Final

import structlog

from oncall import channel
from oncall.errors import ChannelRefused, DeliveryError
from oncall.message import Message, compose
from oncall.policy import Policy
from oncall.stages import Outcome, delivered, suppress, undelivered
from store.errors import StoreUnavailable
from store.listen import Listener
from store.pages import ClaimedPage, Outbox

WAKE_CHANNEL: Final = "shouhuan_page"
_log = structlog.get_logger("oncall")

Send = Callable[[str, Message, float], None]


class Dispatcher:
    """Sends what the outbox holds; any number of them may work on one database at once.

    A page is delivered at least once: its attempt is on record before anything is sent, and one
    without an end is followed by another when its lease is over. No attempt is sent twice. It is
    not promised that a person gets one message only: a channel that took a message and could not
    say so is tried again.

    ``environment`` holds what ``${NAME}`` in a contact's URL stands for; ``now`` tells aware time. ``on_outcome`` hears
    how each attempt ended, ``on_turn`` that one of the workers looked for pages; both are called from their threads.
    """

    def __init__(
        self,
        database_url: str,
        environment: Mapping[str, str],
        console_url: str,
        now: Callable[[], datetime],
        *,
        policy: Policy | None = None,
        send: Send = channel.send,
        on_outcome: Callable[[Outcome], object] = lambda _: None,
        on_turn: Callable[[], object] = lambda: None,
    ) -> None:
        self._database_url = database_url
        self._environment = environment
        self._console_url = console_url
        self._now = now
        self._policy = policy or Policy()
        self._send = send
        self._on_outcome = on_outcome
        self._on_turn = on_turn

    def run_once(self) -> list[Outcome]:
        """Send all that is due, gravest first; raises ``StoreUnavailable`` where the database does not answer."""
        with Outbox(self._database_url) as outbox:
            return self._drain(outbox, Event())

    def run(self, stop: Event) -> None:
        """Send pages as they come until ``stop`` is set; a database that is away is waited for.

        Several work side by side, since one channel that hangs must not hold up the others.
        Whatever else goes wrong ends all of them and is raised: a supervisor starts anew.
        """
        with ThreadPoolExecutor(self._policy.parallel, thread_name_prefix="oncall") as pool:
            workers = [pool.submit(self._serve, stop) for _ in range(self._policy.parallel)]
            wait(workers, return_when=FIRST_EXCEPTION)
            stop.set()
        for worker in workers:
            worker.result()

    def _serve(self, stop: Event) -> None:
        while not stop.is_set():
            self._on_turn()
            try:
                self._serve_while_connected(stop)
            except StoreUnavailable as error:
                _log.warning("database-away", reason=str(error))
                stop.wait(self._policy.idle_s)

    def _serve_while_connected(self, stop: Event) -> None:
        with Outbox(self._database_url) as outbox, Listener(self._database_url, [WAKE_CHANNEL]) as wake:
            wake.poll(0)  # listen before the first look, or what comes between the two is told to nobody
            while not stop.is_set():
                self._on_turn()
                self._drain(outbox, stop)
                wake.poll(self._idle_s(outbox))

    def _idle_s(self, outbox: Outbox) -> float:
        due_at = outbox.next_due()
        if due_at is None:
            return self._policy.idle_s
        return min(max((due_at - self._now()).total_seconds(), 0), self._policy.idle_s)

    def _drain(self, outbox: Outbox, stop: Event) -> list[Outcome]:
        outcomes = []
        while not stop.is_set() and (page := outbox.claim(now=self._now(), lease=self._policy.lease)):
            outcome = suppress(page) or self._deliver(page)
            self._record(outbox, outcome)
            outcomes.append(outcome)
        return outcomes

    def _deliver(self, page: ClaimedPage) -> Outcome:
        try:
            if page.url is None:
                raise ChannelRefused(f"the contact {page.contact} is not in the registry any more")
            url = channel.expand(page.url, self._environment)
            self._send(url, compose(page, self._console_url), self._policy.timeout_s)
        except DeliveryError as error:
            return undelivered(page, error, self._policy, self._now())
        return delivered(page)

    def _record(self, outbox: Outbox, outcome: Outcome) -> None:
        outbox.record(
            outcome.page_no,
            outcome.attempt,
            now=self._now(),
            outcome=outcome.reason.value,
            detail=outcome.detail,
            state=outcome.state,
            retry_at=outcome.retry_at,
        )
        self._on_outcome(outcome)
        _log.info(
            "page",
            page_no=outcome.page_no,
            attempt=outcome.attempt,
            incident=str(outcome.incident_id),
            contact=outcome.contact,
            outcome=outcome.reason.value,
            state=outcome.state.value,
            detail=outcome.detail,
        )
