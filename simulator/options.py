"""What a caller chooses about a run; everything else follows from the registry and the seed."""

from dataclasses import dataclass

from simulator.incidents import DEMO_MIX, Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``interval_s`` is each band's time between reports; ``duration_s`` of None runs until told to stop.

    Same options, registry and start time give the same readings.

    >>> Options(seed=7).interval_s
    5.0
    """

    seed: int = 1
    interval_s: float = 5.0
    duration_s: float | None = None
    incidents: bool = True
    mix: tuple[Pattern, ...] = DEMO_MIX

    def __post_init__(self) -> None:
        if self.interval_s <= 0:
            raise ValueError(f"interval_s is {self.interval_s}: bands report every so many seconds, more than 0")
        if self.duration_s is not None and self.duration_s <= 0:
            raise ValueError(f"duration_s is {self.duration_s}: give more than 0 seconds, or None to run until stopped")
