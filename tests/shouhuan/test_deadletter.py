"""Dead letters on the command line, beside a running worker: listed, shown, judged again, never doubled."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from typer.testing import CliRunner

from schemas.reasons import DeadLetter, RejectReason
from schemas.registry import Assignment, Device, Ground, Order, Wearer
from shouhuan.cli import app
from shouhuan.clock import now, now_ms
from shouhuan.deadletter import moment, payload_lines
from store.dead_letters import write_dead_letters
from store.letters import LetterError
from store.registry import import_registry
from tests import world
from tests.desk import AWAY, BANDS, HOME_ZONE, Desk, open_desk
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

STRANGER = "wb/v1/dongqu/stranger/up"


@pytest.fixture
def desk(database_url: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(database_url, mosquitto, tmp_path) as desk:
        yield desk


@pytest.fixture
def letters(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``shouhuan deadletter …``, answering its exit code and what it printed."""
    monkeypatch.setenv("SHOUHUAN_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "240")

    def run(*words: str) -> tuple[int, str]:
        outcome = CliRunner().invoke(app, ["deadletter", *words], env={"COLUMNS": "240"})
        return outcome.exit_code, outcome.output

    return run


def imports_stranger(desk: Desk, *, ordered: bool = True) -> None:
    """The registry again, now with the band that nobody knew, on a wearer of its own."""
    known = world.registry(HOME_ZONE, at=desk._at, bands=BANDS)
    since = desk._at - timedelta(days=7)
    order = Order(
        id="o-s", wearer="w-s", ground=Ground.REFUSED_TO_REPORT, document="文号", approver="局长",
        valid_from=since, valid_to=desk._at + timedelta(days=60),
    )  # fmt: skip
    grown = msgspec.structs.replace(
        known,
        devices=[*known.devices, Device(id="stranger", org="dongqu")],
        wearers=[*known.wearers, Wearer(id="w-s", org="dongqu", name="演示新")],
        assignments=[*known.assignments, Assignment(device="stranger", wearer="w-s", valid_from=since)],
        orders=[*known.orders, order] if ordered else known.orders,
    )
    before = desk.log.count("registry-loaded")
    import_registry(desk.url, grown, now=now())
    wait_until(lambda: desk.log.count("registry-loaded") > before, f"the new registry; log:\n{desk.log}")


def stranger_says(desk: Desk, seq: int, at: tuple[float, float] = AWAY) -> None:
    reading = {"time_ms": now_ms(), "fix": {"lat": at[0], "lon": at[1], "accuracy_m": 8.5}}
    desk.broker.publish(STRANGER, json.dumps({"v": 1, "seq": seq, "readings": [reading]}))


def wait_letters(desk: Desk, count: int) -> None:
    wait_until(lambda: desk.one("SELECT count(*) FROM dead_letter") == count, f"{count} letters; log:\n{desk.log}")


def outcomes(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.rows("SELECT outcome, stored, duplicates, asked_by FROM dead_letter_replay ORDER BY replay_no")


def test_an_unknown_bands_messages_are_stored_and_judged_once_after_its_import(desk: Desk, letters: Any) -> None:
    for seq, at in enumerate((world.HOME, world.HOME, AWAY, AWAY)):
        stranger_says(desk, seq, at)
    wait_letters(desk, 4)
    code, printed = letters("list", "--reason", "unknown_device", "--org", "dongqu", "--since", "1h")
    assert code == 0
    assert printed.count(STRANGER) == 4
    assert letters("replay", "--reason", "unknown_device", "--dry-run")[0] == 1
    imports_stranger(desk)
    assert letters("replay", "--reason", "unknown_device", "--dry-run")[0] == 0
    assert outcomes(desk) == []

    assert letters("replay", "--reason", "unknown_device", "--operator", "zhang")[0] == 0
    assert outcomes(desk) == [("stored", 1, 0, "zhang")] * 4
    wait_until(lambda: desk.rows("SELECT code FROM alert") == [("zone.exit",)], f"the alert; log:\n{desk.log}")
    assert desk.one("SELECT count(*) FROM position") == 4

    code, printed = letters("replay", "1", "2", "3", "4", "--operator", "li")
    assert code == 0
    assert outcomes(desk)[4:] == [("duplicate", 0, 1, "li")] * 4
    assert printed.count("duplicate") >= 4
    assert letters("replay", "--reason", "unknown_device")[0] == 0
    assert len(outcomes(desk)) == 8
    assert desk.one("SELECT count(*) FROM position") == 4
    assert desk.one("SELECT count(*) FROM alert_event") == 1
    assert desk.one("SELECT count(*) FROM dead_letter") == 4
    assert desk.one("SELECT sum(messages) FROM journal") == 4


def test_a_killed_worker_takes_what_was_asked_of_it_when_it_is_back(desk: Desk, letters: Any) -> None:
    stranger_says(desk, 0)
    stranger_says(desk, 1)
    wait_letters(desk, 2)
    imports_stranger(desk)
    assert letters("replay", "1", "--operator", "x")[0] == 0
    desk.worker.kill()
    code, printed = letters("replay", "1", "2", "--wait", "0")
    assert code == 1
    assert "2 wait" in printed
    desk.worker.start()
    wait_until(lambda: len([o for o in outcomes(desk) if o[0]]) == 3, f"the outcomes; log:\n{desk.log}")
    assert [outcome[0] for outcome in outcomes(desk)] == ["stored", "duplicate", "stored"]
    wait_until(lambda: desk.rows("SELECT code FROM alert") == [("zone.exit",)], f"the alert; log:\n{desk.log}")
    assert desk.one("SELECT count(*) FROM position") == 2


def test_kill_9_in_the_midst_of_replays_stores_and_judges_each_once(desk: Desk, letters: Any) -> None:
    for seq in range(60):
        stranger_says(desk, seq, world.HOME if seq < 50 else AWAY)
    wait_letters(desk, 60)
    imports_stranger(desk)
    letters("replay", "--reason", "unknown_device", "--wait", "0")
    for done in (5, 25):
        wait_until(lambda done=done: desk.one("SELECT count(done_at) FROM dead_letter_replay") >= done, f"{done} done")
        desk.worker.kill()
        desk.worker.start()
    wait_until(lambda: desk.one("SELECT count(done_at) FROM dead_letter_replay") == 60, f"all; log:\n{desk.log}")
    assert desk.one("SELECT count(*) FROM position") == desk.one("SELECT sum(stored) FROM journal") == 60
    wait_until(lambda: desk.rows("SELECT code, state FROM alert") == [("zone.exit", "open")], f"log:\n{desk.log}")


def test_a_letter_that_fails_again_stays_one_letter_and_says_why(desk: Desk, letters: Any) -> None:
    desk.broker.publish("wb/v1/dongqu/band-1/up", "ring")
    wait_letters(desk, 1)
    code, printed = letters("replay", "1")
    assert code == 1
    assert "malformed" in printed
    assert desk.one("SELECT count(*) FROM dead_letter") == 1


def test_a_letter_without_a_lawful_order_loses_its_payload(desk: Desk, letters: Any) -> None:
    stranger_says(desk, 0)
    wait_letters(desk, 1)
    imports_stranger(desk, ordered=False)
    assert letters("replay", "1")[0] == 1
    assert outcomes(desk)[0][0] == "no_order"
    assert desk.one("SELECT length(payload) FROM dead_letter") == 0
    assert letters("replay", "1")[0] == 1
    assert outcomes(desk)[1][0] == "no_payload"


def test_a_letter_from_the_future_does_not_become_lawful_by_waiting(desk: Desk, letters: Any) -> None:
    came_ms = now_ms() - 3_600_000
    reading = {"time_ms": came_ms + 125_000, "device": {"battery_pct": 80}}
    payload = json.dumps({"v": 1, "seq": 9, "readings": [reading]}).encode()
    ahead = DeadLetter(
        topic="wb/v1/dongqu/band-1/up", received_ms=came_ms, reason=RejectReason.FUTURE, detail="", payload=payload
    )
    with psycopg.connect(desk.url) as connection:
        write_dead_letters(connection, [ahead])
    assert letters("replay", "1")[0] == 1
    assert outcomes(desk)[0][0] == "future"


def test_looking_is_audited_and_ends_with_the_order(desk: Desk, letters: Any) -> None:
    desk.broker.publish("wb/v1/dongqu/band-1/up", '{"v":1,"who":"\\u001b[31m"}')
    desk.broker.publish(STRANGER, b"\x00ring\x9b")
    wait_letters(desk, 2)
    code, printed = letters("show", "1", "--operator", "zhang")
    assert code == 0
    assert '"who"' in printed
    assert "\x1b[31m" not in printed
    assert "72 69 6e 67" in letters("show", "2", "--operator", "zhang")[1]
    assert letters("show", "99", "--operator", "zhang")[0] == 1
    with psycopg.connect(desk.url) as connection:
        connection.execute("UPDATE supervision_order SET validity = tstzrange(lower(validity), now()) WHERE id = 'o-1'")
    code, printed = letters("show", "1", "--operator", "zhang")
    assert "no supervision order" in printed
    assert '"who"' not in printed
    audited = desk.rows("SELECT action, subject, allowed FROM audit WHERE operator = 'zhang' ORDER BY audit_no")
    assert audited == [
        ("deadletter.show", "deadletter:1", True),
        ("track.view", "wearer:w-1", True),
        ("deadletter.show", "deadletter:2", True),
        ("deadletter.show", "deadletter:99", False),
        ("deadletter.show", "deadletter:1", False),
    ]


def test_every_format_arrives_and_is_known_again(desk: Desk) -> None:
    at_s = now_ms() // 1000
    place = {"lat": world.HOME[0], "lon": world.HOME[1]}
    phone = json.dumps({"_type": "location", "tst": at_s, "acc": 9, "batt": 80, **place})
    pack = json.dumps(
        [{"bn": "b:", "bt": at_s, "n": "pulse", "u": "beat/min", "v": 61}, {"n": "x", "u": "%EL", "v": 9}]
    )
    for topic, payload in [("owntracks/dongqu/band-1", phone), ("senml/dongqu/band-2", pack)] * 2:
        desk.broker.publish(topic, payload)
    desk.broker.publish("owntracks/dongqu/band-1", '{"_type":"lwt","tst":1}')
    desk.broker.publish("owntracks/dongqu/band-1", '{"_type":"encrypted","data":"x"}')
    wait_letters(desk, 1)
    assert desk.rows("SELECT sum(stored)::int, sum(duplicates)::int, sum(messages)::int FROM journal") == [(2, 2, 6)]
    assert desk.rows("SELECT ignored FROM journal WHERE ignored <> '{}'") == [({"owntracks.lwt": 1},)]
    assert desk.rows("SELECT reason FROM dead_letter") == [("encrypted",)]
    assert desk.one("SELECT heart_rate_bpm FROM vitals") == 61


def test_letters_are_named_by_number_or_by_reason(desk: Desk, letters: Any) -> None:
    assert letters("replay")[0] == 1
    assert letters("replay", "5")[0] == 1
    assert letters("list", "--since", "yesterday")[0] == 1


def test_a_span_or_a_time_with_an_offset_is_a_moment() -> None:
    assert moment("90m", world.START) == world.START - timedelta(minutes=90)
    assert moment("2026-11-23T10:00:00+08:00", now()) == world.START
    with pytest.raises(LetterError):
        moment("2026-11-23T10:00:00", now())


def test_a_long_payload_is_cut_and_an_empty_one_explained() -> None:
    assert payload_lines(b"\xff" * 5_000)[-1] == "… 5,000 bytes in all"
    assert "no order" in payload_lines(b"")[0]
