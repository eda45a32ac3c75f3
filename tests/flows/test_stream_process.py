"""The worker as a process, against real broker and database: fed by a stranger, killed, watched coming back."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.registry import ZoneKind
from shouhuan.clock import now_ms
from tests import world
from tests.desk import AWAY, BANDS, HOME_ZONE, Desk, open_desk
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until


@pytest.fixture
def desk(database_url: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(database_url, mosquitto, tmp_path) as desk:
        yield desk


def test_a_stranger_with_mosquitto_pub_raises_a_zone_alert_within_two_fixes(desk: Desk) -> None:
    desk.says()
    desk.says()
    desk.says(at=AWAY)
    desk.says(at=AWAY)
    wait_until(lambda: desk.one("SELECT count(*) FROM alert") == 1, f"an alert; log:\n{desk.log}")
    assert desk.rows("SELECT code, state, seq FROM alert") == [("zone.exit", "open", 3)]
    assert desk.rows("SELECT cause, state, priority FROM incident") == [("zone", "open", 3)]


def test_bad_messages_are_kept_with_a_reason_and_stop_nothing(desk: Desk) -> None:
    for topic, payload in [
        ("wb/v1/dongqu/band-1/up", "ring"),
        ("wb/v1/dongqu/band-1/up", b"\xbf\xff\x00\x00"),
        ("wb/v1/dongqu/stranger/up", "{}"),
        ("wb/v1/xiqu/band-1/up", "{}"),
        ("wb/v1/dongqu/band-1/up", "x" * 70_000),
    ]:
        desk.broker.publish(topic, payload)
    desk.says()
    desk.wait_stored(1)
    reasons = desk.rows("SELECT reason, count(*) FROM dead_letter GROUP BY 1 ORDER BY 1")
    assert reasons == [("malformed", 2), ("too_large", 1), ("unknown_device", 1), ("wrong_org", 1)]


def test_kill_9_at_any_moment_loses_no_reading_and_doubles_no_alert(desk: Desk) -> None:
    for round_number in range(6):
        for band in range(1, BANDS + 1):
            desk.says(band, at=AWAY if round_number >= 2 else world.HOME, device={"strap_closed": round_number < 3})
        if round_number in {2, 4}:
            desk.worker.kill()
            desk.worker.start()
    desk.wait_stored(desk.sent)
    wait_until(lambda: desk.one("SELECT count(*) FROM alert") >= 2 * BANDS, f"all alerts; log:\n{desk.log}")
    assert desk.one("SELECT count(*) FROM position") == desk.sent
    assert desk.one("SELECT sum(stored) FROM journal") == desk.sent
    assert desk.rows("SELECT code, count(*), count(DISTINCT device_no) FROM alert GROUP BY 1 ORDER BY 1") == [
        ("device.strap", BANDS, BANDS),
        ("zone.exit", BANDS, BANDS),
    ]


def test_the_same_message_again_is_counted_and_changes_nothing(desk: Desk) -> None:
    message = {"v": 1, "seq": 0, "readings": [{"time_ms": now_ms(), "device": {"strap_closed": False}}]}
    for _ in range(3):
        desk.broker.publish("wb/v1/dongqu/band-1/up", json.dumps(message))
    wait_until(lambda: desk.one("SELECT coalesce(sum(duplicates), 0) FROM journal") == 2, "two duplicates")
    assert desk.one("SELECT count(*) FROM device_status") == 1
    assert desk.one("SELECT count(*) FROM alert_event") == 1


def test_a_new_rule_takes_effect_without_restart(desk: Desk) -> None:
    desk.says()
    desk.wait_stored(1)
    desk.imports(HOME_ZONE, world.circle("school", ZoneKind.KEEP_OUT))
    wait_until(lambda: desk.log.count("registry-loaded") == 2, "the new rules")
    time.sleep(0.5)  # from the watch's thread through the control stream into the dataflow
    desk.says()
    desk.says()
    wait_until(lambda: desk.rows("SELECT code FROM alert") == [("zone.enter",)], f"the alert; log:\n{desk.log}")


def test_sigterm_ends_cleanly_and_a_restart_goes_on_where_it_was(desk: Desk) -> None:
    desk.says(at=AWAY)
    desk.wait_stored(1)
    assert desk.worker.stop() == 0
    desk.worker.start()
    desk.says(at=AWAY)
    wait_until(lambda: desk.rows("SELECT code FROM alert") == [("zone.exit",)], f"the alert; log:\n{desk.log}")


def test_after_an_upgrade_of_the_snapshot_s_format_the_journal_rebuilds_what_was_known(
    desk: Desk, tmp_path: Path
) -> None:
    desk.says(at=AWAY)
    desk.wait_stored(1)
    assert desk.worker.stop() == 0
    (tmp_path / "recovery" / "format").write_text("0")
    desk.worker.start()
    wait_until(lambda: "snapshots-of-another-format" in desk.log, f"the folder put aside; log:\n{desk.log}")
    desk.says(at=AWAY)
    wait_until(lambda: desk.rows("SELECT code FROM alert") == [("zone.exit",)], f"the alert; log:\n{desk.log}")
    (aside,) = tmp_path.glob("recovery.format-0.*")
    assert any(aside.glob("part-*.sqlite3"))


def test_after_a_person_closed_a_strap_incident_the_next_cut_is_a_new_one(desk: Desk) -> None:
    def flips(*closed: bool) -> None:
        for strap_closed in closed:
            desk.says(device={"strap_closed": strap_closed})

    flips(True, False, True, False)
    wait_until(lambda: desk.one("SELECT count(*) FROM alert_event") == 3, f"the alert; log:\n{desk.log}")
    assert desk.one("SELECT count(*) FROM incident") == 1
    desk.closes_incidents()
    # The judge is told within two seconds; until then a cut still belongs to the closed alert.
    wait_until(lambda: "released" in desk.log, f"the worker hearing of it; log:\n{desk.log}")
    time.sleep(0.5)  # from the watch's thread through the control stream into the dataflow
    flips(True, False)
    wait_until(lambda: desk.one("SELECT count(*) FROM alert") == 2, f"the second alert; log:\n{desk.log}")
    assert desk.rows("SELECT cause, state FROM incident ORDER BY state") == [("tamper", "closed"), ("tamper", "open")]
