"""``site.outage``: many bands of one place of work fall silent together. One incident, and no silences under it.

Score: how unlikely it is that so many of an org's bands are silent by chance, ``n · KL(lost/n ‖ usual)`` nats, the
Chernoff bound of the binomial tail (Hoeffding 1963); usual is the org's own share of lost bands over the last day.
Threshold: ``least_nats``, and at least ``least_bands`` bands and ``least_share`` of all. It is decided from a census
that each shard takes of its bands every ten seconds: who is expected to speak, and who has missed two readings. Where
two orgs of one parent are lost together, the parent is.

While an outage holds, silences of its bands are held back and listed under it; what is told before it was known is
retracted. When four of five are back it ends, and who is still silent then is told. Tamper never passes here.

Evidence: bands lost and expected, the usual share, the score. It does not tell a failed cell from a failed broker, and
an outage that cuts across orgs is seen only through their shares. Cost: nothing a reading; a few bytes a lost band.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.alerts import KINDS, NOBODY, STATE_AFTER, AlertCode, AlertEvent, AlertState, Transition, alert_id
from schemas.judging import NEVER, Times, WearerRules
from schemas.registry import FOREVER_MS

CENSUS_EVERY_MS: Final = 10_000
_DAY_MS: Final = 86_400_000
_SLACK_MS: Final = 10 * 60_000
"""A band that reports seldom had spoken so long before the network went at most."""
_GROWN: Final = 1.1
"""An outage is told anew when it has a tenth more bands."""
_NAMED: Final = 200
"""Bands listed by name: a page of them; the number tells the rest."""


@dataclass(frozen=True, slots=True)
class OutageConfig:
    """When many are too many."""

    least_nats: float = 14.0
    """One in a million a look; looks of one minute depend on each other, so about once in years."""
    least_bands: int = 5
    """Fewer share a bus, a canteen or a lift by chance."""
    least_share: float = 0.2
    """Of an org's bands; below that its operators can call them one by one."""
    lost_after: float = 2.5
    """Reading intervals: two missed readings, one may be late."""
    lost_within_ms: int = 30 * 60_000
    """Who fell silent longer ago did so for reasons of their own."""
    back_share: float = 0.8
    """An outage is over when so many are back; the rest would be silent anyway."""
    usual_ms: int = _DAY_MS
    """Over which the usual share of lost bands is averaged."""
    least_usual: float = 0.02
    """Nobody's share is taken to be less: of 100 bands two are in a lift."""


class Lost(NamedTuple):
    """A band that has missed two readings: its org, and when we last heard of it."""

    device: str
    org: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Orgs:
    """The orgs of a shard's bands: their names, the number of each row's, and the org above each org there is.

    >>> Orgs.of(("b", "a", "b"), {"a": None, "b": "a"}).names
    ('a', 'b')
    """

    names: tuple[str, ...]
    of_row: NDArray[np.intp]
    parents: Mapping[str, str | None]

    @classmethod
    def of(cls, org: Sequence[str], parents: Mapping[str, str | None]) -> Self:
        """Number the orgs of rows once, so that a census need not."""
        names = tuple(sorted(set(org)))
        number = {name: place for place, name in enumerate(names)}
        return cls(names, np.array([number[name] for name in org], np.intp), parents)


@dataclass(frozen=True, slots=True)
class Census:
    """How a shard's bands stand in contact at a moment: by org how many are expected to speak, and who is lost.

    ``parents``: the org above each org.
    """

    shard: int
    now_ms: int
    version: int
    expected: Mapping[str, int]
    lost: tuple[Lost, ...]
    parents: Mapping[str, str | None]


def census(
    shard: int,
    wearers: WearerRules,
    orgs: Orgs,
    heard_ms: Times,
    now_ms: int,
    config: OutageConfig | None = None,
) -> Census:
    """Count a shard's bands; ``heard_ms``, one a row, is when each was last heard. Long lost ones are not expected."""
    config = config or OutageConfig()
    silent_ms = np.where(heard_ms == NEVER, FOREVER_MS, now_ms - heard_ms)
    lost = silent_ms > config.lost_after * wearers.interval_ms
    recent = ~lost | (silent_ms <= config.lost_within_ms)
    count = np.bincount(orgs.of_row[recent], minlength=len(orgs.names))
    return Census(
        shard=shard,
        now_ms=now_ms,
        version=wearers.version,
        expected={org: n for org, n in zip(orgs.names, count.tolist(), strict=True) if n},
        lost=tuple(
            Lost(wearers.device[row], wearers.org[row], int(heard_ms[row]))
            for row in np.flatnonzero(lost & (silent_ms <= _DAY_MS))
        ),
        parents=orgs.parents,
    )


_BEGINS: Final = {Transition.OPENED, Transition.REOPENED}


class Outage(msgspec.Struct):
    """One that holds: where, since when, which bands, and which of their silences are held back."""

    org: str
    onset_ms: int
    bands: dict[str, int]
    listed: int = 0
    told: int = 0

    def began_before(self, since_ms: int) -> bool:
        """Whether a band that has been silent since then may be silent for this."""
        return since_ms >= self.onset_ms - _SLACK_MS


class Silent(msgspec.Struct):
    """A silence that has not ended: how it opened, whether people were told, and in which outage it is held back."""

    opened: AlertEvent
    told: bool
    held_by: str | None = None


class _Memory(msgspec.Struct):
    open: dict[str, Outage] = {}
    silent: dict[UUID, Silent] = {}
    usual: dict[str, float] = {}
    looked_ms: int = 0


@dataclass(slots=True)
class Outages:
    """Reads censuses of so many shards and their silences, and says what people are told of both.

    >>> outages = Outages()
    >>> lost = tuple(Lost(f"band-{n}", "dongqu", 1_000) for n in range(20))
    >>> [e.code.value for e in outages.look(Census(0, 200_000, 1, {"dongqu": 40}, lost, {"dongqu": None}))]
    ['site.outage']
    """

    config: OutageConfig = field(default_factory=OutageConfig)
    shards: int = 1
    memory: _Memory = field(default_factory=_Memory)
    latest: dict[int, Census] = field(default_factory=dict)

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], config: OutageConfig, shards: int) -> Self:
        """What a snapshot described; shards take another census soon."""
        return cls(config, shards, msgspec.convert(snapshot, _Memory))

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        plain: dict[str, Any] = msgspec.to_builtins(self.memory)
        return plain

    def take(self, item: Census | AlertEvent) -> list[AlertEvent]:
        """What people are told now that a shard says this."""
        return self.look(item) if isinstance(item, Census) else self.hear(item)

    def hear(self, event: AlertEvent) -> list[AlertEvent]:
        """What people are told of a silence: all of it, or nothing while it is part of an outage."""
        known = self.memory.silent.get(event.alert_id)
        if event.transition in _BEGINS:
            outage = self._outage_of(event.device, event.onset_ms)
            told = outage is None or (known is not None and known.told)
            self.memory.silent[event.alert_id] = Silent(event, told, outage.org if outage else None)
            if outage is None:
                return [event]
            outage.listed += 1
            return []
        if known is None:
            return [event]
        if STATE_AFTER[event.transition] is not AlertState.OPEN:
            del self.memory.silent[event.alert_id]
        return [] if known.held_by else [event]

    def look(self, taken: Census) -> list[AlertEvent]:
        """Take in a census; once every shard's is at hand, say what began, changed and ended."""
        self.latest[taken.shard] = taken
        now_ms = min(one.now_ms for one in self.latest.values())
        if len(self.latest) < self.shards or now_ms <= self.memory.looked_ms:
            return []
        since_ms, self.memory.looked_ms = now_ms - self.memory.looked_ms, now_ms
        lost = {band.device: band for one in self.latest.values() for band in one.lost}
        events = [event for outage in list(self.memory.open.values()) for event in self._go_on(outage, lost, now_ms)]
        recent_ms = now_ms - self.config.lost_within_ms
        free = [
            band
            for band in lost.values()
            if band.heard_ms >= recent_ms and self._outage_of(band.device, band.heard_ms) is None
        ]
        return events + self._begin(free, now_ms, since_ms)

    def _begin(self, free: Sequence[Lost], now_ms: int, since_ms: int) -> list[AlertEvent]:
        expected: defaultdict[str, int] = defaultdict(int)
        for one in self.latest.values():
            for org, count in one.expected.items():
                expected[org] += count
        by_org: defaultdict[str, list[Lost]] = defaultdict(list)
        for band in free:
            by_org[band.org].append(band)
        lost_orgs = [org for org in expected if self._is_outage(len(by_org[org]), expected[org], self._usual(org))]
        for org in expected.keys() - set(lost_orgs):
            self._learn(org, len(by_org[org]) / expected[org], since_ms)
        return [event for site in self._sites(lost_orgs) for event in self._open(site, by_org, expected, now_ms)]

    def _is_outage(self, lost: int, expected: int, usual: float) -> bool:
        if lost < self.config.least_bands or lost < self.config.least_share * expected:
            return False
        return nats(lost, expected, usual) >= self.config.least_nats

    def _usual(self, org: str) -> float:
        return max(self.memory.usual.get(org, 0.0), self.config.least_usual)

    def _learn(self, org: str, share: float, since_ms: int) -> None:
        weight = 1.0 - exp(-min(since_ms, CENSUS_EVERY_MS * 60) / self.config.usual_ms)
        before = self.memory.usual.get(org, self.config.least_usual)
        self.memory.usual[org] = before + weight * (share - before)

    def _sites(self, orgs: Sequence[str]) -> list[tuple[str, list[str]]]:
        """Lost orgs as sites: those of one parent that are lost together are their parent."""
        together: defaultdict[str | None, list[str]] = defaultdict(list)
        for org in sorted(orgs):
            together[self._known.parents.get(org)].append(org)
        return [
            site
            for parent, lost in together.items()
            for site in ([(parent, lost)] if parent is not None and len(lost) > 1 else [(org, [org]) for org in lost])
        ]

    def _open(
        self, site: tuple[str, list[str]], by_org: Mapping[str, list[Lost]], expected: Mapping[str, int], now_ms: int
    ) -> list[AlertEvent]:
        name, orgs = site
        bands = [band for org in orgs for band in by_org[org]]
        outage = Outage(name, min(band.heard_ms for band in bands), {band.device: band.heard_ms for band in bands})
        self.memory.open[name] = outage
        of = sum(expected[org] for org in orgs)
        usual = sum(self._usual(org) * expected[org] for org in orgs) / of
        evidence = {
            "expected": of,
            "share": round(len(bands) / of, 3),
            "usual_share": round(usual, 3),
            "score_nats": round(nats(len(bands), of, usual), 1),
            "threshold_nats": self.config.least_nats,
            "orgs": orgs,
        }
        outage.told = len(bands)
        return [self._event(outage, Transition.OPENED, now_ms, evidence), *self._hold_back(outage, now_ms)]

    def _hold_back(self, outage: Outage, now_ms: int) -> list[AlertEvent]:
        """Silences that people were told of before it was clear what they are part of."""
        told: list[AlertEvent] = []
        for silent in self.memory.silent.values():
            opened = silent.opened
            if silent.held_by is None and opened.device in outage.bands and outage.began_before(opened.onset_ms):
                silent.held_by = outage.org
                outage.listed += 1
                told.append(_changed(opened, Transition.RETRACTED, now_ms, {"part_of_outage": outage.org}))
        return told

    def _go_on(self, outage: Outage, lost: Mapping[str, Lost], now_ms: int) -> list[AlertEvent]:
        """Who joined, who is back; and the end, when most are."""
        for band in lost.values():
            here = outage.org in {band.org, self._known.parents.get(band.org)}
            if here and outage.began_before(band.heard_ms):
                outage.bands.setdefault(band.device, band.heard_ms)
        gone = len(outage.bands.keys() & lost.keys())
        if gone <= (1.0 - self.config.back_share) * len(outage.bands):
            del self.memory.open[outage.org]
            ended = self._event(outage, Transition.CLEARED, now_ms, {"still_silent": gone})
            return [ended, *self._release(outage.org, now_ms)]
        if len(outage.bands) <= outage.told * _GROWN:
            return self._hold_back(outage, now_ms)
        outage.told = len(outage.bands)
        return [self._event(outage, Transition.UPDATED, now_ms, {}), *self._hold_back(outage, now_ms)]

    def _release(self, org: str, now_ms: int) -> list[AlertEvent]:
        told = []
        for silent in self.memory.silent.values():
            if silent.held_by == org:
                again = Transition.REOPENED if silent.told else Transition.OPENED
                silent.held_by, silent.told = None, True
                told.append(_changed(silent.opened, again, max(now_ms, silent.opened.at_ms), {"outage_ended": org}))
        return told

    @property
    def _known(self) -> Census:
        """Any shard's census: of rules and orgs all say the same."""
        return next(iter(self.latest.values()))

    def _outage_of(self, device: str, since_ms: int) -> Outage | None:
        """The outage that explains a band's silence."""
        for outage in self.memory.open.values():
            if device in outage.bands and outage.began_before(since_ms):
                return outage
        return None

    def _event(self, outage: Outage, transition: Transition, now_ms: int, evidence: dict[str, Any]) -> AlertEvent:
        code = AlertCode.SITE_OUTAGE
        return AlertEvent(
            alert_id=alert_id(outage.org, "", code, outage.org, outage.onset_ms),
            transition=transition,
            code=code,
            priority=KINDS[code].priority,
            subject=outage.org,
            org=outage.org,
            device="",
            wearer="",
            device_no=NOBODY,
            wearer_no=NOBODY,
            onset_ms=outage.onset_ms,
            at_ms=now_ms,
            seq=None,
            rule_version=self._known.version,
            historic=False,
            evidence={
                "lost": len(outage.bands),
                "silences_listed": outage.listed,
                "bands": sorted(outage.bands)[:_NAMED],
            }
            | evidence,
        )


def nats(lost: int, expected: int, usual: float) -> float:
    """How unlikely so many are by chance: the exponent of the Chernoff bound, 0 where there are no more than usual.

    >>> round(nats(18, 60, 0.02), 1), nats(1, 60, 0.02)
    (34.6, 0.0)
    """
    share = lost / expected
    if share <= usual:
        return 0.0
    if share >= 1.0:
        return -expected * log(usual)
    return expected * (share * log(share / usual) + (1.0 - share) * log((1.0 - share) / (1.0 - usual)))


def _changed(event: AlertEvent, transition: Transition, at_ms: int, why: dict[str, Any]) -> AlertEvent:
    return msgspec.structs.replace(event, transition=transition, at_ms=at_ms, evidence=event.evidence | why)
