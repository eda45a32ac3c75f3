"""Advice on one zone is what the whole registry's advice says of it."""

import pytest
from msgspec.structs import replace

from schemas.registry import Registry, Wearer, Zone
from store.registry import merged
from store.registry_advice import warnings
from store.zone_advice import advice
from store.zone_feature import in_feature
from tests.store.build_registry import small_registry
from tests.store.test_registry_advice import block, circle


def town() -> Registry:
    """Two people with a home and a district each, and somebody elsewhere; a keep-out that covers nobody's."""
    known = small_registry()
    org = known.wearers[0].org
    zones = [
        circle("home-1", "curfew", 0, wearers=["w-1"]),
        block("district-1", "keep_in", -2000, 2000, wearers=["w-1"]),
        circle("home-2", "curfew", 5000, wearers=["w-2"]),
        block("district-2", "keep_in", 4000, 6000, wearers=["w-2"]),
        circle("pit", "keep_out", 1500),
    ]
    wearers = [Wearer(id=f"w-{n}", org=org) for n in (1, 2, 3)]
    return Registry(orgs=known.orgs, wearers=wearers, zones=[_of(zone, org) for zone in zones], plans=[])


def _of(zone: Zone, org: str) -> Zone:
    return replace(zone, org=org)


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(circle("new", "keep_out", 0, radius_m=300), id="a keep-out round a home"),
        pytest.param(
            circle("new", "keep_out", 5000, radius_m=30), id="a small keep-out within a home, too small for itself"
        ),
        pytest.param(block("new", "keep_out", -3000, 3000, 3000), id="a keep-out over a district"),
        pytest.param(block("new", "keep_in", 10_000, 12_000), id="a keep-in away from everything"),
        pytest.param(circle("new", "curfew", 1500, radius_m=60), id="a second home within a keep-out"),
        pytest.param(circle("new", "interest", 0, radius_m=10), id="a narrow place of interest"),
        pytest.param(circle("home-1", "curfew", 9000, wearers=["w-1"]), id="a home that moves out of its district"),
        pytest.param(circle("pit", "keep_out", 0, radius_m=150), id="a keep-out that moves over a home"),
    ],
)
def test_advice_on_one_zone_is_the_registrys_about_it(zone: Zone) -> None:
    registry = town()
    zone = _of(zone, registry.wearers[0].org)
    after = merged(registry, Registry(zones=[zone], plans=[]))
    everything = {in_feature(problem, after, zone.id) for problem in warnings(after)}
    about = {one for one in everything if not one.path.startswith("zones[") or f" zone {zone.id} (" in one.message}
    assert set(advice(registry, zone)) == about != set()
