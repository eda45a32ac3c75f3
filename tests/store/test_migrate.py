import shutil
import threading
from datetime import date
from pathlib import Path

import psycopg
import pytest

from schemas.registry import DatedWindows
from store.errors import MigrationError, StoreError, StoreUnavailable
from store.flavour import Edition, flavour
from store.migrate import MIGRATIONS, migrate, pending, read_migrations
from store.registry import import_registry, load_registry
from tests.fix_database import Server
from tests.store.build_registry import NOW, small_registry

OURS = [migration.name for migration in read_migrations()]
HYPERTABLES = ["alert_event", "device_status", "journal", "position", "vitals"]


BEFORE = """
    INSERT INTO org VALUES ('city', '攀枝花', 'Panzhihua', NULL, 'Asia/Shanghai', 1, '(,)', '[2026-11-01Z,)');
    INSERT INTO wearer VALUES ('w-9', nextval('wearer_number'), 'city', '', 'red', false, 1, '(,)', '[2026-11-01Z,)');
    INSERT INTO schedule VALUES ('nights', '[{"days": ["mon"], "start": "22:00", "end": "06:00"}]', 'Asia/Shanghai', 1,
                                 '(,)', '[2026-11-01Z,)');
    INSERT INTO zone VALUES ('old', 'city', '家', 'curfew', 'WGS-84', '{"type": "Point", "coordinates": [101.7, 26.5]}',
                             80, NULL, 'nights', 1, '(,)', '[2026-11-01Z,)');
    INSERT INTO leave VALUES ('l-0', 'w-9', 'd', 'a', '2026-11-01Z', 1, '[2026-11-01Z,2026-11-03Z)', '[2026-11-01Z,)');
"""


@pytest.fixture
def empty_database(database_server: Server) -> str:
    return database_server.create_empty()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (a integer);")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (a integer); INSERT INTO second VALUES (2);")
    return tmp_path


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


def test_everything_is_pending_on_an_empty_database_and_nothing_after_migrating(empty_database: str) -> None:
    assert pending(empty_database) == OURS
    assert migrate(empty_database) == OURS
    assert pending(empty_database) == []
    assert migrate(empty_database) == []


def test_of_two_migrators_at_once_one_works_and_the_other_finds_nothing_to_do(empty_database: str) -> None:
    answers: list[list[str]] = []
    both = threading.Barrier(2)

    def run() -> None:
        both.wait()
        answers.append(migrate(empty_database))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [[], OURS]


def test_an_applied_file_that_changed_is_refused_by_name(empty_database: str, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE first (b integer);")
    (folder / "0003_third.sql").write_text("CREATE TABLE third (a integer);")
    for attempt in (migrate, pending):
        with pytest.raises(MigrationError, match=r"0001_first\.sql was changed after it was applied"):
            attempt(empty_database, folder)
    assert "third" not in tables(empty_database)


def test_a_database_newer_than_we_are_is_refused(empty_database: str, folder: Path) -> None:
    migrate(empty_database, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match="run a newer one"):
        migrate(empty_database, folder)


def test_a_file_that_fails_leaves_nothing_of_itself(empty_database: str, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE second (a integer); SELECT 1 / 0;")
    with pytest.raises(StoreError, match="division by zero"):
        migrate(empty_database, folder)
    assert tables(empty_database) & {"first", "second"} == {"first"}
    assert pending(empty_database, folder) == ["0002_second.sql"]


def test_a_file_whose_record_cannot_be_written_leaves_nothing_either(empty_database: str, folder: Path) -> None:
    refuse = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE division_by_zero; END';"
    when = "CREATE TRIGGER no BEFORE INSERT ON schema_migration FOR EACH ROW WHEN (NEW.name > '0002')"
    (folder / "0001_first.sql").write_text(f"{refuse} {when} EXECUTE FUNCTION no();")
    with pytest.raises(StoreError):
        migrate(empty_database, folder)
    assert "second" not in tables(empty_database)


def test_a_database_that_does_not_answer_is_unavailable_and_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/x") as caught:
        migrate("postgresql://alice:secret@127.0.0.1:1/x")
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


def test_a_registry_from_before_fences_and_leave_grew_is_kept_and_goes_on(empty_database: str, tmp_path: Path) -> None:
    for path in sorted(MIGRATIONS.glob("*.sql"))[:2]:
        shutil.copy(path, tmp_path)
    migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database) as connection:
        connection.execute(BEFORE)
    migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        loaded = load_registry(connection).registry
    (schedule,), (zone,), (leave,) = loaded.schedules, loaded.zones, loaded.leaves
    assert (schedule.exceptions, schedule.calendar, schedule.holiday_windows) == ([], None, [])
    assert (zone.radius_m, zone.width_m, zone.approach_m, zone.dwell_s) == (80, None, None, None)
    assert (leave.places, leave.permit) == ([], False)
    report = import_registry(empty_database, small_registry(), now=NOW)
    assert (report.changed, report.added, report.unchanged) == (1, 21, 1)
    with psycopg.connect(empty_database) as connection:
        (schedule,) = load_registry(connection).registry.schedules
    assert schedule.exceptions[0] == DatedWindows(first=date(2026, 12, 24))


def test_on_plain_postgresql_the_flavour_says_so(embedded_database: str) -> None:
    with psycopg.connect(embedded_database) as connection:
        assert flavour(connection).edition is Edition.PLAIN


def test_on_timescaledb_the_series_are_hypertables(timescale_database: str) -> None:
    with psycopg.connect(timescale_database) as connection:
        query = "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public'"
        assert sorted(name for (name,) in connection.execute(query)) == HYPERTABLES
        found = flavour(connection)
    assert found.edition in {Edition.TIMESCALE_APACHE, Edition.TIMESCALE_COMMUNITY}
    assert found.timescale is not None


def test_community_features_are_on_exactly_where_the_licence_offers_them(timescale_database: str) -> None:
    with psycopg.connect(timescale_database) as connection:
        community = flavour(connection).edition is Edition.TIMESCALE_COMMUNITY
        jobs = connection.execute("SELECT proc_name FROM timescaledb_information.jobs WHERE job_id >= 1000").fetchall()
    names = [name for (name,) in jobs]
    counted = (
        names.count("policy_compression"),
        names.count("policy_retention"),
        names.count("policy_refresh_continuous_aggregate"),
    )
    assert counted == ((5, 1, 2) if community else (0, 0, 0))


def test_the_hourly_aggregates_answer_the_same_on_every_edition(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("""
            INSERT INTO vitals
            SELECT 1, 7, at, at, extract(epoch FROM at), rate, 'NaN', 'NaN', 33, 5, 'NaN', 'NaN', 'NaN'
            FROM (VALUES (timestamptz '2026-11-23 10:05Z', 60), ('2026-11-23 10:55Z', 80),
                         ('2026-11-23 11:05Z', 'NaN'::real)) AS said (at, rate)
        """)
        connection.execute("""
            INSERT INTO position
            SELECT 1, 7, '2026-11-23 10:05Z', '2026-11-23 10:05Z', seq, 26.5, 101.7, 8, 0, 0, 0, 0, 9, 1, 0
            FROM generate_series(1, 3) AS seq
        """)
        connection.commit()
        vitals = connection.execute("""
            SELECT extract(hour FROM hour AT TIME ZONE 'UTC')::int, readings, heart_rate_bpm, heart_rate_min_bpm,
                   heart_rate_max_bpm, spo2_pct, skin_temp_c, steps
            FROM vitals_hourly WHERE wearer_no = 7 ORDER BY hour
        """).fetchall()
        fixes = connection.execute("SELECT wearer_no, fixes, accuracy_m FROM position_hourly").fetchall()
    assert vitals == [(10, 2, 70, 60, 80, None, 33, 10), (11, 1, None, None, None, None, 33, 5)]
    assert fixes == [(7, 3, 8)]
