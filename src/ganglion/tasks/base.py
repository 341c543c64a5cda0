"""What every task can do: prepare data, fit a configuration to it, judge, draw, and answer a user's questions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from torch import Tensor, nn

from ganglion.core import LearningRule, Loader
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Part = Literal["train", "validation", "test"]


class Task(ABC):
    """What a system is used for. Concrete tasks are final.

    A task exists in two states. `prepare` reads data, splits it and fits the preprocessing; `restore` rebuilds from
    `state()`, which is saved with the run, just enough to answer: preprocessing, label names, the last window of a
    series. A restored task can predict but not train.
    """

    score: ClassVar[str]
    """Metric shown in tables, and by which the best weights are chosen."""
    higher_is_better: ClassVar[bool]
    config: Any
    """The system's configuration with the fields that the data decides filled in."""
    notes: tuple[str, ...] = ()
    """What the user should know about how the data was read."""
    fingerprint: str = ""
    """SHA-256 of the data, empty where there is none."""
    reads_text: ClassVar[bool] = False
    """Whether it can be asked about texts as they are, not only about files."""
    writes: ClassVar[bool] = False
    """Whether what it generates is text."""
    has_validation: bool = True
    """Whether anything was held back to choose the best weights by."""

    @classmethod
    @abstractmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        """Read and split the data, fit preprocessing on the training part, and adapt `config` to what was found."""

    @classmethod
    @abstractmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        """Rebuild a task that can answer, without its data."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON values."""

    @abstractmethod
    def loader(self, rule: LearningRule, seed: int) -> Loader:
        """Return the loader of the training part."""

    def calibrate(self, rule: LearningRule) -> None:
        """Measure on the validation part what answers need to know of the trained networks; `state` then holds it."""
        return

    @abstractmethod
    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the rule's networks on a part of the data, in evaluation mode, leaving the random state untouched."""

    @abstractmethod
    def baseline(self) -> dict[str, float]:
        """Return what a trivial method scores on the test part, under the keys of `evaluate`."""

    @abstractmethod
    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        """Draw what this kind of task shows, by file name without ending."""

    @abstractmethod
    def example(self) -> Tensor:
        """Return a small batch of inputs as the first network takes them, for the summary."""

    def predict(self, network: nn.Module, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """Answer for raw inputs: paths of images, CSV or NPZ files, or arrays."""
        raise self._cannot("predict")

    def generate(self, network: nn.Module, count: int, seed: int) -> "Figure":
        """Draw `count` new samples."""
        raise self._cannot("generate")

    def write(
        self, network: nn.Module, prompt: str, length: int, temperature: float, top_k: int | None, seed: int
    ) -> str:
        """Write on from a prompt by `length` tokens."""
        raise self._cannot("write")

    def forecast(self, network: nn.Module, steps: int) -> list[dict[str, float]]:
        """Continue the series by `steps`, one row of named values a step."""
        raise self._cannot("forecast")

    def play(self, network: nn.Module, episodes: int, seed: int, animation: Path | None = None) -> list[float]:
        """Play episodes greedily and return their returns; write an animated GIF where a path is given."""
        raise self._cannot("play")

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return a text, or a file of a text or series, as the network reads it, and what it reads at each step."""
        raise self._cannot("read step by step")

    def _cannot(self, verb: str) -> UsageError:
        return UsageError(
            f"this run cannot {verb}",
            found=f"a {type(self).__name__.lower()} task",
            remedy="`ganglion info NAME` says what a system can do",
        )
