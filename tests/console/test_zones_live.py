"""A zone that the API takes rings within two seconds: console, database, worker and broker as they run."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shouhuan.clock import now
from store.connection import connect
from store.views import add_operator
from tests import world
from tests.console.build import PASSWORD, PASSWORD_HASH
from tests.console.conftest import serving
from tests.desk import Desk, open_desk
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

LONGEST_S = 2.0
"""From the answer of the API to the alert in the database."""


@pytest.fixture
def desk(embedded_database: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(embedded_database, mosquitto, tmp_path) as desk:
        yield desk


@pytest.fixture
def browser(desk: Desk, tmp_path: Path) -> Iterator[httpx.Client]:
    """The browser of somebody of Dongqu who may change rules."""
    with connect(desk.url, autocommit=True) as connection:
        add_operator(connection, "dong", PASSWORD_HASH, "dongqu", changes_rules=True)
    with serving(desk.url, now, tmp_path) as url, httpx.Client(base_url=url, trust_env=False, timeout=10) as browser:
        browser.post("/api/login", json={"name": "dong", "password": PASSWORD})
        yield browser


def keep_out() -> dict[str, object]:
    lat, lon = world.HOME
    properties = {"org": "dongqu", "name": "集市", "kind": "keep_out", "datum": "WGS-84", "radius_m": 100}
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": "market", "geometry": geometry, "properties": properties}


def test_a_keep_out_zone_through_the_api_rings_within_two_seconds(desk: Desk, browser: httpx.Client) -> None:
    desk.says()
    desk.wait_stored(1)
    answer = browser.post("/api/zones", json=keep_out())
    answered_at = now()
    assert answer.status_code == 201

    end_s = time.monotonic() + 20
    while desk.one("SELECT count(*) FROM alert") == 0:
        assert time.monotonic() < end_s, f"no alert; log:\n{desk.log}"
        desk.says()
        time.sleep(0.1)
    version = answer.json()["registry_version"]
    assert desk.rows("SELECT code, subject, rule_version FROM alert") == [("zone.enter", "market", version)]
    took_s = (desk.one("SELECT min(committed_at) FROM alert_event") - answered_at).total_seconds()
    assert took_s <= LONGEST_S, f"{took_s:.3f} s"


def test_ending_it_through_the_api_ends_the_alert(desk: Desk, browser: httpx.Client) -> None:
    browser.post("/api/zones", json=keep_out())
    wait_until(lambda: desk.log.count("registry-loaded") == 2, "the zone")
    time.sleep(0.5)  # from the watch's thread through the control stream into the dataflow
    desk.says()
    desk.says()
    wait_until(lambda: desk.rows("SELECT state FROM alert") == [("open",)], f"the alert; log:\n{desk.log}")
    assert browser.post("/api/zones/market/end", json={}).status_code == 200
    wait_until(lambda: desk.rows("SELECT state FROM alert") == [("cleared",)], f"its end; log:\n{desk.log}")
