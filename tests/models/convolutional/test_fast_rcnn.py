"""Fast R-CNN: the count of its published form, any number of boxes, and shapes that it learns to tell apart."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import safetensors.torch
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import BoxPreprocessing, ImagePreprocessing
from ganglion.data.proposals import proposed
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.inspect import excite, strongest_patches
from ganglion.models import find
from ganglion.models.backbones import BackboneName
from ganglion.models.convolutional.fast_rcnn import TINY, Config, FastRCNN, build
from ganglion.nn.images.boxes import overlaps
from ganglion.runs import weights
from ganglion.training.settings import TrainerSettings
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


MAPS = {"alexnet": 256, "vgg": 512, "googlenet": 832, "resnet": 1024, "xception": 728, "efficientnet": 112}
"""Of what is left of the published forms, at a stride of 16: tables of the papers."""


QUICK = ("alexnet", "vgg", "resnet")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in get_args(BackboneName)]
)
def test_published_backbones_end_before_places_stand_for_more_than_16_pixels(name: BackboneName) -> None:
    with torch.device("meta"):
        network = FastRCNN(Config(backbone=name))
        assert network.convolutions(torch.zeros(1, 3, 320, 320)).shape[1] == MAPS[name]
        assert network(torch.zeros(1, 3, 320, 200), torch.zeros(1, 2, 4)).shape == (1, 2, 21, 5)
    assert (network.convolutions.stride, network.convolutions.channels) == (16, MAPS[name])


@pytest.mark.parametrize("name", get_args(BackboneName))
@torch.no_grad()
def test_the_stride_is_by_how_many_pixels_a_picture_moves_for_its_maps_to_move_by_a_place(name: BackboneName) -> None:
    torch.manual_seed(0)
    config = replace(TINY, backbone=name, backbone_form="small", image_size=224, stride=8)
    trunk = FastRCNN(config).eval().convolutions
    assert trunk.stride in (4, 8)
    image = torch.rand(1, 3, 192, 192)
    maps, moved = trunk(image), trunk(image.roll(2 * trunk.stride, dims=3))
    inner = slice(maps.shape[2] // 3, 2 * maps.shape[2] // 3)
    before, after = maps[..., inner, inner], moved[..., inner, inner.start + 2 : inner.stop + 2]
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)
    assert not torch.allclose(moved[..., inner, inner], before, atol=1e-3)


def test_all_of_a_backbone_learns() -> None:
    torch.manual_seed(0)
    config = replace(TINY, backbone="resnet", backbone_form="small", backbone_settings=("depth=8",), stride=4)
    rule = build(config)
    before = {name: one.clone() for name, one in rule.home.named_parameters()}
    rule.step(next(iter(ROW.loader())))
    assert not [name for name, one in rule.home.named_parameters() if torch.equal(one, before[name])]


def test_weights_of_a_run_of_the_backbone_and_of_torchvision_are_taken_over(tmp_path: Path) -> None:
    """Kernels of the convolutions, and the two dense layers where the grid of boxes is that of the classifier."""
    vgg = find("vgg").load()
    small = replace(vgg.SMALL, image_size=64, hidden_features=16, num_classes=5)
    with torch.random.fork_rng():
        network = vgg.VGG(small)
    files = {"ours": network.state_dict(), "torchvision": weights.with_published_names(network, "torchvision")}
    settings = ("hidden_features=16",)
    config = replace(
        TINY, backbone="vgg", backbone_form="small", backbone_settings=settings, hidden_features=16, pooled=2,
        image_size=64, stride=16,
    )  # fmt: skip
    for name, tensors in files.items():
        path = tmp_path / f"{name}.safetensors"
        safetensors.torch.save_file({key: value.contiguous() for key, value in tensors.items()}, path)
        rule = build(config)
        notes = weights.start(rule, TrainerSettings(start_from=str(path)))
        home = rule.home
        assert isinstance(home, FastRCNN)
        kernels = [one for one in network.features if isinstance(one, torch.nn.Conv2d)]
        own = [one for one in home.convolutions if isinstance(one, torch.nn.Conv2d)]
        assert len(own) == len(kernels) == 8
        assert all(torch.equal(one.weight, other.weight) for one, other in zip(own, kernels, strict=True))
        assert torch.equal(home.dense[0].weight, network.hidden1.weight)
        assert torch.equal(home.dense[3].bias, network.hidden2.bias)
        assert any("names are those of " + ("vgg" if name == "ours" else name) in note for note in notes)
    wider = build(replace(config, pooled=4))
    weights.start(wider, TrainerSettings(start_from=str(path)))  # whose dense layers are of another size
    assert isinstance(wider.home, FastRCNN)
    assert torch.equal(wider.home.dense[3].weight, network.hidden2.weight)


def test_settings_that_a_backbone_has_not_are_refused() -> None:
    for settings, said in ((("depht=50",), "depht"), (("depth=49",), "depth"), (("depth",), "name=value")):
        with pytest.raises(ConfigurationError, match=said):
            FastRCNN(Config(backbone="resnet", backbone_settings=settings))
    with pytest.raises(ConfigurationError, match="so few pixels"):
        FastRCNN(Config(backbone="alexnet", stride=2))


def test_without_boxes_it_looks_at_the_whole_picture() -> None:
    network, images = build(TINY).home.eval(), torch.rand(2, 3, 32, 24)
    around = torch.tensor([[[0.0, 0.0, 24.0, 32.0]]]).expand(2, 1, 4)
    assert torch.equal(network(images), network(images, around))


def test_units_of_its_dense_layers_are_excited() -> None:
    network = build(TINY).home.eval()
    hidden = network.dense[3]
    found = excite(network, (3, 32, 32), "dense.3", units=(hidden.out_features - 1,), steps=20)
    assert found.after[0] > found.before[0]
    patches = strongest_patches(network, [torch.rand(4, 3, 32, 32)], "dense.3", count=2)
    assert len(patches.units) == hidden.out_features
