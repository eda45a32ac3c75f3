"""``shouhuan stream``: the worker that receives, stores and judges; killed at any moment, it goes on where it was."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

import structlog
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from flows.commands import CommandSink, Delivery
from flows.control import ControlSource
from flows.dataflow import JudgeConfig, supervision
from flows.judge import SNAPSHOT_FORMAT
from flows.sinks import AlertSink
from geo.sampling import SamplingConfig
from ingest.client import BrokerConfig
from ingest.commander import Commander
from ingest.directory import Directory
from ingest.mqtt import MqttSource, SourceConfig
from ingest.replays import ReplayConfig, ReplaySource
from ingest.vet import VetConfig
from shouhuan.clock import now, now_ms
from shouhuan.monitor import Monitor, store_checks
from shouhuan.observer import StreamObserver, WatchedJournal, WatchedWriter
from shouhuan.registry_watch import RegistryWatch
from shouhuan.settings import Settings
from store.alerts import AlertWriter
from store.commands import CommandLog
from store.journal import PostgresJournal
from store.letters import ReplayDesk

_log: Final = structlog.get_logger(__name__)
_RECOVERY_PARTS: Final = 4
"""Fixed when the recovery store is made: the most processes that can share it."""
_PARTS: Final = "part-*.sqlite3"
_FIRST_FORMAT: Final = "1"
"""That of folders from before they said which."""


def broker_config(settings: Settings) -> BrokerConfig:
    """The broker as the settings name it."""
    return BrokerConfig(
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        version=settings.mqtt_version,
        username=settings.mqtt_username,
        password=settings.mqtt_password.get_secret_value() if settings.mqtt_password else None,
        tls_ca=str(settings.mqtt_tls_ca) if settings.mqtt_tls_ca else None,
        receive_maximum=settings.mqtt_receive_maximum,
        shared=settings.partitions > 1 if settings.mqtt_shared is None else settings.mqtt_shared,
        formats=settings.formats,
    )


def vet_config(settings: Settings) -> VetConfig:
    """How far bands' clocks may be off, as the settings say."""
    return VetConfig(max_future_s=settings.max_future_s, max_age_s=settings.max_age_days * 86_400)


def sampling_config(settings: Settings) -> SamplingConfig | None:
    """What is asked of bands near a boundary; None where the settings say that nothing is."""
    return SamplingConfig(fast_s=settings.fast_interval_s) if settings.fast_interval_s else None


def command_delivery(settings: Settings, open_log: Callable[[], CommandLog]) -> Delivery:
    """One session for the commands of this set of workers, however many partitions it has."""
    # Only other sets of workers make it worth sharing (ADR 0009).
    broker = replace(broker_config(settings), shared=settings.mqtt_shared is True)
    open_session = partial(Commander, f"shouhuan-{_sender(settings)}", broker, command_key=settings.command_key)
    return Delivery(open_log(), open_session, now)


def replay_source(
    settings: Settings, directory: Callable[[], Directory], stop: Event, observer: StreamObserver
) -> ReplaySource:
    """Dead letters that people ask to be judged again."""
    url = settings.database_url.get_secret_value()
    return ReplaySource(
        ReplayConfig(
            partition=f"{settings.partition_prefix}-replays",
            desk=partial(ReplayDesk, url),
            open_journal=partial(watched_journal, url, observer),
            directory=directory,
            vetting=vet_config(settings),
            now_ms=now_ms,
            stop=stop,
        )
    )


def _sender(settings: Settings) -> str:
    return f"{settings.partition_prefix}-commands"


def monitor(settings: Settings, observer: StreamObserver) -> Monitor:
    """What the worker answers on its monitor port."""
    alive = {"dataflow": observer.pulse.finding}
    ready = {
        **store_checks(settings),
        **alive,
        "journal": observer.journal,
        "broker": observer.broker,
        "lag": observer.lag,
    }
    return Monitor(observer.metrics.registry, alive, ready)


def watched_journal(url: str, observer: StreamObserver, partition: str) -> WatchedJournal:
    """The journal of a partition, counted: whatever hands readings to the judge has it from here."""
    return WatchedJournal(PostgresJournal(url, partition), partition, observer)


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, which end the stream with a last snapshot."""
    url = settings.database_url.get_secret_value()
    stop = Event()
    observer = StreamObserver(now_ms, settings.stall_after_s, settings.ready_lag_s)
    watch = RegistryWatch(url, now, settings.formats)
    source = MqttSource(
        SourceConfig(
            broker=broker_config(settings),
            partitions=tuple(f"{settings.partition_prefix}-{n}" for n in range(settings.partitions)),
            open_journal=partial(watched_journal, url, observer),
            directory=watch.directory,
            vetting=vet_config(settings),
            now_ms=now_ms,
            stop=stop,
            on_session=observer.opened,
            on_epoch=observer.epoch,
        )
    )
    sampling = sampling_config(settings)
    open_log = partial(CommandLog, url, _sender(settings))
    delivery = command_delivery(settings, open_log)
    judging = JudgeConfig(
        rules=watch.rules,
        partitions=frozenset(source.list_parts()),
        now=now,
        sampling=sampling,
        on_judged=observer.judged,
    )
    flow = supervision(
        source,
        ControlSource(watch.changes, stop, now),
        judging,
        AlertSink(lambda: WatchedWriter(AlertWriter(url), observer.metrics), pause=partial(observer.pause, "alerts")),
        CommandSink(open_log, delivery.nudge, partial(observer.pause, "commands")) if sampling else None,
        replay_source(settings, watch.directory, stop, observer),
    )
    monitor(settings, observer).start(settings)
    watch.start()
    delivery.start()
    _stop_on_signal(stop)
    cli_main(  # type: ignore[no-untyped-call]
        flow,
        epoch_interval=timedelta(milliseconds=settings.epoch_ms),
        recovery_config=RecoveryConfig(recovery_store(settings.recovery_dir)),  # type: ignore[no-untyped-call]
    )
    delivery.stop()


def recovery_store(path: Path) -> Path:
    """The folder of snapshots, made where there is none; one of another format is put aside.

    The dataflow then begins where the journal does, which rebuilds what the judge knew: the same alerts again change
    nothing. Without that it would go on where the snapshot was taken, with a judge that remembers nothing.
    """
    mark = path / "format"
    kept = mark.read_text().strip() if mark.exists() else _FIRST_FORMAT
    if any(path.glob(_PARTS)) and kept != str(SNAPSHOT_FORMAT):
        aside = path.with_name(f"{path.name}.format-{kept}.{now_ms()}")
        path.rename(aside)
        _log.warning("snapshots-of-another-format", found=kept, ours=SNAPSHOT_FORMAT, put_aside=str(aside))
    if not any(path.glob(_PARTS)):
        path.mkdir(parents=True, exist_ok=True)
        init_db_dir(path, _RECOVERY_PARTS)  # type: ignore[no-untyped-call]
        mark.write_text(f"{SNAPSHOT_FORMAT}\n")
    return path


def _stop_on_signal(stop: Event) -> None:
    """The first signal asks for a clean end, a second one forces it: Bytewax's own handling takes no snapshot."""

    def ask(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
