"""What does decoding and vetting a message cost, and what does it gain when a message carries several readings?"""

import json
from typing import Any

import cbor2

from bench.timing import best_s
from ingest.directory import Directory
from ingest.vet import Message, VetConfig, vet
from schemas.registry import NumberedRegistry
from schemas.topics import UPLINKS, Format
from tests.fuzz.corpus import BOMBS
from tests.world import START_MS, registry

MESSAGES = 10_000
FULL: dict[str, Any] = {
    "fix": {"lat": 26.58, "lon": 101.71, "accuracy_m": 8.5, "altitude_m": 1180, "speed_mps": 1.2, "source": "gnss"},
    "vitals": {"heart_rate_bpm": 78, "spo2_pct": 97, "skin_temp_c": 33.4, "steps": 12, "activity": 0.3, "quality": 0.9},
    "device": {"battery_pct": 81, "charging": False, "strap_closed": True, "case_closed": True, "sos": False},
}


def run() -> dict[str, dict[str, float]]:
    directory = Directory.of(NumberedRegistry.from_file(registry(bands=100)))
    cases = {}
    for encoding, encode in (("json", lambda m: json.dumps(m).encode()), ("cbor", cbor2.dumps)):
        for readings in (1, 10):
            messages = [_message(n, readings, encode) for n in range(MESSAGES // readings)]
            batches = [messages[n : n + 500] for n in range(0, len(messages), 500)]
            seconds = best_s(lambda b=batches: [vet(batch, directory, VetConfig()) for batch in b])
            cases[f"{encoding}, {readings} a message"] = {
                "us per message": seconds / len(messages) * 1e6,
                "us per reading": seconds / len(messages) / readings * 1e6,
            }
    return cases | _foreign(directory)


def _foreign(directory: Directory) -> dict[str, dict[str, float]]:
    """The other formats, a position and some more in each message, and the dearest bytes that anybody may send."""
    cases = {}
    for format_, build in ((Format.OWNTRACKS, _location), (Format.SENML, _pack)):
        messages = [Message(_topic(format_, n), build(n), START_MS + n * 1000) for n in range(MESSAGES)]
        batches = [messages[n : n + 500] for n in range(0, len(messages), 500)]
        seconds = best_s(lambda b=batches: [vet(batch, directory, VetConfig()) for batch in b])
        cases[format_.value] = {"us per message": seconds / MESSAGES * 1e6}
    for format_ in Format:
        topic = _topic(format_, 0)
        dearest = max(best_s(lambda m=m: vet([m], directory, VetConfig())) for m in _bombs(topic))
        cases[f"{format_}, the dearest bomb"] = {"ms per message": dearest * 1e3}
    return cases


def _bombs(topic: str) -> list[Message]:
    return [Message(topic, bomb, START_MS, kind) for bomb in BOMBS.values() for kind in (None, "application/cbor")]


def _topic(format_: Format, number: int) -> str:
    return UPLINKS[format_].format(org="dongqu", device=f"band-{number % 100 + 1}")


def _location(number: int) -> bytes:
    told = {"_type": "location", "lat": 26.58, "lon": 101.71, "acc": 8, "alt": 1180, "vel": 4, "batt": 81, "bs": 1}
    return json.dumps(told | {"tst": START_MS // 1000 + number, "tid": "zh", "conn": "m"}).encode()


def _pack(number: int) -> bytes:
    first = {"bn": "band:", "bt": START_MS // 1000 + number, "n": "gps", "u": "lat", "v": 26.58}
    rest = [("gps", "lon", 101.71), ("accuracy", "m", 8), ("pulse", "beat/min", 78), ("battery", "%EL", 81)]
    return json.dumps([first, *({"n": name, "u": unit, "v": value} for name, unit, value in rest)]).encode()


def _message(number: int, readings: int, encode: Any) -> Message:
    told = [{"time_ms": START_MS + number * 1000 + n, **FULL} for n in range(readings)]
    payload = encode({"v": 1, "seq": number, "readings": told})
    return Message(f"wb/v1/dongqu/band-{number % 100 + 1}/up", payload, START_MS + number * 1000)
