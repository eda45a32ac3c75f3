"""``shouhuan oncall``: the dispatcher with a clock, an environment and signals."""

import math
import os
import signal
from threading import Event

from oncall.dispatcher import Dispatcher
from oncall.stages import Outcome
from shouhuan.clock import now
from shouhuan.doctor import Finding
from shouhuan.metrics import OncallMetrics
from shouhuan.monitor import Monitor, store_checks
from shouhuan.pulse import Pulse
from shouhuan.settings import Settings
from store.errors import StoreError
from store.pages import Outbox


class OncallObserver:
    """The on-call process as it is seen from outside."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics = OncallMetrics(self.overdue_s)
        self.pulse = Pulse("on-call", settings.stall_after_s)

    def ended(self, outcome: Outcome) -> None:
        """An attempt at a page is over."""
        self.metrics.deliveries.labels(outcome.reason.value).inc()
        self.pulse.beat()

    def overdue_s(self) -> float:
        """By how much the page that waits longest is due: 0 where none is, NaN while the database does not answer."""
        try:
            with Outbox(self._settings.database_url.get_secret_value()) as outbox:
                due_at = outbox.next_due()
        except StoreError:
            return math.nan
        return 0.0 if due_at is None else max(0.0, (now() - due_at).total_seconds())

    def pages(self) -> Finding:
        """Whether pages leave when they are due."""
        overdue_s = self.overdue_s()
        if overdue_s > self._settings.ready_lag_s:
            return Finding(f"a page has been due for {overdue_s:.0f} s", "call the person on duty; then see the log")
        return Finding("none waits")

    def monitor(self) -> Monitor:
        """What is answered on the monitor port."""
        alive = {"oncall": self.pulse.finding}
        return Monitor(self.metrics.registry, alive, {**store_checks(self._settings), **alive, "pages": self.pages})


def run(settings: Settings) -> None:
    """Page people until SIGTERM or SIGINT."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    observer = OncallObserver(settings)
    observer.monitor().start(settings)
    Dispatcher(
        settings.database_url.get_secret_value(),
        environment=os.environ,
        console_url=settings.console_url,
        now=now,
        on_outcome=observer.ended,
        on_turn=observer.pulse.beat,
    ).run(stop)
