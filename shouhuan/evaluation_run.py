"""What ``shouhuan evaluate`` was asked for, carried out: sources found, evaluated one after the other, and shown."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from evaluation.degrade import Degradation
from evaluation.injection import injected_cases
from evaluation.markdown import as_markdown
from evaluation.outcome import Evaluation
from evaluation.page import as_html
from evaluation.realism.days import day_samples
from evaluation.realism.report import as_markdown as realism_markdown
from evaluation.realism.report import realism_report
from evaluation.sampling_table import print_sampling
from evaluation.stored import store, worse
from evaluation.table import print_table
from schemas.readings import Readings
from shouhuan.cases import Given, Loop, Played, Recorded, Source
from shouhuan.clock import now
from shouhuan.evaluate import Request, evaluate
from shouhuan.settings import Settings
from shouhuan.stream import vet_config
from simulator.scenario import read_scenario

EVERYDAY: Final = "everyday"
WIDE: Final = 140
"""Columns of a table that goes into a file or a pipe, which have no width of their own."""

EXHIBITS: Final = 40
"""Missed and false alerts shown on a page, of each."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What the command line says."""

    scenario: str | None
    capture: Path | None
    truth: Path | None
    registry: Path | None
    contexts: Path | None
    recordings: Path | None
    seed: int | None
    days: float | None
    loss: float
    reorder: float
    duplicates: float
    clock_s: float
    cold_start_days: float
    json: Path | None
    html: Path | None
    markdown: Path | None
    store: Path | None
    against: Path | None
    restart: bool
    curves: bool
    realism: bool
    sampling: bool


def run(settings: Settings, options: EvaluationOptions, out: Console, err: Console) -> int:
    """Evaluate and show; 0, or 1 if a figure got worse or a check failed."""
    evaluations = []
    wide = out if out.is_terminal else Console(width=WIDE)
    for source in _sources(settings, options):
        with progress_bar(err) as on_share:
            evaluations.append(evaluate(_request(source, options), on_share))
        print_table(evaluations[-1], wide)
        if evaluations[-1].sampling is not None:
            print_sampling(evaluations[-1].sampling, wide)
    _write(options, evaluations)
    complaints = [said for one in evaluations for said in _complaints(options, one)]
    for complaint in complaints:
        err.print(complaint, style="red", markup=False)
    return int(bool(complaints))


def _sources(settings: Settings, options: EvaluationOptions) -> Sequence[Source]:
    """Everything that was asked for, in the order: scenario, capture, recordings."""
    if options.sampling and options.scenario is None:
        raise typer.BadParameter("--sampling commands simulated bands: give their --scenario")
    sources: list[Source] = []
    if options.scenario is not None:
        scenario = read_scenario(options.scenario)
        changes = {"seed": options.seed, "days": options.days}
        changed = {name: value for name, value in changes.items() if value is not None}
        scenario = msgspec.structs.replace(scenario, **changed)
        sources.append(Played(scenario, Loop.CLOSED if options.sampling else None))
    if options.capture is not None:
        if options.truth is None or options.registry is None:
            raise typer.BadParameter("a capture needs --truth and --registry")
        sources.append(
            Recorded(options.capture, options.truth, options.registry, options.contexts, vet_config(settings))
        )
    if options.recordings is not None:
        sources += [Given(case) for case in injected_cases(options.recordings, options.seed or 1)]
    if not sources:
        raise typer.BadParameter("give --scenario, --capture or --recordings")
    if options.realism and options.recordings is None:
        raise typer.BadParameter("--realism compares with real people's days: give their --recordings")
    if options.realism and find_spec("sklearn") is None:
        raise typer.BadParameter("--realism needs scikit-learn: `pip install scikit-learn`, or `make setup`")
    return sources


def _request(source: Source, options: EvaluationOptions) -> Request:
    played = source.scenario.seed if isinstance(source, Played) else 1
    seed = played if options.seed is None else options.seed
    return Request(
        source=source,
        command=_command(),
        today=now().date(),
        seed=seed,
        degradation=Degradation(
            loss=options.loss,
            reorder=options.reorder,
            duplicates=options.duplicates,
            clock_s=options.clock_s,
            cold_start_days=options.cold_start_days,
            seed=seed,
        ),
        restart=options.restart,
        curves=options.curves and not isinstance(source, Given),
        exhibits=EXHIBITS if options.html else 0,
        without=replace(source, loop=Loop.OPEN) if isinstance(source, Played) and source.loop else None,
    )


def _command() -> str:
    """The command as somebody can type it again."""
    return shlex.join(["shouhuan", *sys.argv[1:]])


def _write(options: EvaluationOptions, evaluations: Sequence[Evaluation]) -> None:
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(evaluations), indent=1))
    if options.html:
        for number, one in enumerate(evaluations):
            _numbered(options.html, number).write_text(as_html(one), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(_document(options, evaluations), encoding="utf-8")
    if options.store:
        kept = {one.title: store(one) for one in evaluations}
        options.store.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _document(options: EvaluationOptions, evaluations: Sequence[Evaluation]) -> str:
    """The whole of ``docs/evaluation.md``."""
    head = f"# Evaluation\n\nGenerated on {now().date().isoformat()} by\n\n```sh\n{_command()}\n```\n\n"
    if not options.realism or options.recordings is None:
        return head + as_markdown(evaluations)
    return head + as_markdown(evaluations) + "\n## How real the simulator is\n\n" + _realism(options.recordings)


def _realism(recordings: Path) -> str:
    """Everyday simulated lives against the days of real people."""
    case = Played(read_scenario(EVERYDAY)).case(lambda _: None)
    offset_min = round((now().astimezone(ZoneInfo("Asia/Shanghai")).utcoffset() or timedelta()).total_seconds() / 60)
    days = day_samples(Readings.concat(list(case.batches())), offset_min)
    return f"Scenario {case.name}.\n\n" + realism_markdown(realism_report(days, recordings, seed=1)) + "\n"


def _numbered(path: Path, number: int) -> Path:
    """The first page under the name given, the others beside it."""
    return path if not number else path.with_stem(f"{path.stem}-{number + 1}")


def _complaints(options: EvaluationOptions, one: Evaluation) -> Iterator[str]:
    failed = [f"{check.name}: {check.detail}" for check in one.checks if not check.passed]
    yield from failed
    if options.against is None:
        return
    kept = json.loads(options.against.read_text(encoding="utf-8"))
    if one.title not in kept:
        yield f"{options.against} has no figures of “{one.title}”; it has {', '.join(kept)}"
        return
    yield from (said for said in worse(one, kept[one.title]) if said not in failed)


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[float], None]]:
    """How much has been judged, on a terminal; hears shares from 0 to 1."""
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("judging", total=1.0)
        yield lambda share: progress.update(task, completed=share)
