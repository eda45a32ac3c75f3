from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from evaluation.baselines import FIXED, NAIVE, Baselines, FixedThresholds, company_within, random_alerts
from evaluation.outcome import Found
from schemas.alerts import AlertCode, AlertState
from schemas.readings import Readings
from schemas.registry import Leave, ZoneKind
from tests.world import HOME, START, START_MS, circle, night, north_of_home, numbered

MINUTE_MS = 60_000
LATE_MS = 200


def minutes(*at: float, device: int = 1, late_ms: int = LATE_MS, fix: tuple[float, float] | None = HOME, **columns):
    """A band's readings at some minutes after the start; a column may be one value or one a reading."""
    event_ms = np.array([START_MS + round(m * MINUTE_MS) for m in at], np.int64)
    places = {} if fix is None else {"lat": fix[0], "lon": fix[1], "accuracy_m": 8.0}
    given = {"device": device, "seq": 0, "event_ms": event_ms, "ingest_ms": event_ms + late_ms} | places | columns
    return Readings.of(**{name: np.broadcast_to(value, len(at)) for name, value in given.items()})


def by_receipt(*parts: Readings) -> Readings:
    whole = Readings.concat(parts)
    return whole.take(np.argsort(whole.ingest_ms, kind="stable"))


def judged(*batches: Readings, zones=(), end_minute: float | None = None, **world) -> Baselines:
    baselines = Baselines.of(numbered(*zones, **world))
    for batch in batches:
        baselines.add(batch)
    if end_minute is not None:
        baselines.end(START_MS + round(end_minute * MINUTE_MS))
    return baselines


def rang(baselines: Baselines, code: AlertCode, baseline: str = FIXED) -> list[Found]:
    return [found for found in baselines.alerts()[baseline] if found.code is code]


def at_minutes(found: list[Found]) -> list[float]:
    return [(f.found_ms - LATE_MS - START_MS) / MINUTE_MS for f in found]


RULES = [
    (AlertCode.DEVICE_STRAP, {"strap_closed": 0}, {"strap_closed": 1}),
    (AlertCode.DEVICE_CASE, {"case_closed": 0}, {"case_closed": 1}),
    (AlertCode.DEVICE_SOS, {"sos": 1}, {"sos": 0}),
    (AlertCode.DEVICE_BATTERY, {"battery_pct": 20}, {"battery_pct": 21}),
    (AlertCode.DEVICE_BATTERY, {"battery_pct": 20, "charging": 0}, {"battery_pct": 20, "charging": 1}),
    (AlertCode.VITALS_HEART_RATE, {"heart_rate_bpm": 101}, {"heart_rate_bpm": 100}),
    (AlertCode.VITALS_HEART_RATE, {"heart_rate_bpm": 49}, {"heart_rate_bpm": 50}),
    (AlertCode.VITALS_SPO2, {"spo2_pct": 89}, {"spo2_pct": 90}),
    (AlertCode.VITALS_TEMPERATURE, {"skin_temp_c": 38.5}, {"skin_temp_c": 38}),
    (AlertCode.VITALS_FALL, {"peak_g": 3.5}, {"peak_g": 3}),
    (AlertCode.VITALS_STRESS, {"heart_rate_bpm": 91, "steps": 0}, {"heart_rate_bpm": 91, "steps": 4}),
]
IDS = ["strap", "case", "sos", "battery", "charging", "fast-heart", "slow-heart", "spo2", "fever", "fall", "stress"]


@pytest.mark.parametrize(("code", "rings", "_quiet"), RULES, ids=IDS)
def test_one_reading_beyond_a_threshold_rings(code, rings, _quiet) -> None:
    found = rang(judged(minutes(0, **rings)), code)
    assert [(f.device, f.wearer, f.found_ms, f.known_ms) for f in found] == [
        ("band-1", "w-1", START_MS + LATE_MS, START_MS + LATE_MS)
    ]


@pytest.mark.parametrize(("code", "_rings", "quiet"), RULES, ids=IDS)
def test_a_reading_at_the_threshold_is_quiet(code, _rings, quiet) -> None:
    assert not rang(judged(minutes(0, **quiet)), code)


def test_what_a_band_does_not_send_rings_nothing() -> None:
    assert judged(minutes(0, 1, 2, fix=None)).alerts() == {FIXED: [], NAIVE: []}


def test_thresholds_may_be_others() -> None:
    baselines = Baselines.of(numbered(), FixedThresholds(heart_rate_high_bpm=120))
    baselines.add(minutes(0, heart_rate_bpm=110))
    assert not rang(baselines, AlertCode.VITALS_HEART_RATE)


def test_readings_of_unknown_devices_are_ignored() -> None:
    assert not rang(judged(minutes(0, device=7, sos=1)), AlertCode.DEVICE_SOS)


@pytest.mark.parametrize("cut", [1, 2, 3, 4], ids=lambda cut: f"batches-of-{cut}")
def test_a_rule_rings_again_only_after_fifteen_minutes_in_which_it_was_not_true(cut) -> None:
    readings = minutes(0, 15, 30, 45.1, sos=1)
    batches = [readings.take(np.arange(n, min(n + cut, 4))) for n in range(0, 4, cut)]
    found = rang(judged(*batches), AlertCode.DEVICE_SOS)
    assert at_minutes(found) == [0, 45.1]
    assert found[0].ended_ms == START_MS + 30 * MINUTE_MS


def test_what_was_true_to_the_end_is_open_and_what_was_not_has_ended() -> None:
    open_at, closed_at = (
        rang(judged(minutes(0, sos=1), end_minute=end), AlertCode.DEVICE_SOS)[0] for end in (15.0, 15.1)
    )
    assert (open_at.ended_ms, open_at.state) == (None, AlertState.OPEN)
    assert (closed_at.ended_ms, closed_at.state) == (START_MS, AlertState.CLEARED)


def test_two_bands_have_episodes_of_their_own() -> None:
    baselines = judged(by_receipt(minutes(0, 20, sos=1), minutes(10, 14, device=2, sos=1)), bands=2)
    assert Counter(f.device for f in rang(baselines, AlertCode.DEVICE_SOS)) == {"band-1": 2, "band-2": 1}


def test_a_finding_in_late_data_rings_at_its_event_time_and_was_known_when_it_came() -> None:
    late_ms = 16 * MINUTE_MS
    found = rang(judged(minutes(0, sos=1, late_ms=late_ms)), AlertCode.DEVICE_SOS)[0]
    assert (found.found_ms, found.known_ms, found.historic) == (START_MS, START_MS + late_ms, True)


def test_a_finding_fifteen_minutes_old_is_live() -> None:
    found = rang(judged(minutes(0, sos=1, late_ms=15 * MINUTE_MS)), AlertCode.DEVICE_SOS)[0]
    assert (found.found_ms, found.historic) == (START_MS + 15 * MINUTE_MS, False)


def test_a_missing_pulse_is_off_body_only_where_there_was_one() -> None:
    readings = by_receipt(minutes(0, heart_rate_bpm=70), minutes(1, 2), minutes(1, 2, device=2))
    found = rang(judged(readings, bands=2), AlertCode.DEVICE_OFF_BODY)
    assert [(f.device, m) for f, m in zip(found, at_minutes(found), strict=True)] == [("band-1", 1)]


def test_silence_rings_ten_minutes_after_the_last_message_and_lasts_to_the_next() -> None:
    found = rang(judged(minutes(0, 10, 30, 38, 46)), AlertCode.DEVICE_SILENCE)
    assert at_minutes(found) == [20]
    assert found[0].ended_ms == START_MS + 30 * MINUTE_MS + LATE_MS


def test_silence_is_measured_by_receipt_and_across_batches() -> None:
    backlog = minutes(5, 15, 25)
    backlog = backlog.replace(ingest_ms=np.full(3, START_MS + 30 * MINUTE_MS + LATE_MS))
    assert at_minutes(rang(judged(minutes(0), backlog), AlertCode.DEVICE_SILENCE)) == [10]


def test_silence_is_each_band_s_own_also_within_a_batch() -> None:
    readings = by_receipt(minutes(0, 12), minutes(*range(1, 13, 3), device=2))
    found = rang(judged(readings, bands=2), AlertCode.DEVICE_SILENCE)
    assert [(f.device, m) for f, m in zip(found, at_minutes(found), strict=True)] == [("band-1", 10)]


def test_a_band_that_says_nothing_more_is_silent_at_the_end() -> None:
    found = rang(judged(minutes(0), end_minute=60), AlertCode.DEVICE_SILENCE)
    assert (at_minutes(found), found[0].ended_ms) == ([10], None)
    assert not rang(judged(minutes(0), end_minute=10), AlertCode.DEVICE_SILENCE)


def test_messages_without_a_fix_for_more_than_ten_minutes_ring() -> None:
    without = [minutes(m, fix=None) for m in (1, 6, 11, 12)]
    found = rang(judged(minutes(0), *without, minutes(13)), AlertCode.DEVICE_NO_FIX)
    assert at_minutes(found) == [12]
    assert found[0].evidence == {"without_fix_s": 660.0}


def test_a_fix_in_between_begins_the_count_anew() -> None:
    readings = by_receipt(minutes(0, 6, 12, fix=None), minutes(9))
    assert not rang(judged(readings), AlertCode.DEVICE_NO_FIX)


def test_a_jump_that_no_train_could_make_rings_also_across_batches() -> None:
    there = north_of_home(6_100)
    for batches in ([by_receipt(minutes(0), minutes(1, fix=there))], [minutes(0), minutes(1, fix=there)]):
        found = rang(judged(*batches), AlertCode.DEVICE_SPOOF)
        assert at_minutes(found) == [1]
        assert found[0].evidence["implied_speed_mps"] == pytest.approx(101.7, abs=0.1)


def test_speed_is_implied_by_event_order_not_by_receipt() -> None:
    far, late = minutes(2, fix=north_of_home(10_000)), minutes(1)
    assert at_minutes(rang(judged(Readings.concat([minutes(0), far, late])), AlertCode.DEVICE_SPOOF)) == [2]


def test_a_fix_that_comes_late_is_no_place_to_come_from() -> None:
    there = north_of_home(11_000)
    baselines = judged(minutes(0), minutes(2, fix=there), minutes(1), minutes(2.1, fix=there))
    assert not rang(baselines, AlertCode.DEVICE_SPOOF)


def test_three_wearers_within_fifty_metres_are_a_gathering() -> None:
    places = [HOME, north_of_home(45), north_of_home(-4), north_of_home(400)]
    readings = Readings.concat([minutes(0, device=n, fix=place) for n, place in enumerate(places, 1)])
    found = rang(judged(readings, bands=4), AlertCode.GATHERING)
    assert [(f.device, f.evidence) for f in found] == [
        ("band-1", {"wearers": 3.0}), ("band-2", {"wearers": 3.0}), ("band-3", {"wearers": 3.0}),
    ]  # fmt: skip


def test_a_fix_from_before_ten_minutes_gathers_with_nobody() -> None:
    old = Readings.concat([minutes(0, device=n) for n in (1, 2)])
    assert not rang(judged(old, minutes(12, device=3), bands=3), AlertCode.GATHERING)


def test_who_is_together_is_asked_every_five_minutes() -> None:
    together = Readings.concat([minutes(3, device=n) for n in (1, 2, 3)])
    baselines = judged(minutes(0), together, minutes(4.9), minutes(5), minutes(6), bands=3)
    assert {f.device: f.found_ms for f in rang(baselines, AlertCode.GATHERING)} == dict.fromkeys(
        ("band-1", "band-2", "band-3"), START_MS + 5 * MINUTE_MS + LATE_MS
    )


def test_company_is_what_all_distances_say() -> None:
    rng = np.random.default_rng(3)
    lat, lon = HOME[0] + rng.normal(0, 0.002, 300), HOME[1] + rng.normal(0, 0.002, 300)
    x, y = lon * np.cos(np.radians(HOME[0])) * 111_194.93, lat * 111_194.93
    expected = (np.hypot(x[:, None] - x, y[:, None] - y) <= 50.0).sum(axis=1)
    assert np.mean(company_within(lat, lon, 50.0) == expected) > 0.99
    assert expected.max() > 5


@pytest.mark.parametrize(("silent", "rings"), [(5, 5), (4, 0)], ids=["five", "four"])
def test_an_outage_is_five_bands_of_an_org_that_fell_silent_within_ten_minutes(silent, rings) -> None:
    readings = by_receipt(*(minutes(2 * n, device=n) for n in range(1, silent + 1)))
    found = rang(judged(readings, bands=5, end_minute=60), AlertCode.SITE_OUTAGE)
    assert len({f.device for f in found}) == rings
    assert set(at_minutes(found)) <= {20}, "it rings for all when the fifth falls silent"


def test_silences_far_apart_are_no_outage() -> None:
    readings = by_receipt(*(minutes(3 * n, device=n) for n in range(1, 6)))
    assert not rang(judged(readings, bands=5, end_minute=60), AlertCode.SITE_OUTAGE)


def test_a_band_silent_long_before_an_outage_is_no_part_of_it() -> None:
    readings = by_receipt(minutes(0, device=6), *(minutes(60, device=n) for n in range(1, 6)))
    found = rang(judged(readings, bands=6, end_minute=100), AlertCode.SITE_OUTAGE)
    assert {f.device for f in found} == {f"band-{n}" for n in range(1, 6)}


def test_an_outage_with_a_short_break_is_one() -> None:
    readings = by_receipt(*(minutes(0, 25, device=n) for n in range(1, 6)))
    found = rang(judged(readings, bands=5, end_minute=80), AlertCode.SITE_OUTAGE)
    assert Counter(f.device for f in found) == {f"band-{n}": 1 for n in range(1, 6)}


WALLS = [
    (ZoneKind.KEEP_IN, AlertCode.ZONE_EXIT, 101.0, 99.0),
    (ZoneKind.KEEP_OUT, AlertCode.ZONE_ENTER, 99.0, 101.0),
    (ZoneKind.CURFEW, AlertCode.ZONE_CURFEW, 101.0, 99.0),
]


@pytest.mark.parametrize(("kind", "code", "wrong_m", "right_m"), WALLS, ids=["keep-in", "keep-out", "curfew"])
def test_one_fix_on_the_wrong_side_of_a_wall_decides(kind, code, wrong_m, right_m) -> None:
    wrong, right = (judged(minutes(0, fix=north_of_home(m)), zones=[circle("z", kind)]) for m in (wrong_m, right_m))
    assert [(f.subject, f.priority, f.evidence) for f in rang(wrong, code, NAIVE)] == [
        ("z", "high", {"distance_m": pytest.approx(wrong_m - 100.0, abs=0.1)})
    ]
    assert not right.alerts()[NAIVE]


def test_a_wall_asks_nothing_outside_its_hours() -> None:
    zone = circle("z", ZoneKind.CURFEW, schedule="night")
    away = minutes(0, 11 * 60, 13 * 60, 30 * 60, fix=north_of_home(500))  # 10:00, 21:00, 23:00, 16:00 next day
    assert at_minutes(rang(judged(away, zones=[zone], schedules=[night()]), AlertCode.ZONE_CURFEW, NAIVE)) == [13 * 60]


def leave(wearer: str = "w-1") -> Leave:
    """From half an hour to an hour and a half after the start."""
    times = {"valid_from": START + timedelta(minutes=30), "valid_to": START + timedelta(minutes=90)}
    return Leave(id="l", wearer=wearer, document="文号", approver="局长", recorded_at=START, **times)


@pytest.mark.parametrize("cut", [1, 4], ids=["reading-by-reading", "at-once"])
@pytest.mark.parametrize(
    ("at", "expected"),
    [((0, 40, 80, 120), [0, 120]), ((40, 50, 80, 10), [10]), ((120, 120, 125, 60), [120])],
    ids=["in-order", "late-one-from-before", "late-one-from-the-leave"],
)
def test_a_leave_opens_the_fence_while_it_runs(at, expected, cut) -> None:
    away = minutes(*at, fix=north_of_home(500))
    batches = [away.take(np.arange(n, n + cut)) for n in range(0, 4, cut)]
    baselines = judged(*batches, zones=[circle("z", ZoneKind.KEEP_IN)], leaves=[leave()])
    assert at_minutes(rang(baselines, AlertCode.ZONE_EXIT, NAIVE)) == expected


def test_a_leave_is_its_wearer_s_over_all_shards() -> None:
    away = Readings.concat([minutes(60, device=n, fix=north_of_home(500)) for n in range(1, 21)])
    baselines = judged(away, zones=[circle("z", ZoneKind.KEEP_IN)], bands=20, leaves=[leave("w-10")])
    quiet = {f"band-{n}" for n in range(1, 21)} - {f.device for f in rang(baselines, AlertCode.ZONE_EXIT, NAIVE)}
    assert quiet == {"band-10"}


def test_each_zone_has_its_episodes() -> None:
    zones = [circle("one", ZoneKind.KEEP_IN), circle("two", ZoneKind.KEEP_IN)]
    away = minutes(0, 5, 10, fix=north_of_home(500))
    assert [f.subject for f in rang(judged(away, zones=zones), AlertCode.ZONE_EXIT, NAIVE)] == ["one", "two"]


def test_zones_belong_to_their_wearers_over_all_shards() -> None:
    zones = [circle(f"home-{n}", ZoneKind.KEEP_IN, wearers=[f"w-{n}"]) for n in range(1, 21, 2)]
    away = Readings.concat([minutes(0, device=n, fix=north_of_home(500)) for n in range(1, 21)])
    found = rang(judged(away, zones=zones, bands=20), AlertCode.ZONE_EXIT, NAIVE)
    assert sorted((f.device, f.subject) for f in found) == sorted((f"band-{n}", f"home-{n}") for n in range(1, 21, 2))


@pytest.mark.parametrize(
    ("kind", "north_m", "rings"),
    [
        (ZoneKind.KEEP_IN, 450, True),
        (ZoneKind.KEEP_IN, 350, False),
        (ZoneKind.KEEP_IN, 550, False),
        (ZoneKind.KEEP_OUT, 550, True),
        (ZoneKind.KEEP_OUT, 650, False),
        (ZoneKind.KEEP_OUT, 450, False),
        (ZoneKind.CURFEW, 450, False),
    ],
    ids=["in-near", "in-far", "in-beyond", "out-near", "out-far", "out-beyond", "curfew"],
)
def test_approach_is_nearness_to_a_wall_from_the_allowed_side(kind, north_m, rings) -> None:
    baselines = judged(minutes(0, fix=north_of_home(north_m)), zones=[circle("z", kind, radius_m=500)])
    assert bool(rang(baselines, AlertCode.ZONE_APPROACH)) == rings


def test_fifteen_minutes_outside_a_forbidden_wall_are_dwelling() -> None:
    near = minutes(*range(0, 15, 5), 15, fix=north_of_home(150))
    zones = [circle("z", ZoneKind.KEEP_OUT)]
    for batches in ([near], [near.take(np.array([n])) for n in range(4)]):
        assert at_minutes(rang(judged(*batches, zones=zones), AlertCode.ZONE_DWELL)) == [15]
    assert not rang(judged(near, zones=[circle("z", ZoneKind.KEEP_IN, radius_m=200)]), AlertCode.ZONE_DWELL)
    left = by_receipt(near, minutes(7, fix=north_of_home(500)))
    assert not rang(judged(left, zones=zones), AlertCode.ZONE_DWELL)


def a_found(device: str = "band-1", code: AlertCode = AlertCode.DEVICE_SOS) -> Found:
    return Found(device, "w-1", code, "", "high", 5, 5, None, AlertState.OPEN, historic=False, evidence={})


def test_random_alerts_are_as_many_a_code_on_observed_devices_in_their_time() -> None:
    like = [a_found(), a_found(), a_found(code=AlertCode.ZONE_EXIT)] * 50
    observed = {"band-1": (100, 200), "band-2": (1_000, 1_001)}
    alerts = random_alerts(like, observed, seed=1)
    assert Counter(f.code for f in alerts) == Counter(f.code for f in like)
    assert all(observed[f.device][0] <= f.found_ms <= observed[f.device][1] for f in alerts)
    assert {f.device for f in alerts} == set(observed)
    assert len({f.found_ms for f in alerts}) > 40


def test_random_alerts_follow_from_their_seed() -> None:
    like, observed = [a_found()] * 20, {"band-1": (0, 10**9)}
    assert random_alerts(like, observed, seed=1) == random_alerts(like, observed, seed=1)
    assert random_alerts(like, observed, seed=1) != random_alerts(like, observed, seed=2)
