from calendar import monthrange
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from schemas.registry import Grade, Ground, Registry, ZoneKind
from simulator import Options, demo_registry
from simulator.fences import Fences
from simulator.roster import Roster
from tests.simulator.conftest import NOON_MS

NOW = datetime.fromtimestamp(NOON_MS / 1000, UTC)


def test_every_band_is_assigned_to_one_wearer_of_its_own_organisation(registry: Registry) -> None:
    org_of = {wearer.id: wearer.org for wearer in registry.wearers}
    wearer_of = {assignment.device: assignment.wearer for assignment in registry.assignments}
    assert [device.org for device in registry.devices] == [org_of[wearer_of[device.id]] for device in registry.devices]
    assert len(set(wearer_of.values())) == len(registry.wearers) == 100


def test_every_wearer_has_a_lawful_order_that_is_far_from_its_end(registry: Registry) -> None:
    assert {order.wearer for order in registry.orders} == {wearer.id for wearer in registry.wearers}
    for order in registry.orders:
        assert order.valid_from < NOW < order.valid_to - timedelta(days=14)
        assert order.valid_to - order.valid_from <= timedelta(days=89)


def test_orders_never_exceed_three_calendar_months_whenever_the_demo_is_run() -> None:
    for days in range(0, 366, 5):
        orders = demo_registry(seed=1, wearers=5, now_ms=NOON_MS + days * 86_400_000).orders
        for order in orders:
            year, month = divmod(order.valid_from.year * 12 + order.valid_from.month - 1 + 3, 12)
            day = min(order.valid_from.day, monthrange(year, month + 1)[1])
            assert order.valid_to <= datetime(year, month + 1, day, tzinfo=UTC)


def test_most_wearers_but_not_all_have_consented_to_physiology(registry: Registry) -> None:
    assert 75 <= len(registry.consents) < 100


def test_the_registry_is_the_same_for_the_same_seed_and_moment(registry: Registry) -> None:
    assert demo_registry(seed=7, wearers=100, now_ms=NOON_MS) == registry
    assert demo_registry(seed=8, wearers=100, now_ms=NOON_MS) != registry


def test_the_registry_survives_the_way_through_a_file(registry: Registry) -> None:
    assert msgspec.json.decode(msgspec.json.encode(registry), type=Registry) == registry


def test_ids_are_unique(registry: Registry) -> None:
    for objects in (registry.orgs, registry.wearers, registry.devices, registry.orders, registry.zones):
        assert len({thing.id for thing in objects}) == len(objects)


def test_grades_are_mostly_mild_and_plans_cover_all_of_them(registry: Registry) -> None:
    grades = Counter(wearer.grade for wearer in demo_registry(seed=1, wearers=1000, now_ms=NOON_MS).wearers)
    assert grades[Grade.RED] < grades[Grade.ORANGE] < grades[Grade.YELLOW]
    assert {plan.grade for plan in registry.plans} == set(Grade)


def test_no_home_and_no_keep_in_touches_a_keep_out() -> None:
    registry = demo_registry(seed=3, wearers=400, now_ms=NOON_MS)
    roster = Roster.of(registry, NOON_MS)
    fences = Fences.of(roster, registry.schedules, NOON_MS)
    from_home_m = fences.distance_m(np.zeros((len(roster), 2)))
    reach_m = {p.row: fences.wall_m(n, 0.0) for n, p in enumerate(fences.pairs) if p.zone.kind is ZoneKind.KEEP_IN}
    for pair, distance_m in zip(fences.pairs, from_home_m.tolist(), strict=True):
        if pair.zone.kind is ZoneKind.KEEP_OUT:
            assert distance_m > reach_m.get(pair.row, 0.0) + 100
        else:
            assert distance_m <= -120


def test_the_courts_ban_replaces_the_range_and_some_curfews_hold_all_day(registry: Registry) -> None:
    banned = {order.wearer for order in registry.orders if order.ground is Ground.COURT_PROHIBITION}
    ranges = {zone.wearers[0] for zone in registry.zones if zone.kind is ZoneKind.KEEP_IN and zone.wearers}
    assert banned.isdisjoint(ranges)
    assert len(banned | ranges) == 100
    assert sum(zone.schedule == "all-day" for zone in registry.zones) == 4


def test_polygons_are_closed_counter_clockwise_and_convex_enough_to_hold_home(registry: Registry) -> None:
    rings = [zone.geometry["coordinates"][0] for zone in registry.zones if zone.geometry["type"] == "Polygon"]
    assert rings
    for ring in rings:
        assert ring[0] == ring[-1]
        assert sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairwise(ring)) > 0


def test_a_registry_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        demo_registry(seed=1, wearers=0, now_ms=NOON_MS)


@pytest.mark.parametrize(("name", "value"), [("interval_s", 0.0), ("duration_s", -1.0)])
def test_options_without_sense_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Options(**{name: value})  # type: ignore[arg-type]
