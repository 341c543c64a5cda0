"""The network of face poses: its size, its rule written out, and weights that can be looked at."""

import numpy as np
import pytest
import torch

from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.feedforward.face_pose import Config, FacePose, build
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

ROW = Row(
    loader=labelled("faces", batch_size=1, side=(30, 32)),
    steps=3000,
    measure=share_of_right_answers("faces", side=(30, 32)),
    threshold=0.85,
    counts=(({}, "network", 3 * 961 + 4 * 4), ({"hidden_features": 20, "num_classes": 20}, "network", 19_640)),
    data="faces",
)


def test_three_steps_are_those_of_the_rule_written_out() -> None:
    """Gradient and momentum by hand, one picture after the other."""
    torch.manual_seed(0)
    rule = build(Config())
    network = rule.home
    assert isinstance(network, FacePose) and not network.hidden.weight.any()
    w2 = network.output.weight.detach().numpy().astype(float)
    w1, b1, b2 = np.zeros((3, 960)), np.zeros(3), np.zeros(4)
    moved = [np.zeros_like(part) for part in (w1, b1, w2, b2)]
    random = np.random.default_rng(0)
    for picture, label in zip(random.uniform(size=(3, 960)), (2, 0, 3), strict=True):
        rule.step({"inputs": torch.tensor(picture).float().reshape(1, 1, 30, 32), "targets": torch.tensor([label])})
        hidden = 1 / (1 + np.exp(-(w1 @ picture + b1)))
        output = 1 / (1 + np.exp(-(w2 @ hidden + b2)))
        target = np.where(np.arange(4) == label, 0.9, 0.1)
        output_delta = output * (1 - output) * (target - output)
        hidden_delta = hidden * (1 - hidden) * (w2.T @ output_delta)
        changes = np.outer(hidden_delta, picture), hidden_delta, np.outer(output_delta, hidden), output_delta
        moved = [0.3 * change + 0.3 * before for change, before in zip(changes, moved, strict=True)]
        w1, b1, w2, b2 = (part + step for part, step in zip((w1, b1, w2, b2), moved, strict=True))
    for found, expected in zip(network.parameters(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_units_look_at_the_face_and_not_at_the_corners() -> None:
    data = generate("faces")
    images = torch.from_numpy(np.asarray(data.fields["inputs"].values)).float().movedim(3, 1) / 255
    poses = torch.from_numpy(np.asarray(data.fields["targets"].values))
    torch.manual_seed(0)
    rule = build(Config())
    for step in range(2500):
        place = step % len(images)
        rule.step({"inputs": images[place : place + 1], "targets": poses[place : place + 1]})
    assert accuracy(rule.home(images), poses) > 0.6
    weights = rule.home.hidden.weight.detach().reshape(3, 30, 32).abs()
    face = weights[:, 6:22, 6:26].mean()
    assert face > 2 * weights[:, :5, :5].mean() and face > 2 * weights[:, :5, -5:].mean()


def test_drawn_faces_have_four_poses_of_equal_number() -> None:
    data = generate("faces", count=80)
    assert np.asarray(data.fields["inputs"].values).shape == (80, 30, 32, 1)
    assert np.bincount(np.asarray(data.fields["targets"].values)).tolist() == [20] * 4
    assert data.label_names == ("left", "right", "straight", "up")


def test_targets_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="not above"):
        Config(low_target=0.9, high_target=0.9)
