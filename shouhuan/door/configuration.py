"""Mosquitto's configuration of a provisioned site: a listener each for certificates, passwords and services.

Every listener has its own accounts and access list. So nobody from the field can even try a service's password, no
band can come in where services choose their client ids, and on the bands' listeners the client id is the account:
whoever takes over a session has the owner's own credentials (ADR 0014).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
BANDS_ACL: Final = (_HERE / "bands.acl").read_text()
SERVICES_ACL: Final = (_HERE / "services.acl").read_text()
LIMITS: Final = (_HERE / "limits.conf").read_text()

_HEAD: Final = """\
# Made by `shouhuan provision broker`, which overwrites it. Hang up (SIGHUP) to take accounts and access lists anew.
user {user}
per_listener_settings true
allow_anonymous false

# A band's reading waits here while the workers are away, across a restart of the broker.
persistence true
persistence_location {inside}/data/
autosave_interval 60

{limits}
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
"""
_LISTENER: Final = """
# {title}
listener {port}
allow_anonymous false
acl_file {inside}/{accounts}.acl
cafile {inside}/ca.crt
certfile {inside}/broker.crt
keyfile {inside}/broker.key
tls_version tlsv1.2
"""
_BY_CERTIFICATE: Final = """\
require_certificate true
use_identity_as_username true
crlfile {inside}/revoked.crl
"""
_WITH_ACCOUNTS: Final = """\
password_file {inside}/{accounts}.passwords
"""
_BAND: Final = """\
# The client id is the account: a stolen id opens no session of somebody else's.
use_username_as_clientid true
max_connections {connections}
max_qos 1
"""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the broker listens; a port of 0 opens none. ``inside`` is its folder as the broker sees it."""

    inside: str
    user: str = "mosquitto"
    certificate_port: int = 8883
    password_port: int = 8884
    service_port: int = 8885
    connections: int = 100_000


def configuration(listening: Listening) -> str:
    """The text of ``mosquitto.conf``.

    >>> "require_certificate true" in configuration(Listening("/door"))
    True
    >>> "listener 8884" in configuration(Listening("/door", password_port=0))
    False
    """
    return "".join(_parts(listening))


def bands_acl(denied: Iterable[str]) -> str:
    """The bands' access list; revoked accounts may do nothing, which holds from the next hang-up signal on.

    >>> print(bands_acl(["dongqu/band-7"]).splitlines()[-2:])
    ['user dongqu/band-7', 'topic deny #']
    """
    return BANDS_ACL + "".join(f"\nuser {account}\ntopic deny #\n" for account in sorted(denied))


def denied_accounts(acl: str) -> set[str]:
    """The revoked accounts of a bands' access list."""
    return {line.removeprefix("user ") for line in acl.splitlines() if line.startswith("user ")}


def _parts(listening: Listening) -> Iterable[str]:
    inside = listening.inside
    yield _HEAD.format(user=listening.user, inside=inside, limits=LIMITS)
    if listening.certificate_port:
        yield _listener("Bands with certificates.", listening.certificate_port, inside, "bands")
        yield _BY_CERTIFICATE.format(inside=inside) + _BAND.format(connections=listening.connections)
    if listening.password_port:
        yield _listener("Bands with passwords.", listening.password_port, inside, "bands")
        yield _WITH_ACCOUNTS.format(inside=inside, accounts="bands")
        yield _BAND.format(connections=listening.connections)
    if listening.service_port:
        yield _listener(
            "Workers and the simulator; not for the field.", listening.service_port, inside, "services"
        ) + _WITH_ACCOUNTS.format(inside=inside, accounts="services")


def _listener(title: str, port: int, inside: str, accounts: str) -> str:
    return _LISTENER.format(title=title, port=port, inside=inside, accounts=accounts)
