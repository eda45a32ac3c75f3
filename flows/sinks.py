"""Where alert events leave the dataflow: a partitioned sink, so that they are part of what recovery vouches for."""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from schemas.alerts import AlertEvent

_log: Final = structlog.get_logger(__name__)
_RETRY_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class AlertWriter(Protocol):
    """Writes events idempotently: the same events again change nothing."""

    def write(self, events: Sequence[AlertEvent]) -> object:
        """Make events durable; an error with ``retryable = True`` asks to be tried again."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class AlertSink(FixedPartitionedSink[AlertEvent, None]):
    """Hands events to a writer, again and again while its store is away: an alert is never dropped.

    Guarantee: at least once, in order a wearer; the writer makes it once. While it waits, the dataflow
    waits, the source takes nothing, and the broker holds what bands send.
    """

    def __init__(
        self, open_writer: Callable[[], AlertWriter], parts: int = 1, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._open_writer = open_writer
        self._parts = parts
        self._pause = pause

    def list_parts(self) -> list[str]:
        """One writer a part."""
        return [f"alerts-{number}" for number in range(self._parts)]

    def part_fn(self, item_key: str) -> int:
        """Events of one shard go to one writer, in order."""
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_AlertPartition":  # noqa: ARG002
        """Writers keep no state here; their store does."""
        return _AlertPartition(self._open_writer(), self._pause)


class _AlertPartition(StatefulSinkPartition[AlertEvent, None]):
    def __init__(self, writer: AlertWriter, pause: Callable[[float], object]) -> None:
        self._writer = writer
        self._pause = pause

    def write_batch(self, values: list[AlertEvent]) -> None:
        failures = 0
        while True:
            try:
                self._writer.write(values)
            except Exception as error:
                if not getattr(error, "retryable", False):
                    raise
                delay_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
                failures += 1
                _log.warning("alerts-waiting", events=len(values), retry_in_s=delay_s, error=str(error))
                self._pause(delay_s)
            else:
                return

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self._writer.close()
