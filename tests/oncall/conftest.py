"""A duty roster with one incident, a webhook that answers as told, and a clock moved by hand."""

import json
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from apprise import Apprise

from oncall.dispatcher import Dispatcher

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
WEARER_NAME = "王小明"
CONSOLE_URL = "https://console.example"


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Webhook:
    """A real HTTP server; ``answers`` are the statuses to give, then 200 for ever; ``body`` goes with each."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.answers: list[int] = []
        self.body = b""
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.received.append(json.loads(body))
                webhook.queries.append(parse_qs(urlsplit(self.path).query))
                self.send_response(webhook.answers.pop(0) if webhook.answers else 200)
                self.end_headers()
                self.wfile.write(webhook.body)

            def log_message(self, *args: object) -> None:
                """Tests read answers, not logs."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    def url(self, path: str = "hook") -> str:
        return f"json://{self.address}/{path}"


class Roster:
    """Rows as an import and the alert writer leave them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._sql = connection
        self._range = f"[{START - timedelta(days=1)},)"
        self._insert("org", id="dongqu", name="东区", name_en="East", timezone="Asia/Shanghai")
        self._insert("wearer", id="w-007", wearer_no=7, org="dongqu", name=WEARER_NAME, grade="red", minor=False)

    def _insert(self, table: str, **row: object) -> None:
        row |= {"version": 1, "validity": self._range, "recorded": self._range}
        names, holes = ", ".join(row), ", ".join(["%s"] * len(row))
        self._sql.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})", list(row.values()))  # noqa: S608

    def contact(self, url: str, contact: str = "duty", language: str = "zh") -> None:
        self._insert("contact", id=contact, org="dongqu", name="值班", url=url, language=language, min_priority="high")

    def incident(self, code: str = "device.strap", priority: int = 4, wearer_no: int = 7) -> UUID:
        incident_id = uuid4()
        self._sql.execute(
            "INSERT INTO incident (incident_id, wearer_no, org, cause, priority, state, historic,"
            " opened_at, updated_at) VALUES (%s, %s, 'dongqu', %s, %s, 'open', false, %s, %s)",
            (incident_id, wearer_no, str(incident_id), priority, START, START),
        )
        self._sql.execute(
            "INSERT INTO alert (alert_id, incident_id, code, priority, subject, device_no, wearer_no, state, onset_at,"
            " opened_at, seq, rule_version, historic, evidence)"
            " VALUES (%s, %s, %s, %s, '', 1, %s, 'open', %s, %s, 1, 1, false, %s)",
            (uuid4(), incident_id, code, priority, wearer_no, START, START, '{"lat": 26.58234, "lon": 101.71456}'),
        )
        return incident_id

    def page(self, contact: str = "duty", incident_id: UUID | None = None) -> int:
        row = self._sql.execute(
            "INSERT INTO page (incident_id, contact, created_at, due_at) VALUES (%s, %s, %s, %s) RETURNING page_no",
            (incident_id or self.incident(), contact, START, START),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def set_incident_state(self, state: str) -> None:
        self._sql.execute("UPDATE incident SET state = %s, close_cause = 'confirmed'", (state,))

    def notify(self) -> None:
        self._sql.execute("NOTIFY shouhuan_page")

    def states(self) -> list[str]:
        return [row[0] for row in self._sql.execute("SELECT state FROM page ORDER BY page_no")]

    def attempts(self) -> list[tuple[int, str]]:
        rows = self._sql.execute("SELECT attempt, outcome FROM delivery_attempt ORDER BY page_no, attempt")
        return [(row[0], row[1]) for row in rows]

    def details(self) -> str:
        return "\n".join(row[0] for row in self._sql.execute("SELECT detail FROM delivery_attempt"))


@pytest.fixture(scope="session", autouse=True)
def _apprise_loaded() -> None:
    """Apprise loads its plugins at first use, and one imports what Python 3.11 deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        Apprise.instantiate("json://127.0.0.1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    thread = Thread(target=hook.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


@pytest.fixture
def roster(database_url: str) -> Iterator[Roster]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Roster(connection)


@pytest.fixture
def dispatcher(database_url: str, clock: Clock) -> Callable[..., Dispatcher]:
    def make(environment: dict[str, str] | None = None, **options: Any) -> Dispatcher:
        return Dispatcher(database_url, environment or {}, CONSOLE_URL, clock, **options)

    return make
