"""What goes wrong in a run: kinds of incidents, how often, and the script drawn from a seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np

from schemas.alerts import AlertCode


class Kind(StrEnum):
    """What can be scripted. Zone breaches are movements: their truth is read off the ground, not off the script."""

    ZONE_EXIT = "zone_exit"
    ZONE_ENTER = "zone_enter"
    CURFEW_ABSENCE = "curfew_absence"
    STRAP_CUT = "strap_cut"
    CASE_OPENED = "case_opened"
    SILENCE = "silence"
    LOW_BATTERY = "low_battery"
    SOS = "sos"
    FAST_HEART = "fast_heart"


CODES: Final[Mapping[Kind, AlertCode]] = {
    Kind.STRAP_CUT: AlertCode.DEVICE_STRAP,
    Kind.CASE_OPENED: AlertCode.DEVICE_CASE,
    Kind.SILENCE: AlertCode.DEVICE_SILENCE,
    Kind.LOW_BATTERY: AlertCode.DEVICE_BATTERY,
    Kind.SOS: AlertCode.DEVICE_SOS,
    Kind.FAST_HEART: AlertCode.VITALS_HEART_RATE,
}

MOVES: Final = frozenset({Kind.ZONE_EXIT, Kind.ZONE_ENTER, Kind.CURFEW_ABSENCE})
"""Incidents in which the wearer goes somewhere."""


class Pattern(NamedTuple):
    """One kind's place in a mix: when first (seconds after the start), then how often, give or take a fifth."""

    kind: Kind
    first_s: float
    every_s: float


DEMO_MIX: Final = (
    Pattern(Kind.STRAP_CUT, 3, 600),
    Pattern(Kind.SOS, 4, 420),
    Pattern(Kind.ZONE_EXIT, 3.5, 300),
    Pattern(Kind.LOW_BATTERY, 7, 900),
    Pattern(Kind.ZONE_ENTER, 4.5, 700),
    Pattern(Kind.CURFEW_ABSENCE, 5, 800),
    Pattern(Kind.SILENCE, 12, 500),
    Pattern(Kind.ZONE_EXIT, 11, 900),
    Pattern(Kind.CASE_OPENED, 16, 1100),
    Pattern(Kind.FAST_HEART, 20, 1000),
)
"""Something of every kind within half a minute, then one incident a minute or so."""

LASTING_S: Final[Mapping[Kind, tuple[float, float]]] = {
    Kind.ZONE_EXIT: (240, 600),
    Kind.ZONE_ENTER: (240, 600),
    Kind.CURFEW_ABSENCE: (300, 600),
    Kind.STRAP_CUT: (600, 1800),
    Kind.CASE_OPENED: (600, 1800),
    Kind.SILENCE: (60, 240),
    Kind.LOW_BATTERY: (600, 1800),
    Kind.SOS: (30, 90),
    Kind.FAST_HEART: (600, 1500),
}

_NUMBERS: Final[Mapping[Kind, tuple[str, float, float]]] = {
    Kind.ZONE_EXIT: ("speed_mps", 11.0, 15.0),
    Kind.ZONE_ENTER: ("speed_mps", 9.0, 13.0),
    Kind.CURFEW_ABSENCE: ("speed_mps", 6.5, 8.5),
    Kind.LOW_BATTERY: ("level_pct", 11.0, 17.0),
    Kind.FAST_HEART: ("heart_rate_bpm", 128.0, 148.0),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """One scripted incident of one band (its row on the roster), from ``start_s`` to ``end_s`` of the run."""

    start_s: float
    end_s: float
    row: int
    kind: Kind
    parameters: dict[str, Any] = field(default_factory=dict)


def plan(
    mix: Sequence[Pattern],
    able: Mapping[Kind, Sequence[int]],
    *,
    seed: int,
    horizon_s: float,
    interval_s: float,
    silence_after_s: Sequence[float],
) -> list[Incident]:
    """The script of a run, in order of time; no band has two incidents at once.

    ``able`` names the rows a kind can happen to; where none is free, it does not happen. Every
    incident lasts long enough for three reports, a silence for twice what its plan tolerates.

    >>> [incident.kind.value for incident in plan(
    ...     (Pattern(Kind.SOS, 4, 60),), {Kind.SOS: [0, 1]}, seed=1, horizon_s=100, interval_s=5,
    ...     silence_after_s=[20, 20])]
    ['sos', 'sos']
    """
    rng = np.random.default_rng([seed, 1])
    free_at_s: dict[int, float] = {}
    script: list[Incident] = []
    for start_s, kind in sorted(_occasions(mix, horizon_s, rng)):
        row = next(
            (row for row in rng.permutation(able.get(kind, ())) if free_at_s.get(int(row), 0.0) <= start_s), None
        )
        if row is None:
            continue
        incident = _draw(kind, int(row), start_s, 3.0 * interval_s, silence_after_s, rng)
        script.append(incident)
        # Time to walk home, mend the strap and charge before anything else happens to this wearer.
        free_at_s[incident.row] = incident.end_s + 1800.0
    return script


def _occasions(mix: Sequence[Pattern], horizon_s: float, rng: np.random.Generator) -> Iterator[tuple[float, Kind]]:
    for pattern in mix:
        at_s = pattern.first_s
        while at_s < horizon_s:
            yield round(at_s, 1), pattern.kind
            at_s += pattern.every_s * rng.uniform(0.8, 1.2)


def _draw(
    kind: Kind, row: int, start_s: float, least_s: float, silence_after_s: Sequence[float], rng: np.random.Generator
) -> Incident:
    lasting_s = max(rng.uniform(*LASTING_S[kind]), least_s)
    if kind is Kind.SILENCE:
        lasting_s = max(lasting_s, 2.0 * silence_after_s[row])
    parameters = {}
    if kind in _NUMBERS:
        name, low, high = _NUMBERS[kind]
        parameters[name] = round(rng.uniform(low, high), 1)
    return Incident(start_s, round(start_s + lasting_s, 1), row, kind, parameters)
