"""Every process at work under its own database role: what one finds, the next shows, and the last tells a person."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from oncall.dispatcher import Dispatcher
from schemas.registry import Contact, Registry
from shouhuan.cli import app
from shouhuan.clock import now
from store.connection import connect
from store.registry import import_registry
from store.roles import Role, grant_roles
from store.views import add_operator
from tests.console.build import PASSWORD, PASSWORD_HASH
from tests.console.conftest import serving
from tests.desk import Desk, open_desk
from tests.roles import as_role
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

DUTY = Contact(id="duty", org="dongqu", name="值班", url="json://duty.example", min_priority="high")


@pytest.fixture
def desk(database_url: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Desk]:
    """A worker in the worker's role; who is paged, and by whom it is watched, came in by the registry's."""
    grant_roles(database_url)
    worker = as_role(database_url, Role.STREAM)
    with open_desk(database_url, mosquitto, tmp_path, SHOUHUAN_DATABASE_URL=worker) as desk:
        import_registry(as_role(database_url, Role.REGISTRY), Registry(contacts=[DUTY]), now=now())
        with connect(as_role(database_url, Role.REGISTRY), autocommit=True) as connection:
            add_operator(connection, "dong", PASSWORD_HASH, "dongqu")
        yield desk


def test_a_cut_strap_passes_through_every_role_to_a_person(desk: Desk, tmp_path: Path) -> None:
    desk.broker.publish("wb/v1/dongqu/band-1/up", "no reading at all")
    desk.says(device={"strap_closed": True, "firmware": "1.0"})
    desk.says(device={"strap_closed": False})
    wait_until(lambda: desk.one("SELECT count(*) FROM page") == 1, f"a page; log:\n{desk.log}")

    told: list[str] = []
    dispatcher = Dispatcher(
        as_role(desk.url, Role.ONCALL), {}, "https://console.example", now,
        send=lambda url, _message, _timeout_s: told.append(url),
    )  # fmt: skip
    dispatcher.run_once()
    assert told == [DUTY.url]

    with (
        serving(as_role(desk.url, Role.CONSOLE), now, tmp_path) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=10) as browser,
    ):
        assert browser.post("/api/login", json={"name": "dong", "password": PASSWORD}).status_code == 200
        assert len(browser.get("/api/incidents").json()) == 1
        incident = desk.one("SELECT incident_id FROM incident")
        assert browser.post(f"/api/incidents/{incident}/acknowledge", json={}).status_code == 200
    assert desk.rows("SELECT state, acknowledged_by FROM incident") == [("acknowledged", "dong")]
    assert desk.one("SELECT count(*) FROM dead_letter") == 1


def test_a_refused_message_is_shown_and_judged_again_by_the_registry_s_role(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.broker.publish("wb/v1/dongqu/band-1/up", "no reading at all")
    wait_until(lambda: desk.one("SELECT count(*) FROM dead_letter") == 1, f"a dead letter; log:\n{desk.log}")
    monkeypatch.setenv("SHOUHUAN_DATABASE_URL", as_role(desk.url, Role.REGISTRY))
    for asked in (["list"], ["show", "1"], ["replay", "1"]):
        result = CliRunner().invoke(app, ["deadletter", *asked])
        assert result.exit_code in (0, 1), result.output
        assert "permission denied" not in result.output
    wait_until(lambda: desk.one("SELECT count(*) FROM dead_letter_replay WHERE done_at IS NOT NULL") == 1, "an answer")
    assert desk.rows("SELECT outcome FROM dead_letter_replay") == [("malformed",)]
