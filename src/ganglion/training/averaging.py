"""An exponential moving average of a network's weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage:
    """θ̄ ← decay θ̄ + (1 - decay) θ after every update, and a way to try θ̄ in the place of θ."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self._model = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    def update(self) -> None:
        self._model.update_parameters(self._network)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averaged weights into the network, and the trained ones back afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for trained, averaged in zip(_tensors(self._network), _tensors(self._model.module), strict=True):
            trained.data, averaged.data = averaged.data, trained.data

    def weights(self) -> dict[str, Tensor]:
        return dict(self._model.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return dict(self._model.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._model.load_state_dict(state)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()
