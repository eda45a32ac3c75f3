"""What every detector must keep, asked of all of them: a new one is checked by standing in the list."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.judge import detectors
from flows.rules import rules_by_shard
from schemas.alerts import KINDS
from schemas.judging import Detector, Table, Verdict
from schemas.readings import Readings
from schemas.registry import ZoneKind
from tests.world import HOME, START_MS, circle, night, numbered

BANDS = 5
RULES = rules_by_shard(
    numbered(
        circle("home", ZoneKind.KEEP_IN),
        circle("place", ZoneKind.CURFEW, schedule="evening"),
        circle("school", ZoneKind.KEEP_OUT, (HOME[0] + 0.01, HOME[1])),
        bands=BANDS * 8,
        schedules=[night("evening", "10:20", "10:40")],
    )
)[1]
DETECTORS = [pytest.param(detector, id=detector.name) for detector in detectors(RULES)]

reading = st.fixed_dictionaries(
    {
        "row": st.integers(0, BANDS - 1),
        "gap_s": st.integers(1, 900),
        "lat": st.sampled_from([HOME[0], HOME[0] + 0.005, HOME[0] + 0.01, float("nan")]),
        "battery_pct": st.sampled_from([5, 15, 50, float("nan")]),
        "strap_closed": st.sampled_from([-1, 0, 1]),
        "case_closed": st.sampled_from([-1, 0, 1]),
        "sos": st.sampled_from([-1, 0, 1]),
        "charging": st.sampled_from([-1, 0, 1]),
        "heart_rate_bpm": st.sampled_from([0, 60, 130, float("nan")]),
        "hrv_rmssd_ms": st.sampled_from([15, 45, float("nan")]),
        "spo2_pct": st.sampled_from([85, 97, float("nan")]),
        "skin_temp_c": st.sampled_from([21, 33.5, 39, float("nan")]),
        "steps": st.sampled_from([0, 90, float("nan")]),
        "activity": st.sampled_from([0, 0.6, float("nan")]),
        "peak_g": st.sampled_from([1, 5, float("nan")]),
        "quality": st.sampled_from([0.1, 0.9, float("nan")]),
        "speed_mps": st.sampled_from([0, 1.4, 30, float("nan")]),
        "seq": st.integers(0, 3),
    }
)
ANYTHING = {"row": 0, "gap_s": 60, "lat": HOME[0]}
history = st.lists(reading, max_size=25)


def steps(told: list[dict[str, Any]]) -> list[tuple[np.ndarray, Readings]]:
    made, at_ms = [], START_MS
    for one in told:
        at_ms += one["gap_s"] * 1000
        columns = {name: [value] for name, value in one.items() if name not in {"row", "gap_s"}}
        made.append(
            (
                np.array([one["row"]]),
                Readings.of(
                    device=[int(RULES.wearers.device_no[one["row"]])],
                    event_ms=[at_ms],
                    ingest_ms=[at_ms + 200],
                    lon=[HOME[1] if one["lat"] == one["lat"] else float("nan")],
                    accuracy_m=[8.0],
                    age_s=[0.0],
                    **columns,
                ),
            )
        )
    return made


def run(detector: Detector, table: Table, told: list[dict[str, Any]]) -> list[Verdict]:
    return [verdict for rows, step in steps(told) for verdict in detector.judge(table, rows, step)]


def fresh(detector: Detector) -> Table:
    return Table.new(detector.keys, detector.columns)


@pytest.mark.parametrize("detector", DETECTORS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(told=history)
def test_the_same_readings_give_the_same_verdicts(detector: Detector, told: list[dict[str, Any]]) -> None:
    assert run(detector, fresh(detector), told) == run(detector, fresh(detector), told)


@pytest.mark.parametrize("detector", DETECTORS)
@settings(deadline=None, max_examples=60)
@given(told=history, cut=st.integers(0, 25))
def test_a_restart_from_a_snapshot_changes_no_verdict(detector: Detector, told: list[dict[str, Any]], cut: int) -> None:
    whole = run(detector, fresh(detector), told)
    table = fresh(detector)
    made = steps(told)
    verdicts = [v for rows, step in made[:cut] for v in detector.judge(table, rows, step)]
    table = Table.restore(table.snapshot())
    verdicts += [v for rows, step in made[cut:] for v in detector.judge(table, rows, step)]
    assert verdicts == whole


@pytest.mark.parametrize("detector", DETECTORS)
@settings(deadline=None, max_examples=60)
@given(told=history, waits_s=st.lists(st.integers(1, 4000), min_size=1, max_size=6))
def test_time_told_in_many_steps_is_time_told_in_one(
    detector: Detector, told: list[dict[str, Any]], waits_s: list[int]
) -> None:
    rows = np.arange(len(RULES.wearers))
    last_ms = START_MS + 1000 * sum(one["gap_s"] for one in told) + 200
    moments = last_ms + 1000 * np.cumsum(waits_s)
    often, once = fresh(detector), fresh(detector)
    run(detector, often, told)
    run(detector, once, told)
    first = np.full(len(rows), last_ms)
    assert detector.tick(often, rows, first) == detector.tick(once, rows, first)
    in_steps = [v for now in moments for v in detector.tick(often, rows, np.full(len(rows), now))]
    at_once = detector.tick(once, rows, np.full(len(rows), moments[-1]))
    assert sorted(in_steps, key=repr) == sorted(at_once, key=repr)


@pytest.mark.parametrize("detector", DETECTORS)
@settings(deadline=None, max_examples=60)
@given(told=history)
def test_alerts_open_before_they_end_and_one_at_a_time(detector: Detector, told: list[dict[str, Any]]) -> None:
    standing: dict[tuple[int, str, str], int] = {}
    for verdict in run(detector, fresh(detector), told):
        key = (verdict.row, verdict.code.value, verdict.subject)
        if verdict.transition == "opened":
            assert key not in standing
            standing[key] = verdict.onset_ms
        else:
            assert standing[key] == verdict.onset_ms
        if verdict.transition in {"cleared", "retracted"}:
            del standing[key]
        assert verdict.onset_ms <= verdict.at_ms or verdict.transition != "opened"


@pytest.mark.parametrize("detector", DETECTORS)
@settings(deadline=None, max_examples=60)
@given(told=history)
def test_what_the_rules_forget_is_cleared_unless_a_person_must_look(
    detector: Detector, told: list[dict[str, Any]]
) -> None:
    table = fresh(detector)
    verdicts = run(detector, table, told)
    opened = {(v.row, v.subject) for v in verdicts if v.transition == "opened"}
    ended = {(v.row, v.subject) for v in verdicts if v.transition in {"cleared", "retracted"}}
    retired = detector.retire(table, np.arange(len(table.keys)), START_MS + 10**9)
    latched = any(KINDS[code].latching for code in detector.codes)
    last = {(v.row, v.subject): v.transition for v in verdicts if v.transition != "updated"}
    still_open = {key for key, transition in last.items() if transition == "opened"}
    assert {(v.row, v.subject) for v in retired} == (set() if latched else still_open)
    assert ended <= opened


def test_all_detectors_together_need_no_more_than_500_bytes_a_wearer_with_five_zones() -> None:
    zones = [circle(f"z{n}", ZoneKind.KEEP_IN) for n in range(5)]
    rules = rules_by_shard(numbered(*zones, bands=800))[1]
    tables = [Table.new(d.keys, d.columns) for d in detectors(rules)]
    size = sum(array.nbytes for table in tables for array in table.columns.values())
    assert size / len(rules.wearers) <= 500


def test_a_released_latch_rings_again_and_a_stale_release_does_nothing() -> None:
    strap = detectors(RULES)[0]
    table = fresh(strap)
    cut, mended = {**ANYTHING, "strap_closed": 0}, {**ANYTHING, "strap_closed": 1}
    first = run(strap, table, [cut])[0]
    strap.release(table, 0, first.onset_ms - 1)
    assert [v.transition for v in run(strap, table, [mended, cut])] == ["updated", "updated"]
    strap.release(table, 0, first.onset_ms)
    assert [v.transition for v in run(strap, table, [mended, cut])] == ["opened"]
