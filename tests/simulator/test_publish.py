from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from schemas.registry import Registry
from schemas.wire import Uplink
from simulator import Broker, Files, Options, Sent, publish, run_live
from simulator.sequence import Sequences
from tests.simulator.conftest import NOON_MS

OPTIONS = Options(seed=7, interval_s=5.0, duration_s=20.0)


class Clock:
    """A hand-moved clock that is also the signal to stop: waiting moves it, and at ``stop_ms`` it rings."""

    def __init__(self, stop_ms: int = 2**62) -> None:
        self.ms = NOON_MS
        self._stop_ms = stop_ms

    def now_ms(self) -> int:
        return self.ms

    def is_set(self) -> bool:
        return self.ms >= self._stop_ms

    def wait(self, timeout: float | None = None) -> bool:
        self.ms += round((timeout or 0.0) * 1000)
        return self.is_set()


class FakeLink:
    """A connection to a broker that takes so many messages and no more."""

    def __init__(self, clock: Clock, takes: int = 10**9) -> None:
        self.published: list[tuple[str, bytes, bool, int]] = []
        self.acknowledged = 0
        self.trouble = ""
        self.closed = False
        self._clock = clock
        self._takes = takes

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        self.published.append((topic, body, retain, self._clock.ms))
        self.acknowledged = min(len(self.published), self._takes)

    def close(self) -> None:
        self.closed = True


def _run(
    registry: Registry,
    clock: Clock,
    links: list[FakeLink],
    *,
    files: Files | None = None,
    options: Options = OPTIONS,
    on_progress: Callable[[Sent], None] = lambda _: None,
) -> Sent:
    return run_live(
        options,
        registry,
        Broker(),
        now_ms=clock.now_ms,
        stop=clock,
        files=files or Files(),
        on_progress=on_progress,
        connect=lambda _broker, _n: links,
    )


def _telemetry(link: FakeLink) -> list[tuple[str, Uplink, int]]:
    return [(t, msgspec.json.decode(b, type=Uplink), ms) for t, b, _, ms in link.published if t.endswith("/up")]


def test_every_message_goes_out_when_it_is_due_and_says_so(registry: Registry) -> None:
    clock = Clock()
    link = FakeLink(clock)
    sent = _run(registry, clock, [link])
    assert [ms for _, _, ms in _telemetry(link)] == sorted(ms for _, _, ms in _telemetry(link))
    assert all(uplink.readings[0].time_ms == ms for _, uplink, ms in _telemetry(link))
    assert sent == Sent(len(_telemetry(link)), len(_telemetry(link)), "")
    assert 390 <= sent.messages <= 400


def test_presence_is_retained_online_first_and_offline_last(registry: Registry) -> None:
    clock = Clock()
    link = FakeLink(clock)
    _run(registry, clock, [link])
    status = [(t, b, retain) for t, b, retain, _ in link.published if t.endswith("/status")]
    assert [b for _, b, _ in status] == [b"online"] * 100 + [b"offline"] * 100
    assert all(retain for _, _, retain in status)
    assert link.published[99][1] == b"online"
    assert link.closed


def test_a_signal_to_stop_ends_the_run_early(registry: Registry) -> None:
    clock = Clock(stop_ms=NOON_MS + 7_000)
    link = FakeLink(clock)
    sent = _run(registry, clock, [link], options=Options(seed=7))
    assert 130 <= sent.messages <= 142
    assert link.published[-1][1] == b"offline"


def test_each_band_keeps_to_one_connection(registry: Registry) -> None:
    clock = Clock()
    links = [FakeLink(clock), FakeLink(clock)]
    _run(registry, clock, links)
    topics = [{topic for topic, _, _ in _telemetry(link)} for link in links]
    assert topics[0].isdisjoint(topics[1])
    assert len(topics[0]) == len(topics[1]) == 50


def test_what_the_broker_never_took_is_reported(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "DRAIN_S", 0.1)
    clock = Clock()
    link = FakeLink(clock, takes=150)
    link.trouble = "lost 127.0.0.1:1883"
    sent = _run(registry, clock, [link])
    assert sent.acknowledged == 50
    assert sent.messages > 350
    assert sent.trouble == "lost 127.0.0.1:1883"


def test_progress_is_told_every_round(registry: Registry) -> None:
    clock, heard = Clock(), list[Sent]()
    _run(registry, clock, [FakeLink(clock)], on_progress=heard.append)
    assert [sent.messages for sent in heard] == sorted(sent.messages for sent in heard)
    assert len(heard) == 4


def test_log_and_truth_are_written_at_the_end(registry: Registry, tmp_path: Path) -> None:
    clock = Clock()
    link = FakeLink(clock)
    _run(registry, clock, [link], files=Files(truth=tmp_path / "truth", log=tmp_path / "log"))
    log = [msgspec.json.decode(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    seen = [{"device": t.split("/")[3], "seq": u.seq, "published_ms": ms} for t, u, ms in _telemetry(link)]
    assert log == seen
    truth = [msgspec.json.decode(line) for line in (tmp_path / "truth").read_bytes().splitlines()]
    assert {"device.strap", "device.sos", "device.silence"} <= {line["code"] for line in truth}


def test_numbers_go_on_where_the_last_run_stopped(registry: Registry, tmp_path: Path) -> None:
    files = Files(state=tmp_path / "seq.json")
    numbers = []
    for _ in range(2):
        clock = Clock()
        link = FakeLink(clock)
        _run(registry, clock, [link], files=files)
        numbers.append([u.seq for t, u, _ in _telemetry(link) if "/band-0050/" in t])
    assert numbers == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_after_a_crash_no_number_is_used_twice(tmp_path: Path) -> None:
    path = tmp_path / "seq.json"
    crashed = Sequences(["a", "b"], path)
    taken = [crashed.take(0) for _ in range(2_500)]
    assert Sequences(["a", "b"], path).take(0) > taken[-1]


def test_bands_that_are_not_in_this_run_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "seq.json"
    for devices in (["a", "b"], ["b"], ["a"]):
        seqs = Sequences(devices, path)
        seqs.take(0)
        seqs.close()
    assert Sequences(["a"], path).take(0) == 2
