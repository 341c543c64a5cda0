"""Matchers: readers of texts and pictures, trained apart on a data set, that say which text a drawn picture fits.

Nothing that draws ever sees one, so it cannot be misled: a generator may learn to please the readers of its own run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganglion.data.loaders.derived import OneLine
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.nn.matching import PictureReader, TextReader, halvings
from ganglion.rules.descend import Descent
from ganglion.rules.matching import Matching
from ganglion.tasks.shared.kept import cached, digest, keep, kept
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

LARGEST_SIDE = 48
"""Pictures that are larger are looked at reduced to this side."""
FEATURES, MAPS, WINDOW = 64, 16, 40
"""Numbers in a vector, maps of the first convolution, and words of a text that are read."""
BATCH, PASSES, FEWEST, MOST = 64, 16, 20, 800
"""Samples of an update; passes over the data, in so many updates at least and at most."""
VERSION = 1
"""To be raised whenever a matcher of the same data would come out otherwise."""


@dataclass(frozen=True)
class TrainedMatcher:
    """Two readers that were trained, in evaluation mode and frozen."""

    readers: nn.ModuleDict
    text: TextPreprocessing
    digest: str
    """SHA-256 of the weights, to be told beside every number that they give."""

    @torch.no_grad()
    def likeness(self, pictures: Tensor, texts: Sequence[str]) -> Tensor:
        """Return how well pictures (count, channels, height, width) fit texts: (count, texts)."""
        reader = self.readers["pictures"]
        assert isinstance(reader, PictureReader)
        seen = torch.cat([reader(part) for part in pictures.split(BATCH)])
        tokens, _ = self.text(texts).padded(torch.arange(len(texts)))
        return reader.likeness(seen, self.readers["texts"](tokens))


def matcher_of(pictures: Tensor, texts: Sequence[str], *, fingerprint: str, seed: int = 0) -> TrainedMatcher:
    """Return the matcher of a data set: the one in the user's cache, or one that is trained now and kept there.

    The random state is left untouched, and the same data and seed give the same bits.

    Args:
        pictures: of the training part (samples, channels, height, width).
        texts: of each picture, in several lines where there are several.
        fingerprint: that of the data.
    """
    read = {"unit": "joined", "marked": True, "lower": True, "by_line": True, "window": WINDOW}
    text = TextPreprocessing.fit(texts, **read)  # type: ignore[arg-type]
    side = min(LARGEST_SIDE, *pictures.shape[2:])
    description = {
        "fingerprint": fingerprint,
        "pictures": [len(pictures), pictures.shape[1], side],
        "tokens": len(text.tokens),
        "steps": min(MOST, max(FEWEST, PASSES * len(pictures) // BATCH)),
        "seed": seed,
        "version": VERSION,
    }
    place = cached(description, "matchers")
    with torch.random.fork_rng(devices=()), torch.enable_grad():
        torch.manual_seed(seed)
        widths = [MAPS * 2**number for number in range(halvings(side))]
        readers = nn.ModuleDict({
            "texts": TextReader("recurrent", len(text.tokens), WINDOW, FEATURES),
            "pictures": PictureReader(pictures.shape[1], side, FEATURES, widths),
        })  # fmt: skip
        if not kept(readers, description, place, "matcher"):
            _train(readers, pictures, text(texts), description["steps"], seed)  # type: ignore[arg-type]
            keep(readers, description, place, "matcher")
    return TrainedMatcher(readers.eval().requires_grad_(False), text, digest(readers))


def _train(readers: nn.ModuleDict, pictures: Tensor, texts: object, steps: int, seed: int) -> None:
    descent = Descent(learning_rate=2e-3, clip_norm=1.0)
    rule = Matching(readers["texts"], readers["pictures"], descent)  # type: ignore[arg-type]
    columns = {"inputs": pictures, "captions": texts}
    loader = InMemoryLoader(columns, BATCH, seed, derived={"targets": OneLine(of="captions")})  # type: ignore[arg-type]
    settings = TrainerSettings(steps=steps, seed=seed, device="cpu", schedule="cosine")
    Trainer(rule, loader, settings).fit()
