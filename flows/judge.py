"""The judge of one shard: runs every detector over its bands' readings, in event order, and names the alerts.

Pure but for its own tables: time comes with readings (their ingest time) and heartbeats. Replaying
the same items gives the same events with the same ids.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from anomaly.battery import Battery
from anomaly.heart_rate import HeartRate
from anomaly.latch import Latch
from anomaly.no_fix import NoFix
from anomaly.silence import Silence
from flows.rules import ShardRules
from geo.nearing import Approach, Dwell
from geo.presence import PresenceConfig
from geo.watch import ZoneWatch
from schemas.alerts import KINDS, AlertCode, AlertEvent, alert_id
from schemas.judging import NEVER, Detector, Release, Rows, Table, Times, Verdict, WearerRules
from schemas.readings import Readings

SNAPSHOT_FORMAT: Final = 1
HISTORIC_AFTER_MS: Final = 15 * 60_000
"""A finding decided this long before it reached us is history: recorded, not paged as live."""

_CLOCK: Final = {"judged_ms": (np.int64, NEVER)}


def detectors(rules: ShardRules) -> tuple[Detector, ...]:
    """Every detector; a new one is one line here."""
    keys = rules.wearers.keys
    return (
        Latch(keys, AlertCode.DEVICE_STRAP, "strap_closed", alarm=0),
        Latch(keys, AlertCode.DEVICE_CASE, "case_closed", alarm=0),
        Latch(keys, AlertCode.DEVICE_SOS, "sos", alarm=1),
        ZoneWatch(rules.demands, rules.wearers.silence_after_ms, PresenceConfig().scaled(rules.thresholds.zone_scale)),
        Approach(rules.rings),
        Dwell(rules.lingering),
        Silence(keys, rules.wearers.silence_after_ms),
        NoFix(keys, rules.wearers.silence_after_ms, rules.thresholds),
        Battery(keys, rules.thresholds),
        HeartRate(keys, rules.thresholds),
    )


@dataclass(slots=True)
class Judge:
    """Rules, detectors and their tables; ``snapshot`` holds the tables only, as plain values."""

    rules: ShardRules
    detectors: tuple[Detector, ...]
    tables: dict[str, Table]

    @classmethod
    def new(cls, rules: ShardRules) -> "Judge":
        """A judge that remembers nothing."""
        made = detectors(rules)
        tables = {detector.name: Table.new(detector.keys, detector.columns) for detector in made}
        tables["clock"] = Table.new(rules.wearers.keys, _CLOCK)
        return cls(rules, made, tables)

    @classmethod
    def resume(cls, rules: ShardRules, snapshot: Mapping[str, Any]) -> "Judge":
        """A judge with the memory of a snapshot; of another format's, nothing (the journal rebuilds it)."""
        judge = cls.new(rules)
        if snapshot["format"] == SNAPSHOT_FORMAT:
            tables = {name: Table.restore(table) for name, table in snapshot["tables"].items()}
            judge.inherit(tables, rules_changed=snapshot["rules"] != rules.wearers.version)
        return judge

    def snapshot(self) -> dict[str, Any]:
        """Plain values and a format number."""
        return {
            "format": SNAPSHOT_FORMAT,
            "rules": self.rules.wearers.version,
            "tables": {name: table.snapshot() for name, table in self.tables.items()},
        }

    def inherit(self, older: Mapping[str, Table], *, rules_changed: bool) -> None:
        """Take over the memory of older tables, except what new rules make void."""
        void = {d.name: d.void_under_new_rules for d in self.detectors} if rules_changed else {}
        for name in self.tables.keys() & older.keys():
            self.tables[name].inherit(older[name], void.get(name, ()))

    def judge(self, readings: Readings) -> list[AlertEvent]:
        """Judge a batch, in event order."""
        steps = in_event_order(self.rules.wearers, readings)
        return [event for rows, step in steps for event in self._judge_step(rows, step)]

    def tick(self, now_ms: int) -> list[AlertEvent]:
        """Let time pass for every band of the shard."""
        rows = np.arange(len(self.rules.wearers))
        now = np.full(len(rows), now_ms)
        verdicts = [v for d in self.detectors for v in d.tick(self.tables[d.name], rows, now)]
        return self._events(verdicts, None)

    def listening_since(self, since_ms: int) -> None:
        """We began to listen (again) then: nobody is to be called silent for the time before."""
        for detector in self.detectors:
            detector.listening_since(self.tables[detector.name], since_ms)

    def adopt(self, rules: ShardRules, now_ms: int) -> list[AlertEvent]:
        """Judge by other rules from now on: what stays keeps its memory, what is gone is cleared."""
        if rules.wearers.version == self.rules.wearers.version:
            return []
        new = Judge.new(rules)
        new.inherit(self.tables, rules_changed=True)
        verdicts: list[Verdict] = []
        for old, kept in zip(self.detectors, new.detectors, strict=True):
            gone = np.flatnonzero(~np.isin(old.keys, kept.keys))
            verdicts += old.retire(self.tables[old.name], gone, now_ms)
        events = self._events(verdicts, None)
        self.rules, self.detectors, self.tables = new.rules, new.detectors, new.tables
        return events

    def release(self, release: Release) -> None:
        """People closed incidents: what was latched may ring again."""
        by_name = {detector.name: detector for detector in self.detectors}
        for alert in release.alerts:
            row = int(self.rules.wearers.rows_of(np.array([alert.device_no], np.int32))[0])
            if row >= 0:
                by_name[alert.code.value].release(self.tables[alert.code.value], row, alert.onset_ms)

    def _judge_step(self, rows: Rows, step: Readings) -> list[AlertEvent]:
        judged_ms = self.tables["clock"]["judged_ms"]
        fresh = np.flatnonzero(step.event_ms > judged_ms[rows])
        fresh_rows, fresh_step = rows[fresh], step.take(fresh)
        judged_ms[fresh_rows] = fresh_step.event_ms
        late_too = [d for d in self.detectors if d.takes_late]
        in_order = [d for d in self.detectors if not d.takes_late]
        return self._ask(late_too, rows, step) + self._ask(in_order, fresh_rows, fresh_step)

    def _ask(self, asked: Iterable[Detector], rows: Rows, step: Readings) -> list[AlertEvent]:
        verdicts = [v for d in asked for v in d.judge(self.tables[d.name], rows, step)] if len(rows) else []
        return self._events(verdicts, step)

    def _events(self, verdicts: Sequence[Verdict], step: Readings | None) -> list[AlertEvent]:
        return [event_of(verdict, self.rules.wearers, step) for verdict in verdicts]


def event_of(verdict: Verdict, wearers: WearerRules, step: Readings | None) -> AlertEvent:
    """Name a verdict: whose, which alert, decided by which message, live or history."""
    decided = step is not None and verdict.step >= 0
    kind = KINDS[verdict.code]
    lag_ms = int(step.ingest_ms[verdict.step]) - verdict.at_ms if step is not None and decided else 0
    org, device = wearers.org[verdict.row], wearers.device[verdict.row]
    return AlertEvent(
        alert_id=alert_id(org, device, verdict.code, verdict.subject, verdict.onset_ms),
        transition=verdict.transition,
        code=verdict.code,
        priority=kind.priority if verdict.priority is None else verdict.priority,
        subject=verdict.subject,
        org=org,
        device=device,
        wearer=wearers.wearer[verdict.row],
        device_no=int(wearers.device_no[verdict.row]),
        wearer_no=int(wearers.wearer_no[verdict.row]),
        onset_ms=verdict.onset_ms,
        at_ms=verdict.at_ms,
        seq=int(step.seq[verdict.step]) if step is not None and decided else None,
        rule_version=wearers.version if verdict.rule_version is None else verdict.rule_version,
        # What a person must see is paged however old it is.
        historic=lag_ms > HISTORIC_AFTER_MS and not kind.latching,
        evidence=verdict.evidence,
    )


def in_event_order(wearers: WearerRules, readings: Readings) -> Iterator[tuple[Rows, Readings]]:
    """A batch in steps of one reading a row: each band's by event time, the k-th reading of every band together."""
    rows = wearers.rows_of(readings.device)
    # A backlog recorded under an earlier wearer is stored, but not this wearer's to answer for.
    known = np.flatnonzero((rows >= 0) & (wearers.wearer_no[rows] == readings.wearer))
    order = known[np.lexsort((readings.event_ms[known], rows[known]))]
    rows, readings = rows[order], readings.take(order)
    nth = _count_within(rows)
    for k in range(int(nth.max(initial=-1)) + 1):
        at = np.flatnonzero(nth == k)
        yield rows[at], readings.take(at)


def _count_within(rows: Rows) -> Times:
    """For sorted rows, the position of each within its run of equals.

    >>> _count_within(np.array([3, 3, 5, 5, 5])).tolist()
    [0, 1, 0, 1, 2]
    """
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
