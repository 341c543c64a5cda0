"""BLEU and chrF against the figures of sacrebleu 2.6.0, `corpus_bleu` and `corpus_chrf` with their defaults."""

import pytest

from ganglion.tasks.measures.translations import bleu, chrf

SETS = {
    "captions": (
        [
            "a man in an orange hat staring at something .",
            "A Boston terrier is running on lush green grass in front of the white fence.",
            "a girl in karate uniform breaks a stick with a front kick",
            "five people wearing winter jackets and helmets stand in snow",
            "people fixing the roof of house",
        ],
        [
            "A man in an orange hat starring at something.",
            "A Boston Terrier is running on lush green grass in front of a white fence.",
            "A girl in karate uniform breaking a stick with a front kick.",
            "Five people wearing winter jackets and helmets stand in the snow, with snowmobiles in the background.",
            "People are fixing the roof of a house.",
        ],
        51.107103334878126,
        75.73936161521596,
    ),
    "signs": (
        [
            "It costs $3.50, or 1,000.5-10% &quot;off&quot; (a/b)!",
            "",
            "state-of-the-art  A.B.C. 10-20",
            "- x’s <b>",
            'He said: "yes", [ok] {1} ~5',
        ],
        [
            'It costs $3.5, or 1,000.5 - 10 % "off" (a/b)!',
            "nothing",
            "state of the art A.B.C. 10-20",
            "x’s &lt;b&gt;",
            'He said : "Yes" , [OK] {1} ~ 5',
        ],
        71.60409681549773,
        57.58496453649155,
    ),
    "scripts": (
        ["私は猫です。", "Die Grüße, bitte", "привет мир как дела"],
        ["私は犬です。", "die Grüße bitte", "привет , мир ! как дела ?"],
        16.344983792563017,
        54.29626673120824,
    ),
    "hardly": (
        ["the red cat runs off now"],
        ["the blue cat walks off then"],
        10.682175159905853,
        20.9647611615587,
    ),
    "short": (
        ["a b"],
        ["a b"],
        0.0,
        100.0,
    ),
    "nothing right": (
        ["x y z w v"],
        ["a b c d e"],
        0.0,
        0.0,
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_scores_are_those_of_sacrebleu(name: str) -> None:
    answers, wanted, expected_bleu, expected_chrf = SETS[name]
    assert bleu(answers, wanted) == pytest.approx(expected_bleu, abs=1e-9)
    assert chrf(answers, wanted) == pytest.approx(expected_chrf, abs=1e-9)


def test_every_answer_has_its_sentence() -> None:
    with pytest.raises(ValueError, match="longer"):
        bleu(["a"], ["a", "b"])
