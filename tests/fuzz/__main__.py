"""``python -m tests.fuzz --seconds 60``: every format under Atheris for a bounded time, from seeds made here.

Needs the extra ``fuzz``. What is found stays in ``--folder``: a corpus a format, which the next run goes on from, and
``crash-…`` files; exit code 1 if there is one. Prints how many inputs each decoder was given.
"""

import argparse
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from schemas.topics import Format
from tests.fuzz.corpus import BOMBS, WORDS, seeds
from tests.world import START_MS

MOST_BYTES = 4_096
"""Longer inputs find the same branches, only later; the bombs' sizes are tried by the tests."""
MOST_INPUTS = 100_000
"""Of one process: Atheris keeps 6 KB an input and would run into its limit of 2 GB; the decoders alone keep nothing."""
PATIENCE_S = 10
"""An input that takes longer is a finding, too."""


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--seconds", type=int, default=60, help="for each format")
    asked.add_argument(
        "--inputs", type=int, default=10**9, help="for each format, if they come before the time is over"
    )
    asked.add_argument("--folder", type=Path, default=Path("var/fuzz"))
    asked.add_argument("formats", nargs="*", type=Format, default=list(Format))
    options = asked.parse_args()
    if find_spec("atheris") is None:
        print("fuzzing needs Atheris: .venv/bin/python -m pip install '.[fuzz]'", file=sys.stderr)
        return 2
    outcomes = [fuzz(format_, options.folder / format_, options.seconds, options.inputs) for format_ in options.formats]
    return int(any(outcomes))


def fuzz(format_: Format, folder: Path, seconds: int, inputs: int) -> int:
    """Run one format until the time or the inputs are used up; not zero if anything escaped."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*seeds(format_, START_MS), *BOMBS.values()]):
        (corpus / f"seed-{number:03}").write_bytes((b"\0" + seed)[:MOST_BYTES])
    words = "".join(f'"{word}"\n' for word in WORDS)
    (folder / "words").write_text(words)
    given, until = 0, time.monotonic() + seconds
    while given < inputs and (left_s := round(until - time.monotonic())) > 0:
        ended = _run(format_, folder, left_s, min(MOST_INPUTS, inputs - given))
        done = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
        given += int(done[1]) if done else 0
        if ended.returncode:
            print(f"{format_}: ESCAPED after {given:,} inputs", ended.stdout[-2_000:], ended.stderr[-4_000:], sep="\n")
            return ended.returncode
    print(f"{format_}: {given:,} inputs, no escape", flush=True)
    return 0


def _run(format_: Format, folder: Path, seconds: int, inputs: int) -> subprocess.CompletedProcess[str]:
    words = ["-print_final_stats=1", f"-max_total_time={seconds}", f"-runs={inputs}", f"-max_len={MOST_BYTES}"]
    words += [
        f"-timeout={PATIENCE_S}",
        f"-artifact_prefix={folder}/",
        f"-dict={folder}/words",
        "-verbosity=0",
        str(folder / "corpus"),
    ]
    command = [sys.executable, "-m", "tests.fuzz.target", format_.value, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
