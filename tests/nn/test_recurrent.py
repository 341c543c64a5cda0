"""Recurrent layers against torch's own: values, gradients, lengths, packed sequences, and conversion both ways."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ganglion.errors import ConfigurationError, ShapeError, UsageError
from ganglion.nn.recurrent import GRU, LSTM, ElmanRNN, GRUCell, LSTMCell, Recurrent, States, detached

LENGTHS = torch.tensor([4, 11, 1, 7])
PAIRS = {"elman": (ElmanRNN, nn.RNN), "lstm": (LSTM, nn.LSTM), "gru": (GRU, nn.GRU)}


@pytest.fixture(params=["fast", "reference"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GANGLION_FAST", "1" if request.param == "fast" else "0")
    return str(request.param)


def _inputs() -> Tensor:
    return torch.randn(4, 11, 3, generator=torch.Generator().manual_seed(1))


def _theirs(name: str, num_layers: int = 2, **options: Any) -> Any:
    torch.manual_seed(0)
    return PAIRS[name][1](3, 7, num_layers, batch_first=True, **options)


def _start(name: str, cells: int) -> tuple[States, Any]:
    """Return a given state as we and as torch take it."""
    hidden, cell = torch.randn(cells, 4, 7), torch.randn(cells, 4, 7)
    if name == "lstm":
        return tuple(zip(hidden, cell, strict=True)), (hidden, cell)
    return tuple((part,) for part in hidden), hidden


def _assert_close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def _assert_same_gradients(ours: Recurrent, theirs: Any) -> None:
    for cell, (input_weight, recurrent_weight, bias, second_bias) in zip(ours.cells, theirs.all_weights, strict=True):
        weights: Any = cell
        _assert_close(weights.input_weight.grad, input_weight.grad)
        _assert_close(weights.recurrent_weight.grad, recurrent_weight.grad)
        _assert_close(weights.bias.grad, bias.grad)
        if isinstance(cell, GRUCell):
            assert cell.recurrent_bias is not None
            _assert_close(cell.recurrent_bias.grad, second_bias.grad[-7:])


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "both"])
@pytest.mark.parametrize("given", [False, True], ids=["zero state", "given state"])
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients_equal_torch(name: str, given: bool, bidirectional: bool, path: str) -> None:
    theirs = _theirs(name, bidirectional=bidirectional)
    ours = PAIRS[name][0].from_torch(theirs)
    inputs = [_inputs().requires_grad_() for _ in range(2)]
    our_state, their_state = _start(name, len(ours.cells)) if given else (None, None)
    outputs, last = ours(inputs[0], our_state)
    expected, end = theirs(inputs[1], their_state)
    _assert_close(outputs, expected)
    for number, part in enumerate(end if name == "lstm" else (end,)):
        _assert_close(torch.stack([state[number] for state in last]), part)

    weights = torch.randn_like(outputs)
    ((outputs * weights).sum() + last[0][-1].square().sum()).backward()
    ((expected * weights).sum() + (end[1] if name == "lstm" else end)[0].square().sum()).backward()
    _assert_close(inputs[0].grad, inputs[1].grad)
    _assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("name", PAIRS)
def test_ragged_batches_equal_packed_ones_of_torch(name: str, path: str) -> None:
    theirs = _theirs(name, bidirectional=True)
    ours = PAIRS[name][0].from_torch(theirs)
    inputs = _inputs()
    packed = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, end = theirs(packed)
    padded, _ = pad_packed_sequence(expected, batch_first=True)
    hidden = end[0] if name == "lstm" else end

    outputs, last = ours(inputs, lengths=LENGTHS)
    _assert_close(outputs, padded)
    _assert_close(torch.stack([state[0] for state in last]), hidden)
    outputs.square().sum().backward()
    padded.square().sum().backward()
    _assert_same_gradients(ours, theirs)

    repacked, last = ours(packed)
    assert isinstance(repacked, PackedSequence)
    _assert_close(repacked.data, expected.data)
    assert torch.equal(repacked.unsorted_indices, packed.unsorted_indices)
    _assert_close(torch.stack([state[0] for state in last]), hidden)


@pytest.mark.parametrize("garbage", [1e30, float("nan")])
@pytest.mark.parametrize("name", PAIRS)
def test_nothing_past_the_end_of_a_sequence_is_read(name: str, garbage: float, path: str) -> None:
    network = PAIRS[name][0](3, 7, 2, bidirectional=True, merge="sum", learned_state=True)
    results = []
    for filling in (0.0, garbage):
        network.zero_grad()
        inputs = _inputs()
        for row, length in enumerate(LENGTHS):
            inputs[row, length:] = filling
        inputs.requires_grad_()
        outputs, last = network(inputs, lengths=LENGTHS)
        (outputs.square().sum() + last[-1][0].sum()).backward()
        assert inputs.grad is not None
        results.append([outputs, inputs.grad, *[parameter.grad for parameter in network.parameters()]])
    for clean, dirty in zip(*results, strict=True):
        assert torch.equal(clean, dirty)
    for row, length in enumerate(LENGTHS):
        assert not outputs[row, length:].any()
        assert not inputs.grad[row, length:].any()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_conversion_is_exact_in_both_directions(name: str, num_layers: int, bidirectional: bool) -> None:
    ours = PAIRS[name][0](3, 7, num_layers, dropout=0.3, bidirectional=bidirectional).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.5)  # Larger ones let rounding grow from step to step.
    theirs = ours.to_torch()
    assert theirs.training is False
    back = PAIRS[name][0].from_torch(theirs)
    for key, tensor in ours.state_dict().items():
        assert torch.equal(tensor, back.state_dict()[key]), key
    _assert_close(ours(_inputs())[0], theirs(_inputs())[0])


def test_conversion_keeps_type_nonlinearity_and_order_and_knows_missing_biases() -> None:
    theirs = nn.RNN(3, 7, bias=False, nonlinearity="relu").double()
    ours = ElmanRNN.from_torch(theirs)
    torch.testing.assert_close(ours(_inputs().double())[0], theirs(_inputs().double())[0])
    lstm = LSTM.from_torch(_theirs("lstm", bias=False))
    assert not any(cell.bias.any() for cell in lstm.cells)


def test_conversion_refuses_what_torch_or_we_cannot_express() -> None:
    with pytest.raises(UsageError, match="cannot convert"):
        LSTM.from_torch(_theirs("lstm", proj_size=2))
    for network in (LSTM(3, 7, peepholes=True), GRU(3, 7, reset_after=False), ElmanRNN(3, 7, recurrent_dropout=0.5)):
        with pytest.raises(UsageError, match="torch has no network"):
            network.to_torch()


def test_names_of_weights_stay_those_of_saved_networks() -> None:
    names = [f"layers.{layer}.{name}" for layer in (0, 1) for name in ("input_weight", "recurrent_weight", "bias")]
    assert list(LSTM(3, 7, 2).state_dict()) == names


@pytest.mark.parametrize("name", PAIRS)
def test_parts_with_the_state_handed_over_equal_the_whole(name: str, path: str) -> None:
    network = PAIRS[name][0](3, 7, 2)
    whole, last = network(_inputs())
    first, state = network(_inputs()[:, :5])
    second, again = network(_inputs()[:, 5:], state)
    _assert_close(torch.cat((first, second), dim=1), whole)
    _assert_close(again[-1][-1], last[-1][-1])


def test_a_detached_state_truncates_the_gradient_and_nothing_else() -> None:
    network = LSTM(3, 7)
    before, after = _inputs().requires_grad_(), _inputs()
    _, state = network(before)
    carried, _ = network(after, state)
    cut, _ = network(after, detached(state))
    assert torch.equal(carried, cut)
    assert torch.autograd.grad(cut.sum(), before, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(carried.sum(), before)[0].any()
    assert detached(state)[0].cell.grad_fn is None


def test_parameter_count_has_one_bias_per_gate() -> None:
    counts = [
        sum(p.numel() for p in network.parameters()) for network in (LSTM(64, 128), LSTM(64, 128, peepholes=True))
    ]
    assert counts == [98_816, 98_816 + 3 * 128]  # torch.nn.LSTM with its two biases counts 99,328


def test_forget_gate_starts_open_and_the_other_biases_at_zero() -> None:
    i, f, z, o = LSTMCell(3, 5, forget_bias=2.5).bias.chunk(4)
    assert torch.equal(f, torch.full((5,), 2.5))
    assert not any(bias.any() for bias in (i, z, o))


def test_recurrent_weights_start_orthogonal_gate_by_gate() -> None:
    for weight in LSTMCell(3, 16).recurrent_weight.chunk(4):
        torch.testing.assert_close(weight @ weight.T, torch.eye(16), rtol=0, atol=1e-5)


def test_dropout_acts_between_layers_and_only_while_training() -> None:
    network = LSTM(3, 7, 2, dropout=0.9)
    assert not torch.equal(network(_inputs())[0], network(_inputs())[0])
    network.eval()
    assert torch.equal(network(_inputs())[0], network(_inputs())[0])
    single = LSTM(3, 7, 1, dropout=0.9)
    assert torch.equal(single(_inputs())[0], single(_inputs())[0])
    assert (LSTM(3, 64, 2, dropout=0.9)(_inputs())[0] != 0).all()


@pytest.mark.parametrize("network", [LSTM(3, 7, 2), GRU(3, 7, 2), ElmanRNN(3, 7, 2)], ids=list("lge"))
def test_runs_under_bf16_autocast(network: Recurrent, path: str) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = network(_inputs())
        outputs.float().sum().backward()
    torch.testing.assert_close(outputs.float(), network(_inputs())[0], rtol=0.05, atol=0.03)


@pytest.mark.parametrize("shape", [(4, 11), (4, 11, 2), (4, 0, 3), (0, 11, 3), (3,)])
def test_refuses_inputs_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"(?s)LSTM\(3, 7\).*\(batch, time, 3\)"):
        LSTM(3, 7)(torch.zeros(shape))


def test_refuses_a_state_of_another_shape() -> None:
    good, bad = torch.zeros(4, 7), torch.zeros(4, 6)
    with pytest.raises(ShapeError, match=r"(?s)the state does not fit LSTM.*\(4, 7\).*\(4, 6\)"):
        LSTM(3, 7)(_inputs(), ((good, bad),))


@pytest.mark.parametrize("lengths", [[11, 11, 11], [11, 12, 1, 1], [0, 1, 1, 1], [1.0, 1.0, 1.0, 1.0]])
def test_refuses_lengths_that_do_not_fit(lengths: list[int]) -> None:
    with pytest.raises(ShapeError, match="from 1 to 11"):
        LSTM(3, 7)(_inputs(), lengths=lengths)


def test_refuses_impossible_options() -> None:
    for options in ({"num_layers": 0}, {"dropout": 1.0}, {"recurrent_dropout": -0.1}, {"checkpoint_segments": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            LSTM(3, 7, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="layers"):
        Recurrent([LSTMCell(3, 7), LSTMCell(7, 7)], [LSTMCell(3, 7)])
