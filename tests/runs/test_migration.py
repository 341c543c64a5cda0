"""Settings that earlier formats kept elsewhere are found in their new place, and everything else is left alone."""

import pytest
import torch

from ganglion.models import find
from ganglion.runs.migration import FORMAT, migrated
from ganglion.settings import from_dict
from ganglion.tasks.regression import Regression

GENERATION = {"task": "generation", "state": {}}
OLD = {"in_channels": 1, "image_size": 8, "generator_loss": "minimax", "real_label": 0.8, "discriminator_steps": 3}


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_the_game_of_an_adversarial_network_has_a_place_of_its_own(name: str) -> None:
    description = {"format": 1, "system": name, "config": dict(OLD), "data": "digits", **GENERATION}
    found = migrated(description)
    config = from_dict(find(name).load().Config, found["config"])
    assert (config.game.loss, config.game.real_label, config.game.discriminator_steps) == ("minimax", 0.8, 3)
    assert found["format"] == FORMAT and found["data"] == "digits"
    assert description["config"] == OLD  # what was read is not changed


def test_what_is_in_the_present_format_is_left_alone() -> None:
    description = {"format": FORMAT, "system": "gan", "config": {"game": {"loss": "hinge"}}}
    assert migrated(description) is description
    other = {"format": 1, "system": "mlp", "config": {"real_label": 1.0}, "task": "control", "state": {"seed": 0}}
    assert migrated(other)["config"] == other["config"] and migrated(other)["state"] == {"seed": 0}


def test_boxes_of_format_3_stand_on_the_plain_convolutions_that_there_were_then() -> None:
    module = find("fast-rcnn").load()
    config = {"num_classes": 3, "channels": [8, 16, 32], "depths": [1, 1, 1], "normalised": True, "hidden_features": 4}
    found = migrated({"format": 3, "system": "fast-rcnn", "config": config, "task": "detection", "state": {}})
    network = module.build(from_dict(module.Config, found["config"])).networks["network"]
    assert [name for name in network.state_dict() if name.endswith("weight")][:5] == [
        f"convolutions.{layer}.weight" for layer in (0, 1, 4, 5, 8)
    ]
    assert network.convolutions.stride == 4 and network.dense[0].in_features == 32 * 7**2
    chosen = {"backbone": "resnet", "stride": 8}
    kept = migrated({"format": 4, "system": "fast-rcnn", "config": chosen, "task": "detection", "state": {}})
    assert kept["config"] == chosen


def test_a_regression_of_format_2_answers_in_the_units_of_its_data() -> None:
    scale = {"means": [5.0], "deviations": [2.0]}
    rows = {"means": [1.0, 2.0], "deviations": [1.0, 1.0], "categories": [], "columns": ["x", "y"]}
    state = {"kind": "tabular", "preprocessing": rows, "target_scale": scale, "target_names": ["z"]}
    found = migrated({"format": 2, "system": "mlp", "config": {}, "task": "regression", "state": state})
    task = Regression.restore(found["state"], None)
    assert task.target_names == ("z",)
    assert task.preprocessing["inputs"].columns == ("x", "y")
    assert task.preprocessing["targets"].inverse(torch.ones(1, 1)).tolist() == [[7.0]]
