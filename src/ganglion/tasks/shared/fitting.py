"""Preprocessing fitted to data and configuration: one for each field, and what it decides of the configuration."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.pixels import BYTES
from ganglion.data.preprocessing import (
    ClassPreprocessing,
    FilmPreprocessing,
    ImagePreprocessing,
    Preprocessing,
    SeriesPreprocessing,
    ShortSeriesPreprocessing,
    StepClassPreprocessing,
    TabularPreprocessing,
    TaggedPreprocessing,
    TextPreprocessing,
    WaveformPreprocessing,
    fit,
)
from ganglion.data.preprocessing.placement import Size, placement
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError

Options = Mapping[str, Mapping[str, Any]]
"""What the preprocessing of each field is told beside its values, by the name of the field."""
AS_THEY_ARE: Mapping[str, Any] = {"standardised": False}
"""What images are told whose pixels keep their range, since they are measured or drawn."""
FRAMED = ("images", "masks", "boxes")
"""Kinds of fields that a preprocessing brings into a frame."""
APART = 0.02
"""Share of a frame, beside one pixel, by which what belongs together may lie beside each other."""
SQUEEZED = 0.05
"""Change of proportions that is worth a word."""
RESIZED = {
    "stretch": "resized",
    "crop": "resized and cropped",
    "letterbox": "resized, between grey borders,",
    "none": "cut, at their own scale,",
}


def adapt(config: Any, **found: Any) -> Any:
    """Return `config` with those of the `found` values that it has fields for."""
    fields = {one.name for one in dataclasses.fields(config)}
    return dataclasses.replace(config, **{name: value for name, value in found.items() if name in fields})


def refuse_other_loss(config: Any, loss: str, what: str, instead: str) -> None:
    """Raise `ConfigurationError` where the user chose another loss than that by which some targets are learnt.

    Args:
        config: as the user has it; systems that have no such choice refuse nothing.
        loss: the one that fits.
        what: is learnt, in words that begin the sentence.
        instead: what else the user may have meant.
    """
    if getattr(config, "loss", "auto") not in ("auto", loss):
        raise ConfigurationError(
            f"{what} are learnt by {loss.replace('binary-', 'binary ')}",
            where="loss",
            expected=f"auto or {loss}",
            found=config.loss,
            remedy=f"leave it at auto, or {instead}",
        )


def shrunk(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return height and width of a picture whose longer side is brought down to so many pixels.

    >>> shrunk((300, 150), 100), shrunk((28, 20), 100)
    ((100, 50), (28, 20))
    """
    factor = min(1.0, longest / max(size))
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def as_drawn(dataset: Dataset, config: Any) -> dict[str, Any]:
    """Return what the preprocessing of inputs to rebuild is told: to keep their range, and a size within limits."""
    if dataset.main.kind != "images":
        return {}
    options = dict(AS_THEY_ARE)
    if hasattr(config, "largest_image"):
        size = ImagePreprocessing.fit(dataset.main.values).size
        options["image_size"] = shrunk(size, config.largest_image)
    return options


def sizes(preprocessing: Mapping[str, Preprocessing]) -> dict[str, int | None]:
    """Return the sizes of prepared inputs and targets, under the names that configurations have for them."""
    found: dict[str, int | None] = {}
    match preprocessing.get("inputs"):
        case ImagePreprocessing(channels=channels, size=(height, width)):
            found = {"in_features": channels * height * width, "in_channels": channels, "image_size": height}
            found |= {"image_height": height, "image_width": width}
        case FilmPreprocessing(frames=frames, num_frames=count):
            found = {"in_channels": frames.channels, "num_frames": count}
            found |= dict(zip(("image_height", "image_width"), frames.size, strict=True))
        case TabularPreprocessing(features=features):
            found = {"in_features": len(features)}
        case SeriesPreprocessing(means=means):
            found = {"in_features": len(means), "out_features": len(means)}
        case ShortSeriesPreprocessing(means=means, steps=steps):
            found = {"in_features": len(means), "out_features": len(means), "window": steps}
        case TextPreprocessing(tokens=tokens):
            found = {"vocabulary_size": len(tokens)}
        case WaveformPreprocessing(rate=rate) if rate:
            found = {"sample_rate": rate}
        case TaggedPreprocessing(text=text, tags=tags):
            found = {"vocabulary_size": len(text.tokens), "num_classes": len(tags)}
    match preprocessing.get("targets"):
        case ClassPreprocessing(num_classes=classes) | StepClassPreprocessing(num_classes=classes):
            found |= {"num_classes": classes}
        case SeriesPreprocessing(means=means):
            found |= {"out_features": len(means), "num_classes": None}
        case TextPreprocessing(tokens=tokens):
            found |= {"target_vocabulary_size": len(tokens)}
    return found


def fit_fields(
    fields: Mapping[str, Field], config: Any, settings: DataSettings, options: Options
) -> tuple[dict[str, Preprocessing], tuple[str, ...]]:
    """Return the preprocessing of fields of the training part, and what the user should know of it.

    A configuration whose class has a constant `image_size` or `in_channels` gets images converted to that, one with
    such a field is fitted to the data unless the user changed the field. Square images within `smallest_image` and
    `largest_image` and pixels in `image_range` are further constants that a configuration may have. Masks and boxes
    follow the images.
    """
    images: dict[str, ImagePreprocessing] = {}
    notes: dict[str, None] = {}
    for name, field in fields.items():
        given = options.get(name, {})
        if field.kind == "rows" and hasattr(config, "image_size"):
            raise DataError(
                "this system looks at images",
                found="rows of numbers",
                remedy="give images, or choose a system for rows, such as mlp",
            )
        if field.kind == "images":
            as_found, images[name] = _fit_images(field, config, settings, given)
            alike = getattr(field.values, "size", None) is not None  # each of a list, or of files, may keep its own
            notes |= dict.fromkeys(_resizing(as_found, images[name], alike))
    _refuse_options_of_images(fields, settings)
    frame = next(({"image_size": one.image_size, "resize": one.resize} for one in images.values()), {})
    follow = {name: frame for name, field in fields.items() if field.kind in FRAMED}
    others = {
        name: fit(field, **follow.get(name, {}), **options.get(name, {}))
        for name, field in fields.items()
        if name not in images
    }
    return {name: images.get(name) or others[name] for name in fields}, tuple(notes)


def _fit_images(
    field: Field, config: Any, settings: DataSettings, given: Mapping[str, Any]
) -> tuple[ImagePreprocessing, ImagePreprocessing]:
    """Return images as they are found, and as the network takes them."""
    low, high = getattr(config, "image_range", (0.0, 1.0))
    options = {"low": low, "high": high, **given}
    options["resize"] = settings.resize or options.get("resize", "stretch")
    if settings.standardise:
        if options.get("standardised") is False:
            raise ConfigurationError(
                "this kind of task needs the pixels as they are", found="standardise", remedy="leave standardise out"
            )
        options["standardised"] = True
    as_found = ImagePreprocessing.fit(field.values)
    if "image_size" not in given and hasattr(config, "image_size"):
        options["image_size"] = config.image_size
        if is_open(config, "image_size"):
            options["image_size"] = min(max(*as_found.size, config.smallest_image), config.largest_image)
        if hasattr(config, "in_channels") and not is_open(config, "in_channels"):
            options["channels"] = config.in_channels
    prepared = ImagePreprocessing.fit(field.values, **options)
    brightness = prepared.brightness_of(field.values)
    return as_found, dataclasses.replace(prepared, pixels=field.pixels or BYTES, brightness=brightness)


def refuse_apart(fields: Mapping[str, Field], preprocessing: Mapping[str, Any], where: str) -> None:
    """Raise `DataError` where the pictures of a sample would not lie on each other once each is in its frame.

    A frame shows a share of a picture; pictures that differ in their proportions, or in size where none is scaled, are
    shown by other shares.
    """
    framed = {name: preprocessing[name] for name, one in fields.items() if one.kind in FRAMED and one.paired}
    if len(framed) < 2 or all(one.resize == "stretch" for one in framed.values()):
        return
    sizes = list(zip(*(sizes_of(fields[name].values) for name in framed), strict=True))
    for together in dict.fromkeys(sizes):
        shown = [_share(size, one) for size, one in zip(together, framed.values(), strict=True)]
        if np.ptp(shown, axis=0).max() > APART + 1 / min(min(one.size) for one in framed.values()):
            resize = next(iter(framed.values())).resize
            raise DataError(
                "pictures that belong together differ in " + ("size" if resize == "none" else "their proportions"),
                where=f"{where}, sample {sizes.index(together)}",
                found=", ".join(f"{name} {w} x {h}" for name, (h, w) in zip(framed, together, strict=True)),
                remedy="--resize stretch brings both to one size" + ", and so does crop" * (resize == "none"),
            )


def _share(size: Size, framed: Any) -> tuple[float, ...]:
    """Return the place and size of a picture in its frame, in heights and widths of the frame."""
    there, (height, width) = placement(size, framed.size, framed.resize), framed.size
    return there.top / height, there.left / width, there.size[0] / height, there.size[1] / width


def is_open(config: Any, name: str) -> bool:
    """Whether the data may decide a field: it exists, and the user left it at its default."""
    return any(one.name == name and getattr(config, name) == one.default for one in dataclasses.fields(config))


def _resizing(as_found: ImagePreprocessing, prepared: ImagePreprocessing, alike: bool) -> list[str]:
    (height, width), (rows, columns) = as_found.size, prepared.size
    if not alike:
        return [f"images of different sizes are {RESIZED[prepared.resize]} to {rows} x {columns}"]
    if as_found.size == prepared.size:
        return []
    squeezed = prepared.resize == "stretch" and abs(height * columns / (width * rows) - 1) > SQUEEZED
    how = ", which squeezes them; --resize letterbox keeps their proportions" if squeezed else ""
    return [f"images of {height} x {width} are {RESIZED[prepared.resize]} to {rows} x {columns}{how}"]


def _refuse_options_of_images(fields: Mapping[str, Field], settings: DataSettings) -> None:
    kinds = {field.kind for field in fields.values()}
    if "images" in kinds:
        return
    given = {
        "augmented": settings.augment != "none",
        "changed in colour": settings.colour_jitter > 0 or settings.lighting > 0,
        "cut out of": settings.cutout > 0,
        "resized": settings.resize is not None and "films" not in kinds,
        "standardised by the channel": settings.standardise,
    }
    for word in (word for word, is_given in given.items() if is_given):
        found = ", ".join(field.kind for field in fields.values())
        raise DataError(f"only images can be {word}", found=found, remedy="leave that option out")
