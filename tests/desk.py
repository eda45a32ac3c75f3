"""A running worker with everything around it, and a pen to be any of its bands with ``mosquitto_pub``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from schemas.registry import Zone, ZoneKind
from shouhuan.clock import now, now_ms
from store.registry import import_registry
from tests import world
from tests.processes import Running, running
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until

AWAY = world.north_of_home(500)
BANDS = 20
HOME_ZONE = world.circle("home", ZoneKind.KEEP_IN)


class Desk:
    """The worker, what it listens to and where it writes, with a registry that holds now."""

    worker: Running

    def __init__(self, url: str, broker: Mosquitto) -> None:
        self.url, self.broker = url, broker
        self._seq = dict.fromkeys(range(1, BANDS + 1), 0)
        self.sent = 0
        self._at = now()

    def imports(self, *zones: Zone) -> None:
        """The registry with these zones for every band; lawful now."""
        import_registry(self.url, world.registry(*zones, at=self._at, bands=BANDS), now=now())

    def says(self, band: int = 1, at: tuple[float, float] = world.HOME, **parts: Any) -> None:
        reading = {"time_ms": now_ms(), "fix": {"lat": at[0], "lon": at[1], "accuracy_m": 8.5}, **parts}
        message = {"v": 1, "seq": self._seq[band], "readings": [reading]}
        self._seq[band] += 1
        self.sent += 1
        self.broker.publish(f"wb/v1/dongqu/band-{band}/up", json.dumps(message))

    def closes_incidents(self) -> None:
        """What a person does at the console: look, and say what it was."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "UPDATE incident SET state = 'closed', closed_by = 'x', closed_at = %s, close_cause = 'device_fault'",
                (now(),),
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def wait_stored(self, count: int) -> None:
        wait_until(lambda: self.one("SELECT count(*) FROM position") >= count, f"{count} positions; log:\n{self.log}")

    @property
    def log(self) -> str:
        return self.worker.log.read_text()[-3000:]


@contextmanager
def open_desk(url: str, broker: Mosquitto, folder: Path, **settings: str) -> Iterator[Desk]:
    """A worker at the broker, with a keep-in zone round home for every band."""
    environment = {
        "SHOUHUAN_DATABASE_URL": url,
        "SHOUHUAN_MQTT_HOST": broker.host,
        "SHOUHUAN_MQTT_PORT": str(broker.port),
        "SHOUHUAN_RECOVERY_DIR": str(folder / "recovery"),
        **settings,
    }
    desk = Desk(url, broker)
    desk.imports(HOME_ZONE)
    with running(["stream"], environment, folder / "stream.log") as desk.worker:
        wait_until(lambda: "broker-connected" in desk.log, "the worker at the broker")
        yield desk
