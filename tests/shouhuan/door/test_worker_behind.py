"""The worker behind the door, started with what ``provision`` wrote: it hears, seals commands, and is not fooled."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import psycopg
import pytest

from schemas.registry import ZoneKind
from schemas.signing import is_signed
from shouhuan.clock import now, now_ms
from store.registry import import_registry
from tests import world
from tests.processes import Running, running
from tests.services.ports import wait_until
from tests.shouhuan.door.house import House, Visitor

UP, DOWN = "wb/v1/dongqu/band-1/up", "wb/v1/dongqu/band-1/down"
AWAY = world.north_of_home(500)


class Post:
    """A worker at its post, and a band of its own town that is in."""

    def __init__(self, url: str, worker: Running, band: Visitor, folder: Path) -> None:
        self.url, self.worker, self.band, self.folder = url, worker, band, folder
        self.seq = 0

    def message(self, at: tuple[float, float] = world.HOME) -> bytes:
        fix = {"lat": at[0], "lon": at[1], "accuracy_m": 8.5}
        self.seq += 1
        return json.dumps({"v": 1, "seq": self.seq, "readings": [{"time_ms": now_ms(), "fix": fix}]}).encode()

    def says(self, at: tuple[float, float] = world.HOME) -> bytes:
        message = self.message(at)
        self.band.say(UP, message)
        return message

    def one(self, query: str) -> Any:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
            return row[0]

    def waits(self, query: str, value: Any) -> None:
        log = self.worker.log
        wait_until(lambda: self.one(query) == value, f"{query} = {value}; log:\n{log.read_text()[-2000:]}")


@pytest.fixture
def post(house: House, embedded_database: str, tmp_path: Path) -> Iterator[Post]:
    home = world.circle("home", ZoneKind.KEEP_IN)
    import_registry(embedded_database, world.registry(home, at=now()), now=now())
    folder = house.site.add_certificate("dongqu", "band-1", renew=True)
    assert folder is not None
    environment = house.environment() | {
        "SHOUHUAN_DATABASE_URL": embedded_database,
        "SHOUHUAN_RECOVERY_DIR": str(tmp_path / "recovery"),
        "SHOUHUAN_PARTITION_PREFIX": tmp_path.name[-40:],
    }
    with (
        running(["stream"], environment, tmp_path / "log") as worker,
        house.by_certificate(folder) as band,
    ):
        wait_until(lambda: "broker-connected" in worker.log.read_text(), "the worker at the broker")
        yield Post(embedded_database, worker, band, folder)


def test_a_band_in_breach_hears_a_command_that_only_its_own_key_confirms(post: Post) -> None:
    post.band.subscribe(DOWN)
    for _ in range(3):
        post.says(AWAY)
    wait_until(lambda: bool(post.band.heard), f"a command; log:\n{post.worker.log.read_text()[-2000:]}", 15)
    topic, command = post.band.heard[0]
    key = bytes.fromhex((post.folder / "command.key").read_text())
    assert topic == DOWN
    assert is_signed(key, topic, command)
    assert not is_signed(key, topic, command.replace(b"15", b"99"))
    said = json.loads(command)
    assert said["type"] == "plan"
    assert said["expires_ms"] > now_ms()


def test_a_captured_message_that_is_published_again_changes_nothing(post: Post) -> None:
    captured = [post.says() for _ in range(3)]
    post.waits("SELECT count(*) FROM position", 3)
    before = post.one("SELECT json_agg(position ORDER BY seq)::text FROM position")
    for message in captured * 2:
        post.band.say(UP, message)
    post.waits("SELECT sum(duplicates) FROM journal", 6)
    assert post.one("SELECT json_agg(position ORDER BY seq)::text FROM position") == before
    assert post.one("SELECT sum(stored) FROM journal") == 3
    assert post.one("SELECT count(*) FROM alert_event") == 0


def test_a_captured_message_in_anothers_place_is_refused_or_known_before(post: Post, house: House) -> None:
    captured = post.says()
    post.waits("SELECT count(*) FROM position", 1)
    with house.by_certificate(house.band("xiqu", "band-1")) as thief:
        assert thief.say(UP, captured) == "Not authorized"
        # Under the thief's own topic it is well-formed, and no band of that organisation.
        thief.say("wb/v1/xiqu/band-1/up", captured)
    post.waits("SELECT count(*) FROM dead_letter WHERE reason = 'wrong_org'", 1)
    assert post.one("SELECT count(*) FROM position") == 1


def bombs() -> dict[str, bytes]:
    """Messages that the broker lets through and that cost a naive reader its stack, its memory or its sense."""
    whole = {"v": 1, "seq": 1, "readings": [{"time_ms": 1, "fix": {"lat": 1.0, "lon": 1.0, "accuracy_m": 1.0}}]}
    text = json.dumps(whole)
    return {
        "JSON as deep as it is long": b"[" * 60_000,
        "objects in objects": b'{"readings":' * 5_000,
        "CBOR as deep as it is long": b"\x81" * 60_000,
        "CBOR that says it has 2^63 bytes": b"\xa1\x5b\x7f" + b"\xff" * 7,
        "CBOR that says it has 2^60 readings": b"\xa3\x61v\x01\x63seq\x01\x68readings\x9b\x10" + b"\x00" * 7,
        "a number of 20,000 digits": text.replace('"seq": 1', '"seq": ' + "9" * 20_000).encode(),
        "a power of ten that is no number": text.replace("1.0", "1e400").encode(),
        "NaN in JSON": text.replace("1.0", "NaN").encode(),
        "NaN in CBOR": cbor2.dumps({**whole, "readings": [{"time_ms": 1, "fix": {"lat": math.nan, "lon": 1.0,
                                                                               "accuracy_m": 1.0}}]}),
        "nothing": b"",
        "zeros": bytes(60_000),
        "at the broker's limit": b"[" * 250_000,
    }  # fmt: skip


def test_a_bomb_becomes_a_dead_letter_and_the_next_reading_is_stored(post: Post) -> None:
    for bomb in bombs().values():
        post.band.say(UP, bomb)
    post.says()
    post.waits("SELECT count(*) FROM position", 1)
    post.waits("SELECT count(*) FROM dead_letter", len(bombs()))
    assert post.worker.process.poll() is None
    assert post.one("SELECT count(DISTINCT reason) FROM dead_letter") >= 2
