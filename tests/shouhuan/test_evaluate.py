"""``shouhuan evaluate`` as its user meets it, over a day of a dozen bands."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from evaluation.outcome import Evaluation
from evaluation.trial import Trial
from flows.judge import Judge
from schemas.alerts import AlertCode
from shouhuan.cases import Played, Recorded
from shouhuan.cli import app
from simulator.capture import write_capture
from simulator.scenario import Scenario, parse_scenario

TINY = {
    "name": "tiny",
    "start": "2026-03-02T00:00:00+08:00",
    "days": 1.5,
    "wearers": 16,
    "seed": 5,
    "events": {
        "strap_cut": 0.1, "sos": 0.1, "zone_exit_walk": 0.15, "curfew_late": 0.1, "silence_off": 0.1,
        "low_battery": 0.1, "low_oxygen": 0.05,
    },
    "hard_negatives": {"cycling": 0.2, "tunnel_ride": 0.3},
    "faults": {"duplicates": 0.02, "reordered": 0.02, "outages_per_day": 2, "clocks_off": 0.2, "old_firmware": 0.3},
}  # fmt: skip


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse_scenario(TINY)


class Written:
    """A scenario as files."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.scenario, self.capture = folder / "tiny.yaml", folder / "tiny.jsonl.gz"
        self.truth, self.contexts, self.registry = (folder / name for name in ("truth", "contexts", "registry.json"))
        self.scenario.write_text(json.dumps(TINY), encoding="utf-8")
        self.registry.write_bytes(msgspec.json.encode(scenario.registry()))
        write_capture(
            scenario.options(),
            scenario.registry(),
            self.capture,
            self.truth,
            self.contexts,
            start_ms=scenario.start_ms,
        )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, scenario: Scenario) -> Written:
    return Written(tmp_path_factory.mktemp("tiny"), scenario)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def read(path: Path) -> Evaluation:
    (one,) = msgspec.json.decode(path.read_bytes(), type=list[Evaluation])
    return one


def alerts_of(source: Played | Recorded) -> list[bytes]:
    case = source.case(lambda _: None)
    trial = Trial(case.numbered)
    for batch in case.batches():
        trial.feed(batch)
    return [msgspec.json.encode(record) for record in trial.records()]


def test_a_scenario_played_straight_to_the_judge_gives_the_alerts_of_its_capture_through_the_door(
    scenario: Scenario, written: Written
) -> None:
    direct = alerts_of(Played(scenario))
    assert len(direct) >= 5
    assert direct == alerts_of(Recorded(written.capture, written.truth, written.registry))


def test_a_capture_is_evaluated_like_the_scenario_that_it_was_written_from(written: Written, tmp_path: Path) -> None:
    files = ("--truth", written.truth, "--registry", written.registry, "--contexts", written.contexts)
    assert run("--capture", written.capture, *files, "--seed", 5, "--json", tmp_path / "a").exit_code == 0
    assert run("--scenario", written.scenario, "--json", tmp_path / "b").exit_code == 0
    captured, played = read(tmp_path / "a"), read(tmp_path / "b")
    assert captured.codes == played.codes
    assert captured.load == played.load
    assert captured.contexts == played.contexts
    assert captured.wearer_days == played.wearer_days == pytest.approx(24, abs=10)


def test_every_code_with_an_event_has_its_figures_and_its_baselines(written: Written, tmp_path: Path) -> None:
    outcome = run("--scenario", written.scenario, "--json", tmp_path / "json")
    codes = {report.code: report for report in read(tmp_path / "json").codes}
    assert {AlertCode.DEVICE_STRAP, AlertCode.DEVICE_SOS, AlertCode.ZONE_EXIT, AlertCode.VITALS_SPO2} <= codes.keys()
    assert codes[AlertCode.DEVICE_STRAP].ours.recall.value == 1.0
    assert codes[AlertCode.VITALS_SPO2].has_detector
    for report in codes.values():
        names = {"fixed threshold", "naive point in polygon", "random at the same rate", "never"}
        assert report.baselines.keys() == names
        assert report.baselines["never"].found == 0
    assert "device.strap" in outcome.output


def test_a_restart_half_way_changes_no_alert(written: Written, tmp_path: Path) -> None:
    assert run("--scenario", written.scenario, "--restart", "--json", tmp_path / "json").exit_code == 0
    (check,) = read(tmp_path / "json").checks
    assert check.passed


def test_a_judge_that_forgets_when_it_restarts_is_found_out(
    written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def forget(trial: Trial) -> None:
        trial._judge = Judge.new(trial._rules)

    monkeypatch.setattr(Trial, "restart", forget)
    outcome = run("--scenario", written.scenario, "--restart", "--json", tmp_path / "json")
    assert outcome.exit_code == 1
    assert "a restart half-way changes no alert" in outcome.output


def test_degradations_are_named_and_make_a_difference(written: Written, tmp_path: Path) -> None:
    worse = ("--loss", 0.2, "--reorder", 0.1, "--duplicates", 0.1, "--clock", 100, "--cold-start", 0.5)
    assert run("--scenario", written.scenario, *worse, "--json", tmp_path / "a").exit_code == 0
    assert run("--scenario", written.scenario, "--json", tmp_path / "b").exit_code == 0
    degraded, plain = read(tmp_path / "a"), read(tmp_path / "b")
    assert len(degraded.degradations) == 5
    assert degraded.readings < 0.6 * plain.readings
    assert sum(report.ours.events for report in degraded.codes) < sum(report.ours.events for report in plain.codes)


def test_pages_and_tables_are_written(written: Written, tmp_path: Path) -> None:
    page, table = tmp_path / "page.html", tmp_path / "table.md"
    assert run("--scenario", written.scenario, "--html", page, "--markdown", table).exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "device.strap" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "very patient" in html, "curves need a point for each setting"
    assert "| `device.strap`" in table.read_text(encoding="utf-8")


def test_the_loop_is_closed_and_held_against_the_same_without_it(written: Written, tmp_path: Path) -> None:
    page, table, json_file = (tmp_path / name for name in ("page.html", "table.md", "json"))
    files = ("--html", page, "--markdown", table, "--json", json_file, "--no-curves")
    outcome = run("--scenario", written.scenario, "--sampling", "--restart", *files)
    one = read(json_file)
    assert one.sampling is not None
    assert one.sampling.readings_closed == one.readings > one.sampling.readings_without
    assert {"a restart half-way changes no alert", "the loop changes nothing that happens"} <= {
        check.name for check in one.checks if check.passed
    }
    assert "every 15 s" in one.reporting
    for said in (outcome.output, table.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")):
        assert "time on the fast plan" in said


def test_figures_are_held_against_stored_ones(written: Written, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    assert run("--scenario", written.scenario, "--store", kept).exit_code == 0
    assert run("--scenario", written.scenario, "--against", kept).exit_code == 0
    outcome = run("--scenario", written.scenario, "--loss", 0.95, "--against", kept)
    assert outcome.exit_code == 1
    assert "device.strap" in outcome.output


def test_other_figures_than_the_stored_ones_are_refused_by_name(written: Written, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text('{"something else": {}}', encoding="utf-8")
    outcome = run("--scenario", written.scenario, "--against", kept)
    assert outcome.exit_code == 1
    assert "something else" in outcome.output


def test_a_truth_that_does_not_fit_is_refused_with_every_line(written: Written, tmp_path: Path) -> None:
    lines = [
        {"device": "nobody", "code": "device.sos", "start": "2026-03-02T00:00:00Z", "end": "2026-03-02T01:00:00Z"},
        {"device": "band-0001", "code": "device.sox", "start": "2026-03-02T00:00:00Z", "end": "2026-03-02T01:00:00Z"},
        {"device": "band-0001", "code": "device.sos", "start": "2026-03-02T02:00:00Z", "end": "2026-03-02T01:00:00Z"},
        {"device": "band-0002", "code": "device.sos", "start": "2026-03-02T02:00:00Z", "end": "2026-03-02T04:00:00Z"},
        {"device": "band-0002", "code": "device.sos", "start": "2026-03-02T03:00:00Z", "end": "2026-03-02T05:00:00Z"},
    ]
    truth = tmp_path / "truth"
    truth.write_text("".join(json.dumps({**line, "parameters": {}}) + "\n" for line in lines), encoding="utf-8")
    outcome = run("--capture", written.capture, "--truth", truth, "--registry", written.registry)
    assert outcome.exit_code == 1
    for said in ("line 1", "nobody", "line 2", "device.sox", "line 3", "line 5", "nothing was judged"):
        assert said in outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--scenario"),
        (("--scenario", "small", "--realism"), "--recordings"),
        (("--capture", __file__), "--truth"),
        (("--scenario", "no-such"), "small, standard"),
        (("--recordings", __file__, "--sampling"), "--scenario"),
    ],
    ids=[
        "nothing",
        "realism without reality",
        "a capture without truth",
        "a scenario that is not there",
        "a loop over bands that are not simulated",
    ],
)
def test_what_cannot_be_evaluated_is_said(arguments: tuple[str, ...], said: str) -> None:
    outcome = run(*arguments)
    assert outcome.exit_code != 0
    assert said in outcome.output
    assert "Traceback" not in outcome.output
