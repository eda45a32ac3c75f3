"""How patiently a page is tried: attempts, waits between them, time limits."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zlib import crc32

_SPREAD_STEPS: Final = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Ten attempts over about a quarter of an hour; ``parallel`` are sent at a time.

    The lease outlives the send, or a second dispatcher would send what the first is sending.

    >>> Policy(timeout_s=30, lease_s=20)
    Traceback (most recent call last):
    ValueError: lease_s (20) must be longer than timeout_s (30), or pages are sent twice
    """

    attempts: int = 10
    first_wait_s: float = 5
    longest_wait_s: float = 300
    timeout_s: float = 15
    lease_s: float = 60
    idle_s: float = 2
    parallel: int = 4

    def __post_init__(self) -> None:
        """Refuse a lease that ends while its message is still on the way."""
        if self.lease_s <= self.timeout_s:
            raise ValueError(
                f"lease_s ({self.lease_s}) must be longer than timeout_s ({self.timeout_s}), or pages are sent twice"
            )

    @property
    def lease(self) -> timedelta:
        """How long a claimed page belongs to its dispatcher."""
        return timedelta(seconds=self.lease_s)


def retry_wait(policy: Policy, page_no: int, attempt: int) -> timedelta:
    """How long to wait after a failed attempt (they count from 1): doubling, bounded, spread out.

    Half of the wait is fixed, half depends on page and attempt, so that the pages of one outage do
    not come back as one wave; it is the same at every call.

    >>> waits_s = [retry_wait(Policy(), 1, attempt).total_seconds() for attempt in (1, 2, 3, 60)]
    >>> [low <= wait_s <= 2 * low for wait_s, low in zip(waits_s, (2.5, 5, 10, 150), strict=True)]
    [True, True, True, True]
    """
    doublings = min(attempt - 1, 32)
    whole_s = min(policy.first_wait_s * 2.0**doublings, policy.longest_wait_s)
    spread = crc32(f"{page_no}/{attempt}".encode()) / _SPREAD_STEPS
    return timedelta(seconds=whole_s * (1 + spread) / 2)
