"""``shouhuan demo``: the whole way on one machine, from a simulated band to a live alert on a screen and a push.

Every part is the production part in a process of its own; only database and broker are embedded.
"""

import json
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any, Final

from rich.console import Console

from schemas.registry import Contact, Registry
from shouhuan import logs
from shouhuan.clock import now, now_ms
from shouhuan.doctor import require
from shouhuan.embedded.postgres import postgres
from shouhuan.renewal import renewed
from shouhuan.report import AlertTimes, compile_report
from shouhuan.settings import Settings, load
from shouhuan.supervisor import Child
from shouhuan.visitor import command, with_visitor
from shouhuan.web import save_operator
from simulator.panzhihua import demo_registry
from store.connection import Connection, connect, scalar
from store.migrate import migrate
from store.registry import import_registry, load_registry

_out: Final = Console()
_BROKER: Final = "shouhuan.embedded.broker"
_SEED: Final = 5104
_REPORT_INTERVAL_S: Final = 5.0
_SILENCE_AFTER_S: Final = 20.0
_ACCOUNT: Final = "demo"
_DRAIN_S: Final = 15.0
_PROGRESS_EVERY_S: Final = 5.0
_COUNTS: Final = """
    SELECT (SELECT coalesce(sum(stored), 0) FROM journal WHERE ingest_time >= %(since)s),
           (SELECT count(*) FROM alert WHERE state = 'open'),
           (SELECT count(*) FROM incident WHERE state <> 'closed')
"""


@dataclass(frozen=True)
class DemoOptions:
    """What the command line says."""

    duration_s: float | None
    report: Path | None
    wearers: int
    data_dir: Path
    port: int


class _Interrupted(Exception):  # noqa: N818 - somebody's wish, not an error
    """SIGINT or SIGTERM: end cleanly."""


def run(options: DemoOptions) -> int:
    """Run until the duration is over or somebody interrupts; 0 if everything worked."""
    logs.configure("warning")
    require(load({}), "web")
    data_dir = options.data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with ExitStack() as stack:
            return _Demo(options, data_dir, stack).run()
    except _Interrupted:
        _out.print("stopped; the data stays for the next run")
        return 0


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # Once is enough: cleaning up must not be interrupted by an impatient second Ctrl-C.
    signal.signal(number, signal.SIG_IGN)
    raise _Interrupted


class _Demo:
    """The steps of a run, in order; whatever was started is stopped by the stack, last first."""

    def __init__(self, options: DemoOptions, data_dir: Path, stack: ExitStack) -> None:
        self._options = options
        self._data_dir = data_dir
        self._stack = stack
        self._published = data_dir / "published.jsonl"
        self._sent = data_dir / "sent.json"
        self._children: list[Child] = []
        self._told: set[str] = set()

    def run(self) -> int:
        with _step("database (embedded PostgreSQL)"):
            url = self._stack.enter_context(postgres(self._data_dir / "postgres"))
        with _step("schema"):
            migrate(url)
        with _step(f"registry: Panzhihua, 5 districts, {self._options.wearers} wearers"):
            self._import(url)
        password = secrets.token_urlsafe(9)
        settings = self._settings(url)
        save_operator(settings, _ACCOUNT, password, None, changes_rules=True)
        pushes = self._stack.enter_context(_push_receiver())
        started = now()
        times = AlertTimes(url)
        self._stack.callback(times.close)
        with _step("broker, stream, console, on-call, simulated fleet"):
            self._start(settings, pushes)
        _welcome(settings, password)
        with connect(url, autocommit=True) as connection:
            self._watch(connection, started)
            self._finish(connection, started, times)
        return 0

    def _import(self, url: str) -> None:
        with connect(url, autocommit=True) as connection:
            known = load_registry(connection).registry
        wanted = renewed(known, now()) if known.devices else self._town()
        if wanted is not known:
            import_registry(url, wanted, now=now())

    def _town(self) -> Registry:
        town = demo_registry(
            seed=_SEED, wearers=self._options.wearers, now_ms=now_ms(), silence_after_s=_SILENCE_AFTER_S
        )
        push = Contact(id="demo-push", org="panzhihua", name="值班演示", url="json://127.0.0.1:${DEMO_PUSH_PORT}/push")
        return with_visitor(town, push, now())

    def _settings(self, url: str) -> Settings:
        port = _free_port(self._options.port)
        return load(
            {},
            database_url=url,
            mqtt_port=_free_port(1883),
            mqtt_version="3.1.1",
            mqtt_username=_ACCOUNT,
            mqtt_password=secrets.token_urlsafe(9),
            partition_prefix="demo",
            recovery_dir=self._data_dir / "recovery",
            console_port=port,
            console_url=f"http://127.0.0.1:{port}",
            session_secret=secrets.token_urlsafe(32),
        )

    def _start(self, settings: Settings, push_port: int) -> None:
        secret = settings.mqtt_password.get_secret_value() if settings.mqtt_password else ""
        self._published.unlink(missing_ok=True)
        self._sent.unlink(missing_ok=True)
        environment = _as_environment(settings)
        account = {"BROKER_USERNAME": _ACCOUNT, "BROKER_PASSWORD": secret}
        self._child("broker", [_BROKER, settings.mqtt_host, str(settings.mqtt_port)], account)
        _wait_for_port(settings.mqtt_host, settings.mqtt_port)
        self._child("stream", ["shouhuan", "stream"], environment)
        self._child("console", ["shouhuan", "console"], environment)
        self._child("oncall", ["shouhuan", "oncall"], {**environment, "DEMO_PUSH_PORT": str(push_port)})
        _wait_for_port(settings.console_host, settings.console_port)
        self._child("fleet", ["shouhuan", "simulate", *self._fleet_arguments()], environment, once=True)

    def _fleet_arguments(self) -> list[str]:
        return [
            f"--interval={_REPORT_INTERVAL_S}",
            f"--state={self._data_dir / 'sequence.json'}",
            f"--published={self._published}",
            f"--truth={self._data_dir / 'truth.jsonl'}",
            f"--sent={self._sent}",
            f"--seed={_SEED}",
        ]

    def _child(self, name: str, arguments: list[str], environment: Mapping[str, str], *, once: bool = False) -> None:
        child = Child(name, arguments, environment, self._data_dir / "logs" / f"{name}.log", once)
        child.start()
        self._children.append(child)
        self._stack.callback(child.stop)

    def _watch(self, connection: Connection, started: datetime) -> None:
        """Keep everything alive and say how it goes, until time is up."""
        ends = time.monotonic() + self._options.duration_s if self._options.duration_s else None
        told = 0.0
        while ends is None or time.monotonic() < ends:
            time.sleep(0.2)
            for child in self._children:
                child.revive()
                self._complain(child)
            if time.monotonic() - told >= _PROGRESS_EVERY_S:
                told = time.monotonic()
                stored, open_alerts, incidents = connection.execute(_COUNTS, {"since": started}).fetchone() or (0, 0, 0)
                _out.print(
                    f"[dim]{now() - started}".split(".")[0]
                    + f"[/] {stored} readings stored, {open_alerts} alerts open, {incidents} incidents"
                )

    def _complain(self, child: Child) -> None:
        """A fleet that ended by itself is told of once, with the last word of its log."""
        if child.once and child.ended and child.name not in self._told:
            self._told.add(child.name)
            last = child.log.read_text(encoding="utf-8").strip().rpartition("\n")[2]
            _out.print(f"[red]{child.name} has ended:[/] {last} [dim]({child.log})[/]")

    def _finish(self, connection: Connection, started: datetime, times: AlertTimes) -> None:
        """End the fleet, let everything it was acknowledged for arrive, and report."""
        next(child for child in self._children if child.name == "fleet").stop()
        sent: dict[str, Any] = json.loads(self._sent.read_text()) if self._sent.exists() else {}
        deadline = time.monotonic() + _DRAIN_S
        while time.monotonic() < deadline and _journalled(connection, started) < sent.get("acknowledged", 0):
            time.sleep(0.1)
        time.sleep(1.0)
        report = compile_report(connection, started, sent=sent, published=self._published, seen_ms=times.seen_ms)
        report["restarts"] = {child.name: child.restarts for child in self._children if child.restarts}
        text = json.dumps(report, ensure_ascii=False, indent=2)
        if self._options.report:
            self._options.report.write_text(text + "\n", encoding="utf-8")
        _out.print_json(text)


def _journalled(connection: Connection, since: datetime) -> int:
    return int(scalar(connection, "SELECT coalesce(sum(messages), 0) FROM journal WHERE ingest_time >= %s", (since,)))


def _as_environment(settings: Settings) -> dict[str, str]:
    """The settings as children read them."""
    plain = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"SHOUHUAN_{name.upper()}": value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in plain.items()
    }


def _welcome(settings: Settings, password: str) -> None:
    secret = settings.mqtt_password.get_secret_value() if settings.mqtt_password else ""
    _out.print(
        f"\n[bold green]Console: {settings.console_url}[/]   user [bold]{_ACCOUNT}[/]  password [bold]{password}[/]"
    )
    _out.print(
        f"Broker:  mqtt://{settings.mqtt_host}:{settings.mqtt_port}   Be a band, run this twice and leave your zone:"
    )
    _out.print(
        command(settings.mqtt_host, settings.mqtt_port, _ACCOUNT, secret), soft_wrap=True, markup=False, highlight=False
    )
    _out.print("Ctrl-C stops everything; the data stays.\n")


@contextmanager
def _step(what: str) -> Iterator[None]:
    began = time.monotonic()
    _out.print(f"… {what}")
    yield
    _out.print(f"[green]✓[/] {what} [dim]{time.monotonic() - began:.1f} s[/]")


@contextmanager
def _push_receiver() -> Iterator[int]:
    """Somebody's phone: a webhook on this machine that prints what on-call sends."""

    class Phone(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            _out.print(f"[bold magenta]push[/] {body.get('title', '')}")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Requests are printed as pushes."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Phone)
    Thread(target=server.serve_forever, name="push-receiver", daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def _wait_for_port(host: str, port: int, patience_s: float = 30.0) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"nothing answers at {host}:{port} after {patience_s:.0f} s; see the logs in the demo's data folder")
