"""Texts made on the spot: sentences of a small grammar, opinions, commands; each a function of its seed."""

import numpy as np

from ganglion.data.dataset import Dataset

Tagged = tuple[tuple[str, str], ...]
"""Words with their tags."""

NOUNS = (
    "cat", "dog", "fox", "bird", "king", "queen", "farmer", "girl", "boy", "miller", "sailor",
    "walk", "dance", "dream", "visit",
)  # fmt: skip
TRANSITIVE = ("see", "hear", "follow", "like", "find", "love", "walk", "visit", "remember")
INTRANSITIVE = ("sing", "sleep", "dance", "walk", "laugh", "run", "wait", "dream")
ADJECTIVES = ("old", "young", "little", "clever", "grey", "brave", "quiet", "happy")
ADVERBS = ("often", "never", "always", "sometimes", "rarely")
SINGULAR, PLURAL = ("the", "a", "this", "every"), ("the", "some", "these", "many")
DEEPEST = 2
"""Relative clauses within each other."""


def tales(random: np.random.Generator, count: int | None) -> Dataset:
    """One text of sentences in which verbs agree with their nouns across clauses that lie between them."""
    sentences = [" ".join(word for word, _ in _sentence(random)) for _ in range(count or 6000)]
    text = " ".join(f"{sentence[0].upper()}{sentence[1:-2]}." for sentence in sentences)
    return Dataset.of(name="", kind="text", inputs=[text])


def tagged_sentences(random: np.random.Generator, count: int | None) -> Dataset:
    """The same sentences with the part of speech of each word; `walks` and `dances` are nouns or verbs."""
    return Dataset.of(name="", kind="tagged", inputs=[_sentence(random) for _ in range(count or 1000)])


def lift(random: np.random.Generator, count: int | None) -> Dataset:
    """Commands to a lift of four floors that starts at the lowest, tagged with the floor that each leads to."""
    rides: list[Tagged] = []
    for _ in range(count or 600):
        moves = random.choice((-1, 0, 1), size=random.integers(6, 21), p=(0.35, 0.2, 0.45))
        floor, ride = 0, []
        for move in moves.tolist():
            floor = min(3, max(0, floor + move))
            ride.append((("down", "stay", "up")[move + 1], f"floor-{floor}"))
        rides.append(tuple(ride))
    return Dataset.of(name="", kind="tagged", inputs=rides)


def opinions(random: np.random.Generator, count: int | None) -> Dataset:
    """Opinions on films of one clause, or of two with a `but`, of which the second counts; some words are negated."""
    texts, classes = [], []
    for _ in range(count or 8000):
        clauses = [_opinion(random)] + ([_opinion(random)] if random.random() < 0.5 else [])
        texts.append(" , but ".join(text for text, _ in clauses) + " .")
        classes.append(clauses[-1][1])
    labels = ("negative", "positive")
    return Dataset.of(
        name="", kind="documents", inputs=texts, targets=np.array(classes, dtype=np.int64), label_names=labels
    )


def _sentence(random: np.random.Generator) -> Tagged:
    plural = bool(random.integers(2))
    return (*_noun_phrase(random, plural, 0), *_verb_phrase(random, plural, 0), (".", "SIGN"))


def _noun_phrase(random: np.random.Generator, plural: bool, depth: int) -> Tagged:
    words = [(_one_of(random, PLURAL if plural else SINGULAR), "DETERMINER")]
    if random.random() < 0.4:
        words.append((_one_of(random, ADJECTIVES), "ADJECTIVE"))
    words.append((_one_of(random, NOUNS) + ("s" if plural else ""), "NOUN"))
    if depth < DEEPEST and random.random() < 0.35:
        words.append(("that", "PRONOUN"))
        if random.random() < 0.5:
            words += _verb_phrase(random, plural, depth + 1)
        else:
            other = bool(random.integers(2))
            words += [*_noun_phrase(random, other, depth + 1), _verb(random, TRANSITIVE, other)]
    return tuple(words)


def _verb_phrase(random: np.random.Generator, plural: bool, depth: int) -> Tagged:
    adverb = ((_one_of(random, ADVERBS), "ADVERB"),) if random.random() < 0.25 else ()
    if random.random() < 0.4:
        return (*adverb, _verb(random, INTRANSITIVE, plural))
    found = bool(random.integers(2))
    return (*adverb, _verb(random, TRANSITIVE, plural), *_noun_phrase(random, found, depth + 1))


def _verb(random: np.random.Generator, verbs: tuple[str, ...], plural: bool) -> tuple[str, str]:
    return _one_of(random, verbs) + ("" if plural else "s"), "VERB"


def _opinion(random: np.random.Generator) -> tuple[str, bool]:
    """Return a clause and whether it speaks well of the film."""
    good, negated = random.random() < 0.5, random.random() < 0.4
    adjectives = ("good", "funny", "moving", "clever", "fresh", "brilliant") if good != negated else (
        "bad", "dull", "flat", "silly", "stale", "hollow",
    )  # fmt: skip
    subject = _one_of(random, ("the film", "the story", "this comedy", "the acting", "the ending", "every scene"))
    verb = _one_of(random, ("is", "seems", "feels"))
    negation = _one_of(random, ("not ", "never ", "hardly ")) if negated else ""
    degree = _one_of(random, ("", "", "very ", "really ", "quite "))
    return f"{subject} {verb} {negation}{degree}{_one_of(random, adjectives)}", good


def _one_of(random: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[random.integers(len(choices))]
