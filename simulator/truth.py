"""The ground truth of a run: what really happened, to whom, from when to when; one JSON line each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.alerts import AlertCode
from schemas.registry import ZoneKind
from simulator.fences import Fences
from simulator.incidents import CODES, Incident
from simulator.plane import Floats

ZONE_CODES: Final = {
    ZoneKind.KEEP_IN: AlertCode.ZONE_EXIT,
    ZoneKind.KEEP_OUT: AlertCode.ZONE_ENTER,
    ZoneKind.CURFEW: AlertCode.ZONE_CURFEW,
}


class TruthLine(msgspec.Struct, frozen=True, kw_only=True):
    """One true event; times are RFC 3339 UTC. What still lasts when the run ends, ends with it."""

    device: str
    code: AlertCode
    start: str
    end: str
    parameters: dict[str, Any]

    def order(self) -> tuple[str, str, str]:
        """By time, and the same in every run."""
        return self.start, self.device, self.code.value


class ZoneTruth:
    """Breaches as they are walked: from crossing to crossing of the true path, no receiver involved.

    A wall is crossed where the straight line between two reports meets it. Where not the wearer but the
    schedule turned, the report that follows is the moment.
    """

    def __init__(self, fences: Fences, xy: Floats) -> None:
        self._fences = fences
        self._distance_m = fences.distance_m(xy)
        self._at_s = np.zeros(len(xy))
        self._since_s = np.full(len(fences.pairs), np.nan)
        self._ended: list[tuple[int, float, float]] = []

    def observe(self, at_s: Floats, time_ms: NDArray[np.int64], xy: Floats) -> None:
        """Take in where everybody is, each at an own time of the run."""
        if not self._fences.pairs:
            return
        distance_m = self._fences.distance_m(xy)
        crossed_s = self._crossed_s(distance_m, at_s)
        breached = self._fences.breached(distance_m, time_ms)
        was = ~np.isnan(self._since_s)
        for pair in np.flatnonzero(was & ~breached).tolist():
            self._ended.append((pair, float(self._since_s[pair]), float(crossed_s[pair])))
        self._since_s[breached & ~was] = crossed_s[breached & ~was]
        self._since_s[~breached] = np.nan
        self._distance_m, self._at_s = distance_m, at_s

    def lines(self, device: Sequence[str], start_ms: int, end_s: float) -> list[TruthLine]:
        """All breaches up to a time of the run."""
        lasting = [(n, float(self._since_s[n]), end_s) for n in np.flatnonzero(~np.isnan(self._since_s)).tolist()]
        return [
            TruthLine(
                device=device[self._fences.pairs[pair].row],
                code=ZONE_CODES[self._fences.pairs[pair].zone.kind],
                start=moment(start_ms, since_s),
                end=moment(start_ms, min(until_s, end_s)),
                parameters={"zone": self._fences.pairs[pair].zone.id},
            )
            for pair, since_s, until_s in [*self._ended, *lasting]
            if since_s < end_s
        ]

    def _crossed_s(self, distance_m: Floats, at_s: Floats) -> Floats:
        before_s, now_s = self._at_s[self._fences.row], at_s[self._fences.row]
        crossed = (distance_m > 0) != (self._distance_m > 0)
        span = np.where(crossed, self._distance_m - distance_m, 1.0)
        return np.where(crossed, before_s + (now_s - before_s) * self._distance_m / span, now_s)


def scripted(script: Sequence[Incident], device: Sequence[str], start_ms: int, end_s: float) -> list[TruthLine]:
    """What the script did to bands and bodies before a time of the run; its movements are ``ZoneTruth``'s."""
    return [
        TruthLine(
            device=device[incident.row],
            code=CODES[incident.kind],
            start=moment(start_ms, incident.start_s),
            end=moment(start_ms, min(incident.end_s, end_s)),
            parameters=incident.parameters,
        )
        for incident in script
        if incident.kind in CODES and incident.start_s < end_s
    ]


def write_truth(lines: Sequence[TruthLine], path: Path) -> None:
    """Write JSON lines."""
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def moment(start_ms: int, at_s: float) -> str:
    """A time of the run on the clock.

    >>> moment(0, 1.5)
    '1970-01-01T00:00:01.500Z'
    """
    at = datetime.fromtimestamp((start_ms + round(at_s * 1000.0)) / 1000.0, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
