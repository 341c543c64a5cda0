"""Language: foretell the next character of a text, and write on from a beginning."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Reader
from ganglion.data.dataset import Dataset
from ganglion.data.formats.text import read_text
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.nn.language.decoding import Decoding, decode
from ganglion.settings import above, at_least, at_most, settings
from ganglion.tasks.answers import Rows, Text
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.language import (
    BIGRAM_LOSS,
    MEASURES,
    UNIGRAM_LOSS,
    bigram_judgement,
    judge,
    unigram_judgement,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import evaluating
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import named_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNKNOWN = 0
"""Number of the unknown character, which is never written."""
SHOWN = 64
"""Characters of a passage in the figure of what was expected next."""
GUESSES = 5
SAMPLE = 1200
"""Characters of the sample in the figure."""


@settings
class Predict:
    """Say how surprising texts are to the network, and what it expects after them."""

    inputs: Given
    """Texts, or text files."""


@settings
class Generate:
    """Write on from a prompt."""

    prompt: str = ""
    """Beginning of the text; as after a line's end when not given."""
    length: Annotated[int, at_least(1)] = 500
    """Characters to write after it."""
    temperature: Annotated[float, at_least(0)] = 1.0
    """Below 1 the likelier is preferred, 0 always takes the likeliest."""
    top_k: Annotated[int, at_least(1)] | None = None
    """Draw from this many likeliest characters only."""
    top_p: Annotated[float, above(0), at_most(1)] | None = None
    """Draw from the fewest likeliest characters only that together have this probability."""
    beams: Annotated[int, at_least(1)] = 1
    """Follow this many beginnings at once and write the likeliest text, drawing nothing."""
    no_repeated: Annotated[int, at_least(0)] = 0
    """Write no sequence of this many characters twice; 0 allows all."""
    seed: int = 0
    """Decides what is drawn."""


@final
class Language(Task):
    """Models a text character by character, judged by how surprised it is by the part it has not seen.

    The text is cut into training, validation and test part in its own order. `loss` is in nats per character: the
    mean of -log p(character | all before it in the part, and a window before the part).
    """

    name = "language"
    reads = ("text",)
    takes = "a text"
    fields: ClassVar = {"inputs": ("text",)}
    measures = (*MEASURES, UNIGRAM_LOSS, BIGRAM_LOSS)
    captions: ClassVar = {
        "next_characters": "How likely each character of the test part was, and what was expected in its place",
        "sample": "What the network writes on from the first characters of the test part",
    }
    verbs: ClassVar = {"predict": Predict, "generate": Generate}
    next_step = 'ganglion generate {run} --prompt "The "'
    _numbers: np.ndarray
    """The whole text as numbers of characters; only a prepared task has it, its parts and the settings."""
    _borders: dict[str, tuple[int, int]]
    _settings: DataSettings

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        whole = "\n".join(dataset.main.values)
        borders = _borders(len(whole), settings)
        _refuse_short(borders, config.window, dataset.source)
        text = TextPreprocessing.fit([whole[slice(*borders["train"])]], unit="characters", padded=False)
        task = cls(adapt(config, **sizes({"inputs": text})), {"inputs": text})
        task._numbers, task._borders, task._settings = text.encode(whole), borders, settings
        task.fingerprint, task.has_validation = dataset.fingerprint, len(range(*borders["validation"])) > 0
        task.notes = (*dataset.notes, *task._describe())
        return task

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["inputs"]
        return text

    def _describe(self) -> list[str]:
        counts = ", ".join(f"{name} {last - first:,}" for name, (first, last) in self._borders.items())
        notes = [
            f"characters in the order of the text: {counts}",
            f"{self.text.num_tokens} different characters, the sign for unknown ones among them",
        ]
        unknown = {name: int((self._numbers[slice(*part)] == 0).sum()) for name, part in self._borders.items()}
        if any(unknown.values()):
            said = ", ".join(f"{count} of the {name} part" for name, count in unknown.items() if count)
            notes.append(f"characters that training has not met twice count as unknown: {said}")
        return notes

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        first, last = self._borders["train"]
        streams = last - first if self._settings.batch_size == "all" else self._settings.batch_size
        return StreamLoader(self._numbers[first:last], streams, self.config.window, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside what frequencies of characters and pairs say."""
        first, last = self._nearest(part)
        with evaluating(rule.home):
            judgement = judge(_reader(rule.home), self._numbers, first, last, self.config.window)
        measures = judgement.measures()
        if part == "test":
            train = self._numbers[slice(*self._borders["train"])]
            numbers, size = self._numbers[first - 1 : last], self.text.num_tokens
            measures["unigram_loss"] = unigram_judgement(train, numbers, size).loss
            measures["bigram_loss"] = bigram_judgement(train, numbers, size).loss
        return measures

    def baseline(self) -> dict[str, float]:
        """Judge the frequencies of pairs of characters in the training part."""
        first, last = self._nearest("test")
        train = self._numbers[slice(*self._borders["train"])]
        return bigram_judgement(train, self._numbers[first - 1 : last], self.text.num_tokens).measures()

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        first, last = self._nearest("test")
        first, last = max(first, last - 4 * SHOWN), last
        prompt = self.text.decode(self._numbers[first : first + SHOWN])
        return {
            "sample": figures.passage(
                self.generate(rule.home, Generate(prompt=prompt, length=SAMPLE, temperature=0.8)).text,
                f"Written at temperature 0.8 after the first {len(prompt)} characters",
            ),
            "next_characters": self._expectations(rule.home, first, min(last, first + 2 * SHOWN)),
        }

    def _expectations(self, network: nn.Module, first: int, last: int) -> "Figure":
        """Draw what was expected next along the second half of a passage, the first being there to read it in."""
        with evaluating(network) as device:
            numbers = torch.from_numpy(self._numbers[first:last]).to(device)
            outputs, _ = _reader(network).read(numbers[None, :-1])
            shares = outputs[0].float().softmax(1).cpu()  # (steps, characters)
        came = torch.from_numpy(self._numbers[first + 1 : last])
        shares, came = shares[-SHOWN:], came[-SHOWN:]
        best, guesses = shares.topk(min(GUESSES, shares.shape[1]), dim=1)
        return figures.next_tokens(
            self.text.named(came.tolist()),
            [self.text.named(row) for row in guesses.tolist()],
            best.numpy(),
            shares.gather(1, came[:, None])[:, 0].numpy(),
        )

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return how surprising each text is to the network, and what it expects after it."""
        rows = []
        for item in question.inputs:
            text = _text(item, self.settings)
            if not text:
                raise DataError("there is no text to answer for", found="nothing", expected="a character at least")
            numbers = self.text.encode(text)
            with evaluating(network) as device:
                outputs, _ = _reader(network).read(torch.from_numpy(numbers)[None].to(device))
                shares = outputs[0].float().softmax(1).cpu()
            came = shares[:-1].gather(1, torch.from_numpy(numbers[1:, None]))
            surprise = float(-came.log().mean()) if len(came) else None
            best, guesses = shares[-1].topk(min(GUESSES, self.text.num_tokens))
            following = zip(self.text.named(guesses.tolist()), best.tolist(), strict=True)
            top = [{"label": token, "probability": share} for token, share in following]
            answer = {"characters": len(numbers), "loss": surprise, "unknown": "".join(self.text.unknown(text))}
            rows.append({"input": str(item), **answer, "next": top})
        return Rows(rows)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        text = _text(source, self.settings)
        if not text:
            raise DataError("there is no text to read", found="nothing", expected="a character at least")
        return torch.from_numpy(self.text.encode(text))[None], list(text)

    def generate(self, network: nn.Module, question: Generate) -> Text:
        """Return the prompt and what is written on from it.

        Characters of the prompt that the network does not know are read as the unknown; it never writes one.
        """
        decoding = Decoding(
            longest=question.length,
            temperature=question.temperature,
            top_k=question.top_k,
            top_p=question.top_p,
            beams=question.beams,
            no_repeated=question.no_repeated,
            forbidden=(UNKNOWN,),
        )
        reader = _reader(network)

        def following(numbers: Tensor, state: Any) -> tuple[Tensor, Any]:
            outputs, state = reader.read(numbers, state)
            return outputs[:, -1], state

        given = torch.from_numpy(self.text.encode(question.prompt or self._beginning()))[None]
        with evaluating(network) as device:
            (written,) = decode(following, given.to(device), decoding=decoding, seeds=[question.seed])
        unknown = "".join(self.text.unknown(question.prompt))
        note = f"read as unknown, for training has not met it twice: {unknown}"
        return Text(question.prompt + self.text.decode(written.tokens), (note,) if unknown else ())

    def _beginning(self) -> str:
        known = self.text.tokens
        return next((sign for sign in ("\n", " ") if sign in known), known[1])

    def _nearest(self, part: Part) -> tuple[int, int]:
        """Return the borders of a part; of the training part where nothing was held back for it."""
        first, last = self._borders[part]
        first, last = (first, last) if first < last else self._borders["train"]
        return max(1, first), last  # nothing stands before the first character to foretell it from


def _borders(length: int, settings: DataSettings) -> dict[str, tuple[int, int]]:
    """Return where each part begins and ends."""
    test, validation = round(length * settings.test), round(length * settings.validation)
    end = length - test - validation
    first = 0 if settings.limit is None else max(0, end - settings.limit)
    return {"train": (first, end), "validation": (end, length - test), "test": (length - test, length)}


def _refuse_short(borders: dict[str, tuple[int, int]], window: int, where: str) -> None:
    length = borders["train"][1] - borders["train"][0]
    if length < window + 1:
        raise DataError(
            "the training part of this text is shorter than a window",
            where=where,
            expected=f"at least {window + 1} characters",
            found=str(length),
            remedy="give more text, or a smaller window",
        )


def _text(item: Any, settings: DataSettings) -> str:
    """Return a text as it is, or that of a file."""
    (_, text), *_ = named_texts([item], lambda path: [(1, read_text(path, settings.encoding))])
    return text


def _reader(network: nn.Module) -> Reader:
    assert isinstance(network, Reader)
    return network


TASK = Language
