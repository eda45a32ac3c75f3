"""The small HTTP port beside a process: ``/metrics``, ``/healthz`` (alive) and ``/readyz`` (does its work).

For Prometheus and whoever supervises the process, not for the public: it has no accounts. 503 says in JSON what is
wrong and what to do.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shouhuan.doctor import Finding, database, migrations
from shouhuan.settings import Settings

_REQUEST_S: Final = 5.0
"""Who has not asked by then is hung up on."""
_FRESH_S: Final = 1.0
"""An answer is given again so long: probes by the dozen are one question to the database."""

Checks = Mapping[str, Callable[[], Finding]]


class Answer(NamedTuple):
    """Of an HTTP request."""

    status: int
    body: bytes
    content_type: str = "application/json"


def verdict(checks: Checks, well: str) -> Answer:
    """Ask every check; 200 and ``well`` if none has a cure to offer, else 503 and each problem.

    >>> verdict({"broker": lambda: Finding("it answers")}, "ready").body
    b'{"status": "ready"}'
    >>> verdict({"broker": lambda: Finding("it is away", "start it")}, "ready").body
    b'{"status": "not ready", "problems": [{"check": "broker", "wrong": "it is away", "do": "start it"}]}'
    """
    findings = {name: check() for name, check in checks.items()}
    problems = [
        {"check": name, "wrong": finding.fact, "do": finding.cure} for name, finding in findings.items() if finding.cure
    ]
    said = {"status": f"not {well}", "problems": problems} if problems else {"status": well}
    return Answer(503 if problems else 200, json.dumps(said, ensure_ascii=False).encode())


def store_checks(settings: Settings) -> Checks:
    """What every process needs of the database."""
    return {"database": lambda: database(settings), "migrations": lambda: migrations(settings)}


class Monitor:
    """Answers in threads of its own; a path without checks is not there."""

    def __init__(self, registry: CollectorRegistry, alive: Checks | None = None, ready: Checks | None = None) -> None:
        self._answers: dict[str, Callable[[], Answer]] = {
            "/metrics": lambda: Answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
        }
        if alive is not None:
            self._answers["/healthz"] = lambda: verdict(alive, "alive")
        if ready is not None:
            self._answers["/readyz"] = _Remembered(lambda: verdict(ready, "ready"))

    def start(self, settings: Settings) -> None:
        """Listen where the settings say, if they do, until the process ends; a port that is taken ends it now."""
        if settings.monitor_port is not None:
            self.listen(settings.monitor_host, settings.monitor_port)

    def listen(self, host: str, port: int) -> int:
        """Answer there from now on; the port, where 0 asked for any."""
        try:
            server = ThreadingHTTPServer((host, port), self._handler())
        except OSError as error:
            sys.exit(f"{host}:{port} cannot be listened on ({error.strerror}): set SHOUHUAN_MONITOR_HOST and _PORT")
        server.daemon_threads = True
        Thread(target=server.serve_forever, name="monitor", daemon=True).start()
        return server.server_port

    def answer(self, path: str) -> Answer:
        """What a path answers now."""
        found = self._answers.get(path)
        return Answer(404, json.dumps({"paths": sorted(self._answers)}).encode()) if found is None else found()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_S

            def do_GET(self) -> None:
                status, body, content_type = answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes come every few seconds: nobody reads that they did."""

        return Handler


class _Remembered:
    """An answer that is asked for anew only when it has grown old; one asks, the others wait for it."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._answer: Answer | None = None
        self._asked_s = 0.0

    def __call__(self) -> Answer:
        with self._lock:
            if self._answer is None or time.monotonic() - self._asked_s > _FRESH_S:
                self._answer = self._ask()
                self._asked_s = time.monotonic()
            return self._answer
