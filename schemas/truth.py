"""Ground truth as it crosses from whoever knows what happened to whoever judges the judges: JSON lines."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.alerts import AlertCode


class TruthLine(msgspec.Struct, frozen=True, kw_only=True):
    """One true event: ``code`` names the alert that should ring; times are RFC 3339 UTC.

    ``parameters`` say what kind of event it was and how strong (``kind``, ``zone`` and numbers with units in their
    names). What still lasts when the run ends, ends with it.

    >>> TruthLine(device="band-1", code=AlertCode.DEVICE_SOS, start=moment(0), end=moment(1_500), parameters={}).end
    '1970-01-01T00:00:01.500Z'
    """

    device: str
    code: AlertCode
    start: str
    end: str
    parameters: dict[str, Any]

    def order(self) -> tuple[str, str, str, str]:
        """By time, and the same in every run."""
        return self.start, self.device, self.code.value, str(self.parameters.get("zone", ""))


class ContextLine(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing of a kind should ring although it looks like it: a hard negative, e.g. ``cycling``."""

    device: str
    context: str
    start: str
    end: str
    parameters: dict[str, Any]

    def order(self) -> tuple[str, str, str]:
        """By time, and the same in every run."""
        return self.start, self.device, self.context


def moment(time_ms: int) -> str:
    """UTC milliseconds as RFC 3339 with three digits.

    >>> moment(1_500)
    '1970-01-01T00:00:01.500Z'
    """
    at = datetime.fromtimestamp(time_ms / 1000.0, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
