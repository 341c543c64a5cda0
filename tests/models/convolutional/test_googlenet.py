"""GoogLeNet: published counts and shapes, what the further heads add to the loss, small images, and learning."""

import pytest
import torch

from ganglion.models.convolutional.googlenet import Config, GoogLeNet, build
from ganglion.rules.descend import Descent
from ganglion.rules.losses import cross_entropy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 8
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=60,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.6,
    options={"limit": 60, "test": 0.1, "batch_size": 4},
    counts=(
        ({}, "network", 6_998_552),
        ({"auxiliary": True}, "network", 13_378_280),
        ({"variant": "batch-normalised"}, "network", 6_624_904),
        ({"variant": "batch-normalised", "auxiliary": True}, "network", 13_004_888),
    ),
)


def test_published_shapes() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        network = GoogLeNet(Config(auxiliary=True))
        for name in ("stem", "stage3", "pool3", "stage4", "pool4", "stage5"):
            part = getattr(network, name)
            part.register_forward_hook(lambda part, _, output, name=name: shapes.update({name: tuple(output.shape)}))
        for head in network.auxiliary:
            head.register_forward_pre_hook(lambda head, inputs: shapes.update({"head": tuple(inputs[0].shape)}))
        outputs = network.heads(torch.zeros(1, 3, 224, 224))
    assert shapes["stem"][1:] == (192, 28, 28) and shapes["pool3"][1:] == (480, 14, 14)
    assert shapes["pool4"][1:] == (832, 7, 7) and shapes["stage5"][1:] == (1024, 7, 7) and shapes["head"][1] == 528
    assert [tuple(one.shape) for one in outputs] == [(1, 1000)] * 3
    heads = [sum(weight.numel() for weight in head.parameters()) for head in network.auxiliary]
    assert heads == [3_188_840, 3_190_888]


def test_further_heads_count_while_training_only() -> None:
    torch.manual_seed(0)
    config = Config(
        in_channels=1, image_size=8, num_classes=3, width=0.05, auxiliary=True, dropout=0.0, auxiliary_dropout=0.0,
        descent=Descent(learning_rate=0.0),
    )  # fmt: skip
    rule = build(config)
    batch = {"inputs": torch.rand(6, 1, 8, 8), "targets": torch.arange(6) % 3}
    answer, *others = rule.home.heads(batch["inputs"])
    losses = [cross_entropy(one, batch["targets"]).item() for one in (answer, *others)]
    assert float(rule.step(batch)["loss"]) == pytest.approx(losses[0] + 0.3 * (losses[1] + losses[2]))
    assert rule.judge(answer, batch["targets"])["loss"].item() == pytest.approx(losses[0])


@pytest.mark.parametrize("variant", ["2014", "batch-normalised"])
@pytest.mark.parametrize(("size", "channels"), [(17, 1), (96, 3)])
def test_other_images(size: int, channels: int, variant: str) -> None:
    with torch.device("meta"):
        config = Config(in_channels=channels, image_size=size, num_classes=7, auxiliary=True, variant=variant)
        network = GoogLeNet(config)
        assert [one.shape for one in network.heads(torch.zeros(2, channels, size, size))] == [(2, 7)] * 3
