"""The generated facts: current, complete, and in agreement with what was published."""

import dataclasses
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from ganglion import models
from ganglion.models import INDEX, System, find, names
from ganglion.runs import facts
from ganglion.runs.opening import without_numbers
from ganglion.settings import field_documentation

HEADINGS = (
    "Idea", "Equations", "Networks", "Learning rule", "Data it expects", "What to expect", "Departures from the paper",
    "References",
)  # fmt: skip


@cache
def made(name: str) -> dict[str, Any]:
    return facts.make(find(name))


def in_groups(name: str) -> Any:
    """Tests of one system's facts run in one process, which makes them once."""
    return pytest.param(name, marks=pytest.mark.xdist_group(f"facts of {name}"))


@pytest.mark.parametrize("name", [*map(in_groups, names())])
def test_the_file_is_current(name: str) -> None:
    assert facts.load(find(name)) == made(name), "run `make facts`"


def test_no_file_is_left_of_a_system_that_is_gone() -> None:
    folder = Path(models.__file__).parent
    assert {facts.path(system) for system in INDEX} == set(folder.rglob("*.json"))


@pytest.mark.parametrize("name", [*map(in_groups, names())])
def test_layers_add_up_to_the_parameters(name: str) -> None:
    """Layers are counted by calling the network, parameters by walking it."""
    known = made(name)
    for role, parameters in known["parameters_by_role"].items():
        assert sum(layer["parameters"] for layer in known["layers"] if layer["role"] == role) == parameters
    assert known["parameters"] == sum(known["parameters_by_role"].values())


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("lenet5", {"network": 60_000}),
        ("convnet", {"network": 93_322}),
        ("lstm-forecaster", {"network": 806_017}),
        ("dcgan", {"generator": 3_576_704, "discriminator": 2_765_568}),
    ],
)
def test_default_configurations_count_as_published(name: str, published: dict[str, int]) -> None:
    assert made(name)["parameters_by_role"] == published


@pytest.mark.parametrize("name", names())
def test_docstrings_have_the_fixed_headings_in_order(name: str) -> None:
    stored = facts.load(find(name))
    assert stored is not None
    assert tuple(re.findall(r"^(\S.*):$", stored["documentation"], flags=re.MULTILINE)) == HEADINGS
    assert len(stored["summary"]) <= 120 and not stored["summary"].endswith(".")
    assert stored["references"] and all(re.search(r"\d{4}", entry) for entry in stored["references"])


@pytest.mark.parametrize("name", names())
def test_every_field_is_explained_in_a_sentence(name: str) -> None:
    stored = facts.load(find(name))
    assert stored is not None
    for field in stored["fields"]:
        assert field["help"].endswith("."), field["name"]
        assert field["name"] == field["name"].strip() and " " not in field["name"]


@pytest.mark.parametrize("system", INDEX, ids=names())
def test_every_field_has_its_sentence_in_the_source(system: System) -> None:
    """Those that hold nested settings too, which are flattened in the facts."""
    config = system.load().Config
    assert set(field_documentation(config)) >= {field.name for field in dataclasses.fields(config)}


@pytest.mark.parametrize("system", INDEX, ids=names())
def test_examples_are_inputs_of_every_network(system: System) -> None:
    """The tiny form is run on them; the published one is where its facts are made."""
    module = system.load()
    published, examples = without_numbers(system, module.Config())
    assert examples.keys() == published.networks.keys()
    rule, examples = module.build(module.TINY), module.examples(module.TINY)
    assert examples.keys() == rule.networks.keys()
    for role, network in rule.networks.items():
        with torch.no_grad():
            assert len(network.eval()(*examples[role])) == 1


def test_multiply_adds_of_a_convolution() -> None:
    """26 x 26 places, 32 kernels of 3 x 3."""
    assert made("convnet")["layers"][0]["multiply_adds"] == 26 * 26 * 32 * 9


def test_nested_settings_are_flattened_as_training_knows_them() -> None:
    listed = [field["name"] for field in facts.fields(find("gan").load().Config())]
    assert "generator_descent.learning_rate" in listed
    listed = [field["name"] for field in facts.fields(find("mlp").load().Config())]
    assert "learning_rate" in listed and "descent" not in listed
