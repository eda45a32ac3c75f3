"""The published description and the types are the same protocol."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from schemas import wire
from schemas.topics import PREFIX, UPLINKS, Channel, Format

SPEC: dict[str, Any] = yaml.safe_load((Path(wire.__file__).parent / "asyncapi.yaml").read_text(encoding="utf-8"))
SCHEMAS = SPEC["components"]["schemas"]
TYPES = {
    t.__name__: t
    for t in (wire.Uplink, wire.Reading, wire.Fix, wire.Vitals, wire.DeviceStatus, wire.Command, wire.CommandAck)
}


def test_the_channels_are_those_of_the_topic_grammar() -> None:
    ours = {channel.value: f"{PREFIX}/{{org}}/{{device}}/{channel.value}" for channel in Channel}
    others = {format_.value: topic for format_, topic in UPLINKS.items() if format_ is not Format.NATIVE}
    assert {name: c["address"] for name, c in SPEC["channels"].items()} == ours | others


def test_every_type_is_described_and_nothing_else() -> None:
    assert SCHEMAS.keys() == TYPES.keys()


@pytest.mark.parametrize("name", TYPES)
def test_fields_required_ones_and_kinds_agree(name: str) -> None:
    generated = msgspec.json.schema(TYPES[name])["$defs"][name]
    described = SCHEMAS[name]
    assert described["properties"].keys() == generated["properties"].keys()
    assert set(described.get("required", [])) == set(generated.get("required", []))
    for field, theirs in described["properties"].items():
        ours = generated["properties"][field]
        if "const" in theirs or "$ref" in theirs or "$ref" in ours or "anyOf" in ours:
            continue
        assert theirs["type"] == ours["type"], field


@pytest.mark.parametrize("name", ["Fix", "Vitals", "DeviceStatus"])
def test_ranges_are_those_that_are_vetted(name: str) -> None:
    described = {
        field: (facts["minimum"], facts["maximum"])
        for field, facts in SCHEMAS[name]["properties"].items()
        if "maximum" in facts
    }
    assert described == {field: limits for field, limits in wire.LIMITS.items() if field in SCHEMAS[name]["properties"]}


def test_enumerations_are_those_of_the_types() -> None:
    assert SCHEMAS["Fix"]["properties"]["source"]["enum"] == [source.value for source in wire.Source]
    assert SCHEMAS["Command"]["properties"]["type"]["enum"] == [kind.value for kind in wire.CommandType]
    assert SCHEMAS["Uplink"]["properties"]["readings"]["maxItems"] == wire.MAX_READINGS
    assert SCHEMAS["DeviceStatus"]["properties"]["firmware"]["maxLength"] == wire.MAX_FIRMWARE_BYTES


@pytest.mark.parametrize(
    ("message", "kind"), [("uplink", wire.Uplink), ("command", wire.Command), ("commandAck", wire.CommandAck)]
)
def test_the_examples_are_messages_of_the_protocol(message: str, kind: type) -> None:
    for example in SPEC["components"]["messages"][message]["examples"]:
        assert _says(msgspec.convert(example["payload"], kind), example["payload"])


def _says(typed: Any, plain: Any) -> bool:
    if isinstance(plain, dict):
        return all(_says(getattr(typed, name), value) for name, value in plain.items())
    if isinstance(plain, list):
        return all(_says(one, other) for one, other in zip(typed, plain, strict=True))
    return bool(typed == plain)
