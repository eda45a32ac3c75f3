"""What becomes of an order on its way to a band, and of the bands that hear it."""

from dataclasses import replace

import numpy as np
import pytest

from schemas.registry import Registry
from simulator import Faults, Fleet, Kind, Options, Reports
from simulator.downlink import Downlink, Order
from tests.simulator.watched import MONDAY_MS, only

STEPS_S = np.arange(8)[None, :] * 15.0
ALWAYS = np.ones((1, 8), np.bool_)
ROW = 3
OPTIONS = Options(seed=7, interval_s=60.0, step_s=15.0, duration_s=7_200.0, incidents=False)
OUTAGES = Faults(outages_per_day=20.0, reboots_per_day=5.0, clock_steps_per_day=1.0)


def order(sent_s: float = 10.0, until_s: float = 1_000.0, expires_s: float = 900.0, row: int = 0) -> Order:
    return Order(row, sent_s, 15.0, until_s, expires_s)


def downlink() -> Downlink:
    return Downlink(np.random.default_rng(1), delay_s=(4.0, 4.0))


def test_an_order_is_heard_after_its_delay() -> None:
    link = downlink()
    link.send(order(sent_s=10.0))
    ((_, at_s),) = link.deliver(STEPS_S, 15.0, ALWAYS)
    assert at_s == 14.0
    assert link.deliver(STEPS_S + 120.0, 15.0, ALWAYS) == []


def test_an_order_waits_for_a_band_that_cannot_hear() -> None:
    link = downlink()
    link.send(order())
    assert link.deliver(STEPS_S, 15.0, ~ALWAYS) == []
    late = (STEPS_S >= 60.0) & ALWAYS
    ((_, at_s),) = link.deliver(STEPS_S + 120.0, 15.0, late)
    assert at_s == 180.0


def test_an_order_that_came_too_late_is_dropped() -> None:
    link = downlink()
    link.send(order(expires_s=100.0))
    assert link.deliver(STEPS_S, 15.0, ~ALWAYS) == []
    assert link.deliver(STEPS_S + 120.0, 15.0, ALWAYS) == []
    assert (link.heard, link.expired) == (0, 1)


def commanded(registry: Registry, orders: list[Order], options: Options = OPTIONS) -> tuple[Fleet, Reports]:
    """A fleet that is sent orders before anything is played."""
    fleet = Fleet(options, registry, start_ms=MONDAY_MS, commanded=True)
    for each in orders:
        fleet.send(each)
    return fleet, Reports.concat(list(fleet.reports(options.duration_s or 0.0, every_s=60.0)))


def gaps_s(reports: Reports, from_s: float, to_s: float) -> list[float]:
    mine = np.sort(reports.at_s[reports.row == ROW])
    return np.diff(mine[(mine >= from_s) & (mine < to_s)]).round(6).tolist()


def test_a_band_is_fast_from_when_it_heard_until_its_plan_ends_and_then_as_it_was(town_of_forty: Registry) -> None:
    fleet, told = commanded(town_of_forty, [order(1_000.0, 1_900.0, 1_900.0, ROW)])
    assert set(gaps_s(told, 0.0, 990.0)) == {60.0}
    assert set(gaps_s(told, 1_010.0, 1_900.0)) == {15.0}
    assert set(gaps_s(told, 1_960.0, 7_200.0)) == {60.0}
    assert fleet.obedience.fast_s[ROW] == pytest.approx(900.0, abs=16)
    assert fleet.obedience.beyond_plan.sum() == fleet.obedience.beyond_plan[ROW] == pytest.approx(45, abs=1)


def test_a_release_ends_a_plan_at_once(town_of_forty: Registry) -> None:
    release = order(1_200.0, 1_200.0, 2_100.0, ROW)
    _, told = commanded(town_of_forty, [order(1_000.0, 1_900.0, 1_900.0, ROW), release])
    assert set(gaps_s(told, 1_270.0, 7_200.0)) == {60.0}


def test_what_is_reported_beyond_the_plan_costs_battery_and_nothing_else_changes(town_of_forty: Registry) -> None:
    plans = [order(60.0 + 900.0 * n, 960.0 + 900.0 * n, 960.0 + 900.0 * n, ROW) for n in range(20)]
    faulty = replace(OPTIONS, faults=OUTAGES, duration_s=18_000.0)
    (_, without), (_, told) = (commanded(town_of_forty, orders, faulty) for orders in ([], plans))
    by_plan = np.isin(told.time_ms + told.row * 10**12, without.time_ms + without.row * 10**12)
    assert set(told.row[~by_plan].tolist()) == {ROW}
    kept = told.take(by_plan)
    order_of = [np.lexsort((r.at_s, r.row)) for r in (kept, without)]
    for name in ("lat", "lon", "heart_rate_bpm", "skin_temp_c", "strap_closed"):
        one, other = kept.columns[name][order_of[0]], without.columns[name][order_of[1]]
        assert np.array_equal(one, other, equal_nan=True), name
    last = [r.columns["battery_pct"][r.row == ROW][-1] for r in (told, without)]
    assert 5 <= last[1] - last[0] <= 14


def test_nobody_commands_a_fleet_that_has_no_downlink(town_of_forty: Registry) -> None:
    with pytest.raises(ValueError, match="no downlink"):
        Fleet(OPTIONS, town_of_forty, start_ms=MONDAY_MS).send(order())


def test_a_silent_band_obeys_nothing_and_what_it_missed_expires(town_of_forty: Registry) -> None:
    options = replace(only(Kind.SILENCE_OFF, wearers=40, days=1, times=8), interval_s=60.0, step_s=15.0)
    fleet = Fleet(options, town_of_forty, start_ms=MONDAY_MS, commanded=True)
    silence = next(i for i in fleet.script if i.kind is Kind.SILENCE_OFF and i.end_s < 80_000.0)
    fleet.send(order(silence.start_s + 60.0, silence.start_s + 960.0, silence.start_s + 960.0, silence.row))
    told = Reports.concat(list(fleet.reports(86_400.0, every_s=60.0)))
    mine = np.sort(told.at_s[told.row == silence.row])
    assert not ((mine > silence.start_s + 1.0) & (mine < silence.end_s)).any()
    assert np.diff(mine).min() == pytest.approx(60.0)
    assert (fleet.downlink.heard, fleet.downlink.expired) == (0, 1)
