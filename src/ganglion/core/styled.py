"""What tasks may ask of a generator that draws by styles."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Styled(Protocol):
    """A generator that makes a style of noise first, and then draws in layers that are each given one."""

    mean_style: Tensor
    """What styles were in the mean while it learnt, (features,)."""

    @property
    def num_layers(self) -> int:
        """Layers that are given a style, coarse to fine."""

    @property
    def layer_sides(self) -> list[int]:
        """Side of the maps of each such layer."""

    def styles(self, latent: Tensor) -> Tensor:
        """Return the styles (batch, features) of noise (batch, all its numbers)."""

    def draw(self, styles: Tensor, latent: Tensor) -> Tensor:
        """Return pictures (batch, channels, side, side) of styles (batch, layers, features).

        What noise (batch, all its numbers) holds for single pixels is added to the maps.
        """
