"""Transcription: write down what is said in recordings, letter by letter."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import Ragged, TextPreprocessing, WaveformPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.nn import probabilities
from ganglion.nn.sound.spelling import best_path, prefix_beam_search
from ganglion.rules.losses import LOSS
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.spelling import CHARACTER_ERRORS, WORD_ERRORS, error_rate, error_rates
from ganglion.tasks.measures.translations import EXACT
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import evaluating, judged
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.listening import asked_sounds, described, heard, listen, loader_of_sounds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEAMS = 16
SHOWN, EXAMPLES = 4, 20
"""Sounds whose letters are drawn over time, and test sounds of which the report shows what was written."""
LETTERS = 12
"""Letters of a sound that is drawn at most."""

BEAM_ERRORS = Measure(
    name="beam_character_error_rate",
    higher_is_better=False,
    meaning=f"Character error rate of a search along {BEAMS} prefixes, which adds up all paths that spell the same.",
)


@settings
class Predict:
    """Write down what is said in recordings."""

    inputs: Given
    """Files of sound, folders of them, or arrays of amplitudes (time,)."""
    beams: Annotated[int, at_least(1)] = BEAMS
    """Prefixes that are followed at once; with 1 the likeliest letter is taken at each step."""


@final
class Transcription(Task):
    """Recordings with what is said in them, judged by the share of letters that are written wrong."""

    name = "transcription"
    reads = ("transcripts",)
    takes = "recordings with what is said: files of sound, and beside them a table with their names and a text of each"
    fields: ClassVar = {"inputs": ("waveforms",), "targets": ("texts",)}
    measures = (CHARACTER_ERRORS, WORD_ERRORS, LOSS, EXACT, BEAM_ERRORS)
    captions: ClassVar = {
        "letters": "Some test sounds, and below when the network hears which letter",
        "written": "What was said in some test sounds, and what the network writes",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} WORDS.wav"

    @classmethod
    def chosen(cls, dataset: Dataset) -> dict[str, str]:
        return {"inputs": "inputs", "targets": "texts"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        options = {"inputs": {"window": config.window}, "targets": {"unit": "characters", "lower": True}}
        data = cls.prepared(source, config, settings, seed, options)
        letters = len(data.preprocessing["targets"].tokens)
        found = {**sizes(data.preprocessing), "vocabulary_size": letters, "num_classes": None}
        task = cls(adapt(config, **found), data.preprocessing).holding(data)
        task.notes = (*task.notes, *described(data), *task._describe())
        return task

    @property
    def sound(self) -> WaveformPreprocessing:
        sound: WaveformPreprocessing = self.preprocessing["inputs"]
        return sound

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["targets"]
        return text

    def _describe(self) -> list[str]:
        texts = self.data.raw("train", "targets").values
        known = "".join(sorted(token for token in self.text.tokens[1:] if token.strip()))
        return [
            f"{np.mean([len(text) for text in texts]):.0f} letters a sound, at most {max(map(len, texts))}; "
            f"{len(known)} different: {known[:60]}; capitals are read as small letters",
        ]

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        """Return the batches of the training part, changed as the configuration says."""
        return loader_of_sounds(self.data, self.config, seed)

    def _answers(self, network: nn.Module, part: Part) -> list[Tensor]:
        columns: Any = self.data.columns(part)
        return listen(network, columns["inputs"].samples())

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge what the likeliest path spells; of the test part also what a search along prefixes finds."""
        outputs = self._answers(rule.home, part)
        columns: Any = self.data.columns(part)
        targets: Ragged = columns["targets"]
        wanted = self._wanted(part)
        written = [self._text(best_path(one[None])[0].labels) for one in outputs]
        losses = [
            judged(rule, one[None], numbers[None])["loss"]
            for one, numbers in zip(outputs, targets.samples(), strict=True)
        ]
        measures = {
            **error_rates(written, wanted),
            "loss": float(np.mean(losses)),
            "exact": float(np.mean([one == want for one, want in zip(written, wanted, strict=True)])),
        }
        if part == "test":
            searched = [self._text(prefix_beam_search(one[None], BEAMS)[0].labels) for one in outputs]
            measures["beam_character_error_rate"] = error_rate(searched, wanted)
        return measures

    def _wanted(self, part: Part) -> list[str]:
        return [" ".join(text.lower().split()) for text in self.data.raw(part, "targets").values]

    def _text(self, labels: tuple[int, ...]) -> str:
        return " ".join(self.text.decode(labels).split())

    def baseline(self) -> dict[str, float]:
        """Return what writing the commonest training text scores."""
        train, test = self._wanted("train"), self._wanted("test")
        commonest = max(dict.fromkeys(train), key=train.count)
        return {
            **error_rates([commonest] * len(test), test),
            "exact": float(np.mean([commonest == one for one in test])),
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, wanted = self._answers(rule.home, "test"), self._wanted("test")
        written = [self._text(prefix_beam_search(one[None], BEAMS)[0].labels) for one in outputs[:EXAMPLES]]
        wide = max(map(len, wanted[:EXAMPLES]), default=0)
        pairs = [
            f"{want:{wide}}   {said}{'' if said == want else '   <- wrong'}"
            for want, said in zip(wanted, written, strict=False)
        ]
        drawn = {"written": figures.passage("\n".join(pairs), "What was said, and what the network writes")}
        shown = [place for place, text in enumerate(wanted) if len(text) <= LETTERS][:SHOWN]
        columns: Any = self.data.columns("test")
        network: Any = rule.home
        frames = heard(network, [columns["inputs"][place] for place in shown])
        with evaluating(rule.home) as device:
            said = [network.answer(one[None].to(device), torch.tensor([len(one)], device=device)) for one in frames]
        shares = [probabilities(one[0]).cpu().numpy() for one in said]
        names = ["", *self.text.tokens]
        drawn["letters"] = figures.spelled_out(
            [one.numpy().T for one in frames], shares, names, [wanted[place] for place in shown], self.config.hop
        )
        return drawn

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sound what is said in it, and the logarithm of its probability."""
        found = asked_sounds(question.inputs, self.sound)
        rows = []
        for output in listen(network, self.sound(found.samples).samples()):
            search = (
                best_path(output[None]) if question.beams == 1 else prefix_beam_search(output[None], question.beams)
            )
            rows.append({"text": self._text(search[0].labels), "log_probability": search[0].log_probability})
        return found.answer(rows)


TASK = Transcription
