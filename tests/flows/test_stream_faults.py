"""What the worker stands on breaks away and comes back: nothing acknowledged is lost, nobody has to help."""

from pathlib import Path

from tests import world
from tests.desk import AWAY, BANDS, Desk, open_desk
from tests.fix_database import Breakable
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until


def test_two_partitions_share_the_work_and_lose_nothing(
    database_url: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with open_desk(database_url, mosquitto, tmp_path, SHOUHUAN_PARTITIONS="2") as desk:
        wait_until(lambda: desk.log.count("broker-connected") == 2, "both sessions")
        for number in range(4):
            for band in range(1, BANDS + 1):
                desk.says(band, at=world.HOME if number < 2 else AWAY)
        desk.wait_stored(desk.sent)
        wait_until(lambda: desk.one("SELECT count(*) FROM alert") == BANDS, f"every alert; log:\n{desk.log}")
        assert len(desk.rows("SELECT FROM journal_head WHERE batch_no > 0")) == 2


def test_a_broker_that_restarts_is_found_again_with_what_it_held(
    database_url: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with open_desk(database_url, mosquitto, tmp_path) as desk:
        desk.says()
        desk.says()
        desk.wait_stored(2)
        desk.worker.kill()
        desk.says(at=AWAY)
        mosquitto.stop()
        mosquitto.start()
        desk.says(at=AWAY)
        desk.worker.start()
        desk.wait_stored(4)
        wait_until(lambda: desk.rows("SELECT code FROM alert") == [("zone.exit",)], f"the alert; log:\n{desk.log}")


def test_a_database_that_crashes_is_waited_for_and_nothing_is_lost(
    breakable_database: Breakable, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with open_desk(breakable_database.url, mosquitto, tmp_path) as desk:
        feed(desk, world.HOME, world.HOME)
        desk.wait_stored(2 * BANDS)
        breakable_database.crash()
        feed(desk, AWAY, AWAY)
        wait_until(lambda: "store-unavailable" in desk.log, f"the worker noticing; log:\n{desk.log}")
        breakable_database.start()
        desk.wait_stored(desk.sent)
        wait_until(lambda: desk.one("SELECT count(*) FROM alert") == BANDS, f"every alert; log:\n{desk.log}")
        assert desk.one("SELECT count(*) FROM position") == desk.sent
        assert desk.worker.process.poll() is None


def feed(desk: Desk, *places: tuple[float, float]) -> None:
    for place in places:
        for band in range(1, BANDS + 1):
            desk.says(band, at=place)
