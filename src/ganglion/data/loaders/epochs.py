"""Loaders whose order is a function of (seed, epoch) and whose state is (epoch, position)."""

import multiprocessing
import os
import re
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as MapDataset

from ganglion.core import Batch, Phase
from ganglion.data.formats.image_folders import ImageFiles
from ganglion.data.loaders.noise import mixed_seed
from ganglion.errors import CheckpointError, ConfigurationError, DataError, GanglionError

WORKER_ERRORS = (RuntimeError, OSError, EOFError)
"""What DataLoader raises when a worker has died or does not answer, and what its sockets do."""
LOOK_AFTER_WORKERS = 4.0
"""Seconds after which one looks whether the worker that is waited for is still alive."""

Augmentation = Callable[[Batch, int, int], Batch]
"""Changes a whole batch, given the seed and the epoch."""


class EpochLoader(ABC):
    """The place in a finite set that is passed through in a new order every epoch; the last batch may be short."""

    def __init__(self, size: int, batch_size: int | Literal["all"], seed: int, shuffle: bool) -> None:
        if size == 0:
            raise DataError("there are no samples to load", expected="at least one", found="0")
        if batch_size != "all" and batch_size < 1:
            raise ConfigurationError("batch_size must be at least 1, or 'all'", found=str(batch_size))
        self.size, self.seed, self.shuffle = size, seed, shuffle
        self.batch_size = size if batch_size == "all" else min(batch_size, size)
        self.batches_per_epoch: int | None = -(-size // self.batch_size)
        self.epoch = 0
        self.position = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch."""

    def order(self, epoch: int) -> Tensor:
        """Return the places of the samples in the order in which `epoch` visits them."""
        if not self.shuffle:
            return torch.arange(self.size)
        return torch.randperm(self.size, generator=torch.Generator().manual_seed(mixed_seed(self.seed, epoch)))

    def advance(self) -> None:
        """Move past the batch that is about to be handed out."""
        self.position += self.batch_size
        if self.position >= self.size:
            self.epoch, self.position = self.epoch + 1, 0

    def begin(self, phase: Phase) -> None:
        """Samples are of one size throughout."""
        return

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "position": self.position, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the place of a saved loader, which must have had the same samples in the same batches."""
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise CheckpointError(
                    f"the place in the data was saved with another {name.replace('_', ' ')}",
                    expected=str(value),
                    found=str(state.get(name)),
                    remedy="resume with the data and the options of the run, or start a new run",
                )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])

    def _identity(self) -> dict[str, Any]:
        return {"size": self.size, "batch_size": self.batch_size, "seed": self.seed, "shuffle": self.shuffle}


@final
class InMemoryLoader(EpochLoader):
    """Batches gathered from tensors in memory, each tensor in one call per batch.

    Args:
        tensors: named tensors on one device with the samples along the first axis. Where there is no `index`, batches
            get the places `0, 1, ...` under that name.
        batch_size: samples per batch, or `all`.
        augment: changes a batch after it was gathered.

    >>> loader = InMemoryLoader({"inputs": torch.arange(5.0)}, batch_size=2, seed=0)
    >>> [len(batch["inputs"]) for batch in loader], loader.epoch
    ([2, 2, 1], 1)
    """

    def __init__(
        self,
        tensors: Batch,
        batch_size: int | Literal["all"],
        seed: int,
        augment: Augmentation | None = None,
        shuffle: bool = True,
    ) -> None:
        sizes = {name: len(tensor) for name, tensor in tensors.items()}
        if len(set(sizes.values())) != 1:
            raise DataError(
                "the tensors of a loader differ in their number of samples",
                found=str(sizes),
                expected="one row of each for every sample",
            )
        super().__init__(next(iter(sizes.values())), batch_size, seed, shuffle)
        device = next(iter(tensors.values())).device
        self.tensors = {"index": torch.arange(self.size, device=device), **tensors}
        self.augment = augment

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        order = self.order(epoch).to(self.tensors["index"].device)
        while self.epoch == epoch:
            batch = self._gather(order[self.position : self.position + self.batch_size])
            if self.augment is not None:
                batch = self.augment(batch, self.seed, epoch)
            self.advance()
            yield batch

    @property
    def nbytes(self) -> int:
        """Memory that the tensors take."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def to(self, device: torch.device) -> None:
        """Move the tensors, so that batches are gathered and augmented there; the samples and their order stay."""
        self.tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}

    def _gather(self, places: Tensor) -> Batch:
        if len(places) == self.size:  # The order inside the one batch of an epoch says nothing: spare the copy.
            return dict(self.tensors)
        return {name: tensor.index_select(0, places) for name, tensor in self.tensors.items()}


@final
class StreamingLoader(EpochLoader):
    """Batches decoded from files while training, by worker processes that read ahead; the same bits for any number.

    Args:
        files: images that are decoded when asked for.
        transform: makes a float tensor of a stack of decoded images, in the worker.
        tensors: further tensors with one row per file, such as `targets`.
        workers: processes; 0 decodes in this one.
        timeout: seconds to wait for a batch from the workers.
    """

    def __init__(
        self,
        files: ImageFiles,
        transform: Callable[[np.ndarray], Tensor],
        tensors: Batch,
        batch_size: int | Literal["all"],
        seed: int,
        augment: Augmentation | None = None,
        workers: int = 0,
        shuffle: bool = True,
        timeout: float = 300.0,
    ) -> None:
        super().__init__(len(files), batch_size, seed, shuffle)
        self.tensors = {"index": torch.arange(self.size), **tensors}
        self.augment = augment
        self.timeout = timeout
        self._decoder = _Decoder(files, transform, torch.zeros(max(1, workers), 3, dtype=torch.int64).share_memory_())
        self._plan: list[Tensor] = []
        self._source: DataLoader = DataLoader(
            self._decoder,
            batch_size=None,
            sampler=self._plan,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=_as_is,
            timeout=LOOK_AFTER_WORKERS if workers else 0,
            worker_init_fn=_leave_stopping_to_the_trainer,
            # An own generator: the default one would lose a number every epoch, and a resumed run would differ.
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        self._plan[:] = self.order(epoch)[self.position :].split(self.batch_size)
        decoded = self._begin()
        for places in tuple(self._plan):
            batch = {name: tensor.index_select(0, places) for name, tensor in self.tensors.items()}
            batch["inputs"] = self._next(decoded)
            if self.augment is not None:
                batch = self.augment(batch, self.seed, epoch)
            self.advance()
            yield batch

    def _begin(self) -> Iterator[Any]:
        try:
            return iter(self._source)
        except WORKER_ERRORS as error:  # one died after its last batch of the epoch before
            raise self._lost(error, "timed out" in str(error)) from error
        finally:
            _hear_no_deaths()

    def _next(self, decoded: Iterator[Any]) -> Tensor:
        patience = self.timeout
        while True:
            try:
                result = next(decoded)
                break
            except WORKER_ERRORS as error:
                hangs = "timed out" in str(error)
                patience -= LOOK_AFTER_WORKERS
                if not hangs or patience <= 0:
                    raise self._lost(error, hangs) from error
        if isinstance(result, GanglionError):
            raise result
        return result

    def _lost(self, error: Exception, hangs: bool) -> DataError:
        where = self._decoder.at_work("" if hangs else str(error))
        self._decoder.end_workers()
        return DataError(
            "a process that decodes images does not answer" if hangs else "a process that decodes images died",
            where=where,
            found=str(error).partition("\n")[0],
            remedy="look at that file" + ("" if hangs else ", or read with fewer workers if memory ran out"),
        )


@dataclass
class _Decoder(MapDataset):
    """What runs in the workers: from places to a tensor; a damaged file becomes an error that can cross processes."""

    files: ImageFiles
    transform: Callable[[np.ndarray], Tensor]
    progress: Tensor
    """Process, place of the file that it is at, and whether it is at one, of every worker `(workers, 3)`, shared."""

    def __getitem__(self, places: Tensor) -> Tensor | GanglionError:
        worker = get_worker_info()
        number = worker.id if worker else 0
        row = self.progress[number]
        row[0] = os.getpid()
        images = []
        for place in places.tolist():
            row[1], row[2] = place, 1
            try:
                images.append(self.files[place])
            except GanglionError as error:
                return error
            except Exception as error:  # Errors of any kind cross to the trainer as one that names the file.
                return self._cannot("decode an image", error, self._where(number, place))
        try:
            return self.transform(np.stack(images))
        except Exception as error:
            return self._cannot("prepare a batch of images", error, self._where(number, place))
        finally:
            row[2] = 0

    def _cannot(self, what: str, error: Exception, where: str) -> DataError:
        return DataError(
            f"cannot {what}",
            where=where,
            found=f"{type(error).__name__}: {error}",
            remedy="`ganglion data check` looks at every file",
        )

    def _where(self, worker: int, place: int) -> str:
        return f"{self.files.paths[place]} (sample {place}, worker {worker})"

    def end_workers(self) -> None:
        """End the processes, which may not answer: each would be waited for when the loader goes."""
        known = set(self.progress[:, 0].tolist())
        for process in multiprocessing.active_children():
            if process.pid in known:
                process.kill()

    def at_work(self, message: str) -> str:
        """Return the files that the processes named in DataLoader's message were at, or all processes at work."""
        named = {int(digits) for digits in re.findall(r"\d+", message)} & set(self.progress[:, 0].tolist())
        rows = enumerate(self.progress.tolist())
        chosen = [(worker, place) for worker, (process, place, busy) in rows if (process in named if named else busy)]
        return ", ".join(self._where(worker, place) for worker, place in chosen)


def _hear_no_deaths() -> None:
    """Take back the signal handler of DataLoader, which raises wherever the program may be when any worker dies.

    It could be in the middle of an update or of a save. Who waits for a batch finds the dead by looking.
    """
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        return
    if "torch.utils.data" in str(getattr(signal.getsignal(signal.SIGCHLD), "__module__", "")):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _leave_stopping_to_the_trainer(worker: int) -> None:
    """Ignore Ctrl-C and a closed terminal, which reach every process: the trainer may still want a batch to the end."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _as_is(batch: Any) -> Any:
    return batch
