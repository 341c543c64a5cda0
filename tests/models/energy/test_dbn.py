"""Deep belief networks: published counts, energies by enumeration, phases, dreams, and what is refused."""

from pathlib import Path

import pytest
import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError, DataError
from ganglion.models.energy.dbn import Config, build
from ganglion.nn.belief import DeepBeliefNetwork
from ganglion.nn.energy import BernoulliRBM, binary_states
from ganglion.rules.energy.deep_belief import DeepBelief
from ganglion.runs.session import train
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

DOWN = ("weights.0", "weights.1", "biases.0", "biases.1", "biases.2")
ROW = Row(
    loader=labelled("digits", batch_size=32, side=8),
    steps=150,
    measure=share_of_right_answers("digits", side=8),
    threshold=0.9,
    counts=(({}, "network", 1_665_010),),
    frozen=tuple(f"network.down.{name}" for name in DOWN),
    options={"limit": 200},
)


def test_the_model_of_data_and_classes_has_the_published_weights() -> None:
    network = DeepBeliefNetwork(784, (500, 500, 2000), 10, generative=True)
    weights = [layer.weight for layer in (*network.layers, network.output)]  # type: ignore[union-attr]
    assert sum(weight.numel() for weight in weights) == 1_662_000  # type: ignore[union-attr]


def random_network(**fields: bool) -> DeepBeliefNetwork:
    torch.manual_seed(0)
    network = DeepBeliefNetwork(6, (5, 4), 3, deviation=1.0, **fields).double()  # type: ignore[arg-type]
    for bias in (*network.down.biases, *(layer.bias for layer in network.layers), network.output.bias):
        torch.nn.init.normal_(bias)  # type: ignore[arg-type]
    return network


def test_classes_are_as_probable_as_enumeration_says() -> None:
    network = random_network(generative=True)
    below = torch.rand(2, 5, dtype=torch.float64)
    hidden, top = binary_states(4).double(), network.layers[-1]
    energies = torch.empty(2, 3, 16, dtype=torch.float64)
    for number, v in enumerate(below):
        for label in range(3):
            upward = hidden @ (top.weight @ v) + hidden @ top.bias  # type: ignore[operator]
            own = network.output.bias[label] + hidden @ network.output.weight[label]
            energies[number, label] = upward + own + v @ network.down.biases[-1]
    expected = energies.logsumexp(-1).softmax(-1)
    free = torch.stack([-network.free_energy(1, below, one.expand(2, 3)) for one in torch.eye(3).double()], dim=1)
    torch.testing.assert_close(free, energies.logsumexp(-1))
    # forward starts at the inputs: inputs that the first layer sends to `below` have the same classes
    first = network.layers[0]
    inputs = torch.linalg.lstsq(first.weight, (torch.logit(below) - first.bias).T).solution.T  # type: ignore[arg-type, operator]
    torch.testing.assert_close(network(inputs).softmax(-1), expected)


def test_a_single_layer_contrasts_as_a_restricted_boltzmann_machine_does() -> None:
    network = random_network()
    machine = BernoulliRBM(6, 5).double()
    machine.weight.data, machine.hidden_bias.data = network.layers[0].weight.data, network.layers[0].bias.data  # type: ignore[union-attr, assignment]
    machine.visible_bias.data = network.down.biases[0].data
    visible = torch.rand(4, 6, dtype=torch.float64)
    torch.testing.assert_close(network.free_energy(0, visible), machine.free_energy(visible))


@pytest.mark.parametrize("fine", ["back-propagation", "up-down"])
def test_layers_learn_one_after_the_other_and_then_all(fine: str) -> None:
    torch.manual_seed(0)
    rule = build(Config(in_features=6, num_classes=3, hidden_features=(5, 4), fine=fine))  # type: ignore[arg-type]
    assert isinstance(rule, DeepBelief)
    assert [phase.name for phase in rule.phases] == ["layer 1", "layer 2", fine]
    batch = {"inputs": torch.rand(8, 6), "targets": torch.arange(8) % 3}
    moved = []
    for phase in rule.phases:
        rule.begin(phase)
        before = {name: one.detach().clone() for name, one in rule.network.named_parameters()}
        for _ in range(3):
            rule.step(batch)
        moved.append({name for name, one in rule.network.named_parameters() if (one != before[name]).any()})
    first = {"layers.0.weight", "layers.0.bias", "down.biases.0", "down.weights.0"}
    second = {"layers.1.weight", "layers.1.bias", "down.biases.1"}
    every = set(before)
    if fine == "up-down":
        assert moved == [first, second | {"output.weight", "output.bias"}, every]
    else:
        assert moved == [first, second, {name for name in every if not name.startswith("down")}]


def test_what_is_learnt_with_classes_can_be_dreamt_of() -> None:
    """Two patterns, a class each: the network dreams of the one that is asked for."""
    torch.manual_seed(0)
    patterns = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    config = Config(in_features=6, num_classes=2, hidden_features=(8, 8), fine="up-down", deviation=0.1)
    rule = build(config)
    assert isinstance(rule, DeepBelief)
    loader = InMemoryLoader({"inputs": patterns.repeat(10, 1), "targets": torch.arange(20) % 2}, 20, seed=0)
    for phase in rule.phases:
        rule.begin(phase)
        for _ in range(150):
            rule.step(next(iter(loader)))
    dreams = rule.network.dream(torch.arange(100) % 2, steps=20, generator=torch.Generator().manual_seed(0))
    right = (dreams - patterns.repeat(50, 1)).abs().mean()
    assert right < 0.25 < (dreams - patterns.flip(0).repeat(50, 1)).abs().mean()
    assert (rule.network(patterns).argmax(1) == torch.arange(2)).all()


def test_numbers_that_are_no_probabilities_are_refused() -> None:
    rule = build(Config(in_features=2, num_classes=2, hidden_features=(4,)))
    rule.begin(rule.phases[0])
    with pytest.raises(DataError, match="on or off"):
        rule.step({"inputs": torch.tensor([[-1.0, 2.0]]), "targets": torch.tensor([0])})


def test_shares_and_layers_that_make_no_sense_are_refused() -> None:
    for fields in ({"pretraining": 1.0}, {"hidden_features": ()}):
        with pytest.raises(ConfigurationError):
            build(Config(**fields))


def test_phases_follow_each_other_in_one_run_and_dreams_are_drawn(tmp_path: Path) -> None:
    fields = {"hidden_features": (24, 24), "fine": "up-down", "limit": 200, "epochs": 6, "threads": 1}
    run = train("dbn", "digits", out=tmp_path / "run", **fields)
    phases = list(dict.fromkeys(row["phase"] for row in run.history if "phase" in row))
    assert phases == ["layer 1", "layer 2", "up-down"]
    assert (run.folder / "figures" / "dreams.png").exists()
