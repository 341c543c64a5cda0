"""Sketch-RNN: its published counts, the paper's losses written out, step by step as at once, and what padding is."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged, StrokePreprocessing
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.inspect import gradient_flow, gradient_through_time
from ganglion.models.recurrent.sketch_rnn import TINY, Config, SketchRNN, begun, build
from ganglion.nn.drawing.mixture_density import PlaneMixture
from ganglion.nn.drawing.pen_steps import steps_of
from ganglion.rules.recurrent.sketches import Annealing, Sketching, surprises
from ganglion.tasks.shared.sketches.drawing import explained, surprise_of
from tests.contract.rows import Row

COUNT = 64


@cache
def squares() -> Ragged:
    """Squares and bars of different sizes, as moves."""
    random = torch.Generator().manual_seed(0)
    drawings = []
    for number in range(COUNT):
        side = 0.5 + torch.rand((), generator=random)
        corners = torch.tensor([[0.0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]] if number % 2 else [[0.0, 0], [0, 2]])
        pen = torch.zeros(len(corners), 1)
        pen[-1] = 1
        drawings.append(torch.cat([corners * side, pen], 1))
    return Ragged.of(drawings)


def strokes() -> InMemoryLoader:
    return InMemoryLoader({"inputs": squares()}, batch_size=16, seed=0, by_length="inputs")


def foretold(rule: LearningRule) -> float:
    """Nats that each point is foretold better than by nothing."""
    drawings = squares().samples()
    latents = explained(rule.home, drawings)[0]
    return -float(surprise_of(rule.home, drawings, latents).sum()) / len(squares().values)


ROW = Row(
    loader=strokes,
    steps=120,
    measure=foretold,
    threshold=0.5,  # Untrained about -2.8; moves that know nothing of each other -1.9.
    counts=(({}, "network", 2_186_107), ({"conditional": False}, "network", 1_123_963)),
    data=generate("sketches", count=60),
    options={"validation": 0.2, "sample_every": "off"},
)


def small(**fields: Any) -> SketchRNN:
    torch.manual_seed(0)
    network = build(replace(TINY, **fields)).home.eval()
    assert isinstance(network, SketchRNN)
    return network


MOVES = torch.tensor([[[1.0, 2, 0], [0.5, -1, 1], [0, 3, 1]], [[-1.0, 0.3, 1], [0, 0, 0], [0, 0, 0]]])
LENGTHS = torch.tensor([3, 1])


def test_the_loss_is_that_of_the_paper() -> None:
    network = small(decoder_features=8, recurrent_dropout=0.0)
    rule = build(replace(TINY, decoder_features=8, longest=5, annealing=Annealing(weight=0.5, floor=0.0)))
    assert isinstance(rule, Sketching)
    rule.networks["network"].load_state_dict(network.state_dict())
    torch.manual_seed(3)
    measured = rule.step({"inputs": MOVES, "inputs_lengths": LENGTHS})
    torch.manual_seed(3)
    noise = torch.randn(2, TINY.latent_features)
    total, divergence = 0.0, 0.0
    with torch.no_grad():
        for row, length in enumerate(LENGTHS.tolist()):
            mean, log_variance = network.posterior(MOVES[row : row + 1, :length], torch.tensor([length]))
            for m, s in zip(mean[0].tolist(), log_variance[0].tolist(), strict=True):
                divergence += -(1 + s - m**2 - math.exp(s)) / 2 / TINY.latent_features / 2
            state = network.begin(mean + (log_variance / 2).exp() * noise[row])
            step = torch.tensor([[[0.0, 0, 1, 0, 0]]])
            for number in range(length + 1):
                outputs, state = network.read(step, state)
                pen = outputs[0, 0, :3].softmax(0)
                if number == length:
                    total -= math.log(pen[2])
                    continue
                x, y, lifted = MOVES[row, number].tolist()
                total -= math.log(pen[int(lifted)])
                total -= float(PlaneMixture.of(outputs[0, 0, 3:]).log_density(torch.tensor([x, y])))
                step = torch.tensor([[[x, y, 1 - lifted, lifted, 0]]])
    assert float(measured["reconstruction"]) == pytest.approx(total / 5 / 2, rel=1e-5)
    assert float(measured["divergence"]) == pytest.approx(divergence, rel=1e-5)
    assert float(measured["loss"]) == pytest.approx(total / 10 + 0.01 * divergence, rel=1e-5)


def test_the_weight_rises_and_the_floor_holds() -> None:
    rule = build(replace(TINY, annealing=Annealing(weight=2.0, start=0.5, rate=0.9, floor=7.0)))
    assert isinstance(rule, Sketching)
    for update in range(3):
        assert float(rule.weight) == pytest.approx(2 - 1.5 * 0.9**update)
        weight = float(rule.weight)
        measured = rule.step({"inputs": MOVES, "inputs_lengths": LENGTHS})
        assert float(measured["loss"] - measured["reconstruction"]) == pytest.approx(7 * weight, rel=1e-4)
        assert float(measured["divergence"]) < 7


@pytest.mark.parametrize("conditional", [True, False])
def test_step_by_step_is_the_same_as_at_once(conditional: bool) -> None:
    network = small(conditional=conditional)
    latent = torch.randn(2, TINY.latent_features) if conditional else None
    steps, outputs = begun(steps_of(MOVES, LENGTHS))[:, :-1], []
    state = network.begin(latent, 2)
    for step in steps.split(1, dim=1):
        one, state = network.read(step, state)
        outputs.append(one)
    together, came = network.led(MOVES, LENGTHS, latent)
    there = torch.arange(4) <= LENGTHS[:, None]
    torch.testing.assert_close(torch.cat(outputs, 1)[there], together)
    assert came[:, 4].tolist() == [0, 0, 0, 1, 0, 1]


def test_what_stands_past_an_end_changes_nothing() -> None:
    network = small()
    alone = network.posterior(MOVES[1:, :1], LENGTHS[1:])
    rubbish = MOVES.masked_fill(torch.arange(3)[:, None] >= LENGTHS[:, None, None], 77.0)
    torch.testing.assert_close([one[1:] for one in network.posterior(rubbish, LENGTHS)], list(alone))
    latent = torch.randn(2, TINY.latent_features)
    one = surprises(*network.led(MOVES[1:, :1], LENGTHS[1:], latent[1:]))
    torch.testing.assert_close(surprises(*network.led(rubbish, LENGTHS, latent))[4:], one)


def test_the_encoder_reads_from_both_ends() -> None:
    network = small()
    other = MOVES.clone()
    other[0, [0, 2]] = other[0, [2, 0]]
    pairs = zip(network.posterior(MOVES, LENGTHS), network.posterior(other, LENGTHS), strict=True)
    assert all(not torch.allclose(one[0], two[0]) and torch.equal(one[1], two[1]) for one, two in pairs)


def test_generated_drawings_are_short() -> None:
    dataset = generate("sketches", count=400)
    pen = StrokePreprocessing.fit(dataset.inputs)
    moves: Tensor = pen(dataset.inputs).values[:, :2]
    assert pen.points <= 80 and float(moves.std()) == pytest.approx(1.0, abs=0.01)
    assert dataset.label_names == ("face", "fish", "flower", "house")


@pytest.mark.parametrize("wrong", [{"num_mixtures": 0}, {"dropped_points": 1.0}, {"latent_features": 0}])
def test_refuses_impossible_configurations(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)


def test_errors_of_padded_drawings_are_followed_back() -> None:
    """What is judged of outputs that are there is the reconstruction of the objective, whatever the padding."""
    torch.manual_seed(0)
    rule = build(replace(TINY, conditional=False))
    assert isinstance(rule, Sketching)
    padded = MOVES.clone()
    for row, length in zip(padded, LENGTHS.tolist(), strict=True):
        row[length:] = 0
    batch = {"inputs": padded, "inputs_lengths": LENGTHS}
    wanted = rule._objective(batch)["reconstruction"]
    torch.testing.assert_close(rule.judge(rule.home(padded, LENGTHS), padded)["loss"], wanted)

    rule = build(TINY)
    assert isinstance(rule, Sketching)
    judged: Callable[..., Tensor] = lambda outputs, moves: rule.judge(outputs, moves)["loss"]  # noqa: E731
    flow = gradient_flow(rule.home, (padded, LENGTHS), padded, judged)
    assert {layer.name.split(".")[0] for layer in flow.layers} >= {"encoder", "decoder", "head", "initial"}
    assert all(layer.gradient > 0 for layer in flow.layers)
    through = gradient_through_time(rule.home, (padded, LENGTHS), padded, judged)
    assert len(through.cells) == 3
