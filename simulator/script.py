"""The script of a run, drawn from a seed: who does or suffers what, when, how strongly; nobody two things at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from simulator.kinds import DAY, HOUR, KINDS, Kind
from simulator.options import Mix

RECOVERS_S: Final = 2_700.0
"""Time to come home, mend the strap and charge before anything else happens to this wearer."""

REPORTS_SEEN: Final = 3.0
TRIES: Final = 40
LEAVES: Final = (Kind.LEAVE_OVERSTAY, Kind.APPROVED_LEAVE, Kind.TRAIN_RIDE)
GROUPS: Final = (Kind.GATHERING, Kind.DISTRICT_OUTAGE)


class Trip(NamedTuple):
    """An approved leave as the script sees it: a row of the roster and seconds of the run."""

    row: int
    start_s: float
    end_s: float


class Cast(NamedTuple):
    """Who could be in the script: rows able to each kind, districts, leaves, and what plans tolerate (s, one a row)."""

    able: Mapping[Kind, Sequence[int]]
    org: Sequence[str]
    leaves: Sequence[Trip]
    interval_s: Sequence[float]
    silence_after_s: Sequence[float]
    start_hour: float


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that happens to one band (its row on the roster), from ``start_s`` to ``end_s`` of the run."""

    start_s: float
    end_s: float
    row: int
    kind: Kind
    parameters: dict[str, Any] = field(default_factory=dict)


def plan(mix: Mapping[Kind, Mix], cast: Cast, *, seed: int, horizon_s: float) -> list[Incident]:
    """The script, in order of time. A kind with a rate happens at least once if anybody is able to it.

    Every incident lasts long enough for three reports, a silence for twice what its plan tolerates.
    """
    rng = np.random.default_rng([seed, 1])
    script = _Script(cast, rng, horizon_s)
    for kind in sorted(set(mix) & set(LEAVES)):
        script.travel(kind, mix[kind], _occurrences(mix[kind], len(cast.org), horizon_s))
    fixed = sorted((at_s, kind) for kind in mix for at_s in _show(mix[kind], horizon_s, rng))
    for at_s, kind in fixed:
        script.add(kind, mix[kind], at_s)
    # The longest first: a week's illness finds no room between everything else.
    for kind in sorted(set(mix) - set(LEAVES), key=lambda kind: (-KINDS[kind].ranges["lasting_s"][1], kind)):
        for _ in range(_occurrences(mix[kind], len(cast.able.get(kind, ())), horizon_s)):
            script.add(kind, mix[kind], None)
    return sorted(script.incidents, key=lambda incident: (incident.start_s, incident.row, incident.kind))


def _occurrences(mix: Mix, wearers: int, horizon_s: float) -> int:
    expected = mix.per_wearer_day * wearers * horizon_s / DAY
    return max(round(expected), int(expected > 0))


def _show(mix: Mix, horizon_s: float, rng: np.random.Generator) -> Iterator[float]:
    yield from (at_s for at_s in mix.at_s if at_s < horizon_s)
    at_s = mix.at_s[-1] if mix.at_s else 0.0
    while mix.every_s and (at_s := at_s + mix.every_s * rng.uniform(0.8, 1.2)) < horizon_s:
        yield round(at_s, 1)


class _Script:
    """A script being written: what is in it, and until when each row is taken."""

    def __init__(self, cast: Cast, rng: np.random.Generator, horizon_s: float) -> None:
        self.incidents: list[Incident] = []
        self._cast = cast
        self._rng = rng
        self._horizon_s = horizon_s
        self._taken: dict[int, list[tuple[float, float]]] = {}
        for trip in cast.leaves:
            self._take(trip.row, trip.start_s, trip.end_s + 25 * HOUR)
        self._trips = list(rng.permutation(len(cast.leaves)))

    def travel(self, kind: Kind, mix: Mix, count: int) -> None:
        """Act out approved leaves, so many in this way."""
        for number in [self._trips.pop() for _ in range(min(count, len(self._trips)))]:
            trip = self._cast.leaves[number]
            parameters = self._draw(kind, mix.ranges)
            lasting_s = parameters.pop("lasting_s")
            late_s = lasting_s if kind is Kind.LEAVE_OVERSTAY else 0.0
            start_s = trip.end_s if late_s else trip.start_s
            end_s = trip.end_s + late_s
            parameters |= {"leave_from_s": trip.start_s, "leave_to_s": trip.end_s}
            self.incidents.append(Incident(start_s, round(end_s, 1), trip.row, kind, parameters))

    def add(self, kind: Kind, mix: Mix, at_s: float | None) -> None:
        """One more of a kind, at a time or whenever it fits; where nobody is free, it does not happen."""
        rows = self._cast.able.get(kind, ())
        for _ in range(TRIES if len(rows) else 0):
            parameters = self._draw(kind, mix.ranges)
            start_s = self._moment(kind, parameters["lasting_s"]) if at_s is None else at_s
            if self._cast_for(kind, rows, start_s, parameters):
                return

    def _cast_for(self, kind: Kind, rows: Sequence[int], start_s: float, parameters: dict[str, Any]) -> bool:
        lasting_s = parameters.pop("lasting_s")
        free = [row for row in self._rng.permutation(rows).tolist() if self._is_free(row, start_s, start_s + lasting_s)]
        if kind in GROUPS:
            free = self._group(kind, free, parameters)
        elif kind is Kind.PROTECTED_APPROACH and free:
            near = [row for row in free[1:] if self._cast.org[row] == self._cast.org[free[0]]]
            if not near:
                return False
            parameters["protected"] = near[0]
            self._take(near[0], start_s - HOUR, start_s + lasting_s + HOUR)
        if not free:
            return False
        chosen = free if kind in GROUPS else free[:1]
        for row in chosen:
            end_s = round(start_s + max(lasting_s, self._least_s(kind, row)), 1)
            self._take(row, start_s, end_s)
            with_others = {"members": [r for r in chosen if r != row]} if kind is Kind.GATHERING else {}
            self.incidents.append(Incident(start_s, end_s, row, kind, parameters | with_others))
        return True

    def _group(self, kind: Kind, free: Sequence[int], parameters: dict[str, Any]) -> list[int]:
        """Members from the first free row's district: as many as meet, or the share that an outage takes."""
        mine = [row for row in free if self._cast.org[row] == self._cast.org[free[0]]] if free else []
        if kind is Kind.GATHERING:
            wanted = round(parameters.pop("members"))
            return mine[:wanted] if len(mine) >= wanted else []
        return mine[: max(1, round(parameters["share"] * len(mine)))]

    def _draw(self, kind: Kind, narrowed: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
        ranges = {**KINDS[kind].ranges, **narrowed}
        return {name: round(float(self._rng.uniform(*ranges[name])), 2) for name in sorted(ranges)}

    def _moment(self, kind: Kind, lasting_s: float) -> float:
        """A time of the run at which the clock on the wall allows it; what fits into the run ends within it."""
        first_h, last_h = KINDS[kind].hours
        last_day = max(self._horizon_s - lasting_s, 0.5 * HOUR) / DAY
        day = self._rng.integers(0, max(int(last_day) + 1, 1))
        hour = self._rng.uniform(first_h, last_h)
        since_s = (day * 24.0 + hour - self._cast.start_hour) * HOUR
        if since_s < RECOVERS_S:
            since_s += DAY if self._horizon_s > DAY else self._rng.uniform(RECOVERS_S, self._horizon_s) - since_s
        return round(float(since_s), 1)

    def _least_s(self, kind: Kind, row: int) -> float:
        seen_s = REPORTS_SEEN * self._cast.interval_s[row]
        if kind.startswith("silence"):
            return max(seen_s, 2.0 * self._cast.silence_after_s[row])
        # A press is reported at once, however seldom the band reports.
        return 0.0 if kind is Kind.SOS else seen_s

    def _is_free(self, row: int, start_s: float, end_s: float) -> bool:
        return start_s < self._horizon_s and all(
            end_s + RECOVERS_S <= a or b <= start_s for a, b in self._taken.get(row, ())
        )

    def _take(self, row: int, start_s: float, end_s: float) -> None:
        self._taken.setdefault(row, []).append((start_s, end_s + RECOVERS_S))
