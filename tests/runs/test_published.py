"""Weights by the names of torchvision and timm: names and shapes as read in their sources, there and back again.

`fixtures/published-names.txt` holds the names and shapes of the tensors, as the sources of torchvision 0.29 and timm
1.0 give them.
"""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from ganglion.errors import UsageError
from ganglion.models import find
from ganglion.runs import weights
from ganglion.runs.opening import without_numbers
from ganglion.training.settings import TrainerSettings

Shapes = dict[str, tuple[int, ...]]
NAMES = Path(__file__).parents[1] / "fixtures" / "published-names.txt"
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "torchvision alexnet": ("alexnet", {"variant": "2014"}),
    "torchvision vgg11": ("vgg", {"depth": 11}),
    "torchvision vgg16": ("vgg", {"depth": 16}),
    "torchvision resnet18": ("resnet", {"depth": 18}),
    "torchvision resnet50": ("resnet", {"depth": 50}),
    "torchvision googlenet": ("googlenet", {"variant": "batch-normalised", "auxiliary": True}),
    "torchvision efficientnet_b0": ("efficientnet", {"variant": "b0"}),
    "timm legacy_xception": ("xception", {}),
}
NARROW: dict[str, dict[str, Any]] = {
    "alexnet": {"variant": "2014", "channels": (4, 8, 8, 8, 8), "hidden_features": 8},
    "vgg": {"depth": 13, "channels": (4, 8, 8, 8, 8), "hidden_features": 8},
    "resnet": {"depth": 18},
    "googlenet": {"variant": "batch-normalised", "auxiliary": True, "width": 0.05},
    "efficientnet": {"width": 0.2, "depth": 0.5},
    "xception": {"width": 0.02, "middle_blocks": 2},
}
UNPUBLISHED: dict[str, dict[str, Any]] = {"alexnet": {}, "resnet": {"depth": 20}, "googlenet": {}, "convnet": {}}


def published() -> dict[str, Shapes]:
    """Return the shape of every tensor, by network and name."""
    networks: dict[str, Shapes] = {}
    for line in NAMES.read_text().splitlines():
        name, *sides = line.split()
        if name == "#":
            shapes = networks[" ".join(sides)] = {}
        else:
            shapes[name] = tuple(map(int, sides))
    return networks


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    if not shape:
        return torch.tensor(7)  # batches seen, which is a whole number
    return torch.rand(shape) * 0.1 + (0.5 if name.endswith("running_var") else 0)


@pytest.mark.parametrize("network", NETWORKS)
def test_names_and_shapes_are_those_of_the_package(network: str) -> None:
    system, fields = NETWORKS[network]
    rule, _ = without_numbers(find(system), find(system).load().Config(**fields))
    named = weights.with_published_names(rule.home, network.split()[0])
    assert {name: tuple(value.shape) for name, value in named.items()} == published()[network]


@pytest.mark.parametrize("system", NARROW)
def test_there_and_back_again(system: str, tmp_path: Path) -> None:
    module = find(system).load()
    config = module.Config(in_channels=1, image_size=32, num_classes=3, **NARROW[system])
    torch.manual_seed(0)
    first, second = (module.build(config).home.eval() for _ in range(2))
    origin = next(iter(first.published_names()))
    weights.write(first, tmp_path / "theirs.safetensors", origin)
    rule = module.build(config)
    rule.networks["network"] = second
    notes = weights.start(rule, TrainerSettings(start_from=str(tmp_path / "theirs.safetensors")))
    total = len(first.state_dict())
    assert f"{total} of {total} tensors" in notes[0] and origin in notes[1] and len(notes) == 2
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(first(images), second(images))


@pytest.mark.parametrize("classes", [1000, 4])
def test_further_heads_are_replaced_with_the_last_layer(classes: int, tmp_path: Path) -> None:
    module = find("googlenet").load()
    fields = {"in_channels": 1, "image_size": 8, "variant": "batch-normalised", "auxiliary": True, "width": 0.05}
    weights.write(module.build(module.Config(**fields)).home, tmp_path / "a.safetensors", "torchvision")
    rule = module.build(module.Config(num_classes=classes, **fields))
    notes = weights.start(rule, TrainerSettings(start_from=str(tmp_path / "a.safetensors")))
    assert any("left out" in note for note in notes) == (classes != 1000)


@pytest.mark.parametrize("system", UNPUBLISHED)
def test_forms_that_nobody_publishes_are_refused(system: str, tmp_path: Path) -> None:
    rule, _ = without_numbers(find(system), find(system).load().Config(**UNPUBLISHED[system]))
    with pytest.raises(UsageError, match="torchvision has no names"):
        weights.write(rule.home, tmp_path / "a.safetensors", "torchvision")
    with pytest.raises(UsageError, match="safetensors"):
        weights.write(rule.home, tmp_path / "a.pt")


@pytest.mark.full
@pytest.mark.parametrize("network", [name for name in NETWORKS if "vgg" not in name])
def test_a_published_file_is_read_and_run_and_written_back_equal(network: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    system, fields = NETWORKS[network]
    module, origin = find(system).load(), network.split()[0]
    theirs = {name: drawn(name, shape) for name, shape in published()[network].items()}
    safetensors.torch.save_file(theirs, tmp_path / "theirs.safetensors")
    rule = module.build(module.Config(**fields))
    weights.start(rule, TrainerSettings(start_from=str(tmp_path / "theirs.safetensors")))
    (images,) = module.examples(module.Config(**fields))["network"]
    assert torch.isfinite(rule.home.eval()(torch.rand_like(images))).all()
    weights.write(rule.home, tmp_path / "back.safetensors", origin)
    back = safetensors.torch.load_file(tmp_path / "back.safetensors")
    assert back.keys() == theirs.keys() and all(torch.equal(back[name], theirs[name]) for name in theirs)
