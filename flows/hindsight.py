"""Hindsight: what comes late is judged as if it had come in time.

A gap in a band's messages, or in the times that they speak of, says that something may still be under way. From there
on a shard keeps how it stood before the gap (the band's rows of every table), what the band has said since and what
was told to people. If the missing part comes within ``ALLOWED_MS``, the band is judged again from before the gap, in
event order, and people are told the difference: an alert that should not have been is retracted, one that was missed
is opened, one that ended too early is reopened. So the order in which readings arrive changes no final verdict.

Nothing waits: what came first was judged at once. Cost: nothing while messages come in order; for a band with a gap
its rows (about 0.5 KB) and 0.2 KB a reading, until all that was missing has come or for ``ALLOWED_MS`` after its last
gap, ``MOST_HEARD`` readings and ``MOST_BANDS`` bands a shard at most. What comes later is stored and counted, but not
weighed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.alerts import STATE_AFTER, AlertEvent, AlertState, Transition
from schemas.judging import NEVER, Rows, Table, Times
from schemas.readings import Readings

ALLOWED_MS: Final = 15 * 60_000
"""How long after a gap its missing part may come and still be weighed: the time after which a finding is history."""
MOST_HEARD: Final = 60
"""Readings kept of one band: as many are judged again, a quarter of an hour of them at 15 s."""
MOST_BANDS: Final = 20_000
"""Bands waited for at a time in one shard: with 20 readings each 80 MB. After an outage of all, the first ones."""
FORGETS_EVERY_MS: Final = 60_000
WEIGHS_EVERY_MS: Final = 5_000
"""What came late is weighed together: a band that sends nothing in order costs no more than that."""
UNKNOWN: Final = np.iinfo(np.int32).max
"""How many messages are missing where a band's times tell of a gap but not its numbers."""
GAPS_APART: Final = 2.5
"""Reading intervals without a reading that make a gap: one late reading is none, two missing ones are."""

Told = tuple[int, AlertEvent]
"""An event, and the row of the wearer whom it concerns."""


Before = Mapping[str, Table]
"""By table: some of its rows, whose numbers are the keys, as they stood before a gap."""


@dataclass(slots=True)
class Hindsight:
    """Bands with a gap: until when their missing part is waited for, how they stood, what they and we said since.

    ``until_s`` and ``missing``, how many messages have not come, have one number a row of the shard, 0 for bands that
    are not waited for: 8 bytes a wearer. ``late`` is what has come and is still to be weighed.
    """

    until_s: NDArray[np.uint32]
    missing: NDArray[np.int32]
    bands: int = 0
    before: list[tuple[set[int], Before]] = field(default_factory=list)
    heard: list[tuple[Rows, Readings]] = field(default_factory=list)
    told: defaultdict[int, list[AlertEvent]] = field(default_factory=lambda: defaultdict(list))
    late: list[tuple[Rows, Readings]] = field(default_factory=list)
    forgot_ms: int = 0
    weighed_ms: int = 0

    @classmethod
    def of(cls, rows: int) -> Self:
        """For a shard of so many rows, none of them with a gap."""
        return cls(np.zeros(rows, np.uint32), np.zeros(rows, np.int32))

    def waits_for(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows have a gap that may still be filled."""
        return np.asarray(self.until_s[rows] > 0) if self.bands else np.zeros(len(rows), np.bool_)

    def wait(self, rows: Rows, missing: NDArray[np.int32], stood: Callable[[Rows], Before], now_ms: int) -> None:
        """Rows, in rising order, have a gap: remember how they ``stood``, or wait on where they had one before."""
        known = self.waits_for(rows)
        first = rows[~known][: MOST_BANDS - self.bands]
        if len(first):
            self.before.append((set(first.tolist()), stood(first)))
            self.bands += len(first)
            self.until_s[first] = now_ms // 1000
        waited = self.waits_for(rows)
        self.until_s[rows[waited]] = (now_ms + ALLOWED_MS) // 1000
        more = self.missing[rows[waited]] + np.minimum(missing[waited], UNKNOWN - self.missing[rows[waited]])
        self.missing[rows[waited]] = more

    def note_late(self, rows: Rows, step: Readings) -> None:
        """Keep what came late, of bands that are waited for, until it is weighed."""
        self.late.append((rows, step))

    def take_late(self, now_ms: int) -> tuple[Rows, Readings]:
        """What came late, once in a while; nothing in between."""
        if not self.late or now_ms < self.weighed_ms + WEIGHS_EVERY_MS:
            return np.empty(0, np.intp), Readings.empty()
        self.weighed_ms = now_ms
        rows = np.concatenate([rows for rows, _ in self.late])
        late = Readings.concat([late for _, late in self.late])
        self.late = []
        came = np.unique(np.stack([rows, late.seq]), axis=1)[0].astype(np.intp)
        some = self.missing[came] < UNKNOWN
        np.subtract.at(self.missing, came[some], 1)
        return rows, late

    def note_heard(self, rows: Rows, step: Readings) -> None:
        """Keep what bands with a gap said."""
        waited = np.flatnonzero(self.waits_for(rows))
        if len(waited):
            self.heard.append((rows[waited], step.take(waited)))

    def note_told(self, events: Iterable[Told]) -> None:
        """Keep what was told of bands with a gap."""
        for row, event in events:
            if self.until_s[row]:
                self.told[row].append(event)

    def as_known(self, events: list[Told]) -> list[Told]:
        """Events as people must be told who know of an alert already that was refuted: it opens again."""
        return [(row, self._reopened(row, event)) for row, event in events] if self.told else events

    def forget(self, now_ms: int) -> None:
        """Wait no longer for what was not heard in time, nor for bands that have said too much since."""
        if not self.bands or self.late or now_ms < self.forgot_ms + FORGETS_EVERY_MS:
            return
        self.forgot_ms = now_ms
        rows, readings = self._all_heard()
        said = np.bincount(rows, minlength=len(self.until_s))
        enough = (self.until_s <= now_ms // 1000) | (said > MOST_HEARD) | (self.missing <= 0)
        over = np.flatnonzero((self.until_s > 0) & enough)
        self.until_s[over] = self.missing[over] = 0
        self.bands -= len(over)
        for row in over.tolist():
            self.told.pop(row, None)
        kept = self.until_s[rows] > 0
        self.heard = [(rows[kept], readings.take(kept))]
        gone = set(over.tolist())
        self.before = [(left, before) for waited, before in self.before if (left := waited - gone)]

    def stood(self, rows: set[int]) -> Iterator[tuple[Rows, Before]]:
        """How rows stood before their gap, those of one moment together."""
        for waited, before in self.before:
            if mine := waited & rows:
                yield np.array(sorted(mine), np.intp), before

    def take(self, rows: set[int]) -> tuple[Readings, list[Told]]:
        """What bands said and what was told of them since their gap; what comes of it now is noted instead."""
        heard_rows, readings = self._all_heard()
        mine = np.isin(heard_rows, list(rows))
        self.heard = [(heard_rows[~mine], readings.take(~mine))]
        return readings.take(mine), [(row, event) for row in sorted(rows) for event in self.told.pop(row, ())]

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        rows, readings = self._all_heard()
        return {
            "until_s": self.until_s.tobytes(),
            "missing": self.missing.tobytes(),
            "late": [(rows.astype(np.int64).tobytes(), late.to_bytes()) for rows, late in self.late],
            "weighed_ms": self.weighed_ms,
            "before": [
                (sorted(waited), {name: stood.snapshot() for name, stood in before.items()})
                for waited, before in self.before
            ],
            "heard": (rows.astype(np.int64).tobytes(), readings.to_bytes()),
            "forgot_ms": self.forgot_ms,
            "told": [(row, msgspec.json.encode(events)) for row, events in self.told.items()],
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """What a snapshot of the same rows described."""
        rows, readings = snapshot["heard"]
        until_s = np.frombuffer(snapshot["until_s"], np.uint32).copy()
        hindsight = cls(
            until_s=until_s,
            missing=np.frombuffer(snapshot["missing"], np.int32).copy(),
            late=[
                (np.frombuffer(rows, np.int64).astype(np.intp), Readings.from_bytes(late))
                for rows, late in snapshot["late"]
            ],
            weighed_ms=snapshot["weighed_ms"],
            bands=int(np.count_nonzero(until_s)),
            before=[
                (set(waited), {name: Table.restore(stood) for name, stood in before.items()})
                for waited, before in snapshot["before"]
            ],
            heard=[(np.frombuffer(rows, np.int64).astype(np.intp), Readings.from_bytes(readings))],
            forgot_ms=snapshot["forgot_ms"],
        )
        for row, events in snapshot["told"]:
            hindsight.told[row] = msgspec.json.decode(events, type=list[AlertEvent])
        return hindsight

    def _reopened(self, row: int, event: AlertEvent) -> AlertEvent:
        known = [one for one in self.told.get(row, ()) if one.alert_id == event.alert_id]
        refuted = bool(known) and known[-1].transition is Transition.RETRACTED
        if event.transition is not Transition.OPENED or not refuted:
            return event
        return msgspec.structs.replace(event, transition=Transition.REOPENED)

    def _all_heard(self) -> tuple[Rows, Readings]:
        if not self.heard:
            return np.empty(0, np.intp), Readings.empty()
        rows = np.concatenate([rows for rows, _ in self.heard])
        readings = Readings.concat([readings for _, readings in self.heard])
        self.heard = [(rows, readings)]
        return rows, readings


def standing(table: Table, rows: Rows) -> Table:
    """How some rows of a table, given in rising order, stand now."""
    return Table(rows.astype(np.int64), {name: column[rows] for name, column in table.columns.items()})


def put_back(table: Table, before: Table, rows: Rows) -> None:
    """Let some rows stand again as they did."""
    place = np.searchsorted(before.keys, rows)
    for name, column in table.columns.items():
        column[rows] = before[name][place]


def missing(clock: Table, rows: Rows, step: Readings, interval_ms: Times) -> NDArray[np.int32]:
    """How many messages should have come before these newer readings: by number, or by time where numbers tell none.

    Before the first reading of a band anything may be missing. Numbers are compared modulo 2³²; those below zero, which
    messages of formats without numbers have, tell nothing.
    """
    judged_ms = clock["judged_ms"][rows]
    left_out = (step.seq.astype(np.uint32) - clock["seq"][rows] - np.uint32(1)).astype(np.int32)
    apart = step.event_ms - judged_ms > GAPS_APART * interval_ms[rows]
    left_out[step.seq < 0] = 0
    unknown = (judged_ms == NEVER) | (apart & (left_out <= 0))
    return np.where(unknown, UNKNOWN, np.maximum(left_out, 0))


def difference(told: Iterable[Told], truth: Iterable[Told], known_ms: int) -> tuple[list[Told], list[Told]]:
    """What people must still be told, who were told ``told``, so that they know ``truth``; and what they knew in vain.

    Both are events since the same moment, in order; ``known_ms`` is when the late readings came. In vain they knew
    alerts that are refuted: should one turn out true after all, it is not a new one.
    """
    once, now = _by_alert(told), _by_alert(truth)
    gone = {alert: events for alert, events in once.items() if alert not in now}
    undone = [change for events in gone.values() for change in _undone(events, known_ms)]
    refuted = {event.alert_id for _, event in undone if event.transition is Transition.RETRACTED}
    in_vain = [one for events in gone.values() for one in events if _refuted(events) or one[1].alert_id in refuted]
    in_vain += [change for change in undone if change[1].alert_id in refuted]
    caught_up = [
        change for alert, events in now.items() for change in _caught_up(once.get(alert, []), events, known_ms)
    ]
    return undone + caught_up, in_vain


def _by_alert(events: Iterable[Told]) -> dict[UUID, list[Told]]:
    alerts: dict[UUID, list[Told]] = {}
    for row, event in events:
        alerts.setdefault(event.alert_id, []).append((row, event))
    return alerts


def _undone(told: Sequence[Told], known_ms: int) -> list[Told]:
    """An alert of which nothing is left: refuted if it opened since, else it holds on."""
    row, last = told[-1]
    if any(event.transition is Transition.OPENED for _, event in told):
        return [] if _refuted(told) else [(row, _again(last, Transition.RETRACTED, known_ms))]
    return [] if _state(told) is AlertState.OPEN else [(row, _again(last, Transition.REOPENED, known_ms))]


def _caught_up(told: Sequence[Told], truth: Sequence[Told], known_ms: int) -> list[Told]:
    """An alert of which people know some: what they do not know."""
    if not told:
        return list(truth)
    stood, stands, (row, last) = _state(told), _state(truth), truth[-1]
    if stood is stands:
        return [truth[-1]] if last.priority > max(event.priority for _, event in told) else []
    if stood is AlertState.OPEN:
        return [truth[-1]]
    reopened = (row, _again(last, Transition.REOPENED, known_ms))
    return [reopened] if stands is AlertState.OPEN else [reopened, truth[-1]]


def _state(events: Sequence[Told]) -> AlertState:
    return STATE_AFTER[events[-1][1].transition]


def _refuted(events: Sequence[Told]) -> bool:
    return _state(events) is AlertState.RETRACTED


def _again(event: AlertEvent, transition: Transition, at_ms: int) -> AlertEvent:
    evidence = event.evidence | {"decided_by": "late_readings"}
    return msgspec.structs.replace(event, transition=transition, at_ms=at_ms, evidence=evidence)
