"""The program that runs exported files: ONNX Runtime, which knows nothing of torch."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

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
        self.inputs: list[str] = [one.name for one in self._session.get_inputs()]
        self.outputs: list[str] = [one.name for one in self._session.get_outputs()]
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, inputs: Sequence[Tensor], outputs: Sequence[str] | None = None) -> list[Tensor]:
        """Return outputs by their names, all of them where none are named, for the inputs in their order.

        Raises:
            ExportError: the graph takes no inputs of these shapes.
        """
        given = {name: value.numpy() for name, value in zip(self.inputs, inputs, strict=True)}
        try:
            return [torch.from_numpy(found) for found in self._session.run(outputs, given)]
        except Exception as error:  # its errors have no class in common
            raise ExportError(
                "this graph cannot be run on such inputs",
                expected=", ".join(f"{one.name} {one.shape}" for one in self._session.get_inputs()),
                found=", ".join(f"{name} {[*value.shape]}" for name, value in given.items()),
                remedy="ask the run itself",
            ) from error


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
