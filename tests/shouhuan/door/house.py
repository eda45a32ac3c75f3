"""A provisioned site with a real Mosquitto behind its door, and clients that try to get in."""

import shutil
import signal
import ssl
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from shouhuan.clock import now
from shouhuan.door.configuration import Listening
from shouhuan.door.site import Service, Site
from tests.services.ports import answers, free_port, wait_until

HOST = "127.0.0.1"


class House:
    """A site whose broker runs from nothing but its ``broker`` folder."""

    def __init__(self, root: Path, *, connections: int = 100_000) -> None:
        self.site = Site(root, now)
        ports = [free_port() for _ in range(3)]
        self.certificate_port, self.password_port, self.service_port = ports
        listening = Listening(str(self.site.broker), "root", *ports, connections=connections)
        self.site.make_broker([HOST, "localhost"], listening)
        self.site.add_service(Service.WORKER, HOST, self.service_port)
        self.ca = self.site.broker / "ca.crt"

    def start(self) -> None:
        command = [shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/bin") or "mosquitto"]
        with (self.site.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-c", self.site.broker / "mosquitto.conf"], stdout=log, stderr=log
            )
        wait_until(lambda: answers(self.service_port), "Mosquitto")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def hang_up(self) -> None:
        """Have the broker take accounts and access lists anew."""
        self.process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        return (self.site.root / "log").read_text()

    def band(self, org: str, device: str, *, password: bool = False) -> Path:
        """A band's folder of credentials; the broker has taken them."""
        made = (self.site.add_password if password else self.site.add_certificate)(org, device)
        self.hang_up()
        assert made is not None
        return made

    def by_certificate(self, folder: Path, client_id: str = "") -> "Visitor":
        return Visitor(self.certificate_port, tls(self.ca, folder), client_id=client_id)

    def by_password(self, folder: Path, name: str, client_id: str = "") -> "Visitor":
        return Visitor(self.password_port, tls(self.ca), name, (folder / "password").read_text(), client_id)

    def environment(self) -> dict[str, str]:
        """The settings with which the workers' process is started."""
        lines = (self.site.root / "services/shouhuan-stream.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def worker(self, client_id: str = "") -> "Visitor":
        env = self.environment()
        account = env["SHOUHUAN_MQTT_USERNAME"], env["SHOUHUAN_MQTT_PASSWORD"]
        return Visitor(int(env["SHOUHUAN_MQTT_PORT"]), tls(Path(env["SHOUHUAN_MQTT_TLS_CA"])), *account, client_id)


def tls(ca: Path | None, identity: Path | None = None) -> ssl.SSLContext:
    """What a client believes, and what it shows."""
    context = ssl.create_default_context(cafile=ca)
    if identity is not None:
        context.load_cert_chain(identity / "client.crt", identity / "client.key")
    return context


class Visitor:
    """A client that is connected for a ``with`` block and remembers what it was told.

    One that ``stays`` has a session that outlives its connection.
    """

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext | None,
        name: str | None = None,
        password: str = "",
        client_id: str = "",
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.answers: list[str] = []
        self.partings: list[str] = []
        self.granted: list[str] = []
        self.published: dict[int, str] = {}
        self.stays = False
        self._port = port
        client = self.client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv5)
        if context is not None:
            client.tls_set_context(context)
        if name is not None:
            client.username_pw_set(name, password)
        client.on_connect = lambda _c, _u, _f, reason, _p: self.answers.append(str(reason))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self.partings.append(str(reason))
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.granted.extend(map(str, reasons))
        client.on_publish = lambda _c, _u, mid, reason, _p: self.published.__setitem__(mid, str(reason))
        client.on_message = self._hear

    def knock(self) -> str:
        """The broker's answer; a handshake that fails raises."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 600 if self.stays else 0
        self.client.connect(HOST, self._port, keepalive=30, clean_start=False, properties=properties)
        self.client.loop_start()
        wait_until(lambda: bool(self.answers or self.partings), "an answer at the door", 10)
        return (self.answers or self.partings)[0]

    def __enter__(self) -> Self:
        assert self.knock() == "Success"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def staying(self) -> Self:
        self.stays = True
        return self

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, topic: str) -> str:
        before = len(self.granted)
        self.client.subscribe(topic, qos=1)
        wait_until(lambda: len(self.granted) > before, f"an answer to subscribing {topic}")
        return self.granted[-1]

    def say(self, topic: str, payload: bytes = b"{}") -> str:
        """Publish at QoS 1; what the broker answered."""
        mid = self.client.publish(topic, payload, qos=1).mid
        wait_until(lambda: mid in self.published, f"an answer to publishing {topic}")
        return self.published[mid]

    def hears(self, topic: str, payload: bytes = b"{}") -> None:
        wait_until(lambda: (topic, payload) in self.heard, f"hearing {topic}", 10)

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))
