"""Tests of layers, rules, systems and the estimator on every route that a computation can take.

A processor takes one route by itself; the others are taken by other people's. Each runs in a process of its own, since
libraries look at their surroundings once, when they start.
"""

import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ganglion.fast import matrix_library
from ganglion.models import INDEX, System
from ganglion.runs.run import open_run
from ganglion.runs.session import prepare
from tests.contract.rows import row_of
from tests.contract.test_contract import FIRST_OF_FAMILY, options
from tests.routes.routes import ROUTES

ROOT = Path(__file__).parents[2]
LIMIT = 3000
"""Seconds after which a route is stopped."""
CHOSEN = FIRST_OF_FAMILY | {system.family: system for system in INDEX if system.name in ("convnet", "lstm-forecaster")}
"""One system of every family: the first, or one of layers that depend most on the processor."""
each_route = pytest.mark.parametrize("name", ROUTES)
COMPILED_ANEW = "256-bit vectors"
"""The route whose kernels are of another width: compiling them takes a minute."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] * (name == COMPILED_ANEW)) for name in ROUTES]
)
def test_layers_rules_and_a_system_of_each_family(name: str) -> None:
    promises = " or ".join(f"(finite_loss and {system.name})" for system in CHOSEN.values())
    invariance = "methods_subset_invariance and Regressor"
    layers = ["tests/nn/test_linear.py", "tests/nn/test_recurrent.py", "tests/rules/test_supervised.py"]
    if name == COMPILED_ANEW:
        layers = ["tests/nn/test_linear.py", "tests/fast/test_convolution_stages.py"]
        promises = "finite_loss and convnet"
    others = "not contract and not estimator and not threads and not import_costs"
    run(
        name,
        *layers,
        "tests/contract/test_contract.py",
        "tests/runs/test_estimator.py",
        chosen=f"({others}) or ({promises}) or ({invariance})",
    )


@pytest.mark.full
@each_route
def test_everything_that_computes(name: str) -> None:
    systems = "not killed and not gives_its_network_back"
    run(
        name,
        *("tests/nn", "tests/fast", "tests/rules", "tests/contract/test_contract.py", "tests/runs/test_estimator.py"),
        chosen=systems,
    )


def run(name: str, *tests: str, chosen: str) -> None:
    """Run tests in a process that takes a route, and fail with what it says."""
    route = ROUTES[name]
    if route.needs_kernels and find_spec("numba") is None:
        pytest.skip("needs numba")
    if "ATEN_CPU_CAPABILITY" in route.variables and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("another kind of processor")
    code = f"import sys; {route.before or 'pass'}\nimport pytest; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *tests, "-n", "0", "-x", "-k", chosen]
    given = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "GANGLION_FAST"))}
    done = subprocess.run(command, cwd=ROOT, env=given | route.variables, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert " 0 passed" not in done.stdout


@pytest.mark.parametrize("tiles", [pytest.param(True, marks=pytest.mark.full), False])
@pytest.mark.parametrize(
    "system",
    [
        pytest.param(system, id=system.name, marks=[pytest.mark.full] * (system not in CHOSEN.values()))
        for system in INDEX
    ],
)
def test_trains_in_sixteen_bits(system: System, tiles: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tiles that some processors multiply such numbers in, and without, where oneDNN multiplies others."""
    if not tiles:
        monkeypatch.setattr(matrix_library, "library", lambda: "onednn" if matrix_library._has_onednn() else "mkl")
        if find_spec("numba") is not None:
            monkeypatch.setattr("ganglion.fast.packed_product.has_tiles", lambda: False)
    settings: dict[str, Any] = {**options(system), "precision": "bf16", "steps": 6, "evaluate_every": 6}
    session = prepare(system.name, row_of(system).data, out=tmp_path / "run", **settings)
    session.trainer.fit()
    session.files.unlock()
    assert open_run(tmp_path / "run").history[-1]["step"] == 6
