"""Weights for those who have torch and nothing else: a safetensors file, and a text that reads it."""

from pathlib import Path

from torch import nn

from ganglion.runs import weights
from ganglion.runs.run import Run

LOADER = '''"""Weights of {name}, read with torch alone: `from {module} import load`."""

import json
from pathlib import Path

import torch

DTYPES = {{
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64,
    "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64,
}}


def load(path=Path(__file__).with_name("{file}")):
    """Return tensors by their names: eight bytes for the length of a header in JSON, the header, and the numbers."""
    content = bytearray(Path(path).read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    tensors = {{}}
    for name, one in json.loads(content[8:begin]).items():
        if name == "__metadata__":
            continue
        first, last = (begin + place for place in one["data_offsets"])
        values = torch.frombuffer(content[first:last] or bytearray(8), dtype=DTYPES[one["dtype"]])
        tensors[name] = values[: torch.Size(one["shape"]).numel()].reshape(one["shape"]).clone()
    return tensors


# The layers that these are of, as torch prints them. A network of your own with the same names takes them by
# `network.load_state_dict(load())`; with ganglion installed, `ganglion.load({run!r})` is the network itself.
#
{layers}


if __name__ == "__main__":
    for name, tensor in load().items():
        print(name, tuple(tensor.shape), tensor.dtype)
'''
"""What is written beside the weights."""


def export_safetensors(run: Run, path: Path) -> tuple[int, Path]:
    """Write the best weights of a run by the names of its network, and a text beside them that loads them.

    Returns how many tensors there are, and the file of the text.

    Raises:
        UsageError: the file has another ending.
    """
    count = weights.write(run.network, path)
    text = path.with_suffix(".py")
    text.write_text(loader_of(run.network, run.system.name, run.name, path), encoding="utf-8")
    return count, text


def loader_of(network: nn.Module, system: str, run: str, path: Path) -> str:
    """Return a text that reads the weights in a file with torch alone.

    >>> text = loader_of(nn.Linear(2, 1), "perceptron", "run", Path("weights.safetensors"))
    >>> "# Linear(in_features=2, out_features=1, bias=True)" in text.splitlines()
    True
    """
    layers = "\n".join(f"# {line}".rstrip() for line in str(network).splitlines())
    return LOADER.format(name=system, module=path.stem, file=path.name, run=run, layers=layers)
