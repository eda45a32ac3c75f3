"""The ``shouhuan`` command: one subcommand a process, and the tools around them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.truth_file import TruthError
from schemas.registry import NumberedRegistry
from shouhuan import clock, logs, provision
from shouhuan.settings import Settings, SettingsError, load
from simulator.bulk import BulkError
from simulator.scenario import ScenarioError
from store.errors import StoreError
from store.letters import LetterError

app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False)
_out: Final = Console()
_err: Final = Console(stderr=True)
app.add_typer(provision.app, name="provision")


@app.callback()
def shouhuan() -> None:
    """守环 Shouhuan: judges every reading of a fleet of wristbands, and calls people only when it matters.

    Settings come from SHOUHUAN_… variables or the TOML file named by SHOUHUAN_CONFIG; docs/operations.md lists them.
    """


@app.command()
def demo(
    duration: Annotated[float | None, typer.Option(help="Seconds to run; without it, until Ctrl-C.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write what happened as JSON to this file.")] = None,
    wearers: Annotated[int, typer.Option(min=10, max=5_000, help="How many people the demo town watches.")] = 200,
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its data between runs.")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="The console's port; another one is taken if it is in use.")] = 8080,
) -> None:
    """Run everything on this machine: embedded database and broker, a simulated fleet, console and on-call.

    Example: `shouhuan demo --duration 45 --report report.json`
    """
    from shouhuan.demo import DemoOptions, run

    raise typer.Exit(run(DemoOptions(duration, report, wearers, data_dir, port)))


@app.command()
def stream() -> None:
    """Receive, store and judge readings: the worker.

    Example: `SHOUHUAN_MQTT_HOST=broker shouhuan stream`
    """
    from shouhuan.doctor import require
    from shouhuan.stream import run

    settings = _settings()
    require(settings, "database", "migrations", "broker")
    run(settings)


@app.command()
def console() -> None:
    """Serve the command centre.

    Example: `SHOUHUAN_SESSION_SECRET=… shouhuan console`
    """
    from shouhuan.doctor import require
    from shouhuan.web import run

    settings = _settings()
    require(settings, "database", "migrations", "web")
    run(settings)


@app.command()
def oncall() -> None:
    """Page people about new high-priority incidents, through any channel that Apprise knows."""
    from shouhuan.doctor import require
    from shouhuan.paging import run

    settings = _settings()
    require(settings, "database", "migrations")
    run(settings)


@app.command()
def simulate(
    registry: Annotated[
        Path | None, typer.Option(help="Bands of this registry file; without it, the database's.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Play this scenario: a file, or a shipped name such as standard or small.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed and start give the same fleet.")] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two reports of a band.")] = 60.0,
    duration: Annotated[float | None, typer.Option(help="Seconds; without it, until Ctrl-C.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Live: so many times faster than time.")] = 1.0,
    capture: Annotated[Path | None, typer.Option(help="Write a capture file instead of publishing.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write what really happened as JSON lines.")] = None,
    contexts: Annotated[Path | None, typer.Option(help="Write the hard negatives as JSON lines.")] = None,
    write_registry: Annotated[Path | None, typer.Option(help="Write whose bands these are as JSON.")] = None,
    state: Annotated[Path | None, typer.Option(help="Remember each band's sequence number here.")] = None,
    published: Annotated[Path | None, typer.Option(help="Write when each message was published as JSON lines.")] = None,
    sent: Annotated[Path | None, typer.Option(help="Write how much was sent and acknowledged as JSON.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Live: MQTT connections.")] = 2,
    *,
    incidents: Annotated[bool, typer.Option(help="Script incidents: walks out, cut straps, silence and more.")] = True,
    flat_out: Annotated[bool, typer.Option(help="Live: as fast as the broker takes it, for speed tests.")] = False,
) -> None:
    """Be a fleet of bands, live over MQTT or into a capture file.

    Example: `shouhuan simulate --scenario small --capture small.jsonl.gz --truth truth.jsonl`
    """
    from shouhuan.fleet import FleetOptions, run

    options = FleetOptions(
        registry=registry,
        scenario=scenario,
        seed=seed,
        interval_s=interval,
        duration_s=duration,
        speed=speed,
        capture=capture,
        truth=truth,
        contexts=contexts,
        write_registry=write_registry,
        state=state,
        published=published,
        sent=sent,
        connections=connections,
        incidents=incidents,
        flat_out=flat_out,
    )
    with _for_people():
        run(_settings(), options)


@app.command()
def evaluate(
    scenario: Annotated[str | None, typer.Option(help="Play this scenario: a file, or standard, small …")] = None,
    capture: Annotated[Path | None, typer.Option(help="Judge this capture; give --truth and --registry.")] = None,
    truth: Annotated[Path | None, typer.Option(help="What really happened, as JSON lines.")] = None,
    registry: Annotated[Path | None, typer.Option(help="The registry file to judge the capture by.")] = None,
    contexts: Annotated[Path | None, typer.Option(help="Hard negatives of the capture, as JSON lines.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Judge real recordings of this folder, as they are and with injections.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the scenario's.")] = None,
    days: Annotated[float | None, typer.Option(min=0.1, help="Another length than the scenario's.")] = None,
    loss: Annotated[float, typer.Option(min=0, max=1, help="Share of readings that never arrive.")] = 0.0,
    reorder: Annotated[float, typer.Option(min=0, max=1, help="Share delayed by up to ten minutes.")] = 0.0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share that is sent twice.")] = 0.0,
    clock: Annotated[float, typer.Option(min=0, help="Clocks are off by up to so many seconds.")] = 0.0,
    cold_start: Annotated[float, typer.Option(min=0, help="The judge begins to listen after so many days.")] = 0.0,
    json: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one page to look at, with curves and timelines.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write tables for the docs.")] = None,
    store: Annotated[Path | None, typer.Option(help="Store the figures for later runs to be held against.")] = None,
    against: Annotated[Path | None, typer.Option(help="Fail if a figure is worse than stored here.")] = None,
    *,
    restart: Annotated[bool, typer.Option(help="Also restart the judge half-way; no alert may change.")] = False,
    curves: Annotated[bool | None, typer.Option(help="Draw curves (default: with --html).")] = None,
    realism: Annotated[bool, typer.Option(help="In --markdown, compare simulated with recorded days.")] = False,
    sampling: Annotated[
        bool, typer.Option(help="Close the sampling loop: the planner commands the bands of the scenario.")
    ] = False,
) -> None:
    """Say how good the judge is: recall, false alerts and delays of every code, beside what a naive product does.

    Example: `shouhuan evaluate --scenario small --restart --html evaluation.html`
    """
    from shouhuan.evaluation_run import EvaluationOptions, run

    options = EvaluationOptions(
        scenario=scenario,
        capture=capture,
        truth=truth,
        registry=registry,
        contexts=contexts,
        recordings=recordings,
        seed=seed,
        days=days,
        loss=loss,
        reorder=reorder,
        duplicates=duplicates,
        clock_s=clock,
        cold_start_days=cold_start,
        json=json,
        html=html,
        markdown=markdown,
        store=store,
        against=against,
        restart=restart,
        curves=html is not None if curves is None else curves,
        realism=realism,
        sampling=sampling,
    )
    with _for_people():
        raise typer.Exit(run(_settings(), options, _out, _err))


@app.command()
def calibrate(
    scenario: Annotated[str | None, typer.Option(help="Calibrate on this scenario instead of the journal.")] = None,
    capture: Annotated[Path | None, typer.Option(help="Or on this capture; give --truth and --registry.")] = None,
    truth: Annotated[Path | None, typer.Option(help="What really happened in the capture, as JSON lines.")] = None,
    registry: Annotated[Path | None, typer.Option(help="The registry file to judge the capture by.")] = None,
    rules: Annotated[Path | None, typer.Option(help="A registry file with other alert_rules to try.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the new alert_rules as a registry file.")] = None,
    *,
    apply: Annotated[bool, typer.Option(help="Set them in the database; in force within two seconds.")] = False,
) -> None:
    """Set how sure each alert must be so that its budget of false ones is kept, from what the database has stored.

    Example: `shouhuan calibrate --out rules.yaml`
    """
    from shouhuan.calibrate import CalibrationOptions, run
    from shouhuan.doctor import require

    settings = _settings()
    if scenario is None and capture is None:
        require(settings, "database")
    options = CalibrationOptions(scenario, capture, truth, registry, rules, out, apply)
    with _for_people():
        raise typer.Exit(run(settings, options, _out, _err))


@app.command()
def migrate(
    *,
    roles: Annotated[
        bool, typer.Option("--roles", help="Also make database roles of least privilege, one for each process.")
    ] = False,
) -> None:
    """Bring the database's schema up to date; safe to run at any time, by several at once."""
    from shouhuan.doctor import require
    from store.migrate import migrate as apply
    from store.roles import Role, RolesRefused, grant_roles

    settings = _settings()
    require(settings, "database")
    with _for_people():
        applied = apply(settings.database_url.get_secret_value())
        _out.print(f"applied: {', '.join(applied)}" if applied else "nothing to apply: the schema is up to date")
        if not roles:
            return
        try:
            grant_roles(settings.database_url.get_secret_value())
            _out.print(f"granted: {', '.join(Role)}")
        except RolesRefused as refusal:
            _err.print(str(refusal), style="yellow", markup=False, highlight=False, soft_wrap=True)


@app.command("import")
def import_(registry: Annotated[Path, typer.Argument(help="A registry file (docs/registry.md).")]) -> None:
    """Import a registry file; with anything wrong in it, nothing is imported and everything wrong is listed.

    Example: `shouhuan import registry.yaml`
    """
    from shouhuan.doctor import require
    from store.registry import import_registry
    from store.registry_advice import warnings
    from store.registry_file import read_registry

    settings = _settings()
    with _for_people():
        objects = read_registry(registry)
        require(settings, "database", "migrations")
        outcome = import_registry(settings.database_url.get_secret_value(), objects, now=clock.now())
    _out.print(f"{outcome.added} added, {outcome.changed} changed, {outcome.unchanged} unchanged")
    for warning in warnings(objects):
        _err.print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@app.command()
def replay(
    capture: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines of mosquitto_sub -F '%J'.")],
    registry: Annotated[Path, typer.Option(help="The registry file to judge by.")],
    alerts: Annotated[Path, typer.Option(help="Where to write alerts, one JSON object a line.")],
    dead_letters: Annotated[Path | None, typer.Option(help="Where to write what could not be taken.")] = None,
) -> None:
    """Judge a capture with no broker and no database.

    Example: `shouhuan replay capture.jsonl --registry registry.yaml --alerts alerts.jsonl`
    """
    from shouhuan.replay import DeadLetterFile, write_alerts
    from shouhuan.replay import replay as judge
    from shouhuan.stream import vet_config
    from store.registry_file import read_registry

    settings = _settings()
    with _for_people(), DeadLetterFile(dead_letters) as letters, _reading(capture) as bar:
        numbered = NumberedRegistry.from_file(read_registry(registry))
        found = judge(capture, numbered, vet_config(settings), on_bytes=bar, on_dead_letter=letters.add)
    count = write_alerts(found.ledger, alerts)
    _out.print(f"{found.tally.messages} messages, {found.tally.readings} readings judged, {count} alerts → {alerts}")
    for reason, number in sorted(found.tally.refused.items()):
        if number:
            _out.print(f"  not taken: {reason} {number}")


@app.command()
def explain(
    alert_id: Annotated[str, typer.Argument(help="The alert's id.")],
    operator: Annotated[str | None, typer.Option(help="Who looks, for the audit; without it, the OS user.")] = None,
) -> None:
    """Say why an alert rang, and whether its stored readings still say so: exit code 0, or 1 and what differs.

    Where that cannot be said (no such alert, no lawful order, readings deleted) the exit code is 2. Every look is
    audited.

    Example: `shouhuan explain 6f1d2c8e-6c0b-5d5e-9a55-7368756f6875 --operator zhang`
    """
    from shouhuan.doctor import require
    from shouhuan.explain import UNEXPLAINED, CannotExplain, os_user, run

    settings = _settings()
    require(settings, "database", "migrations")
    with _for_people():
        try:
            outcome = run(settings, alert_id, operator or os_user(), _out)
        except CannotExplain as refusal:
            _err.print(str(refusal), style="red", markup=False, highlight=False)
            outcome = UNEXPLAINED
    raise typer.Exit(outcome)


@app.command()
def doctor() -> None:
    """Say what is reachable, which database it is, which versions run, and what to do about a problem."""
    from shouhuan.doctor import examine

    raise typer.Exit(examine(_settings(), _out))


@app.command()
def operator(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    org: Annotated[str | None, typer.Option(help="Sees this org and those below it; without it, all.")] = None,
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="OPERATOR_PASSWORD")
    ] = ...,  # type: ignore[assignment]
    *,
    rules: Annotated[bool, typer.Option("--rules", help="May change zones of what it sees, not only watch.")] = False,
) -> None:
    """Add a console account, or give it a new password.

    Example: `shouhuan operator zhang --org dongqu --rules`
    """
    from shouhuan.web import save_operator

    with _for_people():
        save_operator(_settings(), name, password, org, changes_rules=rules)
    _out.print(f"operator {name} may sign in{' and change zones' if rules else ''}")


@app.command()
def retention(
    days: Annotated[int, typer.Option(min=1, help="Keep series and journal this long.")] = 90,
) -> None:
    """Delete what is older than allowed, where the database does not do it by itself; run it daily."""
    from shouhuan.upkeep import apply

    with _for_people():
        for table, count in apply(_settings(), days).items():
            _out.print(f"{table}: {count}")


@app.command()
def zones(
    registry: Annotated[Path, typer.Argument(help="A registry file (docs/registry.md).")],
    *,
    repair: Annotated[bool, typer.Option(help="Print repaired GeoJSON of polygons that are no valid shape.")] = False,
) -> None:
    """Show every zone of a registry file: shape, size, hours, what to think over; `--repair` mends invalid polygons.

    Example: `shouhuan zones registry.yaml --repair > repaired.geojson`
    """
    from shouhuan.zones import repair as print_repaired
    from shouhuan.zones import show

    with _for_people():
        if not repair:
            raise typer.Exit(show(registry, _out))
        print_repaired(registry, _out, _err)


letters: Final = typer.Typer(
    no_args_is_help=True, help="List, show and replay what could not be taken (docs/operations.md)."
)
app.add_typer(letters, name="deadletter")


@letters.command("list")
def deadletter_list(
    reason: Annotated[str | None, typer.Option(help="Of this reason.")] = None,
    org: Annotated[str | None, typer.Option(help="Whose topic names this org.")] = None,
    since: Annotated[str | None, typer.Option(help="Since then: 90m, 12h, 3d, or a time with an offset.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
) -> None:
    """List dead letters, newest first, after how many there are of each reason.

    Example: `shouhuan deadletter list --reason unknown_device --since 12h`
    """
    from shouhuan.deadletter import show_list

    settings = _ready_for_letters()
    with _for_people():
        show_list(settings, reason, org, since, limit, _out)


@letters.command("show")
def deadletter_show(
    number: Annotated[int, typer.Argument(help="The letter's number, from `list`.")],
    operator: Annotated[str | None, typer.Option(help="Who looks, for the audit; without it, the OS user.")] = None,
) -> None:
    """Show a dead letter whole: why it was refused, and what it says. Every look is audited.

    Example: `shouhuan deadletter show 17 --operator zhang`
    """
    from shouhuan.deadletter import show

    settings = _ready_for_letters()
    with _for_people():
        show(settings, number, operator, _out)


@letters.command("replay")
def deadletter_replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers, from `list`.")] = None,
    reason: Annotated[str | None, typer.Option(help="All of this reason that were not replayed well yet.")] = None,
    operator: Annotated[str | None, typer.Option(help="Who asks, for the record; without it, the OS user.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the stream's answer.")] = 10.0,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of them.")] = False,
) -> None:
    """Have dead letters judged again by the running stream, after what made them dead was mended.

    What is stored already is a duplicate, so asking twice doubles nothing. Exit code 1 if any was refused again.

    Example: `shouhuan import registry.yaml && shouhuan deadletter replay --reason unknown_device`
    """
    from shouhuan.deadletter import replay

    settings = _ready_for_letters()
    with _for_people():
        raise typer.Exit(replay(settings, numbers or [], reason, operator, wait, _out, dry_run=dry_run))


def main() -> None:
    """Run the command line."""
    app()


def _ready_for_letters() -> Settings:
    from shouhuan.doctor import require

    settings = _settings()
    require(settings, "database", "migrations")
    return settings


def _settings() -> Settings:
    try:
        settings = load()
    except SettingsError as error:
        _err.print(str(error), style="red", markup=False)
        raise typer.Exit(2) from None
    logs.configure(settings.log_level)
    return settings


@contextmanager
def _for_people() -> Iterator[None]:
    """Errors that say what to do are shown as they are, without a traceback."""
    try:
        yield
    except (StoreError, ScenarioError, TruthError, BulkError, LetterError) as error:
        _err.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None


@contextmanager
def _reading(path: Path) -> Iterator[Callable[[int], None]]:
    """A bar of how much of a file has been read; give it the position."""
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(path.name, total=path.stat().st_size)
        yield lambda position: progress.update(task, completed=position)
