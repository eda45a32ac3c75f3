"""The picture of DESIGN: readings split by shard → judge → sites → alerts and commands, rules as a control stream."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import bytewax.operators as op
import numpy as np
import structlog
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import Sink

from anomaly.census import CENSUS_EVERY_MS, Census
from flows.commands import Prompter, Sampler
from flows.judge import Judge
from flows.rules import SHARDS, ShardRules
from flows.sites import KEY, SitesLogic, concerns_sites
from geo.sampling import SamplingConfig
from schemas.alerts import AlertEvent
from schemas.commands import DeviceCommand
from schemas.judging import Heartbeat, Release
from schemas.readings import Readings
from schemas.registry import epoch_ms

_log: Final = structlog.get_logger(__name__)
TICK: Final = timedelta(seconds=1)

Rules = dict[int, ShardRules]
Received = Readings | Heartbeat
Control = Rules | Release
Judged = AlertEvent | DeviceCommand | Census


class ShardItem(NamedTuple):
    """Something for one shard, saying which: the step that judges is not told its own key."""

    shard: int
    item: Readings | Heartbeat | ShardRules | Release


@dataclass(frozen=True)
class JudgeConfig:
    """What the judging step is given: rules to begin with, the partitions that must have spoken, and a clock.

    Without ``sampling`` nothing is asked of bands. ``on_judged`` hears how many readings a judge has seen, and how many
    of them came too late to be weighed.
    """

    rules: Callable[[], Rules]
    partitions: frozenset[str]
    now: Callable[[], datetime]
    sampling: SamplingConfig | None = None
    on_judged: Callable[[int, int], object] = lambda _readings, _too_late: None


def supervision(
    received: Source[Received],
    control: Source[Control] | None,
    judging: JudgeConfig,
    alerts: Sink[Any],
    commands: Sink[Any] | None = None,
    replayed: Source[Readings] | None = None,
) -> Dataflow:
    """The dataflow. Step ids are the keys of the recovery store: renaming one orphans its state."""
    flow = Dataflow("shouhuan")
    readings = op.input("readings", flow, received)
    if replayed is not None:
        readings = op.merge("with-replayed", readings, op.input("replayed", flow, replayed))
    by_shard = op.flat_map("split-by-shard", readings, split_by_shard)
    if control is not None:
        rules = op.input("rules", flow, control)
        rules_by_shard = op.flat_map("rules-by-shard", rules, control_by_shard)
        by_shard = op.merge("with-rules", by_shard, rules_by_shard)
    keyed: KeyedStream[ShardItem] = by_shard
    judged = op.stateful_batch("judge", keyed, partial(ShardLogic, judging))
    of_sites = op.stateful_batch("sites", op.filter_map("for-sites", judged, for_sites), SitesLogic)
    by_band = op.map("by-band", of_sites, by_band_again)
    op.output("alerts", op.merge("for-people", op.filter_map("alert", judged, alert_only), by_band), alerts)
    if commands is not None:
        op.output("commands", op.filter_map("command", judged, command_only), commands)
    return flow


def alert_only(judged: tuple[str, Judged]) -> tuple[str, AlertEvent] | None:
    """What people are told at once."""
    return (judged[0], judged[1]) if isinstance(judged[1], AlertEvent) and not concerns_sites(judged[1]) else None


def for_sites(judged: tuple[str, Judged]) -> tuple[str, Census | AlertEvent] | None:
    """What people are told with all shards in view."""
    return (KEY, judged[1]) if isinstance(judged[1], Census | AlertEvent) and concerns_sites(judged[1]) else None


def command_only(judged: tuple[str, Judged]) -> tuple[str, DeviceCommand] | None:
    """What is for bands."""
    return (judged[0], judged[1]) if isinstance(judged[1], DeviceCommand) else None


def by_band_again(told: tuple[str, AlertEvent]) -> tuple[str, AlertEvent]:
    """To the writer that has the band's other alerts, so that they stay in order."""
    return str(told[1].device_no % SHARDS), told[1]


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


class ShardLogic(StatefulBatchLogic[ShardItem, Judged, dict[str, Any]]):
    """One shard in the dataflow: hands items to its judge, sampler and prompter, and tells the judge the time.

    A timer a second drives the time, but never beyond what every partition's heartbeat vouches for:
    while we are cut off or catching up, nobody is called silent.
    """

    def __init__(self, config: JudgeConfig, resume_state: dict[str, Any] | None) -> None:
        self._config = config
        self._resume = resume_state or {}
        self._judge: Judge | None = None
        self._sampler: Sampler | None = None
        self._prompter: Prompter | None = None
        self._beats: dict[str, Heartbeat] = {}
        self._wake: datetime | None = None
        self._shard = 0
        self._counted_ms = 0

    def on_batch(self, values: list[ShardItem]) -> tuple[list[Judged], bool]:
        """Judge what came, in order."""
        return [judged for value in values for judged in self._take(value)], self.RETAIN

    def on_notify(self) -> tuple[list[Judged], bool]:
        """A second has passed."""
        self._wake = self._config.now() + TICK
        return self._tick(), self.RETAIN

    def on_eof(self) -> tuple[list[Judged], bool]:
        """The stream ends: time stands at its last heartbeat, and nothing is closed by that."""
        return self._tick(), self.RETAIN

    def notify_at(self) -> datetime | None:
        """When to be woken next."""
        return self._wake

    def snapshot(self) -> dict[str, Any]:
        """The tables of judge, sampler and prompter as plain values."""
        if self._judge is None:
            return self._resume
        sampling = {} if self._sampler is None else {"sampling": self._sampler.snapshot()}
        prompting = {} if self._prompter is None else {"prompting": self._prompter.snapshot()}
        return self._judge.snapshot() | sampling | prompting

    def _take(self, value: ShardItem) -> Sequence[Judged]:
        judge = self._judge or self._start(value.shard)
        match value.item:
            case Readings():
                return [*self._weigh(judge, value.item), *self._ask(value.item)]
            case ShardRules():
                self._sampler = self._sampler and self._sampler.adopt(value.item)
                self._prompter = self._prompter and self._prompter.adopt(value.item)
                return judge.adopt(value.item, epoch_ms(self._config.now()))
            case Release():
                judge.release(value.item)
            case Heartbeat():
                self._hear(judge, value.item)
                self._wake = self._wake or self._config.now() + TICK
        return []

    def _weigh(self, judge: Judge, readings: Readings) -> list[AlertEvent]:
        before = judge.too_late
        events = judge.judge(readings)
        self._config.on_judged(len(readings), judge.too_late - before)
        if judge.too_late > before:
            _log.warning(
                "too-late-to-weigh",
                readings=judge.too_late - before,
                hint="stored, but older than what was judged already and later than a missing message is waited for",
            )
        return events

    def _hear(self, judge: Judge, beat: Heartbeat) -> None:
        before = self._beats.get(beat.partition)
        if before is None or beat.since_ms > before.since_ms:
            judge.listening_since(beat.since_ms)
        self._beats[beat.partition] = beat

    def _start(self, shard: int) -> Judge:
        self._shard = shard
        rules = self._config.rules()[shard]
        self._judge = Judge.resume(rules, self._resume) if self._resume else Judge.new(rules)
        if self._config.sampling is not None:
            self._sampler = Sampler.new(rules, self._config.sampling, self._resume.get("sampling"))
            self._prompter = Prompter.new(rules, self._resume.get("prompting"))
        return self._judge

    def _ask(self, readings: Readings) -> list[DeviceCommand]:
        return [command for asker in (self._sampler, self._prompter) if asker for command in asker.ask(readings)]

    def _tick(self) -> list[Judged]:
        if self._judge is None or not self._config.partitions <= self._beats.keys():
            return []
        now_ms = min(self._beats[name].now_ms for name in self._config.partitions)
        return [*self._judge.tick(now_ms), *self._count(self._judge, now_ms)]

    def _count(self, judge: Judge, now_ms: int) -> list[Census]:
        if now_ms < self._counted_ms + CENSUS_EVERY_MS:
            return []
        self._counted_ms = now_ms
        return [judge.census(self._shard, now_ms)]
