"""What a caller chooses about a run; everything else follows from the registry and the seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from simulator.kinds import HOUR, MINUTE, Kind

Share = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Range = tuple[float, float]


class Mix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a kind happens: so many times a wearer-day, spread over the run; and at fixed times for a show.

    ``at_s`` are seconds of the run, ``every_s`` repeats the last of them (give or take a fifth); ``ranges``
    narrow the kind's own ranges by parameter.
    """

    per_wearer_day: NotNegative = 0.0
    at_s: list[NotNegative] = []
    every_s: Annotated[float, Meta(gt=0)] | None = None
    ranges: dict[str, Range] = {}


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong between bands and broker on any day, without anybody meaning it.

    Shares of messages sent twice or delayed; reboots and outages (the band stores and forwards) a band-day; bands
    whose clock is off by up to ``clock_off_s`` (all others: two seconds), and steps of a clock a band-day.
    """

    duplicates: Share = 0.0
    reordered: Share = 0.0
    reordered_s: Range = (5.0, 300.0)
    reboots_per_day: NotNegative = 0.0
    outages_per_day: NotNegative = 0.0
    outage_s: Range = (2 * MINUTE, 9 * MINUTE)
    clocks_off: Share = 0.0
    clock_off_s: NotNegative = 90.0
    clock_steps_per_day: NotNegative = 0.0
    old_firmware: Share = 0.0


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of wearers: those who work nights, live on their fence line, commute through a dead zone."""

    night_shift: Share = 0.0
    home_on_the_line: Share = 0.0
    dead_zone_commute: Share = 0.0


def _at(*at_s: float, every_s: float, **ranges: Range) -> Mix:
    return Mix(at_s=list(at_s), every_s=every_s, ranges=ranges)


DEMO_MIX: Final[Mapping[Kind, Mix]] = {
    Kind.STRAP_CUT: _at(3, every_s=600, lasting_s=(600, 1800)),
    Kind.SOS: _at(4, every_s=420, lasting_s=(30, 90)),
    Kind.ZONE_EXIT_FAST: _at(3.5, 11, every_s=450, lasting_s=(240, 600), speed_mps=(11, 15), beyond_m=(450, 900)),
    Kind.LOW_BATTERY: _at(7, every_s=900, lasting_s=(600, 1800), level_pct=(11, 17)),
    Kind.ZONE_ENTER_WALK: _at(4.5, every_s=700, lasting_s=(240, 600), speed_mps=(9, 13)),
    Kind.CURFEW_ABSENCE: _at(5, every_s=800, lasting_s=(300, 600), speed_mps=(6.5, 8.5), away_m=(300, 420)),
    Kind.SILENCE_OFF: _at(12, every_s=500, lasting_s=(60, 240)),
    Kind.CASE_OPENED: _at(16, every_s=1100, lasting_s=(600, 1800)),
    Kind.FAST_HEART: _at(20, every_s=1000, lasting_s=(600, 1500), above_bpm=(62, 80)),
}
"""Something of every kind that rings within half a minute, then one incident a minute or so."""

FIELD_FAULTS: Final = Faults(
    duplicates=0.004,
    reordered=0.003,
    reboots_per_day=0.05,
    outages_per_day=0.4,
    clocks_off=0.04,
    clock_steps_per_day=0.01,
    old_firmware=0.2,
)
"""What an honest fleet in the field shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``interval_s`` is each band's time between reports, None: what the plan of its wearer's grade asks.

    ``step_s`` is how finely lives and bodies are played (None: the interval, or a minute); bands report at whole steps.
    ``duration_s`` of None runs until told to stop. ``in_the_field`` False is a show under a clear sky: full coverage,
    a fix every time. Same options, registry and start time give the same readings.

    >>> Options(seed=7).step
    5.0
    """

    seed: int = 1
    interval_s: float | None = 5.0
    step_s: float | None = None
    duration_s: float | None = None
    incidents: bool = True
    mix: Mapping[Kind, Mix] = field(default_factory=lambda: DEMO_MIX)
    faults: Faults = field(default_factory=Faults)
    people: People = field(default_factory=People)
    in_the_field: bool = False

    def __post_init__(self) -> None:
        for name in ("interval_s", "step_s", "duration_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} is {value}: give more than 0 seconds")

    @property
    def step(self) -> float:
        """Seconds between two steps."""
        return self.step_s or self.interval_s or 60.0


HORIZON_S: Final = 24 * HOUR
"""How far ahead a run without end is scripted; after a day nothing goes wrong any more."""
