"""What comes late is judged as if it had come in time: the order of arrival changes no final verdict."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.ledger import Ledger
from flows.hindsight import ALLOWED_MS, MOST_HEARD, UNKNOWN, missing
from flows.judge import Judge, detectors
from schemas.alerts import AlertEvent, AlertState
from schemas.judging import Table
from schemas.readings import Readings
from schemas.registry import ZoneKind
from tests.flows.test_fences import BANDS, HOME_RULES, MANY, reading, rules
from tests.world import START_MS, circle, night, north_of_home

MINUTE_MS = 60_000
BY_ARRIVAL = {code.value for detector in detectors(HOME_RULES) if detector.takes_late for code in detector.codes}
"""What depends on when we heard, or rings at once (silence, tamper, falsified positions): late is not in time."""

ALWAYS = rules(
    circle("home", ZoneKind.KEEP_IN, approach_m=60.0),
    circle("school", ZoneKind.KEEP_OUT, north_of_home(500), radius_m=60.0, approach_m=250.0, dwell_s=600.0),
    circle("bar", ZoneKind.INTEREST, north_of_home(300), radius_m=80.0, dwell_s=300.0),
    bands=BANDS,
)
"""Zones that ask the same at all times."""

one = st.fixed_dictionaries(
    {
        "band": st.integers(1, BANDS),
        "gap_s": st.integers(1, 150),
        "north_m": st.sampled_from([0.0, 20.0, 130.0, 300.0, 420.0, 500.0, 700.0, float("nan")]),
        "accuracy_m": st.sampled_from([8.0, 40.0]),
        "speed_mps": st.sampled_from([float("nan"), 0.0, 1.3]),
        "battery_pct": st.sampled_from([5.0, 15.0, 50.0, float("nan")]),
        "charging": st.sampled_from([0, 1, -1]),
        "heart_rate_bpm": st.sampled_from([60.0, 140.0, float("nan")]),
        "late_s": st.sampled_from([0, 0, 0, 1, 70, 130, 400, 600]),
    }
)


def told(history: Sequence[dict[str, Any]]) -> tuple[list[Readings], list[Readings]]:
    """The readings in the order of their making, and as they arrive: numbered by their bands, some late."""
    at_s, seq, made = 0.0, dict.fromkeys(range(1, BANDS + 1), 0), []
    for said in history:
        at_s += said["gap_s"]
        seq[said["band"]] += 1
        more = {name: value for name, value in said.items() if name not in {"gap_s", "north_m", "late_s", "band"}}
        made.append(
            reading(at_s, said["north_m"], seq=seq[said["band"]], device=said["band"], wearer=said["band"], **more)
        )
    late = [
        one.replace(ingest_ms=one.ingest_ms + 1000 * said["late_s"]) for one, said in zip(made, history, strict=True)
    ]
    return made, sorted(late, key=lambda one: int(one.ingest_ms[0]))


def standing(judge: Judge, received: Sequence[Readings], *, ticking: bool) -> list[tuple[Any, ...]]:
    """What people know in the end, with time told after every message or only then: alerts, by id and state."""
    events: list[AlertEvent] = []
    for batch in received:
        events += judge.judge(batch)
        events += judge.tick(int(batch.ingest_ms[0])) if ticking else []
    events += judge.tick(START_MS + 20_000_000)
    ledger = Ledger()
    ledger.apply(events)
    return sorted(
        (record.code, record.device, record.subject, record.onset_at, record.state.value)
        for record in ledger.records()
        if record.state is not AlertState.RETRACTED and record.code not in BY_ARRIVAL
    )


@given(st.lists(one, min_size=1, max_size=50))
@settings(max_examples=150, deadline=None)
def test_the_order_of_arrival_changes_no_final_verdict(history: list[dict[str, Any]]) -> None:
    in_time, shuffled = told(history)
    assert standing(Judge.new(ALWAYS), shuffled, ticking=True) == standing(Judge.new(ALWAYS), in_time, ticking=True)


@given(st.lists(one, min_size=1, max_size=50))
@settings(max_examples=150, deadline=None)
def test_nor_where_windows_and_leaves_begin_and_end_meanwhile(history: list[dict[str, Any]]) -> None:
    in_time, shuffled = told(history)
    assert standing(Judge.new(MANY), shuffled, ticking=False) == standing(Judge.new(MANY), in_time, ticking=False)


@given(st.lists(one, min_size=1, max_size=40), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_a_restart_while_something_is_missing_changes_no_event(history: list[dict[str, Any]], cut: int) -> None:
    _, shuffled = told(history)
    whole, judge = Judge.new(MANY), Judge.new(MANY)
    expected = [event for batch in shuffled for event in whole.judge(batch)]
    events = [event for batch in shuffled[:cut] for event in judge.judge(batch)]
    judge = Judge.resume(MANY, msgspec.msgpack.decode(msgspec.msgpack.encode(judge.snapshot())))
    events += [event for batch in shuffled[cut:] for event in judge.judge(batch)]
    assert events == expected


def fixes(judge: Judge, *said: tuple[float, float, int], heard_s: float | None = None) -> list[tuple[str, str, bool]]:
    """Fixes (second, metres north of home, message number): what is told of them, and whether as history."""
    events = []
    for at_s, north_m, seq in said:
        ingest_ms = START_MS + round(1000 * (at_s if heard_s is None else heard_s)) + 200
        events += judge.judge(reading(at_s, north_m, seq=seq, ingest_ms=ingest_ms))
    if heard_s is not None:
        events += judge.tick(START_MS + round(1000 * heard_s) + 5_200)
    return [
        (event.code.value, event.transition.value, event.historic)
        for event in events
        if event.code.value not in BY_ARRIVAL
    ]


AT_HOME = [(60.0 * n, 0.0, n) for n in range(5)]


def test_an_absence_that_late_fixes_refute_is_retracted() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *AT_HOME)
    assert fixes(judge, (300, 150, 5), (420, 150, 7), (540, 150, 9)) == [("zone.exit", "opened", False)]
    assert fixes(judge, (330, 0, 6), (480, 0, 8), heard_s=560) == [("zone.exit", "retracted", False)]


def test_a_walk_that_comes_late_is_found_and_is_history_when_it_is_old() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *AT_HOME)
    assert fixes(judge, (1_600, 0, 9), (1_660, 0, 10)) == []
    late = [(300.0 + 60 * n, 400.0, 5 + n) for n in range(4)]
    assert fixes(judge, *late, heard_s=1_700) == [("zone.exit", "opened", True), ("zone.exit", "cleared", False)]


def test_an_alert_that_ended_too_early_is_reopened() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *AT_HOME)
    assert fixes(judge, (300, 400, 5), (360, 400, 6))[-1][1] == "opened"
    ended = fixes(judge, (420, 0, 7), (540, 0, 9))
    assert ended == [("zone.exit", "cleared", False)]
    assert fixes(judge, (480, 400, 8), heard_s=541) == [("zone.exit", "reopened", False)]
    assert fixes(judge, (600, 0, 10), (660, 0, 11)) == [("zone.exit", "cleared", False)]


def test_what_comes_later_than_allowed_is_counted_and_not_weighed() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *AT_HOME)
    for n in range(9, 30):
        fixes(judge, (60.0 * n, 0, n))
    assert judge.hindsight.bands == 0
    assert fixes(judge, (300, 400, 5), (360, 400, 6), heard_s=300 + ALLOWED_MS / 1000 + 300) == []
    assert judge.too_late == 2


def test_bands_in_order_are_not_waited_for() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *[(60.0 * n, 0.0, n) for n in range(20)])
    assert judge.hindsight.bands == 0


def test_a_band_with_a_gap_again_and_again_is_kept_within_bounds() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *[(15.0 * n, 0.0, 2 * n) for n in range(3 * MOST_HEARD)])
    assert sum(len(rows) for rows, _ in judge.hindsight.heard) <= 2 * MOST_HEARD


def test_a_message_that_holds_an_hour_follows_on_without_a_gap() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *[(60.0 * n, 0.0, n) for n in range(20)])
    hour = Readings.concat([reading(1_200 + 60.0 * n, 0.0, seq=20, ingest_ms=START_MS + 4_900_000) for n in range(60)])
    judge.judge(hour)
    assert judge.hindsight.bands == 0


def test_a_window_that_opened_meanwhile_is_judged_with_what_came_late() -> None:
    shard = rules(circle("place", ZoneKind.CURFEW, schedule="s"), schedules=[night("s", "10:10", "11:00")])
    judge = Judge.new(shard)
    fixes(judge, *[(60.0 * n, 400.0, n) for n in range(9)])
    # On the way home, but the last word that came in time was from outside.
    assert [e.transition.value for e in judge.tick(START_MS + 600_500)] == ["opened"]
    assert fixes(judge, (585, 0, 11), heard_s=601) == []
    assert fixes(judge, (525, 200, 9), (555, 0, 10), heard_s=602) == [("zone.curfew", "retracted", False)]


def test_new_rules_do_not_correct_what_was_told_by_older_ones() -> None:
    judge = Judge.new(HOME_RULES)
    fixes(judge, *AT_HOME)
    fixes(judge, (420, 0, 7))
    assert judge.hindsight.bands == 1
    judge.adopt(rules(circle("home", ZoneKind.KEEP_IN, version=2), version=2), START_MS + 430_000)
    assert fixes(judge, (300, 400, 5), (360, 400, 6), heard_s=440) == []
    assert judge.too_late == 2


def test_a_band_handed_to_another_wearer_starts_with_nothing_to_wait_for() -> None:
    judge = Judge.new(HOME_RULES)
    foreign = reading(0, 400, wearer=9)
    assert judge.judge(foreign) == []
    assert np.array_equal(judge.hindsight.waits_for(np.array([0])), [False])


def test_numbers_below_zero_tell_no_gap_and_times_still_do() -> None:
    clock = Table(np.array([1]), {"judged_ms": np.array([60_000]), "seq": np.array([4_000_000_000], np.uint32)})
    rows, interval_ms = np.array([0]), np.array([60_000])

    def lacks(at_ms: int) -> int:
        step = Readings.of(device=[1], event_ms=[at_ms], seq=[-1_000])
        return int(missing(clock, rows, step, interval_ms)[0])

    assert lacks(120_000) == 0
    assert lacks(600_000) == UNKNOWN
