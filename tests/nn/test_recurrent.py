"""The LSTM against torch's own, against finite differences, and its two ways of computing against each other."""

import pytest
import torch
from torch import nn

from ganglion.errors import ShapeError, UsageError
from ganglion.nn.recurrent import LSTM, LSTMLayer, LSTMState, _in_one_buffer


def _theirs(num_layers: int = 2, **options: object) -> nn.LSTM:
    torch.manual_seed(0)
    return nn.LSTM(3, 7, num_layers, batch_first=True, **options)  # type: ignore[arg-type]


def _inputs() -> torch.Tensor:
    return torch.randn(4, 11, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unrolled"])
@pytest.mark.parametrize("given", [True, False], ids=["given state", "zero state"])
def test_values_and_gradients_equal_torch(fused: bool, given: bool) -> None:
    theirs = _theirs()
    ours = LSTM.from_torch(theirs)
    ours.fused = fused
    inputs = [_inputs().requires_grad_() for _ in range(2)]
    state = LSTMState(torch.randn(2, 4, 7), torch.randn(2, 4, 7)) if given else None
    outputs, last = ours(inputs[0], state)
    expected, (hidden, cell) = theirs(inputs[1], state)
    for mine, other in ((outputs, expected), (last.hidden, hidden), (last.cell, cell)):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)

    weights = torch.randn_like(outputs)
    ((outputs * weights).sum() + last.cell.sum()).backward()
    ((expected * weights).sum() + cell.sum()).backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-5, atol=1e-5)
    for layer, (input_weight, recurrent_weight, bias, second_bias) in zip(ours.layers, theirs.all_weights, strict=True):
        torch.testing.assert_close(layer.input_weight.grad, input_weight.grad, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(layer.recurrent_weight.grad, recurrent_weight.grad, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(layer.bias.grad, bias.grad, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(layer.bias.grad, second_bias.grad, rtol=1e-5, atol=1e-5)


def test_equations_pass_finite_differences() -> None:
    layer = LSTMLayer(2, 3).double()
    names = [name for name, _ in layer.named_parameters()]

    def run(inputs: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor, *weights: torch.Tensor) -> object:
        clone = LSTMLayer(2, 3).double()
        for name, weight in zip(names, weights, strict=True):
            delattr(clone, name)
            setattr(clone, name, weight)
        return clone.unroll(inputs, hidden, cell)

    start = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 4, 2), (2, 3), (2, 3))]
    arguments = (*start, *[parameter.detach().requires_grad_() for parameter in layer.parameters()])
    assert torch.autograd.gradcheck(run, arguments)
    assert torch.autograd.gradgradcheck(run, arguments)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_conversion_is_exact_in_both_directions(num_layers: int) -> None:
    ours = LSTM(3, 7, num_layers, dropout=0.3).eval()
    theirs = ours.to_torch()
    assert theirs.training is False
    back = LSTM.from_torch(theirs)
    for name, tensor in ours.state_dict().items():
        assert torch.equal(tensor, back.state_dict()[name]), name
    torch.testing.assert_close(ours(_inputs())[0], theirs(_inputs())[0], rtol=1e-5, atol=1e-6)


def test_conversion_keeps_type_and_knows_missing_biases() -> None:
    theirs = _theirs(bias=False).double()
    ours = LSTM.from_torch(theirs)
    torch.testing.assert_close(ours(_inputs().double())[0], theirs(_inputs().double())[0])
    assert not any(layer.bias.any() for layer in ours.layers)


@pytest.mark.parametrize("options", [{"bidirectional": True}, {"proj_size": 2}])
def test_conversion_refuses_what_it_cannot_express(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot convert"):
        LSTM.from_torch(_theirs(**options))


def test_two_halves_with_the_state_handed_over_equal_the_whole() -> None:
    lstm = LSTM(3, 7, 2)
    whole, last = lstm(_inputs())
    first, state = lstm(_inputs()[:, :5])
    second, again = lstm(_inputs()[:, 5:], state)
    torch.testing.assert_close(torch.cat((first, second), dim=1), whole)
    torch.testing.assert_close(again.cell, last.cell)


def test_parameter_count_has_one_bias_per_gate() -> None:
    count = sum(parameter.numel() for parameter in LSTM(64, 128).parameters())
    assert count == 98_816  # torch.nn.LSTM with its two biases counts 99,328


def test_forget_gate_starts_open_and_the_other_biases_at_zero() -> None:
    i, f, z, o = LSTMLayer(3, 5, forget_bias=2.5).bias.chunk(4)
    assert torch.equal(f, torch.full((5,), 2.5))
    assert not any(bias.any() for bias in (i, z, o))


def test_recurrent_weights_start_orthogonal_gate_by_gate() -> None:
    for weight in LSTMLayer(3, 16).recurrent_weight.chunk(4):
        torch.testing.assert_close(weight @ weight.T, torch.eye(16), rtol=0, atol=1e-5)


def test_dropout_acts_between_layers_and_only_while_training() -> None:
    lstm = LSTM(3, 7, 2, dropout=0.9)
    assert not torch.equal(lstm(_inputs())[0], lstm(_inputs())[0])
    lstm.eval()
    assert torch.equal(lstm(_inputs())[0], lstm(_inputs())[0])
    single = LSTM(3, 7, 1, dropout=0.9)
    assert torch.equal(single(_inputs())[0], single(_inputs())[0])
    assert (LSTM(3, 64, 2, dropout=0.9)(_inputs())[0] != 0).all()


def test_one_buffer_holds_the_same_weights_side_by_side_and_passes_gradients() -> None:
    layer = LSTMLayer(3, 7)
    weights = list(layer.parameters())
    pieces = _in_one_buffer(weights)
    assert all(torch.equal(piece, weight) for piece, weight in zip(pieces, weights, strict=True))
    offsets = [piece.storage_offset() for piece in pieces]
    assert offsets == [0, weights[0].numel(), weights[0].numel() + weights[1].numel()]
    sum(piece.square().sum() for piece in pieces).backward()
    torch.testing.assert_close(layer.bias.grad, 2 * layer.bias)


def test_runs_under_bf16_autocast() -> None:
    lstm = LSTM(3, 7, 2)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = lstm(_inputs())
        outputs.float().sum().backward()
    torch.testing.assert_close(outputs.float(), lstm(_inputs())[0], rtol=0.05, atol=0.02)


@pytest.mark.parametrize("shape", [(4, 11), (4, 11, 2), (4, 0, 3)])
def test_refuses_inputs_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(batch, time, 3\)"):
        LSTM(3, 7)(torch.zeros(shape))


def test_refuses_a_state_of_another_shape() -> None:
    good, bad = torch.zeros(2, 4, 7), torch.zeros(1, 4, 7)
    with pytest.raises(ShapeError, match="the cell state"):
        LSTM(3, 7, 2)(_inputs(), LSTMState(good, bad))
