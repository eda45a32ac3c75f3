"""What happens to a test whose service is not on this machine: skipped aloud, or failed where it must run."""

import os
from typing import NoReturn

import pytest

REQUIRE = "SHOUHUAN_REQUIRE_SERVICES"
MISSING: pytest.StashKey[dict[str, str]] = pytest.StashKey()


def unavailable(config: pytest.Config, service: str, reason: str) -> NoReturn:
    """Skip the test naming the service, or fail it where ``SHOUHUAN_REQUIRE_SERVICES=1`` is set."""
    config.stash.setdefault(MISSING, {})[service] = reason
    message = f"no {service} here: {reason}"
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
