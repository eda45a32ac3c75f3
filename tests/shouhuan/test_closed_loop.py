"""The sampling loop over a small fleet: bands speed up near the wall, are released, and obey only while they hear."""

import msgspec
import numpy as np
import pytest

from evaluation.sampling import Run, Spent, sampling
from evaluation.trial import Trial
from flows.commands import Sampler
from flows.rules import rules_by_shard
from geo.sampling import SamplingConfig
from schemas.alerts import AlertCode
from schemas.readings import Readings
from shouhuan.cases import Loop, Played, finely
from shouhuan.closed_loop import SLICE_S, ClosedLoop
from simulator.fleet import Fleet
from simulator.scenario import Scenario, parse_scenario

WALKS = parse_scenario(
    {
        "name": "walks",
        "start": "2026-03-02T00:00:00+08:00",
        "days": 1,
        "wearers": 16,
        "seed": 102,
        "events": {"zone_exit_walk": 0.4, "zone_enter_walk": 0.4, "silence_off": 0.3},
        "hard_negatives": {"tunnel_ride": 0.3},
        "faults": {"outages_per_day": 3, "duplicates": 0.02},
    }
)


class Ran:
    """A scenario played to its end with the loop open or closed, judged, and what it had to say."""

    def __init__(self, scenario: Scenario, loop: Loop) -> None:
        case = Played(scenario, loop).case(lambda _: None)
        trial = Trial(case.numbered)
        batches = []
        for batch in case.batches():
            trial.feed(batch)
            batches.append(batch)
        self.readings = Readings.concat(batches)
        self.run = Run(case.events(), trial.found(), len(self.readings))
        self.spent = case.spent() if case.spent else Spent({}, 0, {}, {}, {})
        self.numbered = case.numbered
        self.codes = trial.codes


@pytest.fixture(scope="module")
def closed() -> Ran:
    return Ran(WALKS, Loop.CLOSED)


@pytest.fixture(scope="module")
def without() -> Ran:
    return Ran(WALKS, Loop.OPEN)


def gaps_s(ran: Ran, device: str, from_ms: int, to_ms: int) -> list[float]:
    readings = ran.readings
    mine = readings.event_ms[readings.device == ran.numbered.device_no[device]]
    mine = np.unique(mine[(mine >= from_ms) & (mine < to_ms)])
    return (np.diff(mine) / 1000.0).tolist()


def test_whoever_is_beyond_the_wall_reports_four_times_as_often(closed: Ran, without: Ran) -> None:
    exits = [e for e in closed.run.events if e.code is AlertCode.ZONE_EXIT and e.end_ms - e.start_ms > 15 * 60_000]
    assert exits
    for event in exits:
        since_ms = event.start_ms + 6 * 60_000
        fast, slow = (np.median(gaps_s(ran, event.device, since_ms, event.end_ms)) for ran in (closed, without))
        assert fast == pytest.approx(15.0, abs=0.1)
        assert slow >= 60.0


def test_bands_are_released_again(closed: Ran) -> None:
    assert closed.spent.asked["released"] > 0
    shares = [closed.spent.fast_s[band] / closed.spent.powered_s[band] for band in closed.spent.powered_s]
    assert 0.0 < np.mean(shares) < 0.5


def test_the_loop_finds_crossings_no_later_and_changes_nothing_that_happens(closed: Ran, without: Ran) -> None:
    zones = [{e[:4] for e in ran.run.events if e.code.value.startswith("zone")} for ran in (closed, without)]
    assert zones[0] == zones[1]
    observed = dict.fromkeys(closed.spent.powered_s, 1.0)
    compared = sampling(without.run, closed.run, closed.spent, observed, closed.codes, seed=1)
    crossings = compared.codes[0]
    assert crossings.events > 5
    assert crossings.sooner > crossings.later
    for quantile in ("p50_s", "p95_s", "p99_s"):
        assert getattr(crossings.closed, quantile) <= getattr(crossings.without, quantile)
    assert compared.readings_more_pct > 0


def test_the_same_seed_gives_the_same_readings_and_commands(closed: Ran) -> None:
    again = Ran(WALKS, Loop.CLOSED)
    for name in ("device", "seq", "event_ms", "ingest_ms", "lat", "battery_pct"):
        assert np.array_equal(getattr(again.readings, name), getattr(closed.readings, name), equal_nan=True), name
    assert again.spent == closed.spent


def test_a_planner_that_restarts_from_its_snapshot_commands_the_same(closed: Ran) -> None:
    numbered = closed.numbered
    fleet = Fleet(finely(WALKS).options(), numbered.registry, start_ms=WALKS.start_ms, commanded=True)
    loop = ClosedLoop.of(fleet, numbered)
    slices = Played(WALKS, Loop.CLOSED)._read(fleet, numbered, lambda _: None, SLICE_S)
    for number, readings in enumerate(slices):
        loop.hear(readings)
        if number % 100 == 99:
            kept = msgspec.msgpack.decode(msgspec.msgpack.encode(loop.sampler.snapshot()))
            loop.sampler = Sampler.new(rules_by_shard(numbered, shards=1)[0], SamplingConfig(), kept)
    assert loop.spent() == closed.spent


def test_what_bands_report_at_another_beat_cannot_be_commanded() -> None:
    with pytest.raises(ValueError, match="no multiple of 15"):
        finely(msgspec.structs.replace(WALKS, interval_s=50.0))
    assert finely(msgspec.structs.replace(WALKS, interval_s=5.0)).options().step == 5.0
