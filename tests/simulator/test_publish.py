from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from schemas.registry import Registry
from schemas.signing import band_key, sign
from schemas.topics import Channel
from schemas.wire import Command, CommandAck, CommandType, Uplink
from simulator import Broker, Files, Fleet, Options, Sent, publish, run_live
from simulator.capture import topics_of
from simulator.sequence import Sequences
from simulator.trust import UNSIGNED
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
        self.heard_by: dict[str, Callable[[str, bytes], None]] = {}
        self._clock = clock
        self._takes = takes

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        self.published.append((topic, body, retain, self._clock.ms))
        self.acknowledged = min(len(self.published), self._takes)

    def subscribe(self, topics: Sequence[str], on_message: Callable[[str, bytes], None]) -> None:
        self.heard_by |= dict.fromkeys(topics, on_message)

    def say(self, topic: str, body: bytes) -> None:
        """Somebody publishes on a topic that the run may have subscribed to."""
        if topic in self.heard_by:
            self.heard_by[topic](topic, body)

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
    speed: float = 1.0,
    command_key: bytes | None = None,
) -> Sent:
    return run_live(
        options,
        registry,
        Broker(),
        now_ms=clock.now_ms,
        stop=clock,
        files=files or Files(),
        on_progress=on_progress,
        speed=speed,
        connect=lambda _broker, _n: links,
        command_key=command_key,
    )


def _telemetry(link: FakeLink) -> list[tuple[str, Uplink, int]]:
    return [(t, msgspec.json.decode(b, type=Uplink), ms) for t, b, _, ms in link.published if t.endswith("/up")]


def test_every_message_goes_out_when_it_is_due_and_says_so(registry: Registry) -> None:
    clock = Clock()
    link = FakeLink(clock)
    sent = _run(registry, clock, [link])
    assert [ms for _, _, ms in _telemetry(link)] == sorted(ms for _, _, ms in _telemetry(link))
    assert all(abs(uplink.readings[0].time_ms - ms) <= 1 for _, uplink, ms in _telemetry(link))
    assert sent == Sent(len(_telemetry(link)), len(_telemetry(link)), "")
    assert 390 <= sent.messages <= 410


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
    assert 130 <= sent.messages <= 146
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
    for seq in range(2_500):
        crashed.use(0, seq)
    assert Sequences(["a", "b"], path).next[0] >= 2_500


def test_bands_that_are_not_in_this_run_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "seq.json"
    for devices in (["a", "b"], ["b"], ["a"]):
        seqs = Sequences(devices, path)
        seqs.use(0, seqs.next[0])
        seqs.close()
    assert Sequences(["a"], path).next == [2]


DEVICE = "band-0050"
UP, DOWN, ACK = (f"wb/v1/renhe/{DEVICE}/{channel}" for channel in ("up", "down", "ack"))
MINUTE = Options(seed=7, interval_s=20.0, step_s=5.0, duration_s=120.0, incidents=False)


def _commanded(
    registry: Registry, *bodies: bytes, topic: str = DOWN, command_key: bytes | None = None
) -> tuple[FakeLink, Sent]:
    """A run of two minutes in which somebody says something after ten seconds."""
    clock = Clock()
    link = FakeLink(clock)
    unsaid = list(bodies)

    def speak(_: Sent) -> None:
        while unsaid and clock.ms >= NOON_MS + 10_000:
            link.say(topic, unsaid.pop(0))

    sent = _run(registry, clock, [link], options=MINUTE, on_progress=speak, command_key=command_key)
    assert not unsaid
    return link, sent


def _acks(link: FakeLink) -> list[CommandAck]:
    return [msgspec.json.decode(body, type=CommandAck) for topic, body, _, _ in link.published if topic == ACK]


def _gaps_s(link: FakeLink) -> list[float]:
    times_ms = [uplink.readings[0].time_ms for topic, uplink, _ in _telemetry(link) if topic == UP]
    return [(b - a) / 1000 for a, b in pairwise(times_ms)]


def _plan(**more: float) -> bytes:
    return msgspec.json.encode({"id": "c-1", "type": "plan"} | more)


def test_commands_are_heard_on_every_bands_own_topic(registry: Registry) -> None:
    clock = Clock()
    links = [FakeLink(clock), FakeLink(clock)]
    _run(registry, clock, links)
    fleet = Fleet(OPTIONS, registry, start_ms=NOON_MS)
    assert {*links[0].heard_by, *links[1].heard_by} == set(topics_of(fleet, Channel.DOWN))
    for link in links:
        mine = {topic.removesuffix("/up") for topic, _, _ in _telemetry(link)}
        assert {topic.removesuffix("/down") for topic in link.heard_by} == mine


def test_a_plan_is_obeyed_and_acknowledged(registry: Registry) -> None:
    link, sent = _commanded(registry, _plan(interval_s=5))
    (ack,) = _acks(link)
    assert (ack.id, ack.ok) == ("c-1", True)
    assert NOON_MS + 10_000 <= ack.time_ms <= NOON_MS + 20_000
    assert _gaps_s(link)[-18:] == [5.0] * 18
    assert sent.messages == sent.acknowledged == len(_telemetry(link)), "an answer is no telemetry"


def test_a_band_with_a_key_obeys_a_sealed_plan_once_and_refuses_an_open_one(registry: Registry) -> None:
    site = bytes(range(32))
    key = band_key(site, "renhe", DEVICE)
    fast = sign(key, DOWN, _plan(interval_s=5, expires_ms=NOON_MS + 900_000))
    slow = sign(key, DOWN, _plan(interval_s=60, expires_ms=NOON_MS + 900_000))
    link, _ = _commanded(registry, _plan(interval_s=60), fast, slow, command_key=site)
    assert [(ack.ok, ack.detail) for ack in _acks(link)] == [(False, UNSIGNED), (True, UNSET), (True, UNSET)]
    # The third is a copy of the second by its id, whatever it asks for.
    assert _gaps_s(link)[-18:] == [5.0] * 18


def test_when_its_time_is_over_the_plan_of_before_returns(registry: Registry) -> None:
    link, _ = _commanded(registry, _plan(interval_s=5, until_ms=NOON_MS + 60_000))
    gaps_s = _gaps_s(link)
    assert 7 <= gaps_s.count(5.0) <= 12
    assert gaps_s[-2:] == [20.0, 20.0]


def test_only_the_band_that_was_commanded_obeys(registry: Registry) -> None:
    link, _ = _commanded(registry, _plan(interval_s=5))
    others = [uplink for topic, uplink, _ in _telemetry(link) if "band-0051" in topic]
    assert len(others) == 6


@pytest.mark.parametrize("kind", [CommandType.LOCATE, CommandType.VIBRATE, CommandType.END])
def test_what_is_no_plan_is_acknowledged_and_changes_no_interval(registry: Registry, kind: CommandType) -> None:
    link, _ = _commanded(registry, msgspec.json.encode(Command(id="c-2", type=kind)))
    assert [(ack.id, ack.ok) for ack in _acks(link)] == [("c-2", True)]
    assert set(_gaps_s(link)) == {20.0}


@pytest.mark.parametrize(
    "body",
    [_plan(), _plan(interval_s=0), _plan(interval_s=-5), _plan(interval_s=1e300)],
    ids=["no interval", "zero", "negative", "longer than any run"],
)
def test_a_nonsensical_plan_is_refused_with_its_reason(registry: Registry, body: bytes) -> None:
    link, _ = _commanded(registry, body)
    (ack,) = _acks(link)
    assert not ack.ok
    assert ack.detail
    assert set(_gaps_s(link)) == {20.0}


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff\xfe", b"null", b"[]", b'{"id":"c"}', b'{"id":"c","type":"fly"}', b'{"id":1,"type":"plan"}',
     b'{"id":"c","type":"plan","interval_s":"5"}', b"{" * 5_000],
    ids=["empty", "no text", "null", "list", "no type", "no such type", "no name", "word for number", "deep"],
)  # fmt: skip
def test_junk_costs_nothing(registry: Registry, body: bytes) -> None:
    link, sent = _commanded(registry, body, _plan(interval_s=5))
    assert [ack.ok for ack in _acks(link)] == [True], "what follows is heard"
    assert sent.messages == len(_telemetry(link)) > 600


def test_a_run_faster_than_time_ends_now_and_says_nothing_of_the_future(registry: Registry) -> None:
    clock = Clock()
    link = FakeLink(clock)
    _run(registry, clock, [link], options=MINUTE, speed=4.0)
    times_ms = [uplink.readings[0].time_ms for _, uplink, _ in _telemetry(link)]
    assert min(times_ms) == pytest.approx(NOON_MS - 90_000, abs=5_000)
    assert all(uplink.readings[0].time_ms <= ms for _, uplink, ms in _telemetry(link))
    assert clock.ms == pytest.approx(NOON_MS + 30_000, abs=2_000)
    assert max(times_ms) > clock.ms - 6_000


def test_a_run_faster_than_time_needs_an_end(registry: Registry) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="duration_s"):
        _run(registry, clock, [FakeLink(clock)], options=Options(seed=7), speed=2.0)
