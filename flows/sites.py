"""The step beside the shards' judges that knows all of them: what is lost together, and whose silence is part of it."""

from typing import Any, Final

from bytewax.operators import StatefulBatchLogic

from anomaly.census import Census
from anomaly.chance import OutageConfig
from anomaly.outage import Outages
from flows.rules import SHARDS
from schemas.alerts import AlertCode, AlertEvent

KEY: Final = "sites"
"""The step's only key: a census of each shard every ten seconds is little for one worker."""


def concerns_sites(judged: object) -> bool:
    """Whether something that a shard says is told to people only with the others' silences in view.

    >>> concerns_sites(Census(0, 0, 1, {}, (), {})), concerns_sites("a command")
    (True, False)
    """
    return isinstance(judged, Census) or (isinstance(judged, AlertEvent) and judged.code is AlertCode.DEVICE_SILENCE)


class SitesLogic(StatefulBatchLogic[Census | AlertEvent, AlertEvent, dict[str, Any]]):
    """The sites in the dataflow."""

    def __init__(self, resume_state: dict[str, Any] | None) -> None:
        self._outages = Outages.restore(resume_state or {}, OutageConfig(), SHARDS)

    def on_batch(self, values: list[Census | AlertEvent]) -> tuple[list[AlertEvent], bool]:
        """Take what came, in order."""
        return [event for value in values for event in self._outages.take(value)], self.RETAIN

    def snapshot(self) -> dict[str, Any]:
        """What the sites remember."""
        return self._outages.snapshot()
