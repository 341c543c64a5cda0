"""What every kind of task can do: prepare data, fit a configuration to it, judge, draw, and answer questions."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from torch import Tensor, nn

from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.fields import Field, FieldKind
from ganglion.data.preprocessing import (
    PREPROCESSING,
    ImagePreprocessing,
    ShortSeriesPreprocessing,
    TabularPreprocessing,
    from_state,
    to_state,
)
from ganglion.data.preprocessing.placement import Resize
from ganglion.data.settings import AugmentName, DataSettings
from ganglion.data.splits import Part as Part
from ganglion.errors import CheckpointError, ConfigurationError, DataError, UsageError
from ganglion.findings import Finding
from ganglion.nn.modes import evaluation_mode
from ganglion.tasks.answers import Answer, Film, Images, Rows
from ganglion.tasks.questions import unable
from ganglion.tasks.shared.features import Features, features_of
from ganglion.tasks.shared.fitting import Options, adapt, sizes
from ganglion.tasks.shared.inputs import Read, asked
from ganglion.tasks.shared.pictures.inversion import Maker
from ganglion.tasks.shared.pictures.projecting import Project, Usual, projected
from ganglion.tasks.shared.pictures.samples_by_judge import JudgedSamples
from ganglion.tasks.shared.pictures.searching import Search, found_among
from ganglion.tasks.shared.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREPARED = (ImagePreprocessing, ShortSeriesPreprocessing, TabularPreprocessing)
"""What prepares samples one by one, so that they can be put together later."""


@runtime_checkable
class DrawsSheets(Protocol):
    """A kind of task whose networks draw, so that one can watch them learn."""

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return what networks make of the same draws each time, bytes `(height, width, 3)`; None for no pictures."""


@runtime_checkable
class ActsOnSight(Protocol):
    """A kind of task whose networks act on what they see."""

    def looks(self, network: nn.Module, count: int, seed: int) -> "tuple[Figure, list[dict[str, Any]]]":
        """Return what an action hangs on at moments of an episode, drawn and in numbers."""


@runtime_checkable
class JudgesSamples(Protocol):
    """A kind of task whose networks draw pictures that a judge can compare with real ones."""

    def judge_samples(self, home: nn.Module) -> JudgedSamples:
        """Compare what networks draw with held-out pictures, on features of a network trained on the same data."""


@runtime_checkable
class DrawsFromNoise(Protocol):
    """A kind of task whose networks draw pictures of noise, among which the nearest to a given one can be found."""

    usual: Usual
    """How far real pictures are from those that are drawn."""

    def maker(self, network: nn.Module, class_: str | None = None) -> Maker:
        """Return a network as a function of noise, to draw one class only where one is named."""


class Task(ABC):
    """What a system is used for. Concrete tasks are final, and their file ends with `TASK = ClassName`.

    A task exists in two states. `prepare` reads data, splits it and fits the preprocessing of each field; `restore`
    rebuilds from `state()`, which is saved with the run, just enough to answer: the preprocessing, with the names of
    classes and columns, and whatever a kind of task keeps beside it. A restored task can answer but not train.

    Nothing about a kind of task is written anywhere else: its verbs become commands, its questions their flags, its
    measures what `--monitor` takes. A verb is a method of its name: `predict(home, question) -> Answer`, where `home`
    is the module that training left, in evaluation mode.
    """

    name: ClassVar[str]
    """That of its file."""
    reads: ClassVar[tuple[Kind, ...]]
    """Kinds of data it takes; none where it acts in an environment, which is then what a source names."""
    takes: ClassVar[str]
    """The same in words that follow "expected"."""
    fields: ClassVar[Mapping[str, tuple[FieldKind, ...]]]
    """What batches are made of: the kinds of field that `inputs`, `targets` and others may be of."""
    measures: ClassVar[tuple[Measure, ...]]
    """All that `evaluate` may return. The first is the score: shown in tables, and what best weights are chosen by."""
    verbs: ClassVar[Mapping[str, type]]
    """The question that each verb takes: a class of the same file; see `ganglion.tasks.questions`."""
    joined: ClassVar[frozenset[str]] = frozenset()
    """Verbs that answer with one row for each sample and nothing beside, so that many questions can be put as one."""
    captions: ClassVar[Mapping[str, str]]
    """What each figure shows, by its name."""
    resize: ClassVar[Resize | None] = None
    """How images come to the size that the network sees where the user does not say; stretched if this does not."""
    augment: ClassVar[AugmentName] = "none"
    """How training images change at random where the user leaves it to the kind of task."""
    remembers: ClassVar[tuple[str, ...]] = ()
    """Attributes, JSON values, that a run keeps beside how its data was prepared."""
    next_step: ClassVar[str]
    """What to type after training, with `{run}` for the folder of the run."""

    data: Prepared
    """What the task was prepared with; a restored one has none."""
    settings: DataSettings = DataSettings()
    """What the user said of the data; files that are asked about are read accordingly."""
    notes: tuple[str, ...] = ()
    """What the user should know about how the data was read."""
    findings: tuple[Finding, ...] = ()
    """What makes the data doubtful."""
    fingerprint: str = ""
    """SHA-256 of the data, empty where there is none."""
    held_back: str = ""
    """What the test part shows, where it is more than some of the samples: what was left out of training."""
    has_validation: bool = True
    """Whether anything was held back to choose the best weights by."""

    def __init__(self, config: Any, preprocessing: Mapping[str, Any]) -> None:
        self.config = config
        """The system's configuration with the fields that the data decides filled in."""
        self.preprocessing = preprocessing
        """That of each of `fields`, by its name."""

    @property
    def score(self) -> str:
        """The name of the first measure."""
        return self.measures[0].name

    @property
    def questions(self) -> Mapping[str, type]:
        """The question that each verb of this run takes: `verbs`, or those of them that its network can be asked."""
        return self.verbs

    @property
    def higher_is_better(self) -> bool:
        return self.measures[0].higher_is_better

    @classmethod
    def open(cls, source: str | Dataset, settings: DataSettings) -> Dataset:
        """Return the data of a source by name or path, read as what this task takes; raise what `refusal` says."""
        dataset = source if isinstance(source, Dataset) else cls.read(source, settings, cls.wanted())
        if refusal := cls.refusal(dataset):
            raise refusal
        return dataset

    @classmethod
    def read(cls, source: str, settings: DataSettings, kind: Kind | None) -> Dataset:
        """Return the data of a source by name or path, read as a kind; whether it fits is not asked."""
        return read(source, cls.settled(settings), kind=kind)

    @classmethod
    def settled(cls, settings: DataSettings) -> DataSettings:
        """Return the user's settings with what this kind of task decides where they are silent."""
        augment = cls.augment if settings.augment == "auto" else settings.augment
        return replace(settings, resize=settings.resize or cls.resize, augment=augment)

    @classmethod
    def source_name(cls, source: str | Dataset, problem: str, remedy: str = "") -> str:
        """Return what a source names, for a task that reads no stored samples.

        Args:
            problem: what is wrong with a data set, which is refused.
        """
        if isinstance(source, Dataset):
            raise ConfigurationError(problem, expected=cls.takes, found=f"the data set {source.name}", remedy=remedy)
        return source

    @classmethod
    def wanted(cls) -> Kind | None:
        """Return what a file that could be several things is read as, where the task takes one kind only."""
        return cls.reads[0] if len(cls.reads) == 1 and cls.reads[0] != "image" else None

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        """Return which field of the data each of `fields` is made of."""
        return {name: name for name in cls.fields}

    @classmethod
    def refusal(cls, dataset: Dataset) -> DataError | None:
        """Return why this kind of task cannot take a data set; None if it can."""
        where = dataset.source or dataset.name
        if dataset.kind not in cls.reads:
            found = f"{dataset.kind} data"
            return DataError(f"this data is not for {cls.name}", where=where, expected=cls.takes, found=found)
        for name, source in cls.chosen(dataset).items():
            kinds, field = cls.fields[name], dataset.fields.get(source)
            if field is None or field.kind not in kinds:
                return DataError(
                    f"{cls.name} needs {' or '.join(kinds)} as {name}, and this data has none",
                    where=where,
                    expected=cls.takes,
                    found=f"no {source}" if field is None else f"{field.kind}{_such(field)}",
                    remedy="name the right column with --target, or choose a system from `ganglion list`"
                    + ("; --task regression reads numbers as quantities" if _may_measure(kinds, field) else ""),
                )
        return None

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        """Read and split the data, fit preprocessing on the training part, and adapt `config` to what was found."""
        data = cls.prepared(source, config, settings, seed)
        found = {**sizes(data.preprocessing), "num_samples": len(data["train"])}
        return cls(adapt(config, **found), data.preprocessing).holding(data)

    @classmethod
    def prepared(
        cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int, options: Options | None = None
    ) -> Prepared:
        """Return the data split and prepared.

        Args:
            options: what the preprocessing of each of `fields` is told beside its values, where that is not what the
                method of this name returns.
        """
        dataset = cls.open(source, settings)
        options = cls.options(dataset, config) if options is None else options
        return Prepared.of(dataset, cls.chosen(dataset), config, cls.settled(settings), seed, options)

    @classmethod
    def options(cls, dataset: Dataset, config: Any) -> Options:
        """Return what the preprocessing of each of `fields` is told beside its values."""
        return {}

    def holding(self, data: Prepared, *notes: str) -> Self:
        """Return this task with the data that it was prepared with, and more that the user should know of it."""
        self.data, self.settings, self.notes = data, data.settings, (*data.notes, *notes)
        self.fingerprint, self.has_validation = data.dataset.fingerprint, len(data["validation"]) > 0
        return self

    def has_fingerprint(self, known: str) -> bool:
        """Whether the data is that of a run that keeps this fingerprint, maybe one of an earlier version."""
        data = getattr(self, "data", None)
        return known == self.fingerprint or (isinstance(data, Prepared) and data.dataset.has_fingerprint(known))

    @classmethod
    def prepared_for(cls, config: Any) -> Mapping[str, tuple[FieldKind, ...]]:
        """Return which of `fields` a system with this configuration learns from."""
        return cls.fields

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        """Rebuild a task that can answer, without its data."""
        preprocessing = from_state(state["fields"])
        for name, kinds in cls.prepared_for(config).items():
            if not isinstance(preprocessing.get(name), tuple(PREPROCESSING[kind] for kind in kinds)):
                raise CheckpointError(
                    "this run does not say how its data was prepared",
                    where=f"state.fields.{name} of config.json",
                    expected=" or ".join(kinds),
                    found=type(preprocessing.get(name)).__name__,
                    remedy="put the original file back, or train again",
                )
        task = cls(config, preprocessing)
        for name in cls.remembers:
            setattr(task, name, state[name])
        return task

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON values."""
        return {"fields": to_state(self.preprocessing), **{name: getattr(self, name) for name in self.remembers}}

    def begin(self, rule: LearningRule) -> None:  # noqa: B027
        """Set what a network is given before it learns; a run that goes on finds that in its checkpoint."""

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        """Return the loader of the training part."""
        self.refuse_weights(rule)
        return self.data.loader(seed)

    def refuse_weights(self, rule: LearningRule) -> None:
        """Raise `ConfigurationError` where samples are weighed and the rule cannot do that."""
        if self.data.weights is not None and not rule.weighs:
            raise ConfigurationError(
                "this system cannot weigh its samples",
                expected="one that learns from targets by a loss, such as mlp or convnet",
                found=type(rule).__name__,
                remedy="leave weights and class_weight out",
            )

    def harden(self, rule: LearningRule, epsilon: float, steps: int) -> None:
        """Let a rule learn from inputs that are changed against it. Raises `ConfigurationError` for those that cannot.

        Args:
            rule: is changed.
            epsilon: largest change, as a share of the way from black to white.
            steps: of gradient ascent.
        """
        raise ConfigurationError(
            "this system cannot learn from adversarial examples",
            where="adversarial_epsilon",
            expected="a system that classifies images, such as convnet",
            found=f"{self.name} by {type(rule).__name__}",
            remedy="leave it out",
        )

    def mix(self, rule: LearningRule, mixup: float) -> None:
        """Let a rule learn from pairs of samples that are mixed. Raises `ConfigurationError` for those that cannot.

        Args:
            rule: is changed.
            mixup: parameter of the beta distribution that the shares follow.
        """
        raise ConfigurationError(
            "this system cannot learn from mixed samples",
            where="mixup",
            expected="a system that classifies images or rows, such as convnet",
            found=f"{self.name} by {type(rule).__name__}",
            remedy="leave it out",
        )

    def calibrate(self, rule: LearningRule) -> None:
        """Measure on the validation part what answers need to know of the trained networks; `state` then holds it."""
        return

    @abstractmethod
    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the rule's home on a part of the data, in evaluation mode, leaving the random state untouched."""

    def groups(self, rule: LearningRule, part: Part) -> Rows | None:
        """Return how well each group of samples is answered on a part; None where there are no groups."""
        return None

    @abstractmethod
    def baseline(self) -> dict[str, float]:
        """Return what a trivial method scores on the test part, under the names of `evaluate`."""

    @abstractmethod
    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        """Draw what this kind of task shows, by the names of `captions`."""

    def moving(self, rule: LearningRule) -> Mapping[str, Film]:
        """Return films of what a figure cannot show, by the names of `captions`."""
        return {}

    def ask(self, verb: str, home: nn.Module, question: Any) -> Answer:
        """Answer a question; raise `UsageError` for a verb that is not among `questions`."""
        if verb not in self.questions:
            raise unable(verb, self.name, self.questions)
        answer: Answer = getattr(self, verb)(home, question)
        return answer

    def read_inputs(self, verb: str, inputs: Sequence[Any], settings: DataSettings) -> Sequence[Any]:
        """Return what a question is about, prepared for the network if questions of this verb can be joined.

        Whatever is wrong with it shows here, before a network is asked.
        """
        preprocessing = self.preprocessing.get("inputs")
        if verb not in self.joined or not isinstance(preprocessing, PREPARED):
            return inputs
        found, prepared = asked(inputs, preprocessing, settings)
        return Read(replace(found, samples=()), prepared)

    def features(self, network: nn.Module, question: Features) -> Rows:
        """Return what the network makes of samples before it answers; for kinds of task that name it among `verbs`."""
        return features_of(network, self.preprocessing["inputs"], question, self.settings)

    def search(self, network: nn.Module, question: Search) -> Rows:
        """Return the pictures of a folder that are most like some; for kinds of task that name it among `verbs`."""
        return found_among(network, self.preprocessing["inputs"], question)

    def project(self, network: nn.Module, question: Project) -> Images:
        """Return pictures and the nearest ones that the network draws; for kinds of task that name it among `verbs`."""
        assert isinstance(self, DrawsFromNoise)
        with evaluation_mode(network):
            return projected(self.maker(network, question.class_), self.preprocessing["inputs"], self.usual, question)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return a text, or a file of a text or series, as the network reads it, and what it reads at each step."""
        raise UsageError(
            "this run cannot read step by step", expected="one that reads texts", found=f"a {self.name} task"
        )


def _may_measure(kinds: tuple[FieldKind, ...], field: Field | None) -> bool:
    """Whether quantities are wanted, and numbers were read as classes."""
    return "values" in kinds and field is not None and field.kind == "classes"


def _such(field: Field) -> str:
    """Return the first names of classes."""
    names = field.names if field.kind == "classes" else ()
    return f": {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else ""
