"""Spelling out of a network that says a letter or nothing at every step: the likeliest path, or a search by prefix."""

import math
from collections import defaultdict
from typing import NamedTuple

from torch import Tensor

BLANK = 0
"""The label that says nothing; also what pads targets."""


class Spelling(NamedTuple):
    """What a sequence of steps says."""

    labels: tuple[int, ...]
    """Without blanks, and without repetitions that no blank parts."""
    log_probability: float
    """log p of the labels: of the likeliest path alone, or as much of the sum over all paths as was followed."""


def collapsed(path: list[int]) -> tuple[int, ...]:
    """Return B(pi): a path of labels without repetitions, and then without blanks.

    >>> collapsed([0, 3, 3, 0, 3, 5, 5, 0])
    (3, 3, 5)
    """
    before = [BLANK, *path[:-1]]
    return tuple(label for label, last in zip(path, before, strict=False) if label not in (BLANK, last))


def best_path(outputs: Tensor) -> list[Spelling]:
    """Return for each sample B(argmax_k z_1k, argmax_k z_2k, ...): what the likeliest path spells.

    Args:
        outputs: logits z (batch, steps, labels), label 0 being the blank, which is certain past the end of a sample.

    Source: Graves et al., Connectionist temporal classification (2006), section 3.2.

    >>> import torch
    >>> best_path(torch.tensor([[[0.0, 5.0], [0.0, 5.0], [5.0, 0.0], [0.0, 5.0]]]))[0].labels
    (1, 1)
    """
    likeliest, labels = outputs.float().log_softmax(2).max(2)
    sums = likeliest.double().sum(1).tolist()
    return [Spelling(collapsed(path), total) for path, total in zip(labels.tolist(), sums, strict=True)]


def prefix_beam_search(outputs: Tensor, beams: int = 16) -> list[Spelling]:
    """Return for each sample the likeliest labels, over all paths that spell them, as far as the best prefixes lead.

    At each step every prefix goes on with a blank, with its last label again, or with a new label; what two paths
    spell alike is added up. p_b and p_n, of a prefix whose paths end in a blank and in its last label, are kept apart,
    since a label that comes twice needs a blank between. With enough beams it is exact.

    Args:
        outputs: logits (batch, steps, labels), as for `best_path`.
        beams: prefixes that are kept.

    Source: Hannun, Maas, Jurafsky and Ng, First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs (2014), algorithm 1, without its language model.

    >>> import torch
    >>> z = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()  # of all paths nothing has 0.36, the label 0.64
    >>> best_path(z)[0].labels, prefix_beam_search(z)[0].labels
    ((), (1,))
    """
    logs = outputs.double().log_softmax(2).tolist()
    return [_search(steps, beams) for steps in logs]


def _search(steps: list[list[float]], beams: int) -> Spelling:
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for step in steps:
        blank = step[BLANK]
        found: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        worst = min(math.inf, *(_sum(*pair) for pair in kept.values())) if len(kept) >= beams else -math.inf
        for prefix, (in_blank, in_label) in kept.items():
            total = _sum(in_blank, in_label)
            found[prefix][0] = _sum(found[prefix][0], total + blank)
            if prefix:
                found[prefix][1] = _sum(found[prefix][1], in_label + step[prefix[-1]])
            for label in range(1, len(step)):
                if total + step[label] < worst + blank and (*prefix, label) not in kept:
                    continue  # `beams` prefixes are likelier already, by a blank alone
                before = in_blank if prefix and label == prefix[-1] else total
                longer = found[(*prefix, label)]
                longer[1] = _sum(longer[1], before + step[label])
        best = sorted(found.items(), key=lambda item: (-_sum(*item[1]), item[0]))[:beams]
        kept = {prefix: (pair[0], pair[1]) for prefix, pair in best}
    labels, pair = max(kept.items(), key=lambda item: _sum(*item[1]))
    return Spelling(labels, _sum(*pair))


def _sum(first: float, second: float) -> float:
    """Return log(e^first + e^second)."""
    high, low = (first, second) if first >= second else (second, first)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
