"""From a reading near the wall to the band and back: decided, recorded, carried, answered, and never twice."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.commands import CommandSink, Courier, Delivery, Sampler
from flows.dataflow import JudgeConfig, ShardItem, ShardLogic
from flows.rules import rules_by_shard
from geo.sampling import SamplingConfig
from ingest.commander import AckDelivery, hear_ack
from ingest.directory import Directory
from ingest.vet import Message, VetConfig, vet
from schemas.commands import DeviceCommand, HeardAck
from schemas.readings import Readings
from schemas.registry import NumberedRegistry, ZoneKind
from schemas.wire import Command, CommandAck, encode_json
from shouhuan.clock import now_ms
from shouhuan.replay import replay
from simulator import Broker, Kind, Mix, Options, demo_registry, run_live
from store.commands import CommandLog
from store.errors import StoreUnavailable
from store.registry import import_registry
from tests import world
from tests.desk import AWAY, Desk, open_desk
from tests.listener import Listener, listening
from tests.services.mosquitto import Mosquitto
from tests.services.ports import wait_until
from tests.store.build import ask
from tests.world import START, START_MS, Band, circle, north_of_home, numbered, write_capture

SHARD = 1
RANGE = circle("range", ZoneKind.KEEP_IN, radius_m=1000.0)
RULES = rules_by_shard(numbered(RANGE))
DOWN = "wb/v1/dongqu/band-1/down"


def reading(at_s: float, metres: float, *, late_s: float = 0.2) -> Readings:
    lat, lon = north_of_home(metres)
    at_ms = START_MS + round(at_s * 1000)
    return Readings.of(
        device=[1],
        wearer=[1],
        seq=[round(at_s)],
        event_ms=[at_ms],
        ingest_ms=[at_ms + round(late_s * 1000)],
        lat=[lat],
        lon=[lon],
        accuracy_m=[8.0],
        age_s=[0.0],
        speed_mps=[1.3],
    )


WALK = [reading(60 * n, metres) for n, metres in enumerate([500, 700, 900, 980, 900, 600, *[500] * 8])]


def brief(commands: list[DeviceCommand]) -> list[tuple[float, str]]:
    return [((one.asked_ms - START_MS) / 1000, one.reason) for one in commands]


def decided(walk: list[Readings], config: SamplingConfig | None = None) -> list[DeviceCommand]:
    sampler = Sampler.new(RULES[SHARD], config or SamplingConfig())
    return [command for readings in walk for command in sampler.ask(readings)]


def test_a_walk_to_the_wall_and_back_is_a_plan_and_its_release() -> None:
    plan, release = decided(WALK)
    assert brief([plan, release]) == [(120, "near"), (600, "released")]
    assert (plan.org, plan.device, plan.device_no) == ("dongqu", "band-1", 1)
    assert (plan.command.type, plan.command.interval_s) == ("plan", 15.0)
    assert plan.command.until_ms == plan.expires_ms == plan.asked_ms + 900_000
    assert release.command.until_ms == release.asked_ms


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_told_in_one_batch_or_in_many_the_same_commands_have_the_same_ids(*, shuffled: bool) -> None:
    batch = Readings.concat(WALK)
    if shuffled:
        batch = batch.take(np.random.default_rng(1).permutation(len(batch)))
    assert decided([batch]) == decided(WALK)


def logic(state: dict[str, Any] | None = None, sampling: SamplingConfig | None = SamplingConfig()) -> ShardLogic:  # noqa: B008
    return ShardLogic(JudgeConfig(lambda: RULES, frozenset({"mqtt-0"}), lambda: START, sampling), state)


def commands_of(step: ShardLogic, *items: Any) -> list[tuple[float, str]]:
    judged, _ = step.on_batch([ShardItem(SHARD, item) for item in items])
    return brief([one for one in judged if isinstance(one, DeviceCommand)])


def test_a_restart_in_the_middle_neither_forgets_nor_repeats_a_plan() -> None:
    before = logic()
    assert commands_of(before, *WALK[:4]) == [(120, "near")]
    assert commands_of(logic(before.snapshot()), *WALK[4:]) == [(600, "released")]


def test_a_snapshot_from_before_there_was_sampling_begins_with_an_empty_memory() -> None:
    before = logic(sampling=None)
    assert commands_of(before, *WALK[:4]) == []
    assert "sampling" not in before.snapshot()
    assert commands_of(logic(before.snapshot()), WALK[3]) == [(180, "near")]


def level(at_s: float, battery_pct: int, *, charging: int = 0) -> Readings:
    columns = {"battery_pct": np.array([battery_pct], np.float32), "charging": np.array([charging], np.int8)}
    return reading(at_s, 0.0).replace(**columns)


def test_a_low_battery_vibrates_at_its_wearer_once_and_again_when_critical_or_after_a_charge() -> None:
    step = logic()
    assert commands_of(step, level(0, 50), level(60, 19), level(120, 18)) == [(60, "battery_low")]
    again = logic(step.snapshot())
    assert commands_of(again, level(180, 17), level(240, 7), level(300, 6)) == [(240, "battery_critical")]
    assert commands_of(again, level(360, 7, charging=1), level(420, 15)) == [(420, "battery_low")]


def test_a_prompt_to_charge_is_a_vibration_that_expires_when_the_operator_hears_of_it() -> None:
    judged, _ = logic().on_batch([ShardItem(SHARD, level(0, 15))])
    asked = next(one for one in judged if isinstance(one, DeviceCommand))
    assert (asked.command.type, asked.command.text) == ("vibrate", "请充电")
    assert asked.expires_ms == asked.asked_ms + 1_200_000


def test_a_low_battery_in_a_backlog_asks_nobody() -> None:
    late = level(0, 15)
    assert commands_of(logic(), late.replace(ingest_ms=late.ingest_ms + 600_000)) == []


def test_new_rules_keep_a_plan_in_mind_and_judge_by_their_own_walls() -> None:
    step = logic()
    commands_of(step, *WALK[:4])
    wider = rules_by_shard(numbered(circle("range", ZoneKind.KEEP_IN, radius_m=5000.0), version=2))[SHARD]
    later = [reading(60 * n, 900) for n in range(4, 12)]
    assert commands_of(step, wider, *later) == [(540, "released")]


def test_a_backlog_commands_nothing() -> None:
    assert decided([reading(60 * n, 4000, late_s=121) for n in range(5)]) == []


class Store:
    """An outbox in memory that can be away."""

    def __init__(self) -> None:
        self.away = 0
        self.recorded: list[DeviceCommand] = []
        self.left: list[str] = []
        self.answers: list[HeardAck] = []
        self.closed = False

    def _reach(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("db", "gone")

    def record(self, commands: list[DeviceCommand]) -> None:
        self._reach()
        self.recorded += commands

    def expire(self, _now: datetime) -> int:
        self._reach()
        return 0

    def waiting(self, _now: datetime, _limit: int) -> list[Any]:
        return []

    def published(self, ids: list[str], _at: datetime) -> None:
        self._reach()
        self.left += ids

    def acknowledge(self, heard: list[HeardAck], _at: datetime) -> dict[Any, int]:
        self._reach()
        self.answers += heard
        return {}

    def close(self) -> None:
        self.closed = True


class Session:
    """A broker's side that a test fills by hand."""

    def __init__(self, connected: bool = True) -> None:
        self.connected = connected
        self.published: list[str] = []
        self.confirms: list[str] = []
        self.says: list[AckDelivery] = []
        self.acknowledged: list[AckDelivery] = []
        self.closed = False

    def open(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def publish(self, _topic: object, command: Command, _valid_s: float) -> None:
        self.published.append(command.id)

    def confirmed(self) -> list[str]:
        taken, self.confirms = self.confirms, []
        return taken

    def take(self, _limit: int) -> list[AckDelivery]:
        taken, self.says = self.says, []
        return taken

    def acknowledge(self, answers: list[AckDelivery]) -> None:
        self.acknowledged += answers


def test_while_the_store_is_away_no_answer_and_no_confirmation_is_lost() -> None:
    store, session = Store(), Session()
    courier = Courier(store, session, lambda: START)  # type: ignore[arg-type]
    answer = AckDelivery(HeardAck("band-1", CommandAck(id="c", ok=True, time_ms=0)), 1, 1, 1)
    session.says, session.confirms, store.away = [answer], ["c-1"], 2
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            courier.turn()
    assert session.acknowledged == []
    courier.turn()
    courier.turn()
    assert (session.acknowledged, store.answers, store.left) == ([answer], [answer.heard], ["c-1"])


def test_the_dataflow_waits_for_a_store_that_is_away_and_then_goes_on() -> None:
    store, pauses, nudges = Store(), list[float](), list[int]()
    sink = CommandSink(lambda: store, lambda: nudges.append(1), pauses.append)  # type: ignore[arg-type,return-value]
    part = sink.build_part("commands", sink.list_parts()[0], None)
    store.away = 3
    part.write_batch(decided(WALK))
    part.close()
    assert brief(store.recorded) == [(120, "near"), (600, "released")]
    assert (pauses, nudges, store.closed) == ([0.1, 0.2, 0.5], [1], True)


def test_the_courier_outlives_a_store_that_is_away_and_leaves_in_order() -> None:
    store, session = Store(), Session()
    delivery = Delivery(store, lambda _: session, lambda: START)  # type: ignore[arg-type,return-value]
    store.away, session.confirms = 1, ["c-1"]
    delivery.start()
    delivery.nudge()
    wait_until(lambda: store.left == ["c-1"], "the confirmation")
    delivery.stop()
    assert (session.closed, store.closed) == (True, True)


@pytest.fixture
def outbox(embedded_database: str) -> Iterator[CommandLog]:
    import_registry(embedded_database, world.registry(RANGE), now=START)
    log = CommandLog(embedded_database, "mqtt-commands")
    yield log
    log.close()


def test_a_broker_that_is_away_delays_and_what_is_too_late_by_then_is_never_sent(
    outbox: CommandLog, embedded_database: str
) -> None:
    plan, release = decided(WALK)
    clock = [START + timedelta(seconds=700)]
    session = Session(connected=False)
    courier = Courier(outbox, session, lambda: clock[0])  # type: ignore[arg-type]
    outbox.record([plan, release])
    courier.turn()
    assert session.published == []
    session.connected, clock[0] = True, START + timedelta(seconds=1021)
    courier.turn()
    assert session.published == [release.command.id]
    assert ask(embedded_database, "SELECT reason, dropped FROM command ORDER BY asked_at") == [
        ("near", "expired"),
        ("released", None),
    ]


def test_a_replay_after_a_crash_publishes_nothing_that_had_left(outbox: CommandLog) -> None:
    commands, session = decided(WALK), Session()
    courier = Courier(outbox, session, lambda: START + timedelta(seconds=700))  # type: ignore[arg-type]
    outbox.record(commands)
    courier.turn()
    session.confirms = [command.command.id for command in commands]
    courier.turn()
    replayed = Session()
    outbox.record(decided(WALK))
    Courier(outbox, replayed, lambda: START + timedelta(seconds=701)).turn()  # type: ignore[arg-type]
    assert (len(session.published), replayed.published) == (2, [])


def test_replaying_a_capture_judges_and_commands_nobody(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "c.jsonl", Band().every(60, 0, 300).every(60, 300, 600, at=north_of_home(4000)))
    codes = [record.code for record in replay(capture, numbered(RANGE), VetConfig()).ledger.records()]
    assert [code for code in codes if code.startswith("zone")] == ["zone.exit"]


class Clock:
    """A hand-moved clock that is also the signal to stop: waiting moves it."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        self.ms += round((timeout or 0.0) * 1000)
        return False


class Platform:
    """A broker, the door and the sampler in one: what bands say is sampled, and what is asked reaches them at once."""

    trouble = ""

    def __init__(self, rules: NumberedRegistry, clock: Clock) -> None:
        self._directory = Directory.of(rules)
        self._sampler = Sampler.new(rules_by_shard(rules, 1)[0], SamplingConfig())
        self._clock = clock
        self.acknowledged = 0
        self.said_ms = defaultdict[str, list[int]](list)
        self.asked = defaultdict[str, list[DeviceCommand]](list)
        self.acks: list[HeardAck] = []

    def subscribe(self, _topics: object, on_message: Callable[[str, bytes], None]) -> None:
        self._tell = on_message

    def publish(self, topic: str, body: bytes, **_retained: bool) -> None:
        self.acknowledged += 1
        if topic.endswith("/ack"):
            self.acks.append(hear_ack(topic, body))
        elif topic.endswith("/up"):
            readings = vet([Message(topic, body, self._clock.ms)], self._directory, VetConfig()).readings
            self.said_ms[topic.split("/")[3]] += readings.event_ms.tolist()
            for command in self._sampler.ask(readings):
                self.asked[command.device].append(command)
                self._tell(f"wb/v1/{command.org}/{command.device}/down", encode_json(command.command))

    def close(self) -> None: ...

    def gaps_s(self, device: str, from_ms: int, to_ms: int) -> set[int]:
        """The times between a band's reports in a while, whole seconds."""
        said = [at for at in self.said_ms[device] if from_ms <= at <= to_ms]
        return {round((later - at) / 1000) for at, later in pairwise(said)}


def test_a_simulated_band_is_hurried_at_the_wall_obeys_and_goes_back_to_its_own_minute() -> None:
    clock = Clock()
    town = demo_registry(seed=3, wearers=10, now_ms=START_MS, interval_s=60.0, silence_after_s=600.0)
    walks = {Kind.ZONE_EXIT_FAST: Mix(at_s=[900.0], ranges={"lasting_s": (600, 700), "beyond_m": (400, 500)})}
    options = Options(seed=3, interval_s=60.0, step_s=15.0, duration_s=5400.0, mix=walks)
    platform = Platform(NumberedRegistry.from_file(town), clock)
    run_live(options, town, Broker(), now_ms=clock.now_ms, stop=clock, connect=lambda _broker, _n: [platform])
    device = next(d for d, asked in platform.asked.items() if "breach" in {one.reason for one in asked})
    asked = platform.asked[device]
    first = next(one for one in asked if one.reason != "released")
    released = next(one for one in asked if one.reason == "released" and one.asked_ms > first.asked_ms)
    assert platform.gaps_s(device, START_MS, first.asked_ms) == {60}
    assert platform.gaps_s(device, first.asked_ms + 60_000, released.asked_ms) == {15}
    assert platform.gaps_s(device, released.asked_ms + 60_000, released.asked_ms + 600_000) == {60}
    assert {ack.ack.id for ack in platform.acks} == {a.command.id for told in platform.asked.values() for a in told}
    assert all(ack.ack.ok for ack in platform.acks)


@pytest.fixture
def desk(database_url: str, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(database_url, mosquitto, tmp_path) as desk:
        wait_until(lambda: "commander-connected" in desk.log, "the commander at the broker")
        yield desk


def plan_heard(told: Listener, desk: Desk) -> dict[str, Any]:
    wait_until(lambda: told.heard != [], f"a command; log:\n{desk.log}")
    return told.heard[0]


def test_a_stranger_near_the_wall_hears_the_plan_and_its_answer_stands_in_the_store(desk: Desk) -> None:
    with listening(desk.broker, DOWN) as told:
        desk.says()
        plan = plan_heard(told, desk)
    assert (plan["type"], plan["interval_s"]) == ("plan", 15.0)
    assert 890_000 < plan["until_ms"] - now_ms() <= 900_000
    wait_until(lambda: desk.one("SELECT published_at FROM command") is not None, "the confirmation")
    assert desk.rows("SELECT device_no, type, reason, acked_at FROM command") == [(1, "plan", "near", None)]
    desk.broker.publish("wb/v1/dongqu/band-1/ack", "yes, sir")
    desk.broker.publish("wb/v1/dongqu/band-2/ack", json.dumps({"id": plan["id"], "ok": True, "time_ms": now_ms()}))
    desk.broker.publish("wb/v1/dongqu/band-1/ack", json.dumps({"id": plan["id"], "ok": True, "time_ms": now_ms()}))
    wait_until(lambda: desk.one("SELECT acked_at FROM command") is not None, f"the answer; log:\n{desk.log}")
    assert desk.rows("SELECT ok, acked_at >= published_at, dropped FROM command") == [(True, True, None)]
    assert desk.rows("SELECT reason, number FROM ack_drop ORDER BY 1") == [("malformed", 1), ("unknown", 1)]


def test_a_worker_killed_and_started_again_sends_no_command_twice(desk: Desk) -> None:
    with listening(desk.broker, "wb/v1/+/+/down") as told:
        desk.says(1)
        desk.says(2, at=AWAY)
        wait_until(lambda: len(told.heard) == 2, f"two commands; log:\n{desk.log}")
        wait_until(lambda: desk.one("SELECT count(published_at) FROM command") == 2, "both confirmed")
        desk.worker.kill()
        desk.worker.start()
        desk.says(3)
        wait_until(lambda: len(told.heard) >= 3, f"the third command; log:\n{desk.log}")
        assert len({command["id"] for command in told.heard}) == len(told.heard) == 3
    assert sorted(desk.rows("SELECT device_no, reason FROM command")) == [(1, "near"), (2, "breach"), (3, "near")]
