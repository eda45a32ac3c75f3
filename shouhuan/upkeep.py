"""``shouhuan retention``: what the law and the disk do not let us keep."""

from collections.abc import Mapping

from shouhuan.clock import now
from shouhuan.settings import Settings
from store.connection import connect
from store.retention import apply_retention


def apply(settings: Settings, days: int) -> Mapping[str, int]:
    """Delete what is older than ``days``; how much of each table went."""
    with connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        return apply_retention(connection, now(), days)
