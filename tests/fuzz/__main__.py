"""``python -m tests.fuzz --seconds 60``: every format under Atheris for a bounded time, from seeds made here.

Needs the extra ``fuzz``. What is found stays in ``--folder``: a corpus a format, which the next run goes on from, and
``crash-…`` files; exit code 1 if there is one. Prints how many inputs each decoder was given.
"""

import argparse
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from schemas.topics import Format
from tests.fuzz.corpus import BOMBS, seeds
from tests.world import START_MS

MOST_BYTES = 4_096
"""Longer inputs find the same branches, only later; the bombs' sizes are tried by the tests."""
PATIENCE_S = 10
"""An input that takes longer is a finding, too."""


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--seconds", type=int, default=60, help="for each format")
    asked.add_argument("--inputs", type=int, default=-1, help="for each format, if they come before the time is over")
    asked.add_argument("--folder", type=Path, default=Path("var/fuzz"))
    asked.add_argument("formats", nargs="*", type=Format, default=list(Format))
    options = asked.parse_args()
    if find_spec("atheris") is None:
        print("fuzzing needs Atheris: .venv/bin/python -m pip install '.[fuzz]'", file=sys.stderr)
        return 2
    outcomes = [fuzz(format_, options.folder / format_, options.seconds, options.inputs) for format_ in options.formats]
    return int(any(outcomes))


def fuzz(format_: Format, folder: Path, seconds: int, inputs: int) -> int:
    """Run one format; its exit code, not zero if anything escaped."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*seeds(format_, START_MS), *BOMBS.values()]):
        (corpus / f"seed-{number:03}").write_bytes((b"\0" + seed)[:MOST_BYTES])
    words = ["-print_final_stats=1", f"-max_total_time={seconds}", f"-runs={inputs}", f"-max_len={MOST_BYTES}"]
    words += [f"-timeout={PATIENCE_S}", f"-artifact_prefix={folder}/", "-verbosity=0", str(corpus)]
    command = [sys.executable, "-m", "tests.fuzz.target", format_.value, *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    done = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
    print(f"{format_}: {int(done[1]) if done else 0:,} inputs, {'ESCAPED' if ended.returncode else 'no escape'}")
    if ended.returncode:
        print(ended.stdout[-2_000:], ended.stderr[-4_000:], sep="\n")
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
