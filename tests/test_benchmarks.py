"""The benchmarks are run by hand; here they are at least what they import of the package."""

from importlib import import_module

import pytest


@pytest.mark.parametrize("side", ["acting", "ganglion", "outcome", "plain", "scikit"])
def test_a_side_can_be_imported(side: str) -> None:
    assert import_module(f"benchmarks.sides.{side}").__doc__
