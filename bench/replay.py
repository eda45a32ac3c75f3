"""How fast is a capture judged, file to alerts, in the whole dataflow?"""

import tempfile
from pathlib import Path

from bench.timing import best_s
from ingest.vet import VetConfig
from schemas.registry import NumberedRegistry
from shouhuan.replay import replay
from simulator.capture import write_capture
from simulator.options import Options
from simulator.panzhihua import demo_registry
from tests.world import START_MS


def run() -> dict[str, dict[str, float]]:
    registry = demo_registry(seed=1, wearers=500, now_ms=START_MS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.jsonl"
        written = write_capture(Options(seed=1, duration_s=600.0), registry, path, start_ms=START_MS)
        seconds = best_s(lambda: replay(path, NumberedRegistry.from_file(registry), VetConfig()))
    return {"500 wearers, 10 minutes": {"readings/s": written.readings / seconds}}
