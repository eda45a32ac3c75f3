"""How many readings a second does one core judge, all detectors, five zones a wearer, and what does a wearer cost?"""

import numpy as np

from bench.timing import best_s
from flows.judge import Judge
from flows.rules import rules_by_shard
from schemas.readings import Readings
from schemas.registry import ZoneKind
from tests.world import HOME, START_MS, circle, night, north_of_home, numbered

SIZES = (1_000, 10_000, 50_000)
STEPS = 5


def run() -> dict[str, dict[str, float]]:
    return {f"{wearers:,} wearers": _case(wearers) for wearers in SIZES}


def _case(wearers: int) -> dict[str, float]:
    zones = [circle(f"in-{n}", ZoneKind.KEEP_IN, radius_m=500 + n) for n in range(2)]
    zones += [circle("curfew", ZoneKind.CURFEW, radius_m=200, schedule="night")]
    zones += [circle(f"out-{n}", ZoneKind.KEEP_OUT, north_of_home(2000 + 100 * n)) for n in range(2)]
    rules = rules_by_shard(numbered(*zones, bands=wearers, schedules=[night()]))
    judges = {shard: Judge.new(r) for shard, r in rules.items()}
    rounds = iter(range(1_000_000))

    def work() -> None:
        for _ in range(STEPS):
            at_ms = START_MS + next(rounds) * 60_000
            for shard, judge in judges.items():
                judge.judge(_readings(rules[shard].wearers.device_no, rules[shard].wearers.wearer_no, at_ms))

    seconds = best_s(work)
    size = sum(a.nbytes for j in judges.values() for t in j.tables.values() for a in t.columns.values())
    return {"readings/s": wearers * STEPS / seconds, "state bytes a wearer": size / wearers}


def _readings(device: np.ndarray, wearer: np.ndarray, at_ms: int) -> Readings:
    n = len(device)
    return Readings.of(
        device=device,
        wearer=wearer,
        seq=np.zeros(n),
        event_ms=np.full(n, at_ms),
        ingest_ms=np.full(n, at_ms + 200),
        lat=np.full(n, HOME[0]),
        lon=np.full(n, HOME[1]),
        accuracy_m=np.full(n, 8.0),
        age_s=np.zeros(n),
        heart_rate_bpm=np.full(n, 70.0),
        battery_pct=np.full(n, 80.0),
        strap_closed=np.ones(n),
        case_closed=np.ones(n),
        sos=np.zeros(n),
        charging=np.zeros(n),
    )
