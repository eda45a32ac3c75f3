"""How orders reach bands: over the air after a moment, by whoever can hear; the broker keeps them until they expire.

A band hears while it has power and a network. One that is silent hears nothing; what waits for it longer than it
makes sense is dropped. Not modelled: an order that is lost or heard twice (bands do the same again).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.plane import Floats

DELAY_S: Final = (1.0, 6.0)
"""A second to be decided and recorded; then at once if the radio is still awake from its last report, else at the
next paging occasion, which is every 5.12 s at LTE-M's shortest extended cycle (3GPP TS 24.008, 10.5.5.32)."""


class Order(NamedTuple):
    """One band is to report every ``interval_s`` until ``until_s`` of its own clock; all times are s of the run.

    ``sent_s`` is when what called for it reached the platform; after ``expires_s`` it is delivered no more.
    """

    row: int
    sent_s: float
    interval_s: float
    until_s: float
    expires_s: float


class Heard(NamedTuple):
    """An order and when its band heard it."""

    order: Order
    at_s: float


class Downlink:
    """Orders under way; ``heard`` and ``expired`` count what became of them."""

    def __init__(self, rng: np.random.Generator, delay_s: tuple[float, float] = DELAY_S) -> None:
        self._rng = rng
        self._delay_s = delay_s
        self._under_way: list[tuple[float, Order]] = []
        self.heard = 0
        self.expired = 0

    def send(self, order: Order) -> None:
        """Put an order on its way."""
        self._under_way.append((order.sent_s + self._rng.uniform(*self._delay_s), order))

    def deliver(self, times_s: Floats, dt_s: float, reach: NDArray[np.bool_]) -> list[Heard]:
        """What is heard during some steps (bands x steps) by bands that can be reached then, in order of sending."""
        heard, waiting = list[Heard](), list[tuple[float, Order]]()
        for due_s, order in self._under_way:
            ends_s = times_s[order.row] + dt_s
            able = np.flatnonzero(reach[order.row] & (ends_s > due_s))
            at_s = max(due_s, float(times_s[order.row, able[0]])) if len(able) else float(ends_s[-1])
            if at_s >= order.expires_s:
                self.expired += 1
            elif len(able):
                heard.append(Heard(order, at_s))
            else:
                waiting.append((due_s, order))
        self._under_way = waiting
        self.heard += len(heard)
        return heard
