"""Keeps a process's picture of the registry fresh: told by NOTIFY, and by looking every two seconds in any case."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from threading import Lock, Thread
from typing import Final

import structlog

from flows.dataflow import Control, Rules
from flows.rules import rules_by_shard
from ingest.directory import Directory
from schemas.judging import Release, Released
from schemas.registry import NumberedRegistry
from schemas.topics import Format
from store.alerts import INCIDENT_CHANNEL
from store.connection import connect
from store.errors import StoreError
from store.listen import Listener, Notification
from store.registry import CHANNEL as REGISTRY_CHANNEL
from store.registry import load_registry, registry_version
from store.releases import released_since

_log: Final = structlog.get_logger(__name__)
_EVERY_S: Final = 2.0
_LOOK_BACK: Final = timedelta(days=7)


class RegistryWatch:
    """The registry as this process knows it; ``start`` follows changes in a thread.

    ``directory`` and ``rules`` answer at once with the newest known; ``changes`` hands each change on once.
    """

    def __init__(self, url: str, now: Callable[[], datetime], formats: Collection[Format] = tuple(Format)) -> None:
        self._url = url
        self._formats = formats
        self._now = now
        self._lock = Lock()
        self._waiting: list[Control] = []
        self._released: set[Released] = set()
        self._version = 0
        self._take(self._load())
        self._waiting.clear()

    def directory(self) -> Directory:
        """Whose topic is whose, and which spans are lawful."""
        return self._directory

    def rules(self) -> Rules:
        """What each shard judges by."""
        return self._rules

    def changes(self) -> Sequence[Control]:
        """What changed since the last call."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        return waiting

    def start(self) -> None:
        """Follow the registry until the process ends."""
        Thread(target=self._follow, name="registry-watch", daemon=True).start()

    def _follow(self) -> None:
        listener = Listener(self._url, [REGISTRY_CHANNEL, INCIDENT_CHANNEL])
        looked_s = 0.0
        while True:
            try:
                told = any(_concerns_rules(notification) for notification in listener.poll(_EVERY_S))
                if told or time.monotonic() - looked_s >= _EVERY_S:
                    looked_s = time.monotonic()
                    self._look()
            except StoreError as error:
                # Whatever the reason, the thread must live: without it rules would silently grow old.
                _log.warning("registry-unavailable", error=str(error))
                time.sleep(_EVERY_S)

    def _look(self) -> None:
        with connect(self._url, autocommit=True) as connection:
            version = registry_version(connection)
            released = set(released_since(connection, self._now() - _LOOK_BACK))
        if version != self._version:
            self._take(self._load())
        if fresh := released - self._released:
            with self._lock:
                self._waiting.append(Release(tuple(sorted(fresh))))
            _log.info("released", alerts=len(fresh))
        self._released = released

    def _load(self) -> NumberedRegistry:
        with connect(self._url, autocommit=True) as connection:
            return load_registry(connection, nameless=True)

    def _take(self, numbered: NumberedRegistry) -> None:
        rules, directory = rules_by_shard(numbered), Directory.of(numbered, self._formats)
        with self._lock:
            self._rules, self._directory, self._version = rules, directory, numbered.version
            self._waiting.append(rules)
        _log.info("registry-loaded", version=numbered.version, bands=len(numbered.device_no))


def _concerns_rules(notification: Notification) -> bool:
    """A changed registry, or an incident that a person closed; every other incident news is for the console."""
    return notification.channel == REGISTRY_CHANNEL or '"closed"' in notification.payload
