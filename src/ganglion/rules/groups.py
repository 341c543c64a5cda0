"""Parts of a network that learn at other rates than the rest, or that weight decay leaves alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ganglion.core import is_under
from ganglion.errors import ConfigurationError
from ganglion.settings import unknown_name


def factors_of(rates: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Return the factor of the learning rate for each beginning of a name, of `prefix=factor` each.

    Args:
        rates: such as `encoder=0.1`.
        names: of all parameters, with dots.

    Raises:
        ConfigurationError: a rate cannot be read, is given twice, or is for a part that does not exist.

    >>> factors_of(["encoder=0.1"], ["encoder.weight", "head.weight"])
    {'encoder': 0.1}
    """
    factors: dict[str, float] = {}
    for text in rates:
        prefix, _, value = text.partition("=")
        try:
            factor = float(value)
        except ValueError:
            factor = math.nan
        if not (prefix and 0 <= factor < math.inf):
            raise ConfigurationError(
                f"cannot read the rate {text!r}",
                where="rates",
                expected="the beginning of a name and a factor of at least 0: encoder=0.1",
                found=value or "no factor",
            )
        if prefix in factors:
            raise ConfigurationError(
                f"{prefix!r} has two rates", where="rates", found=" ".join(rates), remedy="give one"
            )
        if not any(is_under(name, prefix) for name in names):
            parts = list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
            raise unknown_name("part of the network", prefix, parts, where="rates")
        factors[prefix] = factor
    return factors


def grouped(
    named: Sequence[tuple[str, nn.Parameter]], rate: float, factors: Mapping[str, float], *, spare_vectors: bool
) -> list[dict[str, Any]]:
    """Sort the trainable parameters into groups as torch's optimizers take them, those without a factor first.

    Args:
        named: all parameters by their names.
        rate: that every factor is of.
        factors: by the beginnings of names; the longest that fits decides.
        spare_vectors: leave parameters of fewer than two dimensions without weight decay.
    """
    groups: dict[tuple[float, bool], list[tuple[str, nn.Parameter]]] = {(1.0, False): [], (1.0, True): []}
    for name, parameter in named:
        if parameter.requires_grad:
            fitting = [prefix for prefix in factors if is_under(name, prefix)]
            factor = factors[max(fitting, key=len)] if fitting else 1.0
            groups.setdefault((factor, spare_vectors and parameter.dim() < 2), []).append((name, parameter))
    return [
        {"params": parameters}
        | ({} if factor == 1 else {"lr": rate * factor})
        | ({"weight_decay": 0.0} if spared else {})
        for (factor, spared), parameters in groups.items()
        if parameters
    ] or [{"params": []}]
