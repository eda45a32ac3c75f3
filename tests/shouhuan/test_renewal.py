from datetime import timedelta

from schemas.registry import NumberedRegistry
from shouhuan.renewal import renewed
from store.connection import connect
from store.registry import import_registry, load_registry
from tests.world import START, registry


def stored(url: str) -> NumberedRegistry:
    with connect(url, autocommit=True) as connection:
        return load_registry(connection)


def test_a_registry_whose_orders_hold_is_left_alone() -> None:
    lawful = registry(bands=2)
    assert renewed(lawful, START) is lawful


def test_orders_that_ended_months_ago_get_successors_that_the_store_takes(embedded_database: str) -> None:
    import_registry(embedded_database, registry(bands=2), now=START)
    later = START + timedelta(days=70)
    report = import_registry(embedded_database, renewed(stored(embedded_database).registry, later), now=later)
    assert (report.added, report.changed) == (2, 0)
    orders = sorted((o.wearer, o.valid_from, o.valid_to) for o in stored(embedded_database).registry.orders)
    assert orders[1] == ("w-1", later, later + timedelta(days=60))
    assert orders[0][2] == START + timedelta(days=60)  # what had ended stays ended: the gap is kept
