from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest

from simulator import DEMO_MIX, KINDS, Kind, Mix
from simulator.kinds import DAY, HOUR, MINUTE
from simulator.script import GROUPS, LEAVES, Cast, Incident, Trip, plan

MIDNIGHT = Cast(
    able=dict.fromkeys(Kind, range(50)),
    org=["dongqu"] * 30 + ["xiqu"] * 20,
    leaves=[Trip(row, 30 * HOUR, 60 * HOUR) for row in range(45, 50)],
    interval_s=[60.0] * 50,
    silence_after_s=[900.0] * 50,
    start_hour=0.0,
)
SOME_OF_ALL = {kind: Mix(per_wearer_day=0.01) for kind in Kind}


def _plan(mix: Any = SOME_OF_ALL, cast: Cast = MIDNIGHT, *, seed: int = 1, days: float = 7.0) -> list[Incident]:
    return plan(mix, cast, seed=seed, horizon_s=days * DAY)


def test_the_script_is_a_function_of_its_seed() -> None:
    assert _plan(seed=3) == _plan(seed=3) != _plan(seed=4)


def test_the_script_is_in_the_order_of_time() -> None:
    starts_s = [incident.start_s for incident in _plan()]
    assert starts_s == sorted(starts_s)


@pytest.mark.parametrize("days", [2.0, 7.0])
def test_nothing_happens_to_a_wearer_twice_at_once(days: float) -> None:
    times: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for incident in _plan(days=days):
        since_s = incident.parameters.get("leave_from_s", incident.start_s)
        times[incident.row].append((since_s, incident.end_s))
    for spans in times.values():
        spans.sort()
        assert all(one[0] < one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("rate", [1e-6, 0.004, 0.02], ids=["hardly ever", "now and then", "often"])
def test_whatever_has_a_rate_happens_about_so_often_and_at_least_once(rate: float) -> None:
    for kind in set(Kind) - {*LEAVES, *GROUPS}:
        happened = len(_plan({kind: Mix(per_wearer_day=rate)}))
        assert happened == max(1, round(rate * 50 * 7)), kind


def test_everything_in_a_mix_happens_at_least_once_among_everything_else() -> None:
    mix = {kind: Mix(per_wearer_day=1e-6) for kind in Kind}
    assert {incident.kind for incident in _plan(mix)} == set(Kind)


def test_what_has_no_rate_does_not_happen() -> None:
    assert _plan({kind: Mix() for kind in Kind}) == []


def test_where_nobody_is_able_to_something_it_does_not_happen() -> None:
    assert _plan({Kind.SOS: Mix(per_wearer_day=1.0)}, MIDNIGHT._replace(able={})) == []


def test_only_the_able_are_chosen() -> None:
    cast = MIDNIGHT._replace(able={Kind.SOS: [3, 5]})
    assert {incident.row for incident in _plan({Kind.SOS: Mix(per_wearer_day=1.0)}, cast)} <= {3, 5}


@pytest.mark.parametrize("silence_after_s", [20.0, 900.0, 3_600.0])
def test_a_silence_outlasts_twice_what_its_plan_tolerates(silence_after_s: float) -> None:
    cast = MIDNIGHT._replace(silence_after_s=[silence_after_s] * 50)
    brief = {"lasting_s": (1.0, 2.0)}
    for kind in [kind for kind in Kind if kind.startswith("silence")]:
        silences = _plan({kind: Mix(per_wearer_day=0.02, ranges=brief)}, cast)
        assert silences
        assert all(silence.end_s - silence.start_s >= 2 * silence_after_s - 0.2 for silence in silences)


def test_every_event_lasts_for_three_reports_but_a_press_which_is_told_at_once() -> None:
    cast = MIDNIGHT._replace(interval_s=[300.0] * 50)
    mix = {kind: Mix(per_wearer_day=0.05, ranges={"lasting_s": (30.0, 40.0)}) for kind in (Kind.CASE_OPENED, Kind.SOS)}
    for incident in _plan(mix, cast):
        lasts_s = incident.end_s - incident.start_s
        assert 30 <= lasts_s <= 41 if incident.kind is Kind.SOS else lasts_s >= 899


def test_events_begin_at_hours_at_which_they_can() -> None:
    for start_hour in (0.0, 13.5):
        for incident in _plan(cast=MIDNIGHT._replace(start_hour=start_hour, leaves=[])):
            first_h, last_h = KINDS[incident.kind].hours
            hour = (incident.start_s / HOUR + start_hour) % 24
            assert first_h - 0.01 <= hour <= last_h + 0.01 or first_h <= hour + 24 <= last_h + 0.01, incident.kind


def test_parameters_lie_within_the_ranges_of_their_kind() -> None:
    for incident in _plan():
        for name, (low, high) in KINDS[incident.kind].ranges.items():
            if name in incident.parameters and name != "members":
                assert low <= incident.parameters[name] <= high, (incident.kind, name)


@pytest.mark.parametrize("kind", [Kind.FAST_HEART, Kind.TRAIN_RIDE])
def test_a_scenario_may_narrow_a_range(kind: Kind) -> None:
    name, low = {Kind.FAST_HEART: ("above_bpm", 41.0), Kind.TRAIN_RIDE: ("speed_mps", 71.0)}[kind]
    incidents = _plan({kind: Mix(per_wearer_day=0.05, ranges={name: (low, low + 1)})})
    assert incidents
    assert all(low <= incident.parameters[name] <= low + 1 for incident in incidents)


def test_a_gathering_is_of_four_to_eight_of_one_district_who_know_of_each_other() -> None:
    meetings: dict[float, list[Incident]] = defaultdict(list)
    for incident in _plan({Kind.GATHERING: Mix(per_wearer_day=0.01)}):
        meetings[incident.start_s].append(incident)
    assert meetings
    for members in meetings.values():
        rows = {member.row for member in members}
        assert 4 <= len(rows) <= 8
        assert len({MIDNIGHT.org[row] for row in rows}) == 1
        assert all({member.row, *member.parameters["members"]} == rows for member in members)


def test_an_outage_takes_a_share_of_one_district() -> None:
    outages: dict[float, set[int]] = defaultdict(set)
    for incident in _plan({Kind.DISTRICT_OUTAGE: Mix(per_wearer_day=0.002, ranges={"share": (0.5, 0.5)})}):
        outages[incident.start_s].add(incident.row)
    assert outages
    for rows in outages.values():
        assert len({MIDNIGHT.org[row] for row in rows}) == 1
        assert 5 <= len(rows) <= 15


def test_who_approaches_somebody_protected_is_not_that_person_and_lives_in_the_same_district() -> None:
    approaches = _plan({Kind.PROTECTED_APPROACH: Mix(per_wearer_day=0.05)})
    assert approaches
    for approach in approaches:
        other = approach.parameters["protected"]
        assert other != approach.row
        assert MIDNIGHT.org[other] == MIDNIGHT.org[approach.row]


@pytest.mark.parametrize("kind", LEAVES)
def test_a_leave_is_acted_out_once_and_overstayed_from_its_end(kind: Kind) -> None:
    incidents = _plan({kind: Mix(per_wearer_day=1.0)})
    assert sorted(incident.row for incident in incidents) == [45, 46, 47, 48, 49]
    for incident in incidents:
        assert (incident.parameters["leave_from_s"], incident.parameters["leave_to_s"]) == (30 * HOUR, 60 * HOUR)
        if kind is Kind.LEAVE_OVERSTAY:
            assert incident.start_s == 60 * HOUR < incident.end_s
        else:
            assert (incident.start_s, incident.end_s) == (30 * HOUR, 60 * HOUR)


def test_a_show_happens_at_its_times_and_again_and_again() -> None:
    cast = MIDNIGHT._replace(interval_s=[5.0] * 50, silence_after_s=[20.0] * 50, start_hour=12.0, leaves=[])
    script = plan(DEMO_MIX, cast, seed=1, horizon_s=2 * HOUR)
    starts_s = defaultdict(list)
    for incident in script:
        starts_s[incident.kind].append(incident.start_s)
    for kind, mix in DEMO_MIX.items():
        assert starts_s[kind][: len(mix.at_s)] == mix.at_s
    assert min(Counter(incident.kind for incident in script).values()) >= 4
    assert starts_s.keys() == DEMO_MIX.keys()
    again_s = [b - a for a, b in pairwise(starts_s[Kind.SOS])]
    assert all(0.79 * 420 <= gap_s <= 1.21 * 420 for gap_s in again_s)


def test_a_run_without_end_is_scripted_with_nothing_beyond_its_horizon() -> None:
    script = _plan({kind: _often(mix) for kind, mix in DEMO_MIX.items()}, days=1.0)
    assert max(incident.start_s for incident in script) < DAY


def _often(mix: Mix) -> Mix:
    return Mix(at_s=mix.at_s, every_s=30 * MINUTE)
