"""The site's own certificate authority (RFC 5280): one for the broker's name, one a band, and who was revoked.

Keys are on P-256, which every band's TLS library knows and signs in milliseconds. A band's certificate cannot
pass for the broker's, nor the other way round: each names its only use. It does not renew anything by itself.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_YEARS: Final = 15
"""Longer than any band lives, as the authority is burnt into them."""
_BROKER_DAYS: Final = 397
"""What public authorities allow at most; ``provision broker`` renews it."""
_BAND_DAYS: Final = 5 * 365
"""A band's life; a lost one is revoked."""
_EARLY: Final = timedelta(hours=1)
"""A band's clock may be behind ours."""
MAX_NAME: Final = 64
"""Of a common name (RFC 5280, ub-common-name)."""


class Identity(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    @property
    def serial(self) -> int:
        """The certificate's number at its authority."""
        return x509.load_pem_x509_certificate(self.certificate).serial_number

    @property
    def expires(self) -> datetime:
        """When the certificate ends, UTC."""
        return x509.load_pem_x509_certificate(self.certificate).not_valid_after_utc

    def is_for(self, hosts: Iterable[str]) -> bool:
        """Whether the certificate names exactly these hosts."""
        names = x509.load_pem_x509_certificate(self.certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        return set(names.value) == set(_hosts(hosts))


def new_authority(now: datetime) -> Identity:
    """A self-signed authority that may sign certificates and revocations and no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Shouhuan bands")
    builder = _builder(name, name, key, now, timedelta(days=365 * _AUTHORITY_YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_uses(sign=False), critical=True)
    return Identity(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def for_broker(authority: Identity, hosts: list[str], now: datetime) -> Identity:
    """A certificate by which bands know the broker under these host names and addresses."""
    names = x509.SubjectAlternativeName(_hosts(hosts))
    return _signed(authority, hosts[0][:MAX_NAME], ExtendedKeyUsageOID.SERVER_AUTH, now, _BROKER_DAYS, names)


def for_band(authority: Identity, account: str, now: datetime) -> Identity:
    """A certificate by which the broker knows a band; ``account``, up to 64 characters, is its common name."""
    return _signed(authority, account, ExtendedKeyUsageOID.CLIENT_AUTH, now, _BAND_DAYS)


def revocations(authority: Identity, serials: Iterable[int], now: datetime) -> bytes:
    """The signed list of certificates that count no more, PEM."""
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now - _EARLY)
    # With the authority's life: a list past its date would lock out every band.
    builder = builder.next_update(issuer.not_valid_after_utc)
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(_key(authority), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def revoked(crl: bytes) -> set[int]:
    """The serial numbers in a list of revocations."""
    return {entry.serial_number for entry in x509.load_pem_x509_crl(crl)}


def _signed(
    authority: Identity,
    name: str,
    use: x509.ObjectIdentifier,
    now: datetime,
    days: int,
    extra: x509.ExtensionType | None = None,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    builder = _builder(_name(name), issuer.subject, key, now, timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_uses(sign=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    builder = builder if extra is None else builder.add_extension(extra, critical=False)
    return Identity(_pem(builder.sign(_key(authority), hashes.SHA256())), _key_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _EARLY).not_valid_after(now + life)


def _uses(*, sign: bool) -> x509.KeyUsage:
    """Of a key: sign handshakes (``sign``), or certificates and revocations."""
    return x509.KeyUsage(
        digital_signature=sign,
        key_cert_sign=not sign,
        crl_sign=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _hosts(hosts: Iterable[str]) -> list[x509.GeneralName]:
    return [_host(host) for host in hosts]


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key(identity: Identity) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(identity.key, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is on an elliptic curve")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
