"""The control stream: what changed in the registry and what people closed, as items beside the readings."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.dataflow import Control

_EVERY: Final = timedelta(milliseconds=5)
"""An epoch ends only when every source has been asked: one that sleeps long holds the readings back as long."""


class ControlSource(FixedPartitionedSource[Control, None]):
    """Hands on whatever ``changes`` answers; it must not block. Ends when ``stop`` is set."""

    def __init__(self, changes: Callable[[], Sequence[Control]], stop: Event, now: Callable[[], datetime]) -> None:
        self._changes = changes
        self._stop = stop
        self._now = now

    def list_parts(self) -> list[str]:
        """One stream of rules for all shards."""
        return ["control"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_ControlPartition":  # noqa: ARG002
        """Rules are read anew at every start; there is no position to resume from."""
        return _ControlPartition(self._changes, self._stop, self._now)


class _ControlPartition(StatefulSourcePartition[Control, None]):
    def __init__(self, changes: Callable[[], Sequence[Control]], stop: Event, now: Callable[[], datetime]) -> None:
        self._changes = changes
        self._stop = stop
        self._now = now

    def next_batch(self) -> Sequence[Control]:
        if self._stop.is_set():
            raise StopIteration
        return self._changes()

    def next_awake(self) -> datetime:
        return self._now().astimezone(UTC) + _EVERY

    def snapshot(self) -> None:
        return None
