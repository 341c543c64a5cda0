"""The folder of a run that several processes train: the first one writes, the others are told what they must know."""

import json
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor

from ganglion.core import Segment
from ganglion.core.team import Team
from ganglion.errors import BegunError, UsageError
from ganglion.files import read_json
from ganglion.findings import Finding
from ganglion.training.packing import pack, separate, unpack
from ganglion.training.processes.agreement import require_alike
from ganglion.training.processes.joining import Member, join
from ganglion.training.run_folder import Newest, RunFolder


def create(team: Team | None, out: str | Path | None, name: str, description: dict[str, Any]) -> RunFolder:
    """Make the folder of a new run, in the first process alone.

    Raises `BegunError` in all where several processes began the same run there, and did not end it.
    """
    if team is None or team.size == 1:
        return RunFolder.create(out, name, description)
    require_alike(team, description)
    member = join()
    if team.rank == 0:
        folder = Path(out) if out is not None else _of_this_launch(member)
        begun = folder is not None and _is_begun(folder, description)
        team.said(str(folder).encode() if begun else b"")
    else:
        begun, folder = bool(said := team.said().decode()), Path(said)
    if begun:
        raise BegunError(
            "the folder already holds this run", where=str(folder), remedy="`ganglion resume` continues it"
        )
    if team.rank:
        return Following(Path(team.said().decode()), team)
    made = Leading.create(out, name, description)
    team.said(str(made.path).encode())
    member.launch.set("folder", str(made.path))
    assert isinstance(made, Leading)
    made.team = team
    return made


def _of_this_launch(member: Member) -> Path | None:
    """Return the folder of the run that the launcher's processes began before one of them failed."""
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" and member.launch.check(["folder"])
    return Path(member.launch.get("folder").decode()) if again else None


def _is_begun(folder: Path, description: dict[str, Any]) -> bool:
    """Whether a folder holds a run of this description. Raises `UsageError` where it holds another one."""
    if not (folder / "config.json").is_file():
        return False
    known = read_json(folder / "config.json")
    asked = json.loads(json.dumps(description))
    names = ("system", "data", "fingerprint", "config", "trainer", "data_settings")
    differing = [name for name in names if known.get(name) != asked[name]]
    if differing:
        raise UsageError(
            "the folder holds a run that was asked for in other words",
            where=str(folder),
            found=f"it differs in {', '.join(differing)}",
            remedy="choose another --out, or `ganglion resume` to continue it as it was begun",
        )
    return True


def opened(team: Team | None, path: str | Path) -> RunFolder:
    """Open the folder of a run, to write only in the first process."""
    if team is None or team.size == 1:
        return RunFolder.open(path)
    found = RunFolder.open(path)
    if team.rank:
        return Following(found.path, team)
    leading = Leading(found.path)
    leading.team = team
    return leading


@final
class Leading(RunFolder):
    """The folder as the first process sees it, which writes it and tells the others what it reads."""

    team: Team

    def newest(self, strict: bool = False) -> Newest | None:
        found = super().newest(strict)
        self.team.said(_packed(found and [str(found[0]), found[1], found[2]]))
        return found


@final
class Following(RunFolder):
    """The folder as all other processes see it: they write nothing, and it need not be on a disk of theirs."""

    writes = False

    def __init__(self, path: Path, team: Team) -> None:
        super().__init__(path)
        self.team = team

    def newest(self, strict: bool = False) -> Newest | None:
        found = _unpacked(self.team.said())
        return None if found is None else (Path(found[0]), found[1], found[2])

    def check(self) -> None: ...

    def check_now_and_then(self) -> None: ...

    def preflight(self, checkpoint_size: int, keep: int) -> None: ...

    def lock(self) -> None: ...

    def unlock(self) -> None: ...

    def withdraw(self) -> None: ...

    def tidy(self) -> None: ...

    def adopt(self, path: Path, best_step: int) -> None: ...

    def write(self, name: str, value: dict[str, Any]) -> None: ...

    def write_bytes(self, name: str, content: bytes) -> None: ...

    def point(self, pointer: str, target: Path) -> None: ...

    def unpoint(self, pointer: str) -> None: ...

    def save(self, step: int, state: dict[str, Any], *, is_best: bool, keep: int) -> None: ...

    def best_weights(self) -> tuple[dict[str, Any] | None, str]:
        return None, ""

    def log(self, text: str) -> None: ...

    def append_metrics(self, row: dict[str, Any]) -> None: ...

    def settle_metrics(self) -> int:
        return 0

    def cut_metrics(self, size: int) -> None: ...

    def write_findings(self, found: Iterable[Finding]) -> None: ...


def _packed(state: Any) -> bytes:
    """Return a state as bytes: how long the next part is, what is no tensor as JSON, and the tensors."""
    tensors: dict[str, Tensor] = {}

    def keep(segment: Segment, path: str) -> dict[str, str]:
        tensors.update({f"{path}/{name}": values for name, values in segment.read().items()})
        return {"__segment__": path}

    structure = json.dumps(pack(state, tensors, keep=keep)).encode()
    return struct.pack("<q", len(structure)) + structure + bytes_of(separate(tensors))


def _unpacked(words: bytes) -> Any:
    """Undo `_packed`."""
    (length,) = struct.unpack_from("<q", words)
    tensors = tensors_of(words[8 + length :])

    def fetch(path: str) -> Segment:
        first = f"{path}/"
        own = {name.removeprefix(first): values for name, values in tensors.items() if name.startswith(first)}
        return Segment(lambda: own)

    return unpack(json.loads(words[8 : 8 + length]), tensors, fetch)
