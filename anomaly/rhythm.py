"""A person's usual level of something over the day: a mean and one daily wave, learned slowly and robustly.

Model: ``usual(hour) = level + cosine * cos(2 pi hour / 24) + sine * sin(2 pi hour / 24)``, the single-component
cosinor of chronobiology (Halberg 1969; Cornelissen 2014). It begins as the population's and becomes the person's own:
a reading that stands for ``m`` minutes moves it by ``m / (prior minutes + minutes seen)`` of the residual, which is
cut off at a few spreads first, so that half an hour of illness leaves no trace and a week of another life becomes
usual. Cost: 16 bytes and some 20 ns a reading. It does not know weekdays, shifts that change, or trends.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.judging import Columns, Rows, Table, Times

Floats = NDArray[np.float32]

DAY_S: Final = 86_400.0


class Phase(NamedTuple):
    """The local time of day as a point on the circle, one a reading."""

    cosine: Floats
    sine: Floats


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The population's rhythm and how long it holds out against a person's own.

    ``wave_share``: how fast the wave follows beside the level; less where people differ more in level than in rhythm.

    >>> rhythm = Rhythm(level=68.0, cosine=-3.0, sine=-3.0, prior_min=120.0, memory_min=4000.0)
    >>> table, row = Table.new(np.array([1]), rhythm.columns), np.array([0])
    >>> midnight = phase_of(np.array([0]), np.array([0]))
    >>> rhythm.usual(table, row, midnight).tolist()
    [65.0]
    >>> rhythm.learn(table, row, midnight, np.array([12.0], np.float32), np.array([60.0], np.float32))
    >>> rhythm.usual(table, row, midnight).round(1).tolist()
    [74.0]
    """

    level: float
    cosine: float
    sine: float
    prior_min: float
    memory_min: float
    wave_share: float = 0.5

    @property
    def columns(self) -> Columns:
        """The three numbers of the wave and the minutes that they rest on."""
        return {
            "level": (np.float32, self.level),
            "cosine": (np.float32, self.cosine),
            "sine": (np.float32, self.sine),
            "weight_min": (np.float32, self.prior_min),
        }

    def usual(self, table: Table, rows: Rows, phase: Phase) -> Floats:
        """What is usual for each row at that time of day."""
        return np.asarray(
            table["level"][rows] + table["cosine"][rows] * phase.cosine + table["sine"][rows] * phase.sine
        )

    def learn(self, table: Table, rows: Rows, phase: Phase, residual: Floats, minutes: Floats) -> None:
        """Take in residuals (already cut off), each of which stands for so many minutes."""
        weight = table["weight_min"][rows]
        gain = residual * minutes / weight
        table["level"][rows] += gain
        table["cosine"][rows] += self.wave_share * gain * phase.cosine
        table["sine"][rows] += self.wave_share * gain * phase.sine
        table["weight_min"][rows] = np.minimum(weight + minutes, self.memory_min)


def phase_of(event_ms: Times, ahead_s: NDArray[np.int32]) -> Phase:
    """Where on the local day each moment lies.

    >>> noon = phase_of(np.array([4 * 3_600_000]), np.array([8 * 3600]))
    >>> noon.cosine.round(3).tolist(), abs(noon.sine.round(3)).tolist()
    ([-1.0], [0.0])
    """
    angle = ((event_ms // 1000 + ahead_s) % int(DAY_S)).astype(np.float32) * np.float32(2.0 * np.pi / DAY_S)
    return Phase(np.cos(angle), np.sin(angle))
