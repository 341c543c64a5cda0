"""What a network is made of: its layers in the order they are called, with shapes, parameters, cost and memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ganglion.inspect.untouched import first_tensor, layers_of, untouched
from ganglion.tables import Table, Tabled, size_text


@dataclass
class Layer:
    """One row of a summary."""

    name: str
    """Dotted name in the network."""
    kind: str
    """Class of the layer, and of the elementwise ones that follow it."""
    shape: tuple[int, ...]
    """Shape of the output as torch has it, without the batch."""
    parameters: int
    """Parameters that the layer owns; those shared with an earlier layer are counted there."""
    trainable: int
    multiply_adds: int
    """Multiplications with an addition in matrix products and convolutions, for one sample."""
    calls: int = 1

    @property
    def shape_text(self) -> str:
        """The shape as books print it: height x width x channels, time x features, features."""
        order = (*self.shape[1:], self.shape[0]) if len(self.shape) == 3 else self.shape
        return "x".join(map(str, order)) or "1"


@dataclass(frozen=True)
class Summary(Tabled):
    """The layers of a network and what they add up to.

    `memory` estimates bytes while training on one batch: parameters, their gradients, the optimizer's state and the
    activations kept for the backward pass.
    """

    network: str
    layers: list[Layer]
    batch_size: int
    parameters: int
    trainable: int
    multiply_adds: int
    memory: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        layers = [asdict(layer) | {"shape": list(layer.shape), "output": layer.shape_text} for layer in self.layers]
        return {**vars(self), "layers": layers, "memory": dict(self.memory)}

    def tables(self) -> tuple[Table]:
        frozen = self.parameters - self.trainable
        total = f"{self.parameters:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")
        memory = ", ".join(f"{name} {size_text(size)}" for name, size in self.memory.items())
        rows = [
            (
                layer.name,
                layer.kind + (f" (called {layer.calls} times)" if layer.calls > 1 else ""),
                layer.shape_text,
                f"{layer.parameters:,}",
                f"{layer.multiply_adds:,}",
            )
            for layer in self.layers
        ]
        table = Table(
            ("layer", "type", "output", "parameters", "multiply-adds"),
            rows,
            title=self.network,
            footer=f"{total}; {self.multiply_adds:,} multiply-adds a sample\n"
            f"memory for a batch of {self.batch_size}: {size_text(sum(self.memory.values()))} ({memory})",
            words=("layer", "type"),
        )
        return (table,)


def summarise(
    network: nn.Module, example_inputs: Tensor | tuple[Any, ...], *, batch_size: int | None = None, moments: int = 2
) -> Summary:
    """Run a network once and list its layers in the order they are called.

    The network is left as it was: mode, buffers (the statistics of batch normalisation) and random state.

    Args:
        network: any module; layers are its modules without children, and those that own parameters.
        example_inputs: one batch of inputs, or all positional arguments; the first axis counts samples.
        batch_size: batch to estimate memory for; that of the example when not given.
        moments: numbers that the optimizer keeps for every parameter, 2 for Adam, 1 for momentum.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> print(str(summarise(network, torch.zeros(1, 1, 8, 8))).partition("memory")[0])
    Sequential
    layer  type          output  parameters  multiply-adds
    ------------------------------------------------------
    0      Conv2d, ReLU   6x6x4          40          1,296
    2      Flatten          144           0              0
    3      Linear            10       1,450          1,440
    1,490 parameters; 2,736 multiply-adds a sample
    <BLANKLINE>
    """
    arguments = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    samples = next((len(value) for value in arguments if isinstance(value, Tensor) and value.dim()), 1)
    recorder = _Recorder(network, samples)
    with untouched(network, evaluating=True) as call, torch.no_grad(), recorder.listening():
        call(*arguments)
    recorder.add_uncalled()
    parameters = list(network.parameters())
    sizes = [parameter.numel() * parameter.element_size() for parameter in parameters]
    learnt = sum(size for size, parameter in zip(sizes, parameters, strict=True) if parameter.requires_grad)
    batch = batch_size or samples
    return Summary(
        network=type(network).__name__,
        layers=recorder.layers,
        batch_size=batch,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        multiply_adds=sum(layer.multiply_adds for layer in recorder.layers),
        memory={
            "parameters": sum(sizes),
            "gradients": learnt,
            "optimizer": moments * learnt,
            "activations": recorder.activation_bytes * batch // max(samples, 1),
        },
    )


class _Recorder:
    """Listens to the calls of a network's layers."""

    def __init__(self, network: nn.Module, samples: int) -> None:
        self.samples = max(samples, 1)
        self.layers: list[Layer] = []
        self.activation_bytes = 0
        self._names = layers_of(network)
        self._rows: dict[nn.Module, Layer] = {}
        self._owned: set[nn.Parameter] = set()
        self._before: list[int] = []
        self._last: Tensor | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        self._counter = FlopCounterMode(display=False)
        hooks = [module.register_forward_pre_hook(self._enter) for module in self._names]
        hooks += [module.register_forward_hook(self._leave) for module in self._names]
        try:
            with self._counter:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._before.append(self._counter.get_total_flops())

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
        # The counter counts a multiply-add as two operations.
        cost = (self._counter.get_total_flops() - self._before.pop()) // (2 * self.samples)
        output = first_tensor(outputs)
        if output is None:
            return
        cost = cost or self._recurrent_cost(module, output)
        given = first_tensor(inputs)
        if given is None or given.untyped_storage().data_ptr() != output.untyped_storage().data_ptr():
            self.activation_bytes += output.numel() * output.element_size()
        follows = given is not None and given is self._last and given.shape == output.shape
        self._last = output
        if module in self._rows:
            self._rows[module].calls += 1
            self._rows[module].multiply_adds += cost
        elif follows and self.layers and not module._parameters:
            self.layers[-1].kind += f", {type(module).__name__}"
        else:
            self._add(module, tuple(output.shape[1:]), cost)

    def _recurrent_cost(self, module: nn.Module, output: Tensor) -> int:
        """Return what torch's counter cannot see in fused recurrent kernels: every matrix once a step."""
        matrices = [weight.numel() for weight in module.parameters(recurse=False) if weight.dim() == 2]
        if output.dim() != 3 or len(matrices) < 2:
            return 0
        return output.shape[1] * sum(matrices)

    def _add(self, module: nn.Module, shape: tuple[int, ...], cost: int, calls: int = 1) -> None:
        own = [parameter for parameter in module.parameters(recurse=False) if parameter not in self._owned]
        self._owned.update(own)
        layer = Layer(
            name=self._names[module] or "(network)",
            kind=type(module).__name__,
            shape=shape,
            parameters=sum(parameter.numel() for parameter in own),
            trainable=sum(parameter.numel() for parameter in own if parameter.requires_grad),
            multiply_adds=cost,
            calls=calls,
        )
        self.layers.append(layer)
        self._rows[module] = layer

    def add_uncalled(self) -> None:
        """Add layers whose parameters are used without calling them, so that the column adds up."""
        for module in self._names:
            if module not in self._rows and any(own not in self._owned for own in module.parameters(recurse=False)):
                self._add(module, (), 0, calls=0)
                self._rows[module].kind += " (not called)"
