"""Generated data has the structure that it is known for."""

import numpy as np
import pytest

from ganglion.data.digests import digests
from ganglion.data.sources.generators import GENERATORS, generate
from ganglion.errors import ConfigurationError


@pytest.mark.parametrize("name", GENERATORS)
def test_the_seed_decides_everything(name: str) -> None:
    few = generate(name, 1, 50)
    first, again, other = (digests(one.inputs).tolist() for one in (few, generate(name, 1, 50), generate(name, 2, 50)))
    assert first == again
    if name != "bars-and-stripes":
        assert first != other
        judged = few.test_fields["inputs"].values if few.test_fields else ()
        # Some make the part to be judged by of these samples, others besides.
        assert 50 in (len(few), len(few) + len(judged)) or few.kind == "text" or name == "redrawn-photographs"


def test_points_lie_on_their_curves() -> None:
    circles = generate("circles")
    radius = np.linalg.norm(circles.inputs, axis=1)
    assert radius[circles.targets == 0].mean() == pytest.approx(1.0, abs=0.02)
    assert radius[circles.targets == 1].mean() == pytest.approx(0.5, abs=0.02)
    moons = generate("two-moons")
    centres = np.where(moons.targets[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    assert np.abs(np.linalg.norm(moons.inputs - centres, axis=1) - 1).mean() < 0.1
    xor = generate("xor")
    assert np.array_equal((xor.inputs[:, 0] > 0.5) ^ (xor.inputs[:, 1] > 0.5), xor.targets == 1)
    spirals = generate("spirals")
    assert np.bincount(spirals.targets).tolist() == [500, 500]


def test_no_line_parts_xor() -> None:
    from sklearn.linear_model import LogisticRegression

    xor = generate("xor")
    assert LogisticRegression().fit(xor.inputs, xor.targets).score(xor.inputs, xor.targets) < 0.8


def test_mackey_glass_solves_its_equation() -> None:
    from scipy.integrate import cumulative_simpson

    # Integral form over one unit of time, with the values between samples from a fine second solution.
    x = np.asarray(generate("mackey-glass", 0, 400).inputs, dtype=np.float64)[:, 0]
    rate = 0.2 * x[:-17] / (1 + x[:-17] ** 10) - 0.1 * x[17:]
    change = cumulative_simpson(rate, initial=0.0)
    assert np.abs((x[17:] - x[17]) - change).max() < 0.02
    assert 0.2 < x.min() < x.max() < 1.4


def test_brownian_motion_has_its_drift_and_volatility() -> None:
    prices = np.asarray(generate("geometric-brownian-motion", 0, 100_000).inputs, dtype=np.float64)[:, 0]
    returns = np.diff(np.log(prices))
    assert prices[0] == 100
    assert returns.std() == pytest.approx(0.2 / 252**0.5, rel=0.02)
    assert returns.mean() == pytest.approx((0.05 - 0.02) / 252, abs=5 * 0.2 / 252**0.5 / 100_000**0.5)
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.02


def test_bars_and_stripes_are_all_of_them_once() -> None:
    images = np.asarray(generate("bars-and-stripes").inputs)[..., 0]
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images) == 2 * 2**4 - 2
    assert set(np.unique(images)) == {0, 255}
    constant_rows = (images == images[:, :, :1]).all(axis=(1, 2))
    constant_columns = (images == images[:, :1, :]).all(axis=(1, 2))
    assert (constant_rows | constant_columns).all()


def test_unknown_names_and_counts_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'spirals'"):
        generate("spiral")
    with pytest.raises(ConfigurationError):
        generate("xor", 0, 1)
