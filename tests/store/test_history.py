"""What was stored, asked for again: readings, alerts, the registry of another time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import numpy as np
import psycopg
import pytest

from schemas.alerts import AlertCode, AlertEvent, Transition
from schemas.judging import Released
from schemas.readings import DTYPES, Readings
from schemas.registry import Registry
from store.acts import Act
from store.alerts import AlertWriter
from store.connection import Connection, connect
from store.history import (
    audit_look,
    events_of,
    find_alert,
    has_order,
    readings_of,
    registry_as_of,
    releases_of,
    versions,
)
from store.journal import PostgresJournal
from store.registry import import_registry, load_registry
from tests.store.build import COUNTS, EVENT_MS, ask, full_readings
from tests.store.build_registry import NOW, small_registry
from tests.world import alert_of_band_1

EVENT_TIME = datetime.fromtimestamp(EVENT_MS / 1000, UTC)
INGESTED = EVENT_TIME + timedelta(milliseconds=500)
HOUR = timedelta(hours=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as session:
        yield session


def keep(url: str, *batches: Readings) -> None:
    journal = PostgresJournal(url, "mqtt-0")
    for batch in batches:
        journal.persist(batch, (), **COUNTS)
    journal.close()


def stored(url: str, *events: AlertEvent) -> None:
    import_registry(url, small_registry(), now=NOW)
    writer = AlertWriter(url)
    writer.write(list(events))
    writer.close()


def strap(
    transition: Transition = Transition.OPENED, *, after_s: int = 0, seq: int | None = 0, times: int = 1
) -> AlertEvent:
    """A cut strap of band-1, which is device 1 and worn by wearer 1."""
    return alert_of_band_1(
        AlertCode.DEVICE_STRAP,
        onset_ms=EVENT_MS,
        at_ms=EVENT_MS + after_s * 1000,
        transition=transition,
        seq=seq,
        evidence={"occurrences": times},
    )


def assert_equal(found: Readings, expected: Readings) -> None:
    for name in DTYPES.keys() - {"firmware"}:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_readings_come_back_as_they_were_judged(connection: Connection, database_url: str) -> None:
    whole = full_readings(5).replace(
        hrv_rmssd_ms=np.linspace(30.1, 42.7, 5, dtype=np.float32),
        accuracy_m=np.array([0.1, 8.3, 12.7, 1e4, 3.3], np.float32),
        sos=np.array([0, 1, -1, 0, 1], np.int8),
    )
    keep(database_url, whole, full_readings(3, device=2))
    assert_equal(readings_of(connection, 1, EVENT_TIME, INGESTED), whole)


@pytest.mark.parametrize(
    "part",
    [{"lat": [26.5], "lon": [101.7]}, {"steps": [4.0]}, {"strap_closed": [0]}],
    ids=["position only", "vitals only", "device only"],
)
def test_what_a_reading_did_not_say_is_absent_when_it_comes_back(
    connection: Connection, database_url: str, part: dict[str, list[float]]
) -> None:
    reading = Readings.of(device=[1], wearer=[1], seq=[7], event_ms=[EVENT_MS], ingest_ms=[EVENT_MS], **part)
    keep(database_url, reading)
    found = readings_of(connection, 1, EVENT_TIME - HOUR, INGESTED)
    assert_equal(found, reading.replace(**{name: getattr(found, name) for name in ("accuracy_m", "age_s", "source")}))
    assert np.isnan(found.accuracy_m).all()


def test_only_what_had_reached_us_by_then_comes_back_in_the_order_in_which_it_did(
    connection: Connection, database_url: str
) -> None:
    late = full_readings(4).replace(ingest_ms=EVENT_MS + np.array([1000, 4000, 2000, 9000]))
    keep(database_url, late)
    found = readings_of(connection, 1, EVENT_TIME + timedelta(seconds=1), EVENT_TIME + timedelta(seconds=7))
    assert found.seq.tolist() == [2, 1]


def test_a_band_that_said_nothing_has_no_readings(connection: Connection) -> None:
    assert len(readings_of(connection, 1, EVENT_TIME, INGESTED)) == 0


def test_the_registry_of_an_earlier_version_is_what_was_loaded_then(connection: Connection) -> None:
    first = small_registry()
    import_registry(connection, first, now=NOW)
    believed = [load_registry(connection)]
    moved = msgspec.structs.replace(first.zones[0], radius_m=500.0)
    import_registry(connection, Registry(zones=[moved], plans=[]), now=NOW + HOUR)
    believed.append(load_registry(connection))
    wearer = msgspec.structs.replace(first.wearers[0], id="w-3")
    import_registry(connection, Registry(wearers=[wearer], zones=[first.zones[0]], plans=[]), now=NOW + 2 * HOUR)
    believed.append(load_registry(connection))

    made = versions(connection)
    assert [(v.number, v.since) for v in made] == [(n + 1, NOW + n * HOUR) for n in range(3)]
    assert [registry_as_of(connection, version) for version in made] == believed


def test_a_database_without_a_registry_has_no_versions(connection: Connection) -> None:
    assert versions(connection) == []


def test_an_alert_comes_with_the_evidence_that_opened_it_and_its_whole_life(
    connection: Connection, database_url: str
) -> None:
    stored(database_url, strap(), strap(Transition.UPDATED, after_s=60, times=2))
    found = find_alert(connection, strap().alert_id)
    assert found is not None
    assert (found.evidence, found.onset_at, found.rule_version) == ({"occurrences": 1}, EVENT_TIME, 1)
    assert (found.device, found.wearer, found.org, found.timezone) == ("band-1", "w-1", "dongqu", "Asia/Shanghai")
    life = events_of(connection, found.alert_id)
    assert [(event.transition, event.evidence["occurrences"]) for event in life] == [("opened", 1), ("updated", 2)]


def test_an_alert_nobody_raised_is_none(connection: Connection) -> None:
    identity = uuid4()
    assert find_alert(connection, identity) is None
    assert events_of(connection, identity) == []


def test_when_the_deciding_reading_reached_us_is_known_while_it_is_stored(
    connection: Connection, database_url: str
) -> None:
    stored(database_url, strap())
    without = find_alert(connection, strap().alert_id)
    keep(database_url, full_readings(2))
    found = find_alert(connection, strap().alert_id)
    assert without is not None
    assert found is not None
    assert (without.ingest_at, found.ingest_at) == (None, INGESTED)


def test_an_alert_decided_at_the_time_of_its_fix_finds_the_later_reading_that_brought_it(
    connection: Connection, database_url: str
) -> None:
    stored(database_url, strap(seq=40))
    keep(database_url, full_readings(1, seq=39), full_readings(1, seq=40, event_ms=EVENT_MS + 9000))
    found = find_alert(connection, strap().alert_id)
    assert found is not None
    assert found.ingest_at == INGESTED


def test_the_firmware_is_the_one_of_that_time(connection: Connection, database_url: str) -> None:
    stored(database_url, strap())
    for firmware, minutes in ((b"1.4.0", -90), (b"1.4.2", -10), (b"1.5.0", 10)):
        batch = full_readings(1, seq=minutes + 100, event_ms=EVENT_MS + minutes * 60_000)
        keep(database_url, batch.replace(firmware=np.array([firmware], DTYPES["firmware"])))
    found = find_alert(connection, strap().alert_id)
    assert found is not None
    assert found.firmware == "1.4.2"


def test_an_order_covers_its_wearer_from_its_first_moment_until_before_its_last(connection: Connection) -> None:
    import_registry(connection, small_registry(), now=NOW)
    moments = [NOW - HOUR, NOW, NOW + timedelta(days=89), NOW + timedelta(days=90)]
    assert [has_order(connection, "w-1", moment) for moment in moments] == [False, True, True, False]
    assert not has_order(connection, "w-2", NOW)


def test_what_people_closed_within_a_span_is_known_with_its_time(connection: Connection, database_url: str) -> None:
    stored(database_url, strap())
    closed_at = EVENT_TIME + HOUR
    with psycopg.connect(database_url) as other:
        other.execute("UPDATE incident SET state = 'closed', close_cause = 'test', closed_at = %s", [closed_at])
    released = Released(1, AlertCode.DEVICE_STRAP, EVENT_MS)
    assert releases_of(connection, 1, EVENT_TIME, closed_at) == [(closed_at, released)]
    assert releases_of(connection, 1, EVENT_TIME, closed_at - HOUR / 2) == []
    assert releases_of(connection, 2, EVENT_TIME, closed_at) == []


def test_a_look_is_a_line_of_the_audit(connection: Connection, database_url: str) -> None:
    audit_look(connection, Act(at=NOW, operator="li", action="alert.explain", subject="alert:x", detail="d"))
    query = "SELECT at, operator, action, subject, allowed, detail FROM audit"
    assert ask(database_url, query) == [(NOW, "li", "alert.explain", "alert:x", True, "d")]
