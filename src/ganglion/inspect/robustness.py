"""How easily a network is misled: its accuracy on images that were changed on purpose, by how far they were changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion import figures
from ganglion.inspect.untouched import untouched
from ganglion.inspect.watched import refuse_no_images
from ganglion.nn.attacks import Norm, adversarial_examples
from ganglion.settings import at_least, between, bounded
from ganglion.tables import Table, Tabled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCK = 128
"""Images attacked at a time."""
Call = Callable[..., Tensor]


@dataclass(frozen=True)
class Robustness(Tabled):
    """Accuracy under attack, and some images before and after the strongest attack that misled the network."""

    norm: Norm
    steps: int
    samples: int
    epsilons: tuple[float, ...]
    fast: tuple[float, ...]
    """Accuracy at each epsilon under the fast gradient method."""
    projected: tuple[float, ...]
    """Accuracy at each epsilon under projected gradient descent."""
    shown_at: float
    """The epsilon of the images."""
    before: np.ndarray
    """`(images, channels, height, width)`, black being 0 and white 1."""
    after: np.ndarray
    said: tuple[tuple[int, int], ...]
    """Classes that the network answered before and after."""

    def to_dict(self) -> dict[str, Any]:
        """Return the accuracies as JSON values."""
        return {
            "norm": self.norm,
            "steps": self.steps,
            "samples": self.samples,
            "accuracy": [
                {"epsilon": epsilon, "fast_gradient": fast, "projected_gradient": projected}
                for epsilon, fast, projected in zip(self.epsilons, self.fast, self.projected, strict=True)
            ],
        }

    def tables(self) -> tuple[Table]:
        rows = [
            (f"{epsilon:g}", f"{fast:.4f}", f"{projected:.4f}")
            for epsilon, fast, projected in zip(self.epsilons, self.fast, self.projected, strict=True)
        ]
        size = "largest change of a pixel" if self.norm == "inf" else "Euclidean length of the change"
        footer = (
            f"epsilon: {size}, white being 1; {self.samples} images, {self.steps} steps of projected gradient descent"
        )
        header = ("epsilon", "fast gradient", "projected gradient")
        return (Table(header, rows, title="Accuracy under attack", footer=footer),)

    def figure(self, names: Sequence[str] = ()) -> "Figure":
        """Draw accuracy by epsilon, and images before, after, and what was changed, made visible."""
        called = names or [str(unit) for unit in range(1 + max(map(max, self.said), default=0))]
        captions = [(called[before], called[after]) for before, after in self.said]
        return figures.under_attack(
            self.epsilons,
            {"fast gradient": self.fast, "projected gradient": self.projected},
            np.moveaxis(self.before, 1, -1),
            np.moveaxis(self.after, 1, -1),
            captions,
            f"epsilon {self.shown_at:g}",
        )


@bounded
def robustness(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    epsilons: Sequence[Annotated[float, between(0, 1000)]],
    *,
    norm: Norm = "inf",
    steps: Annotated[int, at_least(1)] = 20,
    black: Tensor | float = 0.0,
    white: Tensor | float = 1.0,
    seed: int = 0,
    shown: int = 6,
) -> Robustness:
    """Measure the accuracy of a network on images changed so that its cross-entropy grows most.

    Args:
        network: from images `(batch, channels, height, width)` to a score for each class, `(batch, classes)`; of two
            classes it may be a single logit, which speaks for the second.
        inputs: images as the network takes them, `(samples, channels, height, width)`.
        targets: classes, `(samples,)`.
        epsilons: sizes of the change; unchanged images are measured besides.
        norm: how a change is measured, see `ganglion.nn.attacks`.
        steps: of projected gradient descent.
        black: what black is as the network takes it, of a shape that goes with one image.
        white: what white is likewise.
        seed: of the random starts.
        shown: images kept for the picture.
    """
    refuse_no_images(len(inputs))
    generator = torch.Generator().manual_seed(seed)
    attack = partial(adversarial_examples, norm=norm, black=black, white=white, generator=generator)
    sizes = sorted({0.0, *epsilons})
    with untouched(network, evaluating=True) as outputs:
        call = partial(_scores, outputs)
        fast = [_answers(call, _changed(call, attack, inputs, targets, epsilon, 1)) for epsilon in sizes]
        changed = [_changed(call, attack, inputs, targets, epsilon, steps) for epsilon in sizes]
        projected = [_answers(call, images) for images in changed]
    misled = [(projected[0] == targets) & (answers != targets) for answers in projected]
    telling = next((place for place, one in enumerate(misled) if one.sum() >= shown), len(sizes) - 1)
    kept = torch.nonzero(misled[telling])[:shown, 0]
    before, after = ((images[kept] - black) / (white - black) for images in (inputs, changed[telling]))
    said = torch.stack((projected[0][kept], projected[telling][kept]), dim=1)
    return Robustness(
        norm=norm,
        steps=steps,
        samples=len(inputs),
        epsilons=tuple(sizes),
        fast=_accuracies(fast, targets),
        projected=_accuracies(projected, targets),
        shown_at=sizes[telling],
        before=before.numpy(),
        after=after.numpy(),
        said=tuple(map(tuple, said.tolist())),
    )


def _changed(call: Call, attack: Call, inputs: Tensor, targets: Tensor, epsilon: float, steps: int) -> Tensor:
    """Return images changed by an attack of that many steps; with an epsilon of 0 as they are."""
    if epsilon == 0:
        return inputs
    blocks = zip(inputs.split(BLOCK), targets.split(BLOCK), strict=True)
    return torch.cat([attack(partial(_losses, call, part), images, epsilon, steps=steps) for images, part in blocks])


def _scores(call: Call, images: Tensor) -> Tensor:
    """Return a score for each class, `(batch, classes)`: of a single logit z those whose softmax has it, 0 and z."""
    outputs = call(images)
    return F.pad(outputs, (1, 0)) if outputs.shape[1] == 1 else outputs


def _losses(call: Call, targets: Tensor, images: Tensor) -> Tensor:
    """Return the cross-entropy of each image, `(batch,)`."""
    return F.cross_entropy(call(images), targets, reduction="none")


@torch.no_grad()
def _answers(call: Call, images: Tensor) -> Tensor:
    """Return the class that is answered for each image, `(samples,)`."""
    return torch.cat([call(block).argmax(dim=1) for block in images.split(BLOCK)])


def _accuracies(answers: Sequence[Tensor], targets: Tensor) -> tuple[float, ...]:
    return tuple(float((one == targets).float().mean()) for one in answers)
