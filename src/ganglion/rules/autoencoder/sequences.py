"""The loss of sequences that are given back: the numbers of a series, or the tokens of a text and where it ends."""

from torch import Tensor
from torch.nn import functional


def sequence_loss(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean squared error of series, or the mean of -log p(x_t) over the tokens of texts and their ends.

    A text ends with the step after its last token, where 0 is right.

    Args:
        outputs: values (batch, steps, channels) of series, or logits (batch, steps + 1, classes) of texts.
        inputs: series of the same shape, or texts (batch, steps), padded with 0.

    Source: Srivastava et al., Unsupervised learning of video representations using LSTMs (2015).

    >>> import torch
    >>> sequence_loss(torch.zeros(1, 3, 2), torch.ones(1, 3, 2)).item()
    1.0
    >>> round(sequence_loss(torch.zeros(1, 4, 8), torch.tensor([[4, 7, 0]])).item(), 4)  # log 8
    2.0794
    """
    if inputs.is_floating_point():
        return functional.mse_loss(outputs, inputs)
    wanted, counts = with_end(inputs)
    logs = functional.cross_entropy(outputs.transpose(1, 2), wanted, reduction="none")  # (batch, steps + 1)
    return (logs * counts).sum() / counts.sum()


def with_end(texts: Tensor) -> tuple[Tensor, Tensor]:
    """Return texts (batch, steps), padded with 0, with a step more, and which steps count: all up to the first 0.

    >>> import torch
    >>> with_end(torch.tensor([[4, 7, 0]]))
    (tensor([[4, 7, 0, 0]]), tensor([[ True,  True,  True, False]]))
    """
    longer = functional.pad(texts, (0, 1))
    over = (longer == 0).cumsum(1)
    return longer, over <= 1


sequence_loss.terms = lambda inputs: (  # type: ignore[attr-defined]  # how many each sample gives to the mean
    inputs.new_ones(len(inputs)) if inputs.is_floating_point() else with_end(inputs)[1].sum(1)
)
