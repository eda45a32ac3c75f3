"""The queue, the evidence, and what operators may do."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from schemas.alerts import NOBODY, AlertCode, Transition
from tests.console.build import event, place, raise_alerts
from tests.console.conftest import NOW, Console

DONG, XI = "w-0001", "w-0008"


def raised(console: Console, *codes: AlertCode, wearer: str = DONG) -> str:
    """The id of the incident that these alerts of a wearer are in."""
    raise_alerts(console.database_url, *(event(console.people, wearer, code, NOW) for code in codes))
    newest = "SELECT incident_id FROM incident WHERE wearer_no = %s ORDER BY state <> 'closed' DESC LIMIT 1"
    return str(console.rows(newest, console.people.wearer_no[wearer])[0][0])


def acknowledge(browser: httpx.Client, incident: str) -> httpx.Response:
    return browser.post(f"/api/incidents/{incident}/acknowledge", json={})


def close(browser: httpx.Client, incident: str, cause: str = "confirmed", note: str = "") -> httpx.Response:
    return browser.post(f"/api/incidents/{incident}/close", json={"cause": cause, "note": note})


def queue(browser: httpx.Client, state: str = "open") -> list[dict[str, Any]]:
    incidents: list[dict[str, Any]] = browser.get("/api/incidents", params={"state": state}).json()
    return incidents


def test_the_queue_has_the_gravest_first_and_then_the_newest(console: Console) -> None:
    minute = timedelta(minutes=1)
    raise_alerts(
        console.database_url,
        event(console.people, "w-0001", AlertCode.DEVICE_BATTERY, NOW),
        event(console.people, "w-0002", AlertCode.ZONE_EXIT, NOW - 2 * minute),
        event(console.people, "w-0003", AlertCode.DEVICE_STRAP, NOW - 3 * minute),
        event(console.people, "w-0004", AlertCode.ZONE_EXIT, NOW - minute),
    )
    incidents = queue(console.sign_in())
    assert [one["wearer"] for one in incidents] == ["w-0003", "w-0004", "w-0002", "w-0001"]
    assert incidents[0]["codes"] == ["device.strap"]
    assert (incidents[0]["alerts"], incidents[0]["open_alerts"]) == (1, 1)


def test_an_operator_sees_their_own_orgs_only(console: Console) -> None:
    raised(console, AlertCode.ZONE_EXIT, wearer=DONG)
    elsewhere = raised(console, AlertCode.DEVICE_SOS, wearer=XI)
    browser = console.sign_in("dong")
    assert [one["wearer"] for one in queue(browser)] == [DONG]
    assert [one["wearer"] for one in queue(console.sign_in("chief"))] == [XI, DONG]
    assert browser.get(f"/api/incidents/{elsewhere}").status_code == 404
    assert acknowledge(browser, elsewhere).status_code == 404
    assert close(browser, elsewhere).status_code == 404
    refused = console.rows("SELECT action FROM audit WHERE operator = 'dong' AND NOT allowed ORDER BY audit_no")
    assert refused == [("incident.view",), ("incident.acknowledge",), ("incident.close",)]
    assert {one["org"] for one in browser.get("/api/wearers").json()["wearers"]} == {"dongqu"}
    assert {one["properties"]["org"] for one in browser.get("/api/zones").json()["features"]} == {"dongqu"}


def test_an_incident_shows_its_evidence_and_the_track_around_it(console: Console) -> None:
    times = [NOW - timedelta(hours=2), NOW - timedelta(minutes=20), NOW]
    place(console.database_url, console.people, DONG, [(at, 26.55, 101.7) for at in times], battery=64)
    raise_alerts(
        console.database_url,
        event(console.people, DONG, AlertCode.ZONE_EXIT, NOW, evidence={"zone_name": "home", "distance_m": 41.5}),
    )
    browser = console.sign_in("dong")
    incident = queue(browser)[0]["incident_id"]
    shown = browser.get(f"/api/incidents/{incident}").json()
    assert shown["evidence"][0]["evidence"] == {"zone_name": "home", "distance_m": 41.5}
    assert shown["evidence"][0]["device"] == "band-0001"
    assert "(band-0001) left “home” at 2026-11-23 14:29:00" in shown["evidence"][0]["reason"]["en"]
    assert "越出“home”：最后一个定位点在围栏外 42 m。" in shown["evidence"][0]["reason"]["zh"]
    assert len(shown["track"]) == 2
    assert console.acts("track.view") == [("dong", f"wearer:{DONG}", True)]
    assert console.acts("incident.view") == [("dong", f"incident:{incident}", True)]


def test_an_incident_is_acknowledged_and_then_closed_with_what_was_found(console: Console) -> None:
    incident, browser = raised(console, AlertCode.ZONE_EXIT), console.sign_in()
    taken = acknowledge(browser, incident).json()
    assert (taken["state"], taken["acknowledged_by"]) == ("acknowledged", "chief")
    assert [one["state"] for one in queue(browser)] == ["acknowledged"]
    console.clock.advance(minutes=4)
    ended = close(browser, incident, "approved_absence", " called back ").json()
    assert (ended["state"], ended["close_cause"], ended["close_note"]) == ("closed", "approved_absence", "called back")
    assert queue(browser) == []
    assert [one["incident_id"] for one in queue(browser, "closed")] == [incident]
    acts = browser.get(f"/api/incidents/{incident}").json()["acts"]
    assert [(act["operator"], act["action"]) for act in acts] == [
        ("chief", "incident.close"),
        ("chief", "incident.acknowledge"),
    ]


def test_what_was_latched_needs_a_note_and_ends_with_its_incident(console: Console) -> None:
    incident, browser = raised(console, AlertCode.DEVICE_STRAP), console.sign_in()
    acknowledge(browser, incident)
    refused = close(browser, incident, "device_fault", "  ")
    assert refused.status_code == 409
    assert "only with a note" in refused.json()["detail"]
    assert close(browser, incident, "device_fault", "clasp worn out").status_code == 200
    assert console.rows("SELECT state, cleared_at FROM alert") == [("cleared", NOW)]
    assert console.rows("SELECT count(*) FROM alert_event WHERE transition = 'cleared'") == [(1,)]
    assert console.acts("incident.close") == [
        ("chief", f"incident:{incident}", False),
        ("chief", f"incident:{incident}", True),
    ]


def test_a_condition_that_still_holds_is_not_ended_by_closing(console: Console) -> None:
    incident, browser = raised(console, AlertCode.ZONE_EXIT), console.sign_in()
    acknowledge(browser, incident)
    close(browser, incident)
    assert console.rows("SELECT state FROM alert") == [("open",)]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param(["close"], "acknowledge the incident before closing it", id="unacknowledged"),
        pytest.param(["acknowledge", "acknowledge"], "only an open incident can be acknowledged", id="taken twice"),
        pytest.param(["acknowledge", "close", "close"], "closed already", id="closed twice"),
    ],
)
def test_steps_out_of_order_are_refused_with_a_reason(console: Console, steps: list[str], message: str) -> None:
    incident, browser = raised(console, AlertCode.ZONE_EXIT), console.sign_in()
    act = {"acknowledge": acknowledge, "close": close}
    answers = [act[step](browser, incident) for step in steps]
    assert [answer.status_code for answer in answers[:-1]] == [200] * (len(steps) - 1)
    assert answers[-1].status_code == 409
    assert message in answers[-1].json()["detail"]
    assert console.acts(f"incident.{steps[-1]}")[-1] == ("chief", f"incident:{incident}", False)


@pytest.mark.parametrize("cause", ["self_cleared", "boredom"])
def test_a_person_chooses_among_the_causes_for_persons(console: Console, cause: str) -> None:
    incident, browser = raised(console, AlertCode.ZONE_EXIT), console.sign_in()
    acknowledge(browser, incident)
    assert close(browser, incident, cause).status_code in {409, 422}
    assert queue(browser)[0]["state"] == "acknowledged"


def test_an_alert_that_later_knowledge_refuted_comes_last(console: Console) -> None:
    raised(console, AlertCode.ZONE_EXIT, AlertCode.ZONE_APPROACH)
    refuted = event(console.people, DONG, AlertCode.ZONE_EXIT, NOW, transition=Transition.RETRACTED)
    raise_alerts(console.database_url, refuted)
    assert queue(console.sign_in())[0]["codes"] == ["zone.approach", "zone.exit"]


def test_names_are_told_in_both_languages(console: Console) -> None:
    names = console.sign_in().get("/api/codes").json()
    assert names["codes"]["device.strap"] == {
        "zh": "断带、拆卸",
        "en": "strap opened or cut",
        "priority": 4,
        "latching": True,
    }
    assert names["close_causes"]["self_cleared"]["by_person"] is False


def test_what_concerns_a_whole_org_names_no_wearer_and_says_what_is_lost(console: Console) -> None:
    one = event(console.people, DONG, AlertCode.SITE_OUTAGE, NOW)
    evidence = {"lost": 18, "expected": 60, "usual_share": 0.02, "score_nats": 34.6, "threshold_nats": 14.0,
                "bands": ["band-0001", "band-0002"]}  # fmt: skip
    raise_alerts(
        console.database_url,
        msgspec.structs.replace(
            one, subject="dongqu", device="", wearer="", device_no=NOBODY, wearer_no=NOBODY, seq=None, evidence=evidence
        ),
    )
    browser = console.sign_in("dong")
    (incident,) = queue(browser)
    assert (incident["wearer"], incident["wearer_name"], incident["org"]) == ("", "", "dongqu")
    detail = browser.get(f"/api/incidents/{incident['incident_id']}").json()
    (alert,) = detail["evidence"]
    assert alert["device"] == ""
    assert alert["evidence"]["bands"] == ["band-0001", "band-0002"]
    assert "大量手环同时失联：60 个手环中 18 个" in alert["reason"]["zh"]
    assert "lost many of its bands at once" in alert["reason"]["en"]
    assert detail["track"] == []
