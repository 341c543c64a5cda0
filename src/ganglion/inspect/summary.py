"""What a network is made of: its layers in the order they are called, with shapes, parameters, cost and memory."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils.flop_counter import FlopCounterMode

from ganglion.inspect.multiply_adds import Call, Rule, rule_of
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
    """For one sample: by the rule for this kind in `multiply_adds`; where there is none, as torch counts them."""
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

    The network is left as it was: mode, buffers (the statistics of batch normalisation) and random state. On torch's
    meta device it needs no memory, whatever its size.

    Multiply-adds follow from shapes, by one rule for each kind of layer. For kinds without a rule, and for products
    outside of all layers, torch's counter is asked; it sees single operations and not what fused ones do.

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
    recorder.add_the_rest()
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


@dataclass
class _Open:
    """A call of a layer that has not come back yet."""

    rule: Rule | None
    uncounted: AbstractContextManager[None]
    """Keeps torch's counter from listening where a rule counts."""
    before: int
    """What the counter had seen when the call began."""
    inner: int = 0
    """What it saw within layers in this one."""


class _Recorder:
    """Listens to the calls of a network's layers."""

    def __init__(self, network: nn.Module, samples: int) -> None:
        self.samples = max(samples, 1)
        self.layers: list[Layer] = []
        self.activation_bytes = 0
        self._network = network
        self._rules = {module: rule for module in network.modules() if (rule := rule_of(module))}
        inner = {part for module in self._rules for part in module.modules() if part is not module}
        named = layers_of(network) | {m: name for name, m in network.named_modules() if m in self._rules}
        self._names = {module: name for module, name in named.items() if module not in inner}
        self._rows: dict[nn.Module, Layer] = {}
        self._owned: set[nn.Parameter] = set()
        self._open: list[_Open] = []
        self._last: Tensor | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record the calls of a network that are made meanwhile."""
        self._counter = FlopCounterMode(display=False)
        hooks = [module.register_forward_pre_hook(self._enter) for module in self._names]
        hooks += [module.register_forward_hook(self._leave, with_kwargs=True) for module in self._names]
        self._open = [_Open(None, nullcontext(), 0)]
        try:
            with self._counter:
                try:
                    yield
                finally:
                    for call in reversed(self._open):
                        call.uncounted.__exit__(None, None, None)
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        rule = self._rules.get(layer)
        call = _Open(rule, _disable_current_modes() if rule else nullcontext(), self._counter.get_total_flops())
        call.uncounted.__enter__()
        self._open.append(call)

    def _leave(self, layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], outputs: Any) -> None:
        call = self._open.pop()
        call.uncounted.__exit__(None, None, None)
        seen = self._counter.get_total_flops() - call.before
        self._open[-1].inner += seen
        output = first_tensor(outputs)
        if output is None:
            return
        given = first_tensor(inputs)
        # The counter counts a multiply-add as two operations.
        cost = call.rule(Call(layer, inputs, named, output)) if call.rule else (seen - call.inner) // 2
        if given is None or not _share_memory(given, output):
            self.activation_bytes += output.numel() * output.element_size()
        follows = given is not None and given is self._last and given.shape == output.shape
        self._last = output
        if layer in self._rows:
            self._rows[layer].calls += 1
            self._rows[layer].multiply_adds += cost // self.samples
        elif follows and self.layers and not layer._parameters and not cost:
            self.layers[-1].kind += f", {type(layer).__name__}"
        else:
            self._add(layer, tuple(output.shape[1:]), cost // self.samples)

    def _add(self, module: nn.Module, shape: tuple[int, ...], cost: int, calls: int = 1) -> None:
        own = [parameter for parameter in self._parameters_of(module) if parameter not in self._owned]
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

    def _parameters_of(self, module: nn.Module) -> Iterator[nn.Parameter]:
        """Return what a row counts: with the layers inside, where the rule for a kind stands for all of it."""
        return module.parameters(recurse=module in self._rules)

    def add_the_rest(self) -> None:
        """Add what was computed outside of layers, and layers whose parameters are used without calling them."""
        between = (self._counter.get_total_flops() - self._open[0].inner) // (2 * self.samples)
        if between:
            kind = type(self._network).__name__
            self.layers.append(Layer("(between layers)", kind, (), parameters=0, trainable=0, multiply_adds=between))
        for module in self._names:
            if module not in self._rows and any(own not in self._owned for own in self._parameters_of(module)):
                self._add(module, (), 0, calls=0)
                self._rows[module].kind += " (not called)"


def _share_memory(one: Tensor, other: Tensor) -> bool:
    """Return whether tensors lie in the same memory, or would, on the meta device, where there is none."""
    return one.untyped_storage()._cdata == other.untyped_storage()._cdata
