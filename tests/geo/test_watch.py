from datetime import date
from math import exp

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.demands import Demands
from geo.watch import ZoneWatch
from schemas.judging import Verdict
from schemas.registry import DatedWindows, Datum, LeavePlace, ZoneKind
from tests.geo.walk import NAN, leave, place, watch
from tests.world import circle, night

HOME = circle("home", ZoneKind.KEEP_IN, version=7)
AWAY = 400.0


def test_leaving_rings_at_the_second_fix_and_ends_at_the_second_fix_back() -> None:
    walker = watch(HOME).fixes([0, 0, 0, AWAY, AWAY, AWAY, 0, 0, 0])
    assert walker.told() == [("zone.exit", "opened", 180.0, 240.0), ("zone.exit", "cleared", 180.0, 420.0)]


def test_what_a_pair_remembers_takes_at_most_40_bytes_so_that_five_zones_take_200() -> None:
    columns = ZoneWatch(Demands.of(np.array([1]), [], [], [], {}), np.array([0]), np.ones(1, np.float32)).columns
    assert sum(np.dtype(dtype).itemsize for dtype, _ in columns.values()) <= 40


walks = st.lists(
    st.tuples(
        st.integers(1, 900),  # seconds since the fix before
        st.sampled_from([-2_000.0, -150.0, -20.0, 0.0, 30.0, 130.0, 300.0, 500.0, 700.0, 1_200.0]),
        st.sampled_from([0.0, 8.0, 40.0, 300.0, 2_000.0, 10_000.0]),
        st.sampled_from([NAN, 0.0, 1.5, 12.0]),
        st.sampled_from([0.0, 0.0, 0.0, 45.0]),
        st.integers(0, 400),  # seconds that time goes on before anything is heard again
    ),
    max_size=60,
)
MANY = (
    HOME,
    circle("curfew", ZoneKind.CURFEW, schedule="often"),
    circle("school", ZoneKind.KEEP_OUT, place(500), radius_m=60.0),
    circle("market", ZoneKind.KEEP_OUT, place(130), radius_m=150.0, schedule="often"),
)
OFTEN = [night("often", "10:20", "10:50")]


@given(walks)
@settings(max_examples=200, deadline=None)
def test_enter_and_exit_alternate_for_every_pair_and_nothing_begins_after_it_was_found(told) -> None:
    walker = watch(*MANY, schedules=OFTEN, leaves=[leave(1000, 2000), leave(2500, 3000, name="l-2")])
    now_s = 0.0
    for gap_s, north_m, accuracy_m, speed_mps, age_s, waits_s in told:
        now_s += gap_s
        walker.fix(now_s, north_m, accuracy_m=accuracy_m, speed_mps=speed_mps, age_s=age_s)
        now_s += waits_s
        walker.tick(now_s)
    standing: dict[str, Verdict] = {}
    seen = set()
    for verdict in walker.verdicts:
        assert verdict.onset_ms <= verdict.at_ms
        if verdict.transition == "opened":
            assert verdict.subject not in standing
            assert (verdict.subject, verdict.onset_ms) not in seen
            seen.add((verdict.subject, verdict.onset_ms))
            standing[verdict.subject] = verdict
        else:
            opened = standing.pop(verdict.subject)
            assert (opened.code, opened.onset_ms) == (verdict.code, verdict.onset_ms)
            assert opened.at_ms <= verdict.at_ms


@given(walks)
@settings(max_examples=200, deadline=None)
def test_they_alternate_even_if_our_clock_is_ahead_of_what_bands_still_have_to_tell(told) -> None:
    walker = watch(*MANY, schedules=OFTEN, leaves=[leave(1000, 2000), leave(2500, 3000, name="l-2")])
    now_s = 0.0
    for gap_s, north_m, accuracy_m, speed_mps, age_s, ahead_s in told:
        now_s += gap_s
        walker.fix(now_s, north_m, accuracy_m=accuracy_m, speed_mps=speed_mps, age_s=age_s).tick(now_s + ahead_s)
    standing: dict[str, Verdict] = {}
    for verdict in walker.verdicts:
        assert verdict.onset_ms <= verdict.at_ms
        if verdict.transition == "opened":
            assert verdict.subject not in standing
            standing[verdict.subject] = verdict
        else:
            opened = standing.pop(verdict.subject)
            assert (opened.code, opened.onset_ms) == (verdict.code, verdict.onset_ms)


@given(walks)
@settings(max_examples=60, deadline=None)
def test_moving_everything_by_degrees_of_longitude_changes_no_verdict(told) -> None:
    here, there = watch(*MANY, schedules=OFTEN), watch(*[_east(zone, 78.29) for zone in MANY], schedules=OFTEN)
    now_s = 0.0
    for gap_s, north_m, accuracy_m, speed_mps, age_s, _ in told:
        now_s += gap_s
        more = {"accuracy_m": accuracy_m, "speed_mps": speed_mps, "age_s": age_s}
        here.fix(now_s, north_m, **more)
        there.fix(now_s, north_m, 78.29 * 111_194.93 * np.cos(np.radians(26.58)), **more)
    assert here.told() == there.told()


def _east(zone, degrees: float):
    lon, lat = zone.geometry["coordinates"]
    return circle(zone.id, zone.kind, (lat, lon + degrees), zone.radius_m, schedule=zone.schedule)


@pytest.mark.parametrize("kind", [ZoneKind.KEEP_IN, ZoneKind.CURFEW, ZoneKind.KEEP_OUT])
@pytest.mark.parametrize("accuracy_m", [250.0, 2_000.0, 10_000.0])
def test_a_coarse_fix_never_rings_alone_however_often_and_however_far(kind: ZoneKind, accuracy_m: float) -> None:
    wrong_m, right_m = (0.0, 50_000.0) if kind is ZoneKind.KEEP_OUT else (50_000.0, 0.0)
    zone = circle("z", kind, radius_m=3_000.0)
    assert watch(zone).fixes([wrong_m] * 60, accuracy_m=accuracy_m).verdicts == []
    after_fine = watch(zone).fixes([right_m] * 3)
    assert after_fine.fixes([wrong_m] * 60, start_s=600, step_s=300, accuracy_m=accuracy_m).verdicts == []


def test_fixes_of_no_radius_ring_no_sooner_than_two() -> None:
    assert watch(HOME).fixes([0, 0, 0, AWAY, AWAY, AWAY], accuracy_m=0.0).told() == [
        ("zone.exit", "opened", 180.0, 240.0)
    ]
    assert watch(HOME).fixes([0, 0, 0, AWAY, 0, AWAY, 0], accuracy_m=0.0).verdicts == []


@given(
    st.integers(0, 999),
    st.lists(st.integers(1000, 600_000), min_size=1, max_size=20),
    st.sampled_from([round, int]),
)
@settings(max_examples=200, deadline=None)
def test_a_fix_told_again_with_an_age_in_whole_seconds_says_nothing_new(fraction_ms, gaps_ms, whole) -> None:
    walker = watch(HOME).fixes([0, 0, 0])
    fixed_s = now_s = 180 + fraction_ms / 1000
    walker.fix(fixed_s, AWAY)
    for gap_ms in gaps_ms:
        now_s += gap_ms / 1000
        walker.fix(now_s, AWAY, age_s=whole(now_s - fixed_s))
    assert walker.verdicts == []


@pytest.mark.parametrize(
    ("far_m", "alerts"), [pytest.param(200.0, 1, id="far over the line"), pytest.param(114.0, 0, id="in the margin")]
)
def test_21_flips_on_the_line_are_one_alert_and_in_the_margin_none(far_m: float, alerts: int) -> None:
    walker = watch(HOME).fixes([0.0, 0.0, *[far_m, 0.0] * 21], step_s=15)
    assert sum(v.transition == "opened" for v in walker.verdicts) <= alerts


@pytest.mark.parametrize(
    ("speed_mps", "rings"),
    [
        pytest.param(0.5, False, id="Doppler knows nothing of it"),
        pytest.param(30.0, True, id="riding"),
        pytest.param(float("nan"), True, id="a band without Doppler: nothing contradicts it"),
    ],
)
def test_a_leap_weighs_little_if_doppler_contradicts_it(speed_mps: float, rings: bool) -> None:
    walker = watch(HOME).fixes([0.0, 0.0, 0.0, 5_000.0, 5_000.0], speed_mps=speed_mps)
    assert walker.codes() == ([("zone.exit", "opened")] if rings else [])


def test_one_wild_fix_rings_nothing_even_if_it_says_it_was_riding() -> None:
    assert watch(HOME).fixes([0, 0, 0, 5_000, 0, 0, 5_000, 0], speed_mps=30.0).verdicts == []


def test_it_takes_more_to_leave_than_to_enter() -> None:
    forbidden = circle("school", ZoneKind.KEEP_OUT, radius_m=100.0)
    leaves = watch(HOME).fixes([0, 0, *[135.0] * 12]).told()[0][3]
    enters = watch(forbidden).fixes([400, 400, *[65.0] * 12]).told()[0][3]
    assert enters < leaves


def test_entering_a_forbidden_zone_rings_at_the_second_fix_inside() -> None:
    forbidden = circle("school", ZoneKind.KEEP_OUT, radius_m=100.0)
    walker = watch(forbidden).fixes([400, 300, 200, 20, 10, 0, 300, 400, 500])
    assert walker.told() == [("zone.enter", "opened", 180.0, 240.0), ("zone.enter", "cleared", 180.0, 420.0)]


# Windows and knowledge.


def curfew(start: str = "10:30", end: str = "11:00", **more):
    return watch(circle("home", ZoneKind.CURFEW, schedule="s"), schedules=[night("s", start, end)], **more)


def test_a_window_that_opens_while_its_wearer_is_outside_rings_at_the_edge_to_the_second() -> None:
    walker = curfew().fixes([AWAY] * 30)  # the last at 1740 s
    assert walker.tick(1799.999).verdicts == []
    assert walker.tick(1800.0).told() == [("zone.curfew", "opened", 1800.0, 1800.0)]
    assert walker.tick(3599.999).codes() == [("zone.curfew", "opened")]
    assert walker.tick(3600.0).told()[1:] == [("zone.curfew", "cleared", 1800.0, 3600.0)]


def test_however_late_time_is_told_a_window_rings_at_its_edge() -> None:
    walker = curfew().fixes([AWAY] * 30).tick(90_000)
    assert walker.told() == [
        ("zone.curfew", "opened", 1800.0, 1800.0),
        ("zone.curfew", "cleared", 1800.0, 3600.0),
    ]


def test_a_window_still_opens_at_its_edge_after_a_long_break() -> None:
    off = msgspec.structs.replace(
        night("s", "10:30", "11:00"), exceptions=[DatedWindows(first=date(2026, 11, 23), last=date(2026, 12, 22))]
    )
    walker = watch(circle("home", ZoneKind.CURFEW, schedule="s"), schedules=[off])
    edge_s = 30 * 86_400 + 1800.0
    walker.fixes([AWAY] * 3).fixes([AWAY] * 5, start_s=edge_s - 330)
    assert walker.tick(edge_s + 5).told() == [("zone.curfew", "opened", edge_s, edge_s)]


def test_unknown_never_rings() -> None:
    never_heard = curfew().tick(1000).tick(2000).tick(4000)
    assert never_heard.verdicts == []
    silent_since_long = curfew(silence_after_s=300).fixes([AWAY] * 3).tick(1800).tick(3000)
    assert silent_since_long.verdicts == []


def test_loss_of_signal_neither_opens_nor_clears() -> None:
    inside, outside = watch(HOME).fixes([0] * 5), watch(HOME).fixes([0, 0, AWAY, AWAY])
    assert inside.tick(86_400).verdicts == []
    assert outside.tick(86_400).codes() == [("zone.exit", "opened")]


def test_who_is_heard_again_outside_after_the_edge_rings_then_with_the_edge_as_onset() -> None:
    walker = curfew(silence_after_s=300).fixes([AWAY] * 3).tick(1900)
    walker.fixes([AWAY] * 3, start_s=2000)
    assert walker.told() == [("zone.curfew", "opened", 1800.0, 2000.0)]


def test_a_message_that_comes_late_does_not_end_what_began_after_it() -> None:
    walker = curfew().fixes([AWAY] * 30)
    walker.tick(1830)  # our clock is ahead of a band that stores and forwards
    walker.fix(1790, AWAY).fix(1850, AWAY).fix(1910, AWAY)
    assert walker.told() == [("zone.curfew", "opened", 1800.0, 1800.0)]


# Evidence.


def agrees(evidence) -> bool:
    score, threshold = evidence["score_log_odds"], evidence["threshold_log_odds"]
    return (
        score >= threshold - 0.05
        and evidence["margin_log_odds"] == pytest.approx(score - threshold, abs=0.1)
        and evidence["probability"] == pytest.approx(1 / (1 + exp(-score)), abs=0.01)
    )


@pytest.mark.parametrize(
    ("walker", "threshold"),
    [
        pytest.param(watch(HOME).fixes([0, 0, AWAY, AWAY]), 6.0, id="leaves"),
        pytest.param(watch(circle("school", ZoneKind.KEEP_OUT, version=7)).fixes([AWAY, AWAY, 0, 0]), 3.2, id="enters"),
    ],
)
def test_an_alert_says_why_and_its_numbers_agree(walker, threshold: float) -> None:
    (opened,) = walker.verdicts
    evidence = opened.evidence
    assert evidence["threshold_log_odds"] == threshold
    assert agrees(evidence)
    assert evidence["zone_version"] == opened.rule_version == 7
    assert evidence["decided_by"] == "fix"
    assert evidence["schedule_state"] == {"schedule": None, "holds_since_ms": None, "until_ms": None}
    before, deciding = evidence["fixes"]
    assert deciding["time_ms"] == opened.at_ms
    assert before["time_ms"] == opened.onset_ms
    assert deciding["distance_m"] == evidence["distance_m"] == before["distance_m"]
    assert before["accuracy_m"] == deciding["accuracy_m"] == evidence["accuracy_m"] == 8.0
    assert evidence["margin_m"] == 15.0
    assert abs(before["log_odds"] + deciding["log_odds"]) == pytest.approx(evidence["score_log_odds"], abs=0.1)


@pytest.mark.parametrize("north_m", [140.0, 170.0, 400.0])
@pytest.mark.parametrize("accuracy_m", [3.0, 25.0, 90.0])
def test_the_numbers_of_every_verdict_by_fix_agree(north_m: float, accuracy_m: float) -> None:
    walker = watch(HOME).fixes([0.0] * 9 + [north_m] * 60 + [0.0] * 20, accuracy_m=accuracy_m)
    assert all(agrees(v.evidence) for v in walker.verdicts if v.evidence["decided_by"] == "fix")


def test_an_alert_that_opens_long_after_the_belief_claims_no_score_that_it_has_not() -> None:
    walker = curfew(silence_after_s=300).fixes([AWAY] * 3).tick(1900)
    (opened,) = walker.fix(2000, AWAY).verdicts
    assert "score_log_odds" not in opened.evidence or agrees(opened.evidence)


def test_an_alert_of_a_window_names_the_window_and_the_fix_it_knows() -> None:
    walker = curfew().fixes([AWAY] * 30).tick(1800)
    (opened,) = walker.verdicts
    evidence = opened.evidence
    assert evidence["decided_by"] == "window"
    assert evidence["schedule_state"]["schedule"] == "s"
    held = evidence["schedule_state"]["until_ms"] - evidence["schedule_state"]["holds_since_ms"]
    assert held == 30 * 60_000
    assert (evidence["distance_m"], evidence["accuracy_m"], evidence["fix_age_s"]) == (300.0, 8.0, 60.0)


# Back from leave.

WORK = LeavePlace(
    name="work",
    datum=Datum.WGS84,
    geometry={"type": "Point", "coordinates": list(place(2000)[::-1])},
    radius_m=150.0,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        pytest.param(ZoneKind.KEEP_IN, "leave.overstay", id="keep in"),
        pytest.param(ZoneKind.CURFEW, "zone.curfew", id="curfew"),
    ],
)
def test_who_is_outside_when_the_leave_ends_is_overdue_until_they_are_back(kind: ZoneKind, code: str) -> None:
    walker = watch(circle("home", kind), leaves=[leave(0, 1800)])
    walker.fixes([AWAY] * 40).fixes([0.0] * 5, start_s=2400)
    assert walker.told() == [(code, "opened", 1800.0, 1800.0), (code, "cleared", 1800.0, 2460.0)]


def test_who_leaves_an_hour_after_their_leave_ended_has_left() -> None:
    walker = watch(HOME, leaves=[leave(0, 1800)]).fixes([0.0] * 90).fixes([AWAY] * 5, start_s=5400)
    assert walker.told() == [("zone.exit", "opened", 5400.0, 5460.0)]


def test_who_stays_at_the_allowed_place_when_the_leave_ends_is_overdue() -> None:
    walker = watch(HOME, leaves=[leave(0, 1800, WORK)]).fixes([2000.0] * 29)
    assert walker.verdicts == []
    walker.fixes([2000.0] * 5, start_s=1740).fixes([0.0] * 8, start_s=2040)
    assert walker.codes() == [("leave.overstay", "opened"), ("leave.overstay", "cleared")]
    assert 1800 <= walker.told()[0][2] <= 1860


def test_who_goes_elsewhere_on_a_leave_with_places_has_left() -> None:
    walker = watch(HOME, leaves=[leave(0, 7200, WORK)]).fixes([2000.0] * 20).fixes([1000.0] * 5, start_s=1200)
    assert walker.told() == [("zone.exit", "opened", 1200.0, 1260.0)]


def test_on_the_way_to_the_allowed_place_the_fence_still_stands_but_not_at_either_end() -> None:
    walker = watch(HOME, leaves=[leave(0, 7200, WORK)])
    walker.fixes([0.0] * 5).fixes([2000.0] * 20, start_s=300)
    assert walker.verdicts == []


def test_a_prohibition_rings_on_leave_too() -> None:
    forbidden = circle("school", ZoneKind.KEEP_OUT, place(2000), radius_m=100.0)
    walker = watch(forbidden, leaves=[leave(0, 7200)]).fixes([0.0, 500.0, 1000.0, 2000.0, 2000.0])
    assert walker.codes() == [("zone.enter", "opened")]
