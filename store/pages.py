"""The outbox of pages: taking one that is due, and writing down what became of it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Self
from uuid import UUID

from psycopg.rows import class_row

from store.connection import Link


class PageState(StrEnum):
    """Where a page stands; all but a pending one are at rest, and a failed one stays to be seen."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class ClaimedPage(NamedTuple):
    """One attempt at one page, and all that a message about it may say.

    It carries no name and no position, so no message can. ``wearer`` is None for an incident of a site,
    ``url`` where the contact is no longer in the registry, ``org_name`` and ``timezone`` where the org is not;
    ``code`` is that of the incident's gravest alert, None while it has none.
    """

    page_no: int
    attempt: int
    incident_id: UUID
    incident_state: str
    priority: int
    opened_at: datetime
    wearer: str | None
    code: str | None
    org: str
    org_name: str | None
    org_name_en: str | None
    timezone: str | None
    contact: str
    url: str | None
    language: str | None


_TAKE: Final = """
    UPDATE page SET attempts = attempts + 1, due_at = %(lease_end)s
    WHERE page_no = (
        SELECT page_no FROM page JOIN incident USING (incident_id)
        WHERE page.state = 'pending' AND page.due_at <= %(now)s
        ORDER BY incident.priority DESC, page.due_at, page.page_no
        LIMIT 1
        FOR UPDATE OF page SKIP LOCKED
    )
    RETURNING page_no, attempts
"""
_START: Final = """
    INSERT INTO delivery_attempt (page_no, attempt, started_at, outcome)
    VALUES (%(page_no)s, %(attempt)s, %(now)s, 'started')
"""
_FACTS: Final = """
    SELECT page.page_no, page.attempts AS attempt, incident.incident_id, incident.state AS incident_state,
           incident.priority, incident.opened_at,
           CASE WHEN incident.wearer_no <> 0 THEN coalesce(wearer.id, '#' || incident.wearer_no) END AS wearer,
           (SELECT code FROM alert WHERE alert.incident_id = incident.incident_id AND alert.state <> 'retracted'
            ORDER BY alert.priority DESC, alert.opened_at DESC LIMIT 1) AS code,
           incident.org, org.name AS org_name, org.name_en AS org_name_en, org.timezone,
           page.contact, contact.url, contact.language
    FROM page
    JOIN incident USING (incident_id)
    LEFT JOIN wearer ON wearer.wearer_no = incident.wearer_no AND upper_inf(wearer.recorded)
    LEFT JOIN org ON org.id = incident.org AND upper_inf(org.recorded)
    LEFT JOIN contact ON contact.id = page.contact AND upper_inf(contact.recorded)
    WHERE page.page_no = %(page_no)s
"""
_END: Final = """
    UPDATE delivery_attempt SET ended_at = %(now)s, outcome = %(outcome)s, detail = %(detail)s
    WHERE page_no = %(page_no)s AND attempt = %(attempt)s
"""
# What a late attempt says counts only if its message arrived: by then the lease is another's.
_SETTLE: Final = """
    UPDATE page SET state = %(state)s::text, due_at = coalesce(%(due_at)s::timestamptz, due_at),
                    delivered_at = CASE WHEN %(state)s::text = 'delivered' THEN %(now)s::timestamptz END
    WHERE page_no = %(page_no)s AND state <> 'delivered' AND (attempts = %(attempt)s OR %(state)s::text = 'delivered')
"""
_NEXT_DUE: Final = "SELECT min(due_at) FROM page WHERE state = 'pending'"


class Outbox:
    """The pages of a database, for one thread at a time; it reconnects by itself after a ``StoreUnavailable``."""

    def __init__(self, url: str) -> None:
        self._link = Link(url, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    def claim(self, *, now: datetime, lease: timedelta) -> ClaimedPage | None:
        """Take the gravest page that is due, or None: its attempt is committed before this returns.

        Until ``lease`` has passed nobody else gets the page. Whoever dies in between leaves the
        attempt ``started`` without an end, and the page comes up again as another attempt.
        """
        with self._link.transaction() as connection:
            taken = connection.execute(_TAKE, {"now": now, "lease_end": now + lease}).fetchone()
            if taken is None:
                return None
            page_no, attempt = taken
            connection.execute(_START, {"page_no": page_no, "attempt": attempt, "now": now})
            with connection.cursor(row_factory=class_row(ClaimedPage)) as cursor:
                return cursor.execute(_FACTS, {"page_no": page_no}).fetchone()

    def record(
        self,
        page_no: int,
        attempt: int,
        *,
        now: datetime,
        outcome: str,
        detail: str,
        state: PageState,
        retry_at: datetime | None = None,
    ) -> None:
        """Write an attempt's end and what its page becomes; ``retry_at`` is when a pending one is due again."""
        facts = {"page_no": page_no, "attempt": attempt, "now": now, "outcome": outcome, "detail": detail}
        with self._link.transaction() as connection:
            connection.execute(_END, facts)
            connection.execute(_SETTLE, {**facts, "state": state.value, "due_at": retry_at})

    def next_due(self) -> datetime | None:
        """When the next page wants attention, ends of leases included; None where none is pending."""
        with self._link.transaction() as connection:
            row = connection.execute(_NEXT_DUE).fetchone()
            return None if row is None else row[0]
