"""Cards of fields of every kind, beside what was put into them."""

import numpy as np
import pytest

from ganglion.data.card import card, card_notes
from ganglion.data.dataset import Dataset
from ganglion.data.field_cards import DESCRIBED, field_line, scripts
from ganglion.data.fields import FORMS, Boxes, Field


def test_every_kind_of_field_but_rows_and_series_has_a_line() -> None:
    assert set(DESCRIBED) == set(FORMS) - {"rows", "series"}


def test_images_say_how_many_sizes_colours_and_how_much_of_the_range_occurs() -> None:
    images = [np.full((4, 6, 1), 0.125, np.float32), np.full((8, 6, 3), 0.75, np.float32)]
    line = field_line(Field(kind="images", values=images, pixels=(0.0, 4096.0)))
    assert line["type"] == "images, colour and grey"
    assert line["range"] == "2, 4 x 6 to 8 x 6 pixels, black 0, white 4096, of which 512 to 3072 occurs"
    assert line["examples"] == f"mean {(24 * 512 + 144 * 3072) / 168:.4g}"
    bits = field_line(Field(kind="images", values=np.array([[[0, 255]]], np.uint8), pixels=(0.0, 1.0)))
    assert "white 1, of which 0 to 1 occurs" in bits["range"]


def test_masks_say_the_share_of_each_class_and_boxes_how_many_there_are() -> None:
    mask = np.array([[0, 0, 0, 1]])
    assert field_line(Field(kind="masks", values=[mask], names=("sky", "tree")))["examples"] == "sky 75.0%, tree 25.0%"
    boxes = [Boxes(np.zeros((count, 4)), np.zeros(count, int), (9, 9)) for count in (2, 0)]
    line = field_line(Field(kind="boxes", values=boxes, names=("cell",)))
    assert (line["range"], line["examples"]) == ("2 in 2 images", "cell 2")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["good", "very bad"], "2, of 1 to 2 words, in Latin letters"),
        (["好评如潮", "差评"], "2, of 2 to 4 characters, in CJK characters"),
        (["очень хорошо"], "1, of 2 words, in Cyrillic letters"),
    ],
)
def test_texts_say_their_lengths_and_letters(texts: list[str], said: str) -> None:
    assert field_line(Field(kind="texts", values=texts))["range"] == said


def test_a_script_of_a_few_letters_is_not_named() -> None:
    assert scripts(["a" * 99 + "я"]) == "in Latin letters"


def test_sequences_say_their_lengths_and_rate() -> None:
    field = Field(kind="waveforms", values=[np.zeros(3), np.zeros(5)], rate=8000)
    assert field_line(field)["range"] == "2, of 3 to 5 steps, 8000 a second"


def test_a_series_has_a_line_for_each_column() -> None:
    data = Dataset.of(name="s", kind="series", inputs=np.array([[1.0, 5.0], [2.0, np.nan]]), column_names=("a", "b"))
    assert [(line["column"], line["range"], line["missing"]) for line in card(data)] == [
        ("a", "1 to 2", ""),
        ("b", "5 to 5", "1"),
    ]
    assert card_notes(data)[0] == "2 steps"
