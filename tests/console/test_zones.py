"""Zones through the API: checked as a registry file is, within one's own orgs, never back-dated, never deleted."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import Connection

from store.connection import connect
from store.listen import Listener
from store.registry import CHANNEL, load_registry
from tests.console.conftest import NOW, Clock, Console, console_over

BOW_TIE = [[101.71, 26.58], [101.72, 26.59], [101.72, 26.58], [101.71, 26.59], [101.71, 26.58]]
SQUARE = [[101.71, 26.58], [101.72, 26.58], [101.72, 26.59], [101.71, 26.59], [101.71, 26.58]]
LINE = {"type": "LineString", "coordinates": [[101.70, 26.57], [101.71, 26.575], [101.73, 26.575]]}


@pytest.fixture
def console(embedded_database: str, clock: Clock, tmp_path: Path) -> Iterator[Console]:
    """The registry's tables are the same in every kind of database: one will do."""
    with console_over(embedded_database, clock, tmp_path) as console:
        yield console


def feature(geometry: dict[str, Any] | None = None, zone_id: str | None = "market", **facts: Any) -> dict[str, Any]:
    """A keep-out square in Dongqu, unless said otherwise; a property that is None is left out."""
    properties = {"org": "dongqu", "name": "集市", "kind": "keep_out", "datum": "WGS-84"} | facts
    return {
        "type": "Feature",
        **({"id": zone_id} if zone_id else {}),
        "geometry": geometry or {"type": "Polygon", "coordinates": [SQUARE]},
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def circle(radius_m: float = 200, **facts: Any) -> dict[str, Any]:
    return feature({"type": "Point", "coordinates": [101.71, 26.58]}, radius_m=radius_m, **facts)


def problems(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(one["path"], one["en"]) for one in answer.json()["problems"]]


def stored(console: Console, zone_id: str = "market") -> list[tuple[Any, ...]]:
    return console.rows("SELECT name, validity, recorded FROM zone WHERE id = %s ORDER BY version", zone_id)


def drawn(browser: httpx.Client, zone_id: str = "market") -> dict[str, Any]:
    features = browser.get("/api/zones").json()["features"]
    return next(one for one in features if one["properties"]["zone"] == zone_id)


def test_a_zone_is_stored_from_now_on_and_answered_as_it_was_sent(console: Console) -> None:
    browser = console.sign_in("dong")
    answer = browser.post("/api/zones", json=feature(approach_m=100, wearers=["w-0001"]))
    assert answer.status_code == 201
    told = answer.json()
    assert (told["warnings"], told["round_trip_m"]) == ([], None)
    assert told["registry_version"] == told["zone"]["properties"]["version"] == console.people.version + 1
    assert told["zone"]["geometry"]["coordinates"] == [SQUARE]
    assert told["zone"]["properties"]["valid_from"] == "2026-11-23T06:30:00Z"
    assert browser.get("/api/zones/market").json() == told["zone"]
    assert console.acts("zone.create") == [("dong", "zone:market", True)]


def test_a_zone_without_an_id_is_given_one(console: Console) -> None:
    told = console.sign_in().post("/api/zones", json=feature(zone_id=None)).json()
    assert told["zone"]["id"].startswith("zone-")


def test_a_check_says_the_same_and_stores_nothing(console: Console) -> None:
    browser = console.sign_in()
    answer = browser.post("/api/zones?check=true", json=circle(radius_m=20))
    assert answer.status_code == 200
    assert "only 20.0 m from its middle to its line" in answer.json()["warnings"][0]["en"]
    assert answer.json()["warnings"][0]["zh"].startswith("中心到边界只有 20.0 米")
    assert answer.json()["warnings"][0]["path"] == "properties.radius_m"
    assert browser.get("/api/zones/market").status_code == 404
    assert console.acts("zone.create") == []


@pytest.mark.parametrize(
    ("sent", "path", "words"),
    [
        pytest.param(feature(datum=None), "properties.datum", "is missing", id="no datum"),
        pytest.param(feature(datum="WGS84"), "properties.datum", "Invalid enum value 'WGS84'", id="no such datum"),
        pytest.param(feature(colour="red"), "properties.colour", "unknown field; there are org", id="unknown property"),
        pytest.param(feature(org="xiqu"), "properties.org", "there is no xiqu in orgs", id="another org"),
        pytest.param(feature(org="moon"), "properties.org", "there is no moon in orgs", id="no such org"),
        pytest.param(feature(wearers=["w-0008"]), "properties.wearers[0]", "there is no w-0008 in", id="not theirs"),
        pytest.param(feature(schedule="never"), "properties.schedule", "there is no never in schedules", id="hours"),
        pytest.param(feature(kind="curfew", approach_m=9), "properties.approach_m", "only keep_in and", id="no ring"),
        pytest.param(feature(LINE), "properties.width_m", "a LineString needs a width", id="no width"),
        pytest.param(
            feature({"type": "Polygon", "coordinates": [SQUARE[:-1]]}),
            "geometry.coordinates[0]",
            "the ring is not closed",
            id="an open ring",
        ),
        pytest.param(
            feature({"type": "Polygon", "coordinates": [BOW_TIE]}),
            "geometry",
            "self-intersection at [101.715, 26.585]",
            id="a bow tie",
        ),
        pytest.param(
            feature({"type": "Point", "coordinates": [26.58, 101.71]}, radius_m=50),
            "geometry.coordinates",
            "GeoJSON has longitude first",
            id="latitude first",
        ),
        pytest.param(
            feature(valid_from="2026-11-23T06:29:59Z"), "properties.valid_from", "nothing is back-dated", id="began"
        ),
        pytest.param(
            feature(valid_to="2026-11-22T00:00:00Z"), "properties.valid_to", "is not after", id="over before it began"
        ),
        pytest.param(
            feature({"type": "Point", "coordinates": [101.71, 89.9999]}, radius_m=200, datum="GCJ-02"),
            "properties.datum",
            "more than 0.5 m",
            id="GCJ-02 where there is none",
        ),
        pytest.param(feature(id="b"), "properties.id", "a Feature has its id beside them", id="an id in two places"),
        pytest.param(
            feature({"type": "Polygon", "coordinates": 7}), "geometry.coordinates", "must be a list", id="no list"
        ),
        pytest.param(feature(zone_id="a b"), "id", "Expected `str` matching", id="a bad id"),
        pytest.param({"type": "FeatureCollection"}, "type", "send one GeoJSON Feature", id="no Feature"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_nothing_is_stored(
    console: Console, sent: dict[str, Any], path: str, words: str
) -> None:
    answer = console.sign_in("dong").post("/api/zones", json=sent)
    assert any(where == path and words in what for where, what in problems(answer)), answer.text
    assert all(one["zh"] != one["en"] for one in answer.json()["problems"]), answer.text
    assert stored(console) == []
    assert console.acts("zone.create")[-1][2] is False


def test_everything_wrong_is_told_at_once_and_in_chinese(console: Console) -> None:
    answer = console.sign_in().post("/api/zones", json=feature(LINE, org="moon", schedule="never"))
    assert [path for path, _ in problems(answer)] == ["properties.org", "properties.schedule", "properties.width_m"]
    assert [one["zh"] for one in answer.json()["problems"]] == [
        "没有这个机构：moon",
        "没有这个时间表：never",
        "走廊须填宽度（米）",
    ]
    assert answer.json()["detail"] == "3 problems; nothing was stored"


def test_a_repaired_shape_is_offered_on_request_and_never_stored_silently(console: Console) -> None:
    browser, sent = console.sign_in(), feature({"type": "Polygon", "coordinates": [BOW_TIE]})
    assert "repair" not in browser.post("/api/zones", json=sent).json()
    answer = browser.post("/api/zones?repair=true", json=sent)
    offered = answer.json()["repair"]
    assert answer.status_code == 422
    assert offered["defect"] == "self-intersection at [101.715, 26.585]"
    assert offered["change"].startswith("1 part, 0 holes, 4 corners → 2 parts")
    assert stored(console) == []
    assert browser.post("/api/zones", json=sent | {"geometry": offered["geometry"]}).status_code == 201


def test_gcj02_is_stored_as_sent_and_tells_the_error_of_its_conversion(console: Console) -> None:
    browser = console.sign_in()
    told = browser.post("/api/zones", json=circle(datum="GCJ-02")).json()
    assert 0 <= told["round_trip_m"] <= 0.5
    assert told["zone"]["geometry"]["coordinates"] == [101.71, 26.58]
    lon, lat = drawn(browser)["geometry"]["coordinates"]
    # The frames lie hundreds of metres apart there.
    assert 200 < abs(lon - 101.71) * 99_500 + abs(lat - 26.58) * 111_195 < 800


def test_a_zone_that_leaves_no_way_to_obey_draws_a_warning(console: Console) -> None:
    home = next(zone for zone in console.people.registry.zones if zone.kind == "curfew" and zone.org == "dongqu")
    around = {"type": "Point", "coordinates": home.geometry["coordinates"]}
    answer = console.sign_in("dong").post("/api/zones", json=feature(around, radius_m=5000, wearers=home.wearers))
    assert answer.status_code == 201
    words = [one["en"] for one in answer.json()["warnings"]]
    assert any(f"contains curfew zone {home.id}" in one for one in words), words
    assert all(one["zh"] != one["en"] for one in answer.json()["warnings"])


def test_replacing_keeps_the_beginning_and_the_history(console: Console) -> None:
    browser = console.sign_in()
    browser.post("/api/zones", json=feature())
    console.clock.advance(hours=1)
    read = browser.get("/api/zones/market").json()
    read["properties"]["name"] = "大集市"
    answer = browser.put("/api/zones/market", json=read)
    assert answer.status_code == 200
    assert answer.json()["zone"]["properties"]["valid_from"] == "2026-11-23T06:30:00Z"
    old, new = stored(console)
    assert (old[0], old[2].upper, new[0], new[2].upper) == ("集市", NOW + timedelta(hours=1), "大集市", None)
    again = browser.put("/api/zones/market", json=read)
    assert (again.status_code, again.json()["detail"]) == (
        409,
        f"market was changed meanwhile (version {console.people.version + 2}); read it again",
    )
    assert console.acts("zone.replace") == [("chief", "zone:market", True), ("chief", "zone:market", False)]


def test_when_a_zone_began_cannot_be_changed_any_more(console: Console) -> None:
    browser = console.sign_in()
    browser.post("/api/zones", json=feature())
    answer = browser.put("/api/zones/market", json=feature(valid_from="2026-11-24T00:00:00Z"))
    assert problems(answer) == [("properties.valid_from", "the zone has begun, and that stands; leave it out")]


def test_a_zone_ends_now_and_stays_known(console: Console) -> None:
    browser = console.sign_in()
    browser.post("/api/zones", json=feature())
    console.clock.advance(hours=1)
    answer = browser.post("/api/zones/market/end", json={})
    assert (answer.status_code, answer.json()["zone"]["properties"]["valid_to"]) == (200, "2026-11-23T07:30:00Z")
    assert all(one["properties"]["zone"] != "market" for one in browser.get("/api/zones").json()["features"])
    assert browser.get("/api/zones/market").status_code == 200
    for again in (browser.post("/api/zones/market/end", json={}), browser.put("/api/zones/market", json=feature())):
        assert (again.status_code, again.json()["detail"]) == (
            409,
            "market ended at 2026-11-23T07:30:00+00:00; draw a new one",
        )
    assert browser.post("/api/zones", json=feature()).status_code == 409
    assert browser.delete("/api/zones/market", headers={"content-type": "application/json"}).status_code == 405


def test_a_zone_that_has_not_begun_never_will_once_it_is_ended(console: Console) -> None:
    browser = console.sign_in()
    browser.post("/api/zones", json=feature(valid_from="2026-12-01T00:00:00Z"))
    ended = browser.post("/api/zones/market/end", json={}).json()["zone"]["properties"]
    assert (ended["valid_from"], ended["valid_to"]) == ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00.000001Z")


def test_other_orgs_zones_are_out_of_reach(console: Console) -> None:
    browser = console.sign_in("dong")
    for answer in (
        browser.get("/api/zones/xiqu-school"),
        browser.put("/api/zones/xiqu-school", json=feature()),
        browser.post("/api/zones/xiqu-school/end", json={}),
        browser.get("/api/zones/nothing"),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("there is no zone ")
    assert {
        action for (action,) in console.rows("SELECT action FROM audit WHERE operator = 'dong' AND NOT allowed")
    } == {
        "zone.view",
        "zone.replace",
        "zone.end",
    }


def test_who_may_only_watch_changes_nothing(console: Console) -> None:
    browser = console.sign_in("xi")
    assert browser.get("/api/me").json()["changes_rules"] is False
    for answer in (
        browser.post("/api/zones", json=feature(org="xiqu")),
        browser.post("/api/zones?check=true", json=feature(org="xiqu")),
        browser.put("/api/zones/xiqu-school", json=feature(org="xiqu")),
        browser.post("/api/zones/xiqu-school/end", json={}),
    ):
        assert answer.status_code == 403
    assert browser.get("/api/zones/xiqu-school").status_code == 200
    assert {(operator, allowed) for operator, _, allowed in console.acts("rules.change")} == {("xi", False)}


def test_a_change_tells_every_judge_and_leaves_the_rest_of_the_registry_alone(console: Console) -> None:
    browser = console.sign_in()
    with Listener(console.database_url, [CHANNEL]) as listener:
        listener.poll(0.1)
        version = browser.post("/api/zones", json=feature()).json()["registry_version"]
        assert [told.payload for told in listener.poll(5)] == [str(version)]
    with connect(console.database_url, autocommit=True) as connection:
        assert_only_one_more_zone(connection, console, version)


def assert_only_one_more_zone(connection: Connection[Any], console: Console, version: int) -> None:
    after, before = load_registry(connection), console.people
    assert after.version == version
    assert [zone.id for zone in after.registry.zones if zone not in before.registry.zones] == ["market"]
    assert (after.registry.plans, after.registry.wearers) == (before.registry.plans, before.registry.wearers)


@pytest.mark.parametrize(
    ("body", "status"),
    [pytest.param(b"{", 422, id="no JSON"), pytest.param(b'"' + b"x" * 2_000_001, 413, id="more than a border needs")],
)
def test_what_cannot_be_read_is_refused(console: Console, body: bytes, status: int) -> None:
    answer = console.sign_in().post("/api/zones", content=body, headers={"content-type": "application/geo+json"})
    assert answer.status_code == status


def test_choices_are_those_of_ones_own(console: Console) -> None:
    browser = console.sign_in("dong")
    assert [one["org"] for one in browser.get("/api/orgs").json()] == ["dongqu"]
    assert all(one["windows"] for one in browser.get("/api/schedules").json())
