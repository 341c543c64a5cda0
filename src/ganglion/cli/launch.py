"""`launch`: print a script that starts a training elsewhere. Nothing is sent, and torch is not imported."""

import sys

import tyro

from ganglion.errors import UsageError
from ganglion.runs.launch_scripts import Machines, SkyPilot, Slurm, Ssh, launched, skypilot, slurm, ssh
from ganglion.settings import unknown_name

ENGINES = {"slurm": (Slurm, slurm), "skypilot": (SkyPilot, skypilot), "ssh": (Ssh, ssh)}
USAGE = """usage: ganglion launch slurm|skypilot|ssh [flags] -- train NAME [flags]

Print a script that trains on other machines; nothing is sent. The script saves
when it is told to stop, and goes on where it was when it is started again.

  ganglion launch slurm --hours 8 --gpus 1 -- train vgg --data photos > job.sh
  sbatch job.sh
  ganglion launch skypilot --gpus 1 --bucket my-runs -- train vgg --data photos > job.yaml
  sky jobs launch job.yaml
  ganglion launch ssh --hosts one two -- train mlp --data table.csv > job.sh
  bash job.sh

`ganglion launch slurm --help` shows the flags."""


def launch(words: list[str]) -> None:
    """Print a script for an engine: `launch slurm [flags] -- train NAME [flags]`."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return
    engine, rest = words[0], words[1:]
    if engine not in ENGINES:
        raise unknown_name("engine", engine, list(ENGINES), where="launch")
    settings, write = ENGINES[engine]
    place = rest.index("--") if "--" in rest else len(rest)
    flags, command = rest[:place], rest[place + 1 :]
    on: Machines = tyro.cli(settings, prog=f"ganglion launch {engine}", args=flags, description=settings.__doc__)
    if on.gpus and on.processes > on.gpus:
        raise UsageError(
            "there are more processes than GPUs on a machine",
            where="--processes",
            found=f"{on.processes} on {on.gpus}",
            remedy=f"--processes {on.gpus}",
        )
    sys.stdout.write(write(launched(command), on))  # type: ignore[operator]
