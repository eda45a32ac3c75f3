"""``shouhuan oncall``: the dispatcher with a clock, an environment and signals."""

import os
import signal
from threading import Event

from oncall.dispatcher import Dispatcher
from shouhuan.clock import now
from shouhuan.settings import Settings


def run(settings: Settings) -> None:
    """Page people until SIGTERM or SIGINT."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Dispatcher(
        settings.database_url.get_secret_value(),
        environment=os.environ,
        console_url=settings.console_url,
        now=now,
    ).run(stop)
