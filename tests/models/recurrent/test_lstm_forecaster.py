"""The forecaster's size by hand, its last step alone in the answer, and configurations that cannot be."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.lstm_forecaster import TINY, Config, LSTMForecaster, build
from tests.contract.rows import Row


@cache
def sine_windows() -> dict[str, torch.Tensor]:
    """Windows `(samples, 16, 1)` of the noisy sine and the values that follow them."""
    values = torch.from_numpy(generate("sine", count=300).inputs)  # (time, 1)
    return {"inputs": values.unfold(0, 16, 1)[:-1].transpose(1, 2), "targets": values[16:]}


@torch.no_grad()
def skill_over_the_last_value(rule: LearningRule) -> float:
    """By how much the error is below that of the last value, which has 0 and knows no better; 1 is perfect."""
    windows = sine_windows()
    inputs, targets = windows["inputs"], windows["targets"]
    errors = [(answer - targets).square().mean() for answer in (rule.home.eval()(inputs), inputs[:, -1])]
    return float(1 - errors[0] / errors[1])


ROW = Row(
    loader=lambda: InMemoryLoader(sine_windows(), batch_size=32, seed=0),
    steps=120,
    measure=skill_over_the_last_value,
    threshold=0.7,
    counts=(({}, "network", 806_017),),
    data="sine",
)


def test_counts_by_hand() -> None:
    counts = {name: parameter.numel() for name, parameter in build(Config()).home.named_parameters()}
    assert sum(count for name, count in counts.items() if ".layers.0." in name) == 4 * 256 * (1 + 256 + 1)
    assert sum(count for name, count in counts.items() if ".layers.1." in name) == 4 * 256 * (256 + 256 + 1)
    assert sum(count for name, count in counts.items() if name.startswith("head.")) == 256 * 64 + 64 + 64 + 1
    assert sum(counts.values()) == 806_017


def test_answers_from_the_last_hidden_state() -> None:
    network = build(replace(TINY, relative=False)).home.eval()
    windows = torch.randn(3, TINY.window, 1)
    hidden, state = network.recurrent(windows)
    torch.testing.assert_close(network(windows), network.head(state[-1].hidden))
    torch.testing.assert_close(network(windows), network.head(hidden[:, -1]))


def test_relative_forecasts_move_with_the_level() -> None:
    windows = torch.randn(3, TINY.window, 1)
    for relative in (True, False):
        network = build(replace(TINY, relative=relative)).home.eval()
        moved = network(windows + 100) - network(windows)
        assert torch.allclose(moved, torch.tensor(100.0), atol=1e-3) is relative


def test_relative_forecasts_start_from_the_last_value() -> None:
    network = build(TINY).home.eval()
    torch.nn.init.zeros_(network.head[-1].weight)
    torch.nn.init.zeros_(network.head[-1].bias)
    windows = torch.randn(3, TINY.window, 1)
    assert torch.equal(network(windows), windows[:, -1])
    with pytest.raises(ConfigurationError, match="every column"):
        build(replace(TINY, in_features=3))


def test_dropout_acts_after_every_recurrent_layer_while_training() -> None:
    network = LSTMForecaster(Config(num_layers=1, hidden_features=64, dropout=0.5))
    windows = torch.randn(3, 10, 1)
    assert not torch.equal(network(windows), network(windows))
    network.eval()
    assert torch.equal(network(windows), network(windows))


def test_several_steps_and_levels_have_axes_of_their_own() -> None:
    config = replace(TINY, in_features=3, out_features=3, horizon=4, quantiles=(0.25, 0.5), channels=6)
    assert build(config).home(torch.randn(2, TINY.window, 3)).shape == (2, 4, 3, 2)


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), (0.5, 0.1), (0.5, 1.0), (0.5, 0.5)])
def test_refuses_impossible_quantiles(quantiles: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError, match="quantiles"):
        Config(quantiles=quantiles)


@pytest.mark.parametrize(
    "wrong", [{"window": 0}, {"horizon": 0}, {"num_layers": 0}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_refuses_impossible_configurations(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)  # type: ignore[arg-type]
