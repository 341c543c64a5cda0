"""Deep belief networks: published counts, energies by enumeration, phases, dreams, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.models.energy.dbn import Config, build
from ganglion.nn.energy.belief import DeepBeliefNetwork
from ganglion.nn.energy.restricted import BernoulliRBM, binary_states
from ganglion.rules.descend import Descent
from ganglion.rules.energy.deep_belief import DeepBelief, Fine
from ganglion.runs.session import train
from ganglion.tasks.answers import Images
from ganglion.tasks.classification import Classification
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

DOWN = ("weights.0", "weights.1", "biases.0", "biases.1", "biases.2")
BOTH_WAYS = 500 * 500 + 784 * 500 + (500 + 500 + 2000 + 10) + (784 + 500 + 500)
"""Of the generative form beside its 1,662,000 weights: weights of the way down, and biases up and down."""
ROW = Row(
    loader=labelled("digits", batch_size=32, side=8),
    steps=150,
    measure=share_of_right_answers("digits", side=8),
    threshold=0.9,
    counts=(({}, "network", 1_665_010), ({"fine": "up-down"}, "network", 1_662_000 + BOTH_WAYS)),
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


def test_chains_that_run_on_show_units_and_classes_as_often_as_they_are_probable() -> None:
    network = random_network(generative=True)
    still = Descent(optimizer="sgd", learning_rate=0.0)
    rule = DeepBelief(network, still, pretraining_descent=still, fine="up-down", gibbs_steps=5, num_chains=8000)
    torch.manual_seed(1)
    for _ in range(6):
        below, classes = rule._run_on()
    units = binary_states(5).double()
    weights = torch.stack([-network.free_energy(1, units, one.expand(32, 3)) for one in torch.eye(3).double()], dim=1)
    exact = weights.flatten().softmax(0).view(32, 3)
    numbers = (below @ 2.0 ** torch.arange(5).double()).long()
    found = torch.zeros(32, 3, dtype=torch.float64)
    found.index_put_((numbers, classes.argmax(1)), torch.full((8000,), 1 / 8000).double(), accumulate=True)
    assert (found - exact).abs().max() < 0.02
    assert (found.sum(0) - exact.sum(0)).abs().max() < 0.03


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
    fields = {"hidden_features": (24, 24), "limit": 200, "epochs": 6, "threads": 1}
    run = train("dbn", "digits", form="generative", out=tmp_path / "run", **fields)
    phases = list(dict.fromkeys(row["phase"] for row in run.history if "phase" in row))
    assert phases == ["layer 1", "layer 2", "up-down"]
    assert (run.folder / "figures" / "dreams.png").exists()
    assert run.ask("generate", count=3, class_="7").shape == (3, 8, 8, 1)
    asked = run.answer("generate", count=12, seed=1)
    assert isinstance(asked, Images) and list(asked.groups) == [*"0123456789", "0", "1"] and asked.columns == 10
    with pytest.raises(ConfigurationError, match="unknown class 'seven'"):
        run.ask("generate", class_="seven")


def test_a_classifier_cannot_be_asked_for_a_class() -> None:
    names = {"inputs": None, "targets": None}
    tasks = {fine: Classification(Config(fine=fine), names) for fine in get_args(Fine)}
    assert "generate" in tasks["up-down"].questions and "generate" not in tasks["back-propagation"].questions
    with pytest.raises(UsageError, match="cannot generate"):
        tasks["back-propagation"].ask("generate", torch.nn.Linear(1, 1), None)


def test_classes_of_held_out_patterns_are_told_by_the_free_energy_of_the_top_pair() -> None:
    """Noisy copies of three patterns, half of them held out; chains of three steps at the top."""
    random = torch.Generator().manual_seed(0)
    patterns = torch.tensor([[1.0, 1, 1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 1, 1, 1, 0], [1, 0, 1, 0, 1, 0, 0, 1]])
    targets = torch.arange(240) % 3
    flips = torch.rand(240, 8, generator=random) < 0.08
    inputs = (patterns[targets].bool() ^ flips).float()
    torch.manual_seed(0)
    config = Config(in_features=8, num_classes=3, hidden_features=(12, 12), fine="up-down", deviation=0.1)
    rule = build(replace(config, descent=Descent(optimizer="adam", learning_rate=1e-2), gibbs_steps=3))
    assert isinstance(rule, DeepBelief)
    for phase in rule.phases:
        rule.begin(phase)
        for start in range(120):
            places = (torch.arange(40) + 40 * start) % 120
            rule.step({"inputs": inputs[places], "targets": targets[places]})
    right = rule.network(inputs[120:]).argmax(1) == targets[120:]
    assert right.float().mean() > 0.9
