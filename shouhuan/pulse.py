"""A sign of life with a clock: whether work still goes on."""

import time
from collections.abc import Callable

from shouhuan.doctor import Finding


class Pulse:
    """Beaten by whoever works; any thread may look. ``monotonic`` tells seconds that no clock step moves.

    >>> seconds = iter([0.0, 10.0, 45.0, 45.0])
    >>> pulse = Pulse("the dataflow", 30.0, lambda: next(seconds))
    >>> pulse.beat()
    >>> pulse.finding().fact
    'the dataflow has made no step for 35 s'
    """

    def __init__(self, of: str, stall_after_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._of = of
        self._stall_after_s = stall_after_s
        self._monotonic = monotonic
        self._beaten_s = monotonic()

    def beat(self) -> None:
        """A step was made."""
        self._beaten_s = self._monotonic()

    @property
    def age_s(self) -> float:
        """Since the last step, or since the start."""
        return self._monotonic() - self._beaten_s

    def finding(self) -> Finding:
        """Whether it is too long ago, and what to do then."""
        age_s = self.age_s
        if age_s <= self._stall_after_s:
            return Finding(f"{self._of} goes on")
        return Finding(
            f"{self._of} has made no step for {age_s:.0f} s",
            "look at its last log lines and at the database's locks; nothing is lost by a restart",
        )
