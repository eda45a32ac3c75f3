"""The zone judge as a whole: batches, restarts, rules that change under way."""

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.ledger import Ledger
from flows.judge import Judge
from flows.rules import ShardRules, rules_by_shard
from schemas.alerts import AlertCode, AlertEvent
from schemas.readings import Readings
from schemas.registry import Leave, LeavePlace, NumberedRegistry, Zone, ZoneKind
from tests.world import HOME, START, START_MS, circle, night, north_of_home, registry

NAN = float("nan")
BANDS = 3


def rules(*zones: Zone, version: int = 1, **more: Any) -> ShardRules:
    numbered = NumberedRegistry.from_file(registry(*zones, **more))
    return rules_by_shard(msgspec.structs.replace(numbered, version=version), 1)[0]


def reading(at_s: float, north_m: float, band: int = 1, **more: Any) -> Readings:
    at_ms = START_MS + round(at_s * 1000)
    columns = {
        "device": band,
        "wearer": band,
        "seq": round(at_s),
        "event_ms": at_ms,
        "ingest_ms": at_ms + 200,
        "lat": north_of_home(north_m)[0],
        "lon": HOME[1],
        "accuracy_m": 8.0,
        "age_s": 0.0,
    } | more
    return Readings.of(**{name: [value] for name, value in columns.items()})


class Told:
    """A judge and everything it said."""

    def __init__(self, shard: ShardRules) -> None:
        self.judge = Judge.new(shard)
        self.events: list[AlertEvent] = []

    def fixes(self, north_m: list[float], start_s: float = 0.0, step_s: float = 60.0, **more: Any) -> "Told":
        for n, metres in enumerate(north_m):
            self.events += self.judge.judge(reading(start_s + n * step_s, metres, **more))
        return self

    def tick(self, now_s: float) -> "Told":
        self.events += self.judge.tick(START_MS + round(now_s * 1000))
        return self

    def adopt(self, shard: ShardRules, now_s: float) -> "Told":
        self.events += self.judge.adopt(shard, START_MS + round(now_s * 1000))
        return self

    def said(self) -> list[tuple[str, str, float, float]]:
        return [
            (e.code.value, e.transition.value, (e.onset_ms - START_MS) / 1000, (e.at_ms - START_MS) / 1000)
            for e in self.events
            if e.code.value.startswith(("zone", "leave"))
        ]

    def standing(self) -> list[tuple[str, str]]:
        """Code and state of every zone alert, as people see them."""
        ledger = Ledger()
        ledger.apply(self.events)
        return [
            (record.code, record.state.value)
            for record in ledger.records()
            if record.code.startswith(("zone", "leave"))
        ]


def leave(from_s: float, to_s: float, *places: LeavePlace) -> Leave:
    return Leave(
        id="l-1",
        wearer="w-1",
        document="请假1号",
        approver="所长",
        recorded_at=START,
        valid_from=START + timedelta(seconds=from_s),
        valid_to=START + timedelta(seconds=to_s),
        places=list(places),
    )


MANY = rules(
    circle("home", ZoneKind.KEEP_IN, approach_m=60.0),
    circle("place", ZoneKind.CURFEW, schedule="often"),
    circle("school", ZoneKind.KEEP_OUT, north_of_home(500), radius_m=60.0, approach_m=250.0, dwell_s=600.0),
    circle("bar", ZoneKind.INTEREST, north_of_home(300), radius_m=80.0, dwell_s=300.0, schedule="often"),
    bands=BANDS,
    schedules=[night("often", "10:20", "10:50")],
    leaves=[leave(1000, 2000)],
)
histories = st.lists(
    st.fixed_dictionaries(
        {
            "band": st.integers(1, BANDS),
            "gap_s": st.integers(1, 300),
            "north_m": st.sampled_from([0.0, 20.0, 90.0, 130.0, 300.0, 420.0, 500.0, 700.0, 1_000.0, NAN]),
            "accuracy_m": st.sampled_from([0.0, 8.0, 40.0, 2_000.0]),
            "speed_mps": st.sampled_from([NAN, 0.0, 1.3, 10.0]),
            "age_s": st.sampled_from([0.0, 0.0, 60.0]),
        }
    ),
    min_size=1,
    max_size=60,
)


def told(history: list[dict[str, Any]]) -> list[Readings]:
    at_s, made = 0.0, []
    for one in history:
        at_s += one["gap_s"]
        more = {name: value for name, value in one.items() if name not in {"gap_s", "north_m"}}
        made.append(reading(at_s, one["north_m"], **more))
    return made


def by_band(events: list[AlertEvent]) -> dict[str, list[AlertEvent]]:
    """A batch may tell bands in any order, but each one's events in its own."""
    grouped = defaultdict(list)
    for event in events:
        grouped[event.device].append(event)
    return {
        device: sorted(of_device, key=lambda e: (e.code.value, e.subject, e.at_ms))
        for device, of_device in grouped.items()
    }


def in_batches(judge: Judge, readings: list[Readings], cuts: list[int]) -> list[AlertEvent]:
    edges = sorted({0, len(readings), *(cut for cut in cuts if cut < len(readings))})
    return [event for low, high in pairwise(edges) for event in judge.judge(Readings.concat(readings[low:high]))]


@given(histories, st.lists(st.integers(1, 59), max_size=8))
@settings(max_examples=120, deadline=None)
def test_however_readings_are_cut_into_batches_the_events_are_the_same(history, cuts: list[int]) -> None:
    readings = told(history)
    one_by_one = in_batches(Judge.new(MANY), readings, list(range(60)))
    assert by_band(in_batches(Judge.new(MANY), readings, cuts)) == by_band(one_by_one)


@given(histories, st.integers(0, 60))
@settings(max_examples=120, deadline=None)
def test_a_restart_in_the_middle_changes_no_event(history, cut: int) -> None:
    readings = told(history)
    whole = in_batches(Judge.new(MANY), readings, list(range(60)))
    judge = Judge.new(MANY)
    events = in_batches(judge, readings[:cut], list(range(60))) if readings[:cut] else []
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(judge.snapshot()))
    judge = Judge.resume(MANY, stored)
    events += in_batches(judge, readings[cut:], list(range(60))) if readings[cut:] else []
    assert by_band(events) == by_band(whole)


@given(histories)
@settings(max_examples=60, deadline=None)
def test_every_alert_that_ends_had_begun_under_the_same_name(history) -> None:
    open_ids: set[Any] = set()
    for event in in_batches(Judge.new(MANY), told(history), [7, 20, 40]):
        assert event.onset_ms <= event.at_ms
        if event.transition == "opened":
            assert event.alert_id not in open_ids
            open_ids.add(event.alert_id)
        elif event.transition == "cleared":
            open_ids.remove(event.alert_id)


OLD_COLUMNS = {
    "presence": np.int8,
    "evidence": np.float32,
    "since_ms": np.int64,
    "last_fix_ms": np.int64,
    "distance_m": np.float32,
    "accuracy_m": np.float32,
    "score": np.float32,
    "open_onset_ms": np.int64,
    "turn_ms": np.int64,
}


def as_it_was(snapshot: dict[str, Any], last_fix_ms: int) -> dict[str, Any]:
    """The snapshot as the version before wrote it: other columns of zones, no tables of approach and dwell."""
    zones = Judge.resume(HOME_RULES, snapshot).tables["zones"]
    since_ms = zones["since_s"].astype(np.int64) * 1000
    known = {"since_ms": since_ms, "last_fix_ms": last_fix_ms, "distance_m": 300.0, "score": 0.0, "turn_ms": -1}
    columns = {
        name: zones[name].astype(dtype) if name in zones.columns else np.full(len(zones.keys), known[name], dtype)
        for name, dtype in OLD_COLUMNS.items()
    }
    tables = {name: table for name, table in snapshot["tables"].items() if name not in {"zone.approach", "zone.dwell"}}
    tables["zones"] = {
        "keys": zones.keys.tobytes(),
        "columns": {name: (column.dtype.str, column.tobytes()) for name, column in columns.items()},
    }
    return snapshot | {"tables": tables}


HOME_RULES = rules(
    circle("home", ZoneKind.KEEP_IN),
    circle("bar", ZoneKind.INTEREST, north_of_home(9_000), dwell_s=60.0),
    circle("river", ZoneKind.INTEREST, north_of_home(9_000), approach_m=60.0),
)


def test_a_snapshot_of_the_version_before_is_understood_and_its_open_alert_ends() -> None:
    before = Told(HOME_RULES).fixes([0, 0, 0, 400, 400, 400])
    assert before.said() == [("zone.exit", "opened", 180.0, 240.0)]
    old = as_it_was(before.judge.snapshot(), START_MS + 300_000)
    after = Told(HOME_RULES)
    after.judge = Judge.resume(HOME_RULES, old)
    after.tick(310).fixes([400, 400, 0, 0, 0], start_s=360)
    assert after.said() == [("zone.exit", "cleared", 180.0, 540.0)]
    for event in after.events:
        numbers = [value for value in event.evidence.values() if isinstance(value, float)]
        assert not np.isnan(numbers).any()


def test_a_snapshot_of_the_version_before_of_somebody_at_home_causes_no_alert() -> None:
    before = Told(HOME_RULES).fixes([0, 0, 0, 0])
    after = Told(HOME_RULES)
    after.judge = Judge.resume(HOME_RULES, as_it_was(before.judge.snapshot(), START_MS + 180_000))
    after.fixes([0] * 5 + [400] * 3, start_s=240)
    assert after.said() == [("zone.exit", "opened", 540.0, 600.0)]


# Rules that change under way.


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(circle("home", ZoneKind.KEEP_IN, version=2), id="nothing but the version"),
        pytest.param(circle("home", ZoneKind.KEEP_IN, radius_m=300.0, version=2), id="larger"),
        pytest.param(circle("home", ZoneKind.KEEP_IN, radius_m=60.0, version=2), id="smaller, still around its wearer"),
        pytest.param(
            circle("home", ZoneKind.KEEP_IN, north_of_home(4_000), radius_m=5_000.0, version=2), id="centre moved far"
        ),
    ],
)
def test_a_fence_edited_around_its_wearer_says_nothing_and_judges_on(changed: Zone) -> None:
    judged = Told(rules(circle("home", ZoneKind.KEEP_IN, version=1))).fixes([0] * 5)
    judged.adopt(rules(changed, version=2), 270).tick(280).fixes([0] * 5, start_s=300)
    assert judged.said() == []
    judged.fixes([-2_000] * 3, start_s=600, speed_mps=30.0)
    assert judged.said() == [("zone.exit", "opened", 600.0, 660.0)]
    (opened,) = (event for event in judged.events if event.code is AlertCode.ZONE_EXIT)
    assert opened.rule_version == opened.evidence["zone_version"] == 2


def test_an_alert_that_is_open_when_the_fence_is_edited_goes_on_and_ends_once() -> None:
    judged = Told(rules(circle("home", ZoneKind.KEEP_IN))).fixes([0, 0, 0, 400, 400, 400])
    judged.adopt(rules(circle("home", ZoneKind.KEEP_IN, radius_m=150.0), version=2), 310).tick(320)
    judged.fixes([400, 400, 0, 0, 0], start_s=360)
    assert judged.said() == [("zone.exit", "opened", 180.0, 240.0), ("zone.exit", "cleared", 180.0, 540.0)]


def test_a_forbidden_zone_moved_over_to_the_other_side_was_not_walked_through() -> None:
    judged = Told(rules(circle("school", ZoneKind.KEEP_OUT))).fixes([500] * 5)
    judged.adopt(rules(circle("school", ZoneKind.KEEP_OUT, north_of_home(1_000)), version=2), 250)
    judged.fixes([500] * 5, start_s=300)
    assert judged.said() == []


def test_a_ring_moved_nearer_to_somebody_who_sits_still_is_no_approach() -> None:
    judged = Told(rules(circle("school", ZoneKind.KEEP_OUT, approach_m=300.0))).fixes([2_000] * 5)
    moved = circle("school", ZoneKind.KEEP_OUT, north_of_home(1_700), approach_m=300.0)
    judged.adopt(rules(moved, version=2), 250).fixes([2_000] * 20, start_s=300)
    assert judged.said() == []


def test_a_fix_after_an_edit_is_not_taken_for_a_leap() -> None:
    home = circle("home", ZoneKind.KEEP_IN, north_of_home(4_000), radius_m=5_000.0)
    judged = Told(rules(circle("home", ZoneKind.KEEP_IN))).fixes([0] * 5)
    judged.adopt(rules(home, version=2), 270).fixes([-1_400] * 2, start_s=300, speed_mps=8.0)
    assert judged.said() == [("zone.exit", "opened", 300.0, 360.0)]


def test_evidence_after_an_edit_states_numbers_that_hold_in_the_new_place() -> None:
    first = circle("home", ZoneKind.CURFEW, schedule="s")
    moved = circle("home", ZoneKind.CURFEW, north_of_home(-1_000), schedule="s", version=2)
    hours = {"schedules": [night("s", "10:30", "11:00")]}
    judged = Told(rules(first, **hours)).fixes([400] * 30)
    judged.adopt(rules(moved, version=2, **hours), 1_790).tick(1_800)
    (opened,) = judged.events
    distance_m = opened.evidence.get("distance_m")
    # Where the newest fix lies in the new zone's plane, or nothing: but not a number from the old one's.
    assert distance_m is None or distance_m == pytest.approx(1_300, abs=1)


def test_a_zone_that_comes_to_forbid_what_it_asked_ends_the_alert_it_had_opened() -> None:
    judged = Told(rules(circle("home", ZoneKind.KEEP_IN))).fixes([0, 0, 400, 400])
    judged.adopt(rules(circle("home", ZoneKind.KEEP_OUT), version=2), 250).tick(260).fixes([400] * 3, start_s=300)
    assert judged.standing() == [("zone.exit", "cleared")]


def test_a_zone_that_is_taken_away_ends_its_alerts() -> None:
    zone = circle("home", ZoneKind.KEEP_IN)
    judged = Told(rules(zone)).fixes([0, 0, 400, 400])
    judged.adopt(rules(version=2), 250)
    assert judged.said()[1:] == [("zone.exit", "cleared", 120.0, 250.0)]


def test_a_window_that_a_change_opens_rings_within_a_tick() -> None:
    judged = Told(rules(circle("home", ZoneKind.CURFEW, schedule="s"), schedules=[night("s")])).fixes([400] * 5)
    changed = rules(circle("home", ZoneKind.CURFEW, schedule="s"), schedules=[night("s", "09:00", "18:00")], version=2)
    judged.adopt(changed, 250).tick(251)
    assert [(code, what) for code, what, _, _ in judged.said()] == [("zone.curfew", "opened")]


# Leave and what becomes of it.


def test_a_leave_that_is_prolonged_ends_the_alert_of_who_was_overdue() -> None:
    home = circle("home", ZoneKind.KEEP_IN)
    judged = Told(rules(home, leaves=[leave(0, 1_800)])).fixes([400] * 35)
    assert judged.said() == [("leave.overstay", "opened", 1_800.0, 1_800.0)]
    judged.adopt(rules(home, leaves=[leave(0, 7_200)], version=2), 2_100).tick(2_110)
    judged.fixes([400] * 5, start_s=2_160)
    assert judged.standing() == [("leave.overstay", "cleared")]


def test_a_leave_granted_to_somebody_outside_ends_the_alert_under_its_own_name() -> None:
    home = circle("home", ZoneKind.KEEP_IN)
    judged = Told(rules(home)).fixes([0, 0, 400, 400, 400])
    judged.adopt(rules(home, leaves=[leave(240, 3_600)], version=2), 290).tick(300)
    assert judged.standing() == [("zone.exit", "cleared")]


def test_a_leave_that_is_struck_out_keeps_the_name_of_the_alert_it_gave() -> None:
    home = circle("home", ZoneKind.KEEP_IN)
    judged = Told(rules(home, leaves=[leave(0, 1_800)])).fixes([400] * 35)
    judged.adopt(rules(home, version=2), 2_100).tick(2_110).fixes([0] * 4, start_s=2_160)
    assert judged.standing() == [("leave.overstay", "cleared")]


def test_who_is_absent_at_a_curfew_stays_absent_though_an_older_message_comes_late() -> None:
    home = circle("home", ZoneKind.CURFEW, schedule="s")
    judged = Told(rules(home, schedules=[night("s", "10:30", "11:00")])).fixes([400] * 30).tick(1_830)
    judged.fixes([400], start_s=1_790).fixes([400] * 3, start_s=1_850)
    assert judged.standing() == [("zone.curfew", "open")]


def test_an_absence_at_a_curfew_that_late_fixes_refute_is_retracted() -> None:
    home = circle("home", ZoneKind.CURFEW, schedule="s")
    judged = Told(rules(home, schedules=[night("s", "10:20", "10:50")], silence_after_s=1_200)).fixes([400] * 11)
    assert judged.tick(1_300).standing() == [("zone.curfew", "open")]
    judged.fixes([0] * 30, start_s=660)  # home since 10:11, as the band tells later
    assert judged.standing() == [("zone.curfew", "retracted")]


def test_who_was_late_for_a_curfew_is_cleared_and_not_retracted() -> None:
    home = circle("home", ZoneKind.CURFEW, schedule="s")
    judged = Told(rules(home, schedules=[night("s", "10:20", "10:50")], silence_after_s=1_200)).fixes([400] * 21)
    judged.tick(1_230).fixes([0] * 5, start_s=1_260)
    assert judged.standing() == [("zone.curfew", "cleared")]


def test_a_day_with_everything_rings_once_for_each_thing_that_happened() -> None:
    """Nears a school, passes through it between two fixes, comes back, leaves home, returns."""
    school = circle("school", ZoneKind.KEEP_OUT, north_of_home(2_000), radius_m=60.0, approach_m=400.0)
    home = circle("home", ZoneKind.KEEP_IN, radius_m=5_000.0)
    judged = Told(rules(school, home))
    judged.fixes([0, 500, 1_000, 1_350, 1_650, 1_850, 2_200, 2_700, 3_500, 4_500], speed_mps=6.0)
    judged.fixes([4_900, 5_300, 5_400, 4_900, 4_500, 4_000, 3_500], start_s=600, speed_mps=6.0)
    assert judged.standing() == [("zone.approach", "cleared"), ("zone.enter", "cleared"), ("zone.exit", "cleared")]
