"""A house with its door open to whom it knows."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.services.missing import unavailable
from tests.shouhuan.door.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[House]:
    """One broker for a module's tests; each test has bands of its own."""
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        unavailable(request.config, "Mosquitto", "no mosquitto on this machine")
    house = House(tmp_path_factory.mktemp("house"))
    house.start()
    yield house
    house.stop()


@pytest.fixture
def new_device() -> Callable[[], str]:
    """Device ids that no other test of the run has."""
    return lambda: f"band-{next(_NUMBERS):04}"


_NUMBERS = iter(range(10_000))
