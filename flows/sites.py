"""The step beside the shards' judges that knows all of them: what is lost together, and whose silence is part of it."""

from collections.abc import Mapping
from typing import Any, Final

from bytewax.operators import StatefulBatchLogic

from anomaly.outage import Census, OutageConfig, Outages
from flows.rules import SHARDS
from schemas.alerts import AlertCode, AlertEvent

KEY: Final = "sites"
"""The step's only key: a census of each shard every ten seconds is little for one worker."""


def concerns_sites(judged: object) -> bool:
    """Whether something that a shard says is told to people only with the others' silences in view."""
    return isinstance(judged, Census) or (isinstance(judged, AlertEvent) and judged.code is AlertCode.DEVICE_SILENCE)


class Sites:
    """Outages among so many shards: what people are told of their censuses and silences."""

    def __init__(self, shards: int = SHARDS, config: OutageConfig | None = None) -> None:
        self._shards = shards
        self._config = config or OutageConfig()
        self._outages = Outages(self._config)

    def take(self, item: Census | AlertEvent) -> list[AlertEvent]:
        """What people are told now that a shard says this."""
        if isinstance(item, Census):
            return self._outages.look(item, self._shards)
        return self._outages.hear(item)

    def snapshot(self) -> dict[str, Any]:
        """Plain values."""
        return self._outages.snapshot()

    def resume(self, snapshot: Mapping[str, Any]) -> None:
        """Remember what a snapshot describes."""
        self._outages = Outages.restore(snapshot, self._config)


class SitesLogic(StatefulBatchLogic[Census | AlertEvent, AlertEvent, dict[str, Any]]):
    """The sites in the dataflow."""

    def __init__(self, resume_state: dict[str, Any] | None) -> None:
        self._sites = Sites()
        if resume_state:
            self._sites.resume(resume_state)

    def on_batch(self, values: list[Census | AlertEvent]) -> tuple[list[AlertEvent], bool]:
        """Take what came, in order."""
        return [event for value in values for event in self._sites.take(value)], self.RETAIN

    def snapshot(self) -> dict[str, Any]:
        """What the sites remember."""
        return self._sites.snapshot()
