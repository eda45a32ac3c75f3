"""Ask every question and print the answers as a table and as JSON."""

import json
import os
import platform
import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import end_to_end, fence, judge, load, observing, replay, walks, wire

QUESTIONS = {
    "wire": wire.run,
    "judge": judge.run,
    "fence": fence.run,
    "walks": walks.run,
    "replay": replay.run,
    "load": load.run,
    "observing": observing.run,
    "end to end": end_to_end.run,
}


def main(names: list[str]) -> None:
    chosen = names or list(QUESTIONS)
    answers = {name: QUESTIONS[name]() for name in track(chosen, console=Console(stderr=True))}
    table = Table(title="make bench", show_header=True)
    for column in ("question", "case", "figure", "value"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for name, cases in answers.items():
        for case, figures in cases.items():
            for figure, value in figures.items():
                table.add_row(name, case, figure, f"{value:,.2f}")
    Console().print(table)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"date": datetime.now(UTC).date().isoformat(), "machine": machine, "answers": answers}))


main(sys.argv[1:])
