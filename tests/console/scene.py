"""A plausible afternoon in the demo's districts: where 200 people are, and what was found."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import psycopg

from schemas.alerts import AlertCode, AlertEvent
from schemas.registry import NumberedRegistry, ZoneKind
from simulator.plane import METRES_PER_DEGREE
from tests.console.build import event, ms, raise_alerts

FIXES = 20
IN_HAND = (88, 104)
_IN_HAND = """
    UPDATE incident SET state = 'acknowledged', acknowledged_by = 'xi', acknowledged_at = %s WHERE wearer_no = ANY (%s)
"""


class Found(NamedTuple):
    """A wearer, what was found, how many minutes ago, and why."""

    wearer: int
    code: AlertCode
    minutes_ago: float
    evidence: dict[str, Any]


def _zone(name: str, distance_m: float) -> dict[str, Any]:
    return {
        "zone_name": name,
        "distance_m": distance_m,
        "accuracy_m": 9.5,
        "fix_age_s": 0.0,
        "score_log_odds": 5.2,
        "threshold_log_odds": 4.5,
        "margin_m": 15.0,
        "decided_by": "fix",
    }


def _battery(percent: float) -> dict[str, Any]:
    return {"battery_pct": percent, "threshold_pct": 20.0, "charging": False}


def _silence(now: datetime, minutes: float) -> dict[str, Any]:
    return {"last_heard_ms": ms(now - timedelta(minutes=minutes)), "silence_after_s": 1200}


def found(now: datetime) -> list[Found]:
    """What waits in the queue."""
    strap = {"signal": "strap_closed", "value": False, "occurrences": 1}
    heart = {"heart_rate_bpm": 124.0, "limits_bpm": [40.0, 110.0], "lasted_s": 340, "threshold_s": 300.0, "readings": 6}
    return [
        Found(12, AlertCode.DEVICE_STRAP, 3, strap),
        Found(31, AlertCode.ZONE_EXIT, 9, _zone("演示031 活动范围", 184.2)),
        Found(88, AlertCode.ZONE_ENTER, 17, _zone("西区演示学校", -46.0)),
        Found(150, AlertCode.ZONE_EXIT, 26, _zone("演示150 活动范围", 412.7)),
        Found(104, AlertCode.DEVICE_SILENCE, 21, _silence(now, 41)),
        Found(175, AlertCode.DEVICE_SILENCE, 38, _silence(now, 58)),
        Found(57, AlertCode.DEVICE_BATTERY, 12, _battery(14.0)),
        Found(133, AlertCode.DEVICE_BATTERY, 44, _battery(18.0)),
        Found(66, AlertCode.VITALS_HEART_RATE, 6, heart),
    ]


def stage(url: str, people: NumberedRegistry, now: datetime) -> None:
    """Store positions, batteries and alerts."""
    rng = np.random.default_rng(11)
    homes = [zone for zone in people.registry.zones if zone.kind is ZoneKind.CURFEW]
    silent = {one.wearer: one.minutes_ago + 20 for one in found(now) if one.code is AlertCode.DEVICE_SILENCE}
    with psycopg.connect(url) as connection:
        cursor = connection.cursor()
        for number, home in enumerate(homes, 1):
            unknown_for = 35 if number % 29 == 0 else rng.uniform(0, 1)
            newest = now - timedelta(minutes=silent.get(number, unknown_for))
            lon, lat = home.geometry["coordinates"]
            _walk(cursor, people, number, newest, _path(rng, lat, lon, leaves=number in {31, 150}))
            _status(cursor, people, number, newest, 14.0 if number == 57 else float(rng.uniform(25, 100)))
    raise_alerts(url, *_alerts(people, now))
    with psycopg.connect(url) as connection:
        connection.execute(_IN_HAND, (now, [people.wearer_no[f"w-{number:04d}"] for number in IN_HAND]))


def _alerts(people: NumberedRegistry, now: datetime) -> Iterator[AlertEvent]:
    for one in found(now):
        at = now - timedelta(minutes=one.minutes_ago)
        yield event(people, f"w-{one.wearer:04d}", one.code, at, lasted=timedelta(seconds=90), evidence=one.evidence)


def _path(rng: np.random.Generator, lat: float, lon: float, *, leaves: bool) -> list[tuple[float, float]]:
    """A walk round a place, or away from it."""
    away_m = np.linspace(80, 1500, FIXES) if leaves else np.full(FIXES, 120.0)
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.06 if leaves else 0.5, FIXES))
    north, east = away_m * np.cos(angle) / METRES_PER_DEGREE, away_m * np.sin(angle) / (METRES_PER_DEGREE * 0.894)
    return [(lat + float(n), lon + float(e)) for n, e in zip(north, east, strict=True)]


def _walk(
    cursor: psycopg.Cursor[Any],
    people: NumberedRegistry,
    number: int,
    newest: datetime,
    path: list[tuple[float, float]],
) -> None:
    who = (people.device_no[f"band-{number:04d}"], people.wearer_no[f"w-{number:04d}"])
    with cursor.copy("COPY position FROM STDIN") as copy:
        for seq, (lat, lon) in enumerate(path):
            at = newest - timedelta(minutes=FIXES - 1 - seq)
            copy.write_row((*who, at, at, seq, lat, lon, 9.5, "NaN", 1.1, "NaN", 0, 9, 1.0, 0))


def _status(cursor: psycopg.Cursor[Any], people: NumberedRegistry, number: int, at: datetime, battery: float) -> None:
    who = (people.device_no[f"band-{number:04d}"], people.wearer_no[f"w-{number:04d}"])
    row = (*who, at, at, battery)
    cursor.execute("INSERT INTO device_status VALUES (%s, %s, %s, %s, 0, %s, 0, 1, 1, 0, -87)", row)
