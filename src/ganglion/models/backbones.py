"""Networks of the index that others stand on: the first layers of one, and what they are called there."""

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, cast

from ganglion.core import Backbone, Published
from ganglion.errors import ConfigurationError
from ganglion.models import find
from ganglion.nn.images.trunk import Trunk
from ganglion.settings import from_dict, to_dict

BackboneName = Literal["alexnet", "vgg", "googlenet", "resnet", "xception", "efficientnet"]
HEADS = {"num_classes": 1, "hidden_features": 1, "auxiliary": False}
"""What makes the layers small that are not taken."""
DENSE = ("hidden1", "hidden2")
"""Dense layers of those networks that have some before their logits."""


class Borrowed(NamedTuple):
    """The first layers of a network of the index."""

    trunk: Trunk
    names: dict[str, dict[str, str]]
    """What each layer is called, by where it stands in a network of ours: in the one it is from, and in packages."""


def borrow(
    system: BackboneName,
    form: str,
    settings: Sequence[str],
    *,
    in_channels: int,
    side: int,
    most_stride: int,
    place: str,
    dense: Sequence[str],
) -> Borrowed:
    """Return the first layers of a network of the index.

    Args:
        system: its name there.
        form: what its configuration starts from, `small` or `published`.
        settings: fields of that, as name=value.
        in_channels: channels of the images.
        side: longer side of the images; where it is small, the network has smaller strides in front.
        most_stride: pixels of the image for one place of the maps, at most.
        place: name of the trunk in the network that stands on it.
        dense: names there of two layers that may start as the dense ones of the network, if it has such.

    Raises:
        ConfigurationError: the system has no such setting, or no layer leaves so few pixels.
    """
    row = find(system)
    start = row.form(form)
    config = from_dict(type(start), to_dict(start) | dict(map(_setting, settings)), where="backbone_settings")
    side = max(config.smallest_image, min(side, config.largest_image))
    known = {"in_channels": in_channels, "image_size": side, **HEADS}
    config = replace(config, **{name: value for name, value in known.items() if hasattr(config, name)})
    network = row.load().build(config).home
    layers = cast(Backbone, network).trunk()
    trunk = Trunk([network.get_submodule(name) for name in layers], in_channels, most_stride)
    own = {
        f"{place}.{number}.{name}".rstrip("."): f"{layers[number]}.{name}".rstrip(".")
        for number, layer in enumerate(trunk)
        for name, _ in layer.named_modules()
    }
    own |= dict(zip(dense, DENSE, strict=True)) if hasattr(network, DENSE[0]) else {}
    published = network.published_names() if isinstance(network, Published) else {}
    names = {
        package: {here: known[there] for here, there in own.items() if there in known}
        for package, known in published.items()
    }
    return Borrowed(trunk, {system: own, **names})


def _setting(text: str) -> tuple[str, Any]:
    """Return name and value of a setting, such as depth=50 or variant=b0."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(
            "cannot read this setting of the backbone", where="backbone_settings", expected="name=value", found=text
        )
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
    return name, list(read) if isinstance(read, tuple) else read
