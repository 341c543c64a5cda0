"""Settings that earlier formats kept elsewhere are found in their new place, and everything else is left alone."""

import pytest

from ganglion.models import find
from ganglion.runs.migration import FORMAT, migrated
from ganglion.settings import from_dict

OLD = {"in_channels": 1, "generator_loss": "minimax", "real_label": 0.8, "discriminator_steps": 3}


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_the_game_of_an_adversarial_network_has_a_place_of_its_own(name: str) -> None:
    about = {"format": 1, "system": name, "config": dict(OLD), "data": "digits"}
    found = migrated(about)
    config = from_dict(find(name).load().Config, found["config"])
    assert (config.game.loss, config.game.real_label, config.game.discriminator_steps) == ("minimax", 0.8, 3)
    assert found["format"] == FORMAT and found["data"] == "digits"
    assert about["config"] == OLD  # what was read is not changed


def test_what_is_in_the_present_format_is_left_alone() -> None:
    about = {"format": FORMAT, "system": "gan", "config": {"game": {"loss": "hinge"}}}
    assert migrated(about) is about
    other = {"format": 1, "system": "mlp", "config": {"real_label": 1.0}}
    assert migrated(other)["config"] == other["config"]
