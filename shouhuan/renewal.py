"""The demo's legal ground over time: an order that ends is followed by another, never stretched."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from schemas.registry import Order, Registry

_LAPSES_WITHIN: Final = timedelta(days=1)
_LASTS: Final = timedelta(days=60)


def renewed(registry: Registry, now: datetime) -> Registry:
    """The registry with a new order for every wearer whose last one ends within a day; itself where none does."""
    last = {order.wearer: order for order in sorted(registry.orders, key=lambda order: order.valid_to)}
    orders = [_next(order, now) for order in last.values() if order.valid_to <= now + _LAPSES_WITHIN]
    return msgspec.structs.replace(registry, orders=[*registry.orders, *orders]) if orders else registry


def _next(order: Order, now: datetime) -> Order:
    return msgspec.structs.replace(
        order,
        id=f"order-{order.wearer}-{now:%Y%m%d}",
        valid_from=max(order.valid_to, now),
        valid_to=now + _LASTS,
    )
