"""Vocabularies: numbers and back, what is rare or new is unknown, words of a text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.data.preprocessing.vocabulary import UNKNOWN, Vocabulary, words
from ganglion.errors import DataError
from ganglion.settings import from_dict, to_dict


def test_the_commonest_come_first_and_what_is_rare_is_unknown() -> None:
    vocabulary = Vocabulary.fit("aaabbc")
    assert vocabulary.tokens == (UNKNOWN, "a", "b")
    assert vocabulary.encode("abcz").tolist() == [1, 2, 0, 0]
    assert vocabulary.unknown("zcaz") == ["z", "c"]
    assert Vocabulary.fit("aaabbc", most=2).tokens == (UNKNOWN, "a")


@given(st.text())
def test_characters_come_back_as_they_were(text: str) -> None:
    vocabulary = Vocabulary.fit(text + "a", least=1)
    expected = "".join(character if character != UNKNOWN else UNKNOWN for character in text)
    assert "".join(vocabulary.decode(vocabulary.encode(text))) == expected


def test_words_and_characters_are_encoded_alike() -> None:
    vocabulary = Vocabulary.fit("abcabc")
    assert vocabulary.encode("cabx").tolist() == vocabulary.encode(list("cabx")).tolist()


def test_half_a_character_of_a_prompt_is_unknown() -> None:
    assert Vocabulary.fit("aa").encode("a\ud800").tolist() == [1, 0]


def test_the_replacement_sign_itself_is_unknown() -> None:
    assert Vocabulary.fit(["a", "a", UNKNOWN, UNKNOWN]).tokens == (UNKNOWN, "a")


def test_survives_json() -> None:
    vocabulary = Vocabulary.fit("naïve naïve 字字 \n\n")
    assert from_dict(Vocabulary, json.loads(json.dumps(to_dict(vocabulary)))) == vocabulary


def test_refuses_a_text_without_anything_that_recurs() -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        Vocabulary.fit("abc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't bad.", ["it", "isn't", "bad", "."]),
        ("naïve_über 3,5 & 字", ["naïve", "_", "über", "3", ",", "5", "&", "字"]),
        ("  \n\t", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected
