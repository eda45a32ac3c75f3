"""Scenario files: a fleet, a time, what happens in it and what goes wrong, as YAML; every error is listed.

``docs/scenarios.md`` shows every field. A name without a path is one of those shipped in ``scenarios/``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from schemas.problems import Problem, listed, problems_of, read_plain
from schemas.registry import Instant, Registry, epoch_ms
from simulator.kinds import DAY, KINDS, Kind
from simulator.options import Faults, Mix, Options, People
from simulator.town import Town, town

SHIPPED: Final = Path(__file__).parent / "scenarios"
LONGEST_DAYS: Final = 60.0
"""Within the orders that a scenario's wearers are under: at most three months, of which up to a month is gone."""


class ScenarioError(Exception):
    """A scenario that cannot be played, with every problem found in it."""

    def __init__(self, problems: list[Problem], source: str) -> None:
        super().__init__(listed(source, problems, "nothing was played"))
        self.problems = tuple(problems)


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scenario. ``interval_s`` absent: bands report as their wearers' grades ask (60, 120 or 300 s).

    ``events`` and ``hard_negatives`` map a kind to how often it happens a wearer-day, or to a ``Mix``.
    """

    name: str
    start: Instant
    days: Annotated[float, Meta(gt=0, le=LONGEST_DAYS)]
    wearers: Annotated[int, Meta(ge=5, le=2_000_000)]
    seed: Annotated[int, Meta(ge=0)] = 1
    interval_s: Annotated[float, Meta(gt=0)] | None = None
    step_s: Annotated[float, Meta(gt=0)] | None = None
    in_the_field: bool = True
    consents: Annotated[float, Meta(ge=0, le=1)] = 0.88
    events: dict[Kind, float | Mix] = {}
    hard_negatives: dict[Kind, float | Mix] = {}
    people: People = People()
    faults: Faults = Faults()

    @property
    def duration_s(self) -> float:
        """Seconds from ``start`` to the end."""
        return self.days * DAY

    @property
    def start_ms(self) -> int:
        """The beginning, UTC ms."""
        return epoch_ms(self.start)

    def options(self) -> Options:
        """The same as a run of the fleet."""
        return Options(
            seed=self.seed,
            interval_s=self.interval_s,
            step_s=self.step_s,
            duration_s=self.duration_s,
            mix={kind: as_mix(how) for kind, how in (*self.events.items(), *self.hard_negatives.items())},
            faults=self.faults,
            people=self.people,
            in_the_field=self.in_the_field,
        )

    def registry(self) -> Registry:
        """The people, places, orders and leaves of the scenario."""
        return town(
            Town(
                seed=self.seed,
                wearers=self.wearers,
                start_ms=self.start_ms,
                days=self.days,
                consents=self.consents,
                on_the_line=self.people.home_on_the_line,
                without_curfew=max(0.3, 2.0 * self.people.night_shift),
                leaves_per_day=sum(
                    as_mix(how).per_wearer_day
                    for kind, how in (*self.events.items(), *self.hard_negatives.items())
                    if kind in _LEAVES
                ),
            )
        )


_LEAVES: Final = (Kind.LEAVE_OVERSTAY, Kind.APPROVED_LEAVE, Kind.TRAIN_RIDE)


def as_mix(how: float | Mix) -> Mix:
    """A bare number is a rate a wearer-day.

    >>> as_mix(0.01) == Mix(per_wearer_day=0.01)
    True
    """
    return how if isinstance(how, Mix) else Mix(per_wearer_day=how)


def shipped() -> list[str]:
    """The names of the scenarios that come along."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def read_scenario(name: str) -> Scenario:
    """A scenario by its path or its shipped name; raises ``ScenarioError`` with every problem."""
    path = Path(name)
    if not path.suffix and not path.exists():
        path = SHIPPED / f"{name}.yaml"
        if not path.exists():
            raise ScenarioError([Problem("scenario", f"there is none; give a path or {', '.join(shipped())}")], name)
    try:
        content = read_plain(path)
    except ValueError as error:
        raise ScenarioError([Problem("file", str(error))], name) from error
    return parse_scenario(content, name)


def parse_scenario(content: Any, source: str = "scenario") -> Scenario:  # noqa: ANN401 - whatever somebody wrote
    """The scenario of a decoded file.

    >>> parse_scenario({"name": "x", "start": "2026-03-02T00:00:00+08:00", "days": 1, "events": {"sos": -1}})
    Traceback (most recent call last):
    simulator.scenario.ScenarioError: scenario: 2 problems; nothing was played
      wearers: is missing
      events.sos: a rate is 0 or more, not -1
    """
    if not isinstance(content, Mapping):
        raise ScenarioError([Problem("file", "must be a mapping with name, start, days, wearers, events …")], source)
    problems = [*problems_of("", dict(content), Scenario), *_senseless(content)]
    if problems:
        raise ScenarioError(problems, source)
    return msgspec.convert(content, Scenario)


def _senseless(content: Mapping[Any, Any]) -> Iterator[Problem]:
    """What has the right shape and yet no meaning."""
    for part, are_events in (("events", True), ("hard_negatives", False)):
        happenings = content.get(part)
        for name, how in happenings.items() if isinstance(happenings, Mapping) else ():
            if name in set(Kind):
                yield from _wrong_mix(f"{part}.{name}", Kind(name), how, are_events=are_events)
    yield from _wrong_steps(content)


def _wrong_mix(path: str, kind: Kind, how: object, *, are_events: bool) -> Iterator[Problem]:
    if (KINDS[kind].code is not None) != are_events:
        yield Problem(path, f"belongs under {'hard_negatives' if are_events else 'events'}")
    if isinstance(how, int | float) and not isinstance(how, bool) and how < 0:
        yield Problem(path, f"a rate is 0 or more, not {how}")
    ranges = how.get("ranges", {}) if isinstance(how, Mapping) else {}
    for parameter, limits in ranges.items() if isinstance(ranges, Mapping) else ():
        known = KINDS[kind].ranges
        if parameter not in known:
            yield Problem(f"{path}.ranges.{parameter}", f"unknown; {kind.value} has {', '.join(known)}")
        elif _is_pair(limits) and not limits[0] <= limits[1]:
            yield Problem(f"{path}.ranges.{parameter}", f"runs backwards: {limits[0]} to {limits[1]}")
        elif _is_pair(limits) and limits[0] < 0:
            yield Problem(f"{path}.ranges.{parameter}", f"must not be negative: {limits[0]}")


def _wrong_steps(content: Mapping[Any, Any]) -> Iterator[Problem]:
    step_s, interval_s = content.get("step_s"), content.get("interval_s")
    if isinstance(step_s, int | float) and step_s > 0:
        for interval in (60.0, 120.0, 300.0) if interval_s is None else (interval_s,):
            if isinstance(interval, int | float) and interval % step_s:
                yield Problem("step_s", f"{step_s} s does not divide an interval of {interval:.0f} s")


def _is_pair(limits: object) -> bool:
    return isinstance(limits, list) and len(limits) == 2 and all(isinstance(x, int | float) for x in limits)
