"""Timelines: a band reports, and what it must have been asked for, and when."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.rules import ShardRules, rules_by_shard
from geo.sampling import Ask, Sampling, SamplingConfig
from schemas.judging import Table
from schemas.readings import Readings
from schemas.registry import Leave, ZoneKind
from tests.world import HOME, START, START_MS, circle, night, north_of_home, numbered

NAN = float("nan")
KEEP_IN = circle("range", ZoneKind.KEEP_IN, radius_m=1000.0)
SCHOOL = circle("school", ZoneKind.KEEP_OUT, north_of_home(5000), 200.0)
SHARD = 1


def compiled(*zones: Any, bands: int = 1, **more: Any) -> ShardRules:
    return rules_by_shard(numbered(*zones, bands=bands, **more))[SHARD]


def sampling_of(rules: ShardRules, config: SamplingConfig | None = None) -> Sampling:
    return Sampling(rules.demands, rules.wearers.keys, rules.wearers.silence_after_ms, config or SamplingConfig())


class Story:
    """One band's fixes, ``m`` metres north of home, its wearer on foot unless it says otherwise.

    ``asked`` is what it was told: at which second, why, for how many seconds.
    """

    def __init__(self, *zones: Any, config: SamplingConfig | None = None, **more: Any) -> None:
        self.sampling = sampling_of(compiled(*zones, **more), config)
        self.table = Table.new(self.sampling.keys, self.sampling.columns)
        self.asked: list[tuple[float, str, float]] = []

    def fix(self, at_s: float, m: float, *, late_s: float = 0.2, **columns: Any) -> "Story":
        lat, lon = north_of_home(m)
        return self.says(at_s, late_s=late_s, lat=lat, lon=lon, **columns)

    def says(self, at_s: float, *, late_s: float = 0.2, **columns: Any) -> "Story":
        at_ms = START_MS + round(at_s * 1000)
        told = {"device": 1, "wearer": 1, "event_ms": at_ms, "ingest_ms": at_ms + round(late_s * 1000)}
        told |= {"accuracy_m": 8.0, "age_s": 0.0, "speed_mps": 1.3} | columns
        step = Readings.of(**{name: [value] for name, value in told.items()})
        self.asked += [seconds(ask) for ask in self.sampling.decide(self.table, np.array([0]), step)]
        return self

    def every(self, step_s: float, start_s: float, end_s: float, m: float, **columns: Any) -> "Story":
        for at_s in np.arange(start_s, end_s, step_s):
            self.fix(float(at_s), m, **columns)
        return self


def seconds(ask: Ask) -> tuple[float, str, float]:
    return (ask.at_ms - START_MS) / 1000, ask.reason.value, (ask.until_ms - ask.at_ms) / 1000


def test_one_fix_near_the_wall_is_enough_and_five_minutes_far_away_release() -> None:
    story = Story(KEEP_IN).fix(0, 400).fix(60, 900).every(15, 75, 180, 500)
    assert story.asked == [(60, "near", 900)]
    story.every(15, 180, 600, 500)
    assert story.asked == [(60, "near", 900), (375, "released", 0)]


def test_between_near_and_far_nothing_is_asked_and_nothing_released() -> None:
    never_near = Story(KEEP_IN).every(60, 0, 1200, 800)
    assert never_near.asked == []
    once_near = Story(KEEP_IN).fix(0, 900).every(15, 15, 850, 800)
    assert once_near.asked == [(0, "near", 900)]


def test_a_return_towards_the_wall_starts_the_hold_again() -> None:
    story = Story(KEEP_IN).fix(0, 900).every(15, 15, 270, 500).fix(270, 800).every(15, 285, 580, 500)
    assert story.asked == [(0, "near", 900)]
    assert story.fix(585, 500).asked[1:] == [(585, "released", 0)]


def test_a_plan_is_renewed_while_its_reason_lasts_and_lapses_by_itself_when_it_does_not() -> None:
    staying = Story(KEEP_IN).every(15, 0, 1000, 900)
    assert staying.asked == [(0, "near", 900), (450, "near", 900), (900, "near", 900)]
    gone_between = Story(KEEP_IN).fix(0, 900).every(60, 60, 1000, 800).fix(1000, 500).fix(1400, 500)
    assert gone_between.asked == [(0, "near", 900)]


def test_in_breach_the_band_stays_fast_however_far_and_however_still() -> None:
    story = Story(KEEP_IN).fix(0, 400).every(60, 60, 560, 4000, speed_mps=0.0)
    assert story.asked == [(60, "breach", 900), (540, "breach", 900)]


def test_a_wearer_on_the_wrong_side_of_a_forbidden_zone_is_in_breach() -> None:
    assert Story(SCHOOL).fix(0, 4990).asked == [(0, "breach", 900)]
    assert Story(SCHOOL).fix(0, 4700).asked == [(0, "near", 900)]
    assert Story(SCHOOL).fix(0, 4400).asked == []


def test_whoever_would_reach_the_wall_within_two_minutes_is_closing_on_it() -> None:
    assert Story(SCHOOL).fix(0, 2000, speed_mps=12).fix(60, 3500, speed_mps=12).asked == [(60, "closing", 900)]
    assert Story(SCHOOL).fix(0, 3600, speed_mps=12).fix(60, 3500, speed_mps=12).asked == []
    assert Story(SCHOOL).fix(0, 2000, speed_mps=8).fix(60, 3500, speed_mps=8).asked == []


def test_where_the_receiver_tells_no_speed_the_way_towards_the_wall_does() -> None:
    assert Story(SCHOOL).fix(0, 2700, speed_mps=NAN).fix(60, 3500, speed_mps=NAN).asked == [(60, "closing", 900)]
    assert Story(SCHOOL).fix(0, 3300, speed_mps=NAN).fix(60, 3500, speed_mps=NAN).asked == []


@pytest.mark.parametrize("speed_mps", [0.2, NAN], ids=["by doppler", "by its way"])
def test_whoever_stays_at_home_in_a_small_zone_is_let_be_and_who_sets_out_is_not(speed_mps: float) -> None:
    story = Story(circle("home", ZoneKind.CURFEW)).fix(0, 20).every(60, 60, 660, 20, speed_mps=speed_mps)
    assert story.asked == [(0, "near", 900), (360, "released", 0)]
    assert story.fix(660, 70, speed_mps=1.3).asked[2:] == [(660, "near", 900)]


def test_a_wall_that_asks_nothing_now_is_no_wall() -> None:
    curfew = circle("home", ZoneKind.CURFEW, radius_m=1000.0, schedule="evening")
    story = Story(curfew, schedules=[night("evening", "10:30", "11:00")])  # local time; the story starts at 10:00
    assert story.fix(1799, 900).asked == []
    assert story.fix(1801, 900).asked == [(1801, "near", 900)]
    assert story.every(60, 1861, 4000, 900).asked[-1] == (3901, "released", 0)


def test_a_leave_takes_the_wall_away_and_an_interest_zone_has_none() -> None:
    times = {"valid_from": START, "valid_to": START + timedelta(hours=1)}
    leave = Leave(id="l", wearer="w-1", document="请假1号", approver="所长", recorded_at=START, **times)
    assert Story(KEEP_IN, leaves=[leave]).fix(0, 4000).asked == []
    assert Story(circle("office", ZoneKind.INTEREST)).fix(0, 90).asked == []


def test_accuracy_widens_what_is_near_and_a_cell_fix_says_nothing() -> None:
    assert Story(KEEP_IN).fix(0, 780, accuracy_m=8).asked == []
    assert Story(KEEP_IN).fix(0, 780, accuracy_m=80).asked == [(0, "near", 900)]
    assert Story(KEEP_IN).fix(0, 4000, accuracy_m=1500).asked == []


@pytest.mark.parametrize(
    ("columns", "heeded"),
    [
        pytest.param({"late_s": 119}, True, id="a minute or two on its way"),
        pytest.param({"late_s": 121}, False, id="from a backlog"),
        pytest.param({"age_s": 121.0}, False, id="an old fix in a fresh reading"),
    ],
)
def test_only_what_says_something_about_now_asks(columns: dict[str, float], *, heeded: bool) -> None:
    assert bool(Story(KEEP_IN).fix(0, 4000, **columns).asked) is heeded


def test_a_repeated_fix_neither_renews_nor_releases() -> None:
    story = Story(KEEP_IN).fix(0, 400).fix(30, 900)
    for n in range(1, 8):
        story.fix(30 + 15 * n, 900, age_s=15.0 * n)
    assert story.asked == [(30, "near", 900)]
    story.fix(150, 500)
    for n in range(1, 30):
        story.fix(150 + 15 * n, 500, age_s=min(15.0 * n, 110.0) if n < 8 else 15.0 * n)
    assert story.asked == [(30, "near", 900)]


def test_a_low_battery_is_spared_unless_it_is_a_breach() -> None:
    low = {"battery_pct": 14, "charging": 0}
    assert Story(KEEP_IN).fix(0, 900, **low).asked == []
    assert Story(KEEP_IN).fix(0, 900, battery_pct=14, charging=1).asked == [(0, "near", 900)]
    assert Story(KEEP_IN).fix(0, 1100, **low).asked == [(0, "breach", 900)]


def test_the_battery_is_remembered_from_readings_that_tell_it_and_a_backlog_tells_nothing() -> None:
    story = Story(KEEP_IN).says(0, battery_pct=9, charging=0).fix(60, 900)
    assert story.asked == []
    story.says(90, battery_pct=80, charging=0).says(30, late_s=600, battery_pct=5, charging=0).fix(120, 900)
    assert story.asked == [(120, "near", 900)]


def test_a_band_that_is_soon_called_silent_is_never_slowed_down_by_a_plan() -> None:
    assert Story(KEEP_IN, silence_after_s=29).fix(0, 4000).asked == []
    assert Story(KEEP_IN, silence_after_s=30).fix(0, 4000).asked == [(0, "breach", 900)]


def test_without_a_notion_of_stillness_only_distance_releases() -> None:
    story = Story(circle("home", ZoneKind.CURFEW), config=SamplingConfig(still_mps=0.0))
    assert story.every(60, 0, 900, 20, speed_mps=0.0).asked == [(0, "near", 900), (480, "near", 900)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"near_m": 400.0}, "far_m is 300", id="near beyond far"),
        pytest.param({"fast_s": 0.0}, "fast_s more than 0", id="no interval"),
        pytest.param({"valid_s": 10.0}, "valid_s is 10", id="over before it begins"),
    ],
)
def test_a_configuration_without_a_hysteresis_is_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SamplingConfig(**wrong)


BANDS = 5
RULES = compiled(KEEP_IN, circle("home", ZoneKind.CURFEW, schedule="evening"), SCHOOL, bands=BANDS * 8,
                 schedules=[night("evening", "10:20", "10:40")])  # fmt: skip
reading = st.fixed_dictionaries(
    {
        "row": st.integers(0, BANDS - 1),
        "gap_s": st.integers(1, 400),
        "m": st.sampled_from([0, 500, 700, 900, 1500, 4900, NAN]),
        "late_s": st.sampled_from([0, 0, 0, 300]),
        "speed_mps": st.sampled_from([0.0, 1.3, 15.0, NAN]),
        "accuracy_m": st.sampled_from([5.0, 60.0, 900.0]),
        "battery_pct": st.sampled_from([5.0, 50.0, NAN]),
    }
)
history = st.lists(reading, max_size=25)


def steps(told: list[dict[str, Any]]) -> list[tuple[np.ndarray, Readings]]:
    made, at_ms = [], START_MS
    for one in told:
        at_ms += one["gap_s"] * 1000
        lat, lon = north_of_home(one["m"])[0], HOME[1] if one["m"] == one["m"] else NAN
        columns = {name: [one[name]] for name in ("speed_mps", "accuracy_m", "battery_pct")}
        device = int(RULES.wearers.device_no[one["row"]])
        times = {"event_ms": [at_ms], "ingest_ms": [at_ms + one["late_s"] * 1000]}
        made.append((np.array([one["row"]]), Readings.of(device=[device], lat=[lat], lon=[lon], **times, **columns)))
    return made


def run(table: Table, made: list[tuple[np.ndarray, Readings]]) -> list[Ask]:
    sampling = sampling_of(RULES)
    return [ask for rows, step in made for ask in sampling.decide(table, rows, step)]


def fresh() -> Table:
    sampling = sampling_of(RULES)
    return Table.new(sampling.keys, sampling.columns)


@settings(deadline=None)
@given(told=history, cut=st.integers(0, 25))
def test_a_restart_from_a_snapshot_changes_nothing_that_is_asked(told: list[dict[str, Any]], cut: int) -> None:
    made = steps(told)
    table = fresh()
    asked = run(table, made[:cut])
    assert asked + run(Table.restore(table.snapshot()), made[cut:]) == run(fresh(), made)


@settings(deadline=None)
@given(told=history)
def test_bands_told_of_together_are_asked_what_each_would_be_asked_alone(told: list[dict[str, Any]]) -> None:
    one_each = list({one["row"]: one for one in told}.values())
    made = steps(one_each)
    together = (np.concatenate([rows for rows, _ in made]), Readings.concat([step for _, step in made])) if made else ()
    assert sorted(run(fresh(), [together] if together else [])) == sorted(run(fresh(), made))


@settings(deadline=None)
@given(told=history)
def test_a_release_only_ends_a_plan_that_runs(told: list[dict[str, Any]]) -> None:
    runs_until: dict[int, int] = {}
    for ask in run(fresh(), steps(told)):
        if ask.reason == "released":
            assert runs_until.pop(ask.row) > ask.at_ms
        else:
            runs_until[ask.row] = ask.until_ms


def test_no_more_than_24_bytes_a_wearer() -> None:
    table = fresh()
    assert sum(column.nbytes for column in table.columns.values()) / len(table.keys) <= 24


def test_a_vague_fix_beyond_the_wall_asks_nothing_of_whoever_sits_at_home() -> None:
    at_home = Story(circle("home", ZoneKind.CURFEW)).fix(0, 130, accuracy_m=40.0, speed_mps=0.1)
    assert at_home.asked == []
    walking = Story(circle("home", ZoneKind.CURFEW)).fix(0, 130, accuracy_m=40.0, speed_mps=1.2)
    assert walking.asked == [(0, "breach", 900)]
    sitting_elsewhere = Story(circle("home", ZoneKind.CURFEW)).fix(0, 150, accuracy_m=40.0, speed_mps=0.1)
    assert sitting_elsewhere.asked == [(0, "breach", 900)]
