"""Texts that are written again: joined words and byte pairs, of any script, there and back."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis.strategies import text

from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.preprocessing.pieces import BYTES, WORD, Cutter, as_bytes, as_text, learn_pieces

TEXTS = [
    "The lower the lowest, the better: a T-shirt for 3.50 $ (don't ask)!",
    "Die Grüße der Fußgänger, „Ja“ – 12:30 Uhr.",
    "私は猫です。日本語",
    "مرحبا بالعالم، كيف الحال؟",
    "👩‍👩‍👧 family 🙂🙂 emoji",
    "นี่คือ ข้อความ",
]


def plain_pairs(texts: list[str], count: int) -> list[str]:
    """Join pairs as the paper's listing does, counting all of them anew each time."""
    words = Counter(word for text in texts for word in WORD.findall(text))
    parts = {word: list(as_bytes(word)) for word in words}
    pieces = list(BYTES)
    while len(pieces) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in pairwise(parts[word]):
                pairs[pair] += times
        if not pairs or max(pairs.values()) < 2:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        pieces.append("".join(best))
        for word, found in parts.items():
            again, place = [], 0
            while place < len(found):
                pair = tuple(found[place : place + 2])
                again.append("".join(pair) if pair == best else found[place])
                place += 2 if pair == best else 1
            parts[word] = again
    return pieces


def test_pieces_are_those_of_counting_all_pairs_each_time() -> None:
    assert list(learn_pieces(TEXTS * 2, 340)) == plain_pairs(TEXTS * 2, 340)
    assert list(learn_pieces(["aaaa aaa aabaab"] * 2, 300)) == plain_pairs(["aaaa aaa aabaab"] * 2, 300)


@pytest.mark.parametrize("sentence", TEXTS)
@pytest.mark.parametrize("unit", ["joined", "pieces", "characters"])
def test_what_is_known_comes_back_as_it_was(sentence: str, unit: str) -> None:
    reader = TextPreprocessing.fit(TEXTS, unit=unit, marked=True, least=1, most=400)  # type: ignore[arg-type]
    assert reader.inverse(reader([sentence]).padded(reader([sentence]).lengths.new_zeros(1))[0]) == [sentence]
    assert not reader.unknown(sentence)


@given(text())
@settings(max_examples=100, deadline=None)
def test_pieces_give_back_any_text(sentence: str) -> None:
    pieces = Cutter(learn_pieces(TEXTS, 300))(sentence)
    assert as_text("".join(pieces)) == sentence


def test_capitals_are_kept_or_not() -> None:
    small = TextPreprocessing.fit(["Anna ANNA anna"], unit="joined", lower=True)
    assert small.split("Anna") == ["anna"] and small.tokens[1:] == ("anna",)
    kept = TextPreprocessing.fit(["Anna Anna"], unit="joined")
    assert kept.unknown("anna Anna") == ["anna"]


def test_an_unknown_word_keeps_its_place() -> None:
    reader = TextPreprocessing.fit(["a cat, a dog."] * 2, unit="joined", marked=True)
    assert reader.decode(reader.encode("a bird, a dog.")) == "a \N{REPLACEMENT CHARACTER}, a dog."
    pieces = TextPreprocessing.fit(["a cat"] * 2, unit="pieces", most=300)
    assert pieces.joined(["a", "\N{REPLACEMENT CHARACTER}", "\xc3", "\xa4"]) == "a\N{REPLACEMENT CHARACTER}ä"
    assert pieces.shown([" cat"]) == [" cat"]
