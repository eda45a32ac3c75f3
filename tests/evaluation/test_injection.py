"""Injected events: where they may be, what they change, and that the background stays as it was."""

from itertools import pairwise

import numpy as np
import pytest

from evaluation import injection
from evaluation.backgrounds import Band, background
from evaluation.injection import (
    APART_MIN,
    BAND_KINDS,
    BRADYCARDIA,
    BRADYCARDIA_BPM,
    DRAG_MPS,
    JUMP_M,
    OFF_C_PER_MIN,
    SPOOF_MIN,
    SPOOFS,
    TAKEN_OFF,
    inject,
    injected_cases,
    tachycardia,
)
from evaluation.outcome import Event
from schemas.alerts import AlertCode
from schemas.readings import Readings
from tests.recordings import DATA, needs

MINUTE_MS = 60_000
METRES_PER_DEGREE = 111_194.93
DAY_MIN = 1_440
KINDS = {kind.name: kind for kind in (*SPOOFS, *BAND_KINDS)}


def still_day(minutes=600, **changed):
    """A day of rest from midnight at UTC+8, a reading a minute."""
    event_ms = (np.arange(minutes) - 480) * MINUTE_MS + DAY_MIN * MINUTE_MS
    columns = {"heart_rate_bpm": np.full(minutes, 70.0), "steps": np.zeros(minutes)}
    return background("still", [Band("band-1", "w-1", {"event_ms": event_ms} | columns | changed)], [])


def ride(minutes=240, crossings=()):
    """A ride north at 5 m/s, a fix a minute."""
    event_ms = np.arange(minutes) * MINUTE_MS
    lat = 30.0 + np.arange(minutes) * 300.0 / METRES_PER_DEGREE
    columns = {"event_ms": event_ms, "lat": lat, "lon": np.full(minutes, 101.0), "speed_mps": np.full(minutes, 5.0)}
    made = background("ride", [Band("band-1", "w-1", columns | {"accuracy_m": np.full(minutes, 8.0)})], [])
    return injection.Background(made.name, made.numbered, made.readings, tuple(crossings), ())


def one(made, kind, seed=1):
    """The background's columns, those of a case with one injection, and its event with the places it spans."""
    case = inject(made, kind, 1, np.random.default_rng(seed))
    (event,) = [event for event in case.events() if event.parameters["injected"]]
    after = Readings.concat(list(case.batches()))
    within = (made.readings.event_ms >= event.start_ms) & (made.readings.event_ms <= event.end_ms)
    return made.readings, after, event, np.flatnonzero(within)


def metres(before, after, span):
    north = (after.lat[span] - before.lat[span]) * METRES_PER_DEGREE
    east = (after.lon[span] - before.lon[span]) * METRES_PER_DEGREE * np.cos(np.radians(before.lat[span]))
    return np.hypot(north, east)


def test_the_background_stays_untouched():
    made = still_day()
    before = made.readings.to_bytes()
    for kind in (tachycardia(40.0), *BAND_KINDS):
        inject(made, kind, 3, np.random.default_rng(1))
    assert made.readings.to_bytes() == before


def test_the_same_seed_places_the_same_and_another_seed_elsewhere():
    made = still_day()
    events = [inject(made, tachycardia(40.0), 3, np.random.default_rng(seed)).events() for seed in (1, 1, 2)]
    assert events[0] == events[1] != events[2]


def test_tachycardia_comes_up_in_three_minutes_and_lasts_thirty():
    before, after, event, span = one(still_day(), tachycardia(40.0))
    added = after.heart_rate_bpm - before.heart_rate_bpm
    assert event.code is AlertCode.VITALS_HEART_RATE
    assert event.end_ms - event.start_ms == 30 * MINUTE_MS
    assert added[span][:4].tolist() == [0, 13, 27, 40]
    assert (added[span][3:] == 40).all()
    assert not np.delete(added, span).any()


def test_tachycardia_is_put_only_where_nobody_walked_in_the_ten_minutes_before():
    steps = np.zeros(600)
    steps[np.arange(0, 600, 45)] = 50.0
    made = still_day(steps=steps)
    for seed in range(20):
        before, _, _, span = one(made, tachycardia(20.0), seed)
        assert not before.steps[span[0] - 10 : span[-1] + 1].any()


def test_what_found_no_room_is_said():
    busy = still_day(steps=np.full(600, 5.0))
    case = inject(busy, tachycardia(20.0), 2, np.random.default_rng(1))
    assert case.notes == ("band-1: 0 of 2 injections found room",)


def test_bradycardia_falls_to_35_to_42_while_asleep():
    rate = np.concatenate([np.full(300, 60.0), np.full(900, 80.0)])
    before, after, event, span = one(still_day(1_200, heart_rate_bpm=rate, steps=np.zeros(1_200)), BRADYCARDIA)
    low, high = BRADYCARDIA_BPM
    assert low <= event.parameters["bpm"] <= high
    assert after.heart_rate_bpm[span][3:] == pytest.approx(event.parameters["bpm"], abs=0.6)
    assert (before.heart_rate_bpm[span] == 60).all()


def test_a_jump_lands_over_two_kilometres_away_and_comes_back():
    before, after, event, span = one(ride(), KINDS["jump"])
    away_m = metres(before, after, span)
    assert away_m == pytest.approx(event.parameters["metres"], rel=0.01)
    assert away_m.min() > JUMP_M[0] * 0.99
    outside = np.delete(np.arange(len(before)), span)
    assert not metres(before, after, outside).any()
    low, high = (limit * MINUTE_MS for limit in SPOOF_MIN)
    assert low - MINUTE_MS <= event.end_ms - event.start_ms <= high


def test_a_frozen_fix_repeats_itself_as_new_while_the_speed_goes_on():
    before, after, _, span = one(ride(), KINDS["freeze"])
    assert len(set(after.lat[span].tolist())) == 1
    assert (after.speed_mps == before.speed_mps).all()
    assert (after.event_ms == before.event_ms).all()


def test_nothing_is_frozen_where_the_band_stands_still():
    event_ms = np.arange(240) * MINUTE_MS
    columns = {"event_ms": event_ms, "lat": np.full(240, 30.0), "lon": np.full(240, 101.0), "speed_mps": np.ones(240)}
    case = inject(background("parked", [Band("b", "w", columns)], []), KINDS["freeze"], 1, np.random.default_rng(1))
    assert not case.events()
    assert case.notes


def test_a_replay_shows_where_the_band_was_before_while_its_heart_goes_on():
    before, after, event, span = one(ride(), KINDS["replay"])
    lag = int(np.ceil(event.parameters["lag_min"]))
    assert (after.lat[span] == before.lat[span - lag]).all()
    assert (after.heart_rate_bpm[span] == before.heart_rate_bpm[span]).all() or np.isnan(after.heart_rate_bpm).all()


def test_a_drag_off_departs_at_its_speed():
    before, after, event, span = one(ride(), KINDS["drag-off"])
    mps = np.diff(metres(before, after, span)) / 60.0
    assert mps == pytest.approx(event.parameters["mps"], rel=0.02)
    assert DRAG_MPS[0] <= event.parameters["mps"] <= DRAG_MPS[1]


def test_a_cut_strap_is_open_for_the_whole_event_and_closed_otherwise():
    before, after, event, span = one(still_day(), KINDS["strap cut"])
    assert event.code is AlertCode.DEVICE_STRAP
    assert not after.strap_closed[span].any()
    assert np.isnan(after.heart_rate_bpm[span]).all()
    assert np.delete(after.strap_closed, span).all()
    assert len(after) == len(before)


def test_a_band_taken_off_loses_its_pulse_and_cools_as_measured_with_its_strap_closed():
    made = still_day(skin_temp_c=np.full(600, 33.0), activity=np.full(600, 0.08), quality=np.full(600, 0.9))
    before, after, event, span = one(made, TAKEN_OFF)
    assert event.code is AlertCode.DEVICE_OFF_BODY
    assert np.isnan(after.heart_rate_bpm[span]).all()
    assert (after.strap_closed[span] == 1).all()
    assert (after.activity[span[1:]] == 0).all()
    assert (np.diff(after.skin_temp_c[span]) < 0).all()
    off_min = 5.0 - event.parameters["off_since_s"] / 60.0
    cooled_c = 33.0 - np.interp(off_min, np.arange(len(span)), after.skin_temp_c[span])
    assert cooled_c / 5.0 == pytest.approx(event.parameters["c_per_min"], abs=0.01)
    assert OFF_C_PER_MIN[0] <= event.parameters["c_per_min"] <= OFF_C_PER_MIN[1]
    outside = np.setdiff1d(np.arange(len(before)), span)
    assert (after.skin_temp_c[outside] == 33.0).all()


def test_nothing_is_taken_off_skin_as_cold_as_the_room():
    made = still_day(skin_temp_c=np.full(600, 20.0))
    assert not inject(made, TAKEN_OFF, 1, np.random.default_rng(1)).events()


def test_the_help_button_is_pressed_once():
    _, after, event, span = one(still_day(), KINDS["help button"])
    assert after.sos.sum() == 1
    assert after.sos[span].tolist() == [1]
    assert event.start_ms == event.end_ms


def test_a_silence_lasts_from_the_last_word_to_the_next():
    before, after, event, span = one(still_day(), KINDS["silence"])
    assert len(after) == len(before) - (len(span) - 2)
    assert {event.start_ms, event.end_ms} <= set(after.event_ms.tolist())
    assert np.diff(after.event_ms).max() == event.end_ms - event.start_ms
    assert event.end_ms - event.start_ms >= 30 * MINUTE_MS


@pytest.mark.parametrize("kind", [tachycardia(20.0), *BAND_KINDS], ids=lambda kind: kind.name)
def test_injections_into_one_band_lie_apart(kind):
    made = still_day(2_400, heart_rate_bpm=np.full(2_400, 70.0), steps=np.zeros(2_400))
    events = inject(made, kind, 6, np.random.default_rng(3)).events()
    assert len(events) > 1
    for earlier, later in pairwise(events):
        assert later.start_ms - earlier.end_ms >= APART_MIN * MINUTE_MS


def test_no_injection_spans_a_gap_of_the_recording():
    event_ms = np.concatenate([np.arange(100), np.arange(130, 230)]).astype(np.int64) * MINUTE_MS
    columns = {"event_ms": event_ms, "heart_rate_bpm": np.full(200, 70.0), "steps": np.zeros(200)}
    made = background("gap", [Band("b", "w", columns)], [])
    for seed in range(20):
        _, _, event, span = one(made, tachycardia(20.0), seed)
        assert np.diff(made.readings.event_ms[span]).max() == MINUTE_MS
        assert event.end_ms - event.start_ms == 30 * MINUTE_MS


def hidden_crossing(kind, begins_min, lasts_min):
    """Events and contexts where a crossing begins and ends so many minutes after the beginning of an injection."""
    drawn = one(ride(), KINDS[kind])[2]
    start_ms = drawn.start_ms + begins_min * MINUTE_MS
    crossing = Event("band-1", AlertCode.ZONE_EXIT, start_ms, start_ms + lasts_min * MINUTE_MS, {"injected": False})
    case = inject(ride(crossings=[crossing]), KINDS[kind], 1, np.random.default_rng(1))
    exits = [event for event in case.events() if event.code is AlertCode.ZONE_EXIT]
    return drawn, crossing, exits, [context.name for context in case.contexts()]


@pytest.mark.parametrize("kind", ["jump", "silence"])
def test_a_crossing_that_nobody_could_see_becomes_a_context(kind):
    _, _, exits, contexts = hidden_crossing(kind, 1, 5)
    assert (exits, contexts) == ([], ["crossing_hidden"])


def test_a_crossing_unheard_of_at_first_begins_when_the_band_is_heard_again():
    drawn, crossing, (seen,), contexts = hidden_crossing("silence", 1, 200)
    assert (seen.start_ms, seen.end_ms, contexts) == (drawn.end_ms, crossing.end_ms, [])


def test_a_crossing_begun_under_a_false_position_is_asked_of_nobody():
    _, _, exits, contexts = hidden_crossing("jump", 1, 200)
    assert (exits, contexts) == ([], ["crossing_hidden"])


def test_a_crossing_after_everything_hidden_is_over_stays_as_it_was():
    _, crossing, exits, _ = hidden_crossing("jump", 61, 1)
    assert exits == [crossing]


def test_a_crossing_seen_before_it_was_hidden_stays_as_it_was():
    _, crossing, exits, _ = hidden_crossing("jump", -5, 60)
    assert exits == [crossing]


def test_a_cut_strap_hides_no_crossing():
    _, crossing, exits, _ = hidden_crossing("strap cut", 1, 5)
    assert exits == [crossing]


@needs("fitbit_minute")
@needs("fit_gps_hr")
@needs("stress_predict")
def test_real_recordings_carry_every_kind_and_an_untouched_copy():
    cases = {case.name: case for case in injected_cases(DATA, 1)}
    untouched = [case for name, case in cases.items() if name.endswith(("untouched", "pulse lost"))]
    injected = [case for name, case in cases.items() if not name.endswith(("untouched", "pulse lost"))]
    assert len(untouched) == 6
    assert not any(event.parameters["injected"] for case in untouched for event in case.events())
    assert all(any(event.parameters["injected"] for event in case.events()) for case in injected)
    resting = [e for e in cases["heart minutes, tachycardia +40 bpm"].events() if e.parameters["injected"]]
    assert len(resting) >= 100
