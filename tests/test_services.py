import socket
from pathlib import Path

import pytest

from tests.services import missing, mosquitto, rootfs
from tests.services.mosquitto import Mosquitto
from tests.services.timescale import TimescaleUnavailable, timescale


@pytest.fixture(params=["own", "rootfs"])
def broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mosquitto:
    if request.param == "rootfs":
        if rootfs.obstacle() or not rootfs.path().exists():
            missing.unavailable(request.config, "the root file system", rootfs.obstacle() or "not made yet")
        monkeypatch.setattr(mosquitto, "_root", rootfs.path)
    made: Mosquitto = request.getfixturevalue("mosquitto")
    return made


def test_mosquitto_takes_a_message_and_keeps_its_port_over_a_restart(broker: Mosquitto) -> None:
    port = broker.port
    broker.publish("wb/v1/dongqu/band-1/up", b"{}", retain=True)
    broker.stop()
    assert (broker.folder / "mosquitto.db").exists()
    broker.start()
    assert broker.port == port
    with socket.create_connection((broker.host, port), timeout=5):
        pass


def test_a_killed_mosquitto_starts_again(broker: Mosquitto) -> None:
    broker.kill()
    broker.start()
    broker.publish("wb/v1/dongqu/band-1/up", b"{}", content_type="application/cbor")


def test_no_timescaledb_anywhere_is_said_with_every_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHOUHUAN_TEST_DATABASE_URL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(TimescaleUnavailable, match=r"is not set; no Docker engine; no Debian root"), timescale():
        pass


@pytest.mark.parametrize(("required", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_service_skips_the_test_or_fails_it_where_services_are_required(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv(missing.REQUIRE, required)
    with pytest.raises(outcome, match="no Thing here: because"):
        missing.unavailable(request.config, "Thing", "because")
    assert request.config.stash[missing.MISSING].pop("Thing") == "because"
