"""``site.outage``: many bands of one place of work fall silent together. One incident, and no silences under it.

It is decided from the census of every shard (``anomaly.census``), org by org, by how unlikely so many lost bands are
by chance (``anomaly.chance``: score, threshold, source). Where two orgs of one parent are lost in the same census,
the parent is; orgs beside them that are not lost have no part in it.

While an outage holds, silences of its bands are held back and listed under it; what is told before it was known is
retracted. When four of five are back, or after a day, it ends, and who is still silent then is told, with all that
the silence has come to meanwhile (the law's marks). Nothing but silences passes here, tamper least of all.

Evidence: bands lost and expected, the usual share, the score, the silences listed. It does not tell a failed cell
from a failed broker, and an outage that cuts across orgs is seen only through their shares. Cost: nothing a reading;
a few bytes a lost band.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self
from uuid import UUID

import msgspec

from anomaly.census import DAY_MS, LOST_WITHIN_MS, SLACK_MS, Census, Lost
from anomaly.chance import OutageConfig, learned, nats, too_many
from schemas.alerts import KINDS, NOBODY, STATE_AFTER, AlertCode, AlertEvent, AlertState, Transition, alert_id

_BEGINS: Final = {Transition.OPENED, Transition.REOPENED}
_TELLS_EVERY_MS: Final = 60_000
"""An outage that has changed is told anew so often at most: its silences begin over a minute or two."""
_NAMED: Final = 200
"""Bands listed by name: a page of them; the number tells the rest."""


class Outage(msgspec.Struct):
    """One that holds: the site and its orgs that are lost, since when, of how many bands which (when last heard).

    ``silences``: bands whose silence was held back, and since when each is silent. ``told``: how many bands and
    silences people know of, and ``told_ms`` since when.
    """

    org: str
    onset_ms: int
    bands: dict[str, int]
    orgs: list[str] = []
    expected: int = 0
    silences: dict[str, int] = {}
    told: int = 0
    told_ms: int = 0

    def began_before(self, since_ms: int) -> bool:
        """Whether a band that has been silent since then may be silent for this."""
        return since_ms >= self.onset_ms - SLACK_MS

    def explains(self, device: str, since_ms: int) -> bool:
        """Whether it explains a band's silence."""
        return device in self.bands and self.began_before(since_ms)

    @property
    def size(self) -> int:
        """What there is to tell of it: bands and silences."""
        return len(self.bands) + len(self.silences)


class Silent(msgspec.Struct):
    """A silence that holds: how it would be told now, whether people were, and by which site's outage it is held."""

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
        if event.transition in _BEGINS:
            return self._hear_begin(event)
        known = self.memory.silent.get(event.alert_id)
        if known is None:
            return [event]
        if STATE_AFTER[event.transition] is AlertState.OPEN:
            known.opened = _grown(known.opened, event)
        else:
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
        recent = (band for band in lost.values() if band.heard_ms >= now_ms - LOST_WITHIN_MS)
        free = [band for band in recent if self._outage_of(band.device, band.heard_ms) is None]
        return events + self._begin(free, now_ms, since_ms)

    def _hear_begin(self, event: AlertEvent) -> list[AlertEvent]:
        outage = self._outage_of(event.device, event.onset_ms)
        known_to_people = outage is None or event.transition is Transition.REOPENED
        self.memory.silent[event.alert_id] = silent = Silent(event, known_to_people)
        if outage is None:
            return [event]
        _list(silent, outage)
        return []

    def _begin(self, free: Sequence[Lost], now_ms: int, since_ms: int) -> list[AlertEvent]:
        expected: defaultdict[str, int] = defaultdict(int)
        for one in self.latest.values():
            for org, count in one.expected.items():
                expected[org] += count
        by_org: defaultdict[str, list[Lost]] = defaultdict(list)
        for band in free:
            by_org[band.org].append(band)
        out = [org for org in expected if too_many(self.config, len(by_org[org]), expected[org], self._usual(org))]
        for org in expected.keys() - set(out):
            share = len(by_org[org]) / expected[org]
            self.memory.usual[org] = learned(self.config, self._usual(org), share, since_ms)
        return [event for site in self._sites(out) for event in self._open(site, by_org, expected, now_ms)]

    def _usual(self, org: str) -> float:
        return self.memory.usual.get(org, self.config.least_usual)

    def _sites(self, out: Sequence[str]) -> list[tuple[str, list[str]]]:
        """Lost orgs as sites: those of one parent that are lost together are their parent."""
        together: defaultdict[str | None, list[str]] = defaultdict(list)
        for org in sorted(out):
            together[self._known.parents.get(org)].append(org)
        return [
            site
            for parent, orgs in together.items()
            for site in ([(parent, orgs)] if parent is not None and len(orgs) > 1 else [(org, [org]) for org in orgs])
        ]

    def _open(
        self, site: tuple[str, list[str]], by_org: Mapping[str, list[Lost]], expected: Mapping[str, int], now_ms: int
    ) -> list[AlertEvent]:
        name, orgs = site
        bands = {band.device: band.heard_ms for org in orgs for band in by_org[org]}
        of = sum(expected[org] for org in orgs)
        outage = self.memory.open[name] = Outage(name, min(bands.values()), bands, orgs, of)
        usual = sum(max(self._usual(org), self.config.least_usual) * expected[org] for org in orgs) / of
        evidence = {
            "share": round(len(bands) / of, 3),
            "usual_share": round(usual, 3),
            "score_nats": round(nats(len(bands), of, usual), 1),
            "threshold_nats": self.config.least_nats,
            "orgs": orgs,
        }
        refuted = self._hold_back(outage, now_ms)
        return [self._told(outage, Transition.OPENED, now_ms, evidence), *refuted]

    def _go_on(self, outage: Outage, lost: Mapping[str, Lost], now_ms: int) -> list[AlertEvent]:
        """Who joined, who is back; and the end, when most are or a day has passed."""
        for band in lost.values():
            if band.org in outage.orgs and outage.began_before(band.heard_ms):
                outage.bands.setdefault(band.device, band.heard_ms)
        silent, bands = len(outage.bands.keys() & lost.keys()), len(outage.bands)
        if bands - silent >= self.config.back_share * bands or now_ms >= outage.onset_ms + DAY_MS:
            del self.memory.open[outage.org]
            ended = self._told(outage, Transition.CLEARED, now_ms, {"still_silent": silent})
            return [ended, *self._release(outage.org, now_ms)]
        refuted = self._hold_back(outage, now_ms)
        if outage.size == outage.told or now_ms < outage.told_ms + _TELLS_EVERY_MS:
            return refuted
        return [self._told(outage, Transition.UPDATED, now_ms, {}), *refuted]

    def _hold_back(self, outage: Outage, now_ms: int) -> list[AlertEvent]:
        """Silences that people were told of before it was clear what they are part of."""
        refuted: list[AlertEvent] = []
        for silent in self.memory.silent.values():
            opened = silent.opened
            if silent.held_by is None and outage.explains(opened.device, opened.onset_ms):
                _list(silent, outage)
                refuted.append(_changed(opened, Transition.RETRACTED, now_ms, {"part_of_outage": outage.org}))
        return refuted

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
        return next((outage for outage in self.memory.open.values() if outage.explains(device, since_ms)), None)

    def _told(self, outage: Outage, transition: Transition, now_ms: int, evidence: dict[str, Any]) -> AlertEvent:
        outage.told, outage.told_ms = outage.size, now_ms
        code, silences = AlertCode.SITE_OUTAGE, sorted(outage.silences.items())
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
                "expected": max(outage.expected, len(outage.bands)),
                "bands": sorted(outage.bands)[:_NAMED],
                "silences_listed": len(silences),
                "silences": [{"device": device, "since_ms": since_ms} for device, since_ms in silences[:_NAMED]],
            }
            | evidence,
        )


def _list(silent: Silent, outage: Outage) -> None:
    """Hold a silence back: it is told as part of the outage."""
    silent.held_by = outage.org
    outage.silences[silent.opened.device] = silent.opened.onset_ms


def _grown(opened: AlertEvent, event: AlertEvent) -> AlertEvent:
    """The event that opens an alert, had it come only now."""
    priority, evidence = max(opened.priority, event.priority), opened.evidence | event.evidence
    return msgspec.structs.replace(opened, priority=priority, evidence=evidence)


def _changed(event: AlertEvent, transition: Transition, at_ms: int, why: dict[str, Any]) -> AlertEvent:
    return msgspec.structs.replace(event, transition=transition, at_ms=at_ms, evidence=event.evidence | why)
