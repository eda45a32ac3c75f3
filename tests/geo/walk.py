"""A wearer before one detector: fixes go in, verdicts come out; places are metres north and east of home."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from flows.rules import ShardRules, rules_by_shard
from geo.nearing import Approach, Dwell
from geo.watch import ZoneWatch
from schemas.judging import Detector, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Leave, LeavePlace, Zone
from tests.world import HOME, METRES_PER_DEGREE, START, START_MS, numbered

NAN = float("nan")


def rules_for(*zones: Zone, **more: Any) -> ShardRules:
    return rules_by_shard(numbered(*zones, **more), 1)[0]


def watch(*zones: Zone, **more: Any) -> "Walker":
    rules = rules_for(*zones, **more)
    return Walker(ZoneWatch(rules.demands, rules.wearers.silence_after_ms, rules.wearers.patience))


def approach(*zones: Zone, **more: Any) -> "Walker":
    return Walker(Approach(rules_for(*zones, **more).rings))


def dwell(*zones: Zone, **more: Any) -> "Walker":
    return Walker(Dwell(rules_for(*zones, **more).lingering))


def place(north_m: float, east_m: float = 0.0) -> tuple[float, float]:
    return HOME[0] + north_m / METRES_PER_DEGREE, HOME[1] + east_m / METRES_PER_DEGREE / np.cos(np.radians(HOME[0]))


def leave(from_s: float, to_s: float, *places: LeavePlace, name: str = "l-1") -> Leave:
    return Leave(
        id=name,
        wearer="w-1",
        document="请假1号",
        approver="所长",
        recorded_at=START,
        valid_from=START + timedelta(seconds=from_s),
        valid_to=START + timedelta(seconds=to_s),
        places=list(places),
    )


@dataclass
class Walker:
    detector: Detector
    verdicts: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = Table.new(self.detector.keys, self.detector.columns)

    def fix(
        self,
        at_s: float,
        north_m: float,
        east_m: float = 0.0,
        *,
        accuracy_m: float = 8.0,
        speed_mps: float = NAN,
        age_s: float = 0.0,
    ) -> "Walker":
        lat, lon = place(north_m, east_m)
        step = Readings.of(
            device=[1],
            wearer=[1],
            event_ms=[START_MS + round(at_s * 1000)],
            ingest_ms=[START_MS + round(at_s * 1000) + 200],
            lat=[lat],
            lon=[lon],
            accuracy_m=[accuracy_m],
            speed_mps=[speed_mps],
            age_s=[age_s],
        )
        self.verdicts += self.detector.judge(self.table, np.array([0]), step)
        return self

    def fixes(self, north_m: list[float], start_s: float = 0.0, step_s: float = 60.0, **more: Any) -> "Walker":
        for n, metres in enumerate(north_m):
            self.fix(start_s + n * step_s, metres, **more)
        return self

    def tick(self, now_s: float) -> "Walker":
        self.verdicts += self.detector.tick(self.table, np.array([0]), np.array([START_MS + round(now_s * 1000)]))
        return self

    def told(self) -> list[tuple[str, str, float, float]]:
        """Code, transition, onset and deciding moment (seconds after the start) of all verdicts so far."""
        return [
            (v.code.value, v.transition.value, (v.onset_ms - START_MS) / 1000, (v.at_ms - START_MS) / 1000)
            for v in self.verdicts
        ]

    def codes(self) -> list[tuple[str, str]]:
        return [told[:2] for told in self.told()]
