"""A circle of 100 m round everybody's home, on everyday lives: how many real exits are found, how soon, at what price?

A real exit is beyond 250 m for ten minutes or more; it begins where the true path crosses 100 m. Everything else that
rings counts as false, short errands across the street included; how many of these truly were inside is told beside
it. The seed is of no development run.
"""

import msgspec
import numpy as np

from evaluation.trial import Trial
from schemas.alerts import AlertCode
from schemas.registry import Datum, NumberedRegistry, Registry, Zone, ZoneKind
from shouhuan.cases import as_readings
from simulator.fleet import Fleet
from simulator.scenario import read_scenario

RADIUS_M = 100.0
REAL_M = 250.0
REAL_STEPS = 10
GRACE_MS = 240_000
SEED = 4_711


def run() -> dict[str, dict[str, float]]:
    scenario = msgspec.structs.replace(read_scenario("everyday"), seed=SEED, days=7.0)
    registry = scenario.registry()
    fleet = Fleet(scenario.options(), registry, start_ms=scenario.start_ms)
    numbered = NumberedRegistry.from_file(_circles(registry, fleet))
    device_no = np.array([numbered.device_no[name] for name in fleet.roster.device])
    trial = Trial(numbered)
    away = []
    for reports in fleet.reports(scenario.duration_s):
        trial.feed(as_readings(reports, fleet, device_no, device_no))
        assert fleet.motion is not None
        away.append(np.hypot(fleet.motion.xy[..., 0], fleet.motion.xy[..., 1]))
    away_m = np.concatenate(away, axis=1)
    found: dict[str, list[int]] = {}
    for alert in trial.found():
        if alert.code is AlertCode.ZONE_EXIT:
            found.setdefault(alert.device, []).append(alert.found_ms - fleet.start_ms)
    return {"everyday, 40 wearers x 7 days": _compare(fleet, away_m, found, scenario.days * scenario.wearers)}


def _circles(registry: Registry, fleet: Fleet) -> Registry:
    """Everybody their circle, and no other zone."""
    wearer = {worn.device: worn.wearer for worn in registry.assignments}
    plane = fleet.roster.plane
    zones = [
        Zone(
            id=f"circle-{row}",
            org=fleet.roster.org[row],
            name="circle",
            kind=ZoneKind.KEEP_IN,
            datum=Datum.WGS84,
            geometry={"type": "Point", "coordinates": [float(plane.lon[row]), float(plane.lat[row])]},
            radius_m=RADIUS_M,
            wearers=[wearer[device]],
        )
        for row, device in enumerate(fleet.roster.device)
    ]
    return msgspec.structs.replace(registry, zones=zones, leaves=[])


def _compare(fleet: Fleet, away_m: np.ndarray, found: dict[str, list[int]], wearer_days: float) -> dict[str, float]:
    delays_s, missed, false, inside = [], 0, 0, 0
    for row, device in enumerate(fleet.roster.device):
        rang = sorted(found.get(device, []))
        exits = _exits_ms(away_m[row], fleet.dt_s)
        # An alert in the grace of one exit may be the next one's: counted once.
        of_none = [at for at in rang if not any(start <= at <= end + GRACE_MS for start, end in exits)]
        false += len(of_none)
        inside += sum(not _was_outside(away_m[row], at / 1000.0 / fleet.dt_s) for at in of_none)
        for start_ms, end_ms in exits:
            mine = [at for at in rang if start_ms <= at <= end_ms + GRACE_MS]
            missed += not mine
            delays_s.append(((mine[0] if mine else end_ms + GRACE_MS) - start_ms) / 1000.0)
    return {
        "exits": float(len(delays_s)),
        "recall": 1.0 - missed / max(len(delays_s), 1),
        "false a wearer-day": false / wearer_days,
        "of which truly inside": inside / wearer_days,
        "median s": float(np.median(delays_s)),
        "p95 s": float(np.percentile(delays_s, 95)),
    }


def _was_outside(away_m: np.ndarray, step: float) -> bool:
    """Whether the wearer was beyond the circle at any time in the five minutes before."""
    return bool((away_m[max(int(step) - 5, 0) : int(step) + 1] > RADIUS_M).any())


def _exits_ms(away_m: np.ndarray, dt_s: float) -> list[tuple[int, int]]:
    """Spans beyond the circle that go far enough for long enough, from wall to wall (to a minute)."""
    outside = away_m > RADIUS_M
    edges = np.flatnonzero(np.diff(outside.astype(int), prepend=0, append=0))
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [
        (round((first - 1) * dt_s * 1000), round(last * dt_s * 1000))
        for first, last in spans
        if (away_m[first:last] > REAL_M).sum() >= REAL_STEPS
    ]
