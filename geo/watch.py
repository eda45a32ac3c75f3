"""The zone detector: presence of every wearer in every zone, and a verdict while a demand is not met.

Score: accumulated log odds of being on the wrong side (``geo.presence``). Threshold: 4.5, at least
two fixes. Cost: about 1 µs a pair and fix. Unknown is not outside: without a fix recent enough
nothing opens, and loss of signal never becomes a breach.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from geo import presence
from geo.demands import Demands
from geo.presence import PresenceConfig
from schemas.alerts import AlertCode, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings
from schemas.registry import ZoneKind

CODES: Final = {
    ZoneKind.KEEP_IN: AlertCode.ZONE_EXIT,
    ZoneKind.KEEP_OUT: AlertCode.ZONE_ENTER,
    ZoneKind.CURFEW: AlertCode.ZONE_CURFEW,
}


@dataclass(frozen=True)
class ZoneWatch(Detector):
    """``zone.exit``, ``zone.enter`` and ``zone.curfew`` for all wearers of a shard.

    ``stale_after_ms`` (one a wearer) bounds how old a fix may be to open an alert when a window begins.
    """

    demands: Demands
    stale_after_ms: Times
    config: PresenceConfig = field(default_factory=PresenceConfig)
    name: str = "zones"
    void_under_new_rules: ClassVar[tuple[str, ...]] = ("turn_ms",)

    @property
    def codes(self) -> frozenset[AlertCode]:
        """One code for each kind of zone that asks something."""
        return frozenset(CODES.values())

    @property
    def keys(self) -> NDArray[np.int64]:
        """One key a (wearer, zone) pair."""
        return self.demands.key

    @property
    def columns(self) -> Columns:
        """Presence, the open alert's onset, and when the demand turns next."""
        return {**presence.COLUMNS, "open_onset_ms": (np.int64, NEVER), "turn_ms": (np.int64, NEVER)}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Let the windows turn up to each reading, then its fix speak."""
        verdicts = self.tick(table, rows, step.event_ms)
        with_fix = np.flatnonzero(step.has_fix)
        pairs, owner = self.demands.pairs_of(rows[with_fix])
        if not len(pairs):
            return verdicts
        place = with_fix[owner]
        distance_m = self.demands.shapes.signed_distance_m(self.demands.zone[pairs], step.lat[place], step.lon[place])
        fix_ms = step.event_ms[place] - (step.age_s[place] * 1000.0).astype(np.int64)
        presence.update(table, pairs, distance_m, step.accuracy_m[place], fix_ms, self.config)
        return verdicts + self._decide(table, pairs, step.event_ms[place], place)

    def tick(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:
        """Stop at every window edge up to now: one that opens while its wearer is outside rings."""
        verdicts: list[Verdict] = []
        pairs, owner = self.demands.pairs_of(rows)
        now = now_ms[owner]
        while len(due := np.flatnonzero(table["turn_ms"][pairs] <= now)):
            pairs, now = pairs[due], now[due]
            turn = table["turn_ms"][pairs]
            at = np.where(turn == NEVER, now, turn)
            verdicts += self._decide(table, pairs, at, np.full(len(pairs), -1))
            table["turn_ms"][pairs] = self.demands.at(pairs, at)[2]
        return verdicts

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what was open for pairs that the rules no longer name."""
        still_open = gone[table["open_onset_ms"][gone] != NEVER]
        return self._transition(table, still_open, np.full(len(still_open), now_ms), np.full(len(still_open), -1))

    def _decide(self, table: Table, pairs: NDArray[np.intp], at_ms: Times, step: NDArray[np.intp]) -> list[Verdict]:
        if not len(pairs):
            return []
        holds, since, _ = self.demands.at(pairs, at_ms)
        fresh = at_ms - table["last_fix_ms"][pairs] <= self.stale_after_ms[self.demands.row[pairs]]
        breach = holds & (table["presence"][pairs] == self.demands.wrong_side[pairs])
        onset = table["open_onset_ms"][pairs]
        opens = np.flatnonzero(breach & fresh & (onset == NEVER))
        table["open_onset_ms"][pairs[opens]] = np.maximum(table["since_ms"][pairs[opens]], since[opens])
        closes = np.flatnonzero(~breach & (onset != NEVER))
        changed = np.sort(np.concatenate([opens, closes]))
        return self._transition(table, pairs[changed], at_ms[changed], step[changed], opened=np.isin(changed, opens))

    def _transition(
        self,
        table: Table,
        pairs: NDArray[np.intp],
        at_ms: Times,
        step: NDArray[np.intp],
        opened: NDArray[np.bool_] | None = None,
    ) -> list[Verdict]:
        opening = np.zeros(len(pairs), np.bool_) if opened is None else opened
        verdicts = [
            self._verdict(table, int(pair), int(at), int(place), opens=bool(opens))
            for pair, at, place, opens in zip(pairs, at_ms, step, opening, strict=True)
        ]
        table["open_onset_ms"][pairs[~opening]] = NEVER
        return verdicts

    def _verdict(self, table: Table, pair: int, at_ms: int, step: int, *, opens: bool) -> Verdict:
        zone = self.demands.zones[self.demands.zone[pair]]
        return Verdict(
            row=int(self.demands.row[pair]),
            code=CODES[zone.kind],
            transition=Transition.OPENED if opens else Transition.CLEARED,
            onset_ms=int(table["open_onset_ms"][pair]),
            at_ms=at_ms,
            step=step,
            subject=zone.id,
            rule_version=zone.version,
            evidence=self._evidence(table, pair, zone.name, at_ms) | {"decided_by": "window" if step < 0 else "fix"},
        )

    def _evidence(self, table: Table, pair: int, zone_name: str, at_ms: int) -> dict[str, Any]:
        last_fix_ms = int(table["last_fix_ms"][pair])
        evidence = {"zone_name": zone_name, "threshold_log_odds": self.config.threshold}
        if last_fix_ms == NEVER:
            return evidence
        accuracy_m = round(float(table["accuracy_m"][pair]), 1)
        return evidence | {
            "distance_m": round(float(table["distance_m"][pair]), 1),
            "accuracy_m": accuracy_m,
            "margin_m": max(accuracy_m, self.config.margin_m),
            "fix_age_s": round((at_ms - last_fix_ms) / 1000.0, 1),
            "score_log_odds": round(float(table["score"][pair]), 1),
        }
