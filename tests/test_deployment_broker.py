"""The production broker's files, tried with a real Mosquitto: closed, and each band only itself."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.services.missing import unavailable

ROOT = Path(__file__).parent.parent
BROKER_CONF = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text()


class Broker:
    """A real broker under the production configuration, with a band, the workers' account and the simulator's."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.accounts({"STREAM_PASSWORD": "of-stream", "SIMULATOR_PASSWORD": "of-simulator"})
        self.accounts({}, "band", "dongqu/band-1", password="of-band")

    def accounts(self, environment: dict[str, str], *arguments: str, password: str = "") -> None:
        subprocess.run(
            ["sh", ROOT / "deploy/mosquitto/accounts.sh", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "ACCOUNTS_DIR": str(self.folder),
                "ACL_FILE": str(ROOT / "deploy/mosquitto/acl"),
                **environment,
            },
            input=password,
            text=True,
            check=True,
            capture_output=True,
        )

    def configuration(self) -> Path:
        text = BROKER_CONF.replace("listener 1883", f"listener {self.port} 127.0.0.1\nuser root")
        text = text.replace("/mosquitto/accounts", str(self.folder)).replace("/mosquitto/data", str(self.folder))
        text = text.replace("/mosquitto/config/conf.d", str(ROOT / "deploy/mosquitto/conf.d"))
        path = self.folder / "mosquitto.conf"
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Broker]:
    binary = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None or shutil.which("mosquitto_passwd") is None:
        unavailable(request.config, "Mosquitto", "neither mosquitto nor mosquitto_passwd is on the PATH")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    broker = Broker(tmp_path_factory.mktemp("broker"), port)
    with subprocess.Popen([binary, "-c", broker.configuration()]) as process:
        assert soon(lambda: listens(port))
        yield broker
        process.terminate()


def listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def soon(attempt: Callable[[], bool], within_s: float = 10) -> bool:
    """Whether the attempt succeeds before the deadline; an ``OSError`` is a no."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if attempt():
                return True
        except OSError:
            pass
        time.sleep(0.02)
    return False


class Client:
    """A connected client that remembers what it was told."""

    def __init__(self, port: int, name: str | None, password: str | None) -> None:
        self.heard: list[str] = []
        self.answer: str | None = None
        self.subscribed = False
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.mqtt.username_pw_set(name, password)
        self.mqtt.on_connect = lambda _c, _u, _f, reason, _p: setattr(self, "answer", str(reason))
        self.mqtt.on_message = lambda _c, _u, message: self.heard.append(message.topic)
        self.mqtt.on_subscribe = lambda *_: setattr(self, "subscribed", True)
        self.mqtt.connect("127.0.0.1", port)
        self.mqtt.loop_start()
        assert soon(lambda: self.answer is not None)

    def subscribe(self, topics: str) -> None:
        self.mqtt.subscribe(topics, qos=1)
        assert soon(lambda: self.subscribed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.mark.parametrize(
    ("name", "password"),
    [(None, None), ("dongqu/band-1", "wrong"), ("shouhuan-stream", "")],
    ids=["nobody", "wrong", "empty"],
)
def test_the_broker_lets_nobody_in_without_a_password(broker: Broker, name: str | None, password: str | None) -> None:
    with Client(broker.port, name, password) as client:
        assert client.answer == "Not authorized"


def test_a_band_speaks_only_as_itself_and_workers_hear_it(broker: Broker) -> None:
    with (
        Client(broker.port, "shouhuan-stream", "of-stream") as worker,
        Client(broker.port, "dongqu/band-1", "of-band") as band,
    ):
        worker.subscribe("$share/shouhuan/wb/v1/+/+/up")
        refused = ("wb/v1/dongqu/band-2/up", "wb/v1/xiqu/band-1/up", "wb/v1/dongqu/band-1/down")
        for topic in (*refused, "wb/v1/dongqu/band-1/up"):
            band.mqtt.publish(topic, b"{}", qos=1).wait_for_publish(5)
        assert soon(lambda: "wb/v1/dongqu/band-1/up" in worker.heard)
        assert worker.heard == ["wb/v1/dongqu/band-1/up"]


def test_a_band_hears_its_own_commands_and_nobody_elses(broker: Broker) -> None:
    with (
        Client(broker.port, "shouhuan-stream", "of-stream") as worker,
        Client(broker.port, "dongqu/band-1", "of-band") as band,
    ):
        band.subscribe("wb/v1/#")
        for topic in ("wb/v1/dongqu/band-2/down", "wb/v1/dongqu/band-1/down"):
            worker.mqtt.publish(topic, b"{}", qos=1).wait_for_publish(5)
        assert soon(lambda: "wb/v1/dongqu/band-1/down" in band.heard)
        assert band.heard == ["wb/v1/dongqu/band-1/down"]


def test_making_the_services_accounts_again_keeps_the_bands(broker: Broker) -> None:
    broker.accounts({"STREAM_PASSWORD": "of-stream-2"})
    lines = (broker.folder / "passwords").read_text().splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["dongqu/band-1", "shouhuan-simulator", "shouhuan-stream"]
    assert not any(secret in line for line in lines for secret in ("of-band", "of-stream", "of-simulator"))


def test_an_account_without_a_password_is_refused(broker: Broker) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        broker.accounts({}, "band", "dongqu/band-3", password="")
    assert "the password of dongqu/band-3 is empty" in refused.value.stderr


@pytest.mark.parametrize("name", ["band-3", "dongqu/", "/band-3", "a/b/c", "dongqu/+", "shouhuan-stream"])
def test_an_account_that_is_no_orgs_band_is_refused(broker: Broker, name: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        broker.accounts({}, "band", name, password="x")
    assert f"{name} is no band: <org>/<device>" in refused.value.stderr
