"""A state as it is stored: its tensors apart from everything else, which is JSON."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganglion.core import Segment
from ganglion.errors import CheckpointError

Keep = Callable[[Segment, str], Any]
"""What is done with a segment that is met under a path; returns JSON values in its place."""


def pack(state: Any, tensors: dict[str, Tensor], path: str = "", keep: Keep | None = None) -> Any:
    """Return `state` as JSON values, moving its tensors into `tensors` under their paths.

    Segments go to `keep`, or lie among the other tensors where it is not given.

    >>> tensors = {}
    >>> pack({"exp_avg": torch.zeros(2), "betas": (0.9, 0.99), "state": {0: "a"}}, tensors)
    {'exp_avg': {'__tensor__': 'exp_avg'}, 'betas': {'__tuple__': [0.9, 0.99]}, 'state': {'__items__': [[0, 'a']]}}
    >>> unpack(_, tensors)["betas"]
    (0.9, 0.99)
    """
    if isinstance(state, Tensor):
        tensors[path] = state
        return {"__tensor__": path}
    if isinstance(state, Segment):
        return keep(state, path) if keep else pack(state.read(), tensors, path)
    if isinstance(state, dict):
        if all(isinstance(key, str) and not key.startswith("__") for key in state):
            return {key: pack(value, tensors, f"{path}.{key}" if path else key, keep) for key, value in state.items()}
        return {"__items__": [[key, pack(value, tensors, f"{path}.{key}", keep)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        items = [pack(value, tensors, f"{path}.{place}", keep) for place, value in enumerate(state)]
        return items if isinstance(state, list) else {"__tuple__": items}
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise CheckpointError(f"cannot save a {type(state).__name__}", where=path, expected="tensors, numbers, text, lists")


def unpack(structure: Any, tensors: dict[str, Tensor], fetch: Callable[[str], Segment] | None = None) -> Any:
    """Undo `pack`; `fetch` gives the segment of a digest."""
    if isinstance(structure, list):
        return [unpack(item, tensors, fetch) for item in structure]
    if not isinstance(structure, dict):
        return structure
    if "__tensor__" in structure:
        return tensors[structure["__tensor__"]]
    if "__segment__" in structure and fetch:
        return fetch(structure["__segment__"])
    if "__tuple__" in structure:
        return tuple(unpack(item, tensors, fetch) for item in structure["__tuple__"])
    if "__items__" in structure:
        return {key: unpack(value, tensors, fetch) for key, value in structure["__items__"]}
    return {key: unpack(value, tensors, fetch) for key, value in structure.items()}


def size(state: Any) -> int:
    """Return the bytes that the tensors of a state take, without those of segments."""
    tensors: dict[str, Tensor] = {}
    pack(state, tensors, keep=lambda segment, path: None)
    return sum(tensor.nbytes for tensor in tensors.values())


def digest(state: Any) -> str:
    """Return the SHA-256 of all tensors and values of a state, in a fixed order."""
    tensors: dict[str, Tensor] = {}
    total = hashlib.sha256(json.dumps(pack(state, tensors), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous tensors, of their shapes, on the CPU that share no memory, as safetensors asks for."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        separate[name] = plain.clone() if storage in seen and plain.numel() else plain
        seen.add(storage)
    return separate
