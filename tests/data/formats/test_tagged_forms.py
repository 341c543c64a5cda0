"""Tags are read by the columns of the form that a file has."""

from pathlib import Path

import pytest

from ganglion.data.catalogue import read
from ganglion.data.preprocessing import words
from ganglion.data.settings import DataSettings

WANTED = [(("They", "PRON"), ("buy", "VERB"), ("books", "NOUN")), (("I", "PRON"), ("do", "VERB"))]
UNIVERSAL = (
    "# text = They buy books\n1\tThey\tthey\tPRON\tPRP\t_\t2\tnsubj\t_\t_\n2-3\tbuybooks\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "2\tbuy\tbuy\tVERB\tVBP\t_\t0\troot\t_\t_\n3\tbooks\tbook\tNOUN\tNNS\t_\t2\tobj\t_\tSpaceAfter=No\n\n"
    "1\tI\tI\tPRON\tPRP\t_\t2\tnsubj\t_\t_\n2\tdo\tdo\tVERB\tVBP\t_\t0\troot\t_\t_\n2.1\tbuy\tbuy\tVERB\t_\t_\t_\t_\t_\t_\n\n"
)
FORMS = {
    "CoNLL-U": UNIVERSAL,
    "CoNLL-2003": (
        "-DOCSTART- -X- O O\n\nThey PRP B-NP PRON\nbuy VBP B-VP VERB\nbooks NNS I-NP NOUN\n\n"
        "I PRP B-NP PRON\ndo VBP B-VP VERB\n"
    ),
    "slashes": "They/PRON buy/VERB books/NOUN\nI/PRON do/VERB\n",
    "two columns": "They\tPRON\nbuy\tVERB\nbooks\tNOUN\n\nI\tPRON\ndo\tVERB\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_words_and_tags_are_found_in_their_columns(tmp_path: Path, form: str) -> None:
    path = tmp_path / "tagged.txt"
    path.write_text(FORMS[form], encoding="utf-8")
    assert read(path, DataSettings(), kind="tagged").inputs == WANTED


def test_scripts_without_spaces_are_split_into_characters() -> None:
    assert words("这家店 is 很好!") == ["这", "家", "店", "is", "很", "好", "!"]
    assert words("ดีมาก") == ["ดี", "ม", "า", "ก"]
    assert words("カードです") == ["カ", "ー", "ド", "で", "す"]
    assert words("한국 사람") == ["한국", "사람"]
