"""Sound classification: say which of several words, or other sounds, each recording is."""

from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import WaveformPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.nn.modes import evaluation_mode
from ganglion.nn.sound.spectra import Spectral
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.classes import CALIBRATION, TOP_5, measured
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import VERDICTS, commonest, ranked, verdicts
from ganglion.tasks.shared.evaluation import judged
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.listening import asked_sounds, described, heard, listen, loader_of_sounds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 6
"""Sounds in the figure of what speaks for the answer."""
LOOKS = 16
"""Times that a slope is taken, each time with a little noise, for a mean that is no accident of one point."""
LEVEL = 0.3
"""Deviation of that noise, where those of the frames are 1."""

TEMPLATE_ACCURACY = Measure(
    name="template_accuracy",
    higher_is_better=True,
    meaning="Accuracy of answering with the class whose mean spectrogram is nearest.",
)


@settings
class Predict:
    """Say which word, or other sound, recordings are."""

    inputs: Given
    """Files of sound, folders of them, or arrays of amplitudes (time,)."""


@final
class SoundClassification(Task):
    """Recordings with a class each, judged by the share of right answers.

    Beside the score of the test part stands that of templates: each class has the mean of the spectrograms of its
    training sounds, all stretched to one length, and the nearest is the answer.
    """

    name = "sound_classification"
    reads = ("sounds",)
    takes = "recordings with classes: a folder of WAV files for each, or files whose names begin with their class"
    fields: ClassVar = {"inputs": ("waveforms",), "targets": ("classes",)}
    measures = (ACCURACY, LOSS, TEMPLATE_ACCURACY, CALIBRATION, TOP_5)
    captions: ClassVar = {
        **VERDICTS,
        "evidence": "Test sounds as the network hears them, time to the right and pitch upwards, and below what spoke "
        "for its answer (blue) and against it (orange)",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} WORD.wav"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        data = cls.prepared(source, config, settings, seed, {"inputs": {"window": config.window}})
        found = {**sizes(data.preprocessing), "vocabulary_size": None}
        task = cls(adapt(config, **found), data.preprocessing).holding(data)
        task.notes = (*task.notes, *described(data))
        return task

    @property
    def label_names(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        labels: tuple[str, ...] = self.preprocessing["targets"].labels
        return labels

    @property
    def sound(self) -> WaveformPreprocessing:
        sound: WaveformPreprocessing = self.preprocessing["inputs"]
        return sound

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        """Return the batches of the training part, changed as the configuration says."""
        self.refuse_weights(rule)
        return loader_of_sounds(self.data, self.config, seed)

    def _answers(self, network: nn.Module, part: Part) -> tuple[Tensor, Tensor]:
        """Return the outputs of the network for a part `(sounds, classes)`, and the classes `(sounds,)`."""
        columns: Any = self.data.columns(part)
        return torch.stack(listen(network, columns["inputs"].samples())), columns["targets"]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside templates."""
        outputs, targets = self._answers(rule.home, part)
        measures = judged(rule, outputs, targets) | measured(outputs, targets)
        if part == "test" and isinstance(rule.home, Spectral):
            measures["template_accuracy"] = self._by_templates(rule.home)
        return measures

    def _by_templates(self, network: Spectral) -> float:
        """Return the share of test sounds whose class has the nearest mean spectrogram."""
        from scipy.spatial.distance import cdist

        spectra, classes = {}, {}
        for part in ("train", "test"):
            columns: Any = self.data.columns(part)
            sounds = columns["inputs"].samples()
            spectra[part] = np.stack([stretched(one).numpy().ravel() for one in heard(network, sounds)])
            classes[part] = columns["targets"].numpy()
        known = np.unique(classes["train"])
        means = np.stack([spectra["train"][classes["train"] == number].mean(axis=0) for number in known])
        nearest = known[cdist(spectra["test"], means).argmin(axis=1)]
        return float(np.mean(nearest == classes["test"]))

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        return commonest(self.data)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = self._answers(rule.home, "test")
        drawn = verdicts(outputs, targets, self.label_names)
        if isinstance(rule.home, Spectral):
            drawn["evidence"] = self._evidence(rule.home, decisions(outputs).numpy(), targets.numpy())
        return drawn

    def _evidence(self, network: Any, said: np.ndarray, truth: np.ndarray) -> "Figure":
        """Draw some test sounds, of different classes and wrong ones among them, and what spoke for their answers."""
        wrong, right = np.flatnonzero(said != truth)[: SHOWN // 3], np.flatnonzero(said == truth)
        firsts = right[np.unique(truth[right], return_index=True)[1]][: SHOWN - len(wrong)]
        places = [*firsts.tolist(), *wrong.tolist()]
        columns: Any = self.data.columns("test")
        spectra, slopes, titles = [], [], []
        for place in places:
            frames, parts = spoken_for(network, columns["inputs"][place], int(said[place]))
            spectra.append(frames.numpy().T)
            slopes.append(parts.numpy().T)
            heard_as, is_it = self.label_names[said[place]], self.label_names[truth[place]]
            titles.append(heard_as if heard_as == is_it else f"{is_it}, taken for {heard_as}")
        return figures.spectrograms(spectra, slopes, titles, self.config.hop)

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sound its likeliest class and probability, and those of the next in order."""
        found = asked_sounds(question.inputs, self.sound)
        outputs = torch.stack(listen(network, self.sound(found.samples).samples()))
        return found.answer(ranked(outputs, self.label_names))


def stretched(frames: Tensor, length: int = 24) -> Tensor:
    """Return frames (time, features) brought to one length.

    >>> stretched(torch.tensor([[0.0], [1.0]]), 3).tolist()
    [[0.0], [0.5], [1.0]]
    """
    found = nn.functional.interpolate(frames.T[None], size=length, mode="linear", align_corners=True)
    return found[0].T


def spoken_for(network: Any, sound: Tensor, unit: int) -> tuple[Tensor, Tensor]:
    """Return the frames of a sound (frames, features), and how much each part of them spoke for an output of a network.

    x times the mean of d y / d x over points near x: the slope times what is there, whose sum is about y.

    Args:
        network: a `Spectral` one.
        sound: amplitudes `(time,)`.
        unit: number of the output y.

    Source: Smilkov et al., SmoothGrad: removing noise by adding noise (2017).
    """
    with evaluation_mode(network), torch.enable_grad():
        frames, lengths = network.hear(sound[None])
        frames = frames.detach()
        noise = torch.randn(LOOKS, *frames.shape[1:], generator=torch.Generator().manual_seed(0))
        near = (frames + LEVEL * noise).requires_grad_()
        outputs = network.answer(near, lengths.expand(LOOKS))[:, unit]
        (slopes,) = torch.autograd.grad(outputs.sum(), near)
    return frames[0], slopes.mean(0) * frames[0]


TASK = SoundClassification
