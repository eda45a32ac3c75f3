"""What does decoding and vetting a message cost, and what does it gain when a message carries several readings?"""

import json
from typing import Any

import cbor2

from bench.timing import best_s
from ingest.directory import Directory
from ingest.vet import Message, VetConfig, vet
from schemas.registry import NumberedRegistry
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
    return cases


def _message(number: int, readings: int, encode: Any) -> Message:
    told = [{"time_ms": START_MS + number * 1000 + n, **FULL} for n in range(readings)]
    payload = encode({"v": 1, "seq": number, "readings": told})
    return Message(f"wb/v1/dongqu/band-{number % 100 + 1}/up", payload, START_MS + number * 1000)
