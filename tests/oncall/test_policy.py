"""Waits between attempts: growing, bounded, spread, the same at every call."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from oncall.policy import Policy, retry_wait

POLICY = Policy(first_wait_s=5, longest_wait_s=300)


@given(page_no=st.integers(1, 2**63 - 1), attempt=st.integers(1, 2**31))
def test_a_wait_is_never_zero_and_never_longer_than_the_bound(page_no: int, attempt: int) -> None:
    wait_s = retry_wait(POLICY, page_no, attempt).total_seconds()
    assert 2.5 <= wait_s <= 300
    assert retry_wait(POLICY, page_no, attempt).total_seconds() == wait_s


@given(page_no=st.integers(1, 2**31))
def test_waits_never_shrink_until_the_bound(page_no: int) -> None:
    waits = [retry_wait(POLICY, page_no, attempt) for attempt in range(1, 6)]
    assert all(earlier <= later for earlier, later in pairwise(waits))


def test_pages_of_one_outage_do_not_come_back_together() -> None:
    waits = {retry_wait(POLICY, page_no, 3) for page_no in range(100)}
    assert len(waits) > 90
