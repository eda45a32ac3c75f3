"""The only place that reads the wall clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """The present, UTC milliseconds."""
    return time.time_ns() // 1_000_000
