"""Every kind of field is prepared, brought back where answers need it, and survives a run's JSON."""

import json

import numpy as np
import pytest
import torch

from ganglion.data.fields import FORMS, UNJUDGED, Boxes, Field, FieldKind
from ganglion.data.preprocessing import (
    PREPROCESSING,
    BoxPreprocessing,
    FilmPreprocessing,
    ImagePreprocessing,
    MaskPreprocessing,
    Ragged,
    StepClassPreprocessing,
    TaggedPreprocessing,
    TextPreprocessing,
    WaveformPreprocessing,
    apply,
    fit,
    from_state,
    to_state,
)
from ganglion.data.preprocessing.placement import placement
from ganglion.errors import ConfigurationError, DataError, GanglionError

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (4, 9, 7, 3), dtype=np.uint8)
FIELDS: dict[FieldKind, Field] = {
    kind: Field(kind=kind, values=values)
    for kind, values in {
        "images": PIXELS,
        "masks": PIXELS[..., 0] % 3,
        "boxes": [Boxes(np.array([[0, 0, 3, 3.0]]), np.array([0]), (9, 7))] * 4,
        "classes": np.array([0, 1, 2, 1]),
        "labels": np.array([[0, 1], [1, 1], [0, 0], [1, 0]], dtype=bool),
        "values": RANDOM.normal(5, 2, (4, 2)).astype(np.float32),
        "rows": np.array([["a", 1.0], ["b", None], ["a", 2.0], ["b", 3.0]], dtype=object),
        "ratings": np.array([0.5, 5.0, 3.0, 2.0]),
        "text": ["to be or not to be"],
        "texts": ["to be", "or not", "to be", "or"],
        "tokens": [np.arange(3), np.arange(2), np.arange(5), np.array([4])],
        "tagged": [(("to", "P"), ("be", "V"))] * 4,
        "waveforms": [RANDOM.normal(0, 0.1, length).astype(np.float32) for length in (30, 10, 20, 25)],
        "strokes": [RANDOM.normal(0, 7, (length, 3)) for length in (3, 1, 4, 2)],
        "films": [PIXELS[:length] for length in (3, 1, 4, 2)],
        "step-classes": [np.arange(3) % 2] * 4,
        "series": RANDOM.normal(100, 3, (30, 2)),
        "short-series": RANDOM.normal(3, 2, (4, 10, 2)),
        "panel": [RANDOM.normal(place, 3, (length, 2)) for place, length in enumerate((9, 5, 7, 6))],
        "weights": np.array([1.0, 0.0, 2.0, 1.0]),
    }.items()
}  # type: ignore[misc]


def equal(left: torch.Tensor | Ragged, right: torch.Tensor | Ragged) -> bool:
    if isinstance(left, Ragged) and isinstance(right, Ragged):
        return torch.equal(left.values, right.values) and torch.equal(left.lengths, right.lengths)
    return isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor) and torch.equal(left, right)


def test_every_kind_has_its_preprocessing() -> None:
    assert set(PREPROCESSING) == set(FORMS) == set(FIELDS)


@pytest.mark.parametrize("kind", FIELDS)
def test_a_run_keeps_the_preprocessing_of_every_kind(kind: FieldKind) -> None:
    field = FIELDS[kind]
    prepared = {"it": fit(field)}
    state = json.loads(json.dumps(to_state(prepared)))
    back = from_state(state)
    assert back == prepared
    tensors = apply(back, {"it": field})["it"]
    assert equal(tensors, prepared["it"](field.values))
    assert len(tensors) == len(field)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "rows"},
        {"kind": "cells", "settings": {}},
        {"kind": "classes", "settings": {"num_classes": 0}},
        {"kind": "classes", "settings": {"num_classes": "two"}},
        {"kind": "classes", "settings": {"num_classes": 2, "code": "print"}},
        7,
    ],
)
def test_a_damaged_state_is_refused(state: object) -> None:
    with pytest.raises(GanglionError):
        from_state({"it": state})


def test_the_field_that_cannot_be_prepared_is_named() -> None:
    prepared = {"targets": fit(Field(kind="classes", values=np.array([0, 1])))}
    with pytest.raises(DataError) as caught:
        apply(prepared, {"targets": Field(kind="classes", values=np.array([2]))})
    assert "field targets" in caught.value.where


# Images, masks and boxes in a frame.


def scene(height: int, width: int, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, Boxes]:
    """Return a black picture with a white rectangle, its mask and its box."""
    left, top, right, bottom = box
    image, mask = np.zeros((1, height, width, 1), np.uint8), np.zeros((1, height, width), np.int64)
    image[:, top:bottom, left:right] = 255
    mask[:, top:bottom, left:right] = 1
    return image, mask, Boxes(np.array([box], dtype=np.float32), np.array([0]), (height, width))


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox", "none"])
@pytest.mark.parametrize("size", [(40, 80), (80, 40), (50, 50), (33, 47)])
def test_masks_and_boxes_stay_where_the_image_shows_them(resize: str, size: tuple[int, int]) -> None:
    height, width = size
    box = (width // 2 - 8, height // 2 - 6, width // 2 + 4, height // 2 + 8)
    image, mask, boxes = scene(height, width, box)
    frame = {"image_size": (60, 64), "resize": resize}
    seen = ImagePreprocessing(channels=1, **frame)(image)[0, 0]  # type: ignore[arg-type]
    classes = MaskPreprocessing(num_classes=2, **frame)(mask)[0]  # type: ignore[arg-type]
    (row,) = BoxPreprocessing(num_classes=1, **frame)([boxes])[0].tolist()  # type: ignore[arg-type]
    assert seen.shape == classes.shape == (60, 64)
    white = seen > 0.75
    assert (white == (classes == 1)).float().mean() > 0.97
    rows, columns = (torch.nonzero(white.any(dim)).flatten() for dim in (1, 0))
    found = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    assert np.allclose(found, row[:4], atol=1.5)
    borders = classes == UNJUDGED
    uncovered = {"letterbox": size != (60, 64), "none": height < 60 or width < 64}
    assert bool(borders.any()) == uncovered.get(resize, False)
    assert torch.allclose(seen[borders], torch.tensor(0.5))


def test_without_resizing_every_pixel_is_that_of_the_image() -> None:
    image = RANDOM.integers(0, 256, (1, 50, 70, 1), dtype=np.uint8)
    seen = ImagePreprocessing(image_size=(20, 30), channels=1, resize="none")(image)
    assert torch.equal(seen[0, 0], torch.from_numpy(image[0, 15:35, 20:50, 0] / np.float32(255)))


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
def test_answers_come_back_at_the_size_of_the_image(resize: str) -> None:
    height, width, frame = 40, 60, {"image_size": 80, "resize": resize}
    image, mask, boxes = scene(height, width, (25, 10, 40, 30))
    images = ImagePreprocessing(channels=1, **frame)  # type: ignore[arg-type]
    (back,) = images.inverse(images(image), [(height, width)])
    masks = MaskPreprocessing(num_classes=2, **frame)  # type: ignore[arg-type]
    (classes,) = masks.inverse(masks(mask), [(height, width)])
    boxed = BoxPreprocessing(num_classes=1, **frame)  # type: ignore[arg-type]
    found = boxed.inverse(boxed([boxes])[0], (height, width))
    assert back.shape == (height, width, 1)
    judged = classes != UNJUDGED
    assert judged.all() == (resize != "crop")
    assert (classes == mask[0])[judged].all()
    assert np.abs(back[judged].astype(float) - image[0][judged]).mean() < 12
    assert np.allclose(found.corners, boxes.corners, atol=1e-3)


def test_boxes_outside_a_crop_go_and_others_are_cut() -> None:
    boxes = Boxes(np.array([[0, 0, 10, 10], [20, 0, 60, 10.0]]), np.array([0, 1]), (40, 80))
    rows = BoxPreprocessing(image_size=40, num_classes=2, resize="crop")([boxes])[0]
    assert rows.tolist() == [[0, 0, 40, 10, 1]]
    with pytest.raises(DataError, match="class that is unknown"):
        BoxPreprocessing(image_size=40, num_classes=1)([boxes])
    empty = BoxPreprocessing(image_size=40, num_classes=1)([Boxes(np.empty((0, 4)), np.empty(0, int), (4, 4))])
    assert empty[0].shape == (0, 5)


@pytest.mark.parametrize("resize", ["crop", "letterbox"])
def test_a_placement_keeps_proportions_and_fills_or_fits_the_frame(resize: str) -> None:
    for _ in range(200):
        image, frame = ((int(a), int(b)) for a, b in RANDOM.integers(1, 400, (2, 2)))
        there = placement(image, frame, resize)  # type: ignore[arg-type]
        assert (there.top <= 0 and there.left <= 0) if resize == "crop" else (there.top >= 0 and there.left >= 0)
        for offset, size, side in ((there.top, there.size[0], frame[0]), (there.left, there.size[1], frame[1])):
            assert abs(offset + size - side + offset) <= 1  # in the middle
        if min(there.size) > 20:
            assert np.isclose(there.size[0] / there.size[1], image[0] / image[1], rtol=0.05)


def test_channels_are_standardised_by_the_training_part() -> None:
    images = np.stack([RANDOM.integers(low, 256, (50, 8, 8), dtype=np.uint8) for low in (0, 100, 200)], axis=-1)
    convert = ImagePreprocessing.fit(images, standardised=True)
    assert np.allclose(convert.means, images.mean(axis=(0, 1, 2)) / 255, atol=1e-6)
    assert np.allclose(convert.deviations, images.std(axis=(0, 1, 2)) / 255, atol=1e-6)
    tensor = convert(images)
    assert torch.allclose(tensor.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(tensor.std((0, 2, 3)), torch.ones(3), atol=1e-2)
    assert np.array_equal(convert.inverse(tensor), images)
    black, white = convert(np.zeros((1, 8, 8, 3), np.uint8)), convert(np.full((1, 8, 8, 3), 255, np.uint8))
    assert torch.allclose(black[0, :, 0, 0], torch.tensor(convert.black), atol=1e-5)
    assert torch.allclose(white[0, :, 0, 0], torch.tensor(convert.white), atol=1e-5)
    flat = ImagePreprocessing.fit(np.full((3, 4, 4), 9, np.uint8), standardised=True)
    assert torch.equal(flat(np.full((1, 4, 4), 9, np.uint8)).round(decimals=5), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ConfigurationError, match="one mean"):
        ImagePreprocessing(image_size=8, channels=3, means=(0.5,), deviations=(1.0,))


def test_masks_of_other_classes_are_refused() -> None:
    with pytest.raises(DataError, match="class that is unknown"):
        MaskPreprocessing(image_size=4, num_classes=2)(np.full((1, 4, 4), 2))


# Texts, tags, sounds, films.


def test_texts_come_back_and_unknown_words_are_known_as_such() -> None:
    texts = ["the cat sat", "the cat ran", "a dog sat"]
    words = TextPreprocessing.fit(texts, least=1)
    assert words.inverse(words(texts).padded(torch.arange(3))[0]) == texts
    assert words.encode("the bird sat").tolist()[1] == 1
    assert words(["", "..."]).lengths.tolist() == [1, 3]
    characters = TextPreprocessing.fit(["Ünïcødé  text\n"], unit="characters", least=1)
    assert characters.inverse(characters(["Ünïcødé  text\n"]).padded(torch.tensor([0]))[0]) == ["Ünïcødé  text\n"]


def test_marked_texts_begin_and_end() -> None:
    reader = TextPreprocessing.fit(["to be or not to be"], least=1, marked=True, window=3)
    numbers = reader.encode("to be or not")
    assert (numbers[0], numbers[-1], len(numbers)) == (2, 3, 5)
    assert reader.encode("").tolist() == [2, 3]
    assert reader.decode([2, 4, 5, 3, 4, 4]) == reader.decode([4, 5])
    assert reader.num_tokens == int(numbers.max()) + 2
    with pytest.raises(ConfigurationError, match="marks"):
        TextPreprocessing(tokens=("a", "b", "c"), marked=True)


def test_tags_stand_beside_their_tokens() -> None:
    reader = TaggedPreprocessing.fit([(("a", "X"), ("b", "Y"))] * 2)
    sequences = [(("b", "Y"), ("c", "Z"), ("a", "X")), (("a", "X"),)]
    tokens, lengths = reader(sequences).padded(torch.arange(2))
    tags, _ = reader.targets(sequences).padded(torch.arange(2))
    assert tokens.tolist() == [[3, 1, 2], [2, 0, 0]]
    assert tags.tolist() == [[1, 2, 0], [0, UNJUDGED, UNJUDGED]]
    assert lengths.tolist() == [3, 1]


def test_sounds_of_any_type_are_alike() -> None:
    wave = RANDOM.uniform(-1, 1, 100)
    types = [
        wave,
        (wave * 32767).astype(np.int16),
        (wave * (2**31 - 1)).astype(np.int32),
        (wave * 127 + 128).astype(np.uint8),
    ]
    sound = WaveformPreprocessing.fit([wave], rate=8000)
    assert np.isclose(sound.deviation, np.sqrt((wave**2).mean()))
    for one in types:
        assert np.allclose(sound.inverse(sound([one])[0]), wave, atol=0.02)
    stereo = np.stack([wave, -wave], axis=1)
    assert torch.equal(sound([stereo])[0], torch.zeros(100))
    with pytest.raises(DataError, match="no numbers"):
        sound([np.array([0.0, np.nan])])


def test_films_are_their_frames() -> None:
    films = FilmPreprocessing.fit([PIXELS, PIXELS[:2]], image_size=8, channels=1)
    frames, lengths = films([PIXELS, PIXELS[:2]]).padded(torch.arange(2))
    assert (frames.shape, lengths.tolist()) == ((2, 4, 1, 8, 8), [4, 2])
    assert torch.equal(frames[0], films.frames(PIXELS))
    assert films.inverse(frames[1, :2]).shape == (2, 8, 8, 1)


def test_so_many_frames_are_taken_of_each_film_and_their_classes_with_them() -> None:
    films = FilmPreprocessing.fit([PIXELS], image_size=8, num_frames=3)([PIXELS, PIXELS[:2]])
    assert films.shape == (2, 3, 3, 8, 8)
    classes = StepClassPreprocessing.fit([np.array([0, 1, 1, 2])], num_steps=3)
    assert classes([np.array([0, 1, 1, 2]), np.array([2, UNJUDGED])]).tolist() == [[0, 1, 2], [2, 2, UNJUDGED]]
    with pytest.raises(DataError, match="unknown"):
        classes([np.array([3, 3])])


def test_ragged_samples_are_padded_in_any_order() -> None:
    samples = [torch.randn(length, 2) for length in (3, 1, 4)]
    ragged = Ragged.of(samples, padding=9)
    places = torch.tensor([2, 0, 0, 1])
    padded, lengths = ragged.padded(places)
    for row, length, place in zip(padded, lengths.tolist(), places.tolist(), strict=True):
        assert torch.equal(row[:length], samples[place]) and torch.equal(ragged[place], samples[place])
        assert (row[length:] == 9).all()
    none = Ragged.of([torch.empty(0, 5), torch.empty(0, 5)], padding=-1).padded(torch.tensor([0, 1]))
    assert none[0].shape == (2, 0, 5)
