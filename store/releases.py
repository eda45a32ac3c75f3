"""Which latched alerts people have closed: what the judge must be told, so that the next cut rings again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from schemas.alerts import KINDS, AlertCode
from schemas.judging import Released
from store.connection import Connection

_LATCHING: Final = [code.value for code, kind in KINDS.items() if kind.latching]
_CLOSED: Final = """
    SELECT a.device_no, a.code, round(extract(epoch FROM a.onset_at) * 1000)::bigint
    FROM incident i JOIN alert a USING (incident_id)
    WHERE i.state = 'closed' AND i.closed_at >= %s AND a.code = ANY (%s)
"""


def released_since(connection: Connection, since: datetime) -> Sequence[Released]:
    """Latched alerts whose incident was closed at or after a moment."""
    rows = connection.execute(_CLOSED, (since, _LATCHING)).fetchall()
    return [Released(device_no, AlertCode(code), onset_ms) for device_no, code, onset_ms in rows]
