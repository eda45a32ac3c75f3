"""A judge on trial: fed readings in the order in which they came, with a person who closes what only people close."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from alerts.ledger import AlertRecord, Ledger
from anomaly.census import Census
from anomaly.outage import Outages
from evaluation.matching import CLOSES_AFTER_S
from evaluation.outcome import Found
from flows.judge import HISTORIC_AFTER_MS, Judge
from flows.rules import ShardRules, rules_by_shard
from flows.sites import concerns_sites
from schemas.alerts import KINDS, AlertCode, AlertEvent, Transition
from schemas.judging import Release, Released
from schemas.readings import Readings
from schemas.registry import DIALS, AlertRule, NumberedRegistry

TURN_MS: Final = 5 * 60_000
"""Readings are handed over in turns of so much receive time; the clock is told at the end of each."""


class Setting(NamedTuple):
    """All detectors with a dial at once, so many times as patient as the registry has them."""

    name: str = "as it runs"
    patience: float = 1.0


SETTINGS: Final = (
    Setting("very eager", 0.4),
    Setting("eager", 0.7),
    Setting("patient", 1.5),
    Setting("very patient", 2.5),
)
"""Beside the present one: what the same detectors would find at other prices."""


class Trial:
    """One judge over all bands at one setting. The same readings give the same alerts, however they are cut.

    A person closes a latched alert an hour after it opened (``CLOSES_AFTER_S``), or nothing could ever ring twice.
    """

    def __init__(self, numbered: NumberedRegistry, setting: Setting | None = None) -> None:
        self._rules = _rules(numbered, (setting or Setting()).patience)
        self._judge = Judge.new(self._rules)
        self._outages = Outages()
        self._ledger = Ledger()
        self._known_ms: dict[UUID, int] = {}
        self._closings: list[tuple[int, int, AlertCode, int]] = []
        self._now_ms = 0

    @property
    def codes(self) -> frozenset[AlertCode]:
        """What its detectors ring."""
        return frozenset({AlertCode.SITE_OUTAGE}).union(*(detector.codes for detector in self._judge.detectors))

    def feed(self, readings: Readings) -> None:
        """Judge a batch, in turns of five minutes of receive time; time has passed up to its last arrival then."""
        for turn in turns(readings):
            self._turn(turn)

    def restart(self) -> None:
        """The process dies after a snapshot and comes back with nothing but that."""
        stored = msgspec.msgpack.encode([self._judge.snapshot(), self._outages.snapshot()])
        judge, outages = msgspec.msgpack.decode(stored)
        self._judge = Judge.resume(self._rules, judge)
        self._outages = Outages.restore(outages, self._outages.config, self._outages.shards)

    def records(self) -> list[AlertRecord]:
        """All alerts as they stand."""
        return self._ledger.records()

    def found(self) -> list[Found]:
        """All alerts as people would have met them."""
        return [one for record in self._ledger.records() for one in _found(record, self._known_ms[record.alert_id])]

    def _turn(self, readings: Readings) -> None:
        self._close(int(readings.ingest_ms[0]))
        self._apply(self._judge.judge(readings), readings)
        now_ms = max(self._now_ms, int(readings.ingest_ms.max()))
        self._pass(now_ms)
        self._now_ms = now_ms

    def _pass(self, now_ms: int) -> None:
        self._apply([*self._judge.tick(now_ms), self._judge.census(0, now_ms)], None)

    def _close(self, now_ms: int) -> None:
        due = list[Released]()
        while self._closings and self._closings[0][0] <= now_ms:
            _, device_no, code, onset_ms = heappop(self._closings)
            due.append(Released(device_no, code, onset_ms))
        if due:
            self._judge.release(Release(tuple(due)))

    def _apply(self, judged: Sequence[AlertEvent | Census], readings: Readings | None) -> None:
        events = [told for one in judged for told in self._tell(one)]
        self._ledger.apply(events)
        for event in events:
            if event.transition is not Transition.OPENED:
                continue
            known_ms = _known_ms(event, readings, self._now_ms)
            self._known_ms.setdefault(event.alert_id, known_ms)
            if KINDS[event.code].latching:
                closes_ms = known_ms + CLOSES_AFTER_S * 1000
                heappush(self._closings, (closes_ms, event.device_no, event.code, event.onset_ms))

    def _tell(self, judged: AlertEvent | Census) -> list[AlertEvent]:
        if isinstance(judged, Census) or concerns_sites(judged):
            return self._outages.take(judged)
        return [judged]


def turns(readings: Readings) -> Iterator[Readings]:
    """A batch in turns of five minutes of receive time, none of them empty."""
    turn = readings.ingest_ms // TURN_MS
    edges = [0, *(np.flatnonzero(np.diff(turn)) + 1).tolist(), len(readings)]
    for first, last in pairwise(edges):
        if first < last:
            yield readings.take(slice(first, last))


def _rules(numbered: NumberedRegistry, patience: float) -> ShardRules:
    own = {rule.code: rule.patience for rule in numbered.registry.alert_rules}
    turned = [AlertRule(code=code, patience=own.get(code, 1.0) * patience) for code in DIALS]
    return rules_by_shard(numbered.ruled_by(turned), shards=1)[0]


def _known_ms(event: AlertEvent, readings: Readings | None, told_ms: int) -> int:
    """When the deciding message came; what time itself decided was known when it did, but not before it was told last.

    A message from an earlier turn decides when something late is weighed with it.
    """
    if event.seq is None or readings is None:
        return max(event.at_ms, told_ms)
    mine = np.flatnonzero((readings.device == event.device_no) & (readings.seq == event.seq))
    return int(readings.ingest_ms[mine].min()) if len(mine) else int(readings.ingest_ms.max())


def _found(record: AlertRecord, known_ms: int) -> list[Found]:
    """An alert as people met it; one of a site is each of its bands' and yet one incident."""
    opened_ms = _ms(record.opened_at)
    late = record.historic or known_ms - opened_ms > HISTORIC_AFTER_MS
    found = Found(
        device=record.device,
        wearer=record.wearer,
        code=AlertCode(record.code),
        subject=record.subject,
        priority=record.priority,
        found_ms=opened_ms if late else known_ms,
        known_ms=known_ms,
        ended_ms=None if record.cleared_at is None else _ms(record.cleared_at),
        state=record.state,
        historic=record.historic,
        evidence=record.evidence,
    )
    if record.device:
        return [found]
    return [found._replace(device=band, wearer=f"site {record.subject}") for band in record.evidence.get("bands", ())]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
