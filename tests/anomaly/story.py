"""One band and one detector, told minute by minute."""

from typing import Any

import numpy as np

from schemas.judging import Detector, Rows, Table, Verdict
from schemas.readings import Readings
from tests.world import HOME, START_MS

ROW: Rows = np.array([0])
NAN = float("nan")


class Story:
    """Tells a detector of one band what happens, at minutes since the start; remembers what it answered."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.table = Table.new(detector.keys, detector.columns)
        self.verdicts: list[Verdict] = []

    def says(self, minute: float, *, late_min: float = 0.0, at: tuple[float, float] = HOME, **columns: Any) -> "Story":
        self.wait(minute + late_min)
        event_ms = START_MS + round(minute * 60_000)
        said = {"lat": at[0], "lon": at[1], "accuracy_m": 8.0, "age_s": 0.0} | columns
        step = Readings.of(
            device=[1],
            event_ms=[event_ms],
            ingest_ms=[event_ms + round(late_min * 60_000)],
            **{name: [value] for name, value in said.items()},
        )
        self.verdicts += self.detector.judge(self.table, ROW, step)
        return self

    def every(self, start_min: float, end_min: float, *, step_min: float = 1.0, **columns: Any) -> "Story":
        for minute in np.arange(start_min, end_min, step_min):
            self.says(float(minute), **columns)
        return self

    def blind(self, start_min: float, end_min: float, **columns: Any) -> "Story":
        return self.every(start_min, end_min, lat=NAN, lon=NAN, accuracy_m=NAN, age_s=NAN, **columns)

    def wait(self, until_min: float) -> "Story":
        self.verdicts += self.detector.tick(self.table, ROW, np.array([START_MS + round(until_min * 60_000)]))
        return self

    @property
    def told(self) -> list[tuple[str, float]]:
        """What it answered, and at which minute."""
        return [(v.transition.value, round((v.at_ms - START_MS) / 60_000, 2)) for v in self.verdicts]

    def forget(self) -> "Story":
        self.verdicts.clear()
        return self
