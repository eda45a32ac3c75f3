"""What the map is told: newest positions, states, zones."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from console.present import wearer_state
from schemas.alerts import AlertCode
from tests.console.build import event, place, raise_alerts
from tests.console.conftest import NOW, Console

WEARER = "w-0001"


def shown(console: Console, wearer: str = WEARER) -> dict[str, Any]:
    """A wearer as the map is told."""
    wearers = console.sign_in().get("/api/wearers").json()["wearers"]
    return next(one for one in wearers if one["wearer"] == wearer)


def run(console: Console, statement: Any, *facts: Any) -> None:
    with psycopg.connect(console.database_url, autocommit=True) as connection:
        connection.execute(statement, facts)


def test_a_wearer_stands_where_the_newest_fix_was(console: Console) -> None:
    fixes = [(NOW - timedelta(minutes=2), 26.50, 101.60), (NOW - timedelta(minutes=1), 26.55, 101.71)]
    place(console.database_url, console.people, WEARER, fixes, battery=37)
    one = shown(console)
    assert (one["lat"], one["lon"], one["accuracy_m"]) == (26.55, 101.71, 12.0)
    assert one["fix_at"] == one["heard_at"] == "2026-11-23T06:29:00Z"
    assert (one["battery_pct"], one["charging"], one["state"]) == (37.0, False, "ok")


def test_a_repeated_fix_is_as_old_as_it_is(console: Console) -> None:
    place(console.database_url, console.people, WEARER, [(NOW, 26.55, 101.71)], battery=37)
    run(console, "UPDATE position SET age_s = 90")
    one = shown(console)
    assert (one["fix_at"], one["heard_at"]) == ("2026-11-23T06:28:30Z", "2026-11-23T06:30:00Z")


def test_a_wearer_never_heard_of_has_no_position(console: Console) -> None:
    one = shown(console)
    assert [one["lat"], one["fix_at"], one["heard_at"], one["battery_pct"]] == [None] * 4


def test_nobody_is_shown_without_an_order_in_force(console: Console) -> None:
    place(console.database_url, console.people, WEARER, [(NOW, 26.55, 101.71)], battery=37)
    run(
        console, "UPDATE supervision_order SET validity = tstzrange(lower(validity), %s) WHERE wearer = %s", NOW, WEARER
    )
    one = shown(console)
    assert [one["lat"], one["lon"], one["fix_at"], one["order_until"]] == [None] * 4


def test_a_band_handed_on_does_not_show_where_its_last_wearer_was(console: Console) -> None:
    place(console.database_url, console.people, WEARER, [(NOW - timedelta(hours=1), 26.55, 101.71)], battery=37)
    run(
        console,
        "UPDATE assignment SET validity = tstzrange(%s, NULL) WHERE wearer = %s",
        NOW - timedelta(minutes=5),
        WEARER,
    )
    assert shown(console)["lat"] is None


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        pytest.param([AlertCode.ZONE_EXIT], "breach", id="out of a zone"),
        pytest.param([AlertCode.DEVICE_SILENCE], "silent", id="not heard"),
        pytest.param([AlertCode.ZONE_EXIT, AlertCode.DEVICE_STRAP], "tamper", id="the gravest counts"),
        pytest.param([AlertCode.DEVICE_SOS, AlertCode.DEVICE_STRAP], "sos", id="help before all"),
        pytest.param([AlertCode.DEVICE_BATTERY], "ok", id="a low battery is no state of a person"),
    ],
)
def test_a_wearer_has_the_state_of_the_gravest_alert(console: Console, codes: list[AlertCode], state: str) -> None:
    raise_alerts(console.database_url, *(event(console.people, WEARER, code, NOW) for code in codes))
    assert shown(console)["state"] == state


def test_a_closed_incident_leaves_no_state_behind(console: Console) -> None:
    raise_alerts(console.database_url, event(console.people, WEARER, AlertCode.ZONE_EXIT, NOW))
    browser = console.sign_in()
    path = f"/api/incidents/{browser.get('/api/incidents').json()[0]['incident_id']}"
    browser.post(f"{path}/acknowledge", json={})
    browser.post(f"{path}/close", json={"cause": "approved_absence"})
    assert shown(console)["state"] == "ok"


@pytest.mark.parametrize("code", list(AlertCode))
def test_every_alert_code_has_a_state(code: AlertCode) -> None:
    assert wearer_state([code.value])


def test_zones_of_another_datum_are_drawn_where_they_stand(console: Console) -> None:
    def centre() -> list[float]:
        features = console.sign_in().get("/api/zones").json()["features"]
        school = next(one for one in features if one["properties"]["zone"] == "dongqu-school")
        return list(school["geometry"]["coordinates"])

    before = centre()
    run(console, "UPDATE zone SET datum = 'GCJ-02' WHERE id = 'dongqu-school'")
    east_m, north_m = (centre()[0] - before[0]) * 99_500, (centre()[1] - before[1]) * 111_195
    assert 200 < (east_m**2 + north_m**2) ** 0.5 < 700


def test_a_circle_is_drawn_by_its_middle_and_radius(console: Console) -> None:
    features = console.sign_in().get("/api/zones").json()["features"]
    circle = next(one for one in features if one["properties"]["zone"] == "dongqu-office")
    assert (circle["geometry"]["type"], circle["properties"]["radius_m"]) == ("Point", 60.0)


def test_looking_at_the_map_is_audited_once_an_hour(console: Console) -> None:
    browser = console.sign_in("dong")
    for _ in range(3):
        browser.get("/api/wearers")
    assert console.acts("map.view") == [("dong", "map", True)]
    console.clock.advance(minutes=61)
    browser.get("/api/wearers")
    assert len(console.acts("map.view")) == 2
