"""The gate of every change: the small scenario, held against the figures that are stored beside this file.

After a change that means to move them: ``make gate`` stores new ones; say in the commit why they moved.
"""

from pathlib import Path

from typer.testing import CliRunner

from shouhuan.cli import app

STORED = Path(__file__).parent / "small.json"


def test_no_alert_has_become_worse_than_stored() -> None:
    outcome = CliRunner().invoke(app, ["evaluate", "--scenario", "small", "--restart", "--against", str(STORED)])
    assert outcome.exit_code == 0, outcome.output
