"""Every kind of data that the canon needs is split, prepared and handed out without a line for it in any source."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ganglion.data.dataset import FIELDS, Dataset, Kind
from ganglion.data.fields import Boxes, Field, FieldKind
from ganglion.data.loaders.derived import GaussianNoise
from ganglion.data.preprocessing import from_state, to_state
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import settings
from ganglion.tasks.shared.prepared import Prepared

SAMPLES = 40
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (SAMPLES, 12, 8, 3), dtype=np.uint8)
WORDS = ("red", "blue", "cat", "dog", "sees")


def sentences() -> list[str]:
    return [" ".join(RANDOM.choice(WORDS, 3 + place % 5)) for place in range(SAMPLES)]


def values(kind: FieldKind) -> Any:
    """Return values of a kind, one for each sample."""
    corners = np.array([[1, 1, 5, 7], [0, 0, 3, 3]], dtype=np.float32)
    made: Mapping[str, Any] = {
        "images": PIXELS,
        "masks": PIXELS[..., 0] % 3,
        "boxes": [Boxes(corners[: place % 3], np.arange(place % 3), (12, 8)) for place in range(SAMPLES)],
        "texts": sentences(),
        "classes": np.arange(SAMPLES) % 4,
        "ratings": RANDOM.integers(1, 6, SAMPLES).astype(np.float32),
        "waveforms": [RANDOM.normal(0, 0.1, 20 + place).astype(np.float32) for place in range(SAMPLES)],
        "strokes": [RANDOM.normal(0, 5, (2 + place % 4, 3)) for place in range(SAMPLES)],
        "films": [PIXELS[: 1 + place % 3] for place in range(SAMPLES)],
        "short-series": RANDOM.normal(0, 1, (SAMPLES, 10, 2)).astype(np.float32),
        "rows": RANDOM.normal(0, 1, (SAMPLES, 3)).astype(np.float32),
        "tagged": [[(word, "N" if word in ("cat", "dog") else "O") for word in one.split()] for one in sentences()],
    }
    return made[kind]


@cache
def dataset(kind: Kind) -> Dataset:
    paired = kind != "image-domains"
    of: Kind = "image-pairs" if not paired else kind
    fields = {name: Field(kind=one, values=values(one), paired=paired) for name, one in FIELDS[of].items()}
    if not paired:  # and of different numbers
        fields["target"] = fields["target"].take(np.arange(25))
    return Dataset(name="toy", fields=fields)


def prepared(kind: Kind, settings: DataSettings | None = None, config: Any = None) -> Prepared:
    data = dataset(kind)
    chosen = {name: name for name in data.fields}
    return Prepared.of(data, chosen, config, settings or DataSettings(batch_size=8), seed=0)


KINDS = [*(kind for kind in FIELDS if kind not in ("text", "series", "panel")), "image-domains"]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_have_every_field_and_every_sample_once(kind: Kind) -> None:
    data = prepared(kind)
    loader = data.loader(seed=1)
    met: list[int] = []
    for batch in loader:
        assert {*data.chosen, "index"} <= set(batch)
        assert len({len(batch[name]) for name in data.chosen}) == 1
        met += batch["index"].tolist()
    assert loader.epoch == 1
    if kind != "image-domains":
        assert sorted(met) == sorted(data["train"].index.tolist())
    pairs = zip(prepared(kind).loader(seed=1), prepared(kind).loader(seed=1), strict=True)
    assert all(torch.equal(one["index"], other["index"]) for one, other in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_keeps_what_was_fitted(kind: Kind) -> None:
    data = prepared(kind)
    back = from_state(to_state(data.preprocessing))
    assert back == data.preprocessing
    places = np.arange(3)
    for name in data.chosen:
        one, other = data.some("test", places, name), back[name](data.raw("test", name).take(places).values)
        assert all(torch.equal(a, b) for a, b in zip(_tensors(one), _tensors(other), strict=True))


def _tensors(values: Any) -> tuple[torch.Tensor, ...]:
    return (values,) if isinstance(values, torch.Tensor) else (values.values, values.lengths)


@pytest.mark.parametrize("resize", ["crop", "letterbox"])
@pytest.mark.parametrize("kind", ["image-masks", "image-boxes"])
def test_masks_and_boxes_follow_the_images(kind: Kind, resize: Any) -> None:
    data = prepared(kind, DataSettings(batch_size=8, resize=resize, augment="flip"), SquareConfig())
    images, others = (data.preprocessing[name] for name in data.chosen)
    assert images.size == others.size == (12, 12)
    assert images.resize == others.resize == resize
    assert any("12 x 8" in note for note in data.notes)
    assert next(iter(data.loader(0)))["inputs"].shape[2:] == (12, 12)


def test_a_channel_is_standardised_by_its_own_numbers() -> None:
    data = prepared("image", DataSettings(standardise=True))
    seen = data.whole("train")["inputs"]
    assert seen.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (seen.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-2
    fixed = {"inputs": {"standardised": False}}
    with pytest.raises(ConfigurationError, match="pixels as they are"):
        Prepared.of(dataset("image"), {"inputs": "inputs"}, None, DataSettings(standardise=True), 0, fixed)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (DataSettings(augment="flip"), "augmented"),
        (DataSettings(colour_jitter=0.4), "changed in colour"),
        (DataSettings(cutout=0.5), "cut out of"),
        (DataSettings(resize="crop"), "resized"),
        (DataSettings(standardise=True), "standardised"),
    ],
)
def test_what_concerns_images_is_refused_for_rows(settings: DataSettings, word: str) -> None:
    with pytest.raises(DataError, match=word):
        prepared("tabular", settings)


@pytest.mark.parametrize("standardise", [False, True])
def test_colours_change_in_training_only(standardise: bool) -> None:
    data = prepared("image", DataSettings(batch_size="all", cutout=0.5, colour_jitter=0.2, standardise=standardise))
    (seen,) = list(data.loader(0))
    whole = data.columns("train")
    plain = whole["inputs"][torch.searchsorted(whole["index"], seen["index"])]
    black, white = data.preprocessing["inputs"].ends
    grey = ((seen["inputs"] - black) / (white - black) - 0.5).abs() < 1e-5
    assert 0.1 < grey.float().mean() < 0.4 and not torch.equal(seen["inputs"], plain)
    assert torch.equal(next(data.batches("validation"))["inputs"], data.columns("validation")["inputs"])


def test_derived_fields_are_the_same_wherever_they_are_judged() -> None:
    data = prepared("image")
    noisy = Prepared(**{**vars(data), "derived": {"noisy": GaussianNoise(of="inputs", deviation=0.1)}})
    whole, batches = noisy.whole("test"), list(noisy.batches("test"))
    assert torch.equal(whole["noisy"], torch.cat([batch["noisy"] for batch in batches]))
    assert not torch.equal(whole["noisy"], whole["inputs"])
    assert not torch.equal(next(iter(noisy.loader(0)))["noisy"], whole["noisy"][:8])


@settings
class SquareConfig:
    """Of a network that takes square images."""

    image_size: int = 12
    smallest_image: ClassVar[int] = 4
    largest_image: ClassVar[int] = 12
