"""Batches and questions that several store tests share."""

from typing import Any

import numpy as np
import psycopg

from schemas.readings import Readings

EVENT_MS = 1_795_406_405_120
COUNTS: dict[str, int] = {"messages": 1, "no_consent": 0, "unknown_field": 0, "ingest_ms": EVENT_MS + 500}


def full_readings(n: int, *, device: int = 1, seq: int = 0, event_ms: int = EVENT_MS) -> Readings:
    """Readings of one device with a fix, vitals and device status each, a second apart."""
    steps = np.arange(n)
    return Readings.of(
        device=np.full(n, device),
        wearer=np.full(n, device + 100),
        seq=seq + steps,
        event_ms=event_ms + steps * 1000,
        ingest_ms=np.full(n, EVENT_MS + 500),
        lat=26.5 + steps / 1000,
        lon=101.7 + steps / 1000,
        accuracy_m=np.full(n, 8.5),
        source=np.full(n, 1),
        heart_rate_bpm=60.0 + steps,
        battery_pct=np.full(n, 81.0),
        strap_closed=np.ones(n),
        firmware=np.full(n, b"1.4.2"),
    )


def ask(url: str, query: Any, parameters: Any = ()) -> list[tuple[Any, ...]]:
    """The rows of an answer, in a session of its own."""
    with psycopg.connect(url) as connection:
        return connection.execute(query, parameters).fetchall()


def counted(url: str, table: str) -> int:
    """How many rows a table has."""
    return int(ask(url, f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - our own table names
