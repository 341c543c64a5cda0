"""Learning to spell without being told when: the loss of connectionist temporal classification."""

import torch.nn.functional as F
from torch import Tensor

from ganglion.nn.sound.spelling import BLANK


def ctc_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over samples of -log p(y | x) / |y|, p(y | x) = sum_{B(pi) = y} prod_t softmax(z_t)_{pi_t}.

    B takes away repetitions and then blanks. All T steps count: where a sample is shorter than its batch, the blank
    must be certain past its end. A target that cannot be written in T steps, which must be as many as it has labels
    and one more for each label that is the same as the one before, counts as nothing.

    Args:
        outputs: logits z `(batch, steps, labels)`, label 0 being the blank.
        targets: labels y `(batch, longest)` from 1 on, 0 past the end of each.

    Source: Graves, Fernandez, Gomez and Schmidhuber, Connectionist temporal classification (2006), section 4.1.

    >>> import torch
    >>> even = torch.zeros(1, 2, 2)  # of four equally likely paths three spell the label: (1, 1), (0, 1), (1, 0)
    >>> ctc_loss(even, torch.tensor([[1]])).exp().item()  # doctest: +ELLIPSIS
    1.333...
    """
    # On the processor: of what GPUs do here, the order of additions, and so the bits, is left to chance.
    logs = outputs.float().log_softmax(2).transpose(0, 1).cpu()
    steps = targets.new_full((len(targets),), len(logs)).cpu()
    wanted, lengths = targets.cpu(), (targets != BLANK).sum(1).cpu()
    loss = F.ctc_loss(logs, wanted, steps, lengths, blank=BLANK, reduction="mean", zero_infinity=True)
    return loss.to(outputs.device)
