"""``zone.approach`` and ``zone.dwell``: nearing a line, and lingering where a zone says how long is too long.

Both are low: they tell an operator where to look, not that anything was broken. Only zones that name ``approach_m`` or
``dwell_s`` have rows here. A coarse fix says nothing, and what has rung rings again only after its wearer was away.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.demands import Demands
from schemas.alerts import AlertCode, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings
from schemas.registry import Zone, ZoneKind

COARSEST_M: Final = 50.0
AGAIN: Final = 1.25
"""Out of the ring by a quarter is away: a fix on the ring's edge is neither nearing nor gone."""

LINGER_M: Final = 100.0
"""The ring of a keep-out zone that names no ``approach_m``."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Pairs = NDArray[np.intp]


class Seen(NamedTuple):
    """New fixes, one a pair: the pair, its reading's place, when, and how far from the wall (m, outside positive).

    ``asked_since_ms``: since when the zone asks something of its wearer, ``NEVER`` while it asks nothing.
    """

    pairs: Pairs
    place: Pairs
    at_ms: Times
    wall_m: Floats
    asked_since_ms: Times

    @property
    def asked(self) -> Flags:
        """Where the zone asks something."""
        return np.asarray(self.asked_since_ms != NEVER)

    def take(self, index: NDArray[Any]) -> "Seen":
        """Those at some positions, or where a mask is true."""
        return Seen(*(column[index] for column in self))


@dataclass(frozen=True)
class _Ring(Detector):
    """What both have in common: pairs of wearer and zone, fixes that are worth something, alerts that open and end."""

    demands: Demands

    @property
    def keys(self) -> NDArray[np.int64]:
        """One key a (wearer, zone) pair."""
        return self.demands.key

    def memory_of(self, rows: Rows) -> Rows:
        """The pairs of wearers."""
        return self.demands.pairs_of(rows)[0]

    @property
    @abstractmethod
    def code(self) -> AlertCode:
        """What it rings."""

    @property
    def name(self) -> str:
        """The code's own."""
        return self.code.value

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for pairs that the rules no longer name."""
        open_ = gone[table["open_onset_ms"][gone] != NEVER]
        now, nowhere = np.full(len(open_), now_ms), np.full(len(open_), -1)
        seen = Seen(open_, nowhere, now, np.zeros(len(open_)), np.full(len(open_), NEVER))
        return self._end(table, seen, lambda _: {"ended_by": "rules"})

    def _seen(self, table: Table, rows: Rows, step: Readings) -> Seen:
        """The new, fine fixes of a step, pair by pair."""
        with_fix = np.flatnonzero(step.has_fix & (step.accuracy_m <= COARSEST_M))
        pairs, owner = self.demands.pairs_of(rows[with_fix])
        place = with_fix[owner]
        fix_ms = step.fix_ms[place]
        new = fix_ms // 1000 > table["fix_s"][pairs]
        pairs, place, fix_ms = pairs[new], place[new], fix_ms[new]
        if not len(pairs):
            return Seen(pairs, place, fix_ms, np.empty(0), fix_ms)
        wall_m = self.demands.shapes.signed_distance_m(self.demands.zone[pairs], step.lat[place], step.lon[place])
        holds, since_ms, _ = self.demands.at(pairs, fix_ms)
        return Seen(pairs, place, fix_ms, wall_m, np.where(holds, since_ms, NEVER))

    def _open(
        self, table: Table, seen: Seen, onset_ms: Times, evidence: Callable[[int], dict[str, Any]]
    ) -> list[Verdict]:
        table["open_onset_ms"][seen.pairs] = onset_ms
        return [self._verdict(table, seen, n, Transition.OPENED, evidence(n)) for n in range(len(seen.pairs))]

    def _end(self, table: Table, seen: Seen, evidence: Callable[[int], dict[str, Any]]) -> list[Verdict]:
        verdicts = [self._verdict(table, seen, n, Transition.CLEARED, evidence(n)) for n in range(len(seen.pairs))]
        table["open_onset_ms"][seen.pairs] = NEVER
        return verdicts

    def _verdict(self, table: Table, seen: Seen, n: int, transition: Transition, evidence: dict[str, Any]) -> Verdict:
        pair = int(seen.pairs[n])
        zone = self.demands.zones[self.demands.zone[pair]]
        return Verdict(
            row=int(self.demands.row[pair]),
            code=self.code,
            transition=transition,
            onset_ms=int(table["open_onset_ms"][pair]),
            at_ms=int(seen.at_ms[n]),
            step=int(seen.place[n]),
            subject=zone.id,
            rule_version=zone.version,
            evidence={"zone_name": zone.name, "zone_version": zone.version} | evidence,
        )

    @cached_property
    def _keep_out(self) -> Flags:
        """Whether each pair's zone is one to stay out of."""
        return np.array([zone.kind is ZoneKind.KEEP_OUT for zone in self.demands.zones], np.bool_)[self.demands.zone]

    def _of_zones(self, value: Callable[[Zone], float]) -> Floats:
        """A number of each zone, one a pair."""
        return np.array([value(zone) for zone in self.demands.zones], np.float64)[self.demands.zone]


@dataclass(frozen=True)
class Approach(_Ring):
    """Rings when a wearer who was well away comes into the ring and would be at the line within minutes.

    Score: time to the line at the closing speed between two fixes; threshold: ``within_s``. Slower than
    ``least_mps``, between fixes or by Doppler, is wander. Whoever once stays at the line for ``at_home_s``, on either
    side of it, lives or works there: for them it says nothing any more.
    """

    void_under_new_rules: ClassVar[tuple[str, ...]] = ("room_m",)
    within_s: float = 180.0
    least_mps: float = 0.4
    at_home_s: float = 1_800.0

    @property
    def code(self) -> AlertCode:
        """Nearing a boundary."""
        return AlertCode.ZONE_APPROACH

    @property
    def columns(self) -> Columns:
        """Whether the wearer has been well away, since when at the line and whether at home there, the newest fix."""
        return {
            "away": (np.bool_, False),
            "in_since_s": (np.uint32, 0),
            "at_home": (np.bool_, False),
            "fix_s": (np.uint32, 0),
            "room_m": (np.float32, np.nan),
            "open_onset_ms": (np.int64, NEVER),
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Compare each fix with the one before it."""
        seen = self._seen(table, rows, step)
        if not len(seen.pairs):
            return []
        ring_m = self._ring_m[seen.pairs]
        room_m = np.where(self._keep_out[seen.pairs], seen.wall_m, -seen.wall_m)
        apart_s = seen.at_ms / 1000.0 - table["fix_s"][seen.pairs]
        closing_mps = (table["room_m"][seen.pairs] - room_m) / apart_s
        away = table["away"][seen.pairs] | (room_m > AGAIN * ring_m)
        left_s = np.divide(room_m, closing_mps, out=np.full(len(room_m), np.inf), where=closing_mps > self.least_mps)
        within = (room_m > 0) & (room_m <= ring_m)
        at_home = self._at_home(table, seen, np.abs(room_m) <= AGAIN * ring_m)
        moves = ~(step.speed_mps[seen.place] < self.least_mps)
        nears = seen.asked & away & within & moves & ~at_home & (left_s <= self.within_s)
        opens = np.flatnonzero(nears & (table["open_onset_ms"][seen.pairs] == NEVER))
        over = ~seen.asked | (room_m > AGAIN * ring_m) | (room_m <= 0)
        ends = np.flatnonzero(over & (table["open_onset_ms"][seen.pairs] != NEVER))
        table["away"][seen.pairs] = away & ~nears
        table["fix_s"][seen.pairs], table["room_m"][seen.pairs] = seen.at_ms // 1000, room_m

        def evidence(at: Pairs) -> Callable[[int], dict[str, Any]]:
            return lambda n: (
                {
                    "distance_m": round(float(room_m[at[n]]), 1),
                    "ring_m": float(ring_m[at[n]]),
                    "closing_mps": round(float(closing_mps[at[n]]), 2),
                    "threshold_s": self.within_s,
                }
                | _why(seen.asked[at[n]])
            )

        return self._open(table, seen.take(opens), seen.at_ms[opens], evidence(opens)) + self._end(
            table, seen.take(ends), evidence(ends)
        )

    @cached_property
    def _ring_m(self) -> Floats:
        return self._of_zones(lambda zone: zone.approach_m or 0.0)

    def _at_home(self, table: Table, seen: Seen, near: Flags) -> Flags:
        """Who has ever stayed so near to the line for so long that it is theirs."""
        now_s = seen.at_ms // 1000
        since_s = table["in_since_s"][seen.pairs].astype(np.int64)
        since_s = np.where(~near, 0, np.where(since_s == 0, now_s, since_s))
        at_home = table["at_home"][seen.pairs] | ((since_s > 0) & (now_s - since_s >= self.at_home_s))
        table["in_since_s"][seen.pairs], table["at_home"][seen.pairs] = since_s, at_home
        return np.asarray(at_home)


@dataclass(frozen=True)
class Dwell(_Ring):
    """Rings when a wearer has stayed for ``dwell_s``: inside an interest zone, or in the ring of a keep-out zone.

    Score: time since they came, in event time; threshold: the zone's own.
    """

    @property
    def code(self) -> AlertCode:
        """Lingering."""
        return AlertCode.ZONE_DWELL

    @property
    def columns(self) -> Columns:
        """Since when the wearer has been there, the newest fix, the open alert's onset."""
        return {"since_ms": (np.int64, NEVER), "fix_s": (np.uint32, 0), "open_onset_ms": (np.int64, NEVER)}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Note who came and who went; between the ring and a quarter beyond it, nothing changes."""
        seen = self._seen(table, rows, step)
        if not len(seen.pairs):
            return []
        dwell_s, ring_m, outside = self._dwell_s[seen.pairs], self._ring_m[seen.pairs], self._keep_out[seen.pairs]
        there = np.where(outside, (seen.wall_m > 0) & (seen.wall_m <= ring_m), seen.wall_m <= 0)
        gone = np.where(outside, (seen.wall_m > AGAIN * ring_m) | (seen.wall_m < -COARSEST_M), seen.wall_m > COARSEST_M)
        gone |= ~seen.asked
        since = table["since_ms"][seen.pairs]
        # A stay begins at the earliest when the zone begins to ask (yesterday's is not today's), and what lies between
        # two fixes farther apart than the dwell is not known.
        apart_s = seen.at_ms / 1000.0 - table["fix_s"][seen.pairs]
        anew = (since == NEVER) | (since < seen.asked_since_ms) | (apart_s > dwell_s)
        since = np.where(anew, np.where(there, seen.at_ms, NEVER), since)
        lasted_s = np.where(since == NEVER, 0.0, (seen.at_ms - since) / 1000.0)
        since = np.where(gone, NEVER, since)
        opens = np.flatnonzero(there & ~gone & (lasted_s >= dwell_s) & (table["open_onset_ms"][seen.pairs] == NEVER))
        ends = np.flatnonzero(gone & (table["open_onset_ms"][seen.pairs] != NEVER))
        table["since_ms"][seen.pairs], table["fix_s"][seen.pairs] = since, seen.at_ms // 1000

        def evidence(at: Pairs) -> Callable[[int], dict[str, Any]]:
            return lambda n: (
                {
                    "distance_m": round(float(seen.wall_m[at[n]]), 1),
                    "lasted_s": round(float(lasted_s[at[n]])),
                    "threshold_s": float(dwell_s[at[n]]),
                }
                | _why(seen.asked[at[n]])
            )

        return self._open(table, seen.take(opens), since[opens], evidence(opens)) + self._end(
            table, seen.take(ends), evidence(ends)
        )

    @cached_property
    def _dwell_s(self) -> Floats:
        return self._of_zones(lambda zone: zone.dwell_s or np.inf)

    @cached_property
    def _ring_m(self) -> Floats:
        return self._of_zones(lambda zone: zone.approach_m or LINGER_M)


def _why(asked: np.bool_) -> dict[str, str]:
    """What ended an alert when it was not its wearer."""
    return {} if asked else {"ended_by": "schedule"}
