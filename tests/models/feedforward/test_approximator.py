"""Networks of many sizes side by side, each as it learns alone; steps as in the proof; formulas as written."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.catalogue import read
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.data.sources.functions import of_formula, sawtooth, steps
from ganglion.errors import ConfigurationError
from ganglion.figures import traces
from ganglion.models.feedforward.approximator import TINY, Approximator, Config, build
from ganglion.nn.step_functions import StepNetwork
from ganglion.runs.session import train
from ganglion.tasks.shared.evaluation import ask
from tests.contract.rows import Row

X = torch.linspace(-1.7, 1.7, 256)[:, None]
Y = torch.sin(4 * X)


def share_explained(rule: LearningRule) -> float:
    """R2 of the largest network on a sine; the mean has 0."""
    return float(1 - (ask(rule.home, X) - Y).square().mean() / Y.var(correction=0))


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": X, "targets": Y}, batch_size=64, seed=0),
    steps=300,
    measure=share_explained,
    threshold=0.9,
    counts=(({"widths": (10,)}, "network", 31), ({"widths": (4,), "depths": (1, 2)}, "network", 13 + 33)),
    data="steps",
)


def test_each_network_learns_as_it_would_alone() -> None:
    torch.manual_seed(0)
    rule = build(TINY)
    assert isinstance(rule.home, Approximator)
    place = rule.home.sizes.index((1, 16))
    alone = copy.deepcopy(rule.home.auxiliary[place - 1])
    optimizer = torch.optim.Adam(alone.parameters(), lr=TINY.descent.learning_rate)
    for _ in range(5):
        rule.step({"inputs": X, "targets": Y})
        optimizer.zero_grad()
        (alone(X) - Y).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(rule.home.heads(X)[place], alone(X), rtol=1e-4, atol=1e-5)


def test_steps_stand_where_the_samples_jump_and_are_their_means() -> None:
    x = torch.linspace(0, 1, 90, dtype=torch.float64)
    y = (x >= x[30]).double() * 2 - (x >= x[60]).double() * 3
    network = StepNetwork(x, y, 2)
    assert network.thresholds.tolist() == pytest.approx([(29.5) / 89, 59.5 / 89])
    assert network.heights.tolist() == pytest.approx([2, -3])
    torch.testing.assert_close(network(x), y, atol=1e-6, rtol=0)


@pytest.mark.parametrize("units", [4, 16, 64])
def test_steps_come_within_the_largest_change_over_a_piece(units: int) -> None:
    x = torch.linspace(0, 1, 2000, dtype=torch.float64)
    error = (StepNetwork(x, torch.sin(6 * x), units)(x) - torch.sin(6 * x)).abs().max()
    assert error < 6 / (units + 1) * 1.1


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y = 2*x + 1", lambda x: 2 * x + 1),
        ("y=sin(3*x)**2 - abs(x)/2", lambda x: np.sin(3 * x) ** 2 - abs(x) / 2),
        ("y = -x^2 % 0.3, x = 0.5..4", lambda x: -(x**2) % 0.3),
        ("y = pi", lambda x: np.full_like(x, np.pi)),
    ],
)
def test_formulas_mean_what_they_say(formula: str, expected: object) -> None:
    dataset = read(formula, DataSettings())
    x = dataset.inputs.ravel()
    np.testing.assert_allclose(dataset.targets.ravel(), expected(x), rtol=1e-6)  # type: ignore[operator]
    low, high = (0.5, 4) if ".." in formula else (-1, 1)
    assert low <= x.min() < low + 0.05 and high - 0.05 < x.max() <= high


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("y = __import__('os')", "numbers, x, pi"),
        ("y = x.real", "x.real"),
        ("y = sin(x, x)", "sin\\(x, x\\)"),
        ("y = (x", "a formula of x"),
        ("y = 'a'", "a number"),
        ("y = log(x)", "no value at x = "),
        ("y = 1 / 0", "a value for every x"),
        ("y = x, x = 3..1", "smaller end first"),
        ("y = x, x = 1..1e", "two numbers"),
        ("y = " + "(" * 300 + "x" + ")" * 300, "at most 500"),
        ("y = 9**9**9**9", "a value for every x"),
    ],
)
def test_refuses_what_is_no_formula(formula: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="formula") as refused:
        of_formula(formula)(np.random.default_rng(0), 10)
    assert re.search(said, str(refused.value))


def test_named_functions_are_what_they_are_called() -> None:
    x = np.linspace(-1, 0.999, 2001)
    assert sorted(np.unique(steps(x))) == [0, 0.5, 1, 1.5, 2]
    teeth = sawtooth(x)
    assert (np.diff(teeth) < -1).sum() == 2 and teeth.min() >= -1 and teeth.max() <= 1


def test_a_report_shows_errors_by_size_beside_those_of_steps(tmp_path: Path) -> None:
    run = train("approximator", "y = x * sin(5 * x)", out=tmp_path / "run", steps=20, widths=(1, 4), depths=(1, 2))
    drawn = {file.stem for file in (run.folder / "figures").iterdir()}
    assert {"fit", "fits", "sizes"} <= drawn
    assert (run.folder / "samples" / "film.gif").exists()


def test_traces_show_the_curve_where_it_is() -> None:
    picture = traces([np.zeros(10)], (np.array([0.0, 1.0]), np.array([-1.0, 1.0])))
    rows = np.flatnonzero((picture[:, 240] == (213, 94, 0)).all(axis=-1))
    assert abs(rows.mean() - 150) < 2 and 3 <= len(rows) <= 5


def test_refuses_the_same_width_twice() -> None:
    with pytest.raises(ConfigurationError, match="widths"):
        Config(widths=(4, 4))
