"""The compiled pass through dense layers and its gradient against those of torch."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.func import jvp, vmap
from torch.utils.flop_counter import FlopCounterMode

from ganglion.fast import perceptron as fast
from ganglion.fast.dispatch import installed
from ganglion.fast.perceptron import Dense, parameters_of, perceptron_reference, suits, table_of
from ganglion.nn import Linear
from ganglion.nn.dense import as_dense, is_unwatched

pytestmark = pytest.mark.skipif(not installed(), reason="needs numba")
SHAPES = [  # batch, widths
    (1, [1, 1, 1]),
    (64, [4, 256, 256, 2]),
    (37, [33, 70, 5]),
    (32, [64, 128, 64, 10]),
    (33, [31, 8, 9, 40, 3]),
    (100, [32, 32]),
]
FUNCTIONS = ("relu", "tanh", "sigmoid", "linear")


class Pass:
    """What the kernels make of inputs and layers, and afterwards of slopes dL/dh_L."""

    def __init__(self, inputs: Tensor, stack: list[Dense]) -> None:
        from ganglion.fast import perceptron_kernels as kernels

        self.stack, self.kernels, table = stack, kernels, table_of(stack)
        self.outputs = torch.empty(len(inputs), len(stack[-1].weight))
        self.kept = kernels.aligned(kernels.room(table, len(inputs)))
        kernels.forward(table, inputs.numpy(), self.outputs.numpy(), self.kept)

    def gradients(self, slopes: Tensor) -> list[Tensor]:
        found = [torch.empty_like(tensor) for tensor in parameters_of(self.stack)]
        self.kernels.backward(table_of(self.stack, found), slopes.contiguous().numpy(), self.kept)
        return found


def layers(widths: list[int], functions: tuple[str, ...] = FUNCTIONS, bias: bool = True) -> list[Dense]:
    """Return layers of these widths with every function in turn; every other one without bias where `bias` is false."""
    source = torch.Generator().manual_seed(sum(widths))
    made = []
    for number, (features, units) in enumerate(pairwise(widths)):
        weight = torch.randn(units, features, generator=source) / features**0.5
        shift = torch.randn(units, generator=source) if bias or number % 2 else None
        function = functions[number % len(functions)]
        made.append(Dense(weight.requires_grad_(), shift if shift is None else shift.requires_grad_(), function))
    return made


def tensors_of(stack: list[Dense]) -> list[Tensor]:
    return [tensor for layer in stack for tensor in layer[:2] if tensor is not None]


def draw(batch: int, features: int) -> Tensor:
    return torch.randn(batch, features, generator=torch.Generator().manual_seed(batch))


def gradients(stack: list[Dense], inputs: Tensor, slopes: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(perceptron_reference(inputs, stack), tensors_of(stack), slopes)


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
    torch.testing.assert_close(found.outputs, perceptron_reference(inputs, stack), rtol=1e-5, atol=1e-5)
    for one, other in zip(mine, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * max(1.0, other.abs().max().item()))


def test_it_is_correct_against_double_precision() -> None:
    stack, inputs, slopes = layers([20, 50, 30, 7]), draw(45, 20), draw(45, 7)
    exact = [Dense(*(tensor.double() for tensor in layer[:2]), layer.function) for layer in stack]
    found = Pass(inputs, stack)
    expected = perceptron_reference(inputs.double(), exact)
    torch.testing.assert_close(found.outputs.double(), expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(found.gradients(slopes), gradients(exact, inputs.double(), slopes.double()), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_stay_in_their_sample_on_the_way_up(value: float) -> None:
    stack, inputs = layers([6, 40, 3], ("relu", "linear")), draw(50, 6)
    inputs[40, 2] = value
    outputs, expected = Pass(inputs, stack).outputs, perceptron_reference(inputs, stack)
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
        stack = [Dense(layer.weight.double(), layer.bias.double(), layer.function) for layer in stack]
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
        monkeypatch.setattr(fast, "MOST_OPERATIONS", 100)
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
    found = as_dense(made)
    assert found is not None
    assert parameters_of(found) == list(nn.Sequential(*made).parameters())
    torch.testing.assert_close(perceptron_reference(inputs, found), nn.Sequential(*made)(inputs))


@pytest.mark.parametrize("other", [nn.Dropout(0.5), nn.ELU(), nn.Identity(), None])
def test_other_modules_are_no_layers(other: object) -> None:
    made = modules()
    if isinstance(other, nn.Module):
        made.insert(1, other)
    else:
        made[0].register_forward_hook(lambda *_: None)
    assert as_dense(made) is None


def test_a_layer_of_a_users_own_is_none() -> None:
    class Doubled(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return 2 * super().forward(inputs)

    assert as_dense([Doubled(2, 2)]) is None
    replaced = nn.Linear(2, 2)
    replaced.forward = lambda inputs: inputs
    assert as_dense([replaced]) is None


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_a_hook_of_all_modules_is_seen(register: str) -> None:
    hook = getattr(nn.modules.module, register)(lambda *_: None)
    try:
        assert not is_unwatched(nn.Linear(1, 1))
    finally:
        hook.remove()
    assert is_unwatched(nn.Linear(1, 1))
