"""Real recordings as readings: nothing invented, nothing moved but the tracks' beginning, crossings as recorded."""

import numpy as np
import pytest

from evaluation.backgrounds import (
    TRACKS_BEGIN_MS,
    Band,
    Track,
    background,
    batched,
    crossings,
    gps_tracks,
    heart_minutes,
    heart_nights,
    zones_of,
)
from evaluation.outcome import Event
from schemas.alerts import AlertCode
from schemas.registry import ZoneKind
from tests.recordings import DATA, needs

METRES_PER_DEGREE = 111_194.93
MINUTE_MS = 60_000


def band(minutes, name="band-1"):
    event_ms = np.array(minutes, np.int64) * MINUTE_MS
    return Band(name, f"w-{name}", {"event_ms": event_ms, "heart_rate_bpm": np.full(len(event_ms), 60.0)})


def track_north(metres, name="walk"):
    """One fix a second, so many metres north of the first."""
    north = np.array(metres, np.float64)
    columns = {"lat": 30.0 + north / METRES_PER_DEGREE, "lon": np.full(len(north), 101.0)}
    return Track(name, np.arange(len(north), dtype=np.float64), columns)


def out_and_back(beyond_s):
    """A way out to 1,000 m, waiting there, and back; the radius of its keep-in zone is the median distance."""
    return np.concatenate([np.linspace(0, 1_000, 300), np.full(beyond_s, 1_000.0), np.linspace(1_000, 0, 300)])


def test_every_band_has_a_wearer_and_says_that_it_is_well():
    made = background("two", [band([0, 1], "a"), band([0], "b")], [])
    readings = made.readings
    assert (len(set(readings.device.tolist())), len(set(readings.wearer.tolist()))) == (2, 2)
    assert set(readings.strap_closed.tolist()) == set(readings.case_closed.tolist()) == {1}
    assert not readings.sos.any()
    assert not readings.has_fix.any()


def test_readings_come_in_receive_order_and_each_call_yields_them_anew():
    case = background("two", [band([0, 5, 200], "a"), band([1, 2, 3], "b")], []).case()
    first, second = list(case.batches()), list(case.batches())
    received = np.concatenate([batch.ingest_ms for batch in first])
    assert (np.diff(received) >= 0).all()
    assert len(received) == 6
    assert [len(batch) for batch in first] == [len(batch) for batch in second] == [5, 1]


def test_a_band_not_heard_of_is_a_true_silence_also_after_its_recording_ended():
    made = background("two", [band([0, 10, 40], "a"), band([*range(0, 90, 5)], "b")], [])
    silences = [(event.device, event.start_ms // MINUTE_MS, event.end_ms // MINUTE_MS) for event in made.events]
    assert silences == [("a", 10, 40), ("a", 40, 85)]
    assert {event.code for event in made.events} == {AlertCode.DEVICE_SILENCE}
    assert not any(event.parameters["injected"] for event in made.events)


def test_the_keep_out_zone_is_clear_of_the_keep_in_zone_and_the_way_enters_it():
    keep_in, keep_out = zones_of(track_north(out_and_back(60)))
    assert keep_in.kind is ZoneKind.KEEP_IN
    assert keep_in.radius_m + keep_out.radius_m < 1_000
    events, _ = crossings(track_north(out_and_back(600)), keep_out, 60.0)
    assert [event.code for event in events] == [AlertCode.ZONE_ENTER]


@pytest.mark.parametrize(
    ("there_s", "depth_m", "kinds"),
    [
        pytest.param(600, 900.0, ["recorded"], id="ten minutes"),
        pytest.param(100, 900.0, ["brief"], id="under three intervals"),
        pytest.param(50, 900.0, [], id="under an interval"),
        pytest.param(600, 130.0, [], id="30 m deep"),
    ],
)
def test_a_crossing_too_short_or_shallow_to_report_is_a_context(there_s, depth_m, kinds):
    walk = track_north([0.0] * 1_000 + [depth_m] * there_s + [0.0] * 100)
    events, contexts = crossings(walk, zones_of(walk)[0], 60.0)
    assert [event.parameters["kind"] for event in events] == kinds
    assert [context.name for context in contexts] == ["grazed_zone"] * (1 - len(kinds))


def test_a_crossing_begins_with_the_first_fix_beyond_and_ends_with_the_first_one_back():
    walk = track_north([0.0] * 100 + [900.0] * 300 + [0.0] * 400)
    (event,), _ = crossings(walk, zones_of(walk)[0], 60.0)
    assert (event.start_ms - TRACKS_BEGIN_MS, event.end_ms - TRACKS_BEGIN_MS) == (100_000, 400_000)
    assert event.parameters["depth_m"] == pytest.approx(800, abs=2)


def test_wander_on_the_line_is_one_crossing():
    wandering = ([900.0] * 200 + [50.0] * 20) * 3
    walk = track_north([0.0] * 700 + wandering + [0.0] * 100)
    assert [(e.end_ms - e.start_ms) // 1000 for e in crossings(walk, zones_of(walk)[0], 60.0)[0]] == [640]


@needs("fitbit_minute")
def test_heart_minutes_are_the_files_own():
    made = heart_minutes(DATA)
    readings = made.readings
    assert len(readings) == 43_897
    assert (readings.heart_rate_bpm.min(), readings.heart_rate_bpm.max()) == (39, 187)
    assert set(np.unique(readings.activity)) == {0.0, 0.25, 0.5, 0.75}
    assert {event.code for event in made.events} == {AlertCode.DEVICE_SILENCE}


@needs("fitbit_minute")
def test_both_fitbit_files_agree_on_the_clock():
    apart = []
    for device in ("fitbit-2022484408.1", "fitbit-2347167796.1"):
        rates = [
            made.readings.take(made.readings.device == made.numbered.device_no[device])
            for made in (heart_minutes(DATA), heart_nights(DATA))
        ]
        _, here, there = np.intersect1d(rates[0].event_ms, rates[1].event_ms, return_indices=True)
        apart.append(np.median(np.abs(rates[0].heart_rate_bpm[here] - rates[1].heart_rate_bpm[there])))
    assert max(apart) < 1.0


@needs("fitbit_minute")
def test_copies_are_more_bands_with_the_same_minutes():
    one, three = heart_minutes(DATA), heart_minutes(DATA, copies=3)
    assert len(three.readings) == 3 * len(one.readings)
    assert len(three.numbered.device_no) == 6
    assert "2 people" in three.case().notes[0]


@needs("fit_gps_hr")
@needs("liverpool_bus_gps")
@pytest.mark.parametrize("interval_s", [60.0, 5.0])
def test_tracks_report_once_an_interval_and_cross_real_zones(interval_s):
    made = gps_tracks(DATA, interval_s=interval_s)
    readings = made.readings
    for number in made.numbered.device_no.values():
        times = readings.event_ms[readings.device == number]
        assert times[0] == TRACKS_BEGIN_MS
        assert (np.diff((times - TRACKS_BEGIN_MS) // int(interval_s * 1000)) >= 1).all()
    assert len(made.numbered.device_no) == 25
    assert not (readings.heart_rate_bpm == 0).any()
    crossed = {event.code for event in made.events}
    assert {AlertCode.ZONE_EXIT, AlertCode.ZONE_ENTER} <= crossed
    left = {event.device for event in made.events if event.code is AlertCode.ZONE_EXIT}
    assert len(left) == 25


@needs("fit_gps_hr")
@needs("liverpool_bus_gps")
def test_a_band_that_reports_more_often_is_held_to_the_same_crossings_and_to_shorter_ones():
    def crossed(interval_s):
        events = gps_tracks(DATA, interval_s=interval_s).events
        return {(event.device, event.start_ms, event.end_ms) for event in events if "zone" in event.parameters}

    assert crossed(60.0) < crossed(5.0)


def test_batches_are_never_empty():
    assert [len(b) for b in batched(background("one", [band([0, 1, 400])], []).readings)] == [2, 1]


def test_events_are_plain_values():
    made = background("one", [band([0, 40])], [])
    assert made.events == (
        Event("band-1", AlertCode.DEVICE_SILENCE, 0, 40 * MINUTE_MS, {"kind": "recorded", "injected": False}),
    )
