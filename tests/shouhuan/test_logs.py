"""Structured logs with no personal data: a run with marked people, places and payloads leaves no mark in any log."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from schemas.registry import Contact, Registry, ZoneKind
from shouhuan.clock import now, now_ms
from shouhuan.settings import load
from shouhuan.web import save_operator
from store.registry import import_registry
from tests import world
from tests.processes import Running, running
from tests.services.mosquitto import Mosquitto
from tests.services.ports import free_port, wait_until

NAME = "欧阳秘名"
PLACE = (26.587613, 101.717631)
SECRETS = {
    "name": NAME,
    "name as JSON": json.dumps(NAME).strip('"'),
    "latitude": "26.5876",
    "longitude": "101.7176",
    "payload": "marked-payload",
    "firmware": "9.8.7-marked",
    "key of a channel": "marked-key",
    "password of the console": "marked-password",
    "password of the broker": "marked-broker-word",
    "session secret": "marked-session-secret",
}


def marked_registry(phone: str) -> Registry:
    people = world.registry(world.circle("home", ZoneKind.KEEP_IN, PLACE), at=now(), bands=2)
    return msgspec.structs.replace(
        people,
        wearers=[msgspec.structs.replace(wearer, name=NAME) for wearer in people.wearers],
        contacts=[Contact(id="duty", org="dongqu", name=NAME, url=f"json://{phone}/${{PHONE_KEY}}")],
    )


def message(seq: int, at: tuple[float, float] = PLACE, **device: Any) -> str:
    reading = {
        "time_ms": now_ms(),
        "fix": {"lat": at[0], "lon": at[1], "accuracy_m": 8.5},
        "device": {"firmware": SECRETS["firmware"], **device},
    }
    return json.dumps({"v": 1, "seq": seq, "readings": [reading]})


class Town:
    """Worker, console and on-call, each with a log."""

    def __init__(self, url: str, broker: Mosquitto, folder: Path, stack: ExitStack) -> None:
        self.url, self.broker = url, broker
        self.console_port = free_port()
        phone = f"127.0.0.1:{free_port()}"  # nobody answers there: attempts fail, and failures are logged
        import_registry(url, marked_registry(phone), now=now())
        environment = {
            "SHOUHUAN_DATABASE_URL": url,
            "SHOUHUAN_MQTT_HOST": broker.host,
            "SHOUHUAN_MQTT_PORT": str(broker.port),
            "SHOUHUAN_MQTT_USERNAME": "worker",
            "SHOUHUAN_MQTT_PASSWORD": SECRETS["password of the broker"],
            "SHOUHUAN_RECOVERY_DIR": str(folder / "recovery"),
            "SHOUHUAN_CONSOLE_PORT": str(self.console_port),
            "SHOUHUAN_SESSION_SECRET": SECRETS["session secret"] * 2,
            "SHOUHUAN_LOG_LEVEL": "debug",
            "PHONE_KEY": SECRETS["key of a channel"],
        }
        save_operator(load({}, database_url=url), "chief", SECRETS["password of the console"], None)
        self.processes: Mapping[str, Running] = {
            name: stack.enter_context(running([name], environment, folder / f"{name}.log"))
            for name in ("stream", "console", "oncall")
        }
        wait_until(lambda: "broker-connected" in self.log("stream"), "the worker")

    def log(self, name: str) -> str:
        return self.processes[name].log.read_text()

    def says(self, payload: str | bytes, band: str = "band-1") -> None:
        self.broker.publish(f"wb/v1/dongqu/{band}/up", payload)

    def one(self, query: str) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
            return row and row[0]

    def does(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    @contextmanager
    def visit(self) -> Iterator[httpx.Client]:
        address = f"http://127.0.0.1:{self.console_port}"
        with httpx.Client(base_url=address, trust_env=False, timeout=20) as browser:
            wait_until(lambda: _answers(browser), f"the console; log:\n{self.log('console')}")
            signed = browser.post("/api/login", json={"name": "chief", "password": SECRETS["password of the console"]})
            assert signed.status_code == 200, self.log("console")
            yield browser


@pytest.fixture
def town(timescale_database: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(timescale_database, mosquitto, tmp_path, stack)


def test_no_log_line_says_who_where_or_what(town: Town) -> None:
    for seq in range(2):
        town.says(message(seq, strap_closed=True))
    for seq in range(2, 6):
        town.says(message(seq, world.north_of_home(900) if seq > 3 else PLACE, strap_closed=False))
    town.says(SECRETS["payload"])
    town.says(message(0).replace("26.58", "96.58"), band="band-2")
    town.says(message(0), band=SECRETS["payload"])
    wait_until(lambda: town.one("SELECT count(*) FROM dead_letter") == 3, f"dead letters:\n{town.log('stream')}")
    wait_until(lambda: town.one("SELECT count(*) FROM alert") == 2, f"alerts:\n{town.log('stream')}")
    wait_until(lambda: "channel_down" in town.log("oncall"), f"an attempt:\n{town.log('oncall')}")
    with town.visit() as browser:
        assert "26.58" in browser.get("/api/wearers").text, "the console knows; its log does not"
    town.broker.stop()
    wait_until(lambda: "broker-disconnected" in town.log("stream"), "the worker noticing")
    town.broker.start()
    wait_until(lambda: town.log("stream").count("broker-connected") == 2, "the worker back")
    assert found_in(town) == {}
    lines = [line for name in town.processes for line in town.log(name).splitlines()]
    events = [json.loads(line) for line in lines]
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(event) for event in events))


def test_a_row_that_the_database_refuses_is_not_in_the_log_of_the_crash(town: Town) -> None:
    town.does("ALTER TABLE device_status ADD CONSTRAINT none CHECK (battery_pct = 1) NOT VALID")
    town.does("ALTER TABLE position ADD CONSTRAINT nowhere CHECK (lat = 0) NOT VALID")
    town.says(message(0))
    worker = town.processes["stream"]
    wait_until(lambda: worker.process.poll() is not None, f"the worker giving up:\n{town.log('stream')}")
    assert "refused: " in town.log("stream")
    assert found_in(town) == {}


def test_what_the_database_refuses_the_console_is_told_without_the_row(town: Town) -> None:
    with town.visit() as browser:
        town.does(f"ALTER TABLE audit ADD CONSTRAINT none CHECK (operator = '{NAME}') NOT VALID")
        answer = browser.get("/api/wearers")
    assert answer.status_code == 500
    assert "database-refused" in town.log("console")
    assert "Failing row" not in town.log("console") + answer.text


def found_in(town: Town) -> dict[str, list[str]]:
    """The marks that a log holds."""
    found = {name: [what for what, mark in SECRETS.items() if mark in town.log(name)] for name in town.processes}
    return {name: marks for name, marks in found.items() if marks}


def _answers(browser: httpx.Client) -> bool:
    try:
        return browser.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
