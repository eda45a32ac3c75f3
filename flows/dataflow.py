"""The picture of DESIGN: readings split by shard → judge → alert sink, rules beside them as a control stream."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import Sink

from flows.judge import Judge
from flows.rules import SHARDS, ShardRules
from schemas.alerts import AlertEvent
from schemas.judging import Heartbeat, Release
from schemas.readings import Readings
from schemas.registry import epoch_ms

TICK: Final = timedelta(seconds=1)

Rules = dict[int, ShardRules]
Received = Readings | Heartbeat
Control = Rules | Release


class ShardItem(NamedTuple):
    """Something for one shard, saying which: the step that judges is not told its own key."""

    shard: int
    item: Readings | Heartbeat | ShardRules | Release


@dataclass(frozen=True)
class JudgeConfig:
    """What the judging step is given: rules to begin with, the partitions that must have spoken, and a clock."""

    rules: Callable[[], Rules]
    partitions: frozenset[str]
    now: Callable[[], datetime]


def supervision(
    received: Source[Received], control: Source[Control] | None, judging: JudgeConfig, alerts: Sink[Any]
) -> Dataflow:
    """The dataflow. Step ids are the keys of the recovery store: renaming one orphans its state."""
    flow = Dataflow("shouhuan")
    readings = op.input("readings", flow, received)
    by_shard = op.flat_map("split-by-shard", readings, split_by_shard)
    if control is not None:
        rules = op.input("rules", flow, control)
        rules_by_shard = op.flat_map("rules-by-shard", rules, control_by_shard)
        by_shard = op.merge("with-rules", by_shard, rules_by_shard)
    keyed: KeyedStream[ShardItem] = by_shard
    events = op.stateful_batch("judge", keyed, partial(ShardLogic, judging))
    op.output("alerts", events, alerts)
    return flow


def split_by_shard(item: Received) -> list[tuple[str, ShardItem]]:
    """Readings to the shard of their band, heartbeats to all."""
    if isinstance(item, Heartbeat):
        return [_keyed(shard, item) for shard in range(SHARDS)]
    shards = item.device % SHARDS
    return [_keyed(int(shard), item.take(np.flatnonzero(shards == shard))) for shard in np.unique(shards)]


def control_by_shard(item: Control) -> list[tuple[str, ShardItem]]:
    """Each shard its own rules; a release to the shards of its bands."""
    if isinstance(item, Release):
        shards = {alert.device_no % SHARDS for alert in item.alerts}
        return [_keyed(shard, item) for shard in sorted(shards)]
    return [_keyed(shard, rules) for shard, rules in item.items()]


def _keyed(shard: int, item: Readings | Heartbeat | ShardRules | Release) -> tuple[str, ShardItem]:
    return str(shard), ShardItem(shard, item)


class ShardLogic(StatefulBatchLogic[ShardItem, AlertEvent, dict[str, Any]]):
    """One shard in the dataflow: hands items to its ``Judge`` and tells it the time.

    A timer a second drives the time, but never beyond what every partition's heartbeat vouches for:
    while we are cut off or catching up, nobody is called silent.
    """

    def __init__(self, config: JudgeConfig, resume_state: dict[str, Any] | None) -> None:
        self._config = config
        self._resume = resume_state or {}
        self._judge: Judge | None = None
        self._beats: dict[str, Heartbeat] = {}
        self._wake: datetime | None = None

    def on_batch(self, values: list[ShardItem]) -> tuple[list[AlertEvent], bool]:
        """Judge what came, in order."""
        return [event for value in values for event in self._take(value)], self.RETAIN

    def on_notify(self) -> tuple[list[AlertEvent], bool]:
        """A second has passed."""
        self._wake = self._config.now() + TICK
        return self._tick(), self.RETAIN

    def on_eof(self) -> tuple[list[AlertEvent], bool]:
        """The stream ends: time stands at its last heartbeat, and nothing is closed by that."""
        return self._tick(), self.RETAIN

    def notify_at(self) -> datetime | None:
        """When to be woken next."""
        return self._wake

    def snapshot(self) -> dict[str, Any]:
        """The judge's tables as plain values."""
        return self._resume if self._judge is None else self._judge.snapshot()

    def _take(self, value: ShardItem) -> list[AlertEvent]:
        judge = self._judge or self._start(value.shard)
        match value.item:
            case Readings():
                return judge.judge(value.item)
            case ShardRules():
                return judge.adopt(value.item, epoch_ms(self._config.now()))
            case Release():
                judge.release(value.item)
            case Heartbeat():
                self._hear(judge, value.item)
                self._wake = self._wake or self._config.now() + TICK
        return []

    def _hear(self, judge: Judge, beat: Heartbeat) -> None:
        before = self._beats.get(beat.partition)
        if before is None or beat.since_ms > before.since_ms:
            judge.listening_since(beat.since_ms)
        self._beats[beat.partition] = beat

    def _start(self, shard: int) -> Judge:
        rules = self._config.rules()[shard]
        self._judge = Judge.resume(rules, self._resume) if self._resume else Judge.new(rules)
        return self._judge

    def _tick(self) -> list[AlertEvent]:
        if self._judge is None or not self._config.partitions <= self._beats.keys():
            return []
        return self._judge.tick(min(self._beats[name].now_ms for name in self._config.partitions))
