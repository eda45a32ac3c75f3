"""Who knocks at a provisioned Mosquitto: those it knows come in as themselves, and nobody else does."""

import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shouhuan.door.certificates import for_band, for_broker, new_authority
from shouhuan.door.files import write
from tests.services.ports import wait_until
from tests.shouhuan.door.house import HOST, House, Visitor, tls

REFUSED = "Not authorized"
NewDevice = Callable[[], str]


def refused_in_handshake(house: House, context: ssl.SSLContext) -> bool:
    """Whether the broker ends the connection before it hears a word of MQTT.

    With TLS 1.3 a client learns of its refusal only when it reads.
    """
    try:
        with (
            socket.create_connection((HOST, house.certificate_port), 10) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            return connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize("password", [False, True], ids=["by certificate", "by password"])
def test_a_band_is_heard_by_the_worker_and_hears_its_command(
    house: House, new_device: NewDevice, *, password: bool
) -> None:
    device = new_device()
    folder = house.band("dongqu", device, password=password)
    band = house.by_password(folder, f"dongqu/{device}") if password else house.by_certificate(folder)
    with house.worker() as worker, band:
        worker.subscribe("wb/v1/+/+/up")
        assert band.subscribe(f"wb/v1/dongqu/{device}/down") == "Granted QoS 1"
        band.say(f"wb/v1/dongqu/{device}/up")
        worker.hears(f"wb/v1/dongqu/{device}/up")
        worker.say(f"wb/v1/dongqu/{device}/down")
        band.hears(f"wb/v1/dongqu/{device}/down")


def test_without_a_certificate_nobody_comes_in(house: House) -> None:
    assert refused_in_handshake(house, tls(house.ca))


def test_a_certificate_of_another_authority_is_refused(house: House, tmp_path: Path) -> None:
    other = for_band(new_authority(datetime.now(UTC)), "dongqu/band-1", datetime.now(UTC))
    write(tmp_path / "client.crt", other.certificate, 0o600)
    write(tmp_path / "client.key", other.key, 0o600)
    assert refused_in_handshake(house, tls(house.ca, tmp_path))


def test_the_brokers_own_certificate_is_no_bands(house: House, tmp_path: Path) -> None:
    stolen = for_broker(house.site._authority(), ["dongqu/band-1"], datetime.now(UTC))
    write(tmp_path / "client.crt", stolen.certificate, 0o600)
    write(tmp_path / "client.key", stolen.key, 0o600)
    assert refused_in_handshake(house, tls(house.ca, tmp_path))


def test_a_band_refuses_a_broker_of_another_authority(house: House, new_device: NewDevice, tmp_path: Path) -> None:
    (tmp_path / "other.crt").write_bytes(new_authority(datetime.now(UTC)).certificate)
    folder = house.band("dongqu", new_device())
    stranger = tls(tmp_path / "other.crt", folder)
    with (
        socket.create_connection((HOST, house.certificate_port), 10) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        stranger.wrap_socket(plain, server_hostname=HOST)


def test_plain_text_is_not_spoken(house: House) -> None:
    with socket.create_connection((HOST, house.password_port), 10) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x1e\x00\x00")
        try:
            answer = plain.recv(100)
        except ConnectionError:
            answer = b""
    # At most a TLS alert (type 21), never a CONNACK (0x20).
    assert answer[:1] in {b"", b"\x15"}


def test_a_wrong_password_and_a_services_account_are_refused_in_the_field(house: House, new_device: NewDevice) -> None:
    device = new_device()
    house.band("dongqu", device, password=True)
    worker = house.worker().client
    for name, password in [
        (f"dongqu/{device}", "guess"), (f"dongqu/{device}", ""), (None, ""),
        (worker.username, worker._password.decode()),
    ]:  # fmt: skip
        visitor = Visitor(house.password_port, tls(house.ca), name, password)
        assert visitor.knock() == REFUSED
        visitor.leave()


def test_a_bands_password_does_not_open_the_services_door(house: House, new_device: NewDevice) -> None:
    device = new_device()
    folder = house.band("dongqu", device, password=True)
    password = (folder / "password").read_text()
    visitor = Visitor(house.service_port, tls(house.ca), f"dongqu/{device}", password)
    assert visitor.knock() == REFUSED
    visitor.leave()


def test_a_band_can_say_nothing_in_anothers_name(house: House, new_device: NewDevice) -> None:
    device, other = new_device(), new_device()
    topics = [
        f"wb/v1/dongqu/{other}/up", f"wb/v1/xiqu/{device}/up", f"wb/v1/dongqu/{device}/down",
        f"wb/v1/dongqu/{other}/down", f"wb/v1/dongqu/{device}/up/more", "$SYS/broker/version", "owntracks/x/y",
    ]  # fmt: skip
    with house.worker() as worker, house.by_certificate(house.band("dongqu", device)) as band:
        worker.subscribe("wb/v1/+/+/up")
        assert {band.say(topic) for topic in topics} == {REFUSED}
        band.say(f"wb/v1/dongqu/{device}/up", b"last")
        worker.hears(f"wb/v1/dongqu/{device}/up", b"last")
        assert worker.heard == [(f"wb/v1/dongqu/{device}/up", b"last")]


@pytest.mark.parametrize(
    "topics", ["#", "wb/v1/#", "wb/v1/+/+/down", "wb/v1/dongqu/+/down", "wb/v1/+/+/up", "$share/shouhuan/wb/v1/+/+/up"]
)
def test_a_wildcard_subscription_hears_nothing_of_others(house: House, new_device: NewDevice, topics: str) -> None:
    device, other = new_device(), new_device()
    other_folder = house.band("dongqu", other)
    with (
        house.worker() as worker,
        house.by_certificate(house.band("dongqu", device)) as band,
        house.by_certificate(other_folder) as victim,
    ):
        band.subscribe(topics)
        band.subscribe(f"wb/v1/dongqu/{device}/down")
        worker.say(f"wb/v1/dongqu/{other}/down")
        victim.say(f"wb/v1/dongqu/{other}/up")
        worker.say(f"wb/v1/dongqu/{device}/down", b"own")
        band.hears(f"wb/v1/dongqu/{device}/down", b"own")
        assert {topic for topic, _ in band.heard} == {f"wb/v1/dongqu/{device}/down"}


@pytest.mark.parametrize("password", [False, True], ids=["by certificate", "by password"])
def test_a_stolen_client_id_throws_nobody_out_and_takes_no_session(
    house: House, new_device: NewDevice, *, password: bool
) -> None:
    owner_id, thief_id = new_device(), new_device()
    owner_folder = house.band("dongqu", owner_id)
    thief_folder = house.band("dongqu", thief_id, password=password)
    stolen = f"dongqu/{owner_id}"
    with house.by_certificate(owner_folder) as owner, ExitStack() as later:
        owner.subscribe(f"wb/v1/dongqu/{owner_id}/down")
        thief = (
            house.by_password(thief_folder, f"dongqu/{thief_id}", stolen)
            if password
            else house.by_certificate(thief_folder, stolen)
        )
        later.enter_context(thief)
        worker = later.enter_context(house.worker())
        worker.say(f"wb/v1/dongqu/{owner_id}/down")
        owner.hears(f"wb/v1/dongqu/{owner_id}/down")
        assert owner.partings == []
        assert thief.heard == []


def test_a_copied_identity_is_one_session_and_the_owner_notices(house: House, new_device: NewDevice) -> None:
    folder = house.band("dongqu", new_device())
    with house.by_certificate(folder, "one") as owner, house.by_certificate(folder, "another"):
        wait_until(lambda: bool(owner.partings), "the takeover")


@pytest.mark.parametrize("password", [False, True], ids=["by certificate", "by password"])
def test_a_revoked_band_falls_silent_at_once_and_does_not_come_back(
    house: House, new_device: NewDevice, *, password: bool
) -> None:
    device = new_device()
    folder = house.band("dongqu", device, password=password)

    def visit() -> Visitor:
        return house.by_password(folder, f"dongqu/{device}") if password else house.by_certificate(folder)

    def silenced(visitor: Visitor) -> bool:
        return bool(visitor.partings) or visitor.say(f"wb/v1/dongqu/{device}/up") == REFUSED

    with visit() as band:
        assert band.say(f"wb/v1/dongqu/{device}/up") != REFUSED
        house.site.revoke("dongqu", device)
        house.hang_up()
        wait_until(lambda: silenced(band), "the revocation")
    again = visit()
    # A certificate ends in the handshake, a password with an answer.
    assert again.knock() == (REFUSED if password else "Unspecified error")
    again.client.loop_stop()


def test_a_band_that_is_provisioned_again_after_its_revocation_comes_in_anew(
    house: House, new_device: NewDevice
) -> None:
    device = new_device()
    house.band("dongqu", device)
    house.site.revoke("dongqu", device)
    with house.by_certificate(house.band("dongqu", device)) as band:
        wait_until(lambda: band.say(f"wb/v1/dongqu/{device}/up") != REFUSED, "being let in")


def test_mosquitto_pub_comes_in_with_the_files_as_they_are(house: House, new_device: NewDevice) -> None:
    device = new_device()
    folder = house.band("dongqu", device)
    words = ["mosquitto_pub", "-h", HOST, "-p", str(house.certificate_port), "-q", "1", "-m", "{}"]
    words += ["--cafile", "ca.crt", "--cert", "client.crt", "--key", "client.key", "-t", f"wb/v1/dongqu/{device}/up"]
    with house.worker() as worker:
        worker.subscribe("wb/v1/+/+/up")
        subprocess.run(words, cwd=folder, check=True, timeout=20)
        worker.hears(f"wb/v1/dongqu/{device}/up")
