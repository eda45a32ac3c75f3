import math
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from schemas.alerts import KINDS, NOBODY, AlertCode, AlertEvent, Priority, Transition, alert_id
from schemas.registry import Contact, Org, Registry
from store.alerts import INCIDENT_CHANNEL, PAGE_CHANNEL, AlertWriter
from store.errors import StoreUnavailable
from store.registry import import_registry
from tests.store.build import EVENT_MS, ask
from tests.store.build_registry import NOW
from tests.store.lossy import LossyWay

OPENED, UPDATED, CLEARED, RETRACTED, REOPENED = Transition
MINUTE_MS = 60_000


@pytest.fixture
def writer(database_url: str) -> Iterator[AlertWriter]:
    made = AlertWriter(database_url)
    yield made
    made.close()


def event(
    code: AlertCode = AlertCode.ZONE_EXIT,
    transition: Transition = OPENED,
    *,
    onset: int = 0,
    at: int = 0,
    wearer_no: int = 7,
    priority: Priority | None = None,
    historic: bool = False,
    evidence: dict[str, Any] | None = None,
) -> AlertEvent:
    """An event of a wearer in dongqu, with the band of the same number; ``onset`` and ``at`` in minutes."""
    onset_ms, band = EVENT_MS + onset * MINUTE_MS, f"band-{wearer_no}"
    return AlertEvent(
        alert_id=alert_id("dongqu", band, code, "home", onset_ms),
        transition=transition,
        code=code,
        priority=KINDS[code].priority if priority is None else priority,
        subject="home",
        org="dongqu",
        device=band,
        wearer=f"w-{wearer_no}",
        device_no=wearer_no,
        wearer_no=wearer_no,
        onset_ms=onset_ms,
        at_ms=EVENT_MS + at * MINUTE_MS,
        seq=5,
        rule_version=3,
        historic=historic,
        evidence={"margin_m": 12.5} if evidence is None else evidence,
    )


def outage(
    org: str, transition: Transition = OPENED, *, onset: int = 0, at: int = 0, orgs: tuple[str, ...] = ()
) -> AlertEvent:
    """An outage of a site, which is nobody's; ``onset`` and ``at`` in minutes."""
    code = AlertCode.SITE_OUTAGE
    of_nobody = event(code, transition, onset=onset, at=at, wearer_no=NOBODY, evidence={"orgs": list(orgs) or [org]})
    identity = alert_id(org, "", code, org, of_nobody.onset_ms)
    return msgspec.structs.replace(of_nobody, alert_id=identity, subject=org, org=org, device="", wearer="", seq=None)


def incidents(url: str) -> list[tuple[Any, ...]]:
    return ask(url, "SELECT cause, state, priority FROM incident ORDER BY opened_at, cause")


def paged(url: str) -> list[str]:
    return [contact for (contact,) in ask(url, "SELECT contact FROM page ORDER BY contact")]


def acknowledge(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE incident SET state = 'acknowledged', acknowledged_by = 'li'")


def close(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE incident SET state = 'closed', close_cause = 'confirmed'")


@pytest.fixture
def contacts(database_url: str) -> None:
    """The city above the district, a district beside it, and who wants to know what."""
    asked = {
        "city-high": ("city", "high"),
        "district-low": ("dongqu", "low"),
        "district-highest": ("dongqu", "highest"),
    }
    asked |= {"care": ("dongqu", "welfare"), "elsewhere": ("xiqu", "welfare")}
    registry = Registry(
        orgs=[Org(id="city", name="C"), *(Org(id=name, name=name, parent="city") for name in ("dongqu", "xiqu"))],
        contacts=[
            Contact(id=name, org=org, name=name, url="json://x", min_priority=least)
            for name, (org, least) in asked.items()
        ],
    )
    import_registry(database_url, registry, now=NOW)


def test_an_opened_alert_is_kept_with_its_evidence_in_a_new_incident(writer: AlertWriter, database_url: str) -> None:
    assert len(writer.write([event(evidence={"fixes": [1, 2], "speed_mps": math.nan})])) == 1
    query = """
        SELECT code, state, priority, subject, device_no, wearer_no, seq, rule_version, evidence,
               (extract(epoch FROM onset_at) * 1000)::bigint, cleared_at
        FROM alert
    """
    (row,) = ask(database_url, query)
    assert row == ("zone.exit", "open", 3, "home", 7, 7, 5, 3, {"fixes": [1, 2], "speed_mps": None}, EVENT_MS, None)
    assert incidents(database_url) == [("zone", "open", Priority.HIGH)]


def test_alerts_of_one_wearer_and_cause_are_one_incident_and_others_are_their_own(
    writer: AlertWriter, database_url: str
) -> None:
    writer.write([event(onset=0), event(AlertCode.ZONE_CURFEW, onset=1), event(AlertCode.DEVICE_STRAP, onset=2)])
    writer.write([event(onset=3), event(onset=4, wearer_no=8)])
    query = """
        SELECT wearer_no, cause, count(*) FROM incident JOIN alert USING (incident_id, wearer_no)
        GROUP BY 1, 2 ORDER BY 1, 2
    """
    assert ask(database_url, query) == [(7, "tamper", 1), (7, "zone", 3), (8, "zone", 1)]


def test_the_same_events_again_change_nothing_and_page_nobody(
    writer: AlertWriter, database_url: str, contacts: None
) -> None:
    events = [event(), event(transition=CLEARED, at=9), event(AlertCode.DEVICE_STRAP)]
    assert len(writer.write(events)) == 3
    tables = ("incident", "alert", "alert_event", "page")
    before = [ask(database_url, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
    assert len(writer.write(events)) == 0
    another = AlertWriter(database_url)
    assert len(another.write(events)) == 0
    another.close()
    assert [ask(database_url, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before  # noqa: S608


def test_an_alert_opens_once_even_if_a_replay_decides_it_at_another_tick(
    writer: AlertWriter, database_url: str, contacts: None
) -> None:
    writer.write([event(at=1)])
    close(database_url)
    writer.write([event(at=2)])
    assert incidents(database_url) == [("zone", "closed", Priority.HIGH)]
    assert ask(database_url, "SELECT count(*) FROM alert_event") == [(2,)]


def test_an_update_adds_evidence_and_may_raise_the_priority_but_never_lower_it(
    writer: AlertWriter, database_url: str
) -> None:
    battery = AlertCode.DEVICE_BATTERY
    writer.write([event(battery, evidence={"battery_pct": 18})])
    writer.write([event(battery, UPDATED, at=5, priority=Priority.MEDIUM, evidence={"battery_pct": 7})])
    writer.write([event(battery, UPDATED, at=6, priority=Priority.LOW, evidence={"empty_in_min": 30})])
    (row,) = ask(database_url, "SELECT state, priority, evidence FROM alert")
    assert row == ("open", Priority.MEDIUM, {"battery_pct": 7, "empty_in_min": 30})
    assert incidents(database_url) == [("power", "open", Priority.MEDIUM)]


def test_a_low_incident_closes_itself_with_its_last_alert(writer: AlertWriter, database_url: str) -> None:
    silence, no_fix = AlertCode.DEVICE_SILENCE, AlertCode.DEVICE_NO_FIX
    writer.write([event(silence), event(no_fix), event(silence, CLEARED, at=3, evidence={"back": True})])
    assert incidents(database_url) == [("contact", "open", Priority.MEDIUM)]
    writer.write([event(no_fix, RETRACTED, at=4)])
    (row,) = ask(
        database_url,
        "SELECT state, closed_by, close_cause, (extract(epoch FROM closed_at) * 1000)::bigint FROM incident",
    )
    assert row == ("closed", "system", "self_cleared", EVENT_MS + 4 * MINUTE_MS)
    assert ask(database_url, "SELECT state, evidence FROM alert ORDER BY code DESC") == [
        ("cleared", {"margin_m": 12.5, "ended": {"back": True}}),
        ("retracted", {"margin_m": 12.5, "ended": {"margin_m": 12.5}}),
    ]


def test_a_high_incident_waits_for_a_person_even_when_its_condition_is_over(
    writer: AlertWriter, database_url: str
) -> None:
    writer.write([event(), event(transition=CLEARED, at=9)])
    assert incidents(database_url) == [("zone", "open", Priority.HIGH)]
    acknowledge(database_url)
    writer.write([event(onset=20, at=21), event(onset=20, transition=CLEARED, at=22)])
    assert incidents(database_url) == [("zone", "acknowledged", Priority.HIGH)]


def test_a_tamper_incident_never_closes_itself(writer: AlertWriter, database_url: str) -> None:
    writer.write([event(AlertCode.DEVICE_STRAP)])
    acknowledge(database_url)
    writer.write([event(AlertCode.DEVICE_STRAP, CLEARED, at=1)])
    assert incidents(database_url) == [("tamper", "acknowledged", Priority.HIGHEST)]


def test_after_an_incident_ended_the_next_alert_opens_another(writer: AlertWriter, database_url: str) -> None:
    writer.write([event(), event(transition=CLEARED, at=1)])
    close(database_url)
    writer.write([event(AlertCode.ZONE_CURFEW, at=2)])
    writer.write([event(onset=9, at=9)])
    assert incidents(database_url) == [("zone", "closed", 3), ("zone", "open", 3)]
    assert ask(database_url, "SELECT count(*) FROM alert GROUP BY incident_id ORDER BY 1") == [(1,), (2,)]


def test_an_alert_that_ended_too_early_holds_again_in_its_incident(writer: AlertWriter, database_url: str) -> None:
    events = [event(), event(transition=CLEARED, at=5), event(transition=REOPENED, at=6)]
    assert len(writer.write(events)) == 3
    assert ask(database_url, "SELECT state, cleared_at FROM alert") == [("open", None)]
    assert incidents(database_url) == [("zone", "open", Priority.HIGH)]
    assert len(writer.write(events)) == 0
    assert ask(database_url, "SELECT state FROM alert") == [("open",)]


def test_an_alert_reopened_after_its_incident_closed_is_in_a_new_one_that_calls_people(
    writer: AlertWriter, database_url: str, contacts: None
) -> None:
    silence = AlertCode.DEVICE_SILENCE
    writer.write([event(silence), event(silence, RETRACTED, at=1)])
    assert incidents(database_url) == [("contact", "closed", Priority.MEDIUM)]
    pages = len(ask(database_url, "SELECT 1 FROM page"))
    writer.write([event(silence, REOPENED, at=2)])
    assert sorted(incidents(database_url)) == [
        ("contact", "closed", Priority.MEDIUM),
        ("contact", "open", Priority.MEDIUM),
    ]
    ((state,),) = ask(database_url, "SELECT incident.state FROM alert JOIN incident USING (incident_id)")
    assert state == "open"
    assert len(ask(database_url, "SELECT 1 FROM page")) > pages > 0


def test_an_alert_that_comes_and_goes_has_an_incident_each_time(writer: AlertWriter, database_url: str) -> None:
    silence = AlertCode.DEVICE_SILENCE
    for minute in (0, 2, 4):
        begins = REOPENED if minute else OPENED
        writer.write([event(silence, begins, at=minute), event(silence, RETRACTED, at=minute + 1)])
    writer.write([event(silence, REOPENED, at=6)])
    assert [state for _, state, _ in incidents(database_url)] == ["closed", "closed", "closed", "open"]


def test_outages_of_two_orgs_are_two_incidents_and_each_ends_with_its_own(
    writer: AlertWriter, database_url: str
) -> None:
    writer.write([outage("dongqu"), outage("xiqu", at=1), outage("dongqu", onset=5, at=6)])
    query = "SELECT org, count(*) FROM incident JOIN alert USING (incident_id) GROUP BY incident_id ORDER BY 1"
    assert ask(database_url, query) == [("dongqu", 2), ("xiqu", 1)]
    writer.write([outage("xiqu", CLEARED, at=9)])
    assert ask(database_url, "SELECT org, state FROM incident ORDER BY 1") == [("dongqu", "open"), ("xiqu", "closed")]


def test_the_people_of_every_org_that_is_lost_are_called_once(
    writer: AlertWriter, database_url: str, contacts: None
) -> None:
    writer.write([outage("city", orgs=("dongqu", "xiqu"))])
    assert paged(database_url) == ["care", "district-low", "elsewhere"]
    writer.write([outage("dongqu", at=1)])
    assert paged(database_url) == ["care", "care", "district-low", "district-low", "elsewhere"]


WEARER_0 = "INSERT INTO wearer VALUES ('w-0', 0, 'dongqu', '', 'red', false, 1, '(,)', '[2026-11-01Z,)')"
DEVICE_0 = "INSERT INTO device VALUES ('band-0', 0, 'dongqu', '', 1, '(,)', '[2026-11-01Z,)')"


@pytest.mark.parametrize("nobody", [WEARER_0, DEVICE_0], ids=["wearer", "device"])
def test_the_number_of_nobody_is_given_to_nobody(database_url: str, nobody: str) -> None:
    first = "SELECT min_value FROM pg_sequences WHERE sequencename IN ('wearer_number', 'device_number')"
    assert ask(database_url, first) == [(1,), (1,)]
    with pytest.raises(psycopg.errors.CheckViolation, match="_is_some"):
        ask(database_url, nobody)


def test_late_knowledge_refutes_an_alert_that_had_ended(writer: AlertWriter, database_url: str) -> None:
    silence = AlertCode.DEVICE_SILENCE
    writer.write([event(silence), event(silence, CLEARED, at=1), event(silence, UPDATED, at=2)])
    assert ask(database_url, "SELECT state FROM alert") == [("cleared",)]
    writer.write([event(silence, RETRACTED, at=3)])
    assert ask(database_url, "SELECT state FROM alert") == [("retracted",)]
    assert incidents(database_url) == [("contact", "closed", Priority.MEDIUM)]


def test_people_of_the_org_and_above_are_paged_from_the_priority_they_asked_for(
    writer: AlertWriter, database_url: str, contacts: None
) -> None:
    writer.write([event(AlertCode.VITALS_FALL)])
    assert paged(database_url) == ["care"]
    writer.write([event(wearer_no=8)])
    assert paged(database_url) == ["care", "care", "city-high", "district-low"]


def test_a_second_alert_pages_only_when_it_is_graver(writer: AlertWriter, database_url: str, contacts: None) -> None:
    writer.write([event(AlertCode.ZONE_DWELL)])
    assert paged(database_url) == ["care", "district-low"]
    writer.write([event(AlertCode.ZONE_APPROACH, onset=1)])
    assert paged(database_url) == ["care", "district-low"]
    writer.write([event(onset=2)])
    assert paged(database_url) == ["care", "city-high", "district-low"]


def test_a_historic_finding_pages_nobody_until_a_live_one_joins_it(
    writer: AlertWriter, database_url: str, contacts: None
) -> None:
    writer.write([event(historic=True), event(transition=CLEARED, at=1)])
    assert paged(database_url) == []
    assert ask(database_url, "SELECT historic FROM incident") == [(True,)]
    writer.write([event(AlertCode.ZONE_DWELL, onset=2)])
    assert paged(database_url) == ["care", "city-high", "district-low"]
    assert ask(database_url, "SELECT historic FROM incident") == [(False,)]


def test_an_end_pages_nobody(writer: AlertWriter, database_url: str, contacts: None) -> None:
    writer.write([event(AlertCode.ZONE_DWELL), event(AlertCode.ZONE_DWELL, CLEARED, at=1, priority=Priority.HIGHEST)])
    assert paged(database_url) == ["care", "district-low"]


def test_listeners_hear_of_each_new_event_and_of_pages(writer: AlertWriter, database_url: str, contacts: None) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {INCIDENT_CHANNEL}")
        listener.execute(f"LISTEN {PAGE_CHANNEL}")
        writer.write([event(), event(transition=CLEARED, at=1)])
        writer.write([event()])
        heard = [(notice.channel, notice.payload) for notice in listener.notifies(timeout=0.2)]
    news = [msgspec.json.decode(payload) for channel, payload in heard if channel == INCIDENT_CHANNEL]
    ((incident,),) = ask(database_url, "SELECT incident_id FROM incident")
    expected = {"incident_id": str(incident), "alert_id": str(event().alert_id)}
    assert news == [expected | {"transition": "opened"}, expected | {"transition": "cleared"}]
    assert [payload for channel, payload in heard if channel == PAGE_CHANNEL] == [""]


def test_ids_are_the_same_in_every_database_that_sees_the_same_events(writer: AlertWriter, database_url: str) -> None:
    writer.write([event()])
    assert ask(database_url, "SELECT incident_id FROM incident") == [(UUID("a7b7b998-f6b5-5441-8b46-dd46a9f043ee"),)]


def test_a_write_whose_answer_was_lost_is_absorbed_on_retry(database_url: str, contacts: None) -> None:
    with LossyWay(database_url) as way:
        writer = AlertWriter(way.url)
        way.lose_next_commit()
        with pytest.raises(StoreUnavailable):
            writer.write([event()])
        assert len(writer.write([event(), event(onset=1)])) == 1
        writer.close()
    assert ask(database_url, "SELECT count(*) FROM alert") == [(2,)]
    assert len(paged(database_url)) == 3


def test_two_writers_opening_one_incident_at_once_agree_on_it(database_url: str) -> None:
    failures: list[BaseException] = []

    def run(code: AlertCode) -> None:
        writer = AlertWriter(database_url)
        try:
            for wearer_no in range(1, 40):
                writer.write([event(code, onset=KINDS[code].priority, wearer_no=wearer_no)])
        except BaseException as error:  # noqa: BLE001 - the main thread fails with it
            failures.append(error)
        writer.close()

    threads = [
        threading.Thread(target=run, args=[code]) for code in (AlertCode.DEVICE_STRAP, AlertCode.DEVICE_OFF_BODY)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert ask(database_url, "SELECT count(*) FROM incident") == [(39,)]
    assert ask(database_url, "SELECT DISTINCT count(*) FROM alert GROUP BY incident_id") == [(2,)]


def outage_of(org: str, transition: Transition = OPENED, at: int = 0) -> AlertEvent:
    """What concerns a whole org belongs to no wearer."""
    code = AlertCode.SITE_OUTAGE
    made = event(code, transition, at=at, wearer_no=NOBODY)
    identity = alert_id(org, "", code, org, made.onset_ms)
    return msgspec.structs.replace(made, alert_id=identity, org=org, subject=org, device="", wearer="", seq=None)


def test_two_orgs_out_at_once_are_two_incidents_and_each_org_has_one(writer: AlertWriter, database_url: str) -> None:
    writer.write([outage_of("dongqu"), outage_of("xiqu"), outage_of("dongqu")])
    orgs = "SELECT org, count(*) FROM incident WHERE wearer_no = 0 AND state = 'open' GROUP BY 1 ORDER BY 1"
    assert ask(database_url, orgs) == [("dongqu", 1), ("xiqu", 1)]
    writer.write([outage_of("dongqu", Transition.CLEARED, at=30)])
    assert ask(database_url, "SELECT org FROM alert JOIN incident USING (incident_id) WHERE alert.state = 'open'") == [
        ("xiqu",)
    ]
