"""Weights that a run starts from: those of another run or of a file, as far as they fit."""

from collections.abc import Iterator
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ganglion.core import LearningRule, ManyHeaded, Published, Standing
from ganglion.errors import DataError, UsageError
from ganglion.files import named, regular, unreadable
from ganglion.training.recovery import first_non_finite
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def start(rule: LearningRule, settings: TrainerSettings) -> list[str]:
    """Put the weights that the settings name into a rule that was just built, and return sentences about them.

    Names and shapes must be those of the rule's home, but for its last layer, which keeps its random weights where it
    has another size, and with `adapt_channels` for its first convolution. A network of the rule that was a copy of one
    of the home, such as a target network, stays one.

    Raises `UsageError` where the weights are those of another network, `DataError` where they cannot be used.
    """
    if settings.start_from is None:
        return []
    home, adapted = rule.home, []
    weights, origin = with_our_names(home, read_weights(settings.start_from))
    copies = list(_copies(rule))
    if settings.adapt_channels and (name := first_convolution(home)) in weights:
        wanted = home.state_dict()[name]
        if weights[name].shape != wanted.shape:
            adapted.append(f"{name} from {weights[name].shape[1]} to {wanted.shape[1]} channels")
            weights[name] = with_channels(weights[name], wanted.shape[1])
    loaded, left_out = _fitting(home, weights, settings.start_from)
    own = home.state_dict()
    home.load_state_dict(own | {name: weights[name] for name in loaded})
    for original, copied in copies:
        copied.load_state_dict(original.state_dict())
    unused = [name for name in weights if name not in own]
    notes = [f"starts from {settings.start_from}: {len(loaded)} of {len(own)} tensors taken over"]
    notes += [f"its names are those of {origin}"] if origin else []
    notes += [f"adapted: {', '.join(adapted)}"] if adapted else []
    notes += [f"left out, being of another size or not there: {', '.join(left_out)}"] if left_out else []
    return notes + ([f"not used: {_shortened(unused)}"] if unused else [])


def with_our_names(home: nn.Module, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Return weights by the names that the network knows them under, and whose names they had: none, if its own.

    They may be those of a package, or of the network that this one stands on. What has no name here keeps its own.
    """
    known = {"": {name: name for name in home.state_dict()}}
    known |= _renamed(home, home.published_names()) if isinstance(home, Published) else {}
    known |= _renamed(home, home.borrowed_names()) if isinstance(home, Standing) else {}
    origin = max(known, key=lambda origin: len(weights.keys() & set(known[origin].values())))
    ours = {name: own for own, name in known[origin].items()}
    return {ours.get(name, name): value for name, value in weights.items()}, origin


def with_published_names(home: nn.Module, origin: str) -> dict[str, Tensor]:
    """Return the weights and statistics of a network by the names that they have in a package.

    Raises:
        UsageError: the package publishes no weights of this network.
    """
    known = _renamed(home, home.published_names()) if isinstance(home, Published) else {}
    if origin not in known:
        raise UsageError(
            f"{origin} has no names for the layers of this network",
            expected=" or ".join(known) or "a network that a package has weights of, in the form that it has there",
            found=type(home).__name__,
            remedy=f"--names {next(iter(known))}" if known else "leave --names out: the file then has our own names",
        )
    return {known[origin][name]: value for name, value in home.state_dict().items()}


def _renamed(home: nn.Module, names: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return what each tensor of a network is called by others: its layer's name there, and its own in the layer.

    Args:
        home: the network.
        names: of its layers, by whose they are; all of them, or some.
    """
    split = {name: name.rpartition(".") for name in home.state_dict()}
    return {
        origin: {name: f"{layers[layer]}.{leaf}" for name, (layer, _, leaf) in split.items() if layer in layers}
        for origin, layers in names.items()
    }


def write(network: nn.Module, path: Path, origin: str | None = None) -> int:
    """Write the weights of a network as a `.safetensors` file, and return how many tensors there are.

    Args:
        network: whose weights and statistics are written.
        path: the file.
        origin: package whose names the tensors get; our own when not given.

    Raises:
        UsageError: the package publishes no weights of this network, or the file has another ending.
    """
    if path.suffix != ".safetensors":
        raise UsageError("weights are written as safetensors", where=str(path), expected="FILE.safetensors")
    tensors = network.state_dict() if origin is None else with_published_names(network, origin)
    safetensors.torch.save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return len(tensors)


def read_weights(source: str) -> dict[str, Tensor]:
    """Return the tensors of a `.safetensors` file, or the best weights of a run folder, by their names."""
    path = named(source)
    weights = RunFolder.open(path).usable_weights()[0] if path.is_dir() else _read_file(path)
    if place := first_non_finite(weights):
        raise DataError(
            "the weights to start from are not finite", where=f"{source}: {place}", remedy="start from others"
        )
    return dict(weights)


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        raise UsageError(
            "this is nothing to start from", where=str(path), expected="a .safetensors file, or the folder of a run"
        )
    try:
        return safetensors.torch.load_file(regular(path))
    except OSError as error:
        raise unreadable(path, error) from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(
            "this file holds no weights",
            where=str(path),
            expected="tensors as safetensors writes them",
            found=str(error),
        ) from error


def _fitting(home: nn.Module, weights: dict[str, Tensor], source: str) -> tuple[list[str], list[str]]:
    """Return the names to load, and those that keep what they have: of the last layer, and such as are not there."""
    own, heads = home.state_dict(), last_layers(home)
    unlike = [name for name, value in own.items() if name in weights and weights[name].shape != value.shape]
    for name in unlike:
        if name.rpartition(".")[0] not in heads:
            raise UsageError(
                "the weights to start from are those of another network",
                where=f"{source}: {name}",
                expected=f"shape {tuple(own[name].shape)}",
                found=f"shape {tuple(weights[name].shape)}",
                remedy="choose the sizes that the weights were trained with"
                + ("; --adapt-channels takes the first convolution" if name == first_convolution(home) else ""),
            )
    replaced = {name.rpartition(".")[0] for name in unlike}
    loaded = [name for name in own if name in weights and name.rpartition(".")[0] not in replaced]
    if not any(name.rpartition(".")[0] not in heads for name in loaded):
        raise UsageError(
            "the weights to start from have other names than this network",
            where=source,
            expected=_shortened(list(own)),
            found=_shortened(list(weights)),
        )
    return loaded, [name for name in own if name not in loaded]


def last_layers(home: nn.Module) -> set[str]:
    """Return the name of the last layer with parameters, of each network where the home has several.

    Of a network that stands on another, those of all layers that it adds.

    >>> last_layers(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    {'2'}
    """
    if isinstance(home, Standing):
        below = {id(one) for one in home.convolutions.parameters()}
        return {name.rpartition(".")[0] for name, one in home.named_parameters() if id(one) not in below}
    parts = [f"{role}." for role in home] if isinstance(home, nn.ModuleDict) else [""]
    names = [name for name, _ in home.named_parameters()]
    last = [[name for name in names if name.startswith(part)][-1:] for part in parts]
    if isinstance(home, ManyHeaded):
        last += [
            list(dict(head.named_parameters(f"auxiliary.{number}")))[-1:] for number, head in enumerate(home.auxiliary)
        ]
    return {name.rpartition(".")[0] for found in last for name in found}


def first_convolution(home: nn.Module) -> str:
    """Return the name of the weights of the first convolution; nothing where there is none that sees all channels."""
    for name, module in home.named_modules():
        if isinstance(module, CONVOLUTIONS):
            return f"{name}.weight".lstrip(".") if module.groups == 1 else ""
    return ""


def with_channels(weight: Tensor, channels: int) -> Tensor:
    """Return kernels `(out, in, ...)` for another number of input channels, all the same.

    What a convolution answers to an image whose channels are equal stays as it was.

    >>> with_channels(torch.tensor([[[1.0], [2.0], [3.0]]]), 1)
    tensor([[[6.]]])
    """
    mean = weight.mean(1, keepdim=True) * (weight.shape[1] / channels)
    return mean.expand(-1, channels, *weight.shape[2:]).clone()


def _copies(rule: LearningRule) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Yield each network of the home with one outside of it that holds the same numbers."""
    roles = rule.home_roles or tuple(rule.networks)[:1]
    for role in roles:
        mine = rule.networks[role].state_dict()
        for other, network in rule.networks.items():
            theirs = network.state_dict()
            same = mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
            if other not in roles and same:
                yield rule.networks[role], network


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
