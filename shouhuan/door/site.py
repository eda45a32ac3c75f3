"""A site's folder: its authority, what its broker needs, and the credentials of each band and service.

::

    authority/   the key that signs bands' certificates: keep it off the broker
    broker/      everything the broker needs, and nothing else
    bands/       ORG/DEVICE/: what goes into one band
    services/    an environment file for each account of ours, and the key that signs commands

Every step is idempotent: what exists is kept, what is missing is made, so a run that was cut off is run again.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from schemas.signing import KEY_BYTES, band_key
from schemas.topics import is_name
from shouhuan.door import certificates as x509
from shouhuan.door.certificates import Identity
from shouhuan.door.configuration import SERVICES_ACL, Listening, bands_acl, configuration, denied_accounts
from shouhuan.door.files import PUBLIC, SECRET, DoorError, make_folder, read, write
from shouhuan.door.passwords import new_password, remove_password, set_password

_RENEW: Final = timedelta(days=30)
"""A broker's certificate with less life than this is made anew."""
_FIRST: Final = "run `shouhuan provision broker` first"


class Service(StrEnum):
    """An account of ours at the broker; console and on-call speak to none."""

    WORKER = "worker"
    SIMULATOR = "simulator"

    @property
    def account(self) -> str:
        """Its name at the broker."""
        return {Service.WORKER: "shouhuan-stream", Service.SIMULATOR: "shouhuan-simulator"}[self]


@dataclass(frozen=True, slots=True)
class Site:
    """A site's folder; methods return the folder or file that they made, or None where it was there already."""

    root: Path
    now: Callable[[], datetime]

    @property
    def broker(self) -> Path:
        """What the broker needs."""
        return self.root / "broker"

    def make_broker(self, hosts: list[str], listening: Listening) -> Path:
        """The authority, the broker's certificate for these hosts, access lists, and ``mosquitto.conf``."""
        authority = self._authority_made()
        make_folder(self.broker, listening.user)
        make_folder(self.broker / "data", listening.user)
        write(self.broker / "ca.crt", authority.certificate, PUBLIC)
        self._broker_certificate(authority, hosts)
        self._revoke(authority, set())
        self._deny(self._denied())
        write(self.broker / "services.acl", SERVICES_ACL.encode(), SECRET)
        for accounts in ("bands", "services"):
            file = self.broker / f"{accounts}.passwords"
            write(file, file.read_bytes() if file.exists() else b"", SECRET)
        self._command_key()
        write(self.broker / "mosquitto.conf", configuration(listening).encode(), PUBLIC)
        return self.broker

    def add_certificate(self, org: str, device: str, *, renew: bool = False) -> Path | None:
        """A certificate for a band; ``renew`` makes another one, the former stays good until it is revoked."""
        account = _account(org, device)
        if len(account) > x509.MAX_NAME:
            raise DoorError(
                f"{account} has {len(account)} characters, a certificate's name takes {x509.MAX_NAME}: use --password"
            )
        folder = self._band(org, device)
        if (folder / "client.crt").exists() and account not in self._denied() and not renew:
            return None
        band = x509.for_band(self._authority(), account, self.now())
        self._record(account, band.serial)
        write(folder / "client.key", band.key, SECRET)
        write(folder / "client.crt", band.certificate, PUBLIC)
        return self._admitted(account, folder)

    def add_password(self, org: str, device: str, *, renew: bool = False) -> Path | None:
        """A password for a band; ``renew`` makes another one, and the former is good no more."""
        account = _account(org, device)
        folder = self._band(org, device)
        if (folder / "password").exists() and account not in self._denied() and not renew:
            return None
        password = new_password()
        write(folder / "password", password.encode(), SECRET)
        set_password(self.broker / "bands.passwords", account, password)
        return self._admitted(account, folder)

    def add_service(self, service: Service, host: str, port: int, *, renew: bool = False) -> Path | None:
        """An account of ours, and the environment file that its process starts with."""
        self._authority()
        file = self.root / "services" / f"{service.account}.env"
        if file.exists() and not renew:
            return None
        password = new_password()
        set_password(self.broker / "services.passwords", service.account, password)
        write(file, self._environment(service, host, port, password).encode(), SECRET)
        return file

    def revoke(self, org: str, device: str) -> None:
        """Shut a band out: its password goes, its certificates are revoked, its account may do nothing.

        Raises ``DoorError`` where the band was never let in.
        """
        account = _account(org, device)
        serials = self._issued(account)
        had_password = remove_password(self.broker / "bands.passwords", account)
        if not serials and not had_password and account not in self._denied():
            raise DoorError(f"{account} has no credentials here; bands are listed in {self.root / 'bands'}")
        self._revoke(self._authority(), serials)
        self._deny(self._denied() | {account})

    def _admitted(self, account: str, folder: Path) -> Path:
        self._deny(self._denied() - {account})
        write(folder / "ca.crt", read(self.broker / "ca.crt", _FIRST), PUBLIC)
        key = band_key(self._command_key(), *account.split("/"))
        write(folder / "command.key", key.hex().encode(), SECRET)
        return folder

    def _command_key(self) -> bytes:
        file = self.root / "services" / "command.key"
        if not file.exists():
            write(file, secrets.token_hex(KEY_BYTES).encode(), SECRET)
        return bytes.fromhex(file.read_text())

    def _band(self, org: str, device: str) -> Path:
        self._authority()
        return self.root / "bands" / org / device

    def _authority_made(self) -> Identity:
        folder = self.root / "authority"
        if not (folder / "ca.crt").exists():
            new = x509.new_authority(self.now())
            write(folder / "ca.key", new.key, SECRET)
            # Last, as its presence says that the authority is whole.
            write(folder / "ca.crt", new.certificate, PUBLIC)
        return self._authority()

    def _authority(self) -> Identity:
        folder = self.root / "authority"
        return Identity(read(folder / "ca.crt", _FIRST), read(folder / "ca.key", _FIRST))

    def _broker_certificate(self, authority: Identity, hosts: list[str]) -> None:
        certificate, key = self.broker / "broker.crt", self.broker / "broker.key"
        if certificate.exists() and key.exists():
            present = Identity(certificate.read_bytes(), b"")
            if present.is_for(hosts) and present.expires > self.now() + _RENEW:
                return
        made = x509.for_broker(authority, hosts, self.now())
        write(key, made.key, SECRET)
        write(certificate, made.certificate, PUBLIC)

    def _record(self, account: str, serial: int) -> None:
        ledger = self.root / "authority" / "issued"
        before = ledger.read_bytes() if ledger.exists() else b""
        write(ledger, before + f"{account} {serial:x}\n".encode(), SECRET)

    def _issued(self, account: str) -> set[int]:
        ledger = self.root / "authority" / "issued"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        return {int(serial, 16) for name, serial in map(str.split, lines) if name == account}

    def _revoke(self, authority: Identity, serials: set[int]) -> None:
        file = self.broker / "revoked.crl"
        before = x509.revoked(file.read_bytes()) if file.exists() else set()
        write(file, x509.revocations(authority, sorted(before | serials), self.now()), PUBLIC)

    def _denied(self) -> set[str]:
        file = self.broker / "bands.acl"
        return denied_accounts(file.read_text()) if file.exists() else set()

    def _deny(self, accounts: set[str]) -> None:
        write(self.broker / "bands.acl", bands_acl(accounts).encode(), SECRET)

    def _environment(self, service: Service, host: str, port: int, password: str) -> str:
        lines = {
            "SHOUHUAN_MQTT_HOST": host,
            "SHOUHUAN_MQTT_PORT": port,
            "SHOUHUAN_MQTT_USERNAME": service.account,
            "SHOUHUAN_MQTT_PASSWORD": password,
            "SHOUHUAN_MQTT_TLS_CA": self.broker.absolute() / "ca.crt",
            "SHOUHUAN_COMMAND_KEY_FILE": (self.root / "services" / "command.key").absolute(),
        }
        return "".join(f"{name}={value}\n" for name, value in lines.items())


def _account(org: str, device: str) -> str:
    for name in (org, device):
        if not is_name(name):
            raise DoorError(f"{name!r} is no name of an org or a device: 1–64 of A-Z a-z 0-9 . _ -")
    return f"{org}/{device}"
