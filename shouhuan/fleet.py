"""``shouhuan simulate``: the fleet with a clock, a registry and a broker."""

import json
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import NamedTuple

import msgspec
import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from schemas.registry import Registry
from shouhuan.clock import now, now_ms
from shouhuan.doctor import require
from shouhuan.settings import Settings
from simulator.capture import write_capture
from simulator.flat_out import run_flat_out
from simulator.link import Broker
from simulator.options import Options
from simulator.publish import Files, Sent, run_live
from simulator.scenario import read_scenario
from store.connection import connect
from store.registry import load_registry
from store.registry_file import read_registry


@dataclass(frozen=True)
class FleetOptions:
    """What the command line says."""

    registry: Path | None
    scenario: str | None
    seed: int | None
    interval_s: float
    duration_s: float | None
    speed: float
    capture: Path | None
    truth: Path | None
    contexts: Path | None
    write_registry: Path | None
    state: Path | None
    published: Path | None
    sent: Path | None
    connections: int
    incidents: bool
    flat_out: bool


def run(settings: Settings, options: FleetOptions) -> None:
    """Publish live until the duration is over or a signal comes, or write a capture."""
    part = _scenario(options) if options.scenario else _bands(settings, options)
    if options.write_registry is not None:
        options.write_registry.write_bytes(msgspec.json.format(msgspec.json.encode(part.registry), indent=1))
    if options.capture is not None:
        if part.options.duration_s is None:
            raise typer.BadParameter("a capture needs an end: give --duration")
        written = write_capture(
            part.options,
            part.registry,
            options.capture,
            options.truth,
            options.contexts,
            start_ms=part.start_ms,
            show_progress=True,
        )
        typer.echo(f"{written.readings} readings, {written.events} events → {options.capture}")
        return
    if (options.speed != 1.0 or options.flat_out) and part.options.duration_s is None:
        raise typer.BadParameter("a run that is faster than time needs an end: give --duration")
    require(settings, "broker")
    if options.flat_out:
        _flat_out(settings, options, part)
        return
    sent = _publish(settings, options, part.options, part.registry)
    typer.echo(f"{sent.messages} messages published, {sent.acknowledged} acknowledged {sent.trouble}".rstrip())


class _Part(NamedTuple):
    """What is played: whose bands, how, from when."""

    registry: Registry
    options: Options
    start_ms: int


def _bands(settings: Settings, options: FleetOptions) -> _Part:
    """The bands of a registry, under a clear sky, with something of everything to see."""
    chosen = Options(
        seed=1 if options.seed is None else options.seed,
        interval_s=options.interval_s,
        duration_s=options.duration_s,
        incidents=options.incidents,
    )
    return _Part(simulated_only(_registry(settings, options.registry)), chosen, now_ms())


def _scenario(options: FleetOptions) -> _Part:
    """A scenario as it is written; ``--seed`` and ``--duration`` override it. Live it begins now."""
    scenario = read_scenario(options.scenario or "")
    if options.seed is not None:
        scenario = msgspec.structs.replace(scenario, seed=options.seed)
    if options.capture is None:
        scenario = msgspec.structs.replace(scenario, start=now())
    played = scenario.options()
    if options.duration_s is not None:
        played = replace(played, duration_s=options.duration_s)
    return _Part(scenario.registry(), played, scenario.start_ms)


def simulated_only(registry: Registry) -> Registry:
    """The registry without real bands: a simulated reading must never be taken for a person's."""
    devices = [device for device in registry.devices if device.model.startswith("sim")]
    names = {device.id for device in devices}
    if not names:
        raise typer.BadParameter(
            "the registry has no band of a simulated model (`model: sim-…`); real bands are not played"
        )
    assignments = [assignment for assignment in registry.assignments if assignment.device in names]
    return msgspec.structs.replace(registry, devices=devices, assignments=assignments)


def _publish(settings: Settings, options: FleetOptions, chosen: Options, registry: Registry) -> Sent:
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    files = Files(truth=options.truth, log=options.published, state=options.state)
    sent = run_live(
        chosen,
        registry,
        _broker(settings),
        now_ms=now_ms,
        stop=stop,
        files=files,
        connections=options.connections,
        speed=options.speed,
        command_key=settings.command_key,
    )
    if options.sent is not None:
        options.sent.write_text(json.dumps(sent._asdict()), encoding="utf-8")
    return sent


def _flat_out(settings: Settings, options: FleetOptions, part: _Part) -> None:
    """Everything at once; simulated time ends now, so that the door finds nothing in the future."""
    start_ms = now_ms() - round((part.options.duration_s or 0.0) * 1000.0)
    columns = (TextColumn("published"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("published", total=1.0)
        pushed = run_flat_out(
            part.options,
            part.registry,
            _broker(settings),
            start_ms=start_ms,
            connections=options.connections,
            on_progress=lambda share: progress.update(task, completed=share),
        )
    typer.echo(
        f"{pushed.messages} messages ({pushed.readings} readings) published and acknowledged "
        f"in {pushed.seconds:.1f} s: {pushed.per_second:.0f} a second"
    )


def _broker(settings: Settings) -> Broker:
    return Broker(
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        username=settings.mqtt_username,
        password=settings.mqtt_password.get_secret_value() if settings.mqtt_password else None,
        mqtt5=settings.mqtt_version == "5",
    )


def _registry(settings: Settings, path: Path | None) -> Registry:
    if path is not None:
        return read_registry(path)
    require(settings, "database", "migrations")
    with connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        return load_registry(connection, nameless=True).registry
