"""The equations of every cell against finite differences, and what torch has no network for written out."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganglion.nn.recurrent import (
    GRU,
    LSTM,
    Cell,
    ConvLSTM,
    ConvLSTMCell,
    ElmanCell,
    ElmanRNN,
    GRUCell,
    JordanCell,
    LSTMCell,
    LSTMState,
    Recurrent,
    State,
)

CELLS: dict[str, Callable[[], Cell]] = {
    "elman": lambda: ElmanCell(2, 3),
    "elman relu": lambda: ElmanCell(2, 3, "relu"),
    "lstm": lambda: LSTMCell(2, 3),
    "lstm with peepholes": lambda: LSTMCell(2, 3, peepholes=True),
    "gru, reset after": lambda: GRUCell(2, 3),
    "gru, reset before": lambda: GRUCell(2, 3, reset_after=False),
    "jordan": lambda: JordanCell(2, 4, 3),
    "conv lstm": lambda: ConvLSTMCell(2, 3),
}


def _with_all_weights_drawn(cell: Cell) -> Cell:
    torch.manual_seed(0)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cell.double()


def _example(cell: Cell) -> tuple[Tensor, list[Tensor]]:
    space = (3, 2) if isinstance(cell, ConvLSTMCell) else ()
    inputs = torch.randn(2, 4, 2, *space, dtype=torch.float64, requires_grad=True)
    shapes = cell.state_shapes(inputs.transpose(0, 1))
    return inputs, [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("name", CELLS)
def test_gradients_pass_finite_differences_twice(name: str) -> None:
    cell = _with_all_weights_drawn(CELLS[name]())
    names = [name for name, _ in cell.named_parameters()]
    inputs, state = _example(cell)

    def run(inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        weights = dict(zip(names, rest[len(state) :], strict=True))
        outputs, last = functional_call(cell, weights, (inputs, rest[: len(state)]))
        return outputs, *last

    arguments = (inputs, *state, *cell.parameters())
    assert torch.autograd.gradcheck(run, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, arguments, fast_mode=True)


@pytest.mark.parametrize("name", [name for name in CELLS if name not in ("jordan", "conv lstm")])
def test_weights_are_read_as_the_docstring_says(name: str) -> None:
    """A step from a cell in double precision agrees with the equations written out for one sample."""
    cell = _with_all_weights_drawn(CELLS[name]())
    x, h, c = (torch.randn(width, dtype=torch.float64) for width in (2, 3, 3))
    w, u, b = (getattr(cell, name).unflatten(0, (-1, 3)) for name in ("input_weight", "recurrent_weight", "bias"))
    part = [w[gate] @ x + u[gate] @ h + b[gate] for gate in range(len(w))]
    if isinstance(cell, LSTMCell):
        p = torch.zeros(3, 3) if cell.peepholes is None else cell.peepholes
        i, f, z = torch.sigmoid(part[0] + p[0] * c), torch.sigmoid(part[1] + p[1] * c), torch.tanh(part[2])
        c_next = f * c + i * z
        expected = [torch.sigmoid(part[3] + p[2] * c_next) * torch.tanh(c_next), c_next]
    elif isinstance(cell, GRUCell):
        r, update = torch.sigmoid(part[0]), torch.sigmoid(part[1])
        inner = u[2] @ (r * h) if cell.recurrent_bias is None else r * (u[2] @ h + cell.recurrent_bias)
        expected = [(1 - update) * torch.tanh(w[2] @ x + b[2] + inner) + update * h]
    else:
        expected = [part[0].relu() if getattr(cell, "nonlinearity", "") == "relu" else part[0].tanh()]
    state = (h[None], c[None])[: len(cell.state_features)]
    for found, wanted in zip(cell.step(cell.project(x[None, None])[0], state), expected, strict=True):
        torch.testing.assert_close(found[0], wanted)


def test_a_convolutional_memory_of_single_points_is_a_dense_one() -> None:
    dense, maps = LSTMCell(2, 3, peepholes=True), ConvLSTMCell(2, 3, kernel_size=3)
    _with_all_weights_drawn(dense)
    with torch.no_grad():
        for name, parameter in maps.double().named_parameters():
            value = getattr(dense, name)
            if parameter.dim() == 4:
                parameter[:, :, 1, 1] = value
            else:
                parameter.copy_(value)
    inputs, state = torch.randn(5, 2, 2, dtype=torch.float64), torch.randn(2, 2, 3, dtype=torch.float64)
    expected, last = dense(inputs.transpose(0, 1), LSTMState(*state))
    found, end = maps(inputs.transpose(0, 1)[..., None, None], LSTMState(*state[..., None, None]))
    torch.testing.assert_close(found[..., 0, 0], expected)
    torch.testing.assert_close(end.cell[..., 0, 0], last.cell)


def _count(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


@pytest.mark.parametrize(
    ("channels", "published"), [((256,), 13_524_496), ((128, 128), 10_042_896), ((128, 64, 64), 7_585_296)]
)
def test_convolutional_networks_of_shi_have_the_published_numbers_of_parameters(
    channels: tuple[int, ...], published: int
) -> None:
    with torch.device("meta"):
        encoder, forecaster = ConvLSTM(16, channels, 5), ConvLSTM(0, channels, 5)
        head = nn.Conv2d(sum(channels), 16, 1)  # All hidden states of the forecaster are read.
        assert _count(encoder, forecaster, head) == published
        _, state = encoder(torch.empty(2, 10, 16, 16, 16))
        outputs, _ = forecaster(torch.empty(2, 0, 16, 16), state, steps=10)
    assert outputs.shape == (2, 10, channels[-1], 16, 16)


def test_the_fully_connected_network_of_shi_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        encoder, forecaster = LSTM(64 * 64, 2048, 2, peepholes=True), LSTM(0, 2048, 2, peepholes=True)
        assert _count(encoder, forecaster, nn.Linear(2048, 64 * 64)) == 142_667_776


def test_both_directions_of_maps_and_their_sum() -> None:
    outputs, state = ConvLSTM(1, (2, 3), bidirectional=True)(torch.randn(2, 4, 1, 5, 6))
    assert outputs.shape == (2, 4, 6, 5, 6)
    assert [tuple(part.cell.shape) for part in state] == [(2, 2, 5, 6)] * 2 + [(2, 3, 5, 6)] * 2
    outputs, _ = ConvLSTM(1, (2, 3), bidirectional=True, merge="sum", learned_state=True)(torch.randn(2, 4, 1, 5, 6))
    assert outputs.shape == (2, 4, 3, 5, 6)


def test_the_sum_of_two_directions_is_v_f_h_f_plus_v_b_h_b_plus_c() -> None:
    network = ElmanRNN(3, 7, bidirectional=True, merge="sum")
    inputs = torch.randn(4, 11, 3)
    plain = Recurrent(network.layers, network.backward_layers)
    forward, backward = plain(inputs)[0].split(7, dim=2)
    v_f, v_b = network.merges[0].weight.split(7, dim=1)
    expected = forward @ v_f.T + backward @ v_b.T + network.merges[0].bias
    torch.testing.assert_close(network(inputs)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("merge", ["concatenate", "sum"])
def test_last_outputs_are_those_of_the_last_steps(merge: str) -> None:
    network = GRU(3, 7, 2, bidirectional=True, merge=merge)
    inputs, lengths = torch.randn(4, 11, 3), torch.tensor([4, 11, 1, 7])
    states = network(inputs, lengths=lengths)[1]
    hidden = torch.cat([states[-2][0], states[-1][0]], dim=1)
    expected = hidden if merge == "concatenate" else network.merges[-1](hidden)
    network.returns = "last"
    torch.testing.assert_close(network(inputs, lengths=lengths)[0], expected)
    one_way = GRU(3, 7, returns="last")
    last = one_way(inputs, lengths=lengths)[0]
    one_way.returns = "all"
    torch.testing.assert_close(last, one_way(inputs)[0][torch.arange(4), lengths - 1])


def test_time_first_is_the_same_with_axes_swapped() -> None:
    network = LSTM(3, 7, 2, bidirectional=True)
    inputs = torch.randn(4, 11, 3)
    expected, _ = network(inputs)
    network.batch_first = False
    assert torch.equal(network(inputs.transpose(0, 1))[0].transpose(0, 1), expected)


def test_one_to_many_reads_the_same_input_at_every_step() -> None:
    network = LSTM(3, 7)
    inputs = torch.randn(4, 3)
    torch.testing.assert_close(network(inputs, steps=5)[0], network(inputs[:, None].expand(4, 5, 3))[0])


@pytest.mark.parametrize("network", [LSTM(3, 7, 2, learned_state=True, bidirectional=True), ElmanRNN(3, 7)])
def test_learnt_initial_states_start_at_zero_get_gradients_and_are_used(network: Recurrent) -> None:
    inputs = torch.randn(4, 5, 3)
    before = network(inputs)[0]
    before.square().sum().backward()
    assert len(network.initial_states) == (8 if network.backward_layers else 0)
    assert all(start.grad is not None and start.grad.any() for start in network.initial_states)
    if network.initial_states:
        network.initial_states[0].data.fill_(1)
        assert not torch.equal(network(inputs)[0], before)
        given = tuple((torch.zeros(4, 7), torch.zeros(4, 7)) for _ in network.cells)
        torch.testing.assert_close(network(inputs, given)[0], before)


@pytest.mark.parametrize("name", ["elman", "lstm with peepholes", "gru, reset after", "gru, reset before"])
def test_recurrent_dropout_zeroes_the_same_units_at_every_step(name: str) -> None:
    """The scan with a mask equals one with the columns of the recurrent weights scaled by it, sample by sample."""
    cell = CELLS[name]()
    inputs, mask = torch.randn(2, 6, 2), torch.tensor([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]])
    state = tuple(torch.randn(2, 3) for _ in cell.state_features)
    found, _ = cell(inputs, state, mask=mask)
    for row in range(2):
        weight = cell.recurrent_weight * mask[row]
        expected, _ = functional_call(
            cell, {"recurrent_weight": weight}, (inputs[row : row + 1], tuple(part[row : row + 1] for part in state))
        )
        torch.testing.assert_close(found[row], expected[0], rtol=1e-5, atol=1e-5)


def test_recurrent_dropout_acts_only_while_training() -> None:
    network = LSTM(3, 7, recurrent_dropout=0.5)
    inputs = torch.randn(4, 5, 3)
    assert not torch.equal(network(inputs)[0], network(inputs)[0])
    assert torch.equal(network.eval()(inputs)[0], network(inputs)[0])


@pytest.mark.parametrize("segments", [2, 3, 11, 50])
def test_segments_of_time_change_neither_values_nor_gradients(segments: int) -> None:
    inputs, lengths = torch.randn(4, 11, 3), torch.tensor([4, 11, 1, 7])
    results = []
    for count in (1, segments):
        torch.manual_seed(0)
        network = LSTM(3, 7, 2, bidirectional=True, checkpoint_segments=count)
        outputs, state = network(inputs, lengths=lengths)
        (outputs.square().sum() + sum(part.cell.sum() for part in state)).backward()
        results.append([outputs, *[part.cell for part in state], *[p.grad for p in network.parameters()]])
    for whole, pieces in zip(*results, strict=True):
        torch.testing.assert_close(whole, pieces, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("returns", ["all", "last"])
@pytest.mark.parametrize("make", [LSTM, GRU, ElmanRNN])
def test_without_gradients_long_inputs_are_read_in_pieces(
    make: Callable[..., Recurrent], returns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(3, 7, 2, bidirectional=True, returns=returns).eval()
    inputs, lengths = torch.randn(4, 11, 3), torch.tensor([4, 11, 1, 7])
    monkeypatch.setattr("ganglion.nn.recurrent.network.PIECE", 3 * 4 * 7)
    for ends in (None, lengths):
        whole, state = network(inputs, lengths=ends)
        with torch.no_grad():
            in_pieces, state_of_pieces = network(inputs, lengths=ends)
        torch.testing.assert_close(in_pieces, whole.detach())
        for part, expected in zip(state_of_pieces, state, strict=True):
            torch.testing.assert_close(tuple(part), tuple(tensor.detach() for tensor in expected))


class _Leaky(Cell):
    """A cell as a user would write it, with a state that is not its output."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.state_features = (hidden_features, 2)
        self.read, self.recall = nn.Linear(in_features, hidden_features), nn.Linear(hidden_features, 2)

    def step(self, projected: Tensor, state: State) -> State:
        hidden = 0.5 * state[0] + self.read(projected).tanh() + state[1].sum(1, keepdim=True)
        return hidden, self.recall(hidden)


def test_a_cell_of_ones_own_has_layers_directions_and_lengths() -> None:
    network = Recurrent([_Leaky(3, 7), _Leaky(14, 5)], [_Leaky(3, 7), _Leaky(14, 5)], learned_state=True)
    lengths = torch.tensor([4, 11, 1, 7])
    inputs = torch.randn(4, 11, 3)
    outputs, state = network(inputs, lengths=lengths)
    assert outputs.shape == (4, 11, 10)
    assert [tuple(part.shape) for part in state[-1]] == [(4, 5), (4, 2)]
    alone, end = network(inputs[2:3, :1])
    torch.testing.assert_close(outputs[2, :1], alone[0])
    torch.testing.assert_close(state[-1][1][2], end[-1][1][0])
    outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
