"""What several processes were seen to do is written down where GANGLION_PROCESS_RESULTS names a file."""

import json
import os
from collections.abc import Callable

import pytest

Record = Callable[..., None]


@pytest.fixture
def seen() -> Record:
    """Return what writes down, of a kind, what was seen."""

    def record(kind: str, **values: object) -> None:
        if results := os.environ.get("GANGLION_PROCESS_RESULTS"):
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **values}) + "\n")

    return record
