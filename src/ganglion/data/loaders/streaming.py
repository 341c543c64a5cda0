"""Batches decoded from files while training, by worker processes."""

import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as MapDataset

from ganglion.core import Batch
from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.loaders.columns import IMAGES, Columns, Kinds, gather
from ganglion.data.loaders.derived import Derived
from ganglion.data.loaders.epochs import Augmentation, EpochLoader
from ganglion.data.loaders.groups import order_in_buffers
from ganglion.data.loaders.pieces import Pieces
from ganglion.errors import DataError, GanglionError

WORKER_ERRORS = (RuntimeError, OSError, EOFError)
"""What DataLoader raises when a worker has died or does not answer, and what its sockets do."""
UNGUARDED = (
    'put what the script does below `if __name__ == "__main__":`, since every worker imports it, or train without'
)
"""What to do where workers die before their first file, having been started anew and not as copies."""
LOOK_AFTER_WORKERS = 4.0
"""Seconds after which one looks whether the worker that is waited for is still alive."""

BUFFER = 1 << 13
"""Pictures in archives that are mixed with each other, at least."""

Transform = Callable[[Any], Tensor]
"""Decoded images or masks, in one array or in a list, to one tensor."""
Files = ImageFiles | Sequence[np.ndarray]
"""Pictures that are decoded when asked for, or that are decoded already."""


@final
class StreamingLoader(EpochLoader):
    """Batches decoded from files while training, by worker processes that read ahead; the same bits for any number.

    Args:
        files: images that are decoded when asked for: those of `inputs`, or of several fields by name. Decoded
            pictures do as well, where pieces are cut out of them.
        transform: makes a tensor of a list of decoded images, in the worker; by name where files are.
        tensors: further fields with one row per file, such as `targets`.
        workers: processes; 0 decodes in this one.
        timeout: seconds to wait for a batch from the workers.
        unpaired: names of fields in files whose values do not belong to the samples of the others; see
            `InMemoryLoader`.
        derived: fields that are made of others, by name.
        kinds: which fields are images, masks and boxes.
        pieces: what is cut out of decoded images before they are transformed, in every epoch at another place.
    """

    def __init__(
        self,
        files: Files | Mapping[str, Files],
        transform: Transform | Mapping[str, Transform],
        tensors: Columns,
        batch_size: int | Literal["all"],
        seed: int,
        augment: Augmentation | None = None,
        workers: int = 0,
        shuffle: bool = True,
        timeout: float = 300.0,
        *,
        unpaired: tuple[str, ...] = (),
        derived: Mapping[str, Derived] | None = None,
        kinds: Kinds = IMAGES,
        pieces: Pieces | None = None,
    ) -> None:
        files = files if isinstance(files, Mapping) else {"inputs": files}
        transforms = transform if isinstance(transform, Mapping) else dict.fromkeys(files, transform)
        paired = [len(each) for name, each in files.items() if name not in unpaired]
        size = paired[0] if paired else max(map(len, files.values()))
        super().__init__(size, batch_size, seed, shuffle, augment, derived, kinds)
        self.tensors = {"index": torch.arange(self.size), **tensors}
        self.groups: np.ndarray | None = getattr(next(iter(files.values())), "groups", None)
        """The archive of each sample, where pictures lie in archives `(samples,)`."""
        self.unpaired = {name: len(files[name]) for name in unpaired}
        self.timeout = timeout
        progress = torch.zeros(max(1, workers), 4, dtype=torch.int64).share_memory_()
        apart = [(name,) for name in files if name in unpaired]
        cut = [tuple(name for name in files if name not in unpaired), *apart] if pieces else []
        self._decoder = _Decoder(dict(files), dict(transforms), progress, seed, pieces, cut)
        self._plan: list[_Plan] = []
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
        first, parts = self.position, self.order(epoch)[self.position :].split(self.batch_size)
        self._plan[:] = [self._places(places, epoch, first + n * self.batch_size) for n, places in enumerate(parts)]
        decoded = self._begin()
        for plan, places in zip(tuple(self._plan), parts, strict=True):
            batch = {**gather(self.tensors, places), **self._next(decoded)}
            batch |= {f"{name}_index": plan.places[name] for name in self.unpaired}
            batch = self.finished(batch, epoch)
            self.advance()
            yield batch

    def order(self, epoch: int) -> Tensor:
        """Return the places of the samples, (samples,), in the order in which `epoch` visits them.

        Pictures in archives come archive after archive, mixed within a buffer, so that each is read about once.
        """
        if self.groups is None or not self.shuffle:
            return super().order(epoch)
        return order_in_buffers(self.groups, self.seed, epoch, BUFFER)

    def _places(self, places: Tensor, epoch: int, first: int) -> "_Plan":
        """Return which file of every field stands at each row of the batch that begins at `first`."""
        own = {
            name: self.unpaired_places(name, length, epoch, first, len(places))
            for name, length in self.unpaired.items()
        }
        index = self.tensors["index"]
        assert isinstance(index, Tensor)
        known = {name: own.get(name, index[places]) for name in self._decoder.files}
        return _Plan(epoch, {name: own.get(name, places) for name in known}, known)

    def _begin(self) -> Iterator[Any]:
        try:
            return iter(self._source)
        except WORKER_ERRORS as error:  # one died after its last batch of the epoch before
            raise self._lost(error, "timed out" in str(error)) from error
        finally:
            _hear_no_deaths()

    def _next(self, decoded: Iterator[Any]) -> Batch:
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
        unguarded = not where and multiprocessing.get_start_method() != "fork"
        self._decoder.end_workers()
        return DataError(
            "a process that decodes images does not answer" if hangs else "a process that decodes images died",
            where=where,
            found=str(error).partition("\n")[0],
            remedy=UNGUARDED
            if unguarded
            else "look at that file" + ("" if hangs else ", or read with fewer workers if memory ran out"),
        )


@dataclass(frozen=True)
class _Plan:
    """Of what a batch is decoded."""

    epoch: int
    places: dict[str, Tensor]
    """Of the files of each field, for every sample."""
    index: dict[str, Tensor]
    """Places of the samples in the whole set, which their random numbers come from."""


@dataclass
class _Decoder(MapDataset):
    """What runs in the workers: from places to tensors; a damaged file becomes an error that can cross processes."""

    files: dict[str, Files]
    transforms: dict[str, Transform]
    progress: Tensor
    """Process, field and place of the file that it is at, and whether it is at one, of every worker, shared."""
    seed: int
    pieces: Pieces | None
    together: list[tuple[str, ...]]
    """Fields whose pieces are cut at one place."""

    def __getitem__(self, plan: _Plan) -> Batch | GanglionError:
        worker = get_worker_info()
        number = worker.id if worker else 0
        row = self.progress[number]
        row[0] = os.getpid()
        images: dict[str, list[np.ndarray]] = {name: [] for name in self.files}
        for sample in range(len(next(iter(plan.places.values())))):
            for field, name in enumerate(self.files):
                place = int(plan.places[name][sample])
                row[1], row[2], row[3] = field, place, 1
                try:
                    images[name].append(self.files[name][place])
                except GanglionError as error:
                    return error
                except Exception as error:  # Errors of any kind cross to the trainer as one that names the file.
                    return self._cannot("decode an image", error, self._where(number, field, place))
            self._cut(images, plan, sample)
        batch: Batch = {}
        for field, name in enumerate(self.files):
            row[1] = field
            try:
                batch[name] = self.transforms[name](_stacked(images[name]))
            except Exception as error:
                where = self._where(number, field, int(plan.places[name][-1]))
                return self._cannot("prepare a batch of images", error, where)
        row[3] = 0
        return batch

    def _cut(self, images: dict[str, list[np.ndarray]], plan: _Plan, sample: int) -> None:
        """Leave of the pictures of a sample the pieces that are learnt from."""
        for names in filter(None, self.together):
            assert self.pieces is not None
            pictures, index = {name: images[name][sample] for name in names}, int(plan.index[names[0]][sample])
            for name, piece in self.pieces.cut(pictures, self.seed, plan.epoch, index).items():
                images[name][sample] = piece

    def _cannot(self, what: str, error: Exception, where: str) -> DataError:
        return DataError(
            f"cannot {what}",
            where=where,
            found=f"{type(error).__name__}: {error}",
            remedy="`ganglion data check` looks at every file",
        )

    def _where(self, worker: int, field: int, place: int) -> str:
        paths = getattr(tuple(self.files.values())[field], "paths", None)
        return f"{paths[place]} (sample {place}, worker {worker})" if paths else f"sample {place}"

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
        chosen = [
            (worker, field, place)
            for worker, (process, field, place, busy) in rows
            if (process in named if named else busy)
        ]
        return ", ".join(self._where(*each) for each in chosen)


def _stacked(images: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """Return images of one size as one array, and others as they are."""
    return np.stack(images) if len({image.shape for image in images}) == 1 else images


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
