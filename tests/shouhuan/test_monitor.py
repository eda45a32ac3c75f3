"""The monitor port by itself: what it answers, whom it asks, and what every process must have."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from oncall.policy import Policy
from shouhuan.doctor import Finding
from shouhuan.monitor import Monitor, store_checks
from shouhuan.paging import OncallObserver
from shouhuan.settings import load
from tests.fix_database import Server
from tests.processes import running
from tests.scrape import Probe
from tests.services.ports import answers, free_port, wait_until

WELL = {"broker": lambda: Finding("it answers")}
ILL = {"broker": lambda: Finding("it is away", "start it")}


def test_a_process_that_is_ill_says_what_is_wrong_and_what_to_do() -> None:
    probe = Probe(Monitor(CollectorRegistry(), WELL, ILL).listen("127.0.0.1", 0))
    assert probe.get("/healthz") == (200, '{"status": "alive"}')
    status, body = probe.get("/readyz?verbose")
    assert status == 503
    assert json.loads(body)["problems"] == [{"check": "broker", "wrong": "it is away", "do": "start it"}]


def test_what_is_not_there_names_what_is() -> None:
    probe = Probe(Monitor(CollectorRegistry()).listen("127.0.0.1", 0))
    assert probe.get("/healthz") == (404, '{"paths": ["/metrics"]}')


def test_probes_by_the_dozen_are_one_question() -> None:
    asked: list[int] = []

    def check() -> Finding:
        asked.append(1)
        return Finding("well")

    monitor = Monitor(CollectorRegistry(), ready={"database": check})
    for _ in range(50):
        assert monitor.answer("/readyz").status == 200
    assert len(asked) == 1


def test_a_port_that_is_taken_ends_the_process_with_what_to_set() -> None:
    port = Monitor(CollectorRegistry()).listen("127.0.0.1", 0)
    with pytest.raises(SystemExit, match=rf"127.0.0.1:{port} cannot be listened on .* set SHOUHUAN_MONITOR_HOST"):
        Monitor(CollectorRegistry()).listen("127.0.0.1", port)


def test_a_database_that_is_away_and_one_without_its_schema_are_told_apart(embedded_server: Server) -> None:
    away = store_checks(load({}, database_url="postgresql://127.0.0.1:1/nowhere"))
    assert [bool(check().cure) for check in away.values()] == [True, True]
    empty = embedded_server.create_empty()
    bare = store_checks(load({}, database_url=empty))
    assert [check().cure for check in bare.values()] == ["", "run `shouhuan migrate`"]
    embedded_server.drop(empty)


def test_whether_pages_are_overdue_is_unknown_without_a_database() -> None:
    observer = OncallObserver(load({}, database_url="postgresql://127.0.0.1:1/nowhere"))
    assert "shouhuan_pages_overdue_seconds NaN" in observer.monitor().answer("/metrics").body.decode()


def test_a_send_that_takes_its_time_is_no_stall() -> None:
    assert load({}).stall_after_s > 2 * Policy().timeout_s


def test_a_running_console_tells_its_numbers_on_the_monitor_port_alone(embedded_database: str, tmp_path: Path) -> None:
    page, probe = Probe(free_port()), Probe(free_port())
    environment = {
        "SHOUHUAN_DATABASE_URL": embedded_database,
        "SHOUHUAN_CONSOLE_PORT": str(page.port),
        "SHOUHUAN_MONITOR_PORT": str(probe.port),
    }
    with running(["console"], environment, tmp_path / "console.log") as console:
        wait_until(lambda: answers(page.port), f"the console; log:\n{console.log.read_text()}")
        assert page.problems("/healthz") == page.problems("/readyz") == []
        assert page.get("/api/me")[0] == 401
        assert "shouhuan_" not in page.get("/metrics")[1]
        assert probe.get("/readyz")[0] == 404
        samples = probe.samples()
    assert samples["shouhuan_http_requests_total{status=200}"] == 2
    assert samples["shouhuan_http_requests_total{status=401}"] == 1
    assert samples["shouhuan_http_answer_seconds_count"] == 4
    assert samples["shouhuan_live_listeners"] == 0
