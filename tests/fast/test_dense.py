"""The compiled pass through dense layers and its gradient against those of torch."""

import gc
import weakref
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.func import jvp, vmap
from torch.utils.flop_counter import FlopCounterMode

from ganglion.errors import ShapeError
from ganglion.fast import applies
from ganglion.fast.calls import are_unhooked
from ganglion.fast.dense.layers import DenseLayer, multiplications_of, parameters_of, table_of
from ganglion.nn import Linear
from ganglion.nn.inputs import FlatInputs, RunningStandardisation
from ganglion.nn.sequential import Sequential, dense_layers_of, standardised_layers

pytestmark = pytest.mark.skipif(not applies.enabled(), reason="needs numba")
SHAPES = [  # batch, widths
    (1, [1, 1, 1]),
    (64, [4, 256, 256, 2]),
    (37, [33, 70, 5]),
    (32, [64, 128, 64, 10]),
    (33, [31, 8, 9, 40, 3]),
    (100, [32, 32]),
]
FUNCTIONS = ("relu", "tanh", "sigmoid", "linear")


def layer_by_layer(inputs: Tensor, stack: list[DenseLayer]) -> Tensor:
    """Compute the same outputs in operations of torch."""
    for weight, bias, activation in stack:
        inputs = nn.functional.linear(inputs, weight, bias)
        inputs = inputs if activation == "linear" else getattr(inputs, activation)()
    return inputs


def suits(inputs: Tensor, stack: list[DenseLayer]) -> bool:
    """Return whether a pass may be one compiled call."""

    class Stack:
        trained, limit = True, 10.0

        def refreshed(self) -> "Stack":
            self.features, self.operations = stack[0].weight.shape[1], multiplications_of(stack)
            return self

    return applies.to_dense_layers(Stack(), inputs)


class Pass:
    """What the kernels make of inputs and layers, and afterwards of slopes dL/dh_L."""

    def __init__(self, inputs: Tensor, stack: list[DenseLayer]) -> None:
        from ganglion.fast.dense import kernels

        self.stack, self.kernels, table = stack, kernels, table_of(stack)
        self.outputs = torch.empty(len(inputs), len(stack[-1].weight))
        self.kept = kernels.aligned(kernels.room(table, len(inputs)))
        kernels.forward(table, inputs.numpy(), self.outputs.numpy(), self.kept)

    def gradients(self, slopes: Tensor) -> list[Tensor]:
        found = [torch.empty_like(tensor) for tensor in parameters_of(self.stack)]
        self.kernels.backward(table_of(self.stack, found), slopes.contiguous().numpy(), self.kept)
        return found


def layers(widths: list[int], functions: tuple[str, ...] = FUNCTIONS, bias: bool = True) -> list[DenseLayer]:
    """Return layers of these widths with every function in turn; every other one without bias where `bias` is false."""
    source = torch.Generator().manual_seed(sum(widths))
    made = []
    for number, (features, units) in enumerate(pairwise(widths)):
        weight = torch.randn(units, features, generator=source) / features**0.5
        shift = torch.randn(units, generator=source) if bias or number % 2 else None
        function = functions[number % len(functions)]
        made.append(DenseLayer(weight.requires_grad_(), shift if shift is None else shift.requires_grad_(), function))
    return made


def draw(batch: int, features: int) -> Tensor:
    return torch.randn(batch, features, generator=torch.Generator().manual_seed(batch))


def gradients(stack: list[DenseLayer], inputs: Tensor, slopes: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(layer_by_layer(inputs, stack), parameters_of(stack), slopes)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("batch", "widths"), SHAPES)
@pytest.mark.parametrize("functions", [FUNCTIONS, ("sigmoid", "relu"), ("tanh",)])
def test_values_and_gradients_are_those_of_the_equations(batch, widths, functions, bias, threads) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stack, inputs, slopes = layers(widths, functions, bias), draw(batch, widths[0]), draw(batch, widths[-1])
        assert suits(inputs, stack)
        found, right = Pass(inputs, stack), gradients(stack, inputs, slopes)
        mine = found.gradients(slopes)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found.outputs, layer_by_layer(inputs, stack), rtol=1e-5, atol=1e-5)
    for one, other in zip(mine, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * max(1.0, other.abs().max().item()))


def test_it_is_correct_against_double_precision() -> None:
    stack, inputs, slopes = layers([20, 50, 30, 7]), draw(45, 20), draw(45, 7)
    exact = [DenseLayer(*(tensor.double() for tensor in layer[:2]), layer.activation) for layer in stack]
    found = Pass(inputs, stack)
    expected = layer_by_layer(inputs.double(), exact)
    torch.testing.assert_close(found.outputs.double(), expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(found.gradients(slopes), gradients(exact, inputs.double(), slopes.double()), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_stay_in_their_sample_on_the_way_up(value: float) -> None:
    stack, inputs = layers([6, 40, 3], ("relu", "linear")), draw(50, 6)
    inputs[40, 2] = value
    outputs, expected = Pass(inputs, stack).outputs, layer_by_layer(inputs, stack)
    torch.testing.assert_close(outputs, expected, equal_nan=True, rtol=1e-5, atol=1e-5)
    finite = outputs.isfinite().all(1)
    assert finite.sum() == 49 and not finite[40]


@pytest.mark.parametrize("functions", [("relu", "linear"), ("tanh", "sigmoid")])
def test_nan_in_a_slope_reaches_what_it_reaches_in_torch(functions: tuple[str, str]) -> None:
    stack, inputs, slopes = layers([6, 40, 3], functions), draw(50, 6), torch.zeros(50, 3)
    slopes[7, 1] = torch.nan
    for one, other in zip(Pass(inputs, stack).gradients(slopes), gradients(stack, inputs, slopes), strict=True):
        assert torch.equal(one.isnan(), other.isnan()) and other.isnan().any()


def test_bits_repeat_and_do_not_depend_on_the_neighbours_in_a_batch() -> None:
    stack, inputs = layers([7, 90, 11, 3]), draw(70, 7)
    outputs = Pass(inputs, stack).outputs
    assert torch.equal(outputs, Pass(inputs, stack).outputs)
    assert torch.equal(outputs[40:45], Pass(inputs[40:45], stack).outputs)


@pytest.mark.parametrize(
    "what",
    ["double", "strided", "three axes", "no samples", "large", "autocast", "another width", "a bias of another width"],
)
def test_what_does_not_suit_is_told(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, inputs = layers([6, 8, 2], ("relu", "linear")), draw(4, 6)
    assert suits(inputs, stack)
    if what == "double":
        stack = [DenseLayer(layer.weight.double(), layer.bias.double(), layer.activation) for layer in stack]
    elif what == "strided":
        inputs = draw(6, 4).t()
    elif what == "three axes":
        inputs = draw(4, 6).view(2, 2, 6)
    elif what == "no samples":
        inputs = inputs[:0]
    elif what == "another width":
        inputs = draw(4, 7)
    elif what == "a bias of another width":
        stack[0] = stack[0]._replace(bias=torch.zeros(9))
    elif what == "large":
        monkeypatch.setattr(applies, "MOST_DENSE_OPERATIONS", 100)
    with torch.autocast("cpu", enabled=what == "autocast"):
        assert not suits(inputs, stack)


def test_whoever_follows_the_operations_of_torch_is_not_cheated() -> None:
    stack, inputs = layers([6, 8, 2]), draw(4, 6)
    answers: list[bool] = []

    def ask(numbers: Tensor) -> Tensor:
        answers.append(suits(inputs, stack))
        return numbers

    vmap(ask)(inputs)
    jvp(ask, (inputs,), (inputs,))
    torch.jit.trace(ask, inputs, check_trace=False)
    with FlopCounterMode(display=False):
        ask(inputs)
    with torch.device("meta"):
        ask(inputs)
    assert answers and not any(answers)


# Modules as layers


def modules() -> list[nn.Module]:
    return [nn.Linear(6, 9), nn.ReLU(), Linear(9, 8, bias=False), nn.Tanh(), nn.Linear(8, 3)]


def test_modules_are_read_as_layers() -> None:
    made, inputs = modules(), draw(5, 6)
    found = dense_layers_of(made)
    assert found is not None
    assert parameters_of(found) == list(nn.Sequential(*made).parameters())
    torch.testing.assert_close(layer_by_layer(inputs, found), nn.Sequential(*made)(inputs))


@pytest.mark.parametrize("other", [nn.Dropout(0.5), nn.ELU(), nn.Identity()])
def test_other_modules_are_no_layers(other: nn.Module) -> None:
    made = modules()
    made.insert(1, other)
    assert dense_layers_of(made) is None


def test_a_layer_of_a_users_own_is_none() -> None:
    class Doubled(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return 2 * super().forward(inputs)

    assert dense_layers_of([Doubled(2, 2)]) is None


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_a_hook_of_all_modules_is_seen(register: str) -> None:
    hook = getattr(nn.modules.module, register)(lambda *_: None)
    try:
        assert not are_unhooked(nn.Linear(1, 1))
    finally:
        hook.remove()
    assert are_unhooked(nn.Linear(1, 1))


# Sequences of modules as one call


def standardised() -> Sequential:
    torch.manual_seed(0)
    network = Sequential(FlatInputs(6), RunningStandardisation(6), nn.Sequential(*modules()[:4]), modules()[4])
    network(3 + 2 * draw(64, 6))  # learns what inputs are like
    return network


@pytest.mark.parametrize("shape", [(5, 6), (5, 2, 3), (5, 3, 2)])
def test_a_sequence_computes_in_one_call_what_its_layers_compute(shape: tuple[int, ...]) -> None:
    network, inputs = standardised().eval(), 3 + 2 * torch.randn(shape)
    layers = standardised_layers(network)
    assert layers is not None and [layer.activation for layer in layers.layers] == ["relu", "tanh", "linear"]
    with torch.no_grad():
        found = network(inputs)
    expected = network(inputs)
    assert found.grad_fn is None and expected.grad_fn is not None
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-5)


def test_inputs_of_another_size_are_refused_in_one_call_too() -> None:
    with torch.no_grad(), pytest.raises(ShapeError, match="6 numbers"):
        standardised()(torch.zeros(5, 7))


def calling_twice(network: Sequential) -> None:
    class Twice(nn.Sequential):
        def __call__(self, inputs: Tensor) -> Tensor:
            return super().__call__(super().__call__(inputs))

    network[2] = Twice(nn.Linear(6, 6))
    network[3] = nn.Linear(6, 3)


@pytest.mark.parametrize(
    "change",
    [
        calling_twice,
        lambda network: network[2].register_forward_hook(lambda *_: None),
        lambda network: network.register_forward_pre_hook(lambda *_: None),
        lambda network: setattr(network[2][0], "forward", lambda rows: rows.new_ones(len(rows), 9)),
        lambda network: setattr(network, "forward", lambda rows: rows),
        lambda network: network.insert(3, nn.Dropout(0.5)),
        lambda network: network.__delitem__(1),
    ],
)  # fmt: skip
def test_a_sequence_that_is_more_than_dense_layers_is_called_layer_by_layer(change: Callable[..., object]) -> None:
    network = standardised()
    assert standardised_layers(network) is not None
    change(network)
    assert standardised_layers(network) is None


def test_a_network_is_let_go_with_what_is_known_of_it() -> None:
    network = standardised()
    standardised_layers(network)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None
