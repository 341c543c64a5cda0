"""The generation task: what it makes of data, and that its numbers mean what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.adversarial import dcgan, gan
from ganglion.tasks.generation import Generation, great_circle
from ganglion.tasks.measures.samples import SampleQuality
from tests.tasks.asking import ask


def pictures(count: int = 90, side: int = 20, channels: int = 3) -> Dataset:
    inputs = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return Dataset.of(name="noise", kind="image", inputs=inputs, source="noise")


def prepared(config: object = gan.TINY, **settings: object) -> Generation:
    return Generation.prepare(pictures(), config, DataSettings(batch_size=16, **settings), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "size"), [(8, 16), (16, 16), (20, 28), (28, 28), (30, 32), (33, 64), (90, 64)])
def test_without_a_wish_the_size_is_the_smallest_that_holds_the_data(side: int, size: int) -> None:
    data = pictures(20, side, channels=1)
    task = Generation.prepare(data, gan.Config(), DataSettings(), seed=0)
    assert (task.config.image_size, task.config.in_channels) == (size, 1)
    assert Generation.prepare(data, dcgan.Config(), DataSettings(), seed=0).config.image_size == size


def test_a_wish_for_a_size_is_kept() -> None:
    assert Generation.prepare(pictures(), dcgan.Config(image_size=16), DataSettings(), 0).config.image_size == 16


def test_batches_are_images_in_the_range_of_tanh_without_labels() -> None:
    task = prepared()
    batch = next(iter(task.loader(gan.build(task.config), seed=0)))
    assert set(batch) == {"inputs", "index"}
    assert batch["inputs"].shape == (16, 3, 8, 8)
    assert -1 <= batch["inputs"].min() < 0 < batch["inputs"].max() <= 1


def test_images_that_stay_in_their_files_are_streamed(tmp_path: Path) -> None:
    images = pictures().inputs
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number:03}.png")
    task = Generation.prepare(str(tmp_path), gan.TINY, DataSettings(batch_size=16, stream="yes"), seed=0)
    rule = gan.build(task.config)
    batch = next(iter(task.loader(rule, seed=0)))
    known = task.preprocessing["inputs"](images)
    assert torch.cdist(batch["inputs"].flatten(1), known.flatten(1)).min(dim=1).values.max() < 1e-2
    assert np.isfinite(list(task.evaluate(rule, "test").values())).all()


def test_judging_is_repeatable_and_leaves_everything_as_it_was() -> None:
    task = prepared(dcgan.TINY)
    rule = dcgan.build(task.config)
    before, state = torch.random.get_rng_state(), {k: v.clone() for k, v in rule.home.state_dict().items()}
    first, second = task.evaluate(rule, "test"), task.evaluate(rule, "test")
    assert first == second
    assert set(first) == {"frechet_distance", "density", "coverage"} == set(task.baseline())
    assert rule.home.training
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(state[name], tensor) for name, tensor in rule.home.state_dict().items())


class Painter(torch.nn.Module):
    """A generator that draws from a given set of images: which one, the latent vector decides."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images = torch.nn.Parameter(torch.from_numpy(images))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        place = (torch.special.ndtr(latent[:, 0]) * len(self.images)).long().clamp(max=len(self.images) - 1)
        return self.images[place]


class Judged:
    def __init__(self, images: np.ndarray) -> None:
        self.home = Painter(images)


def digits() -> Dataset:
    from sklearn.datasets import load_digits

    images = (load_digits().images * (255 / 16)).astype(np.uint8)[..., None]
    return Dataset.of(name="digits", kind="image", inputs=images, source="digits")


def test_scores_order_a_perfect_a_collapsed_and_a_trivial_generator() -> None:
    task = Generation.prepare(digits(), gan.Config(image_size=8), DataSettings(), seed=0)
    perfect = task.evaluate(Judged(task.training), "test")  # type: ignore[arg-type]
    collapsed = task.evaluate(Judged(task.training[:1]), "test")  # type: ignore[arg-type]
    trivial = task.baseline()
    assert perfect["frechet_distance"] < 0.1 * trivial["frechet_distance"] < trivial["frechet_distance"]
    assert trivial["frechet_distance"] < collapsed["frechet_distance"]
    assert perfect["coverage"] > 0.85 > 0.3 > trivial["coverage"]
    assert collapsed["coverage"] < 0.1


def test_without_test_images_samples_are_compared_with_training_images() -> None:
    task = prepared(test=0.0, validation=0.0)
    assert not task.has_validation
    assert any("training images" in note for note in task.notes)
    assert np.isfinite(list(task.evaluate(gan.build(task.config), "test").values())).all()


def test_draws_figures_and_samples_also_after_restoring() -> None:
    task = prepared()
    rule = gan.build(task.config)
    drawn = task.figures(rule)
    assert set(drawn) == {"generated", "real", "interpolation", "nearest"}
    restored = Generation.restore(task.state(), task.config)
    assert all(isinstance(figure, Figure) for figure in drawn.values())
    assert ask(restored, rule.home, "generate", count=5, seed=1).shape == (5, 8, 8, 3)


def test_the_seed_decides_what_is_drawn() -> None:
    task = prepared()
    network = gan.build(task.config).home
    one, same, other = (ask(task, network, "generate", count=3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_interpolation_passes_through_both_ends_at_constant_length() -> None:
    first, last = torch.tensor([[3.0, 0.0, 4.0]]), torch.tensor([[0.0, 5.0, 0.0]])
    path = great_circle(first, last, torch.linspace(0, 1, 5)[:, None])
    torch.testing.assert_close(path[[0]], first)
    torch.testing.assert_close(path[[-1]], last)
    torch.testing.assert_close(path.norm(dim=1), torch.full((5,), 5.0))


def test_the_nearest_training_image_of_a_copy_is_the_copy() -> None:
    task = prepared()
    copies = torch.from_numpy(task.training[10:42])
    words = " ".join(text.get_text() for text in task._beside_nearest(copies).findobj(Text))
    assert "32 copies, 0 mixtures of two, of 32" in " ".join(words.split())


def test_refuses_data_that_is_not_images() -> None:
    with pytest.raises(DataError, match="not for generation"):
        Generation.prepare(generate("two-moons"), gan.TINY, DataSettings(), seed=0)


def test_components_never_outnumber_samples_or_features() -> None:
    few = np.random.default_rng(0).normal(size=(3, 1, 2, 2))
    assert set(SampleQuality.fit(few).compare(few, few)) == {"frechet_distance", "density", "coverage"}
