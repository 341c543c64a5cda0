"""Fast R-CNN: the count of its published form, any number of boxes, and shapes that it learns to tell apart."""

from functools import cache
from typing import Any

import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import BoxPreprocessing, ImagePreprocessing
from ganglion.data.proposals import proposed
from ganglion.data.sources.generators import generate
from ganglion.models.convolutional.fast_rcnn import TINY, Config, FastRCNN
from ganglion.nn.images.boxes import overlaps
from tests.contract.rows import Row


@cache
def columns() -> dict[str, Any]:
    """Pictures of shapes (40, 3, 32, 32) with their boxes and proposals."""
    data = generate("shapes", count=40)
    boxes = data.fields["boxes"].values
    proposals = proposed(data.inputs, "blobs", 60).values
    return {
        "inputs": ImagePreprocessing(image_size=32, channels=3)(data.inputs),
        "targets": BoxPreprocessing(image_size=32, num_classes=3)(boxes),
        "proposals": BoxPreprocessing(image_size=32, num_classes=1)(proposals),
    }


@torch.no_grad()
def share_of_objects_before_background(rule: LearningRule) -> float:
    """How often the box of an object is taken for one more surely than a proposal that shows none."""
    boxes, proposals = (columns()[name].padded(torch.arange(40))[0] for name in ("targets", "proposals"))
    shown, empty = (_sureness(rule, part) for part in (boxes, proposals))
    apart = overlaps(proposals[..., :4], boxes[..., :4]).amax(2) < 0.3
    objects, nothing = shown[boxes[..., 4] >= 0], empty[apart & (proposals[..., 4] >= 0)]
    return float((objects[:, None] > nothing).float().mean())


def _sureness(rule: LearningRule, boxes: torch.Tensor) -> torch.Tensor:
    """The logit that boxes (images, boxes, 5) show something, (images, boxes)."""
    logits = rule.home(columns()["inputs"], boxes[..., :4])[..., 0]
    return logits[..., 1:].logsumexp(2) - logits[..., 0]


ROW = Row(
    loader=lambda: InMemoryLoader(columns(), batch_size=8, seed=0),
    steps=60,
    measure=share_of_objects_before_background,
    threshold=0.9,
    counts=(({}, "network", 134_690_729),),
    options={"batch_size": 2},
    data=generate("shapes", count=16),  # proposals are made for each
)


def test_the_published_count_is_that_of_its_parts() -> None:
    """Thirteen convolutions of the network of sixteen layers, two dense layers of 4,096, 21 classes and 84 offsets."""
    with torch.device("meta"):
        network = FastRCNN(Config())
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert sizes["convolutions"] == 14_714_688
    assert sizes["dense"] == (512 * 49 + 1) * 4096 + (4096 + 1) * 4096
    assert sizes["classes"] + sizes["offsets"] == 4097 * (21 + 84)
    assert network.pooling.scale == 1 / 16


def test_what_a_box_is_does_not_depend_on_the_others() -> None:
    torch.manual_seed(0)
    network = FastRCNN(TINY).eval()
    images, boxes = torch.rand(2, 3, 32, 32), torch.rand(2, 7, 2, 2).mul(32)
    corners = torch.cat([boxes.amin(2), boxes.amax(2)], dim=2)
    answer = network(images, corners)
    assert answer.shape == (2, 7, 4, 5)
    torch.testing.assert_close(network(images[1:], corners[1:, 3:4])[0, 0], answer[1, 3])
