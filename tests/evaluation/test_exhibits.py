import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from evaluation.exhibits import exhibits
from evaluation.outcome import Context, Event, Exhibit, Found, Series
from evaluation.recording import Recording
from schemas.alerts import AlertCode, AlertState
from schemas.readings import Readings
from schemas.registry import ZoneKind
from tests.world import HOME, START_MS, circle, north_of_home, numbered

MINUTE_MS = 60_000


def ms(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


def event(code: AlertCode, start: float, end: float, device: str = "band-1", **parameters: Any) -> Event:
    return Event(device, code, ms(start), ms(end), parameters)


def alert(code: AlertCode, at: float, ended: float | None = None, device: str = "band-1", **more: Any) -> Found:
    given: dict[str, Any] = {
        "device": device,
        "wearer": "w-1",
        "code": code,
        "subject": "",
        "priority": "high",
        "found_ms": ms(at),
        "known_ms": ms(at),
        "ended_ms": None if ended is None else ms(ended),
        "state": AlertState.OPEN if ended is None else AlertState.CLEARED,
        "historic": False,
        "evidence": {},
    }
    return Found(**(given | more))


def minutes(start: int, end: int, step_s: int = 60, **columns: Any) -> Readings:
    event_ms = np.arange(ms(start), ms(end), step_s * 1000)
    given = {"device": 1, "event_ms": event_ms, "ingest_ms": event_ms + 500} | columns
    return Readings.of(**{name: np.broadcast_to(value, len(event_ms)) for name, value in given.items()})


def shown(
    *readings: Readings, missed=(), false=(), events=(), ours=(), contexts=(), most=40, seed=0, zones=()
) -> list[Exhibit]:
    recording = Recording()
    for batch in readings:
        recording.add(batch)
    registry = numbered(*zones, bands=3)
    return exhibits(
        missed, false, events=events, ours=ours, contexts=contexts, recording=recording, numbered=registry,
        most=most, seed=seed,
    )  # fmt: skip


def only(found: list[Exhibit]) -> Exhibit:
    assert len(found) == 1
    return found[0]


def series_of(exhibit: Exhibit) -> dict[str, Series]:
    return {series.name: series for series in exhibit.series}


def away(minute: int, metres: float) -> Readings:
    lat, lon = north_of_home(metres)
    return minutes(minute, minute + 1, lat=lat, lon=lon, accuracy_m=8)


def test_a_missed_exit_shows_the_distance_to_its_wall_and_says_how_far() -> None:
    gone = event(AlertCode.ZONE_EXIT, 60, 74, zone="home", kind="brief")
    walk = [away(n, 312 if 60 <= n <= 74 else 20) for n in range(30, 120)]
    exhibit = only(shown(*walk, missed=[gone], events=[gone], zones=[circle("home", ZoneKind.KEEP_IN)]))
    assert (exhibit.kind, exhibit.code, exhibit.device, exhibit.at_ms) == ("missed", gone.code, "band-1", ms(60))
    assert exhibit.note == "left a keep-in zone by 212 m for 14 min (brief); nothing rang"
    wall, accuracy = exhibit.series
    assert (wall.name, wall.unit, wall.threshold) == ("distance to the wall", "m", 0.0)
    assert wall.times_ms == [ms(n) for n in range(30, 104)]
    assert wall.values[0] == pytest.approx(-80, abs=1)
    assert wall.values[30] == pytest.approx(212, abs=1)
    assert accuracy.values == [8.0] * len(wall.times_ms)


@pytest.mark.parametrize(
    ("code", "kind", "north_m", "said"),
    [
        (AlertCode.ZONE_ENTER, ZoneKind.KEEP_OUT, 70, "inside a keep-out zone by 30 m for 5 min"),
        (AlertCode.ZONE_CURFEW, ZoneKind.CURFEW, 150, "absent during curfew by 50 m for 5 min"),
        (AlertCode.ZONE_APPROACH, ZoneKind.KEEP_IN, 60, "nearing a boundary to 40 m from the wall for 5 min"),
    ],
    ids=["enter", "curfew", "approach"],
)
def test_each_kind_of_zone_event_says_its_own_distance(code, kind, north_m, said) -> None:
    missed = event(code, 3, 8, zone="z")
    walk = [away(n, north_m) for n in range(10)]
    assert only(shown(*walk, missed=[missed], zones=[circle("z", kind)])).note == f"{said}; nothing rang"


def test_of_a_zone_that_is_not_known_the_accuracy_is_shown() -> None:
    missed = event(AlertCode.ZONE_EXIT, 3, 8, zone="gone")
    exhibit = only(shown(away(5, 0), missed=[missed]))
    assert [series.name for series in exhibit.series] == ["accuracy"]
    assert exhibit.note == "left a keep-in zone for 5 min; nothing rang"


def test_a_note_tells_what_else_rang_and_whether_the_band_spoke() -> None:
    missed = event(AlertCode.DEVICE_STRAP, 60, 61)
    rang = [alert(AlertCode.DEVICE_SILENCE, 60.5), alert(AlertCode.DEVICE_SOS, 60.5, device="band-2")]
    note = only(shown(missed=[missed], ours=rang)).note
    assert note == "strap opened or cut for 1 min and the band said nothing meanwhile; only device.silence rang"


def test_a_false_alert_tells_its_evidence_and_what_looked_like_it() -> None:
    false = alert(AlertCode.VITALS_HEART_RATE, 60, 70, evidence={"heart_rate_bpm": 141.0, "ended": {"x": 1}})
    cycling = Context("band-1", "cycling", ms(50), ms(90))
    exhibit = only(shown(false=[false], ours=[false], contexts=[cycling]))
    assert (exhibit.kind, exhibit.at_ms) == ("false", ms(60))
    assert exhibit.note == "rang although nothing happened but cycling; evidence: heart_rate_bpm 141.0"


def test_a_false_alert_tells_what_else_was_true() -> None:
    note = only(shown(false=[alert(AlertCode.DEVICE_SOS, 5)], events=[event(AlertCode.DEVICE_BATTERY, 0, 9)])).note
    assert note == "rang although only device.battery happened; evidence: none"


def test_a_false_zone_alert_shows_the_wall_of_its_subject() -> None:
    false = alert(AlertCode.ZONE_EXIT, 5, 6, subject="home")
    exhibit = only(shown(away(5, 150), false=[false], zones=[circle("home", ZoneKind.KEEP_IN)]))
    assert series_of(exhibit)["distance to the wall"].values == [pytest.approx(50, abs=1)]


def test_spans_are_those_of_the_band_that_overlap_cut_to_half_an_hour_around() -> None:
    missed = event(AlertCode.DEVICE_SOS, 60, 62)
    exhibit = only(
        shown(
            missed=[missed],
            events=[missed, event(AlertCode.DEVICE_BATTERY, 0, 40), event(AlertCode.DEVICE_SOS, 0, 29)],
            ours=[alert(AlertCode.DEVICE_SILENCE, 80), alert(AlertCode.DEVICE_SOS, 60, 61, device="band-2")],
            contexts=[Context("band-1", "hot bath", ms(0), ms(500))],
        )
    )
    assert [(s.lane, s.label, (s.start_ms - START_MS) / MINUTE_MS, (s.end_ms - START_MS) / MINUTE_MS)
            for s in exhibit.spans] == [
        ("truth", "device.battery", 30, 40),
        ("truth", "device.sos", 60, 62),
        ("ours", "device.silence", 80, 92),
        ("context", "hot bath", 30, 92),
    ]  # fmt: skip


def test_what_lasts_for_days_is_shown_for_six_hours_in_at_most_four_hundred_points() -> None:
    missed = event(AlertCode.DEVICE_BATTERY, 60, 4_000)
    series = only(only(shown(minutes(0, 600, step_s=20, battery_pct=15), missed=[missed])).series)
    assert (series.times_ms[0], series.times_ms[-1]) == (ms(30), ms(390) - 20_000)
    assert 350 < len(series.times_ms) <= 400
    assert np.ptp(np.diff(series.times_ms)) <= 20_000


EVERYTHING = {
    "lat": HOME[0], "lon": HOME[1], "accuracy_m": 8.0, "heart_rate_bpm": 61.0, "skin_temp_c": 33.0, "spo2_pct": 97.0,
    "steps": 4.0, "peak_g": 1.5, "battery_pct": 50.0, "strap_closed": 1, "case_closed": 0, "sos": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (AlertCode.VITALS_HEART_RATE, {"heart rate": 61, "steps": 4}),
        (AlertCode.VITALS_STRESS, {"heart rate": 61, "steps": 4}),
        (AlertCode.VITALS_SPO2, {"SpO2": 97, "steps": 4}),
        (AlertCode.VITALS_TEMPERATURE, {"skin temperature": 33, "steps": 4}),
        (AlertCode.VITALS_FALL, {"peak acceleration": 1.5, "steps": 4}),
        (AlertCode.DEVICE_BATTERY, {"battery": 50}),
        (AlertCode.DEVICE_SILENCE, {"on the way": 0.5, "accuracy": 8}),
        (AlertCode.DEVICE_NO_FIX, {"on the way": 0.5, "accuracy": 8}),
        (AlertCode.SITE_OUTAGE, {"on the way": 0.5, "accuracy": 8}),
        (AlertCode.DEVICE_SPOOF, {"implied speed": 0}),
        (AlertCode.DEVICE_STRAP, {"strap closed": 1}),
        (AlertCode.DEVICE_CASE, {"case closed": 0}),
        (AlertCode.DEVICE_SOS, {"help button": 1}),
        (AlertCode.DEVICE_OFF_BODY, {"heart rate": 61, "skin temperature": 33, "strap closed": 1}),
        (AlertCode.GATHERING, {"accuracy": 8}),
    ],
    ids=lambda value: value.value if isinstance(value, AlertCode) else "",
)
def test_each_code_shows_the_signals_it_is_judged_by(code, expected) -> None:
    exhibit = only(shown(minutes(58, 63, **EVERYTHING), missed=[event(code, 60, 61)]))
    assert {series.name: series.values[-1] for series in exhibit.series} == expected


def test_where_a_band_sent_nothing_there_is_none_and_a_signal_it_never_sent_is_left_out() -> None:
    pulse = np.array([60.0, math.nan, 62.0])
    exhibit = only(shown(minutes(60, 63, heart_rate_bpm=pulse), missed=[event(AlertCode.VITALS_HEART_RATE, 60, 61)]))
    assert {series.name: series.values for series in exhibit.series} == {"heart rate": [60.0, None, 62.0]}


def test_a_switch_that_was_not_sent_is_none() -> None:
    exhibit = only(shown(minutes(60, 63, strap_closed=[1, -1, 0]), missed=[event(AlertCode.DEVICE_STRAP, 60, 61)]))
    assert exhibit.series[0].values == [1.0, None, 0.0]


def test_implied_speed_is_between_fixes_whatever_lies_between_them() -> None:
    jump = [away(60, 0), minutes(61, 62), away(62, 1_200)]
    exhibit = only(shown(*jump, missed=[event(AlertCode.DEVICE_SPOOF, 60, 63)]))
    assert exhibit.series[0].values == [None, None, pytest.approx(10, abs=0.02)]


def many() -> list[Event]:
    low = [event(AlertCode.DEVICE_BATTERY, n, n + 1) for n in range(200)]
    return [*low, event(AlertCode.DEVICE_SOS, 5, 6), event(AlertCode.DEVICE_CASE, 5, 6)]


def test_a_choice_has_some_of_every_code_and_is_full() -> None:
    chosen = shown(missed=many(), false=[alert(AlertCode.DEVICE_SOS, n) for n in range(9)], most=6)
    assert Counter((e.kind, e.code) for e in chosen) == {
        ("missed", AlertCode.DEVICE_BATTERY): 4,
        ("missed", AlertCode.DEVICE_SOS): 1,
        ("missed", AlertCode.DEVICE_CASE): 1,
        ("false", AlertCode.DEVICE_SOS): 6,
    }


def test_a_choice_follows_from_the_seed_and_not_from_the_order_of_what_there_was() -> None:
    assert shown(missed=many(), most=9, seed=1) == shown(missed=many()[::-1], most=9, seed=1)
    assert shown(missed=many(), most=9, seed=1) != shown(missed=many(), most=9, seed=2)


def test_a_band_that_the_registry_does_not_know_has_nothing_to_show() -> None:
    assert only(shown(missed=[event(AlertCode.DEVICE_SOS, 5, 6, device="band-99")])).series == []
