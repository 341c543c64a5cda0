"""Sequences out of a network that says, token by token, what comes next: the likeliest, drawn, or searched for.

All rows of a batch go on together, and each is written as if it were alone: what is drawn for a row comes from its own
seed, and rows that have ended keep their place until all have.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from ganglion.errors import ConfigurationError
from ganglion.settings import Bound, at_least, settings

State = Any
"""Nested tuples, lists and dicts of tensors whose first axis is the row; None before anything was read."""
NOT_NEGATIVE = Bound("a number that is not negative", lambda value: math.isfinite(value) and value >= 0)
NextLogits = Callable[[Tensor, State], tuple[Tensor, State]]
"""Reads tokens (rows, steps) on from a state; returns logits (rows, tokens) of what comes next, and the state after."""


@settings
class Decoding:
    """How sequences are chosen. With one beam tokens are drawn; several beams search for the likeliest sequence."""

    longest: Annotated[int, at_least(1)] = 100
    """Tokens that are written at most, the end among them."""
    shortest: Annotated[int, at_least(0)] = 0
    """Tokens that are written at least before the end."""
    temperature: Annotated[float, NOT_NEGATIVE] = 1.0
    """Tokens are drawn from softmax(z / temperature); 0 always takes the likeliest."""
    top_k: Annotated[int, at_least(1)] | None = None
    """Draw from this many likeliest tokens only."""
    top_p: Annotated[float, Bound("above 0 and at most 1", lambda value: 0 < value <= 1)] | None = None
    """Draw from the fewest likeliest tokens only that together have this probability."""
    beams: Annotated[int, at_least(1)] = 1
    """Sequences that are followed at once."""
    length_penalty: Annotated[float, NOT_NEGATIVE] = 0.0
    """Exponent a: sequences y found by beams are compared by log p(y) / ((5 + |y|) / 6)^a."""
    no_repeated: Annotated[int, at_least(0)] = 0
    """No sequence of this many tokens is written twice; 0 allows all."""
    end: int | None = None
    """Token that ends a sequence."""
    forbidden: tuple[int, ...] = ()
    """Tokens that are never written, such as the unknown one and padding."""

    def __post_init__(self) -> None:
        if self.shortest > self.longest:
            raise ConfigurationError("shortest must be at most longest", found=f"{self.shortest} and {self.longest}")
        draws = self.temperature not in (0, 1) or self.top_k is not None or self.top_p is not None
        if self.beams > 1 and draws:
            raise ConfigurationError("several beams draw nothing", remedy="leave out temperature, top_k and top_p")


@dataclass(frozen=True)
class Written:
    """What was written for one row."""

    tokens: tuple[int, ...]
    """Without what was given, and without the end."""
    log_probability: float
    """log p of the tokens, and of the end if there is one, given all before, by the network itself."""
    ended: bool
    """Whether the end was written; False where `longest` cut it off."""


def decode(
    next_logits: NextLogits, given: Tensor, state: State = None, *, decoding: Decoding, seeds: Sequence[int] = ()
) -> list[Written]:
    """Write one sequence for each row.

    Args:
        next_logits: the network.
        given: tokens to write on from (rows, steps), one at least, such as the sign of a beginning.
        state: of the network before `given`.
        decoding: how tokens are chosen.
        seeds: one for each row, where tokens are drawn; rows of equal seeds draw alike. 0, 1, 2, ... when left out.

    >>> counts = torch.tensor([[1.0, 8.0, 1.0], [1.0, 1.0, 8.0], [8.0, 1.0, 1.0]]).log()
    >>> cycle = lambda tokens, state: (counts[tokens[:, -1]], state)
    >>> [written.tokens for written in decode(cycle, torch.tensor([[0], [2]]), decoding=Decoding(
    ...     longest=4, temperature=0))]
    [(1, 2, 0, 1), (0, 1, 2, 0)]
    """
    if decoding.beams > 1:
        return [found[0] for found in beam_search(next_logits, given, state, decoding=decoding)]
    return _draw(next_logits, given, state, decoding, seeds or range(len(given)))


def _draw(
    next_logits: NextLogits, given: Tensor, state: State, decoding: Decoding, seeds: Sequence[int]
) -> list[Written]:
    rows, prompt = given.shape
    chances = _chances(seeds, decoding.longest).to(given.device).split(1, dim=1)
    history = torch.cat([given, given.new_zeros(rows, decoding.longest)], 1)
    ended = torch.zeros(rows, dtype=torch.bool, device=given.device)
    lengths = torch.full((rows,), decoding.longest, device=given.device)
    taken: list[Tensor] = []  # log p of each token, 0 after the end
    logits, state = next_logits(given, state)
    for step in range(decoding.longest):
        likelihoods = _allowed(logits.float().log_softmax(1), history[:, : prompt + step], step, decoding)
        tokens = _chosen(likelihoods, chances[step], decoding)  # (rows, 1)
        history[:, prompt + step] = tokens[:, 0]
        taken.append(likelihoods.gather(1, tokens))
        if decoding.end is not None:
            taken[-1] = taken[-1].masked_fill(ended[:, None], 0.0)
            ends = tokens[:, 0] == decoding.end
            lengths = torch.where(~ended & ends, step, lengths)
            ended = ended | ends
            if bool(ended.all()):
                break
        if step + 1 < decoding.longest:
            logits, state = next_logits(tokens, state)
    sums = torch.cat(taken, 1).double().sum(1)
    written = zip(history[:, prompt:].tolist(), lengths.tolist(), sums.tolist(), ended.tolist(), strict=True)
    return [Written(tuple(tokens[:length]), total, done) for tokens, length, total, done in written]


def _chances(seeds: Sequence[int], steps: int) -> Tensor:
    """Return numbers from 0 to below 1 `(rows, steps)`, those of a row from its own seed."""
    return torch.stack([torch.rand(steps, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def _chosen(likelihoods: Tensor, chances: Tensor, decoding: Decoding) -> Tensor:
    """Return the token `(rows, 1)` at which the sum of probabilities passes the chance of its row `(rows, 1)`."""
    if decoding.temperature == 0:
        return likelihoods.argmax(1, keepdim=True)
    tempered, order = likelihoods, None
    if decoding.temperature != 1:
        tempered = (likelihoods - likelihoods.amax(1, keepdim=True)) / decoding.temperature
    if decoding.top_k is not None or decoding.top_p is not None:
        tempered, order = tempered.topk(min(decoding.top_k or tempered.shape[1], tempered.shape[1]), dim=1)
    shares = tempered.softmax(1)
    if decoding.top_p is not None:
        before = shares.cumsum(1) - shares
        shares = shares.masked_fill(before >= decoding.top_p, 0.0)
    sums = shares.cumsum(1)
    whole = sums[:, -1:]
    below = torch.minimum(chances * whole, whole.nextafter(torch.zeros_like(whole)))  # rounding might reach the whole
    place = torch.searchsorted(sums, below, right=True)
    return place if order is None else order.gather(1, place)


def _allowed(likelihoods: Tensor, history: Tensor, step: int, decoding: Decoding) -> Tensor:
    """Return log p `(rows, tokens)`, changed in place, with all that must not come next at minus infinity.

    Of a row in which nothing would be left, repetitions are allowed.
    """
    never = [*decoding.forbidden, *([decoding.end] if decoding.end is not None and step < decoding.shortest else [])]
    if not decoding.no_repeated or history.shape[1] < decoding.no_repeated:
        for token in never:
            likelihoods[:, token] = -math.inf
        return likelihoods
    banned = torch.zeros_like(likelihoods, dtype=torch.bool)
    banned[:, never] = True
    repeated = _repeated(history, likelihoods.shape[1], decoding.no_repeated)
    if decoding.end is not None:
        repeated[:, decoding.end] = False
    both = banned | repeated
    return likelihoods.masked_fill(torch.where(both.all(1, keepdim=True), banned, both), -math.inf)


def _repeated(history: Tensor, size: int, length: int) -> Tensor:
    """Return which tokens `(rows, size)` would end a sequence of `length` tokens that has been written before."""
    windows = history.unfold(1, length, 1)  # (rows, windows, length)
    newest = history[:, None, history.shape[1] - length + 1 :]
    again = (windows[..., :-1] == newest).all(2)
    ends = torch.where(again, windows[..., -1], size)
    return torch.zeros(len(history), size + 1, dtype=torch.bool, device=history.device).scatter_(1, ends, True)[:, :-1]


def beam_search(
    next_logits: NextLogits, given: Tensor, state: State = None, *, decoding: Decoding
) -> list[list[Written]]:
    """Search for the likeliest sequences of each row, and return up to `beams` of them, the best first.

    At each step the `beams` likeliest beginnings are kept. A row has ended when no beginning can come to a better
    score than the worst that was found.

    Args:
        next_logits, state, decoding: as for `decode`.
        given: (batch, length), the tokens that are there already.

    Source: Wu et al., Google's neural machine translation system (2016), for the penalty of short sequences.
    """
    rows, beams, device = len(given), decoding.beams, given.device
    kept, found = _Beams.first(given, beams), _Found.none(rows, beams, decoding.longest, device)
    logits, state = next_logits(given, state)
    logits, state = logits.repeat_interleave(beams, 0), _picked(state, torch.arange(rows).repeat_interleave(beams))
    for step in range(decoding.longest):
        likelihoods = logits.float().log_softmax(1)
        likelihoods = _allowed(likelihoods, kept.history.flatten(0, 1), step, decoding)
        totals = (kept.totals.flatten()[:, None] + likelihoods.double()).view(rows, -1)  # (rows, beams * tokens)
        best, places = totals.topk(min(2 * beams, totals.shape[1]), dim=1)
        parents, tokens = places // likelihoods.shape[1], places % likelihoods.shape[1]
        histories = torch.cat([_of_each(kept.history, parents), tokens[..., None]], 2)
        last = step + 1 == decoding.longest
        ends = tokens == (-1 if decoding.end is None else decoding.end)
        done = ends | last
        found = found.with_more(histories[..., given.shape[1] :], best.masked_fill(~done, -math.inf), ends, decoding)
        if last:
            break
        kept, parents = _Beams.best(histories, best.masked_fill(ends, -math.inf), parents, beams)
        if not found.may_improve(kept.totals, decoding):
            break
        flat = (torch.arange(rows, device=device)[:, None] * beams + parents).flatten()
        logits, state = next_logits(kept.history[..., -1:].flatten(0, 1), _picked(state, flat))
    return found.written()


@dataclass(frozen=True)
class _Beams:
    """Beginnings that are followed, `history` (rows, beams, steps) with log p in `totals` (rows, beams)."""

    history: Tensor
    totals: Tensor

    @classmethod
    def first(cls, given: Tensor, beams: int) -> "_Beams":
        """All beams of a row begin alike, so that all but the first are left out of the first choice."""
        totals = torch.full((len(given), beams), -math.inf, dtype=torch.float64, device=given.device)
        totals[:, 0] = 0.0
        return cls(given[:, None].repeat(1, beams, 1), totals)

    @classmethod
    def best(cls, histories: Tensor, totals: Tensor, parents: Tensor, beams: int) -> "tuple[_Beams, Tensor]":
        """Keep the best of all continuations, and say which beams they continue."""
        missing = beams - totals.shape[1]
        if missing > 0:  # fewer tokens than beams: the others are dead
            places = torch.arange(beams, device=totals.device).clamp(max=totals.shape[1] - 1).expand(len(totals), -1)
            dead = torch.arange(beams, device=totals.device) >= totals.shape[1]
            totals = totals.gather(1, places).masked_fill(dead, -math.inf)
        else:
            totals, places = totals.topk(beams, dim=1)
        return cls(_of_each(histories, places), totals), parents.gather(1, places)


@dataclass(frozen=True)
class _Found:
    """The best sequences that have ended: tokens (rows, beams, steps) and, each (rows, beams), how good they are."""

    tokens: Tensor
    scores: Tensor
    totals: Tensor
    lengths: Tensor
    ended: Tensor

    @classmethod
    def none(cls, rows: int, beams: int, longest: int, device: torch.device) -> "_Found":
        scores = torch.full((rows, beams), -math.inf, dtype=torch.float64, device=device)
        counts = torch.zeros(rows, beams, dtype=torch.int64, device=device)
        return cls(counts[..., None].repeat(1, 1, longest), scores, scores, counts, counts > 0)

    def with_more(self, tokens: Tensor, totals: Tensor, ended: Tensor, decoding: Decoding) -> "_Found":
        """Return the best of these and of sequences of one length; a total of minus infinity is none."""
        steps = tokens.shape[2]
        padded = torch.nn.functional.pad(tokens, (0, self.tokens.shape[2] - steps))
        scores = torch.cat([self.scores, totals / _penalty(steps, decoding)], 1)
        best, places = scores.topk(self.scores.shape[1], dim=1)
        return _Found(
            _of_each(torch.cat([self.tokens, padded], 1), places),
            best,
            torch.cat([self.totals, totals], 1).gather(1, places),
            torch.cat([self.lengths, steps - ended.long()], 1).gather(1, places),
            torch.cat([self.ended, ended], 1).gather(1, places),
        )

    def may_improve(self, totals: Tensor, decoding: Decoding) -> bool:
        """Whether a beginning of any row may still come to a better score: at best it goes on with certainty."""
        reachable = totals.amax(1) / _penalty(decoding.longest, decoding)
        return bool((reachable > self.scores[:, -1]).any())

    def written(self) -> list[list[Written]]:
        return [
            [
                Written(tuple(tokens[:length]), total, ended)
                for tokens, length, total, ended in zip(*row, strict=True)
                if total > -math.inf
            ]
            for row in zip(
                *(part.tolist() for part in (self.tokens, self.lengths, self.totals, self.ended)), strict=True
            )
        ]


def _penalty(length: int, decoding: Decoding) -> float:
    return ((5 + length) / 6) ** decoding.length_penalty


def _of_each(values: Tensor, places: Tensor) -> Tensor:
    """Return `values` (rows, n, steps) at `places` (rows, m) of each row: (rows, m, steps)."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[2]))


def _picked(state: State, rows: Tensor) -> State:
    """Return a state with the rows at these places."""
    if isinstance(state, Tensor):
        return state.index_select(0, rows.to(state.device))
    if isinstance(state, dict):
        return {name: _picked(part, rows) for name, part in state.items()}
    if isinstance(state, tuple | list):
        return type(state)(_picked(part, rows) for part in state)
    return state
