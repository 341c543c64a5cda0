"""How near written sentences come to those that were wanted: BLEU and chrF, in the definitions of sacrebleu."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import or_

from ganglion.core import Measure

BLEU = Measure(
    name="bleu",
    higher_is_better=True,
    meaning="Share of the runs of one to four words that the wanted sentences have as well, 0 to 100 (sacrebleu 13a).",
)
CHRF = Measure(
    name="chrf",
    higher_is_better=True,
    meaning="Agreement of the runs of one to six characters with those of the wanted sentences, 0 to 100 (chrF2).",
)
EXACT = Measure(name="exact", higher_is_better=True, meaning="Share of the sentences that are just what was wanted.")

LONGEST_WORDS = 4
LONGEST_CHARACTERS = 6
RECALL = 2
"""beta: recall counts this many times as much as precision."""
ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
PUNCTUATION = (
    (re.compile(r"([{-~\[-` -&(-+:-@/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""Signs that stand alone; full stops and commas do unless between digits, a hyphen behind a digit."""


def words_13a(sentence: str) -> list[str]:
    """Return the words of a sentence as the translation conferences count them (mteval-v13a).

    >>> words_13a('He paid 3.50, "please".')
    ['He', 'paid', '3.50', ',', '"', 'please', '"', '.']
    """
    for written, meant in (("<skipped>", ""), ("-\n", ""), ("\n", " "), *ENTITIES):
        sentence = sentence.replace(written, meant)
    sentence = f" {sentence} "
    for pattern, apart in PUNCTUATION:
        sentence = pattern.sub(apart, sentence)
    return sentence.split()


def bleu(answers: Sequence[str], wanted: Sequence[str | Sequence[str]]) -> float:
    """Return BLEU of all answers together, from 0 to 100, each with one wanted sentence or with several.

    100 min(1, e^(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4), for p_n the share of runs of n words of the answers that the
    wanted sentences have, each run counted as often as it is wanted at most; c and r are the lengths of all answers
    and of all wanted sentences. Where none is right, p_n is 1 / 2^k of one run at the k-th time. Of several wanted
    sentences a run counts as often as one of them has it at most, and the one nearest in length is measured.

    Sources: Papineni et al., BLEU (2002); Post, A call for clarity in reporting BLEU scores (2018).

    >>> bleu(["the cat sat on the mat"], ["the cat sat on a mat"])  # doctest: +ELLIPSIS
    53.7...
    """
    right, all_runs, length, wanted_length = [0] * LONGEST_WORDS, [0] * LONGEST_WORDS, 0, 0
    for answer, want in zip(answers, wanted, strict=True):
        said = words_13a(answer.rstrip())
        asked = [words_13a(one.rstrip()) for one in ([want] if isinstance(want, str) else want)]
        length += len(said)
        wanted_length += min((len(one) for one in asked), key=lambda count: (abs(count - len(said)), count))
        for n in range(LONGEST_WORDS):
            runs = _runs(said, n + 1)
            known = reduce(or_, (_runs(one, n + 1) for one in asked))
            right[n] += sum((runs & known).values())
            all_runs[n] += sum(runs.values())
    if not any(right):
        return 0.0
    total, halvings = 0.0, 0
    for hits, runs_of_length in zip(right, all_runs, strict=True):
        if not runs_of_length:
            return 0.0
        if not hits:
            halvings += 1
        total += math.log(hits / runs_of_length if hits else 1 / (2**halvings * runs_of_length))
    return 100 * math.exp(min(0.0, 1 - wanted_length / length) + total / LONGEST_WORDS)


def chrf(answers: Sequence[str], wanted: Sequence[str]) -> float:
    """Return chrF2 of all answers together, from 0 to 100, each with one wanted sentence.

    100 (1 + b^2) p r / (b^2 p + r) with b = 2, for p and r the means over n from 1 to 6 of the shares of the answers'
    runs of n characters that are wanted, and of the wanted ones that are there; white space does not count.

    Source: Popović, chrF: character n-gram F-score for automatic MT evaluation (2015).

    >>> round(chrf(["a black cat"], ["the black cat"]), 1)
    66.4
    """
    precisions, recalls = [], []
    pairs = [("".join(a.split()), "".join(w.split())) for a, w in zip(answers, wanted, strict=True)]
    for n in range(1, LONGEST_CHARACTERS + 1):
        right = said = asked = 0
        for answer, want in pairs:
            runs, known = _runs(answer, n), _runs(want, n)
            right += sum((runs & known).values())
            said += sum(runs.values()) if known else 0  # what nobody asked for is no mistake
            asked += sum(known.values())
        if said and asked:
            precisions.append(right / said)
            recalls.append(right / asked)
    if not sum(precisions) + sum(recalls):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * (1 + RECALL**2) * precision * recall / (RECALL**2 * precision + recall)


def _runs(tokens: Sequence[str], length: int) -> Counter:
    return Counter(tuple(tokens[place : place + length]) for place in range(len(tokens) - length + 1))
