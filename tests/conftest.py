"""What every test may ask for: a real broker, one for the whole run, and a name of its own on it."""

import re
from collections.abc import Iterator
from random import Random
from uuid import uuid4

import pytest

from streams.demo.servers.broker import Broker
from tests.support.watching import is_watchable


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """`bootstrap.servers` of a real Apache Kafka that all tests of this run share."""
    with Broker() as broker:
        yield broker.bootstrap


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A topic prefix that no other test, and no earlier run, uses; the test's name is in it."""
    name: str = request.node.originalname
    readable = re.sub(r"[^a-z0-9]+", "-", name.removeprefix("test_").lower())[:40].strip("-")
    return f"{readable}-{uuid4().hex[:8]}"


@pytest.fixture
def seed() -> int:
    """Another one in each run; pytest shows it where the test fails."""
    seed = Random().randrange(1 << 32)
    print(f"\nseed {seed}")  # noqa: T201 - as said
    return seed


@pytest.fixture(scope="session")
def monitoring() -> None:
    """Asks for Prometheus and Alertmanager: skipped where they cannot be had, an error in CI."""
    if not is_watchable():
        # apt's packages are not everywhere; in CI they have to be, and is_watchable raises
        pytest.skip("Prometheus is not to be had here")
