"""The zone detector: presence of every wearer in every zone, and a verdict while a demand is not met.

Score: accumulated log odds of being on the wrong side (``geo.presence``). Threshold: 6.0 to leave, 3.2 to enter, at
least two fixes. A way that leads through a forbidden zone between two fixes rings as well (``geo.crossing``). Cost:
about 1 µs a pair and fix; 40 bytes a pair. Unknown is not outside: without a fix recent enough nothing opens, and
loss of signal never becomes a breach.
"""

from dataclasses import dataclass, field
from math import exp
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo import presence
from geo.crossing import CrossingConfig, Crossings, crossings
from geo.demands import Demands
from geo.drift import drift_m, shift_m
from geo.presence import Fixes, PresenceConfig, Weighed
from schemas.alerts import AlertCode, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings
from schemas.registry import FOREVER_MS, ZoneKind

CODES: Final = {
    ZoneKind.KEEP_IN: AlertCode.ZONE_EXIT,
    ZoneKind.KEEP_OUT: AlertCode.ZONE_ENTER,
    ZoneKind.CURFEW: AlertCode.ZONE_CURFEW,
}
RINGS: Final = (*CODES.values(), AlertCode.LEAVE_OVERSTAY)
"""What this detector rings; an open alert remembers its place here, whatever the rules say by the time it ends."""
OF_THE_FIX_BEFORE: Final = ("fix_s", "x_m", "y_m", "accuracy_m", "evidence")
Pairs = NDArray[np.intp]


class Heard(NamedTuple):
    """New fixes of one step: which pairs they speak of, from which reading, what they are, and what they said."""

    pairs: Pairs
    place: NDArray[np.intp]
    fixes: Fixes
    weighed: Weighed
    before: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ZoneWatch(Detector):
    """``zone.exit``, ``zone.enter``, ``zone.curfew`` and ``leave.overstay`` for all wearers of a shard.

    ``stale_after_ms`` (one a wearer) bounds how old a fix may be to open an alert when a window begins,
    ``patience`` (one a wearer) multiplies what evidence must reach for a breach. Whoever is outside when their leave
    ends did not leave: they are overdue.
    """

    demands: Demands
    stale_after_ms: Times
    patience: NDArray[np.float32]
    config: PresenceConfig = field(default_factory=PresenceConfig)
    crossing: CrossingConfig = field(default_factory=CrossingConfig)
    name: str = "zones"
    void_under_new_rules: ClassVar[tuple[str, ...]] = ("turn_s", "x_m", "y_m")

    @property
    def codes(self) -> frozenset[AlertCode]:
        """One code for each kind of zone that asks something, and one for who is not back."""
        return frozenset(RINGS)

    @property
    def keys(self) -> NDArray[np.int64]:
        """One key a (wearer, zone) pair."""
        return self.demands.key

    def memory_of(self, rows: Rows) -> Rows:
        """The pairs of wearers."""
        return self.demands.pairs_of(rows)[0]

    @property
    def columns(self) -> Columns:
        """Presence, the open alert's onset and code, and the second in which the demand turns next (0: never asked)."""
        return {
            **presence.COLUMNS,
            "open_onset_ms": (np.int64, NEVER),
            "open_code": (np.int8, -1),
            "turn_s": (np.uint32, 0),
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Let the windows turn up to each reading, then its fix speak."""
        verdicts = self.tick(table, rows, step.event_ms)
        with_fix = np.flatnonzero(step.has_fix)
        pairs, owner = self.demands.pairs_of(rows[with_fix])
        if not len(pairs):
            return verdicts
        place = with_fix[owner]
        at_ms = step.event_ms[place]
        fixes = self._fixes(table, pairs, step, place)
        new = presence.is_new(table, pairs, fixes.fix_ms, step.age_s[place])
        told, told_by, told_ms = pairs[new], place[new], at_ms[new]
        fixes = fixes if new.all() else fixes.take(new)
        verdicts += self._passing(table, told, told_ms, told_by, fixes)
        before = {name: table[name][told].copy() for name in OF_THE_FIX_BEFORE}
        patience = self.patience[self.demands.row[told]]
        weighed = presence.update(table, told, self.demands.wrong_side[told], fixes, self.config, patience)
        heard = Heard(told, told_by, fixes, weighed, before)
        return verdicts + self._decide(table, pairs, at_ms, place, heard)

    def tick(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:
        """Stop at every window edge up to now: one that opens while its wearer is outside rings."""
        verdicts: list[Verdict] = []
        pairs, owner = self.demands.pairs_of(rows)
        now = now_ms[owner]
        while len(due := np.flatnonzero(table["turn_s"][pairs] <= now // 1000)):
            pairs, now = pairs[due], now[due]
            turn_ms = table["turn_s"][pairs].astype(np.int64) * 1000
            at = np.where(turn_ms == 0, now, turn_ms)
            verdicts += self._decide(table, pairs, at, np.full(len(pairs), -1))
        return verdicts

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what was open for pairs that the rules no longer name."""
        still_open = gone[table["open_onset_ms"][gone] != NEVER]
        return self._transition(table, still_open, np.full(len(still_open), now_ms), np.full(len(still_open), -1))

    def _fixes(self, table: Table, pairs: Pairs, step: Readings, place: NDArray[np.intp]) -> Fixes:
        """The reading at each pair's place as its zone sees it, leaves that allow more places considered."""
        zone, lat, lon = self.demands.zone[pairs], step.lat[place], step.lon[place]
        x_m, y_m = self.demands.shapes.plane(zone, lat, lon)
        fix_ms, accuracy_m, speed_mps = step.fix_ms[place], step.accuracy_m[place], step.speed_mps[place]
        still = (step.steps[place] == 0) & ~(speed_mps >= self.config.walks_from_mps)
        strides = step.steps[place] >= self.config.walks_from_steps
        wall_m = self.demands.shapes.wall_m(zone, x_m, y_m)
        drift = drift_m(table, pairs, wall_m, x_m, y_m, accuracy_m, speed_mps, fix_ms, self.config)
        distance_m = self.demands.eased_m(pairs, wall_m, fix_ms, lat, lon)
        reckoned_m = np.where(
            distance_m < wall_m, distance_m, wall_m + shift_m(self.demands.shapes, zone, wall_m, x_m, y_m, *drift)
        )
        return Fixes(distance_m, reckoned_m, *drift, x_m, y_m, accuracy_m, speed_mps, still, strides, fix_ms)

    def _passing(
        self, table: Table, pairs: Pairs, at_ms: Times, place: NDArray[np.intp], fixes: Fixes
    ) -> list[Verdict]:
        """Who went through a forbidden zone between two fixes: an alert that has ended when it is found."""
        may = np.flatnonzero(
            (self.demands.wrong_side[pairs] == presence.INSIDE)
            & (table["presence"][pairs] != presence.INSIDE)
            & (table["open_onset_ms"][pairs] == NEVER)
            & (table["fix_s"][pairs] > 0)
        )
        if not len(may):
            return []
        mine = fixes.take(may)
        zone = self.demands.zone[pairs[may]]
        through = crossings(table, pairs[may], zone, mine, self.demands.shapes, self.crossing)
        if not len(through.place):
            return []
        chosen = may[through.place]
        holds = self.demands.at(pairs[chosen], through.entered_ms)[0]
        return [
            verdict
            for n in np.flatnonzero(holds).tolist()
            for verdict in self._passed(
                table, through, n, int(pairs[chosen[n]]), at_ms[chosen[n]], int(place[chosen[n]])
            )
        ]

    def _passed(
        self, table: Table, through: Crossings, n: int, pair: int, at_ms: np.int64, step: int
    ) -> tuple[Verdict, Verdict]:
        evidence = self._circumstances(table, pair, int(at_ms)) | {
            "decided_by": "way",
            "crossing": True,
            "depth_m": round(float(through.depth_m[n]), 1),
            "least_depth_m": self.crossing.least_depth_m,
        }
        opened = self._verdict(
            pair, CODES[ZoneKind.KEEP_OUT], int(through.entered_ms[n]), int(at_ms), step, Transition.OPENED, evidence
        )
        return opened, opened._replace(transition=Transition.CLEARED)

    def _decide(
        self, table: Table, pairs: Pairs, at_ms: Times, step: NDArray[np.intp], heard: Heard | None = None
    ) -> list[Verdict]:
        if not len(pairs):
            return []
        holds, since, until = self.demands.at(pairs, at_ms)
        # An edge between a late fix and now is met again. Rounded up: one within a second is met when that is over.
        table["turn_s"][pairs] = np.minimum(-(-until // 1000), np.iinfo(np.uint32).max)
        age_ms = at_ms - table["fix_s"][pairs].astype(np.int64) * 1000
        fresh = age_ms <= self.stale_after_ms[self.demands.row[pairs]]
        breach = holds & (table["presence"][pairs] == self.demands.wrong_side[pairs])
        onset = table["open_onset_ms"][pairs]
        opens = np.flatnonzero(breach & fresh & (onset == NEVER))
        table["open_onset_ms"][pairs[opens]] = np.maximum(_since_ms(table, pairs[opens]), since[opens])
        # What is older than an alert cannot end it, for bands store and forward; it can refute it.
        closes = np.flatnonzero(~breach & (onset != NEVER) & ((at_ms >= onset) | self._refuted(table, pairs)))
        changed = np.sort(np.concatenate([opens, closes]))
        # A fix from before the alert that refutes it ends it where it began.
        at_ms = np.maximum(at_ms, table["open_onset_ms"][pairs])
        for pair in pairs[opens].tolist():
            table["open_code"][pair] = RINGS.index(self._code(pair, int(table["open_onset_ms"][pair])))
        return self._transition(
            table, pairs[changed], at_ms[changed], step[changed], opened=np.isin(changed, opens), heard=heard
        )

    def _transition(
        self,
        table: Table,
        pairs: Pairs,
        at_ms: Times,
        step: NDArray[np.intp],
        opened: NDArray[np.bool_] | None = None,
        heard: Heard | None = None,
    ) -> list[Verdict]:
        opening = np.zeros(len(pairs), np.bool_) if opened is None else opened
        ended = np.where(self._refuted(table, pairs), Transition.RETRACTED, Transition.CLEARED)
        verdicts = [
            self._verdict(
                int(pair),
                self._opened_as(table, int(pair)),
                int(table["open_onset_ms"][pair]),
                int(at),
                int(place),
                Transition.OPENED if opens else Transition(ends),
                self._evidence(table, int(pair), int(at), heard),
            )
            for pair, at, place, opens, ends in zip(pairs, at_ms, step, opening, ended, strict=True)
        ]
        table["open_onset_ms"][pairs[~opening]] = NEVER
        return verdicts

    def _verdict(
        self,
        pair: int,
        code: AlertCode,
        onset_ms: int,
        at_ms: int,
        step: int,
        transition: Transition,
        evidence: dict[str, Any],
    ) -> Verdict:
        zone = self.demands.zones[self.demands.zone[pair]]
        return Verdict(
            row=int(self.demands.row[pair]),
            code=code,
            transition=transition,
            onset_ms=onset_ms,
            at_ms=at_ms,
            step=step,
            subject=zone.id,
            rule_version=zone.version,
            evidence=evidence,
        )

    def _code(self, pair: int, onset_ms: int) -> AlertCode:
        zone = self.demands.zones[self.demands.zone[pair]]
        overdue = zone.kind is ZoneKind.KEEP_IN and not self.demands.came_back(pair, onset_ms)
        return AlertCode.LEAVE_OVERSTAY if overdue else CODES[zone.kind]

    def _opened_as(self, table: Table, pair: int) -> AlertCode:
        """The name under which the open alert was told, whatever the rules say by now."""
        code = int(table["open_code"][pair])
        return RINGS[code] if code >= 0 else self._code(pair, int(table["open_onset_ms"][pair]))

    def _refuted(self, table: Table, pairs: Pairs) -> NDArray[np.bool_]:
        """Where late fixes showed that the wearer was on the right side before the open alert began."""
        right = (table["presence"][pairs] != self.demands.wrong_side[pairs]) & (table["presence"][pairs] >= 0)
        return np.asarray(right & (_since_ms(table, pairs) < table["open_onset_ms"][pairs]))

    def _circumstances(self, table: Table, pair: int, at_ms: int) -> dict[str, Any]:
        """What was asked, and the newest fix known."""
        zone = self.demands.zones[self.demands.zone[pair]]
        _, since, until = (int(column[0]) for column in self.demands.at(np.array([pair]), np.array([at_ms])))
        return {
            "zone_name": zone.name,
            "zone_version": zone.version,
            "schedule_state": {
                "schedule": zone.schedule,
                "holds_since_ms": None if since <= -FOREVER_MS else since,
                "until_ms": None if until >= FOREVER_MS else until,
            },
        } | self._newest(table, pair, at_ms)

    def _newest(self, table: Table, pair: int, at_ms: int) -> dict[str, Any]:
        fix_s = int(table["fix_s"][pair])
        if not fix_s or np.isnan(table["x_m"][pair]):
            return {}
        accuracy_m = float(table["accuracy_m"][pair])
        here = (np.array([table[name][pair]], np.float64) for name in ("x_m", "y_m"))
        distance_m = float(self.demands.shapes.wall_m(np.array([self.demands.zone[pair]]), *here)[0])
        return {
            "distance_m": round(distance_m, 1),
            "accuracy_m": round(accuracy_m, 1),
            "margin_m": round(max(accuracy_m, self.config.margin_m), 1),
            "fix_age_s": round(at_ms / 1000.0 - fix_s, 1),
        }

    def _evidence(self, table: Table, pair: int, at_ms: int, heard: Heard | None) -> dict[str, Any]:
        evidence = self._circumstances(table, pair, at_ms)
        spoke = np.flatnonzero(heard.pairs == pair) if heard else np.empty(0, np.intp)
        n = int(spoke[0]) if len(spoke) else -1
        if heard is None or n < 0 or heard.weighed.score[n] < heard.weighed.threshold[n]:
            # The belief is older: what changed is the demand, or that the wearer is heard again.
            return evidence | {"decided_by": "window"}
        score = float(heard.weighed.score[n])
        return evidence | {
            "decided_by": "fix",
            "distance_m": round(float(heard.fixes.distance_m[n]), 1),
            "reckoned_m": round(float(heard.fixes.reckoned_m[n]), 1),
            "score_log_odds": round(score, 1),
            "threshold_log_odds": float(heard.weighed.threshold[n]),
            "margin_log_odds": round(score - float(heard.weighed.threshold[n]), 1),
            "probability": round(1.0 / (1.0 + exp(-score)), 4),
            "fixes": [*self._before(heard, n, pair), self._fix(heard, n)],
        }

    def _before(self, heard: Heard, n: int, pair: int) -> list[dict[str, Any]]:
        """The fix before the deciding one, and what all up to it had said: with it, what decided."""
        fix_s = int(heard.before["fix_s"][n])
        if not fix_s or np.isnan(heard.before["x_m"][n]):
            return []
        x_m, y_m = (heard.before[name][n : n + 1].astype(np.float64) for name in ("x_m", "y_m"))
        distance_m = self.demands.shapes.wall_m(np.array([self.demands.zone[pair]]), x_m, y_m)
        # What had been said up to it, towards where the belief went.
        held = np.copysign(heard.before["evidence"][n], heard.weighed.log_odds[n])
        return [_said(fix_s * 1000, distance_m[0], heard.before["accuracy_m"][n], held)]

    def _fix(self, heard: Heard, n: int) -> dict[str, Any]:
        fixes = heard.fixes
        return _said(int(fixes.fix_ms[n]), fixes.distance_m[n], fixes.accuracy_m[n], heard.weighed.log_odds[n])


def _since_ms(table: Table, pairs: Pairs) -> Times:
    return np.asarray(table["since_s"][pairs].astype(np.int64) * 1000)


def _said(time_ms: int, distance_m: float, accuracy_m: float, odds: float) -> dict[str, Any]:
    return {
        "time_ms": time_ms,
        "distance_m": round(float(distance_m), 1),
        "accuracy_m": round(float(accuracy_m), 1),
        "log_odds": round(float(odds), 2),
    }
