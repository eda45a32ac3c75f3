"""What a demo run did, in numbers: counted by the database, timed by whoever listens for committed alerts."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import numpy as np

from schemas.alerts import Transition
from shouhuan.clock import now_ms
from store.connection import Connection, scalar
from store.listen import Listener

_COUNTS: Final = """
    SELECT coalesce(sum(messages), 0), coalesce(sum(stored), 0), coalesce(sum(duplicates), 0),
           coalesce(sum(no_consent), 0)
    FROM journal WHERE ingest_time >= %s
"""
_DEAD: Final = "SELECT reason, count(*) FROM dead_letter WHERE received_at >= %s GROUP BY reason ORDER BY reason"
_ALERTS: Final = """
    SELECT e.alert_id::text, e.code, d.id, e.seq FROM alert_event e JOIN device d USING (device_no)
    WHERE e.transition = 'opened' AND e.committed_at >= %s AND upper_inf(d.recorded)
"""
_DELIVERED: Final = "SELECT count(*) FROM page WHERE state = 'delivered' AND delivered_at >= %s"


class AlertTimes:
    """Notes when each alert could first be seen by another connection: its transaction had committed by then."""

    def __init__(self, url: str) -> None:
        self.seen_ms: dict[str, int] = {}
        self._listener = Listener(url, ["shouhuan_incident"])
        self._stop = Event()
        self._thread = Thread(target=self._listen, name="alert-times", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._stop.is_set():
            for notification in self._listener.poll(0.2):
                told = json.loads(notification.payload)
                if told.get("transition") == Transition.OPENED.value:
                    self.seen_ms.setdefault(told["alert_id"], now_ms())
        self._listener.close()


def compile_report(
    connection: Connection, since: datetime, *, sent: Mapping[str, int], published: Path, seen_ms: Mapping[str, int]
) -> dict[str, Any]:
    """Counts of a run and its latencies: publish of the deciding reading → alert committed, in ms."""
    messages, stored, duplicates, no_consent = connection.execute(_COUNTS, (since,)).fetchone() or (0, 0, 0, 0)
    dead: dict[str, int] = dict(connection.execute(_DEAD, (since,)))
    alerts = connection.execute(_ALERTS, (since,)).fetchall()
    published_ms = _published(published)
    delays = [
        seen_ms[alert_id] - published_ms[device, seq]
        for alert_id, _, device, seq in alerts
        if alert_id in seen_ms and (device, seq) in published_ms
    ]
    return {
        "readings": {
            "sent": sent.get("messages", 0),
            "stored": int(stored),
            "duplicates": int(duplicates),
            "dead_lettered": int(sum(dead.values())),
        },
        "messages": {"acknowledged_by_broker": sent.get("acknowledged", 0), "journalled": int(messages)},
        "dead_letters_by_reason": {reason: int(count) for reason, count in dead.items()},
        "vitals_stripped_without_consent": int(no_consent),
        "alerts": {"total": len(alerts), "by_code": dict(sorted(Counter(code for _, code, _, _ in alerts).items()))},
        "first_alert_after_s": (min(seen_ms.values()) - int(since.timestamp() * 1000)) / 1000 if seen_ms else None,
        "pages_delivered": int(scalar(connection, _DELIVERED, (since,))),
        "latency_ms": _percentiles(delays),
    }


def _published(path: Path) -> dict[tuple[str, int], int]:
    if not path.exists():
        return {}
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {(line["device"], line["seq"]): line["published_ms"] for line in lines}


def _percentiles(delays: list[int]) -> dict[str, float | int | None]:
    if not delays:
        return {"count": 0, "p50": None, "p95": None, "p99": None}
    p50, p95, p99 = np.percentile(delays, [50, 95, 99]).round(1).tolist()
    return {"count": len(delays), "p50": p50, "p95": p95, "p99": p99}
