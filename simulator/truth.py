"""The ground truth of a run: what really happened, to whom, from when to when; one JSON line each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from schemas.alerts import AlertCode
from schemas.registry import ZoneKind
from schemas.truth import ContextLine, TruthLine, moment
from simulator.fences import Fences
from simulator.kinds import KINDS, MOVES, READ_OFF_THE_GROUND, Kind
from simulator.movement import Motion, Movement
from simulator.plane import Floats
from simulator.script import Incident

ZONE_CODES: Final = {
    ZoneKind.KEEP_IN: AlertCode.ZONE_EXIT,
    ZoneKind.KEEP_OUT: AlertCode.ZONE_ENTER,
    ZoneKind.CURFEW: AlertCode.ZONE_CURFEW,
}
PARTS: Final = 13
"""Into so many points a stretch near a wall is taken apart, to find crossings that happen between two reports."""

NEARS_S: Final = 60.0
SAME_BREACH_S: Final = 60.0
"""Out, in and out again within a minute is one breach: nobody would call it three."""


class Breach:
    """One pair's breach under way or ended, with how deep it went (m beyond the wall) and when its wall was crossed."""

    __slots__ = ("deepest_m", "pair", "since_s", "until_s")

    def __init__(self, pair: int, since_s: float) -> None:
        self.pair = pair
        self.since_s = since_s
        self.until_s = np.nan
        self.deepest_m = 0.0


class ZoneTruth:
    """Breaches as they are walked: from crossing to crossing of the true path, no receiver involved.

    Between two steps the straight line meets the wall; where not the wearer but a schedule or a leave turned, its
    edge is the moment.
    """

    def __init__(self, fences: Fences, movement: Movement, start_ms: int) -> None:
        self._fences = fences
        self._movement = movement
        self._start_ms = start_ms
        self._current: list[Breach | None] = [None] * len(fences.pairs)
        self._last: list[Breach | None] = [None] * len(fences.pairs)
        self._before_m = np.full(len(fences.pairs), np.nan)
        self._before_s = np.full(len(fences.pairs), np.nan)
        self.breaches: list[Breach] = []

    def observe(self, times_s: Floats, motion: Motion) -> None:
        """Take in where everybody was over a block."""
        for pair in range(len(self._fences.pairs)):
            row = int(self._fences.row[pair])
            steps = times_s.shape[1]
            distance_m = self._fences.distance_of_m(np.full(steps, pair), motion.xy[row])
            at_s, finer_m = self._refined(pair, row, times_s[row], distance_m, motion.travelled_m[row])
            self._walk(pair, at_s, finer_m)
            self._before_m[pair], self._before_s[pair] = distance_m[-1], times_s[row, -1]

    def _refined(
        self, pair: int, row: int, at_s: Floats, distance_m: Floats, travelled_m: Floats
    ) -> tuple[Floats, Floats]:
        """The steps, and points between two steps wherever the wall was near enough to be met on the way."""
        before_m = np.concatenate([self._before_m[pair : pair + 1], distance_m[:-1]])
        near = np.flatnonzero(np.abs(before_m) + np.abs(distance_m) <= travelled_m + 1.0)
        if not len(near):
            return at_s, distance_m
        since_s = np.concatenate([self._before_s[pair : pair + 1], at_s[:-1]])[near]
        times, xy = self._movement.between(np.full(len(near), row), since_s, at_s[near], PARTS)
        inner, points = times[:, 1:-1].ravel(), xy[:, 1:-1].reshape(-1, 2)
        finer_m = self._fences.distance_of_m(np.full(len(points), pair), points)
        order = np.argsort(merged := np.concatenate([at_s, inner]), kind="stable")
        return merged[order], np.concatenate([distance_m, finer_m])[order]

    def _walk(self, pair: int, at_s: Floats, distance_m: Floats) -> None:
        time_ms = self._start_ms + np.round(at_s * 1000.0).astype(np.int64)
        breached = self._fences.breached(pair, distance_m, time_ms)
        now = self._current[pair]
        if not breached.any() and now is None:
            return
        sign = 1.0 if self._fences.keeps_in[pair] else -1.0
        changes = np.flatnonzero(np.diff(breached, prepend=now is not None))
        edges = [0, *changes.tolist(), len(at_s)]
        for first, last in pairwise(edges):
            if first == last:
                continue
            if breached[first] and now is None:
                now = self._resumed(pair, self._turned_s(pair, at_s, distance_m, first))
            if not breached[first] and now is not None:
                now.until_s = self._turned_s(pair, at_s, distance_m, first)
                now = None
            if now is not None:
                now.deepest_m = max(now.deepest_m, float((sign * distance_m[first:last]).max()))
        self._current[pair] = now

    def _code(self, breach: Breach) -> AlertCode:
        """Whoever is outside when their leave ends has not left: they are overdue."""
        kind = self._fences.pairs[breach.pair].zone.kind
        since_ms = self._start_ms + round(breach.since_s * 1000.0)
        ended = any(to_ms == since_ms for _, to_ms in self._fences.leaves[self._fences.row[breach.pair]])
        return AlertCode.LEAVE_OVERSTAY if ended and kind is ZoneKind.KEEP_IN else ZONE_CODES[kind]

    def _turned_s(self, pair: int, at_s: Floats, distance_m: Floats, step: int) -> float:
        """When the wall was met on the way to a step; where it was not met, when the demand began or ended."""
        before_m = self._before_m[pair] if step == 0 else distance_m[step - 1]
        before_s = self._before_s[pair] if step == 0 else at_s[step - 1]
        if np.isnan(before_m):
            return float(at_s[step])
        if (before_m > 0) != (distance_m[step] > 0):
            return float(before_s + (at_s[step] - before_s) * before_m / (before_m - distance_m[step]))
        edge_ms = self._fences.last_edge_ms(pair, self._start_ms + round(at_s[step] * 1000.0))
        return float(max((edge_ms - self._start_ms) / 1000.0, before_s))

    def _resumed(self, pair: int, since_s: float) -> Breach:
        last = self._last[pair]
        if last is not None and since_s - last.until_s < SAME_BREACH_S:
            last.until_s = np.nan
            return last
        breach = Breach(pair, since_s)
        self._last[pair] = breach
        self.breaches.append(breach)
        return breach

    def lines(self, device: Sequence[str], script: Sequence[Incident], end_s: float) -> list[TruthLine]:
        """All breaches up to a time of the run, each with what the script had in mind, if anything."""
        wanted = _moves_by_row(script)
        return [
            TruthLine(
                device=device[self._fences.row[breach.pair]],
                code=self._code(breach),
                start=moment(self._start_ms + round(breach.since_s * 1000)),
                end=moment(self._start_ms + round(_ended_s(breach, end_s) * 1000)),
                parameters={
                    "kind": _kind_of(breach, wanted.get(int(self._fences.row[breach.pair]), ())),
                    "zone": self._fences.pairs[breach.pair].zone.id,
                    "deepest_m": round(breach.deepest_m, 1),
                },
            )
            for breach in self.breaches
            if 0 <= breach.since_s < end_s
        ]


def _ended_s(breach: Breach, end_s: float) -> float:
    return end_s if np.isnan(breach.until_s) else min(breach.until_s, end_s)


def _moves_by_row(script: Sequence[Incident]) -> Mapping[int, list[Incident]]:
    moves: dict[int, list[Incident]] = {}
    for incident in script:
        moves.setdefault(incident.row, []).append(incident)
    return moves


def _kind_of(breach: Breach, incidents: Sequence[Incident]) -> str:
    """The incident under way when the wall was crossed, or ``life``: nobody wrote it, it happened."""
    for incident in incidents:
        if incident.kind in MOVES and incident.start_s <= breach.since_s < incident.end_s + 1_800.0:
            return incident.kind.value
    return "life"


def scripted(script: Sequence[Incident], device: Sequence[str], start_ms: int, end_s: float) -> list[TruthLine]:
    """What the script did to bands and bodies before a time of the run; breaches are ``ZoneTruth``'s."""
    lines = []
    for incident in script:
        code = KINDS[incident.kind].code
        if code is None or incident.kind in READ_OFF_THE_GROUND or incident.start_s >= end_s:
            continue
        there = _where_it_happens(incident)
        if there.start_s >= end_s:
            continue
        lines.append(_line(there, code, device, start_ms, end_s))
        if incident.kind is Kind.DEAD_BATTERY and (empty_s := incident.parameters.get("empty_s")) is not None:
            silent = Incident(empty_s, incident.end_s, incident.row, incident.kind, incident.parameters)
            lines.append(_line(silent, AlertCode.DEVICE_SILENCE, device, start_ms, end_s))
    return lines


def _where_it_happens(incident: Incident) -> Incident:
    """The incident from when its wearer was there, the last steps of the way included."""
    if "arrives_s" not in incident.parameters:
        return incident
    arrives_s = incident.parameters["arrives_s"]
    stays_s = incident.end_s - (incident.start_s if incident.kind is not Kind.GATHERING else arrives_s)
    return replace(incident, start_s=arrives_s - NEARS_S, end_s=arrives_s + max(stays_s, NEARS_S))


def contexts(script: Sequence[Incident], device: Sequence[str], start_ms: int, end_s: float) -> list[ContextLine]:
    """The hard negatives of a run."""
    return sorted(
        (
            ContextLine(
                device=device[incident.row],
                context=incident.kind.value,
                start=moment(start_ms + round(incident.start_s * 1000)),
                end=moment(start_ms + round(min(incident.end_s, end_s) * 1000)),
                parameters=_public(incident, device),
            )
            for incident in script
            if KINDS[incident.kind].code is None and incident.start_s < end_s
        ),
        key=ContextLine.order,
    )


def _line(incident: Incident, code: AlertCode, device: Sequence[str], start_ms: int, end_s: float) -> TruthLine:
    return TruthLine(
        device=device[incident.row],
        code=code,
        start=moment(start_ms + round(incident.start_s * 1000)),
        end=moment(start_ms + round(min(incident.end_s, end_s) * 1000)),
        parameters={"kind": incident.kind.value, **_public(incident, device)},
    )


def _public(incident: Incident, device: Sequence[str]) -> dict[str, Any]:
    """The parameters with bands by name instead of by row."""
    named: dict[str, Any] = dict(incident.parameters)
    if "members" in named:
        named["members"] = [device[row] for row in named["members"]]
    if "protected" in named:
        named["protected"] = device[named["protected"]]
    return named


def write_lines(lines: Sequence[TruthLine] | Sequence[ContextLine], path: Path) -> None:
    """Write JSON lines."""
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
