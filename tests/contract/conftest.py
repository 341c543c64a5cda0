"""The row of the system that a promise is tested for."""

import pytest

from ganglion.models import System
from tests.contract.rows import Row, row_of


@pytest.fixture
def row(system: System, request: pytest.FixtureRequest) -> Row:
    """Return the row of a system, and skip what it is exempt from."""
    row = row_of(system)
    if reason := row.exempt.get(request.function.__name__.removeprefix("test_")):
        pytest.skip(reason)
    return row
