"""A provisioned Mosquitto under siege: a good band is served meanwhile, and what waited is not lost."""

import re
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.services.ports import wait_until
from tests.shouhuan.door.house import HOST, House, tls

NewDevice = Callable[[], str]
HALF_OPEN = 300
"""Enough to show that none costs the others anything; descriptors of the test's own process bound it."""
CONNECT_BEGUN = b"\x10\x7f\x00\x04MQTT\x05"
MUCH = b"x" * 300_000
SERVED_WITHIN_S = 2.0


def dawdle(port: int, stack: ExitStack, context: ssl.SSLContext | None = None) -> None:
    """Connect and say the least: nothing, half a TLS greeting, or half a CONNECT inside TLS."""
    plain = stack.enter_context(socket.create_connection((HOST, port), 10))
    if context is None:
        plain.sendall(b"\x16\x03\x01\x02")
        return
    connection = stack.enter_context(context.wrap_socket(plain, server_hostname=HOST))
    connection.sendall(CONNECT_BEGUN)


@pytest.mark.parametrize("greeted", [False, True], ids=["half a TLS greeting", "half a CONNECT"])
def test_a_good_band_is_served_among_many_half_open_connections(
    house: House, new_device: NewDevice, *, greeted: bool
) -> None:
    device = new_device()
    folder = house.band("dongqu", device)
    stranger = tls(house.ca) if greeted else None
    with house.worker() as worker, ExitStack() as siege:
        worker.subscribe("wb/v1/+/+/up")
        for _ in range(HALF_OPEN):
            dawdle(house.password_port, siege, stranger)
        began = time.monotonic()
        with house.by_certificate(folder) as band:
            band.say(f"wb/v1/dongqu/{device}/up")
            worker.hears(f"wb/v1/dongqu/{device}/up")
        assert time.monotonic() - began < SERVED_WITHIN_S


def test_an_oversized_packet_ends_its_senders_connection_and_reaches_nobody(
    house: House, new_device: NewDevice
) -> None:
    device = new_device()
    folder = house.band("dongqu", device)
    with house.worker() as worker:
        worker.subscribe("wb/v1/+/+/up")
        with house.by_certificate(folder) as band:
            band.client.publish(f"wb/v1/dongqu/{device}/up", MUCH, qos=1)
            wait_until(lambda: bool(band.partings), "the broker hanging up")
        with house.by_certificate(house.band("dongqu", other := new_device())) as good:
            good.say(f"wb/v1/dongqu/{other}/up")
            worker.hears(f"wb/v1/dongqu/{other}/up")
        assert all(len(payload) < len(MUCH) for _, payload in worker.heard)


def test_a_packet_that_claims_to_be_huge_costs_no_memory(house: House, new_device: NewDevice) -> None:
    device = new_device()
    folder = house.band("dongqu", device)
    before = resident_kib(house)
    for _ in range(4):
        with house.by_certificate(folder) as band:
            # A PUBLISH whose length says 256 MB.
            band.client.socket().sendall(b"\x32\xff\xff\xff\x7f")
            wait_until(lambda: bool(band.partings), "the broker hanging up")
    assert resident_kib(house) - before < 20_000


def test_a_session_outlives_the_brokers_restart_behind_this_door(house: House, new_device: NewDevice) -> None:
    device = new_device()
    folder = house.band("dongqu", device)
    with house.worker("shouhuan-mqtt-0").staying() as worker, house.by_certificate(folder).staying() as band:
        worker.subscribe("wb/v1/+/+/up")
        band.subscribe(f"wb/v1/dongqu/{device}/down")
    house.stop()
    house.start()
    with house.by_certificate(folder).staying() as band:
        band.say(f"wb/v1/dongqu/{device}/up", b"meanwhile")
    with house.worker("shouhuan-mqtt-0").staying() as worker:
        worker.hears(f"wb/v1/dongqu/{device}/up", b"meanwhile")
        worker.say(f"wb/v1/dongqu/{device}/down", b"ordered")
    with house.by_certificate(folder).staying() as band:
        band.hears(f"wb/v1/dongqu/{device}/down", b"ordered")


def resident_kib(house: House) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{house.process.pid}/status").read_text())
    assert found is not None
    return int(found[1])
