"""A small Panzhihua for console tests: people, where their bands are, and what was found."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg

from console.auth import hash_password
from schemas.alerts import KINDS, AlertCode, AlertEvent, Transition, alert_id
from schemas.registry import NumberedRegistry
from simulator.panzhihua import demo_registry
from store.alerts import AlertWriter
from store.connection import connect
from store.registry import import_registry, load_registry
from store.views import add_operator

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)


def settle(url: str, now: datetime, *, wearers: int = 20) -> NumberedRegistry:
    """Import the demo registry with operators: ``chief`` sees all, ``dong`` one district, ``xi`` only watches one."""
    with connect(url, autocommit=True) as connection:
        registry = demo_registry(seed=7, wearers=wearers, now_ms=ms(now), interval_s=60, silence_after_s=1200)
        import_registry(connection, registry, now=now)
        for name, org in {"chief": None, "dong": "dongqu", "xi": "xiqu"}.items():
            add_operator(connection, name, PASSWORD_HASH, org, changes_rules=name != "xi")
        return load_registry(connection)


def event(
    people: NumberedRegistry,
    wearer: str,
    code: AlertCode,
    at: datetime,
    *,
    lasted: timedelta = timedelta(minutes=1),
    transition: Transition = Transition.OPENED,
    evidence: Mapping[str, Any] | None = None,
) -> AlertEvent:
    """An alert of a wearer's band whose condition began ``lasted`` before ``at``."""
    person = next(one for one in people.registry.wearers if one.id == wearer)
    band = next(one.device for one in people.registry.assignments if one.wearer == wearer)
    onset_ms = ms(at - lasted)
    return AlertEvent(
        alert_id=alert_id(person.org, band, code, "", onset_ms),
        transition=transition,
        code=code,
        priority=KINDS[code].priority,
        subject="",
        org=person.org,
        device=band,
        wearer=wearer,
        device_no=people.device_no[band],
        wearer_no=people.wearer_no[wearer],
        onset_ms=onset_ms,
        at_ms=ms(at),
        seq=7,
        rule_version=people.version,
        historic=False,
        evidence=dict(evidence or {"signal": "strap_closed", "value": False, "occurrences": 1}),
    )


def raise_alerts(url: str, *events: AlertEvent) -> None:
    """Commit alerts as the dataflow does."""
    writer = AlertWriter(url)
    writer.write(list(events))
    writer.close()


def place(
    url: str, people: NumberedRegistry, wearer: str, fixes: Sequence[tuple[datetime, float, float]], *, battery: float
) -> None:
    """Store fixes (time, latitude, longitude) and the battery's level at the last of them."""
    band = next(one.device for one in people.registry.assignments if one.wearer == wearer)
    who = (people.device_no[band], people.wearer_no[wearer])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO position VALUES (%s, %s, %s, %s, %s, %s, %s, 12, 'NaN', 1, 'NaN', 0, 9, 1, 0)",
            [(*who, at, at, seq, lat, lon) for seq, (at, lat, lon) in enumerate(fixes)],
        )
        connection.execute(
            "INSERT INTO device_status VALUES (%s, %s, %s, %s, 0, %s, 0, 1, 1, 0, -87)",
            (*who, fixes[-1][0], fixes[-1][0], battery),
        )


def ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)
