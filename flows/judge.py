"""The judge of one shard: runs every detector over its bands' readings, in event order, and names the alerts.

Pure but for its own tables: time comes with readings (their ingest time) and heartbeats. Replaying
the same items gives the same events with the same ids.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from anomaly.battery import Battery
from anomaly.census import Census, census
from anomaly.fall import Fall
from anomaly.heart_rate import HeartRate
from anomaly.latch import Latch
from anomaly.nights import Nights
from anomaly.no_fix import NoFix
from anomaly.off_body import OffBody
from anomaly.silence import Silence
from anomaly.spo2 import Oxygen
from anomaly.spoof import Spoof
from anomaly.temperature import Temperature
from flows.hindsight import Hindsight, Told, difference, missing, put_back, standing
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

_CLOCK: Final = {"judged_ms": (np.int64, NEVER), "seq": (np.uint32, 0)}
"""The newest reading judged, and the number of its message modulo 2³²."""


def detectors(rules: ShardRules) -> tuple[Detector, ...]:
    """Every detector; a new one is one line here."""
    keys = rules.wearers.keys
    return (
        Latch(keys, AlertCode.DEVICE_STRAP, "strap_closed", alarm=0),
        Latch(keys, AlertCode.DEVICE_CASE, "case_closed", alarm=0),
        Latch(keys, AlertCode.DEVICE_SOS, "sos", alarm=1),
        ZoneWatch(
            rules.demands,
            rules.wearers.silence_after_ms,
            rules.wearers.patience,
            PresenceConfig().scaled(rules.thresholds.zone_scale),
        ),
        Approach(rules.rings),
        Dwell(rules.lingering),
        Silence(keys, rules.wearers.silence_after_ms),
        NoFix(keys, rules.wearers.silence_after_ms, rules.wearers.patience, rules.thresholds),
        Battery(keys, rules.thresholds),
        HeartRate(keys, rules.wearers.ahead_s, rules.thresholds),
        Nights(keys, rules.wearers.ahead_s, rules.thresholds),
        Oxygen(keys, rules.thresholds),
        Temperature(keys, rules.wearers.ahead_s, rules.thresholds),
        OffBody(keys, rules.wearers.patience, rules.thresholds),
        Fall(keys, rules.thresholds),
        Spoof(keys, rules.thresholds),
    )


@dataclass(slots=True)
class Judge:
    """Rules, detectors and their tables, and hindsight; ``snapshot`` holds all but the rules, as plain values.

    ``too_late`` counts readings that came too late to be weighed: they are stored, and nothing more.
    """

    rules: ShardRules
    detectors: tuple[Detector, ...]
    tables: dict[str, Table]
    hindsight: Hindsight
    now_ms: int = 0
    too_late: int = 0

    @classmethod
    def new(cls, rules: ShardRules) -> "Judge":
        """A judge that remembers nothing."""
        made = detectors(rules)
        tables = {detector.name: Table.new(detector.keys, detector.columns) for detector in made}
        tables["clock"] = Table.new(rules.wearers.keys, _CLOCK)
        return cls(rules, made, tables, Hindsight.of(len(rules.wearers)))

    @classmethod
    def resume(cls, rules: ShardRules, snapshot: Mapping[str, Any]) -> "Judge":
        """A judge with the memory of a snapshot; of another format's, nothing; the worker puts those aside."""
        judge = cls.new(rules)
        if snapshot["format"] == SNAPSHOT_FORMAT:
            tables = {name: Table.restore(table) for name, table in snapshot["tables"].items()}
            rules_changed = snapshot["rules"] != rules.wearers.version
            judge.inherit(tables, rules_changed=rules_changed)
            judge.now_ms, judge.too_late = snapshot.get("now_ms", 0), snapshot.get("too_late", 0)
            if "hindsight" in snapshot and not rules_changed:
                judge.hindsight = Hindsight.restore(snapshot["hindsight"])
        return judge

    def snapshot(self) -> dict[str, Any]:
        """Plain values and a format number."""
        return {
            "format": SNAPSHOT_FORMAT,
            "rules": self.rules.wearers.version,
            "now_ms": self.now_ms,
            "too_late": self.too_late,
            "hindsight": self.hindsight.snapshot(),
            "tables": {name: table.snapshot() for name, table in self.tables.items()},
        }

    def inherit(self, older: Mapping[str, Table], *, rules_changed: bool) -> None:
        """Take over the memory of older tables, except what new rules make void."""
        void = {d.name: d.void_under_new_rules for d in self.detectors} if rules_changed else {}
        for name in self.tables.keys() & older.keys():
            self.tables[name].inherit(older[name], void.get(name, ()))

    def judge(self, readings: Readings) -> list[AlertEvent]:
        """Judge a batch, in event order; what was missed and comes late is judged soon, as if it had come in time."""
        steps = in_event_order(self.rules.wearers, readings)
        events = [event for rows, step in steps for event in self._judge_step(rows, step)]
        return events + self._weigh_late(int(readings.ingest_ms.max(initial=0)))

    def tick(self, now_ms: int) -> list[AlertEvent]:
        """Let time pass for every band of the shard."""
        self.now_ms = max(self.now_ms, now_ms)
        rows = np.arange(len(self.rules.wearers))
        by_arrival = self._pass(self._by_arrival, rows, now_ms)
        in_order = self.hindsight.as_known(self._pass(self._in_order, rows, now_ms))
        self.hindsight.note_told(in_order)
        return [event for _, event in by_arrival + in_order] + self._weigh_late(self.now_ms)

    def census(self, shard: int, now_ms: int) -> Census:
        """How the bands stand in contact."""
        heard_ms = self.tables[AlertCode.DEVICE_SILENCE.value]["heard_ms"]
        return census(shard, self.rules.wearers, self.rules.orgs, heard_ms, now_ms)

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
        events = [event for _, event in self._events(verdicts, None)]
        self.rules, self.detectors, self.tables = new.rules, new.detectors, new.tables
        # What people were told by other rules is not for these to correct.
        self.hindsight = new.hindsight
        return events

    def release(self, release: Release) -> None:
        """People closed incidents: what was latched may ring again."""
        by_name = {detector.name: detector for detector in self.detectors}
        for alert in release.alerts:
            row = int(self.rules.wearers.rows_of(np.array([alert.device_no], np.int32))[0])
            if row >= 0:
                by_name[alert.code.value].release(self.tables[alert.code.value], row, alert.onset_ms)

    @property
    def _by_arrival(self) -> list[Detector]:
        return [detector for detector in self.detectors if detector.takes_late]

    @property
    def _in_order(self) -> list[Detector]:
        return [detector for detector in self.detectors if not detector.takes_late]

    def _judge_step(self, rows: Rows, step: Readings) -> list[AlertEvent]:
        told = self._ask(self._by_arrival, rows, step)
        newer = step.event_ms > self.tables["clock"]["judged_ms"][rows]
        if not newer.all():
            self._keep_late(rows[~newer], step.take(~newer))
            rows, step = rows[newer], step.take(newer)
        lacks = missing(self.tables["clock"], rows, step, self.rules.wearers.interval_ms)
        if (gap := lacks > 0).any():
            self.hindsight.wait(rows[gap], lacks[gap], self._standing, int(step.ingest_ms[gap].max()))
        newer_told = self.hindsight.as_known(self._judge_newer(rows, step))
        self.hindsight.note_told(newer_told)
        return [event for _, event in told + newer_told]

    def _keep_late(self, rows: Rows, late: Readings) -> None:
        waited = self.hindsight.waits_for(rows)
        self.too_late += int((~waited).sum())
        if waited.any():
            self.hindsight.note_late(rows[waited], late.take(waited))

    def _judge_newer(self, rows: Rows, step: Readings) -> list[Told]:
        clock = self.tables["clock"]
        clock["judged_ms"][rows], clock["seq"][rows] = step.event_ms, step.seq.astype(np.uint32)
        self.hindsight.note_heard(rows, step)
        return self._ask(self._in_order, rows, step)

    def _weigh_late(self, now_ms: int) -> list[AlertEvent]:
        """Judge bands again from before their gap, now that something missing has come, and tell the difference."""
        rows, late = self.hindsight.take_late(now_ms)
        changes: list[Told] = []
        if len(rows):
            mine = set(rows.tolist())
            for some, before in self.hindsight.stood(mine):
                for detector in self._in_order:
                    put_back(self.tables[detector.name], before[detector.name], detector.memory_of(some))
                put_back(self.tables["clock"], before["clock"], some)
            heard, told = self.hindsight.take(mine)
            newer = late.event_ms > self.tables["clock"]["judged_ms"][rows]
            self.too_late += int((~newer).sum())
            changes, in_vain = difference(told, self._judge_again(mine, heard, late.take(newer)), now_ms)
            self.hindsight.note_told(in_vain)
        self.hindsight.forget(now_ms)
        return [found_at(event, now_ms) for _, event in changes]

    def _judge_again(self, mine: set[int], heard: Readings, late: Readings) -> list[Told]:
        truth: list[Told] = []
        for some, step in in_event_order(self.rules.wearers, Readings.concat([heard, late])):
            truth += self._judge_newer(some, step)
        truth += self._pass(self._in_order, np.array(sorted(mine), np.intp), self.now_ms)
        self.hindsight.note_told(truth)
        return truth

    def _standing(self, rows: Rows) -> dict[str, Table]:
        by_name = {d.name: standing(self.tables[d.name], d.memory_of(rows)) for d in self._in_order}
        return by_name | {"clock": standing(self.tables["clock"], rows)}

    def _ask(self, asked: Iterable[Detector], rows: Rows, step: Readings) -> list[Told]:
        verdicts = [v for d in asked for v in d.judge(self.tables[d.name], rows, step)] if len(rows) else []
        return self._events(verdicts, step)

    def _pass(self, asked: Iterable[Detector], rows: Rows, now_ms: int) -> list[Told]:
        now = np.full(len(rows), now_ms)
        return self._events([v for d in asked for v in d.tick(self.tables[d.name], rows, now)], None)

    def _events(self, verdicts: Sequence[Verdict], step: Readings | None) -> list[Told]:
        return [(verdict.row, event_of(verdict, self.rules.wearers, step)) for verdict in verdicts]


def event_of(verdict: Verdict, wearers: WearerRules, step: Readings | None) -> AlertEvent:
    """Name a verdict: whose, which alert, decided by which message, live or history."""
    decided = step is not None and verdict.step >= 0
    kind = KINDS[verdict.code]
    known_ms = int(step.ingest_ms[verdict.step]) if step is not None and decided else verdict.at_ms
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
        historic=_is_history(verdict.code, verdict.at_ms, known_ms),
        evidence=verdict.evidence,
    )


def found_at(event: AlertEvent, known_ms: int) -> AlertEvent:
    """The same event, had we learnt of it then: perhaps it is history."""
    return msgspec.structs.replace(event, historic=_is_history(event.code, event.at_ms, known_ms))


def _is_history(code: AlertCode, at_ms: int, known_ms: int) -> bool:
    """What a person must see is paged however old it is."""
    return known_ms - at_ms > HISTORIC_AFTER_MS and not KINDS[code].latching


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
