"""`doctor`: what this machine and this installation can do, fit to be pasted into a question."""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from ganglion import __version__
from ganglion.cli.arguments import Switch
from ganglion.cli.output import answer, print_table
from ganglion.tables import size_text

REQUIRED = (
    "torch",
    "numpy",
    "safetensors",
    "pillow",
    "rich",
    "tyro",
    "scikit-learn",
    "matplotlib",
    "gymnasium",
    "filelock",
)
OPTIONAL = ("pyarrow", "torchvision", "tensorboard", "setuptools")
WRITTEN = 16 * 2**20
"""Bytes of the write test."""


def doctor(*, json: Switch = False) -> None:
    """Report versions, processor, memory, disk, data and known bad combinations.

    Args:
        json: Print one JSON object.
    """
    report: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "torch": torch_facts(),
        "levers": levers(),
        "compiled_paths": compiled_paths(),
        "data": data_facts(),
    }
    report["problems"] = problems(report)

    def show() -> None:
        for title in ("versions", "machine", "torch", "levers", "compiled_paths", "data"):
            rows = [
                (name if name.isupper() else name.replace("_", " "), value) for name, value in report[title].items()
            ]
            print_table((title.replace("_", " "), ""), rows)
            print()
        print("\n".join(f"problem: {problem}" for problem in report["problems"]) or "No problem found.")

    answer(report, json, show)


def versions() -> dict[str, Any]:
    found: dict[str, Any] = {"ganglion": __version__, "python": platform.python_version()}
    return found | {name: _version(name) for name in (*REQUIRED, *OPTIONAL)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Return the processor, the memory and how fast the disk of the run folders takes a file."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": cores,
        "memory": _memory(),
        "run_folders": str(Path("runs").resolve()),
        "disk_write": _disk_write(),
    }


def processor() -> str:
    """Return the name of the processor, as its maker has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str | None:
    try:
        page, total, free = (os.sysconf(name) for name in ("SC_PAGE_SIZE", "SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return None
    return f"{size_text(page * total)}, {size_text(page * free)} free"


def _disk_write() -> str:
    """Write and flush a file where runs go, or say why that is not possible."""
    folder = Path("runs") if Path("runs").is_dir() else Path()
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            started = time.perf_counter()
            file.write(os.urandom(WRITTEN))
            file.flush()
            os.fsync(file.fileno())
            return f"{size_text(WRITTEN / (time.perf_counter() - started))}/s"
    except OSError as error:
        return f"not possible: {error.strerror}"


def torch_facts() -> dict[str, Any]:
    """Return what torch computes with here."""
    import torch

    facts: dict[str, Any] = {
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "cuda_build": torch.version.cuda,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if facts["cuda"]:
        facts["devices"] = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return facts


def levers() -> dict[str, Any]:
    """Return what makes training fast here and what of it is on; `ganglion bench` measures what each brings."""
    import torch

    from ganglion.cli.levers import LEVERS
    from ganglion.training.machine.device import has_bf16_units

    units = has_bf16_units(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return {lever.name: lever.standing for lever in LEVERS} | {
        "fused_optimizers": "on: sgd, adagrad, adam and adamw (off with --optimizer-arguments fused=False)",
        "bf16": "here, used with --precision bf16 or auto" if units else "no units for it on this machine",
    }


def compiled_paths() -> dict[str, Any]:
    """Return what is computed faster here than torch computes it, and where, or why not."""
    from ganglion.nn.acceleration import paths

    return {name.replace(" ", "_"): standing for name, standing in paths().items()}


def data_facts() -> dict[str, Any]:
    """Return where published sets are looked for and which are there."""
    from ganglion.cli.data import folder_of
    from ganglion.data.catalogue import cache_folder
    from ganglion.data.published import PUBLISHED

    facts: dict[str, Any] = {"GANGLION_DATA": os.environ.get("GANGLION_DATA"), "cache": str(cache_folder())}
    return facts | {name: folder_of(name) for name in PUBLISHED}


def problems(report: dict[str, Any]) -> list[str]:
    """Return the combinations known to fail, and what to do about each."""
    known = report["versions"]
    checks: list[tuple[Callable[[], bool], str]] = [
        (lambda: any(known[name] is None for name in REQUIRED), "a required package is missing: reinstall ganglion"),
        (lambda: _number(known["torch"]) < (2, 11), "torch is older than 2.11: pip install -U torch"),
        (
            lambda: bool(known["torchvision"]) and not _imports("torchvision"),
            "torchvision does not fit this torch; ganglion does not need it: pip uninstall torchvision",
        ),
        (
            lambda: (
                bool(known["tensorboard"])
                and _number(known["tensorboard"]) < (2, 21)
                and _number(known["setuptools"]) >= (82,)
            ),
            "tensorboard before 2.21 cannot start with setuptools 82: pip install -U tensorboard",
        ),
        (
            lambda: report["torch"]["threads"] > report["machine"]["cores"],
            "torch uses more threads than this process has cores, which is slow: set OMP_NUM_THREADS",
        ),
        (
            lambda: (
                bool(report["torch"]["cuda_build"]) and not report["torch"]["cuda"] and Path("/dev/nvidia0").exists()
            ),
            "there is an NVIDIA device that torch cannot use: the driver may be too old for this torch",
        ),
        (lambda: report["machine"]["disk_write"].startswith("not"), "run folders cannot be written here: give --out"),
        (lambda: sys.flags.optimize > 0, "python -O switches off checks"),
        (
            lambda: bool(report["data"]["GANGLION_DATA"]) and not Path(report["data"]["GANGLION_DATA"]).is_dir(),
            "GANGLION_DATA names a folder that does not exist",
        ),
    ]
    return [advice for fails, advice in checks if fails()]


def _number(version: str | None) -> tuple[int, ...]:
    """Return the leading numbers of a version; an absent package is older than all."""
    parts = (version or "0").split("+")[0].split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())


def _imports(module: str) -> bool:
    try:
        import_module(module)
    except Exception:
        return False
    return True
