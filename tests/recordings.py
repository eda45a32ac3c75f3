"""Where the real recordings lie, and what to ask before reading one."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"


def needs(name: str) -> pytest.MarkDecorator:
    """A test is skipped by the name of the recording that is not here."""
    return pytest.mark.skipif(not (DATA / name).exists(), reason=f"no recording {name} here")
