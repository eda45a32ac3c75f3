"""A running worker as Prometheus and a supervisor see it: every number moves as it should, a stall is noticed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from schemas.reasons import RejectReason
from schemas.registry import ZoneKind
from shouhuan.clock import now_ms
from shouhuan.metrics import WRITERS
from tests import world
from tests.desk import AWAY, HOME_ZONE, Desk, open_desk
from tests.fix_database import Breakable
from tests.scrape import Probe
from tests.services.mosquitto import Mosquitto
from tests.services.ports import free_port, wait_until

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
STALL_AFTER_S = 5


class Watched(NamedTuple):
    """A worker and its monitor port."""

    desk: Desk
    probe: Probe

    def publishes(self, *readings: dict[str, Any], seq: int, band: str = "band-9", **more: Any) -> None:
        message = {"v": 1, "seq": seq, "readings": list(readings), **more}
        self.desk.broker.publish(f"wb/v1/dongqu/{band}/up", json.dumps(message))

    def moved(self, since: dict[str, float]) -> dict[str, float]:
        """The counters that have moved, and by how much."""
        after = self.probe.samples()
        return {name: after[name] - since.get(name, 0) for name in after if after[name] != since.get(name, 0)}


@pytest.fixture
def watched(timescale_database: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Watched]:
    port = free_port()
    settings = {
        "SHOUHUAN_MONITOR_PORT": str(port),
        "SHOUHUAN_STALL_AFTER_S": str(STALL_AFTER_S),
        "SHOUHUAN_MAX_AGE_DAYS": "2",
    }
    with open_desk(timescale_database, mosquitto, tmp_path, **settings) as desk:
        probe = Probe(port)
        wait_until(lambda: probe.problems() == [], f"readiness; log:\n{desk.log}")
        yield Watched(desk, probe)


def reading(ago_ms: int = 0, lat: float = world.HOME[0]) -> dict[str, Any]:
    return {"time_ms": now_ms() - ago_ms, "fix": {"lat": lat, "lon": world.HOME[1], "accuracy_m": 8.5}}


def test_every_number_moves_as_it_should(watched: Watched) -> None:
    desk, probe = watched.desk, watched.probe
    before = probe.samples()
    good = reading()
    for _ in range(3):
        watched.publishes(good, seq=0)
    watched.publishes(reading(1_000), reading(), seq=1, colour="blue")
    desk.wait_stored(3)
    # With its first reading a band may still have more to say of before; with new rules that is over.
    desk.imports(HOME_ZONE, world.circle("school", ZoneKind.KEEP_OUT, AWAY))
    wait_until(lambda: desk.log.count("registry-loaded") == 2, "the new rules")
    time.sleep(0.5)  # from the watch's thread through the control stream into the dataflow
    watched.publishes(reading(HOUR_MS), seq=2)
    watched.publishes({"time_ms": now_ms(), "device": {"strap_closed": False}}, seq=3)
    refused = {
        RejectReason.OUT_OF_RANGE: reading(lat=91.0),
        RejectReason.FUTURE: reading(-HOUR_MS),
        RejectReason.TOO_OLD: reading(3 * DAY_MS),
        RejectReason.NO_ORDER: reading(10 * DAY_MS),
    }
    for number, one in enumerate(refused.values()):
        watched.publishes(one, seq=10 + number)
    watched.publishes(reading(), seq=0, band="stranger")
    for topic, payload in [("dongqu/band-9", "ring"), ("xiqu/band-9", "{}"), ("dongqu/band-9", "x" * 70_000)]:
        desk.broker.publish(f"wb/v1/{topic}/up", payload)
    for kind in ("encrypted", "waypoint"):
        desk.broker.publish("owntracks/dongqu/band-9", f'{{"_type": "{kind}", "data": "x"}}')
    messages = 3 + 1 + 1 + 1 + len(refused) + 1 + 3 + 2
    wait_until(
        lambda: watched.moved(before).get("shouhuan_messages_received_total{partition=mqtt-0}") == messages,
        f"all messages; log:\n{desk.log}",
    )
    wait_until(lambda: probe.samples()["shouhuan_judge_lag_readings"] == 0, "the judge")
    strap = "shouhuan_alert_events_total{code=device.strap,transition=opened}"
    wait_until(lambda: strap in watched.moved(before), "the alert")
    moved = watched.moved(before)
    batches = desk.one("SELECT count(*) FROM journal")
    stored = desk.one("SELECT sum(stored) FROM journal")
    counted = {reason.value: moved[f"shouhuan_dead_letters_total{{reason={reason.value}}}"] for reason in RejectReason}
    assert counted == dict(desk.rows("SELECT reason, count(*) FROM dead_letter GROUP BY 1"))
    assert moved["shouhuan_readings_stored_total{partition=mqtt-0}"] == stored
    assert moved["shouhuan_readings_duplicate_total{partition=mqtt-0}"] == 2
    assert moved["shouhuan_readings_late_total{partition=mqtt-0}"] == 1
    assert moved["shouhuan_readings_too_late_total"] == 1
    assert moved["shouhuan_readings_judged_total"] == stored
    assert moved["shouhuan_unknown_fields_total"] == 1
    assert moved["shouhuan_messages_ignored_total"] == 1
    assert moved[strap] == 1
    assert moved["shouhuan_commit_seconds_count"] == moved["shouhuan_arrival_to_commit_seconds_count"] == batches
    assert 0 < moved["shouhuan_commit_seconds_sum"] <= moved["shouhuan_arrival_to_commit_seconds_sum"] < 10
    now = probe.samples()
    assert now["shouhuan_journal_offset{partition=mqtt-0}"] == batches
    assert now["shouhuan_broker_connected{partition=mqtt-0}"] == 1
    assert now["shouhuan_queue_messages{partition=mqtt-0}"] == now["shouhuan_commit_lag_seconds"] == 0
    assert now["shouhuan_epoch_age_seconds"] < STALL_AFTER_S
    assert now["process_resident_memory_bytes"] > 0


def test_a_worker_without_its_database_is_alive_and_says_so(
    breakable_database: Breakable, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    probe = Probe(free_port())
    settings = {"SHOUHUAN_MONITOR_PORT": str(probe.port), "SHOUHUAN_READY_LAG_S": "1"}
    with open_desk(breakable_database.url, mosquitto, tmp_path, **settings) as desk:
        desk.says(device={"strap_closed": True})
        desk.wait_stored(1)
        breakable_database.crash()
        desk.says(device={"strap_closed": False})
        wait_until(lambda: probe.problems() == ["database", "migrations", "lag"], f"the worker; log:\n{desk.log}")
        assert probe.problems("/healthz") == []
        samples = probe.samples()
        assert sum(samples[f"shouhuan_store_failures_total{{writer={writer}}}"] for writer in WRITERS) > 0
        assert samples["shouhuan_commit_lag_seconds"] > 1
        breakable_database.start()
        wait_until(lambda: probe.problems() == [], "readiness")
        desk.wait_stored(2)
        assert probe.samples()["shouhuan_commit_lag_seconds"] == 0


def test_a_worker_without_its_broker_is_alive_and_not_ready(watched: Watched) -> None:
    watched.desk.broker.stop()
    wait_until(lambda: watched.probe.problems() == ["broker"], "the worker noticing")
    assert watched.probe.samples()["shouhuan_broker_connected{partition=mqtt-0}"] == 0
    assert watched.probe.problems("/healthz") == []
    watched.desk.broker.start()
    wait_until(lambda: watched.probe.problems() == [], "the worker at the broker")


def test_a_dataflow_that_stalls_is_not_healthy_until_it_goes_on(watched: Watched) -> None:
    with psycopg.connect(watched.desk.url) as somebody:
        somebody.execute("LOCK TABLE journal_head IN ACCESS EXCLUSIVE MODE")
        watched.desk.says()
        wait_until(lambda: watched.probe.problems("/healthz") == ["dataflow"], "the stall being noticed")
        _, body = watched.probe.get("/healthz")
        assert "no step for" in json.loads(body)["problems"][0]["wrong"]
        samples = watched.probe.samples()
        assert samples["shouhuan_commit_lag_seconds"] > STALL_AFTER_S - 2
        assert samples["shouhuan_epoch_age_seconds"] >= STALL_AFTER_S
    wait_until(lambda: watched.probe.problems("/healthz") == [], "the dataflow going on")
    watched.desk.wait_stored(1)
    wait_until(lambda: watched.probe.problems() == [], "readiness")


def test_after_a_kill_the_offset_is_where_it_was_and_the_replay_ends(watched: Watched) -> None:
    desk = watched.desk
    for band in range(1, 11):
        desk.says(band)
    desk.wait_stored(10)
    desk.worker.kill()
    desk.worker.start()
    wait_until(lambda: desk.log.count("broker-connected") == 2, f"the worker; log:\n{desk.log}")
    wait_until(lambda: watched.probe.problems() == [], "readiness")
    samples = watched.probe.samples()
    assert samples["shouhuan_journal_offset{partition=mqtt-0}"] == desk.one("SELECT max(batch_no) FROM journal_head")
    assert samples["shouhuan_journal_replay_batches{partition=mqtt-0}"] == 0
    assert samples["shouhuan_judge_lag_readings"] == 0
    assert samples.get("shouhuan_readings_stored_total{partition=mqtt-0}", 0) == 0
