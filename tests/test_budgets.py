"""Budgets of systems: which tests count, what is charged, and that a session above one fails."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ganglion.models import INDEX
from tests.budgets import Budgets, system_of

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("system", INDEX[:1], ids=["perceptron"])
def test_a_test_with_a_system_among_its_parameters_is_of_that_system(
    system: object, request: pytest.FixtureRequest
) -> None:
    assert system_of(request.node) == "perceptron"


@pytest.mark.parametrize("name", ["mlp"])
def test_so_is_one_with_its_name(name: str, request: pytest.FixtureRequest) -> None:
    assert system_of(request.node) == name


@pytest.mark.parametrize("name", ["nobody"])
def test_others_are_of_none(name: str, request: pytest.FixtureRequest) -> None:
    assert system_of(request.node) is None


def test_the_clock_is_the_processors() -> None:
    before = Budgets().seconds()
    subprocess.run([sys.executable, "-c", "for _ in range(3_000_000): pass"], check=True)
    assert Budgets().seconds() - before > 0.02


@pytest.mark.parametrize(("seconds", "pace", "status"), [(0.0, 1.0, 0), (1.0, 1.0, 1), (1.0, 0.5, 1), (1.0, 4.0, 0)])
def test_a_session_above_a_budget_fails_unless_the_machine_is_slow(
    tmp_path: Path, seconds: float, pace: float, status: int
) -> None:
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent(f"""
            from tests import budgets

            budgets.warm.warm_up = lambda: None

            def pytest_configure(config):
                plugin = budgets.Budgets(budget=0.9 / budgets.HEADROOM, work=lambda: {pace} * budgets.REFERENCE)
                config.pluginmanager.register(plugin)
        """)
    )
    (tmp_path / "test_slow.py").write_text(
        textwrap.dedent(f"""
            import time
            import pytest

            @pytest.mark.parametrize("name", ["mlp"])
            def test_busy(name):
                end = time.process_time() + {seconds}
                while time.process_time() < end:
                    pass
        """)
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("FAILED budgets of mlp" in done.stdout) is bool(status)


@pytest.mark.xdist_group("together")
def test_groups_reach_whoever_hands_out_the_tests(request: pytest.FixtureRequest) -> None:
    """What tests of a group share, such as a trained run, is made once; a pytest that hides groups makes it twice."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("nobody hands out tests by groups here")
    assert request.node.nodeid.endswith("@together")
