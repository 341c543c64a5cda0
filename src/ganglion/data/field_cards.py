"""A field in one line for a reader: images with size and range, texts with lengths and script, boxes with classes."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any

import numpy as np

from ganglion.data.fields import UNJUDGED, Boxes, Field, FieldKind
from ganglion.data.places import evenly

LOOKED_AT = 200
"""Samples of a field that a line is made from; the samples lie evenly over the whole."""
MOST_LETTERS = 20_000
"""Letters that are looked at for the script."""
MAIN_SCRIPT = 0.05
"""Share of the letters from which a script is named."""
EXAMPLES = 3
SHOWN = 60
"""Characters of a text that is shown."""


def field_line(field: Field) -> dict[str, str]:
    """Return what a field holds, over which range, and examples.

    >>> field_line(Field(kind="texts", values=["good", "very bad"]))["range"]
    '2, of 1 to 2 words, in Latin letters'
    """
    holds, span, examples = DESCRIBED[field.kind](field)
    return {"type": holds, "range": span, "missing": "", "examples": examples}


Described = tuple[str, str, str]


def _images(field: Field) -> Described:
    images = _some(field)
    colour = {"colour" if image.ndim == 3 and image.shape[-1] == 3 else "grey" for image in images}
    black, white = field.pixels or (0, 255)
    pixels = np.concatenate([np.asarray(image, dtype=np.float64).ravel() for image in images])
    if field.pixels is not None:  # they are kept as bytes, or as fractions where a byte would lose what they hold
        pixels = black + pixels / (255 if images[0].dtype == np.uint8 else 1) * (white - black)
    share = "" if field.in_files else f", of which {pixels.min():g} to {pixels.max():g} occurs"
    span = f"{len(field)}, {_sizes(images)} pixels, black {black:g}, white {white:g}{share}"
    return f"images, {' and '.join(sorted(colour))}", span, f"mean {pixels.mean():.4g}"


def _masks(field: Field) -> Described:
    masks = _some(field)
    counts = Counter[Any]()
    for mask in masks:
        counts.update(dict(zip(*(part.tolist() for part in np.unique(mask, return_counts=True)), strict=True)))
    total = sum(counts.values())
    shares = [f"{_named(field, number)} {count / total:.1%}" for number, count in counts.most_common()]
    return "masks", f"{len(field)}, {_sizes(masks)} pixels", ", ".join(shares)


def _boxes(field: Field) -> Described:
    every: list[Boxes] = list(field.values)
    counts = Counter(chain.from_iterable(np.asarray(boxes.classes).tolist() for boxes in every))
    said = ", ".join(f"{_named(field, number)} {count:,}" for number, count in counts.most_common())
    return "boxes", f"{sum(counts.values()):,} in {len(every)} images", said


def _classes(field: Field) -> Described:
    counts = Counter(np.asarray(field.values).tolist())
    said = ", ".join(f"{_named(field, number)} ({count})" for number, count in counts.most_common(EXAMPLES))
    return "classes to predict", f"{len(counts)} different", said


def _step_classes(field: Field) -> Described:
    steps = np.concatenate([np.asarray(value) for value in field.values])
    counts = Counter(steps[steps != UNJUDGED].tolist())
    said = ", ".join(f"{_named(field, number)} ({count:,})" for number, count in counts.most_common(EXAMPLES))
    return "classes at every step", f"{len(counts)} different", said


def _numbers(field: Field) -> Described:
    values = np.asarray(field.values, dtype=np.float64)
    said = ", ".join(f"{value:.6g}" for value in values.ravel()[:EXAMPLES])
    return field.kind, f"{len(values)}, {values.min():.6g} to {values.max():.6g}", said


def _texts(field: Field) -> Described:
    words = [len(text.split()) for text in field.values]
    spaced = max(words, default=0) > 1  # some scripts do without spaces
    lengths = _from_to(words, "words") if spaced else _from_to([len(text) for text in field.values], "characters")
    span = f"{len(field)}, of {lengths}, {scripts(field.values)}"
    return "texts", span, _shortened(field.values[0])


def _text(field: Field) -> Described:
    (text,) = field.values
    return "text", f"{len(text):,} characters, {len(set(text))} different, {scripts([text])}", _shortened(text)


def _tagged(field: Field) -> Described:
    tags = Counter(tag for sample in field.values for _, tag in sample)
    span = f"{len(field)}, of {_from_to([len(sample) for sample in field.values], 'tokens')}, {len(tags)} tags"
    return "tagged texts", span, " ".join(f"{token}/{tag}" for token, tag in islice(field.values[0], 2 * EXAMPLES))


def _short_series(field: Field) -> Described:
    _, steps, channels = np.shape(field.values)
    several = "s" * (channels > 1)
    return "short series", f"{len(field)}, of {steps} steps, {channels} channel{several}", ""


def _panel(field: Field) -> Described:
    steps = _from_to([len(series) for series in field.values], "steps")
    return "series", f"{len(field)}, of {steps}" + (f", {', '.join(field.names)}" if field.names else ""), ""


def _labels(field: Field) -> Described:
    held = np.asarray(field.values, dtype=bool)
    names = field.names or tuple(f"label {number + 1}" for number in range(held.shape[1]))
    shares = (f"{name} {share:.0%}" for name, share in zip(names, held.mean(axis=0), strict=True))
    return "labels to predict", f"{len(field)}, {held.sum(axis=1).mean():.2g} of {len(names)} each", ", ".join(shares)


def _sequences(field: Field) -> Described:
    lengths = [len(value) for value in field.values]
    rate = f", {field.rate} a second" if field.rate else ""
    return field.kind, f"{len(field)}, of {_from_to(lengths, 'steps')}{rate}", ""


DESCRIBED: dict[FieldKind, Callable[[Field], Described]] = {
    "images": _images,
    "masks": _masks,
    "boxes": _boxes,
    "classes": _classes,
    "step-classes": _step_classes,
    "labels": _labels,
    "values": _numbers,
    "ratings": _numbers,
    "weights": _numbers,
    "texts": _texts,
    "text": _text,
    "tagged": _tagged,
    "short-series": _short_series,
    "panel": _panel,
    **dict.fromkeys(("tokens", "waveforms", "strokes", "films"), _sequences),
}
"""All kinds but rows and series, whose columns have a line each."""


def scripts(texts: Iterable[str]) -> str:
    """Return in which letters texts are written, most of them first.

    >>> scripts(["мир и peace", "война"]), scripts(["東京"]), scripts(["1, 2"])
    ('in Cyrillic and Latin letters', 'in CJK characters', 'without letters')
    """
    letters = (letter for text in texts for letter in text if letter.isalpha())
    counts = Counter(unicodedata.name(letter, "unnamed").split()[0] for letter in islice(letters, MOST_LETTERS))
    names = [name for name, count in counts.most_common() if count >= MAIN_SCRIPT * counts.total()]
    if not names:
        return "without letters"
    said = " and ".join("CJK" if name == "CJK" else name.capitalize() for name in names)
    return f"in {said} {'characters' if 'CJK' in names else 'letters'}"


def _some(field: Field) -> list[np.ndarray]:
    places = evenly(len(field), LOOKED_AT)
    return [np.asarray(field[place]) for place in places.tolist()]


def _sizes(images: list[np.ndarray]) -> str:
    smallest, largest = (min(image.shape[:2] for image in images), max(image.shape[:2] for image in images))
    one = f"{smallest[0]} x {smallest[1]}"
    return one if smallest == largest else f"{one} to {largest[0]} x {largest[1]}"


def _from_to(lengths: list[int], of: str) -> str:
    return f"{min(lengths)} {of}" if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)} {of}"


def _named(field: Field, number: int) -> str:
    return field.names[number] if 0 <= number < len(field.names) else str(number)


def _shortened(text: str) -> str:
    plain = " ".join(text[: 4 * SHOWN].split())
    return f"'{plain}'" if len(plain) <= SHOWN else f"'{plain[:SHOWN]}...'"
