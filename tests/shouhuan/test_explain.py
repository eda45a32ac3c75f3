"""Why an alert rang, asked of a database in which a platform has stored what it received and what it found."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb
from rich.console import Console
from typer.testing import CliRunner

from schemas.alerts import NOBODY, AlertCode, AlertEvent, Priority, Transition, alert_id
from schemas.registry import ZoneKind
from shouhuan.cases import Played
from shouhuan.cli import app
from shouhuan.explain import CannotExplain, Difference, Explanation, explained, show
from simulator.kinds import Kind
from simulator.scenario import Scenario, read_scenario
from store.alerts import AlertWriter
from store.connection import connect
from store.retention import apply_retention
from tests.shouhuan.live import Live, at_minutes, later, ms, walk
from tests.store.build import ask
from tests.world import START, circle, night, north_of_home, registry

HOME_ZONE = circle("home", ZoneKind.KEEP_IN)


@pytest.fixture
def live(database_url: str) -> Iterator[Live]:
    with Live(database_url) as platform:
        yield platform


def explain(live: Live, alert: AlertEvent | UUID | str, operator: str = "zhang") -> Explanation:
    identity = alert.alert_id if isinstance(alert, AlertEvent) else alert
    with connect(live.url, autocommit=True) as connection:
        return explained(connection, str(identity), operator, later(300))


def printed(found: Explanation) -> str:
    out = Console(width=100, file=StringIO())
    show(found, out)
    return out.file.getvalue()  # type: ignore[attr-defined]


def leaves_home(live: Live) -> AlertEvent:
    live.rules(registry(HOME_ZONE), START - timedelta(days=1))
    walk(live, (range(60), 20.0), (range(60, 66), 300.0))
    (alert,) = live.alerts
    return alert


def cut_strap(live: Live) -> AlertEvent:
    live.rules(registry(HOME_ZONE), START - timedelta(days=1))
    live.hear(at_minutes(range(30), strap_closed=1))
    live.hear(at_minutes(range(30, 33), strap_closed=[0, 1, 0]))
    (alert,) = live.alerts
    return alert


def curfew_missed(live: Live) -> AlertEvent:
    home = circle("home", ZoneKind.CURFEW, schedule="evening")
    people = registry(home, schedules=[night("evening", "11:00", "12:00")])
    live.rules(people, START - timedelta(days=1))
    walk(live, (range(70), 400.0))
    (alert,) = live.alerts
    return alert


def slips_in(live: Live) -> AlertEvent:
    school = circle("school", ZoneKind.KEEP_OUT, centre=north_of_home(1000.0))
    live.rules(registry(school), START - timedelta(days=1))
    walk(live, (range(30), 20.0), (range(30, 36), 1000.0))
    (alert,) = live.alerts
    return alert


def passes_through(live: Live) -> AlertEvent:
    school = circle("school", ZoneKind.KEEP_OUT, centre=north_of_home(500.0), radius_m=150.0)
    live.rules(registry(school), START - timedelta(days=1))
    walk(live, (range(30), 20.0), (range(30, 36), 1000.0))
    (alert,) = live.alerts
    assert alert.evidence["crossing"]
    return alert


def nears_school(live: Live) -> AlertEvent:
    school = circle("school", ZoneKind.KEEP_OUT, centre=north_of_home(1000.0), approach_m=400.0)
    live.rules(registry(school), START - timedelta(days=1))
    walk(live, (range(30), 20.0), (range(30, 31), 450.0))
    lat, lon = north_of_home(600.0)
    live.hear(at_minutes([31], lat=lat, lon=lon, age_s=7.0))
    (alert,) = live.alerts
    return alert


def low_battery(live: Live) -> AlertEvent:
    live.rules(registry(), START - timedelta(days=1))
    live.hear(at_minutes(range(30), battery_pct=np.linspace(30, 5, 30), charging=0))
    return live.alerts[0]


def silent(live: Live) -> AlertEvent:
    live.rules(registry(), START - timedelta(days=1))
    live.hear(at_minutes(range(30)))
    live.tick(ms(50))
    (alert,) = live.alerts
    return alert


def fast_heart(live: Live) -> AlertEvent:
    live.rules(registry(), START - timedelta(days=1))
    rate = [70.0, 72.0] * 10 + [131.0, 128.0] * 5
    live.hear(at_minutes(range(30), heart_rate_bpm=rate, activity=0.0, steps=0.0, quality=0.9))
    (alert,) = live.alerts
    return alert


def fast_heart_of_somebody_known(live: Live) -> AlertEvent:
    """Four quiet days make a rate of 100 unusual that would be nobody else's alert."""
    live.rules(registry(silence_after_s=10**6), START - timedelta(days=1))
    days = range(0, 4 * 1_440, 10)
    rest: dict[str, Any] = {"activity": 0.0, "steps": 0.0, "quality": 0.9}
    live.hear(at_minutes(days, heart_rate_bpm=[58.0 + n % 3 for n in range(len(days))], **rest))
    attack = range(days[-1] + 1, days[-1] + 16)
    live.hear(at_minutes(attack, heart_rate_bpm=[99.0 + n % 2 for n in attack], **rest))
    (alert,) = live.alerts
    return alert


RINGS = [leaves_home, slips_in, passes_through, nears_school, curfew_missed, cut_strap, low_battery, silent, fast_heart]
RINGS += [fast_heart_of_somebody_known]


@pytest.mark.parametrize("ring", RINGS, ids=lambda ring: ring.__name__)
def test_what_the_judge_found_is_found_again_in_what_was_stored(live: Live, ring: Callable[[Live], AlertEvent]) -> None:
    alert = ring(live)
    found = explain(live, alert)
    assert found.differences == []
    assert found.alert.evidence == msgspec.json.decode(msgspec.json.encode(alert.evidence))
    assert "re-derived: the same" in printed(found)


def test_the_sentences_say_who_when_where_and_by_how_much_and_name_nobody(live: Live) -> None:
    said = printed(explain(live, leaves_home(live)))
    zh, en = said.splitlines()[:2]
    assert zh.startswith("w-1（手环 band-1）于 2026-11-23 11:00:00 越出“home”：")
    assert en.startswith("w-1 (band-1) left “home” at 2026-11-23 11:00:00: ")
    for part in ("200 m", "精度 8 m", "高于阈值"):
        assert part in zh
    for part in ("200 m outside (accuracy 8 m)", "against a threshold of"):
        assert part in en
    assert "演示1" not in said


def test_the_tables_show_the_fixes_by_local_time_the_rules_and_the_firmware(live: Live) -> None:
    live.rules(registry(HOME_ZONE), START - timedelta(days=1))
    live.hear(at_minutes(range(30), firmware=b"1.4.2"))
    walk(live, (range(30, 36), 300.0))
    said = printed(explain(live, live.alerts[0]))
    assert "2026-11-23 10:31:00" in said
    assert "+200.0 m" in said
    assert "8.0 m" in said
    for fact in ("zone.exit, zone version 1", "1.4.2", "threshold", "margin"):
        assert fact in said


def test_evidence_that_the_readings_do_not_bear_out_is_named_with_both_values(live: Live) -> None:
    alert = leaves_home(live)
    forged = alert.evidence | {"accuracy_m": 3.5}
    with psycopg.connect(live.url) as connection:
        connection.execute("UPDATE alert_event SET evidence = %s WHERE transition = 'opened'", [Jsonb(forged)])
    found = explain(live, alert)
    assert found.differences == [Difference("evidence.accuracy_m", 3.5, 8.0)]
    assert "evidence.accuracy_m: stored 3.5, re-derived 8.0" in printed(found)


def test_a_verdict_that_the_readings_would_reach_at_another_time_differs_in_its_onset(live: Live) -> None:
    alert = leaves_home(live)
    with psycopg.connect(live.url) as connection:
        connection.execute("UPDATE position SET lat = %s WHERE event_time = %s", [north_of_home(300.0)[0], later(59)])
    found = explain(live, alert)
    assert Difference("onset_ms", ms(60), ms(59)) in (found.differences or [])


def test_without_the_readings_of_the_excursion_nothing_rings_again(live: Live) -> None:
    alert = leaves_home(live)
    lat, _ = north_of_home(20.0)
    with psycopg.connect(live.url) as connection:
        connection.execute("UPDATE position SET lat = %s", [lat])
    assert explain(live, alert).differences == [Difference("alert", "opened", "not opened")]


def test_a_verdict_is_re_derived_by_the_rules_of_its_time(live: Live) -> None:
    alert = leaves_home(live)
    live.rules(registry(circle("home", ZoneKind.KEEP_IN, radius_m=5000.0)), later(90))
    walk(live, (range(90, 120), 300.0))
    assert explain(live, alert).differences == []


def test_rules_that_change_before_the_alert_change_for_the_re_judging_at_the_same_time(live: Live) -> None:
    live.rules(registry(circle("home", ZoneKind.KEEP_IN, radius_m=5000.0)), START - timedelta(days=1))
    walk(live, (range(30), 300.0))
    live.rules(registry(HOME_ZONE), later(29.5))
    walk(live, (range(30, 40), 300.0))
    (alert,) = live.alerts
    found = explain(live, alert)
    assert (alert.rule_version, found.differences) == (2, [])


def test_a_second_alert_of_a_latch_rings_again_once_a_person_has_closed_the_first(live: Live) -> None:
    first = cut_strap(live)
    with psycopg.connect(live.url) as connection:
        connection.execute(
            "UPDATE incident SET state = 'closed', close_cause = 'device_fault', closed_at = %s", [later(40)]
        )
    from schemas.judging import Release, Released  # noqa: PLC0415

    live.judge.release(Release((Released(1, AlertCode.DEVICE_STRAP, first.onset_ms),)))
    live.hear(at_minutes(range(41, 44), strap_closed=[1, 1, 0]))
    assert explain(live, live.alerts[1]).differences == []


def test_a_silence_counted_from_when_we_could_hear_again_is_re_derived(live: Live) -> None:
    live.rules(registry(), START - timedelta(days=1))
    live.hear(at_minutes(range(30)))
    live.judge.listening_since(ms(35))
    live.tick(ms(60))
    assert live.alerts[0].at_ms == ms(45)
    assert explain(live, live.alerts[0]).differences == []


def test_a_breach_found_in_a_backlog_is_re_derived_from_when_it_reached_us(live: Live) -> None:
    live.rules(registry(HOME_ZONE, silence_after_s=86_400), START - timedelta(days=1))
    walk(live, (range(30), 20.0))
    lat, lon = north_of_home(300.0)
    backlog = at_minutes(range(30, 40), lat=lat, lon=lon)
    live.hear(backlog.replace(ingest_ms=np.full(10, ms(120))))
    (alert,) = live.alerts
    assert alert.historic
    assert explain(live, alert).differences == []


def test_every_look_is_in_the_audit_on_the_alert_and_on_the_wearer(live: Live) -> None:
    alert = leaves_home(live)
    explain(live, alert, operator="li")
    subject = f"alert:{alert.alert_id}"
    assert ask(live.url, "SELECT operator, action, subject, allowed, detail FROM audit ORDER BY audit_no") == [
        ("li", "alert.explain", subject, True, ""),
        ("li", "track.view", "wearer:w-1", True, subject),
    ]


def test_what_is_no_id_is_refused_with_the_way_to_find_one(live: Live) -> None:
    with pytest.raises(CannotExplain, match=r"'band-1' is no alert id.*take it from"):
        explain(live, "band-1")


def test_an_unknown_alert_is_refused_and_the_attempt_is_audited(live: Live) -> None:
    identity = uuid4()
    with pytest.raises(CannotExplain, match=f"no alert {identity} in this database: check the id"):
        explain(live, identity)
    assert ask(live.url, "SELECT action, subject, allowed FROM audit") == [
        ("alert.explain", f"alert:{identity}", False)
    ]


def test_without_a_lawful_order_nothing_is_shown_and_the_attempt_is_audited(live: Live) -> None:
    alert = leaves_home(live)
    with psycopg.connect(live.url) as connection:
        connection.execute("UPDATE supervision_order SET validity = tstzrange(lower(validity), %s)", [later(200)])
    with pytest.raises(CannotExplain, match=r"no supervision order covers wearer w-1 now.*import the order"):
        explain(live, alert)
    assert ask(live.url, "SELECT action, allowed FROM audit") == [("alert.explain", False)]


@pytest.mark.parametrize("ring", [leaves_home, silent], ids=lambda ring: ring.__name__)
def test_readings_that_retention_deleted_leave_the_evidence_to_speak(
    live: Live, ring: Callable[[Live], AlertEvent]
) -> None:
    alert = ring(live)
    with connect(live.url, autocommit=True) as connection:
        apply_retention(connection, later(300) + timedelta(days=90), 90)
    found = explain(live, alert)
    assert found.differences is None
    assert "not re-derived: the readings that decided are no longer stored" in printed(found)


def test_the_command_answers_the_shell_with_what_it_found(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOUHUAN_DATABASE_URL", live.url)
    monkeypatch.setattr("shouhuan.explain.now", lambda: later(300))
    alert = leaves_home(live)

    def command(*words: str) -> tuple[int, str]:
        outcome = CliRunner().invoke(app, ["explain", *words])
        return outcome.exit_code, outcome.output

    code, said = command(str(alert.alert_id), "--operator", "zhang")
    assert (code, "re-derived: the same" in said) == (0, True)
    code, said = command("nonsense")
    assert (code, "is no alert id" in said, "Traceback" in said) == (2, True, False)
    with psycopg.connect(live.url) as connection:
        connection.execute("UPDATE position SET lat = %s WHERE event_time = %s", [north_of_home(300.0)[0], later(59)])
    code, said = command(str(alert.alert_id))
    assert (code, "onset_ms: stored" in said) == (1, True)
    with psycopg.connect(live.url) as connection:
        connection.execute("DELETE FROM position")
    assert command(str(alert.alert_id))[0] == 2
    assert {operator for (operator,) in ask(live.url, "SELECT operator FROM audit")} > {"zhang"}


HAPPENS = {
    Kind.ZONE_EXIT_WALK,
    Kind.ZONE_EXIT_ALONG,
    Kind.ZONE_ENTER_WALK,
    Kind.ZONE_ENTER_PASS,
    Kind.CURFEW_LATE,
    Kind.STRAP_CUT,
    Kind.LOW_BATTERY,
    Kind.SILENCE_OFF,
    Kind.FAST_HEART,
}


def half_a_day() -> Scenario:
    """Twelve hours of eight people to whom a lot happens, over the small scenario's unreliable network."""
    return msgspec.structs.replace(
        read_scenario("small"), wearers=8, days=0.5, events=dict.fromkeys(HAPPENS, 0.9), start=later(300)
    )


def test_every_alert_of_a_simulated_half_day_is_re_derived(live: Live) -> None:
    scenario = half_a_day()
    live.rules(scenario.registry(), scenario.start - timedelta(hours=1))
    for batch in Played(scenario).case(lambda _: None).batches():
        if len(batch):
            live.hear(batch)
    unlike = {}
    with connect(live.url, autocommit=True) as connection:
        for alert in live.alerts:
            found = explained(connection, str(alert.alert_id), "test", scenario.start + timedelta(days=1))
            if found.differences != []:
                unlike[alert.code.value, alert.device, alert.alert_id] = found.differences
    assert unlike == {}
    codes = {alert.code for alert in live.alerts}
    assert codes >= {AlertCode.ZONE_EXIT, AlertCode.ZONE_ENTER, AlertCode.DEVICE_STRAP, AlertCode.DEVICE_SILENCE}


def test_an_alert_of_a_whole_place_is_no_matter_of_one_band_s_readings(live: Live) -> None:
    code = AlertCode.SITE_OUTAGE
    identity = alert_id("dongqu", "", code, "dongqu", 0)
    event = AlertEvent(
        alert_id=identity, transition=Transition.OPENED, code=code, priority=Priority.MEDIUM, subject="dongqu",
        org="dongqu", device="", wearer="", device_no=NOBODY, wearer_no=NOBODY, onset_ms=0, at_ms=240_000, seq=None,
        rule_version=1, historic=False, evidence={},
    )  # fmt: skip
    writer = AlertWriter(live.url)
    writer.write([event])
    writer.close()
    with pytest.raises(CannotExplain, match="of a whole place, dongqu: no band's readings alone yield it again"):
        explain(live, event)
