"""What becomes of a page's attempt: decisions with named reasons; pure."""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from oncall.errors import DeliveryError
from oncall.policy import Policy, retry_wait
from schemas.alerts import IncidentState
from store.pages import ClaimedPage, PageState


class Reason(StrEnum):
    """How an attempt ended; kept in ``delivery_attempt.outcome``, where one that crashed stays ``started``."""

    DELIVERED = "delivered"
    CHANNEL_DOWN = "channel_down"
    CHANNEL_REFUSED = "channel_refused"
    SUPPRESSED_ACKNOWLEDGED = "suppressed_acknowledged"
    SUPPRESSED_CLOSED = "suppressed_closed"


class Outcome(NamedTuple):
    """An attempt's end and what its page becomes; ``retry_at`` is set while the page stays pending."""

    page_no: int
    attempt: int
    incident_id: UUID
    contact: str
    reason: Reason
    state: PageState
    detail: str = ""
    retry_at: datetime | None = None


SUPPRESSIONS: Final[dict[str, Reason]] = {
    IncidentState.ACKNOWLEDGED.value: Reason.SUPPRESSED_ACKNOWLEDGED,
    IncidentState.CLOSED.value: Reason.SUPPRESSED_CLOSED,
}


def suppress(page: ClaimedPage) -> Outcome | None:
    """The page's end where somebody already took care of its incident, else None: it goes out."""
    reason = SUPPRESSIONS.get(page.incident_state)
    return None if reason is None else _outcome(page, reason, PageState.SUPPRESSED)


def delivered(page: ClaimedPage) -> Outcome:
    """The far side took the message."""
    return _outcome(page, Reason.DELIVERED, PageState.DELIVERED)


def undelivered(page: ClaimedPage, error: DeliveryError, policy: Policy, now: datetime) -> Outcome:
    """Try again later where that can help and patience lasts; otherwise failed, for people to see."""
    if not error.retryable:
        return _outcome(page, Reason.CHANNEL_REFUSED, PageState.FAILED, str(error))
    if page.attempt >= policy.attempts:
        return _outcome(page, Reason.CHANNEL_DOWN, PageState.FAILED, f"{error}; gave up after {page.attempt} attempts")
    retry_at = now + retry_wait(policy, page.page_no, page.attempt)
    return _outcome(page, Reason.CHANNEL_DOWN, PageState.PENDING, str(error))._replace(retry_at=retry_at)


def _outcome(page: ClaimedPage, reason: Reason, state: PageState, detail: str = "") -> Outcome:
    return Outcome(page.page_no, page.attempt, page.incident_id, page.contact, reason, state, detail)
