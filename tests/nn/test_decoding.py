"""Decoding against all sequences of a small vocabulary, written out one by one."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.nn.language.decoding import Decoding, State, Written, beam_search, decode

SIZE, END, LONGEST = 4, 3, 4


class Speaker(nn.Module):
    """What it says next depends on all that it has read, through a state of two kinds."""

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding, self.recurrent, self.head = nn.Embedding(size, 8), nn.Linear(8, 8), nn.Linear(8, size)
        with torch.no_grad():
            self.head.weight.mul_(6)
            self.recurrent.weight.mul_(3)

    @torch.no_grad()
    def __call__(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        read, hidden = ({"steps": torch.zeros(len(tokens))}, torch.zeros(len(tokens), 8)) if state is None else state
        for step in range(tokens.shape[1]):
            hidden = torch.tanh(self.recurrent(hidden) + self.embedding(tokens[:, step]))
        return self.head(hidden), ({"steps": read["steps"] + tokens.shape[1]}, hidden)

    def likelihood(self, given: tuple[int, ...], tokens: tuple[int, ...]) -> float:
        """log p of tokens after what was given, reading everything anew."""
        total = 0.0
        for place, token in enumerate(tokens):
            logits, _ = self(torch.tensor([[*given, *tokens[:place]]]), None)
            total += float(logits[0].log_softmax(0)[token])
        return total


SPEAKER = Speaker()


def sequences(decoding: Decoding, given: tuple[int, ...] = (0,)) -> Iterator[tuple[int, ...]]:
    """Every sequence that may be written: ended by END, or of the longest length."""
    for length in range(1, decoding.longest + 1):
        for tokens in itertools.product(range(SIZE), repeat=length):
            body, ended = (tokens[:-1], True) if tokens[-1] == END else (tokens, False)
            if END in body or (not ended and length < decoding.longest) or (ended and len(body) < decoding.shortest):
                continue
            if set(body) & set(decoding.forbidden) or _repeats((*given, *body), decoding.no_repeated):
                continue
            yield tokens


def _repeats(tokens: tuple[int, ...], length: int) -> bool:
    windows = [tokens[place : place + length] for place in range(len(tokens) - length + 1)]
    return length > 0 and len(set(windows)) < len(windows)


def ranked(decoding: Decoding, given: tuple[int, ...] = (0,)) -> list[tuple[float, tuple[int, ...]]]:
    scores = [
        (SPEAKER.likelihood(given, tokens) / ((5 + len(tokens)) / 6) ** decoding.length_penalty, tokens)
        for tokens in sequences(decoding, given)
    ]
    return sorted(scores, reverse=True)


def whole(written: Written) -> tuple[int, ...]:
    return (*written.tokens, END) if written.ended else written.tokens


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"length_penalty": 0.6},
        {"length_penalty": 5.0},
        {"shortest": 2},
        {"forbidden": (1,), "length_penalty": 1.0},
        {"no_repeated": 1},
        {"no_repeated": 2, "shortest": 3},
    ],
)
def test_wide_beams_find_the_best_of_all_sequences_in_order(options: dict) -> None:
    decoding = Decoding(beams=200, longest=LONGEST, end=END, **options)
    for given in ((0,), (2, 1)):
        expected = ranked(decoding, given)
        (found,) = beam_search(SPEAKER, torch.tensor([given]), decoding=decoding)
        assert [whole(one) for one in found] == [tokens for _, tokens in expected]
        for one, (score, tokens) in zip(found, expected, strict=True):
            penalty = ((5 + len(tokens)) / 6) ** decoding.length_penalty
            assert one.log_probability / penalty == pytest.approx(score, abs=1e-4)


def test_narrow_beams_follow_the_best_beginnings() -> None:
    """Two beams, by hand: at each step the two best beginnings that have not ended go on."""
    decoding = Decoding(beams=2, longest=LONGEST, end=END)
    alive: list[tuple[int, ...]] = [()]
    ended = []
    for step in range(1, LONGEST + 1):
        grown = [(SPEAKER.likelihood((0,), (*tokens, new)), (*tokens, new)) for tokens in alive for new in range(SIZE)]
        best = sorted(grown, reverse=True)[:4]
        ended += [one for one in best if one[1][-1] == END or step == LONGEST]
        alive = [tokens for _, tokens in best if tokens[-1] != END][:2]
    expected = [tokens for _, tokens in sorted(ended, reverse=True)[:2]]
    (found,) = beam_search(SPEAKER, torch.tensor([[0]]), decoding=decoding)
    assert [whole(one) for one in found] == expected


def test_without_an_end_every_sequence_is_of_the_longest_length() -> None:
    likelihoods = {
        tokens: SPEAKER.likelihood((0,), tokens) for tokens in itertools.product(range(SIZE), repeat=LONGEST)
    }
    written = decode(SPEAKER, torch.tensor([[0]]), decoding=Decoding(beams=100, longest=LONGEST))[0]
    assert written.tokens == max(likelihoods, key=lambda tokens: likelihoods[tokens])
    assert not written.ended


def test_the_likeliest_token_is_taken_at_temperature_zero() -> None:
    decoding = Decoding(temperature=0, longest=9, end=END, shortest=5)
    (written,) = decode(SPEAKER, torch.tensor([[1]]), decoding=decoding)
    tokens: tuple[int, ...] = ()
    while len(tokens) < 9 and (not tokens or tokens[-1] != END):
        logits, _ = SPEAKER(torch.tensor([[1, *tokens]]), None)
        if len(tokens) < 5:
            logits[0, END] = -math.inf
        tokens = (*tokens, int(logits.argmax()))
    assert whole(written) == tokens
    assert written.log_probability == pytest.approx(SPEAKER.likelihood((1,), tokens), abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 2},
        {"top_p": 0.7},
        {"top_p": 0.9, "top_k": 3, "temperature": 1.5},
        {"top_p": 1e-6},
    ],
)
def test_tokens_are_drawn_as_often_as_they_should_be(options: dict) -> None:
    count = 4000
    decoding = Decoding(longest=2, forbidden=(1,), **options)
    drawn = decode(SPEAKER, torch.zeros(count, 1, dtype=torch.int64), decoding=decoding)
    expected: dict[tuple[int, ...], float] = {}
    for first, share in _shares((0,), decoding).items():
        for second, then in _shares((0, first), decoding).items():
            expected[first, second] = share * then
    seen = Counter(written.tokens for written in drawn)
    assert set(seen) <= set(expected)
    observed = [seen[tokens] for tokens in expected]
    if len(expected) > 1:
        assert chisquare(observed, [count * share for share in expected.values()]).pvalue > 0.001


def _shares(given: tuple[int, ...], decoding: Decoding) -> dict[int, float]:
    """What each token should be drawn with, by the definitions of temperature, top k and top p."""
    logits, _ = SPEAKER(torch.tensor([given]), None)
    weights = {
        token: math.exp(float(logits[0, token]) / decoding.temperature)
        for token in range(SIZE)
        if token not in decoding.forbidden
    }
    likeliest = sorted(weights, key=lambda token: -weights[token])[: decoding.top_k]
    total = sum(weights[token] for token in likeliest)
    kept, mass = {}, 0.0
    for token in likeliest:
        if decoding.top_p is not None and mass >= decoding.top_p:
            break
        kept[token] = weights[token]
        mass += weights[token] / total
    return {token: weight / sum(kept.values()) for token, weight in kept.items()}


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_are_written_as_if_alone(beams: int) -> None:
    given = torch.arange(12).reshape(6, 2) % 3
    decoding = Decoding(longest=8, end=END, beams=beams, no_repeated=3)
    seeds = [11, 5, 5, 0, 7, 2]
    together = decode(SPEAKER, given, decoding=decoding, seeds=seeds)
    for row, seed, written in zip(given, seeds, together, strict=True):
        (alone,) = decode(SPEAKER, row[None], decoding=decoding, seeds=[seed])
        assert alone.tokens == written.tokens
        assert alone.log_probability == pytest.approx(written.log_probability, abs=1e-5)
        assert SPEAKER.likelihood(tuple(row.tolist()), whole(written)) == pytest.approx(
            written.log_probability, abs=1e-4
        )


def test_a_state_given_from_outside_is_gone_on_from() -> None:
    prompt = torch.tensor([[0, 1, 2], [2, 2, 0]])
    decoding = Decoding(longest=6, beams=3)
    _, state = SPEAKER(prompt[:, :2], None)
    assert decode(SPEAKER, prompt[:, 2:], state, decoding=decoding) == decode(SPEAKER, prompt, decoding=decoding)


def test_no_sequence_is_written_twice_unless_nothing_else_is_left() -> None:
    decoding = Decoding(longest=40, no_repeated=3, temperature=0)
    (written,) = decode(SPEAKER, torch.tensor([[0]]), decoding=decoding)
    assert not _repeats((0, *written.tokens), 3)
    (written,) = decode(SPEAKER, torch.tensor([[0]]), decoding=Decoding(longest=40, no_repeated=1))
    assert len(written.tokens) == 40
    assert sorted((0, *written.tokens[:3])) == [0, 1, 2, 3]


def test_a_temperature_near_zero_is_zero() -> None:
    given = torch.zeros(50, 1, dtype=torch.int64)
    cold = decode(SPEAKER, given, decoding=Decoding(longest=5, temperature=1e-30))
    assert {written.tokens for written in cold} == {
        decode(SPEAKER, given[:1], decoding=Decoding(longest=5, temperature=0))[0].tokens
    }


@pytest.mark.parametrize(
    "options",
    [
        {"longest": 0},
        {"shortest": 200},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"beams": 0},
        {"beams": 2, "top_k": 3},
        {"no_repeated": -1},
        {"length_penalty": -0.1},
    ],
)
def test_impossible_choices_are_refused(options: dict) -> None:
    with pytest.raises(ConfigurationError):
        Decoding(**options)
