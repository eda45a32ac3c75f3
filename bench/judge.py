"""How many readings a second does one core judge, all detectors, five zones a wearer, and what does a wearer cost?

Processor time; every reading has a position that wanders, a pulse, a temperature, steps and the band's status, and
each wearer reports once in a step, as in a minute of a live fleet. The first quarter of an hour is not timed: the
judge still waits for what every band may have said before it was first heard.
"""

import time

import numpy as np

from bench.timing import RUNS, best_s
from flows.judge import Judge
from flows.rules import rules_by_shard
from schemas.readings import Readings
from schemas.registry import ZoneKind
from tests.world import HOME, START_MS, circle, night, north_of_home, numbered

SIZES = (1_000, 10_000, 50_000, 200_000)
STEPS = 5
WARM_UP = 20


def run() -> dict[str, dict[str, float]]:
    return {f"{wearers:,} wearers": _case(wearers) for wearers in SIZES}


def _case(wearers: int) -> dict[str, float]:
    zones = [circle(f"in-{n}", ZoneKind.KEEP_IN, radius_m=500 + n) for n in range(2)]
    zones += [circle("curfew", ZoneKind.CURFEW, radius_m=200, schedule="night")]
    zones += [circle(f"out-{n}", ZoneKind.KEEP_OUT, north_of_home(2000 + 100 * n)) for n in range(2)]
    rules = rules_by_shard(numbered(*zones, bands=wearers, schedules=[night()]))
    judges = {shard: Judge.new(r) for shard, r in rules.items()}
    rounds = iter(range(WARM_UP, WARM_UP + STEPS * RUNS))

    def work() -> None:
        for _ in range(STEPS):
            minute = next(rounds)
            for shard, judge in judges.items():
                judge.judge(batches[shard][minute])

    batches = {
        shard: [_readings(r.wearers.device_no, r.wearers.wearer_no, minute) for minute in range(WARM_UP + STEPS * RUNS)]
        for shard, r in rules.items()
    }
    for shard, judge in judges.items():
        for batch in batches[shard][:WARM_UP]:
            judge.judge(batch)
    seconds = best_s(work, clock=time.process_time)
    size = sum(a.nbytes for j in judges.values() for t in j.tables.values() for a in t.columns.values())
    return {"readings/s": wearers * STEPS / seconds, "state bytes a wearer": size / wearers}


def _readings(device: np.ndarray, wearer: np.ndarray, minute: int) -> Readings:
    n, rng, at_ms = len(device), np.random.default_rng(minute), START_MS + minute * 60_000
    return Readings.of(
        device=device,
        wearer=wearer,
        seq=np.full(n, minute),
        event_ms=np.full(n, at_ms),
        ingest_ms=np.full(n, at_ms + 200),
        lat=HOME[0] + rng.normal(0.0, 5e-5, n),
        lon=HOME[1] + rng.normal(0.0, 5e-5, n),
        accuracy_m=rng.uniform(5.0, 20.0, n),
        speed_mps=rng.choice([0.0, 0.0, 0.0, 1.3], n),
        age_s=np.zeros(n),
        heart_rate_bpm=rng.normal(70.0, 4.0, n).round(),
        spo2_pct=np.where(rng.random(n) < 0.2, 97.0, np.nan),
        skin_temp_c=rng.normal(33.0, 0.2, n),
        steps=rng.choice([0.0, 0.0, 0.0, 90.0], n),
        activity=rng.uniform(0.0, 0.3, n),
        quality=np.full(n, 0.9),
        battery_pct=np.full(n, 80.0),
        strap_closed=np.ones(n),
        case_closed=np.ones(n),
        sos=np.zeros(n),
        charging=np.zeros(n),
    )
