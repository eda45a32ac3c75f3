"""Every metric: its name, what it says, its labels. Numbers about the work, never about a person.

Labels have few values that we choose (a partition, a reason, an alert code): never a band, a wearer or a topic.
Counters begin at 0 with the process. The only module that knows Prometheus; other folders hand plain numbers to
callables. ``docs/operations.md`` says what to alert on.
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from oncall.stages import Reason
from schemas.alerts import AlertCode, Transition
from schemas.reasons import RejectReason

_COMMIT_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""From a handful of rows on a fast disk to a database in trouble."""
_ANSWER_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""From what a person does not notice to the console's own patience with the database."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody reads


def new_registry() -> CollectorRegistry:
    """A registry with what every process tells of itself: memory, processor time, open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class StreamMetrics:
    """What the worker tells: everything received is under one of these counters, everything that waits in a gauge."""

    def __init__(self) -> None:
        registry = self.registry = new_registry()
        by_partition = ["partition"]
        self.messages = Counter(
            "shouhuan_messages_received_total", "Messages whose batch is committed", by_partition, registry=registry
        )
        self.stored = Counter("shouhuan_readings_stored_total", "Readings stored", by_partition, registry=registry)
        self.duplicates = Counter(
            "shouhuan_readings_duplicate_total", "Readings that were stored before", by_partition, registry=registry
        )
        self.late = Counter(
            "shouhuan_readings_late_total",
            "Readings stored that a band took more than 15 minutes before they reached us",
            by_partition,
            registry=registry,
        )
        self.dead_letters = Counter(
            "shouhuan_dead_letters_total", "Dead letters written", ["reason"], registry=registry
        )
        self.no_consent = Counter(
            "shouhuan_readings_without_consent_total",
            "Readings whose physiology was stripped before storage",
            registry=registry,
        )
        self.unknown_fields = Counter(
            "shouhuan_unknown_fields_total", "Fields of messages that this version does not know", registry=registry
        )
        self.ignored = Counter(
            "shouhuan_messages_ignored_total", "Messages of a known kind that is no telemetry", registry=registry
        )
        self.judged = Counter("shouhuan_readings_judged_total", "Readings that reached a judge", registry=registry)
        self.too_late = Counter(
            "shouhuan_readings_too_late_total",
            "Readings stored that came too late to be weighed by a judge",
            registry=registry,
        )
        self.alerts = Counter(
            "shouhuan_alert_events_total",
            "Alert events committed, each once",
            ["code", "transition"],
            registry=registry,
        )
        self.store_failures = Counter(
            "shouhuan_store_failures_total",
            "Times that the database did not take something, which is then tried again",
            ["writer"],
            registry=registry,
        )
        self.commit_s = Histogram(
            "shouhuan_commit_seconds", "Time of one batch's transaction", buckets=_COMMIT_S, registry=registry
        )
        self.arrival_to_commit_s = Histogram(
            "shouhuan_arrival_to_commit_seconds",
            "From the arrival of a batch's oldest message to its commit",
            buckets=_COMMIT_S,
            registry=registry,
        )
        self.epochs = Counter("shouhuan_epochs_total", "Epochs that the dataflow has ended", registry=registry)
        self.journal_offset = Gauge(
            "shouhuan_journal_offset",
            "Newest batch of the journal handed to the judge",
            by_partition,
            registry=registry,
        )
        self.replay = Gauge(
            "shouhuan_journal_replay_batches",
            "Batches of the journal still to be judged again after a start",
            by_partition,
            registry=registry,
        )
        self.queue = Gauge(
            "shouhuan_queue_messages", "Messages received and not yet taken", by_partition, registry=registry
        )
        self.connected = Gauge(
            "shouhuan_broker_connected", "1 while the broker is connected", by_partition, registry=registry
        )
        self.commit_lag_s = Gauge(
            "shouhuan_commit_lag_seconds", "How long the oldest uncommitted message has waited", registry=registry
        )
        self.judge_lag_s = Gauge(
            "shouhuan_judge_lag_seconds", "How long committed readings have waited for the judge", registry=registry
        )
        self.judge_lag = Gauge(
            "shouhuan_judge_lag_readings", "Committed readings that the judge has not seen yet", registry=registry
        )
        self.epoch_age_s = Gauge(
            "shouhuan_epoch_age_seconds", "Time since the dataflow last ended an epoch", registry=registry
        )
        _begin_at_zero(self.dead_letters, RejectReason)
        _begin_at_zero(self.store_failures, WRITERS)
        for code in AlertCode:
            self.alerts.labels(code.value, Transition.OPENED.value)

    def begin_at_zero(self, partition: str) -> None:
        """A partition that has received nothing is to be seen, too."""
        for counter in (self.messages, self.stored, self.duplicates, self.late):
            counter.labels(partition)


WRITERS: Final = ("journal", "alerts", "commands")
"""Who writes to the database within the worker's dataflow."""


class OncallMetrics:
    """What the on-call process tells; ``overdue_s`` answers by how much the oldest page that is due waits."""

    def __init__(self, overdue_s: Callable[[], float]) -> None:
        self.registry = new_registry()
        self.deliveries = Counter(
            "shouhuan_deliveries_total", "Attempts at pages, by how they ended", ["outcome"], registry=self.registry
        )
        overdue = Gauge(
            "shouhuan_pages_overdue_seconds",
            "By how much the page that waits longest is due; NaN while the database does not answer",
            registry=self.registry,
        )
        overdue.set_function(overdue_s)
        _begin_at_zero(self.deliveries, Reason)


class ConsoleMetrics:
    """What the console tells; ``listeners`` answers how many pages follow the live feed."""

    def __init__(self, listeners: Callable[[], float]) -> None:
        self.registry = new_registry()
        self.requests = Counter("shouhuan_http_requests_total", "Requests answered", ["status"], registry=self.registry)
        self.answer_s = Histogram(
            "shouhuan_http_answer_seconds",
            "From a request to the first byte of its answer",
            buckets=_ANSWER_S,
            registry=self.registry,
        )
        Gauge("shouhuan_live_listeners", "Pages that follow the live feed", registry=self.registry).set_function(
            listeners
        )


def _begin_at_zero(counter: Counter, values: Iterable[str]) -> None:
    """A counter that appears with its first event has no rate for it."""
    for value in values:
        counter.labels(str(value))
