"""Networks that measure, trained once and kept in a folder with what they were trained on."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ganglion.data.catalogue import cache_folder
from ganglion.errors import GanglionError
from ganglion.files import read_json

Description = Mapping[str, Any]
"""What a network was trained on and how, JSON values; networks of equal facts are equal."""


def cached(description: Description, below: str) -> Path:
    """Return the folder of a network in the user's cache.

    Args:
        below: name of the folder for networks of its kind.
    """
    key = hashlib.sha256(json.dumps(dict(description), sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder().parent / below / key


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a network by name, as they are written."""
    return {name: value.contiguous() for name, value in sorted(network.state_dict().items())}


def digest(network: nn.Module) -> str:
    """Return the SHA-256 of the weights of a network."""
    return hashlib.sha256(save(weights_of(network))).hexdigest()


def keep(network: nn.Module, description: Description, place: Path, kind: str) -> None:
    """Write a network into a folder, as files named after its kind; one that cannot be written is no reason to stop."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        told = json.dumps(dict(description) | {"digest": digest(network)}, indent=1)
        files = ((f"{kind}.safetensors", save(weights_of(network))), (f"{kind}.json", told.encode()))
        for name, content in files:
            draft = place / f".draft-{os.getpid()}-{name}"
            draft.write_bytes(content)
            os.replace(draft, place / name)  # whoever reads meanwhile sees the old or the new
    except OSError:
        return


def kept(network: nn.Module, description: Description, place: Path, kind: str) -> bool:
    """Fill a network with the weights kept in a folder, and return whether there are any of these facts, undamaged."""
    try:
        told = read_json(place / f"{kind}.json")
        wanted = told.pop("digest")
        if told != json.loads(json.dumps(dict(description))):
            return False
        content = (place / f"{kind}.safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != wanted:
            return False
        network.load_state_dict(load(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError, GanglionError):
        return False
    return True
