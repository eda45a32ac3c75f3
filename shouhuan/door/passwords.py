"""Mosquitto's password file: one account a line, ``name:$7$iterations$salt$hash`` (PBKDF2-HMAC-SHA512).

The format is that of ``mosquitto_passwd`` (mosquitto_passwd(1), Mosquitto 2.0); a test compares with the program.
"""

import secrets
from base64 import b64encode
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import Final

from shouhuan.door.files import SECRET, write

_ITERATIONS: Final = 101
"""Mosquitto's own number. Ours are 192 random bits, which more rounds would not protect better, and the broker
hashes in its only thread: at 100,000 rounds a district of bands that reconnects would keep it busy for an hour."""
_SALT_BYTES: Final = 12
_SECRET_BYTES: Final = 24


def new_password() -> str:
    """192 random bits as 32 characters that need no quoting."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hashed(password: str, salt: bytes) -> str:
    """A password as Mosquitto keeps it.

    >>> hashed("secret", bytes(12))[:24]
    '$7$101$AAAAAAAAAAAAAAAA$'
    """
    digest = pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def set_password(file: Path, account: str, password: str) -> None:
    """Add an account to a password file, or replace its password."""
    line = f"{account}:{hashed(password, secrets.token_bytes(_SALT_BYTES))}"
    _write(file, [*_others(file, account), line])


def remove_password(file: Path, account: str) -> bool:
    """Take an account out of a password file; whether it was there."""
    others = _others(file, account)
    was_there = len(others) < len(_lines(file))
    if was_there:
        _write(file, others)
    return was_there


def _others(file: Path, account: str) -> list[str]:
    return [line for line in _lines(file) if line.partition(":")[0] != account]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _write(file: Path, lines: list[str]) -> None:
    write(file, "".join(f"{line}\n" for line in sorted(lines)).encode(), SECRET)
