"""``shouhuan doctor``: what is reachable, which versions, and what to do about a problem."""

import platform
import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from shouhuan.settings import WEB_DIR, Settings
from store.connection import connect, where
from store.errors import StoreError
from store.flavour import flavour
from store.migrate import pending

_PATIENCE_S: Final = 3.0
_LIBRARIES: Final = ("bytewax", "paho-mqtt", "psycopg", "numpy", "msgspec", "fastapi", "apprise")


class Finding(NamedTuple):
    """What a check found; ``cure`` is empty where all is well."""

    fact: str
    cure: str = ""


def database(settings: Settings) -> Finding:
    """Whether the database answers, and which it is."""
    url = settings.database_url.get_secret_value()
    try:
        with connect(url) as connection:
            return Finding(f"{flavour(connection)} at {where(url)}")
    except StoreError as error:
        return Finding(str(error), "start it (`docker compose up -d timescaledb`) or set SHOUHUAN_DATABASE_URL")


def migrations(settings: Settings) -> Finding:
    """Whether the schema is the one this version needs."""
    try:
        waiting = pending(settings.database_url.get_secret_value())
    except StoreError as error:
        return Finding(str(error), "see the database's line")
    return Finding(f"waiting: {', '.join(waiting)}", "run `shouhuan migrate`") if waiting else Finding("up to date")


def broker(settings: Settings) -> Finding:
    """Whether somebody listens at the broker's address."""
    address = f"{settings.mqtt_host}:{settings.mqtt_port}"
    try:
        socket.create_connection((settings.mqtt_host, settings.mqtt_port), _PATIENCE_S).close()
    except OSError as error:
        cure = "start it (`docker compose up -d mosquitto`) or set SHOUHUAN_MQTT_HOST and SHOUHUAN_MQTT_PORT"
        return Finding(f"no MQTT broker at {address} ({error.strerror or error})", cure)
    return Finding(f"answers at {address}, spoken to in MQTT {settings.mqtt_version}")


def web(_: Settings) -> Finding:
    """Whether the console's front end is built."""
    built = WEB_DIR / "index.html"
    return Finding("built") if built.exists() else Finding(f"{built} is missing", "run `make setup`")


def recovery(settings: Settings) -> Finding:
    """Whether snapshots can be written."""
    folder = settings.recovery_dir
    existing = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    probe = existing / ".shouhuan-doctor"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding(
            f"{folder} cannot be written ({error.strerror})", "set SHOUHUAN_RECOVERY_DIR to a writable folder"
        )
    return Finding(f"{folder} can be written")


CHECKS: Final[dict[str, Callable[[Settings], Finding]]] = {
    "database": database,
    "migrations": migrations,
    "broker": broker,
    "recovery": recovery,
    "web": web,
}


def examine(settings: Settings, out: Console) -> int:
    """Print every finding; 1 if anything needs doing."""
    table = Table(title="shouhuan doctor", show_header=False)
    table.add_row("", "python", f"{platform.python_version()} at {Path(sys.prefix)}")
    table.add_row("", "versions", ", ".join(f"{name} {version(name)}" for name in _LIBRARIES))
    findings = {name: check(settings) for name, check in CHECKS.items()}
    for name, finding in findings.items():
        mark = "[red]✗[/]" if finding.cure else "[green]✓[/]"
        table.add_row(mark, name, f"{finding.fact}\n→ {finding.cure}" if finding.cure else finding.fact)
    out.print(table)
    return int(any(finding.cure for finding in findings.values()))


def require(settings: Settings, *names: str) -> None:
    """End the process with one line for the first thing that is missing: which, where, and how to start it."""
    for name in names:
        finding = CHECKS[name](settings)
        if finding.cure:
            typer.secho(f"{name}: {finding.fact}. {finding.cure[0].upper()}{finding.cure[1:]}.", fg="red", err=True)
            raise typer.Exit(1)
