"""Commands to bands: decided beside the judge of a shard, recorded in an outbox, carried to the broker from there.

Guarantee: a command is recorded before the dataflow goes on, and leaves at least once while it makes
sense. A replay decides the same commands under the same ids, and what has left, or has expired, does
not leave again. Not promised: that a band hears it; a plan ends by itself.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final, Self

import msgspec
import numpy as np
import structlog
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from anomaly.prompt import VALID_MS, Nudge, Prompt
from flows.judge import in_event_order
from flows.rules import ShardRules
from geo.sampling import Ask, Sampling, SamplingConfig
from ingest.commander import AckDelivery, Commander
from schemas.commands import CommandDrop, DeviceCommand, command_id
from schemas.judging import Table, WearerRules
from schemas.readings import Readings
from schemas.wire import Command, CommandType
from store.commands import CommandLog
from store.errors import StoreError

_log: Final = structlog.get_logger(__name__)
CHARGE: Final = "请充电"
"""What a band with a display shows while it vibrates."""
_RETRY_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_AT_ONCE: Final = 500
_EVERY_S: Final = 1.0


@dataclass(slots=True)
class Sampler:
    """The sampling of one shard and what it remembers; asks nothing by itself, readings do."""

    wearers: WearerRules
    sampling: Sampling
    table: Table

    @classmethod
    def new(cls, rules: ShardRules, config: SamplingConfig, snapshot: Mapping[str, Any] | None = None) -> Self:
        """With the memory of a snapshot; without one it begins with nothing and is right after a fix a band."""
        sampling = Sampling(rules.demands, rules.wearers.keys, rules.wearers.silence_after_ms, config)
        made = cls(rules.wearers, sampling, Table.new(sampling.keys, sampling.columns))
        if snapshot is not None:
            made.table.inherit(Table.restore(snapshot))
        return made

    def adopt(self, rules: ShardRules) -> Self:
        """The same under other rules: whoever is still judged keeps what is known of them."""
        return type(self).new(rules, self.sampling.config, self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return self.table.snapshot()

    def ask(self, readings: Readings) -> list[DeviceCommand]:
        """What a batch makes us ask of bands, in event order; a backlog says nothing about now, and costs nothing."""
        live = readings.ingest_ms - readings.event_ms <= self.sampling.config.live_s * 1000.0
        steps = in_event_order(self.wearers, readings.take(np.flatnonzero(live)))
        asks = [ask for rows, step in steps for ask in self.sampling.decide(self.table, rows, step)]
        return [self._command(ask) for ask in asks]

    def _command(self, ask: Ask) -> DeviceCommand:
        org, device = self.wearers.org[ask.row], self.wearers.device[ask.row]
        identity = command_id(org, device, ask.at_ms, CommandType.PLAN)
        plan = Command(id=str(identity), type=CommandType.PLAN, interval_s=ask.interval_s, until_ms=ask.until_ms)
        return DeviceCommand(
            command=plan,
            org=org,
            device=device,
            device_no=int(self.wearers.device_no[ask.row]),
            asked_ms=ask.at_ms,
            # A release makes sense for as long as the plan that it ends may last.
            expires_ms=ask.at_ms + round(self.sampling.config.valid_s * 1000.0),
            reason=ask.reason.value,
        )


def expiring(command: Command, at: datetime) -> Command:
    """A command that says itself until when it makes sense: a band may hear a copy of it at any later time.

    >>> from datetime import UTC
    >>> expiring(Command(id="c-1", type=CommandType.LOCATE), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)).expires_ms
    1000
    """
    return msgspec.structs.replace(command, expires_ms=round(at.timestamp() * 1000.0))


@dataclass(slots=True)
class Prompter:
    """The prompts of one shard and what it remembers: a band that runs low asks its own wearer first."""

    wearers: WearerRules
    prompt: Prompt
    table: Table

    @classmethod
    def new(cls, rules: ShardRules, snapshot: Mapping[str, Any] | None = None) -> Self:
        """With the memory of a snapshot; without one it may ask once more."""
        prompt = Prompt(rules.wearers.keys, rules.thresholds)
        made = cls(rules.wearers, prompt, Table.new(prompt.keys, prompt.columns))
        if snapshot is not None:
            made.table.inherit(Table.restore(snapshot))
        return made

    def adopt(self, rules: ShardRules) -> Self:
        """The same under other rules: whoever is still judged keeps what is known of them."""
        return type(self).new(rules, self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return self.table.snapshot()

    def ask(self, readings: Readings) -> list[DeviceCommand]:
        """What a batch makes us ask of wearers, in event order."""
        steps = in_event_order(self.wearers, readings)
        nudges = [nudge for rows, step in steps for nudge in self.prompt.decide(self.table, rows, step)]
        return [self._command(nudge) for nudge in nudges]

    def _command(self, nudge: Nudge) -> DeviceCommand:
        org, device = self.wearers.org[nudge.row], self.wearers.device[nudge.row]
        identity = command_id(org, device, nudge.at_ms, CommandType.VIBRATE)
        return DeviceCommand(
            command=Command(id=str(identity), type=CommandType.VIBRATE, text=CHARGE),
            org=org,
            device=device,
            device_no=int(self.wearers.device_no[nudge.row]),
            asked_ms=nudge.at_ms,
            expires_ms=nudge.at_ms + VALID_MS,
            reason=nudge.reason.value,
        )


class Courier:
    """Carries commands from the outbox to the broker, and bands' answers back; one thread calls ``turn``."""

    def __init__(self, log: CommandLog, session: Commander, now: Callable[[], datetime]) -> None:
        self._log = log
        self._session = session
        self._now = now
        self._confirmed: list[str] = []
        self._answers: list[AckDelivery] = []

    def turn(self) -> None:
        """Write down what came back, drop what is too late, send what waits.

        Raises ``StoreError`` with nothing lost: the next turn goes on where this one stopped.
        """
        now = self._now()
        self._write_answers(now)
        self._write_confirmed(now)
        if expired := self._log.expire(now):
            _log.warning("commands-dropped", reason=CommandDrop.EXPIRED.value, number=expired)
        if self._session.connected:
            for waiting in self._log.waiting(now, _AT_ONCE):
                command = expiring(waiting.command, waiting.expires_at)
                self._session.publish(waiting.topic, command, (waiting.expires_at - now).total_seconds())

    def close(self) -> None:
        """Leave the broker and the store; what has not left waits in the outbox."""
        self._session.close()
        self._log.close()

    def _write_answers(self, now: datetime) -> None:
        self._answers += self._session.take(_AT_ONCE)
        if not self._answers:
            return
        dropped = self._log.acknowledge([answer.heard for answer in self._answers], now)
        for reason, number in dropped.items():
            _log.warning("acks-dropped", reason=reason.value, number=number)
        self._session.acknowledge(self._answers)
        self._answers = []

    def _write_confirmed(self, now: datetime) -> None:
        self._confirmed += self._session.confirmed()
        if self._confirmed:
            self._log.published(self._confirmed, now)
            self._confirmed = []


class Delivery:
    """A courier in a thread of its own, from ``start`` to ``stop``; one for a set of workers.

    It begins with what an earlier run left in the outbox. A broker that is away holds up neither readings nor alerts.
    """

    def __init__(
        self, log: CommandLog, open_session: Callable[[Callable[[], object]], Commander], now: Callable[[], datetime]
    ) -> None:
        self._news = Event()
        self._stop = Event()
        self._session = open_session(self._news.set)
        self._courier = Courier(log, self._session, now)
        self._thread = Thread(target=self._deliver, name="command-courier", daemon=True)

    def start(self) -> None:
        """Connect and deliver."""
        self._session.open()
        self._thread.start()

    def nudge(self) -> None:
        """Something waits in the outbox: do not wait for the next look."""
        self._news.set()

    def stop(self) -> None:
        """Deliver no more; what has not left waits."""
        self._stop.set()
        self._news.set()
        self._thread.join()
        self._courier.close()

    def _deliver(self) -> None:
        while not self._stop.is_set():
            self._news.wait(_EVERY_S)
            self._news.clear()
            try:
                self._courier.turn()
            except StoreError as error:
                # Whatever the reason, the thread must live: without it no command would leave any more.
                _log.warning("courier-waiting", error=str(error))
                self._stop.wait(_EVERY_S)


class CommandSink(FixedPartitionedSink[DeviceCommand, None]):
    """Records commands in the outbox, again and again while the store is away, and calls ``nudge``.

    While it waits, the dataflow waits, as it does for alerts.
    """

    def __init__(
        self,
        open_log: Callable[[], CommandLog],
        nudge: Callable[[], object],
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._open_log = open_log
        self._nudge = nudge
        self._pause = pause

    def list_parts(self) -> list[str]:
        """One outbox."""
        return ["commands"]

    def part_fn(self, item_key: str) -> int:  # noqa: ARG002
        """All commands go to it."""
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_CommandPartition":  # noqa: ARG002
        """The outbox keeps what is to be kept."""
        return _CommandPartition(self._open_log(), self._nudge, self._pause)


class _CommandPartition(StatefulSinkPartition[DeviceCommand, None]):
    def __init__(self, log: CommandLog, nudge: Callable[[], object], pause: Callable[[float], object]) -> None:
        self._log = log
        self._nudge = nudge
        self._pause = pause

    def write_batch(self, values: list[DeviceCommand]) -> None:
        failures = 0
        while not self._recorded(values, failures):
            failures += 1
        self._nudge()

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self._log.close()

    def _recorded(self, values: Sequence[DeviceCommand], failures: int) -> bool:
        try:
            self._log.record(values)
        except StoreError as error:
            if not error.retryable:
                raise
            delay_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
            _log.warning("commands-waiting", commands=len(values), retry_in_s=delay_s, error=str(error))
            self._pause(delay_s)
            return False
        return True
