"""``shouhuan calibrate``: set each alert rule's patience so that its budget of false alerts is kept; say what changed.

The history is the journal of the database (every reading as it was judged, as far back as retention keeps it), a
capture, or a scenario. What truly happened the last two know; of the journal it is what people said when they closed
incidents (confirmed, approved, excused, cared for), and every other alert counts as false.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from evaluation.calibration import Calibrated, calibrate, recalibrated
from evaluation.case import Case
from evaluation.outcome import Event
from schemas.readings import Readings
from schemas.registry import AlertRule, Registry
from shouhuan.cases import OnShare, Played, Recorded, Source
from shouhuan.clock import now
from shouhuan.evaluation_run import progress_bar
from shouhuan.settings import Settings
from shouhuan.stream import vet_config
from simulator.scenario import read_scenario
from store.connection import connect, translated
from store.history import confirmed_alerts, journal_batches, journal_size
from store.registry import ImportReport, import_registry, load_registry
from store.registry_file import read_registry


@dataclass(frozen=True)
class CalibrationOptions:
    """On what history, by which rules, and what to do with the result."""

    scenario: str | None
    capture: Path | None
    truth: Path | None
    registry: Path | None
    rules: Path | None
    out: Path | None
    apply: bool


@dataclass(frozen=True)
class Journalled:
    """What the database has stored, by the registry that it believes now; true is what people confirmed."""

    url: str

    def case(self, on_share: OnShare) -> Case:
        """The journal's batches in the order in which they came."""
        with translated(self.url), connect(self.url) as connection:
            numbered, confirmed = load_registry(connection), confirmed_alerts(connection)
        events = [Event(*one, parameters={}) for one in confirmed]
        return Case("the journal", numbered, lambda: self._batches(on_share), events=lambda: events, contexts=list)

    def _batches(self, on_share: OnShare) -> Iterator[Readings]:
        with translated(self.url), connect(self.url) as connection:
            whole = max(journal_size(connection), 1)
            for number, batch in enumerate(journal_batches(connection), 1):
                on_share(number / whole)
                yield batch


def run(settings: Settings, options: CalibrationOptions, out: Console, err: Console) -> int:
    """Calibrate, show, and write or apply what came out; 1 where a budget cannot be kept by any setting."""
    url = settings.database_url.get_secret_value()
    source = _source(settings, options, url)
    with progress_bar(err) as on_share:
        case = source.case(on_share)
        if options.rules is not None:
            case = with_rules(case, read_registry(options.rules).alert_rules)
        found, days = calibrate(case)
    out.print(_table(found, f"{case.name}, {days:.0f} wearer-days"), markup=False)
    rules = recalibrated(found)
    if options.out is not None:
        _write(rules, options.out)
    if options.apply:
        out.print(str(_applied(url, rules)))
    return int(not all(one.kept for one in found))


def with_rules(case: Case, rules: Sequence[AlertRule]) -> Case:
    """The case with other alert rules in place of its own of the same codes."""
    by_code = {rule.code: rule for rule in (*case.numbered.registry.alert_rules, *rules)}
    return replace(case, numbered=case.numbered.ruled_by(list(by_code.values())))


def _source(settings: Settings, options: CalibrationOptions, url: str) -> Source:
    if options.apply and (options.scenario or options.capture):
        raise typer.BadParameter("--apply sets the rules of the database: calibrate on its own journal")
    if options.scenario is not None:
        return Played(read_scenario(options.scenario))
    if options.capture is None:
        return Journalled(url)
    if options.truth is None or options.registry is None:
        raise typer.BadParameter("a capture needs --truth and --registry")
    return Recorded(options.capture, options.truth, options.registry, vetting=vet_config(settings))


def _table(found: Sequence[Calibrated], title: str) -> Table:
    table = Table("rule", "budget / wearer-day", "patience", "false / wearer-day", "found", "", title=title)
    for one in sorted(found, key=lambda one: one.rule.code.value):
        table.add_row(
            one.rule.code.value,
            f"{one.rule.budget:.4g}",
            _change(f"{one.before.patience:.3g}", f"{one.after.patience:.3g}"),
            _change(f"{one.before.false:.4f}", f"{one.after.false:.4f}"),
            _change(_share(one.before.recall), _share(one.after.recall)),
            "" if one.kept else "no setting keeps it",
        )
    return table


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _share(recall: float | None) -> str:
    return "" if recall is None else f"{recall:.3f}"


def _write(rules: Sequence[AlertRule], path: Path) -> None:
    """As a registry file, which ``shouhuan import`` takes."""
    path.write_bytes(msgspec.yaml.encode({"alert_rules": msgspec.to_builtins(rules)}))


def _applied(url: str, rules: Sequence[AlertRule]) -> ImportReport:
    return import_registry(url, Registry(plans=[], alert_rules=list(rules)), now=now())
