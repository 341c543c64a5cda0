"""Inputs that do not fit a network: the layer, what it expects, what it got, and what would fit."""

import copy
from dataclasses import dataclass

import pytest
import torch

from ganglion.errors import ShapeError
from ganglion.inspect.shapes import with_clear_shapes
from ganglion.models import INDEX, System

TABLES = ("mdp", "q-table")
"""Tables of states, which take numbers of states in any shape."""
ANY_LENGTH = ("spoken-words", "sketch-rnn")
"""Networks that take sounds of any length, and drawings with two or three states of the pen."""
SYSTEMS = pytest.mark.parametrize(
    "system", [system for system in INDEX if system.name not in TABLES], ids=lambda system: system.name
)


@dataclass
class Taken:
    """A network as a user gets it, and inputs that it takes; the first of them is what is varied."""

    network: torch.nn.Module
    examples: tuple[torch.Tensor, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.examples[0].shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        return self.examples[0].dtype

    def beside(self, samples: int) -> list[torch.Tensor]:
        """Return the other inputs, of as many samples."""
        return [one.expand(samples, *one.shape[1:]) for one in (each[:1] for each in self.examples[1:])]

    def ask(self, first: torch.Tensor) -> torch.Tensor:
        return self.network(first, *self.beside(len(first) if first.dim() else 1))


def taken_home(system: System) -> Taken:
    module = system.load()
    role, examples = next(iter(module.examples(module.TINY).items()))
    rule = module.build(module.TINY)
    home = rule.home.eval()
    made_of_others = all(network is not home for network in rule.networks.values())
    network = rule.networks[role].eval() if made_of_others else home
    return Taken(with_clear_shapes(network, *examples), tuple(examples))


def some(count: int, shape: tuple[int, ...], kind: torch.dtype) -> torch.Tensor:
    """Return inputs that fit: numbers from 0 to 1, or tokens, of which there are at least two."""
    return torch.rand(count, *shape) if kind.is_floating_point else torch.randint(0, 2, (count, *shape))


@SYSTEMS
def test_a_shape_that_does_not_fit_is_named_with_the_one_that_does(system: System) -> None:
    taken = taken_home(system)
    shape = taken.shape
    fits = f"(batch, {', '.join(map(str, shape))})"
    wrong: list[tuple[int, ...]] = [(3, *shape, 2), (), (2, 5, 7, 9, 3)]
    if taken.dtype.is_floating_point and system.name not in ANY_LENGTH:  # a text may have any length, too
        wrong += [(3, *(size + 1 for size in shape)), (3, *(size - 1 for size in shape))]
    for size in wrong:
        with pytest.raises(ShapeError) as caught:
            taken.ask(torch.zeros(size, dtype=taken.dtype))
        error = caught.value
        assert str(tuple(size)) in error.what
        assert error.where and error.expected and error.found and fits in error.remedy
        path = error.where.removeprefix("layer ").partition(" (")[0]
        assert "layer" not in error.where or taken.network.get_submodule(path)


CONVERTS = ("dqn", "trader", "cgan", "colouriser", "compressor", "generated-image-detector", "rbm-recommender")
"""Systems whose networks turn whole numbers into others themselves."""


@SYSTEMS
def test_numbers_of_another_type_are_named(system: System) -> None:
    taken = taken_home(system)
    with pytest.raises(ShapeError, match=r"(?s)torch.float64.*inputs.to"):
        taken.ask(torch.zeros(2, *taken.shape, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"a network takes (a tensor|tensors)"):
        taken.network(torch.zeros(2, *taken.shape).numpy(), *taken.beside(2))
    if taken.dtype.is_floating_point and system.name not in CONVERTS:
        with pytest.raises(ShapeError, match=r"(?s)torch.int64.*inputs.to"):
            taken.ask(torch.zeros(2, *taken.shape, dtype=torch.int64))


@SYSTEMS
def test_what_fits_is_answered_as_without_the_check(system: System) -> None:
    taken = taken_home(system)
    plain = copy.deepcopy(taken.network)
    plain._forward_pre_hooks.clear()
    state = {name: tensor.clone() for name, tensor in taken.network.state_dict().items()}
    inputs = some(4, taken.shape, taken.dtype)
    torch.manual_seed(0)
    expected = plain(inputs, *taken.beside(4))
    with pytest.raises(ShapeError):
        taken.ask(torch.zeros(3, *taken.shape, 2, dtype=taken.dtype))
    torch.manual_seed(0)
    assert torch.equal(taken.ask(inputs), expected)
    assert all(torch.equal(tensor, state[name]) for name, tensor in taken.network.state_dict().items())


def test_a_network_of_any_length_stays_one() -> None:
    system = next(system for system in INDEX if system.name == "lstm-forecaster")
    taken = taken_home(system)
    window, features = taken.shape
    for length in (1, window - 1, window + 5):
        assert torch.isfinite(taken.ask(torch.zeros(2, length, features))).all()


def test_a_failure_that_is_not_of_the_shape_is_left_alone() -> None:
    class Broken(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError("broken for every shape")

    with pytest.raises(ZeroDivisionError):
        with_clear_shapes(Broken(), torch.zeros(1, 4))(torch.zeros(2, 5))


def test_the_check_survives_copies_and_export() -> None:
    taken = taken_home(INDEX[1])
    network, shape = taken.network, taken.shape
    with pytest.raises(ShapeError):
        copy.deepcopy(network)(torch.zeros(2, *(size + 1 for size in shape)))
    inputs = torch.rand(2, *shape)
    exported = torch.export.export(network, (inputs,)).module()
    assert torch.allclose(exported(inputs), network(inputs))


def test_each_of_several_inputs_is_looked_at() -> None:
    class Pair(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = torch.nn.Linear(3, 2), torch.nn.Embedding(5, 2)

        def forward(self, numbers: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
            return self.left(numbers) + self.right(words)

    network = with_clear_shapes(Pair(), torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64))
    assert network(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)).shape == (4, 2)
    with pytest.raises(ShapeError, match=r"(?s)layer left .*\(batch, 3\) and \(batch, \)"):
        network(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"(?s)torch.float32.*torch.int64"):
        network(torch.zeros(4, 3), torch.zeros(4))
    with pytest.raises(ShapeError, match="a network takes tensors"):
        network(torch.zeros(4, 3))


def test_a_network_in_another_precision_takes_numbers_of_that_precision() -> None:
    taken = taken_home(INDEX[1])
    network, shape = taken.network, taken.shape
    network.double()
    assert network(torch.zeros(2, *shape, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(ShapeError, match=r"torch\.float32"):
        network(torch.zeros(2, *shape))
