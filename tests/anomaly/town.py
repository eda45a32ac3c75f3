"""Orgs full of bands that speak once a minute unless they are lost, told minute by minute to the outages."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from anomaly.census import Orgs, census
from anomaly.chance import OutageConfig
from anomaly.outage import Outages
from schemas.alerts import KINDS, AlertCode, AlertEvent, Priority, Transition, alert_id
from schemas.judging import NEVER, WearerRules
from tests.world import START_MS

MINUTE_MS = 60_000
SILENT_AFTER_MIN = 20
DAY_MIN = 24 * 60


class Town:
    """So many bands in each org; a band silent for 20 minutes rings, at the law's mark again, and ends when heard."""

    def __init__(self, bands: Mapping[str, int], parents: Mapping[str, str | None] | None = None) -> None:
        self.parents = dict.fromkeys(bands) if parents is None else dict(parents)
        self.org = {f"{org}-{n}": org for org, count in bands.items() for n in range(count)}
        self.heard_ms = dict.fromkeys(self.org, NEVER)
        self.lost: set[str] = set()
        self.silent: dict[str, AlertEvent] = {}
        self.outages = Outages()
        self.now_ms = START_MS
        self.told: list[AlertEvent] = []
        self.restarts = False

    def lose(self, org: str, share: float = 1.0) -> "Town":
        mine = self.bands(org)
        return self.lose_bands(mine[: round(share * len(mine))])

    def lose_bands(self, bands: Iterable[str]) -> "Town":
        self.lost |= set(bands)
        return self

    def back(self, org: str, share: float = 1.0) -> "Town":
        mine = [band for band in self.bands(org) if band in self.lost]
        self.lost -= set(mine[: round(share * len(mine))])
        return self

    def retire(self, org: str, share: float = 1.0) -> "Town":
        """The registry loses bands: an open silence of theirs is cleared, as the judge does."""
        mine = self.bands(org)
        for band in mine[: round(share * len(mine))]:
            if band in self.silent:
                self._say(self._silence(band, Transition.CLEARED))
            del self.org[band], self.heard_ms[band]
        return self

    def adopt(self, org: str, bands: int) -> "Town":
        """The registry gains bands, not heard of yet."""
        new = {f"{org}-new-{n}": org for n in range(bands)}
        self.org |= new
        self.heard_ms |= dict.fromkeys(new, NEVER)
        return self

    def wait(self, minutes: int) -> "Town":
        for _ in range(minutes):
            self.now_ms += MINUTE_MS
            self._speak()
            self._fall_silent()
            if self.restarts:
                self._restart()
            self.told += self.outages.take(self._census())
        return self

    def forget(self) -> "Town":
        self.told.clear()
        return self

    def bands(self, org: str) -> list[str]:
        return [band for band, of in self.org.items() if of == org]

    @property
    def story(self) -> list[tuple[str, str]]:
        """What people were told of sites."""
        return [(e.subject, e.transition.value) for e in self.told if e.code is AlertCode.SITE_OUTAGE]

    @property
    def silences(self) -> list[str]:
        """How people were told of single bands' silences."""
        return [e.transition.value for e in self.told if e.code is AlertCode.DEVICE_SILENCE]

    def evidence(self, transition: Transition) -> dict[str, Any]:
        """The last one's, of a site."""
        mine = (e for e in reversed(self.told) if e.code is AlertCode.SITE_OUTAGE and e.transition is transition)
        return next(mine).evidence

    def _speak(self) -> None:
        for band in self.org.keys() - self.lost:
            self.heard_ms[band] = self.now_ms
        for band in sorted(self.silent.keys() - self.lost):
            self._say(self._silence(band, Transition.CLEARED))

    def _fall_silent(self) -> None:
        for band, heard_ms in self.heard_ms.items():
            silent_min = (self.now_ms - heard_ms) // MINUTE_MS
            if heard_ms != NEVER and silent_min >= SILENT_AFTER_MIN and band not in self.silent:
                self._say(self._silence(band, Transition.OPENED))
            if heard_ms != NEVER and silent_min == DAY_MIN:
                self._say(self._silence(band, Transition.UPDATED, Priority.HIGH))

    def _say(self, event: AlertEvent) -> None:
        if event.transition is Transition.OPENED:
            self.silent[event.device] = event
        elif event.transition is Transition.CLEARED:
            del self.silent[event.device]
        self.told += self.outages.take(event)

    def _silence(self, band: str, transition: Transition, priority: Priority | None = None) -> AlertEvent:
        code, known = AlertCode.DEVICE_SILENCE, self.silent.get(band)
        onset_ms = known.onset_ms if known else self.heard_ms[band]
        return AlertEvent(
            alert_id=alert_id(self.org[band], band, code, "", onset_ms),
            transition=transition,
            code=code,
            priority=priority or KINDS[code].priority,
            subject="",
            org=self.org[band],
            device=band,
            wearer=f"w-{band}",
            device_no=7,
            wearer_no=7,
            onset_ms=onset_ms,
            at_ms=self.now_ms,
            seq=None,
            rule_version=1,
            historic=False,
            evidence={"law": "30"} if priority else {},
        )

    def _census(self) -> Any:
        orgs, bands = tuple(self.org.values()), tuple(self.org)
        rows, minute = np.arange(len(bands), dtype=np.int32), np.full(len(bands), MINUTE_MS)
        rules = WearerRules(
            version=1,
            device_no=rows,
            wearer_no=rows,
            interval_ms=minute,
            silence_after_ms=SILENT_AFTER_MIN * minute,
            ahead_s=np.zeros(len(bands), np.int32),
            patience=np.ones(len(bands), np.float32),
            device=bands,
            wearer=bands,
            org=orgs,
        )
        heard_ms = np.array(list(self.heard_ms.values()), np.int64)
        return census(0, rules, Orgs.of(orgs, self.parents), heard_ms, self.now_ms)

    def _restart(self) -> None:
        stored = msgspec.msgpack.encode(self.outages.snapshot())
        self.outages = Outages.restore(msgspec.msgpack.decode(stored), OutageConfig(), 1)
