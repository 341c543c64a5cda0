"""What tests of several floors share."""

from collections.abc import Iterator

import pytest

from tests.warm import WarmProcess


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmProcess]:
    """Return a warm process, started when it is first used, in whose children one may be killed."""
    with WarmProcess() as process:
        yield process
