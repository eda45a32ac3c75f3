"""Time in the judging step: who is called silent, and who is not while we could not hear."""

from datetime import timedelta

from flows.dataflow import JudgeConfig, ShardItem, ShardLogic, split_by_shard
from flows.rules import SHARDS, rules_by_shard
from schemas.alerts import AlertEvent
from schemas.judging import Heartbeat
from schemas.readings import Readings
from tests.world import START, START_MS, numbered

SHARD = 1
RULES = rules_by_shard(numbered(silence_after_s=600))


def logic(state: dict | None = None, partitions: frozenset[str] = frozenset({"mqtt-0"})) -> ShardLogic:
    return ShardLogic(JudgeConfig(lambda: RULES, partitions, lambda: START + timedelta(hours=1)), state)


def speaks(step: ShardLogic, at_s: float) -> None:
    at_ms = START_MS + round(at_s * 1000)
    reading = Readings.of(device=[1], wearer=[1], event_ms=[at_ms], ingest_ms=[at_ms], battery_pct=[80])
    step.on_batch([ShardItem(SHARD, reading)])


def beat(step: ShardLogic, at_s: float, since_s: float = 0, partition: str = "mqtt-0") -> list[str]:
    heartbeat = Heartbeat(partition, START_MS + round(at_s * 1000), START_MS + round(since_s * 1000))
    step.on_batch([ShardItem(SHARD, heartbeat)])
    events, _ = step.on_notify()
    return [f"{event.code.value} {event.transition.value}" for event in events if isinstance(event, AlertEvent)]


def test_a_band_that_stops_speaking_is_silent_when_its_time_is_up() -> None:
    step = logic()
    speaks(step, 0)
    assert beat(step, 599) == []
    assert beat(step, 600) == ["device.silence opened"]
    assert beat(step, 601) == []


def test_nobody_is_silent_before_we_vouch_for_having_heard_everything() -> None:
    step = logic()
    speaks(step, 0)
    assert not [event for event in step.on_notify()[0] if isinstance(event, AlertEvent)]


def test_time_stands_where_the_slowest_partition_stands() -> None:
    step = logic(partitions=frozenset({"mqtt-0", "mqtt-1"}))
    speaks(step, 0)
    assert beat(step, 700) == []
    assert beat(step, 300, partition="mqtt-1") == []
    assert beat(step, 650, partition="mqtt-1") == ["device.silence opened"]


def test_after_we_were_deaf_every_band_gets_its_whole_allowance_again() -> None:
    step = logic()
    speaks(step, 0)
    assert beat(step, 100) == []
    resumed = logic(step.snapshot())
    assert beat(resumed, 2000, since_s=1990) == []
    assert beat(resumed, 2589, since_s=1990) == []
    assert beat(resumed, 2590, since_s=1990) == ["device.silence opened"]


def test_a_silence_that_rang_before_a_restart_does_not_ring_again() -> None:
    step = logic()
    speaks(step, 0)
    assert beat(step, 600) == ["device.silence opened"]
    assert beat(logic(step.snapshot()), 9000, since_s=2000) == []


def test_every_shard_hears_a_heartbeat_and_readings_reach_their_own() -> None:
    assert [item.shard for _, item in split_by_shard(Heartbeat("mqtt-0", 0))] == list(range(SHARDS))
    readings = Readings.of(device=[1, 2, 9], event_ms=[0, 0, 0])
    assert {key: item.item.device.tolist() for key, item in split_by_shard(readings)} == {"1": [1, 9], "2": [2]}  # type: ignore[union-attr]
