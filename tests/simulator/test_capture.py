import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from schemas.registry import Registry
from schemas.topics import parse_topic
from schemas.truth import TruthLine
from schemas.wire import LIMITS, DeviceStatus, Uplink
from simulator import Options, Scenario, Written, read_scenario, shipped, write_capture
from simulator.scenario import LONGEST_DAYS
from tests.simulator.conftest import NOON_MS, OPTIONS, Run, read, read_contexts, read_truth

SHORT = Options(seed=7, interval_s=5.0, duration_s=30.0)


class Files(NamedTuple):
    capture: Path
    truth: Path
    contexts: Path

    def content(self) -> list[bytes]:
        return [path.read_bytes() for path in self]


def _files(folder: Path, name: str, suffix: str = ".jsonl") -> Files:
    return Files(folder / f"{name}{suffix}", folder / f"{name}.truth", folder / f"{name}.contexts")


def _written(scenario: Scenario, files: Files) -> Written:
    return write_capture(scenario.options(), scenario.registry(), *files, start_ms=scenario.start_ms)


@pytest.fixture(scope="module")
def eventful() -> Scenario:
    """Half a day of the small scenario's fleet, with all of its faults."""
    return msgspec.structs.replace(read_scenario("small"), wearers=40, days=0.5)


@pytest.fixture(scope="module")
def written(eventful: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = _files(tmp_path_factory.mktemp("eventful"), "one")
    _written(eventful, files)
    return files


def test_the_same_seed_and_scenario_write_the_same_bytes(eventful: Scenario, written: Files, tmp_path: Path) -> None:
    again = _files(tmp_path, "two")
    _written(eventful, again)
    assert again.content() == written.content()
    assert all(written.content())


def test_another_seed_writes_other_bytes(eventful: Scenario, written: Files, tmp_path: Path) -> None:
    other = _files(tmp_path, "other")
    _written(msgspec.structs.replace(eventful, seed=eventful.seed + 1), other)
    assert all(ours != theirs for ours, theirs in zip(other.content(), written.content(), strict=True))


def test_equal_runs_are_equal_when_compressed_and_carry_no_time_stamp(registry: Registry, tmp_path: Path) -> None:
    packed = [tmp_path / f"{name}.jsonl.gz" for name in "ab"]
    for path in packed:
        write_capture(SHORT, registry, path, start_ms=NOON_MS)
    one, two = (path.read_bytes() for path in packed)
    assert one == two
    assert one[4:8] == bytes(4), "gzip's own time stamp would differ a second later"
    assert not one[3] & 0x08, "nor does it tell its file's name"


def test_a_name_ending_in_gz_is_compressed_and_holds_the_same(registry: Registry, tmp_path: Path) -> None:
    plain, packed = tmp_path / "c.jsonl", tmp_path / "c.jsonl.gz"
    counts = [write_capture(SHORT, registry, path, start_ms=NOON_MS) for path in (plain, packed)]
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert counts[0] == counts[1]


def test_what_was_written_is_counted(eventful: Scenario, tmp_path: Path) -> None:
    files = _files(tmp_path, "c")
    written = _written(msgspec.structs.replace(eventful, days=0.1), files)
    run = read(files.capture, files.truth)
    assert written.readings == sum(len(uplink.readings) for uplink in run.uplinks)
    assert written.events == len(run.truth)


def test_lines_have_the_shape_that_mosquitto_prints(run: Run) -> None:
    for number, line in enumerate(run.lines):
        assert list(line) == ["tst", "topic", "qos", "retain", "payloadlen", "mid", "payload"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\+0000", line["tst"])
        assert parse_topic(line["topic"]) is not None
        assert (line["qos"], line["retain"], line["mid"]) == (1, 0, number % 65_535 + 1)


def test_the_payload_is_as_long_as_the_line_says(written: Files) -> None:
    for line in written.capture.read_bytes().splitlines():
        said = int(line.split(b'"payloadlen":')[1].split(b",")[0])
        assert said == len(line.split(b'"payload":', 1)[1]) - 1


def test_lines_come_in_the_order_of_their_time(written: Files) -> None:
    stamps = [re.search(rb'"tst":"([^"]*)"', line)[1] for line in written.capture.read_bytes().splitlines()]  # type: ignore[index]
    assert stamps == sorted(stamps)


def test_every_payload_is_an_uplink_to_the_letter(written: Files) -> None:
    decoder = msgspec.json.Decoder(Uplink, strict=True)
    for line in written.capture.read_bytes().splitlines():
        body = line.split(b'"payload":', 1)[1][:-1]
        uplink = decoder.decode(body)
        assert uplink.v == 1
        assert 1 <= len(uplink.readings) <= 60


def test_nothing_absent_is_ever_written_as_a_value(written: Files) -> None:
    said = written.capture.read_bytes()
    assert not [word for word in (b"null", b"NaN", b"nan", b"Infinity", b"inf") if word in said]


def test_numbers_are_within_what_a_band_can_honestly_report(written: Files) -> None:
    seen = set()
    for uplink in read(written.capture, written.truth).uplinks:
        for reading in msgspec.to_builtins(uplink.readings):
            numbers = {
                name: value for part in ("fix", "vitals", "device") for name, value in reading.get(part, {}).items()
            }
            for name in numbers.keys() & LIMITS.keys():
                low, high = LIMITS[name]
                assert low <= numbers[name] <= high, name
            seen |= numbers.keys()
    assert seen >= LIMITS.keys() - {"age_s"}


def test_bands_of_wearers_without_consent_measure_no_physiology(eventful: Scenario, written: Files) -> None:
    registry = eventful.registry()
    consents = {consent.wearer for consent in registry.consents}
    assert 0 < len(consents) < len(registry.wearers)
    run = read(written.capture, written.truth)
    for assignment in registry.assignments:
        measured = {"vitals" in msgspec.to_builtins(reading) for reading in run.readings[assignment.device]}
        assert (True in measured) == (assignment.wearer in consents)


def test_truth_and_contexts_are_read_back_as_they_were_written(eventful: Scenario, written: Files) -> None:
    truth, contexts = read_truth(written.truth), read_contexts(written.contexts)
    assert sorted(truth, key=TruthLine.order) == truth
    assert contexts
    kinds = {kind.value for kind in eventful.hard_negatives}
    assert {line.context for line in contexts} & kinds
    assert not {line.context for line in contexts} & {kind.value for kind in eventful.events}
    assert not kinds & {line.parameters["kind"] for line in truth}


def test_no_reading_of_a_scenario_lies_outside_its_wearers_orders(eventful: Scenario, written: Files) -> None:
    registry = eventful.registry()
    order = {order.wearer: order for order in registry.orders}
    run = read(written.capture, written.truth)
    for assignment in registry.assignments:
        mine = order[assignment.wearer]
        times_ms = [reading.time_ms for reading in run.readings[assignment.device]]
        assert mine.valid_from.timestamp() * 1000 <= min(times_ms)
        assert max(times_ms) < mine.valid_to.timestamp() * 1000


@pytest.mark.parametrize("name", [*shipped(), "longest"])
def test_orders_of_a_scenario_hold_from_its_first_to_its_last_day(name: str) -> None:
    scenario = read_scenario("standard" if name == "longest" else name)
    if name == "longest":
        scenario = msgspec.structs.replace(scenario, days=LONGEST_DAYS)
    for order in scenario.registry().orders:
        assert order.valid_from.timestamp() * 1000 <= scenario.start_ms
        assert order.valid_to.timestamp() >= scenario.start_ms / 1000 + scenario.duration_s


def test_each_band_of_the_demo_counts_from_zero_and_reports_every_five_seconds(run: Run, registry: Registry) -> None:
    affected = {event.device for event in run.truth}
    for device in {device.id for device in registry.devices} - affected:
        mine = [u for line, u in zip(run.lines, run.uplinks, strict=True) if f"/{device}/" in line["topic"]]
        assert [uplink.seq for uplink in mine] == list(range(48))
        times_ms = [uplink.readings[0].time_ms for uplink in mine]
        assert times_ms == [times_ms[0] + 5000 * n for n in range(48)]
        assert NOON_MS <= times_ms[0] < NOON_MS + 5000


def test_bands_are_spread_over_the_interval(run: Run) -> None:
    times_ms = {reading.time_ms for readings in run.readings.values() for reading in readings}
    assert times_ms >= {NOON_MS + 50 * n for n in range(100)}


def test_a_fleet_without_incidents_has_no_truth_and_nobody_complains(registry: Registry, tmp_path: Path) -> None:
    files = _files(tmp_path, "calm")
    options = Options(seed=7, interval_s=300.0, step_s=60.0, duration_s=86_400.0, incidents=False)
    write_capture(options, registry, *files, start_ms=NOON_MS)
    run = read(files.capture, files.truth)
    assert run.truth == []
    assert {line.context for line in read_contexts(files.contexts)} <= {"home_on_the_line", "night_shift"}
    devices = [reading.device for readings in run.readings.values() for reading in readings]
    assert all(isinstance(d, DeviceStatus) and d.strap_closed and d.case_closed and d.sos is False for d in devices)
    assert min(d.battery_pct for d in devices if isinstance(d, DeviceStatus)) > 18


def test_a_capture_without_an_end_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="duration_s"):
        write_capture(replace(OPTIONS, duration_s=None), registry, tmp_path / "c", start_ms=NOON_MS)
