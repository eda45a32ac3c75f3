from calendar import monthrange
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from schemas.registry import Grade, Ground, Registry, ZoneKind
from simulator import demo_registry
from simulator.fences import Fences
from simulator.roster import Roster
from simulator.town import Town, town
from tests.simulator.conftest import NOON_MS
from tests.simulator.watched import MONDAY_MS

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


def _town(**asked: float) -> Registry:
    chosen = {"consents": 0.88, "on_the_line": 0.0, "without_curfew": 0.0, "leaves_per_day": 0.0} | asked
    return town(Town(seed=7, wearers=100, start_ms=MONDAY_MS, days=30.0, **chosen))


def _with_a(kind: ZoneKind, registry: Registry) -> set[str]:
    return {name for zone in registry.zones if zone.kind is kind for name in zone.wearers or ()}


def test_a_town_gives_its_people_room_and_their_own_plans() -> None:
    registry = _town()
    assert {plan.interval_s for plan in registry.plans} == {60.0, 120.0, 300.0}
    radii_m = [zone.radius_m for zone in registry.zones if zone.kind is ZoneKind.KEEP_IN and zone.radius_m]
    assert np.median(radii_m) > 1_000
    assert 75 <= len(registry.consents) < 100
    assert len(_town(consents=1.0).consents) == 100


def test_some_people_of_a_town_have_no_curfew() -> None:
    assert len(_with_a(ZoneKind.CURFEW, _town())) == 100
    assert len(_with_a(ZoneKind.CURFEW, _town(without_curfew=0.3))) == 70


def test_some_homes_of_a_town_lie_just_inside_their_fence() -> None:
    for share in (0.0, 0.2):
        registry = _town(on_the_line=share)
        roster = Roster.of(registry, MONDAY_MS)
        fences = Fences.of(roster, registry.schedules, MONDAY_MS)
        from_home_m = fences.distance_m(np.zeros((len(roster), 2)))
        walls_m = from_home_m[[pair.zone.kind is ZoneKind.KEEP_IN for pair in fences.pairs]]
        assert walls_m.max() < 0
        assert (walls_m > -30).sum() == round(share * 100)


def test_leaves_of_a_town_lie_within_its_days_at_most_one_a_wearer() -> None:
    registry = _town(leaves_per_day=0.01)
    assert len(registry.leaves) == 30
    assert len({leave.wearer for leave in registry.leaves}) == 30
    for leave in registry.leaves:
        assert leave.valid_from.timestamp() * 1000 >= MONDAY_MS
        assert timedelta(hours=6) < leave.valid_to - leave.valid_from <= timedelta(days=3)
        assert leave.valid_to.timestamp() * 1000 < MONDAY_MS + 30 * 86_400_000
        assert leave.recorded_at < leave.valid_from


def test_a_town_survives_the_way_through_a_file() -> None:
    registry = _town(on_the_line=0.1, without_curfew=0.3, leaves_per_day=0.01)
    assert msgspec.json.decode(msgspec.json.encode(registry), type=Registry) == registry
