"""Radial basis functions against scipy and scikit-learn, exact where there is a unit on every sample."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.models.feedforward.rbf import Config, build
from ganglion.nn.radial import RadialBasisNetwork, neighbour_widths
from ganglion.rules.radial_basis import RadialBasis
from ganglion.runs.session import train
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

ROW = Row(
    loader=labelled("two-moons", batch_size=100),
    steps=200,
    measure=share_of_right_answers("two-moons"),
    threshold=0.9,
    counts=(({"in_features": 4, "hidden_units": 7, "num_classes": 3}, "network", 7 * 4 + 7 + 7 * 3 + 3),),
    data="two-moons",
    options={"hidden_units": 10, "limit": 200},
)

RANDOM = np.random.default_rng(0)
POINTS, VALUES = RANDOM.normal(size=(30, 2)), RANDOM.normal(size=30)


def placed(**fields: object) -> LearningRule:
    """Return a rule in double precision that has seen all points once in each of its phases."""
    rule = build(Config(**{"in_features": 2, "num_classes": None, "num_samples": len(POINTS), **fields}))
    rule.home.double()
    for phase in rule.phases:
        rule.begin(phase)
        rule.step({"inputs": torch.from_numpy(POINTS), "targets": torch.from_numpy(VALUES)[:, None]})
    return rule


@pytest.mark.parametrize("basis", ["gaussian", "multiquadric", "inverse-multiquadric", "thin-plate"])
def test_goes_through_every_sample_with_a_unit_on_each(basis: str) -> None:
    rule = placed(hidden_units="samples", basis=basis, ridge=0.0)
    said = rule.home(torch.from_numpy(POINTS)).detach().numpy().ravel()
    np.testing.assert_allclose(said, VALUES, atol=1e-6)


@pytest.mark.parametrize("basis", ["multiquadric", "inverse-multiquadric", "gaussian"])
def test_interpolates_as_scipy_does_with_equal_widths(basis: str) -> None:
    network = RadialBasisNetwork(2, len(POINTS), 1, basis=basis).double()
    network.centres.data, width = torch.from_numpy(POINTS), 0.7
    network.widths.data.fill_(width)
    # scipy's Gaussian is exp(-(e r)^2), and of its multiquadric the sign is turned.
    epsilon = 1 / width / (2**0.5 if basis == "gaussian" else 1)
    theirs = RBFInterpolator(POINTS, VALUES, kernel=basis.replace("-", "_"),
                             epsilon=epsilon, degree=-1)  # fmt: skip
    asked = RANDOM.normal(size=(20, 2)) / 2
    answers = network.responses(torch.from_numpy(POINTS)).detach()
    weights = torch.linalg.solve(answers, torch.from_numpy(VALUES))
    said = network.responses(torch.from_numpy(asked)).detach() @ weights
    np.testing.assert_allclose(said.numpy(), theirs(asked), rtol=1e-4, atol=1e-5)


def test_k_means_ends_where_that_of_scikit_learn_does() -> None:
    rule = placed(hidden_units=5)
    assert isinstance(rule, RadialBasis)
    start = rule.network.centres.detach().numpy().copy()
    for _ in range(30):
        rule.move_centres(torch.from_numpy(POINTS))
    theirs = KMeans(5, init=start, n_init=1).fit(POINTS)
    np.testing.assert_allclose(rule.network.centres.detach().numpy(), theirs.cluster_centers_, atol=1e-6)


def test_widths_are_mean_distances_of_neighbours() -> None:
    distances = np.sort(cdist(POINTS, POINTS), axis=1)[:, 1:4]
    expected = 1.5 * np.sqrt((distances**2).mean(axis=1))
    np.testing.assert_allclose(neighbour_widths(torch.from_numpy(POINTS), 3, 1.5).numpy(), expected)
    together = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    assert (neighbour_widths(together, 1) > 0).all(), "centres on each other still have a width"
    assert neighbour_widths(together[:1], 1).tolist() == [1.0]


@pytest.mark.parametrize("batch", [30, 7])
def test_least_squares_of_batches_are_those_of_the_whole(batch: int) -> None:
    rule = placed(hidden_units=6, ridge=1e-3)
    rule.begin(rule.phases[-1])
    for inputs, targets in zip(
        torch.from_numpy(POINTS).split(batch), torch.from_numpy(VALUES)[:, None].split(batch), strict=True
    ):
        rule.step({"inputs": inputs, "targets": targets})
    answers = rule.home.responses(torch.from_numpy(POINTS)).detach().numpy()  # type: ignore[operator]
    rows = np.vstack([np.c_[answers, np.ones(30)], np.c_[1e-3**0.5 * np.eye(6), np.zeros(6)]])
    expected = np.linalg.lstsq(rows, np.r_[VALUES, np.zeros(6)])[0]
    found = torch.cat([rule.home.output.weight[0], rule.home.output.bias]).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_all_parts_descend_when_fine_tuned() -> None:
    rule = placed(hidden_units=6, fine_tuning=0.5, output="gradient", centres="samples")
    assert [phase.name for phase in rule.phases] == ["centres", "output", "fine-tuning"]
    before = {name: one.detach().clone() for name, one in rule.home.named_parameters()}
    rule.step({"inputs": torch.from_numpy(POINTS), "targets": torch.from_numpy(VALUES)[:, None]})
    assert all((before[name] != one).any() for name, one in rule.home.named_parameters())


def test_more_centres_than_samples_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="more centres than samples") as caught:
        train("rbf", "two-moons", out=tmp_path / "run", limit=50, hidden_units=51)
    assert "at most 50" in str(caught.value) and not (tmp_path / "run").exists()


def test_shares_that_leave_nothing_to_the_output_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="left for the output"):
        build(Config(placing=0.5, fine_tuning=0.5))


def test_a_curve_is_drawn_with_what_each_unit_adds(tmp_path: Path) -> None:
    x = np.linspace(-3, 3, 80)
    (tmp_path / "curve.csv").write_text("x,y\n" + "\n".join(f"{one},{np.sin(one)}" for one in x.tolist()))
    run = train("rbf", tmp_path / "curve.csv", out=tmp_path / "run", hidden_units=8, epochs=4, threads=1)
    assert run.result["score"] > 0.95 and (run.folder / "figures" / "fit.png").exists()
