"""`inspect`, of networks that look at images: what layers make of one, what excites units, why an answer was given."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganglion.cli.arguments import (
    Folder,
    Image,
    Images,
    Names,
    Numbers,
    OptionalCount,
    OptionalText,
    Photo,
    Shares,
    Switch,
    refuse_unwritable,
)
from ganglion.cli.output import answer
from ganglion.errors import ConfigurationError, ShapeError, UsageError

if TYPE_CHECKING:
    from ganglion.data.preprocessing import ImagePreprocessing
    from ganglion.runs.run import Run

EPSILONS = {"inf": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), "2": (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)}
"""Sizes of change that are tried where none are named: of a pixel, and of the whole image."""


def filters(photo: Photo, *, filters: Names = (), out: Path = Path("filters.png"), json: Switch = False) -> None:
    """Draw a photo under the filters of image processing: Sobel, Laplacian, sharpen, emboss and others.

    Args:
        photo: Image file.
        filters: Names of filters, such as sobel-x; all when not given.
        out: Picture to write.
        json: Print one JSON object, with the kernels and where they are from.
    """
    from ganglion import figures, inspect
    from ganglion.data.preprocessing import read_inputs

    refuse_unwritable(out)
    found = inspect.filtered(read_inputs([photo], "image")[0], filters)
    figures.save(found.figure(f"{Path(photo).name} under {len(found.responses)} filters"), out)
    answer({"photo": photo, "out": str(out), "filters": found.to_dict()}, json, lambda: print(out))


def features(folder: Folder, image: Image, *, layer: OptionalText = None, out: Path = Path("features.png")) -> None:
    """Draw what the layers of a run make of an image: the strongest maps of each, or all maps of one.

    Args:
        folder: Folder of the run.
        image: Image file.
        layer: Dotted name of one layer; every convolution and pooling when not given.
        out: Picture to write.
    """
    from ganglion import figures, inspect
    from ganglion.data.preprocessing import read_inputs

    refuse_unwritable(out)
    run, preprocessing, _ = _looking_at_images(folder)
    inputs = preprocessing(read_inputs([image], "image"))
    network = run.network
    drawn = inspect.feature_maps(network, inputs, layer) if layer else inspect.all_feature_maps(network, inputs)
    figures.save(drawn, out)
    print(out)


def excite(
    folder: Folder,
    *,
    layer: OptionalText = None,
    unit: Numbers = (),
    steps: int = 240,
    seed: int = 0,
    out: Path = Path("excite.png"),
    json: Switch = False,
) -> None:
    """Draw the image that excites a unit most, found by gradient ascent from noise.

    Args:
        folder: Folder of the run.
        layer: Dotted name of the layer; the last one when not given, whose units stand for the classes.
        unit: Numbers of units, or of maps of a convolution; the first two dozen when not given.
        steps: Steps of gradient ascent.
        seed: Of the noise that an image starts from.
        out: Picture to write.
        json: Print one JSON object.
    """
    from ganglion import figures, inspect

    refuse_unwritable(out)
    run, preprocessing, last = _looking_at_images(folder)
    black, white = preprocessing.ends
    found = inspect.excite(
        run.network, (preprocessing.channels, *preprocessing.size), layer or last, unit,
        black=black, white=white, steps=steps, seed=seed,
    )  # fmt: skip
    figures.save(found.figure(_output_names(run, preprocessing) if found.layer == last else ()), out)
    answer({"out": str(out), **found.to_dict()}, json, lambda: print(out))


def patches(
    folder: Folder,
    *,
    layer: OptionalText = None,
    unit: Numbers = (),
    count: int = 9,
    out: Path = Path("patches.png"),
    json: Switch = False,
) -> None:
    """Draw the parts of training images that excite each unit of a layer most, cut to what the unit sees.

    Args:
        folder: Folder of the run.
        layer: Dotted name of the layer; the last convolution or pooling when not given.
        unit: Numbers of its units or maps; the first dozen when not given.
        count: Patches for each unit.
        out: Picture to write.
        json: Print one JSON object.
    """
    import torch

    from ganglion import figures, inspect
    from ganglion.inspect.watched import layers_of_maps

    refuse_unwritable(out)
    run, preprocessing, last = _looking_at_images(folder)
    layer = layer or list(layers_of_maps(run.network, preprocessing.blank))[-1]
    data = run.prepared_task().data
    found = inspect.strongest_patches(
        run.network, (batch["inputs"] for batch in data.batches("train")), layer, unit, count=count
    )
    shown = found if unit else found.first(12)
    wanted = {patch.sample for row in shown.units.values() for patch in row}
    inputs = (image for batch in data.batches("train") for image in batch["inputs"])
    seen = {place: image for place, image in enumerate(inputs) if place in wanted}
    images = dict(zip(seen, preprocessing.inverse(torch.stack([*seen.values()])), strict=True))
    figures.save(shown.figure(images, _output_names(run, preprocessing) if layer == last else ()), out)
    answer({"out": str(out), **shown.to_dict()}, json, lambda: print(out))


def saliency(
    folder: Folder,
    image: Images = (),
    *,
    moments: int = 4,
    seed: int = 0,
    label: OptionalText = None,
    layer: OptionalText = None,
    window: OptionalCount = None,
    out: Path = Path("saliency.png"),
    json: Switch = False,
) -> None:
    """Draw which parts of an image an answer hangs on: by gradient, by Grad-CAM, and by covering parts of it.

    Of an agent that sees a game: what the value of its action hangs on, at moments of an episode.

    Args:
        folder: Folder of the run.
        image: Image file; none for an agent.
        moments: Moments of the episode that an agent plays.
        seed: How that episode starts.
        label: The class, label or value to ask about; the answer of the network when not given.
        layer: Dotted name of the layer whose maps Grad-CAM weighs; one with enough places when not given.
        window: Side of the covering windows, in pixels of the network's input; a fifth of it when not given.
        out: Picture to write.
        json: Print one JSON object.
    """
    from ganglion import figures, inspect
    from ganglion.data.preprocessing import read_inputs

    refuse_unwritable(out)
    if not image:
        _agent_looks(folder, moments, seed, out, json)
        return
    if len(image) > 1:
        raise UsageError("one image is explained at a time", found=f"{len(image)} images", remedy="give one")
    run, preprocessing, _ = _looking_at_images(folder)
    names = _output_names(run, preprocessing)
    if label is not None and label not in names:
        raise ConfigurationError(
            "this network has no output of that name",
            expected=", ".join(names),
            found=label,
            remedy="choose one of these",
        )
    inputs = preprocessing(read_inputs(list(image), "image"))
    black, white = preprocessing.ends
    asked = None if label is None else names.index(label)
    found = inspect.saliency(run.network, inputs, asked, layer=layer, fill=(black + white) / 2, window=window)
    name = names[found.unit] if names else ""
    figures.save(found.figure(preprocessing.inverse(inputs)[0], name), out)
    answer({"out": str(out), "label": name, **found.to_dict()}, json, lambda: print(out))


def _agent_looks(folder: str, moments: int, seed: int, out: Path, json: bool) -> None:
    """Draw what an agent looks at while it plays."""
    from ganglion import figures
    from ganglion.runs.run import open_run
    from ganglion.tasks.base import ActsOnSight

    run = open_run(folder)
    if not isinstance(run.task, ActsOnSight):
        raise UsageError(
            "an image is needed that shall be explained",
            expected="IMAGE after the folder of the run",
            remedy=f"ganglion inspect saliency {folder} photo.png",
        )
    if moments < 1:
        raise ConfigurationError("moments must be at least 1", found=str(moments))
    figure, found = run.task.looks(run.network, moments, seed)
    figures.save(figure, out)
    answer({"out": str(out), "moments": found}, json, lambda: print(out))


def attack(
    folder: Folder,
    *,
    norm: Literal["inf", "2"] = "inf",
    epsilon: Shares = (),
    steps: int = 20,
    count: int = 500,
    seed: int = 0,
    out: Path = Path("attack.png"),
    json: Switch = False,
) -> None:
    """Measure the accuracy of a run on test images that were changed to mislead it, by how far they were changed.

    Args:
        folder: Folder of the run, of a classifier of images.
        norm: How a change is measured: inf, its largest pixel; 2, the root of the sum of its squares.
        epsilon: Sizes of the change, white being 1.
        steps: Steps of projected gradient descent.
        count: Test images to change, at most.
        seed: Of the random starts.
        out: Picture to write.
        json: Print one JSON object.
    """
    from ganglion import figures, inspect
    from ganglion.data.preprocessing import ClassPreprocessing

    refuse_unwritable(out)
    run, preprocessing, _ = _looking_at_images(folder)
    if not isinstance(run.task.preprocessing.get("targets"), ClassPreprocessing):
        raise UsageError("only classifiers can be misled", where=folder, remedy="choose a run of classification")
    data = run.prepared_task().data
    places = data.spread("test", count)
    inputs, targets = (data.some("test", places, name) for name in ("inputs", "targets"))
    black, white = preprocessing.ends
    found = inspect.robustness(
        run.network, inputs, targets, epsilon or EPSILONS[norm], norm=norm, steps=steps,
        black=black, white=white, seed=seed,
    )  # fmt: skip
    figures.save(found.figure(_names(run)), out)
    answer({"out": str(out), **found.to_dict()}, json, lambda: print(found, out, sep="\n"))


def _looking_at_images(folder: str) -> "tuple[Run, ImagePreprocessing, str]":
    """Return a run whose network looks at images, how one is prepared for it, and the layer that answers."""
    from ganglion.data.preprocessing import ImagePreprocessing
    from ganglion.inspect.watched import layers_called
    from ganglion.runs.run import open_run

    run = open_run(folder)
    preprocessing: Any = run.task.preprocessing.get("inputs")
    layers: dict[str, Any] = {}
    if isinstance(preprocessing, ImagePreprocessing):
        with suppress(ShapeError):  # as of a generator, which makes images of noise
            layers = layers_called(run.network, preprocessing.blank)
    if not layers:
        raise UsageError(
            "the network of this run does not look at images",
            where=folder,
            remedy="choose a run of a convolutional system",
        )
    return run, preprocessing, list(layers)[-1]


def _names(run: "Run") -> tuple[str, ...]:
    """Return what the classes, labels or values are called that a network answers with; nothing for other networks."""
    names: tuple[str, ...] = getattr(run.task, "label_names", ()) or getattr(run.task, "target_names", ())
    return names


def _output_names(run: "Run", preprocessing: "ImagePreprocessing") -> tuple[str, ...]:
    """Return what outputs stand for: classes, a single logit for the second of two; labels, or values."""
    import torch

    from ganglion.inspect.untouched import untouched

    with untouched(run.network, evaluating=True) as call, torch.no_grad():
        count = call(preprocessing.blank).shape[-1]
    return _names(run)[-count:]
