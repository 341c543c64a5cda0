"""Truncated and mixed styles by hand, the way between two, copies and mixtures by brute force, and what users ask."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import UsageError
from ganglion.models.adversarial import dcgan
from ganglion.models.adversarial.stylegan import TINY, Generator, build
from ganglion.tasks.generation import Generate, Generation
from ganglion.tasks.measures.kinship import Kin
from ganglion.tasks.shared.pictures import styles
from tests.tasks.asking import ask


def network() -> Generator:
    torch.manual_seed(0)
    made = Generator(16, 1, style_features=8, mapping_layers=2, width=8).eval()
    made.mean_style.normal_()
    return made


def latents(count: int) -> torch.Tensor:
    return torch.randn(count, 8 + 2 * (16 + 64 + 256), generator=torch.Generator().manual_seed(count))


def test_a_truncation_of_one_is_what_is_drawn_and_of_none_the_mean() -> None:
    one, noise = network(), latents(3)
    torch.testing.assert_close(styles.drawn(one, noise, 1.0), one(noise), atol=1e-5, rtol=1e-5)
    noise[:, 8:] = 0
    first, *others = styles.drawn(one, noise, 0.0)
    assert all(torch.allclose(first, other, atol=1e-6) for other in others)


def test_a_table_mixes_coarse_styles_of_its_row_with_fine_ones_of_its_column() -> None:
    one, left, above = network(), latents(2), latents(3)
    table = styles.mixing_table(one, left, above).unflatten(0, (3, 4))
    torch.testing.assert_close(table[1:, 0], one(left), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(table[0, 1:], one(above), atol=1e-5, rtol=1e-5)
    coarse, fine = one.styles(left[1:]), one.styles(above[2:])
    every = torch.cat([coarse[:, None].expand(-1, 2, -1), fine[:, None].expand(-1, 4, -1)], dim=1)
    torch.testing.assert_close(table[2, 3], one.draw(every, left[1:])[0], atol=1e-5, rtol=1e-5)


def test_the_way_between_two_styles_begins_and_ends_with_them() -> None:
    one, first, last = network(), latents(2), latents(2).flip(0)
    last[:, 8:] = first[:, 8:]
    way = styles.between(one, first, last, 5)
    assert way.shape == (2, 5, 1, 16, 16)
    torch.testing.assert_close(way[:, 0], one(first), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(way[:, -1], one(last), atol=1e-5, rtol=1e-5)


def test_the_best_mixture_of_two_is_found_as_by_trying_all() -> None:
    random = np.random.default_rng(0)
    training, samples = random.normal(size=(8, 3)), random.normal(size=(5, 3))
    found = Kin.of(torch.from_numpy(samples), torch.from_numpy(training))
    shares = np.linspace(0, 1, 2001)[:, None]
    for number, sample in enumerate(samples):
        lines = [shares * one + (1 - shares) * other for one in training for other in training]
        nearest = min(float(np.linalg.norm(line - sample, axis=1).min()) for line in lines)
        assert found.mixed[number] == pytest.approx(nearest, abs=1e-3)
        assert found.distance[number] == pytest.approx(np.linalg.norm(training - sample, axis=1).min())


def test_users_ask_for_more_usual_pictures() -> None:
    task = Generation.prepare(generate("faces", count=60), replace(TINY, image_size=None), DataSettings(), seed=0)
    rule = build(task.config)
    usual, learnt, all_of_it = (ask(task, rule.home, "generate", count=4, truncation=psi) for psi in (0.0, None, 1.0))
    assert np.array_equal(learnt, all_of_it) and not np.array_equal(usual, learnt)
    assert usual.astype(float).std(0).mean() < learnt.astype(float).std(0).mean()
    assert set(task.figures(rule)) >= {"mixing", "truncation", "nearest"}
    film = task.moving(rule)["walk"]
    assert len(film.frames) == 48 and film.frames.dtype == np.uint8


def test_a_run_without_styles_says_so() -> None:
    task = Generation.prepare(generate("faces", count=60), dcgan.TINY, DataSettings(), seed=0)
    with pytest.raises(UsageError, match="no styles"):
        task.ask("generate", dcgan.build(task.config).home, Generate(truncation=0.5))
