"""Methods of a network that answers ask by themselves, such as an encoder, or one step of writing.

A file has them beside what the network answers with: each argument is an input that need not be given, each result an
output. Arguments and results may be tensors, whole numbers, nothing, or tuples and dictionaries of these.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import DensityModel, Illustrator, LatentModel, Located, Steers
from ganglion.models.autoencoder.sequence_autoencoder import SequenceAutoencoder
from ganglion.models.autoencoder.topic_model import TopicModel
from ganglion.nn.coding.codes import CodingNetwork
from ganglion.nn.drawing.pen_steps import steps_of
from ganglion.nn.language.writer import Writer
from ganglion.tasks.shared.pictures.films import FilmForecaster, Watcher
from ganglion.tasks.shared.sketches.drawing import Artist

Structure = Any
"""`tensor`, `number`, None, or a list or a dictionary of these."""


@dataclass(frozen=True)
class Part:
    """A method, and what it is tried on."""

    method: str
    arguments: Callable[..., tuple[Any, ...]]
    """What it is given, from the network and what goes into that."""


def parts_of(network: nn.Module) -> list[Part]:
    """Return what answers ask of a network beside its outputs."""
    match network:
        case Writer():
            parts = [
                Part("remember", lambda network, read, written: (read,)),
                Part("read", lambda network, read, written: (written, network.remember(read))),
            ]
            looks = Part("attended", lambda network, read, written: (read, written))
            return parts if network.attention is None else [*parts, looks]
        case Artist() if network.latent_features:
            return [
                Part("posterior", lambda network, moves: (moves, _lengths(moves))),
                Part("begin", lambda network, moves: (_latent(network, moves), len(moves))),
                Part("read", lambda network, moves: (_steps(moves), network.begin(_latent(network, moves)))),
            ]
        case Artist():
            return [
                Part("begin", lambda network, moves: (None, len(moves))),
                Part("read", lambda network, moves: (_steps(moves), network.begin(None, len(moves)))),
            ]
        case TopicModel():
            return [
                Part("posterior", lambda network, bags: (bags,)),
                Part("decode", lambda network, bags: (network.mixture(bags),)),
            ]
        case LatentModel():
            return [
                Part("posterior", lambda network, *given: given),
                Part("outputs", _latent_and_condition),
                Part("log_likelihood", lambda network, *given: (network(*given), given[0])),
            ]
        case CodingNetwork():
            return [
                Part("encode", lambda network, inputs: (inputs,)),
                Part("outputs", lambda network, inputs: (network.encode(inputs),)),
            ]
        case SequenceAutoencoder():
            return [
                Part("encode", lambda network, inputs: (inputs,)),
                Part("outputs", lambda network, inputs: (network.encode(inputs), inputs.shape[1] + 1)),
            ]
        case DensityModel():
            asked = ("free_energy", "hidden_probabilities", "reconstruct")
            return [Part(method, lambda network, visible: (visible,)) for method in asked]
        case Illustrator():
            return [Part("stages", lambda network, latent, tokens: (latent, tokens))]
        case FilmForecaster():
            return [Part("forecast", lambda network, films: (films, films.shape[1] + 1))]
        case Watcher():
            return [Part("at_every_frame", lambda network, films: (films,))]
        case Located():
            return [Part("evidence", lambda network, images: (images,))]
        case Steers():
            return [Part("directions", lambda network, pictures: (network(pictures),))]
    return []


def _latent_and_condition(network: Any, inputs: Tensor, *condition: Tensor) -> tuple[Tensor, ...]:
    return network.posterior(inputs, *condition)[0], *condition


def _lengths(moves: Tensor) -> Tensor:
    """Return lengths (batch,) of drawings (batch, points, 3), the first of which is whole."""
    return moves.shape[1] - torch.arange(len(moves)) % moves.shape[1]


def _latent(network: Any, moves: Tensor) -> Tensor:
    latent: Tensor = network.posterior(moves, _lengths(moves))[0]
    return latent


def _steps(moves: Tensor) -> Tensor:
    return steps_of(moves, _lengths(moves))


@dataclass(frozen=True)
class Tried:
    """A part with values of one sample, and what becomes of them."""

    part: Part
    arguments: Structure
    names: tuple[str, ...]
    """Of its inputs, one for each tensor of its arguments."""
    result: Structure
    results: int
    """Tensors in what it returns."""

    @classmethod
    def of(cls, part: Part, network: nn.Module, given: tuple[Tensor, ...]) -> "Tried":
        """Return a part as it is tried on what is made of inputs of its network."""
        values = part.arguments(network, *given)
        method = getattr(network, part.method)
        found = method(*values)
        names = []
        for name, value in zip(inspect.signature(method).parameters, values, strict=False):
            count = len(tensors_in(value))
            names += [f"{part.method}.{name}" + (f".{place}" if count > 1 else "") for place in range(1, count + 1)]
        return cls(part, structure_of(values), tuple(names), structure_of(found), len(tensors_in(found)))

    @property
    def outputs(self) -> list[str]:
        """Names of what it returns."""
        several = self.results > 1
        return [f"{self.part.method}.result" + (f".{place + 1}" if several else "") for place in range(self.results)]

    def __call__(self, network: nn.Module, inputs: Iterator[Tensor]) -> list[Tensor]:
        """Return the tensors of what the part returns, given the next inputs, each (batch, ...)."""
        return tensors_in(getattr(network, self.part.method)(*rebuilt(self.arguments, inputs)))


def structure_of(value: Any) -> Structure:
    """Return how a value is made up, as JSON has it.

    >>> structure_of({"cells": (torch.zeros(2),), "steps": 3})
    {'cells': ['tensor'], 'steps': 'number'}
    """
    match value:
        case None:
            return None
        case Tensor():
            return "tensor"
        case int():
            return "number"
        case dict():
            return {name: structure_of(one) for name, one in value.items()}
    return [structure_of(one) for one in value]


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors that a value is made up of; a whole number is a tensor of that length.

    >>> [tuple(one.shape) for one in tensors_in({"cells": (torch.zeros(2),), "steps": 3})]
    [(2,), (3,)]
    """
    match value:
        case None:
            return []
        case Tensor():
            return [value]
        case int():
            return [torch.zeros(value)]
        case dict():
            return [tensor for one in value.values() for tensor in tensors_in(one)]
    return [tensor for one in value for tensor in tensors_in(one)]


def rebuilt(structure: Structure, tensors: Iterator[Tensor]) -> Any:
    """Return a value that is made up in this way, of the next tensors.

    >>> rebuilt(["tensor", None, "number"], iter([torch.ones(1), torch.zeros(3)]))
    (tensor([1.]), None, 3)
    """
    match structure:
        case None:
            return None
        case "tensor":
            return next(tensors)
        case "number":
            return next(tensors).shape[0]
        case dict():
            return {name: rebuilt(one, tensors) for name, one in structure.items()}
    return tuple(rebuilt(one, tensors) for one in structure)
