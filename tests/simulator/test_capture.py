import gzip
import re
from pathlib import Path

import msgspec
import pytest

from schemas.registry import Registry
from schemas.topics import parse_topic
from schemas.wire import LIMITS, Uplink
from simulator import Options, write_capture
from tests.simulator.conftest import NOON_MS, Run, read

SHORT = Options(seed=7, interval_s=5.0, duration_s=30.0)


def test_the_same_seed_writes_the_same_bytes(registry: Registry, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        capture, truth = tmp_path / f"{name}.jsonl.gz", tmp_path / f"{name}.truth"
        write_capture(SHORT, registry, capture, truth, start_ms=NOON_MS)
        written.append((capture.read_bytes(), truth.read_bytes()))
    assert written[0] == written[1]
    assert written[0][0][4:8] == bytes(4), "gzip's own time stamp would differ a second later"


def test_another_seed_writes_other_bytes(registry: Registry, tmp_path: Path) -> None:
    write_capture(SHORT, registry, tmp_path / "a", start_ms=NOON_MS)
    write_capture(Options(seed=8, interval_s=5.0, duration_s=30.0), registry, tmp_path / "b", start_ms=NOON_MS)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_a_name_ending_in_gz_is_compressed_and_holds_the_same(registry: Registry, tmp_path: Path) -> None:
    plain, packed = tmp_path / "c.jsonl", tmp_path / "c.jsonl.gz"
    written = [write_capture(SHORT, registry, path, start_ms=NOON_MS) for path in (plain, packed)]
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert written[0] == written[1]
    assert written[0].readings == len(plain.read_bytes().splitlines())


def test_lines_have_the_shape_that_mosquitto_prints(run: Run) -> None:
    for number, line in enumerate(run.lines):
        assert list(line) == ["tst", "topic", "qos", "retain", "payloadlen", "mid", "payload"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\+0000", line["tst"])
        assert parse_topic(line["topic"]) is not None
        assert (line["qos"], line["retain"], line["mid"]) == (1, 0, number % 65_535 + 1)


def test_the_payload_is_as_long_as_the_line_says(registry: Registry, tmp_path: Path) -> None:
    write_capture(SHORT, registry, tmp_path / "c", start_ms=NOON_MS)
    for line in (tmp_path / "c").read_bytes().splitlines():
        said = int(line.split(b'"payloadlen":')[1].split(b",")[0])
        assert said == len(line.split(b'"payload":', 1)[1]) - 1


def test_lines_come_in_the_order_of_their_time(run: Run) -> None:
    stamps = [line["tst"] for line in run.lines]
    assert stamps == sorted(stamps)


def test_every_payload_is_an_uplink_whose_numbers_are_within_limits(run: Run) -> None:
    for uplink in run.uplinks:
        msgspec.json.decode(msgspec.json.encode(uplink), type=Uplink)
        plain = msgspec.to_builtins(uplink.readings[0])
        assert {"time_ms", "fix", "device"} <= plain.keys()
        numbers = {**plain["fix"], **plain.get("vitals", {}), **plain["device"]}
        for name in numbers.keys() & LIMITS.keys():
            low, high = LIMITS[name]
            assert low <= numbers[name] <= high, name


def test_each_band_counts_its_messages_from_zero_and_reports_every_interval(run: Run, registry: Registry) -> None:
    silent = {event.device for event in run.truth if event.code == "device.silence"}
    for device in {device.id for device in registry.devices} - silent:
        mine = [u for line, u in zip(run.lines, run.uplinks, strict=True) if f"/{device}/" in line["topic"]]
        assert [uplink.seq for uplink in mine] == list(range(48))
        times_ms = [uplink.readings[0].time_ms for uplink in mine]
        assert times_ms == [times_ms[0] + 5000 * n for n in range(48)]
        assert NOON_MS <= times_ms[0] < NOON_MS + 5000


def test_bands_are_spread_over_the_interval(run: Run) -> None:
    firsts_ms = sorted(readings[0].time_ms for readings in run.readings.values())
    assert firsts_ms == [NOON_MS + 50 * n for n in range(100)]


def test_bands_of_wearers_without_consent_measure_no_physiology(run: Run, registry: Registry) -> None:
    consents = {consent.wearer for consent in registry.consents}
    for assignment in registry.assignments:
        measured = {"vitals" in msgspec.to_builtins(reading) for reading in run.readings[assignment.device]}
        assert measured == {assignment.wearer in consents}


def test_a_fleet_without_incidents_has_no_truth_and_nobody_complains(registry: Registry, tmp_path: Path) -> None:
    options = Options(seed=7, interval_s=60.0, duration_s=86_400.0, incidents=False)
    write_capture(options, registry, tmp_path / "c", tmp_path / "t", start_ms=NOON_MS)
    calm = read(tmp_path / "c", tmp_path / "t")
    assert calm.truth == []
    devices = [reading.device for readings in calm.readings.values() for reading in readings]
    assert all(d.strap_closed is True and d.case_closed is True and d.sos is False for d in devices)  # type: ignore[union-attr]
    assert min(d.battery_pct for d in devices) > 25  # type: ignore[union-attr]


def test_a_capture_without_an_end_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="duration_s"):
        write_capture(Options(), registry, tmp_path / "c", start_ms=NOON_MS)
