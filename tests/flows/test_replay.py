"""Timelines: what bands say, and which alerts must stand in the end."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.ledger import AlertRecord
from ingest.vet import VetConfig
from schemas.registry import Leave, NumberedRegistry, ZoneKind
from shouhuan.replay import Replayed, replay
from tests.world import START, Band, circle, night, north_of_home, numbered, write_capture

AWAY = north_of_home(400)


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    def run(rules: NumberedRegistry, *bands: Band) -> Replayed:
        return replay(write_capture(tmp_path / "capture.jsonl", *bands), rules, VetConfig())

    return run


def brief(record: AlertRecord) -> tuple[str, str, float, float, float | None]:
    def after(moment: Any) -> float | None:
        return None if moment is None else (moment - START).total_seconds()

    return record.code, record.state.value, after(record.onset_at), after(record.opened_at), after(record.cleared_at)  # type: ignore[return-value]


def alerts(replayed: Replayed) -> list[tuple[str, str, float, float, float | None]]:
    return [brief(record) for record in replayed.ledger.records()]


def test_leaving_a_keep_in_zone_rings_at_the_second_fix_outside_and_clears_after_return(judge: Any) -> None:
    band = Band().every(60, 0, 600).every(60, 600, 1200, at=AWAY).every(60, 1200, 1800)
    assert alerts(judge(numbered(circle("home", ZoneKind.KEEP_IN)), band)) == [
        ("zone.exit", "cleared", 600.0, 660.0, 1260.0)
    ]


def test_one_wild_fix_rings_nothing(judge: Any) -> None:
    band = Band().every(60, 0, 600).says(600, at=north_of_home(5000)).every(60, 660, 1800)
    assert alerts(judge(numbered(circle("home", ZoneKind.KEEP_IN)), band)) == []


def test_a_vague_cell_fix_never_rings_alone(judge: Any) -> None:
    vague = {"accuracy_m": 2000.0, "source": "cell"}
    band = Band().every(60, 0, 600).every(60, 600, 1800, at=north_of_home(1500), fix=vague)
    assert alerts(judge(numbered(circle("home", ZoneKind.KEEP_IN, radius_m=500)), band)) == []


def test_a_repeated_stale_fix_is_no_new_evidence(judge: Any) -> None:
    band = Band().every(60, 0, 600)
    for n in range(10):
        band.says(600 + 60 * n, at=AWAY, fix={"age_s": 60.0 * n})
    assert alerts(judge(numbered(circle("home", ZoneKind.KEEP_IN)), band)) == []


def test_entering_a_keep_out_zone_rings(judge: Any) -> None:
    band = Band().every(60, 0, 300).every(60, 300, 600, at=AWAY)
    assert alerts(judge(numbered(circle("school", ZoneKind.KEEP_OUT, AWAY)), band)) == [
        ("zone.enter", "open", 300.0, 360.0, None)
    ]


def test_an_interest_zone_asks_nothing(judge: Any) -> None:
    assert alerts(judge(numbered(circle("office", ZoneKind.INTEREST)), Band().every(60, 0, 600))) == []


def test_a_curfew_window_that_opens_while_its_wearer_is_away_rings_at_the_edge(judge: Any) -> None:
    home = circle("home", ZoneKind.CURFEW, schedule="evening")
    rules = numbered(home, schedules=[night("evening", "10:30", "11:00")])  # local time; the test starts at 10:00
    band = Band().every(60, 30, 5400, at=AWAY)
    assert alerts(judge(rules, band)) == [("zone.curfew", "cleared", 1800.0, 1800.0, 3600.0)]


def test_a_curfew_window_does_not_ring_on_a_position_that_is_no_longer_known(judge: Any) -> None:
    home = circle("home", ZoneKind.CURFEW, schedule="evening")
    rules = numbered(home, schedules=[night("evening", "10:30", "11:00")], silence_after_s=300)
    band = Band().every(60, 0, 600, at=AWAY).every(60, 600, 5400, at=None, device={"battery_pct": 80})
    assert [alert[0] for alert in alerts(judge(rules, band))] == ["device.no_fix"]


def test_an_approved_leave_opens_the_fence_for_exactly_its_time(judge: Any) -> None:
    leave = Leave(
        id="l-1",
        wearer="w-1",
        document="请假1号",
        approver="所长",
        recorded_at=START,
        valid_from=START,
        valid_to=START + timedelta(minutes=30),
    )
    band = Band().every(60, 0, 3600, at=AWAY)
    assert alerts(judge(numbered(circle("home", ZoneKind.KEEP_IN), leaves=[leave]), band)) == [
        ("leave.overstay", "open", 1800.0, 1800.0, None)
    ]


@pytest.mark.parametrize(
    ("code", "well", "alarm"),
    [
        pytest.param("device.strap", {"strap_closed": True}, {"strap_closed": False}, id="strap"),
        pytest.param("device.case", {"case_closed": True}, {"case_closed": False}, id="case"),
        pytest.param("device.sos", {"sos": False}, {"sos": True}, id="sos"),
    ],
)
def test_tamper_and_help_ring_at_once_stay_one_alert_and_never_close_by_themselves(
    judge: Any, code: str, well: dict[str, bool], alarm: dict[str, bool]
) -> None:
    band = Band().says(0, device=well)
    for n in range(21):
        band.says(60 + 120 * n, device=alarm).says(120 + 120 * n, device=well)
    replayed = judge(numbered(), band)
    assert alerts(replayed) == [(code, "open", 60.0, 60.0, None)]
    assert replayed.ledger.records()[0].evidence["occurrences"] == 21


def test_a_low_battery_rings_low_after_a_grace_then_medium_and_ends_on_the_charger(judge: Any) -> None:
    band = Band()
    for n, level in enumerate([30, 19, 19, 18, 18, 7, 6]):
        band.says(600 * n, device={"battery_pct": level, "charging": False})
    replayed = judge(numbered(silence_after_s=900), band)
    assert alerts(replayed) == [("device.battery", "open", 600.0, 1800.0, None)]
    assert replayed.ledger.records()[0].priority == "medium"
    band.says(4000, device={"battery_pct": 6, "charging": True})
    assert alerts(judge(numbered(silence_after_s=900), band)) == [("device.battery", "cleared", 600.0, 1800.0, 4000.0)]


def test_silence_rings_when_due_and_clears_when_the_band_speaks_again(judge: Any) -> None:
    band = Band().every(60, 0, 300).every(60, 3000, 3300)
    assert alerts(judge(numbered(silence_after_s=600), band)) == [("device.silence", "cleared", 240.0, 840.2, 3000.0)]


def test_silence_still_going_on_at_the_end_of_a_capture_is_found(judge: Any) -> None:
    silent, talking = Band("band-1").every(60, 0, 300), Band("band-2").every(60, 0, 3000)
    assert alerts(judge(numbered(silence_after_s=600, bands=2), silent, talking)) == [
        ("device.silence", "open", 240.0, 840.2, None)
    ]


def test_silence_is_retracted_when_the_band_had_recorded_all_along(judge: Any) -> None:
    band = Band().every(60, 0, 300).every(60, 3000, 3300)
    for n in range(5, 50):
        band.says(60 * n, late_s=3000.0 - 60 * n + n / 100)
    assert [alert[:2] for alert in alerts(judge(numbered(silence_after_s=600), band))] == [
        ("device.silence", "retracted")
    ]


def test_a_breach_found_in_a_backlog_is_history(judge: Any) -> None:
    band = Band().every(60, 0, 300)
    for n in range(5, 60):
        band.says(60 * n, at=AWAY if 10 <= n < 20 else north_of_home(0), late_s=4000.0 - 60 * n + n / 100)
    records = judge(numbered(circle("home", ZoneKind.KEEP_IN)), band).ledger.records()
    assert [(r.code, r.historic) for r in records if r.code == "zone.exit"] == [("zone.exit", True)]


def test_a_fast_heart_at_rest_rings_within_minutes_and_a_walk_does_not(judge: Any) -> None:
    resting, walking = Band("band-1"), Band("band-2")
    for n in range(16):
        body = {"heart_rate_bpm": 135 + n % 4, "quality": 0.9}
        resting.says(60 * n, vitals=body | {"steps": 0, "activity": 0.05})
        walking.says(60 * n, vitals=body | {"steps": 90, "activity": 0.7})
    rang = alerts(judge(numbered(bands=2), resting, walking))
    # The walker's fix stands still, which is doubted on its own account.
    assert [one[0] for one in rang if one[0] != "device.spoof"] == ["vitals.heart_rate"]


def test_without_a_consent_physiology_is_neither_judged_nor_counted_as_taken(judge: Any) -> None:
    band = Band().every(60, 0, 900, vitals={"heart_rate_bpm": 125, "steps": 0, "activity": 0.05, "quality": 0.9})
    replayed = judge(numbered(consent=False), band)
    assert alerts(replayed) == []
    assert replayed.tally.refused["no_consent"] == 15
