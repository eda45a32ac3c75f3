"""Who gets in, from where, and what is remembered of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute

from console import api, events, zones
from console.auth import MOST_FAILURES
from store.connection import connect
from store.errors import StoreError
from store.views import add_operator
from tests.console.build import PASSWORD, PASSWORD_HASH
from tests.console.conftest import Clock, Console, console_over, serving
from tests.fix_database import Server

OPEN_TO_ALL = {"/api/login"}
ROUTES = [
    pytest.param(method, route.path, id=f"{method} {route.path}")
    for route in [*api.router.routes, *events.router.routes, *zones.router.routes]
    if isinstance(route, APIRoute) and route.path not in OPEN_TO_ALL
    for method in sorted(route.methods or ())
]
WRONG = "not it"
ANY_ID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def console(embedded_database: str, clock: Clock, tmp_path: Path) -> Iterator[Console]:
    """Access is the same over every kind of database: one will do."""
    with console_over(embedded_database, clock, tmp_path) as console:
        yield console


def attempt(browser: httpx.Client, name: str = "chief", password: str = WRONG) -> httpx.Response:
    return browser.post("/api/login", json={"name": name, "password": password})


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_gets_in_without_signing_in(console: Console, method: str, path: str) -> None:
    body = {"cause": "test", "note": ""}
    answer = console.visitor().request(
        method, path.format(incident_id=ANY_ID, zone_id="z"), json=None if method == "GET" else body
    )
    assert (answer.status_code, answer.json()) == (401, {"detail": "sign in first"})


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer_and_are_audited(console: Console) -> None:
    browser = console.visitor()
    wrong, unknown = attempt(browser), attempt(browser, name="hunter2")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json() == {"detail": "name or password is wrong"}
    assert browser.get("/api/me").status_code == 401
    acts = console.acts("login")
    assert [(operator, allowed) for operator, _, allowed in acts] == [("chief", False), ("", False)]
    # Somebody may have typed their password as the name.
    assert "hunter2" not in str(console.rows("SELECT * FROM audit"))


def test_who_keeps_guessing_must_wait_even_with_the_right_password(console: Console) -> None:
    browser = console.visitor()
    guesses = [attempt(browser).status_code for _ in range(MOST_FAILURES + 1)]
    assert guesses == [401] * MOST_FAILURES + [429]
    locked = attempt(browser, password=PASSWORD)
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "900")
    assert attempt(browser, name="dong", password=PASSWORD).status_code == 200
    console.clock.advance(minutes=16)
    assert attempt(browser, password=PASSWORD).status_code == 200


def test_guessing_in_parallel_gains_no_guesses(console: Console) -> None:
    with ThreadPoolExecutor(8) as crowd:
        codes = list(crowd.map(lambda _: attempt(console.visitor()).status_code, range(3 * MOST_FAILURES)))
    assert codes.count(401) <= MOST_FAILURES
    assert set(codes) <= {401, 429}


def test_a_session_ends_when_its_operator_signs_out(console: Console) -> None:
    browser = console.sign_in()
    assert browser.get("/api/me").json()["name"] == "chief"
    assert browser.post("/api/logout", json={}).status_code == 204
    assert browser.get("/api/me").status_code == 401
    assert console.acts("logout") == [("chief", "operator:chief", True)]


def test_a_new_password_ends_sessions_of_the_old_one(console: Console) -> None:
    browser = console.sign_in("dong")
    with connect(console.database_url, autocommit=True) as connection:
        add_operator(connection, "dong", PASSWORD_HASH[:-4] + "AAAA", "dongqu")
    assert browser.get("/api/me").status_code == 401


def test_an_operator_of_an_unknown_org_is_refused(console: Console) -> None:
    with connect(console.database_url) as connection, pytest.raises(StoreError, match="no org 'nowhere'"):
        add_operator(connection, "lost", PASSWORD_HASH, "nowhere")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(console: Console) -> None:
    cookie = attempt(console.visitor(), password=PASSWORD).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_behind_https_the_cookie_never_leaves_it(embedded_database: str, clock: Clock, tmp_path: Path) -> None:
    with psycopg.connect(embedded_database, autocommit=True) as connection:
        connection.execute("INSERT INTO operator VALUES ('chief', %s)", [PASSWORD_HASH])
    with serving(embedded_database, clock, tmp_path, secure_cookies=True) as url:
        answer = httpx.post(f"{url}/api/login", json={"name": "chief", "password": PASSWORD}, trust_env=False)
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({"content-type": "text/plain"}, 415, id="a form of another site"),
        pytest.param({"content-type": "application/json", "origin": "https://evil.example"}, 403, id="another origin"),
        pytest.param(
            {"content-type": "application/json", "sec-fetch-site": "cross-site"}, 403, id="the browser says so"
        ),
    ],
)
def test_another_site_cannot_act_in_an_operators_name(console: Console, headers: dict[str, str], code: int) -> None:
    browser = console.sign_in()
    assert browser.post("/api/logout", content=b"{}", headers=headers).status_code == code
    assert browser.get("/api/me").status_code == 200


def test_every_answer_forbids_what_the_page_does_not_need(console: Console) -> None:
    headers = console.visitor().get("/api/me").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_what_was_sent_is_not_repeated_in_an_error(console: Console) -> None:
    answer = console.visitor().post("/api/login", json={"name": "chief", "password": "hunter2", "colour": "blue"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "colour: Extra inputs are not permitted"})
    assert "hunter2" not in attempt(console.visitor(), password="hunter2" * 99).text


def test_a_page_that_was_not_built_says_how_to_build_it(console: Console) -> None:
    answer = console.visitor().get("/")
    assert answer.status_code == 503
    assert "run `make setup`" in answer.text


def test_health_needs_no_database_and_readiness_does(clock: Clock, tmp_path: Path) -> None:
    with serving("postgresql://127.0.0.1:1/nowhere?connect_timeout=1", clock, tmp_path) as url:
        assert httpx.get(f"{url}/healthz", trust_env=False).json() == {"status": "alive"}
        answer = httpx.get(f"{url}/readyz", trust_env=False, timeout=20)
    assert answer.status_code == 503
    [problem] = answer.json()["problems"]
    assert (problem["check"], problem["wrong"]) == ("database", "the database does not answer")
    assert "127.0.0.1" not in answer.text, "anybody may ask"


def test_a_console_without_its_schema_says_what_to_run(embedded_server: Server, clock: Clock, tmp_path: Path) -> None:
    empty = embedded_server.create_empty()
    with serving(empty, clock, tmp_path) as url:
        answer = httpx.get(f"{url}/readyz", trust_env=False)
    embedded_server.drop(empty)
    assert answer.status_code == 503
    assert answer.json()["problems"][0]["do"] == "run `shouhuan migrate`"


def test_a_running_console_is_ready(console: Console) -> None:
    assert console.visitor().get("/readyz").json() == {"status": "ready"}


def test_metrics_are_not_beside_the_page(console: Console) -> None:
    assert "shouhuan_" not in console.visitor().get("/metrics").text
