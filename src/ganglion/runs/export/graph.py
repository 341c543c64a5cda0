"""From a network of torch to a graph of ONNX."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import torch

from ganglion.errors import UsageError
from ganglion.runs.export.interface import BATCH, BOXES, Input
from ganglion.runs.export.layers import exportable
from ganglion.runs.export.operations import translations
from ganglion.runs.export.whole import Whole

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""Version of ONNX's operators."""
FOLLOWED = {BATCH: 3, BOXES: 5}
"""Lengths of axes of the example that is followed; one or two could be taken for a number that never changes."""
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
INSTEAD = "ganglion export RUN safetensors takes its weights out"


def to_onnx(network: Whole, inputs: Sequence[Input], outputs: Sequence[str]) -> "onnx.ModelProto":
    """Return the graph of a network, whose inputs and outputs have these names.

    Raises:
        UsageError: torch's exporter cannot follow the network, or it draws random numbers.
    """
    import onnx

    twin, generator = exportable(network), torch.Generator().manual_seed(0)
    examples = tuple(network.drawn(inputs, FOLLOWED, generator))
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                twin,
                examples,
                dynamo=True,
                opset_version=OPSET,
                input_names=[one.name for one in inputs],
                output_names=list(outputs),
                dynamic_shapes=(tuple(dict(one.axes) for one in inputs),),
                custom_translation_table=dict(translations()),
                external_data=False,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()
            raise UsageError(
                "torch's exporter cannot follow this network",
                where=type(network).__name__,
                found=reason[0] if reason else type(error).__name__,
                remedy=INSTEAD,
            ) from error
    assert program is not None
    model = program.model_proto
    for one in inputs:
        if one.part:  # need not be given
            model.graph.initializer.append(onnx.numpy_helper.from_array(one.example.numpy(), one.name))
    nodes = _nodes(model)
    if drawn := sorted({node.op_type for node in nodes} & RANDOM):
        raise UsageError(
            "this network draws random numbers, which a file cannot",
            where=type(network).__name__,
            found=", ".join(drawn),
            remedy=INSTEAD,
        )
    for part in (model.graph, *model.functions, *nodes, *model.graph.value_info):
        # Where a node came from in the source says where this machine keeps its files.
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return model


def _nodes(model: "onnx.ModelProto") -> list["onnx.NodeProto"]:
    """Return all nodes of a graph, of its functions, and of the bodies of its loops."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += [inner for attribute in node.attribute for inner in attribute.g.node]
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to themselves what torch's exporter says of its own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
