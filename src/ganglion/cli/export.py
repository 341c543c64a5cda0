"""`export`: a run as a file for programs that know nothing of ganglion."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import tyro

from ganglion.cli.arguments import Folder, OptionalFile, OptionalText, Switch, refuse_unwritable
from ganglion.cli.output import answer, note
from ganglion.errors import UsageError

if TYPE_CHECKING:
    from ganglion.runs.export.onnx_file import Exported
    from ganglion.runs.run import Run

    Format: TypeAlias = Literal["onnx", "safetensors"]
else:
    Format = Annotated[
        Literal["onnx", "safetensors"],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="onnx|safetensors", help_behavior_hint=""),
    ]


def export(
    folder: Folder,
    format: Format,
    *,
    out: OptionalFile = None,
    role: OptionalText = None,
    json: Switch = False,
) -> None:
    """Write the network of a run as one file, and prove that it answers as the run does.

    Args:
        folder: Folder of the run.
        format: onnx is a graph that ONNX Runtime runs without ganglion or torch, and that `ganglion predict FILE.onnx
            INPUT` asks; safetensors is the weights by the names of the network, with a text that loads them.
        out: File to write; the name of the run with the ending of the format when not given.
        role: Which network, where a run has several to take home, such as `back` of cyclegan.
        json: Print one JSON object.
    """
    from ganglion.runs.run import open_run

    run = open_run(folder)
    path = out or Path(f"{run.folder.resolve().name}.{format}")
    if path.suffix != f".{format}":
        raise UsageError("the name of the file has another ending", where=str(path), expected=f"FILE.{format}")
    refuse_unwritable(path)
    _onnx(run, path, role, json) if format == "onnx" else _safetensors(run, path, json)


def _onnx(run: "Run", path: Path, role: str | None, json: bool) -> None:
    from ganglion.runs.export.onnx_file import export_onnx

    exported = export_onnx(run, path, role)
    document = {"run": str(run.folder), "file": str(path), "bytes": len(exported.content), **exported.card["proof"]}
    answer(document, json, lambda: _print(run, path, exported))


def _print(run: "Run", path: Path, exported: "Exported") -> None:
    proof = exported.proof
    print(f"{path}  {len(exported.content):,} bytes")
    for title, values in (("goes in", exported.card["inputs"]), ("comes out", exported.card["outputs"])):
        for value in values:
            if ".result" in value["name"]:
                continue
            shape = f" {value['shape']}" if "shape" in value else ""
            print(f"  {title:<10}{value['name']}: {value['type']}{shape}, {value['meaning']}")
    for method, part in exported.card.get("parts", {}).items():
        print(
            f"  by itself {method}: {', '.join(one['name'] for one in part['inputs'])} -> {', '.join(part['outputs'])}"
        )
    tried: list[Any] = [f"batches of {_listed(proof.batches)}"]
    tried += [f"sequences of {_listed(proof.lengths)} steps"] if proof.lengths else []
    tried += [f"pictures {_listed(proof.sides)} high"] if proof.sides else []
    note(f"ONNX Runtime answers as torch does, to {proof.difference:.1g}: {', '.join(tried)}")
    note(f"try: {run.task.next_step.format(run=quote(str(path)))}")
    note(f"where an answer takes more than this, the run gives it: {quote(str(run.folder))}")


def _listed(numbers: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _safetensors(run: "Run", path: Path, json: bool) -> None:
    from ganglion.runs.export.take_home import export_safetensors

    count, loader = export_safetensors(run, path)
    document = {"run": str(run.folder), "file": str(path), "loader": str(loader), "tensors": count}
    answer(document, json, lambda: print(loader.read_text(encoding="utf-8"), end=""))
    note(f"wrote {path}: {count} tensors")
    note(f"wrote {loader}: loads them with torch alone, as printed")
