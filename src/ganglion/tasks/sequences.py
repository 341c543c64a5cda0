"""Sequences through a code: series or texts that are read step by step and written down again from a few numbers."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.roles import NO_TARGET
from ganglion.data.formats.short_series import as_short_series
from ganglion.data.formats.texts.documents import read_texts_of
from ganglion.data.places import evenly
from ganglion.data.preprocessing import ShortSeriesPreprocessing, TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.rules.autoencoder.sequences import with_end
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.probes import COMPONENTS_PROBE, PROBE, PROBED, RAW_PROBE, components, probe
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import classes_at
from ganglion.tasks.shared.evaluation import ask, ask_sequences, judged
from ganglion.tasks.shared.features import Features, codes_as_answer
from ganglion.tasks.shared.fitting import Options
from ganglion.tasks.shared.inputs import Asked, asked, named_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 8
"""Sequences that are drawn beside what is left of them."""
COUNTED = 2000
"""Words, the commonest, whose counts are the raw values of texts."""

REBUILT = Measure(
    name="rebuilt",
    higher_is_better=True,
    meaning="Share that passes the code: of the variance of series, of the tokens of texts, their ends among them.",
)
COMPONENTS_REBUILT = Measure(
    name="components_rebuilt",
    higher_is_better=True,
    meaning="The same of series by as many principal components, which see all steps at once.",
)


@settings
class Predict:
    """Say what is left of series or texts after a passage through the code, and the code."""

    inputs: Given
    """Series: CSV files with one in each row, NPZ files, arrays. Texts, or files with a text in each line or row."""


@final
class Sequences(Task):
    """Series of one length, or texts, judged by how much of them comes back from a code.

    On the test part as many principal components of the series stand beside the score; where there are classes, a
    linear probe of the codes stands beside one of the raw values (of texts the counts of their words) and one of their
    principal components. The baseline is the mean series, or the commonest token of all.
    """

    name = "sequences"
    reads = ("short-series", "documents")
    takes = "series of one length (a table with one in each row, or arrays), or texts"
    fields: ClassVar = {"inputs": ("short-series", "texts")}
    measures = (REBUILT, LOSS, COMPONENTS_REBUILT, PROBE, RAW_PROBE, COMPONENTS_PROBE)
    captions: ClassVar = {
        "rebuilt": "Test series, and what is left of them after the code",
        "texts": "Test texts, and below each what is left of it after the code",
        "code_map": "The test samples by the two directions in which their codes vary most; no class was seen",
        "probes": "Accuracy of a linear probe on the codes, on raw values and on principal components",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features}
    joined = frozenset({"predict"})
    next_step = "ganglion features {run} INPUT --out codes.csv"
    remembers: ClassVar = ("column",)
    column: str = ""
    """What the column of texts is called, where they come from a table."""

    @classmethod
    def read(cls, source: str, settings: DataSettings, kind: Kind | None) -> Dataset:
        """Return series where a table holds nothing but numbers, otherwise texts, with labels where there are some."""
        try:
            dataset = super().read(source, settings, kind)
            if dataset.kind == "tabular" and settings.target is None and not dataset.is_classification:
                dataset = super().read(source, dataclasses.replace(settings, target=NO_TARGET), kind)  # all are steps
            if dataset.kind == "tabular":
                return as_short_series(dataset)
            return super().read(source, settings, "documents") if dataset.kind == "text" else dataset
        except DataError:
            if settings.target is not None:
                raise
            return super().read(source, dataclasses.replace(settings, target=NO_TARGET), "documents")

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        task = super().prepare(source, config, settings, seed)
        task.column = task.data.dataset.main.called
        return task

    @classmethod
    def options(cls, dataset: Dataset, config: Any) -> Options:
        if dataset.kind != "documents":
            return {}
        return {"inputs": {"unit": config.unit, "window": config.window, "most": config.most_words}}

    @property
    def scale(self) -> Any:
        """How sequences are prepared."""
        return self.preprocessing["inputs"]

    @property
    def of_texts(self) -> bool:
        return isinstance(self.scale, TextPreprocessing)

    def _codes(self, network: Any, sequences: Any) -> Tensor:
        """Return the codes (samples, features) of series (samples, steps, channels), or of texts one by one."""
        if self.of_texts:
            return torch.stack(ask_sequences(network, sequences, by=network.encode))
        return ask(network, sequences, by=network.encode)

    def _some(self, part: Part, most: int) -> Any:
        """Return some sequences of a part, prepared: series (samples, steps, channels), or texts one by one."""
        found = self.data.some(part, self.data.spread(part, most))
        return found.samples() if self.of_texts else found

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        loss, right, whole, count = 0.0, 0.0, 0.0, 0
        mean = None if self.of_texts else self._some("train", PROBED).mean(dim=0)
        for batch in self.data.batches(part):
            inputs = batch["inputs"].cpu()
            outputs = ask(rule.home, inputs)
            loss, count = loss + judged(rule, outputs, inputs)["loss"] * len(inputs), count + len(inputs)
            if mean is None:
                wanted, counts = with_end(inputs)
                right += float(((outputs.argmax(2) == wanted) & counts).sum())
                whole += float(counts.sum())
            else:
                whole += float((inputs - mean).square().sum())
                right += float((inputs - mean).square().sum() - (outputs - inputs).square().sum())
        measures = {"rebuilt": right / max(whole, 1e-12), "loss": loss / count}
        return measures | (self._beside(rule.home) if part == "test" else {})

    def baseline(self) -> dict[str, float]:
        """Answer with the mean series of the training part, or with its commonest token, or end, at every step."""
        if not self.of_texts:
            return {"rebuilt": 0.0}
        train, test = (
            torch.cat([with_end(one[None])[0][0] for one in self._some(p, PROBED)]) for p in ("train", "test")
        )
        return {"rebuilt": float((test == train.bincount().argmax()).float().mean())}

    def _beside(self, network: nn.Module) -> dict[str, float]:
        """Return what stands beside the score on the test part."""
        measures = {}
        if not self.of_texts:
            from sklearn.decomposition import PCA

            train, test = (self._some(part, PROBED).flatten(1).numpy() for part in ("train", "test"))
            linear = PCA(min(self.config.code_size, *train.shape), random_state=0).fit(train)
            lost = np.square(linear.inverse_transform(linear.transform(test)) - test).sum()
            measures["components_rebuilt"] = float(1 - lost / np.square(test - train.mean(axis=0)).sum())
        known, truth = (classes_at(self.data, part, PROBED)[0] for part in ("train", "test"))
        if known is None or truth is None or len(np.unique(known)) < 2:
            return measures
        sequences = [self._some(part, PROBED) for part in ("train", "test")]
        codes = [self._codes(network, one).numpy() for one in sequences]
        raw = [self._raw(one) for one in sequences]
        pairs = {PROBE: codes, RAW_PROBE: raw, COMPONENTS_PROBE: components(raw[0], codes[0].shape[1], raw[1])}
        return measures | {
            measure.name: probe(learnt, known, asked_, truth) for measure, (learnt, asked_) in pairs.items()
        }

    def _raw(self, sequences: Any) -> np.ndarray:
        """Return series as rows of their values, and texts as counts of their commonest words."""
        if not self.of_texts:
            values: np.ndarray = sequences.flatten(1).numpy()
            return values
        size = min(COUNTED, len(self.scale.tokens)) + 1
        counts = np.stack([np.bincount(one.numpy(), minlength=len(self.scale.tokens) + 1)[:size] for one in sequences])
        return counts.astype(np.float32)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        some, (classes, names) = self._some("test", PROBED), classes_at(self.data, "test", PROBED)
        codes = self._codes(rule.home, some).numpy()
        drawn = {"code_map": figures.code_map(components(codes, 2, codes)[0], classes, names)}
        chosen = evenly(len(some), SHOWN)
        if self.of_texts:
            texts = self._said([some[place] for place in chosen.tolist()])
            left = self._said(self._decoded(rule.home, torch.from_numpy(codes[chosen])))
            pairs = "\n\n".join(f"{before}\n{after}" for before, after in zip(texts, left, strict=True))
            drawn["texts"] = figures.passage(pairs, "Texts, and below each what is left of it")
        else:
            before = self.scale.inverse(some[chosen])
            after = self.scale.inverse(ask(rule.home, some[chosen]))
            titles = [] if classes is None else [names[number] if names else str(number) for number in classes[chosen]]
            drawn["rebuilt"] = figures.series_rebuilt(before, after, titles)
        beside = self._beside(rule.home)
        if PROBE.name in beside:
            words = {PROBE: "codes", RAW_PROBE: "raw values", COMPONENTS_PROBE: "principal components"}
            bars = {said: beside[measure.name] for measure, said in words.items()}
            drawn["probes"] = figures.bars(bars, "Accuracy of a linear probe", "codes")
        return drawn

    def _decoded(self, network: Any, codes: Tensor) -> Tensor:
        return ask(network, codes, by=network.decode).long()

    def _said(self, sequences: Sequence[Tensor] | Tensor) -> list[str]:
        return [self.scale.inverse(one[one != 0][None])[0] if (one != 0).any() else "" for one in sequences]

    def _asked(self, inputs: Sequence[Any]) -> tuple[Asked, Any]:
        """Return what is asked about, and the same prepared: series (samples, steps, channels), or texts one by one."""
        if not self.of_texts:
            return asked(inputs, self.scale, self.settings)
        named = named_texts(inputs, lambda path: read_texts_of(path, self.column, self.settings))
        for name, text in named:
            if not text.strip():
                raise DataError(
                    "this text is empty",
                    where=" ".join(map(str, name.values())),
                    expected="at least one word",
                    found=repr(text[:40]),
                )
        found = Asked([text for _, text in named], [{**name, "text": text} for name, text in named])
        return found, self.scale(found.samples).samples()

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sequence what is left of it, how much that is, and its code."""
        found, sequences = self._asked(question.inputs)
        codes = self._codes(network, sequences)
        if self.of_texts:
            left = self._decoded(network, codes)
            shares = [_share(one, after) for one, after in zip(sequences, left, strict=True)]
            said: list[dict[str, Any]] = [
                {"rebuilt": text, "right": share} for text, share in zip(self._said(left), shares, strict=True)
            ]
        else:
            scale: ShortSeriesPreprocessing = self.scale
            left = ask(network, codes, by=network.decode)  # type: ignore[arg-type]
            errors = (left - sequences).square().mean(dim=(1, 2)).tolist()
            values = scale.inverse(left).reshape(len(left), -1).tolist()
            said = [{"error": error, "rebuilt": one} for error, one in zip(errors, values, strict=True)]
        rows = zip(said, codes.tolist(), strict=True)
        return found.answer([{**one, "code": code} for one, code in rows])

    def features(self, network: nn.Module, question: Features) -> Rows:
        if not self.of_texts:
            return super().features(network, question)
        found, sequences = self._asked(question.inputs)
        return codes_as_answer(found, self._codes(network, sequences).numpy(), np.zeros((0, 0)), None, "the code")


def _share(text: Tensor, rebuilt: Tensor) -> float:
    """Return the share of the tokens of a text, and of its end, that stand in what is left of it, padded with 0."""
    longest = len(text) + 1
    wanted = torch.cat([text, text.new_zeros(1)])
    there = torch.nn.functional.pad(rebuilt, (0, max(0, longest - len(rebuilt))))[:longest]
    return float((there == wanted).float().mean())


TASK = Sequences
