"""``shouhuan calibrate`` as its user meets it."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from schemas.alerts import NOBODY, AlertCode, AlertEvent, Transition
from schemas.readings import Readings
from schemas.registry import AlertRule
from shouhuan.cli import app
from store.alerts import AlertWriter
from store.connection import connect
from store.errors import RegistryError
from store.history import confirmed_alerts, journal_batches
from store.journal import PostgresJournal
from store.registry import import_registry, load_registry
from store.registry_file import read_registry
from tests.evaluation.test_calibration import HECTIC
from tests.store.build import COUNTS
from tests.world import START, START_MS, alert_of_band_1, registry

HOUR_MS = 3_600_000
RULES = {"alert_rules": [{"code": "vitals.heart_rate", "budget": 10.0}, {"code": "vitals.fall", "budget": 10.0}]}


def test_a_scenario_gives_a_file_that_can_be_imported(tmp_path: Path) -> None:
    scenario, rules, out = tmp_path / "hectic.yaml", tmp_path / "rules.yaml", tmp_path / "out.yaml"
    scenario.write_text(json.dumps(HECTIC))
    rules.write_text(json.dumps(RULES))
    result = CliRunner().invoke(
        app, ["calibrate", "--scenario", str(scenario), "--rules", str(rules), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "wearer-days" in result.output
    assert [rule.code for rule in read_registry(out).alert_rules] == ["vitals.heart_rate", "vitals.fall"]


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A band that was off somewhere for six hours of a day, twice, and a budget of silence that has no room for it."""
    rules = [AlertRule(code=AlertCode.DEVICE_SILENCE, budget=0.001)]
    import_registry(database_url, registry(bands=2, alert_rules=rules), now=START)
    journal = PostgresJournal(database_url, "mqtt-0")
    for seq, hour in enumerate([*range(8), *range(14, 20), *range(26, 40)]):
        at_ms = START_MS + hour * HOUR_MS
        journal.persist(
            Readings.of(device=[1], wearer=[1], seq=[seq], event_ms=[at_ms], ingest_ms=[at_ms]), (), **COUNTS
        )
    journal.close()
    monkeypatch.setenv("SHOUHUAN_DATABASE_URL", database_url)
    return database_url


def test_the_journal_is_read_in_the_order_in_which_it_came(stored: str) -> None:
    with connect(stored) as connection:
        times = [int(batch.ingest_ms[0]) for batch in journal_batches(connection)]
    assert len(times) == 28
    assert times == sorted(times)


def test_the_journal_sets_the_rules_of_the_database(stored: str) -> None:
    result = CliRunner().invoke(app, ["calibrate", "--apply"])
    assert result.exit_code == 1, result.output  # hours of silence at an interval of minutes: no patience explains them
    assert "no setting" in result.output
    with connect(stored) as connection:
        (rule,) = load_registry(connection).registry.alert_rules
    assert rule == AlertRule(code=AlertCode.DEVICE_SILENCE, patience=4.0, budget=0.001)


def test_what_people_confirmed_is_no_false_alarm(stored: str) -> None:
    writer = AlertWriter(stored)
    for hour in (7, 19):
        at_ms = START_MS + hour * HOUR_MS
        writer.write([silence(at_ms, Transition.OPENED), silence(at_ms, Transition.CLEARED)])
    writer.close()
    with connect(stored, autocommit=True) as connection:
        connection.execute(
            "UPDATE incident SET state = 'closed', closed_by = 'x', closed_at = now(), close_cause = 'confirmed'"
        )
        assert [(one.device, one.code, one.from_ms) for one in confirmed_alerts(connection)] == [
            ("band-1", AlertCode.DEVICE_SILENCE, START_MS + hour * HOUR_MS) for hour in (7, 19)
        ]
    result = CliRunner().invoke(app, ["calibrate"])
    assert "1.000" in result.output, result.output


def test_an_outage_that_people_confirmed_was_true_of_each_of_its_bands(stored: str) -> None:
    code, nobody = AlertCode.SITE_OUTAGE, {"device": "", "wearer": "", "device_no": NOBODY, "wearer_no": NOBODY}
    outage = msgspec.structs.replace(silence(START_MS, Transition.OPENED), code=code, subject="dongqu", **nobody)
    outage = msgspec.structs.replace(outage, evidence={"bands": ["band-1", "band-2"]})
    writer = AlertWriter(stored)
    writer.write([outage])
    writer.close()
    with connect(stored, autocommit=True) as connection:
        connection.execute("UPDATE incident SET state = 'closed', closed_at = now(), close_cause = 'confirmed'")
        assert [(one.device, one.code) for one in confirmed_alerts(connection)] == [("band-1", code), ("band-2", code)]


def silence(onset_ms: int, transition: Transition) -> AlertEvent:
    opened = transition is Transition.OPENED
    at_ms = onset_ms + (HOUR_MS // 2 if opened else 6 * HOUR_MS)
    return alert_of_band_1(AlertCode.DEVICE_SILENCE, onset_ms=onset_ms, at_ms=at_ms, transition=transition)


def test_rules_of_the_database_are_not_set_by_another_history() -> None:
    result = CliRunner().invoke(app, ["calibrate", "--scenario", "small", "--apply"])
    assert result.exit_code == 2
    assert "--apply sets" in result.stderr.replace("\n", " ")


def test_a_rule_on_a_code_without_a_dial_is_refused_with_what_to_do(database_url: str) -> None:
    wrong = registry(alert_rules=[AlertRule(code=AlertCode.DEVICE_STRAP), AlertRule(code=AlertCode.ZONE_CURFEW)])
    with pytest.raises(RegistryError, match=r"device.strap has no dial; it rings at once") as error:
        import_registry(database_url, wrong, now=START)
    assert "judged with zone.exit: set that" in str(error.value)
