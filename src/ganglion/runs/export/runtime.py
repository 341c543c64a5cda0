"""The program that runs exported files: ONNX Runtime, which knows nothing of torch."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.errors import DataError, ExportError, MissingExtraError
from ganglion.files import regular


class Runtime:
    """A graph that can be asked.

    Args:
        source: a file, or what one holds.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        DataError: there is no such file, or it holds no graph.
    """

    def __init__(self, source: Path | bytes) -> None:
        require("onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
        given = source if isinstance(source, bytes) else str(regular(source))
        try:
            self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no class in common
            raise DataError(
                "this file holds no graph that ONNX Runtime can run",
                where="" if isinstance(source, bytes) else str(source),
                found=str(error),
                remedy="export the run again: ganglion export RUN onnx",
            ) from error
        self._running = onnxruntime.RunOptions()
        self._running.only_execute_path_to_fetches = True
        self.inputs: list[str] = [one.name for one in self._session.get_inputs()]
        self.outputs: list[str] = [one.name for one in self._session.get_outputs()]
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, inputs: Sequence[Tensor], outputs: Sequence[str] | None = None) -> list[Tensor]:
        """Return outputs by their names, all of them where none are named, for the inputs in their order.

        Raises:
            ExportError: the graph takes no inputs of these shapes.
        """
        return self.asked(dict(zip(self.inputs, inputs, strict=True)), outputs)

    def asked(self, inputs: Mapping[str, Tensor], outputs: Sequence[str] | None = None) -> list[Tensor]:
        """Return outputs by their names, all of them where none are named, for inputs by theirs.

        An input that is not given is blank: what is asked should not depend on it.

        Raises:
            ExportError: the graph takes no inputs of these shapes.
        """
        given = {one.name: _blank(one) for one in self._session.get_inputs() if one.name not in inputs}
        given |= {name: value.numpy() for name, value in inputs.items()}
        try:
            return [torch.from_numpy(found) for found in self._session.run(outputs, given, self._running)]
        except Exception as error:  # its errors have no class in common
            taken = [*self._session.get_inputs(), *self._session.get_overridable_initializers()]
            raise ExportError(
                "this graph cannot be run on such inputs",
                expected=", ".join(f"{one.name} {one.shape}" for one in taken if one.name in inputs),
                found=", ".join(f"{name} {[*value.shape]}" for name, value in inputs.items()),
                remedy="ask the run itself",
            ) from error


def _blank(one: Any) -> np.ndarray:
    """Return the smallest value of an input of ONNX Runtime."""
    kind = one.type.removeprefix("tensor(").removesuffix(")")
    shape = [length if isinstance(length, int) else 1 for length in one.shape]
    return np.zeros(shape, {"float": "float32", "double": "float64"}.get(kind, kind))


def require(*packages: str) -> None:
    """Raise `MissingExtraError` where a package of the extra `onnx` is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            "files of ONNX need packages that are not installed",
            expected=", ".join(packages),
            found=f"no {' and no '.join(missing)}",
            remedy='pip install "ganglion[onnx]"',
        )
