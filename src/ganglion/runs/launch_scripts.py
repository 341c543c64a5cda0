"""Scripts that start a training on other machines: for Slurm, SkyPilot and ssh. They are written, never sent; no torch.

What an engine asks of a program is the same everywhere: save when told to stop, and go on when the same script is
started again. So a script asks whether the folder of the run is there, and then resumes instead of training anew.
"""

import re
from collections.abc import Sequence
from shlex import quote
from typing import Annotated

from ganglion.errors import UsageError
from ganglion.settings import at_least, settings

PORT = 29400
"""Where the processes of several machines meet."""
VERBS = ("train", "tune", "resume")
"""Commands that go on where they were stopped."""


@settings
class Machines:
    """On what a training is to run."""

    nodes: Annotated[int, at_least(1)] = 1
    """Machines."""
    processes: Annotated[int, at_least(1)] = 1
    """Processes on each machine, one for each GPU where there are GPUs."""
    gpus: Annotated[int, at_least(0)] = 0
    """GPUs of each machine."""
    cores: Annotated[int, at_least(1)] = 4
    """Processor cores of each process."""
    hours: Annotated[float, at_least(0.1)] = 24.0
    """Time after which the machines are taken away, in hours."""
    grace: Annotated[int, at_least(30)] = 180
    """Seconds before that at which training is told to save and stop."""
    folder: str = "."
    """Folder that commands start in; runs lie below it, on a disk that all machines see."""
    setup: str = ""
    """Shell line that makes `ganglion` available, such as `source venv/bin/activate`."""


@settings
class Slurm(Machines):
    """A batch script for Slurm: ganglion launch slurm --hours 8 -- train ... > job.sh; sbatch job.sh"""

    partition: str = ""
    """Partition of the cluster."""
    account: str = ""
    """Account that is charged."""


@settings
class SkyPilot(Machines):
    """A task for SkyPilot: ganglion launch skypilot -- train ... > job.yaml; sky jobs launch job.yaml"""

    accelerator: str = "L4"
    """Kind of GPU, where there are GPUs."""
    bucket: str = ""
    """Bucket that runs are kept in, so that they outlast machines that are taken away."""
    spot: bool = True
    """Whether cheaper machines do that may be taken away at any time."""


@settings
class Ssh(Machines):
    """A script that starts on hosts by ssh: ganglion launch ssh --hosts a b -- train ... > job.sh; bash job.sh"""

    hosts: tuple[str, ...] = ()
    """Hosts, the first of which writes; `nodes` is their number."""
    restarts: Annotated[int, at_least(0)] = 3
    """Times that a training which died is taken up again."""


@settings
class Launched:
    """A command that is started again until it is done."""

    words: tuple[str, ...]
    """`train NAME ...`, `tune NAME ...` or `resume FOLDER`."""
    out: str
    """The folder of the run."""


def launched(words: Sequence[str]) -> Launched:
    """Return a command that can be started again, with a folder of its own; raise `UsageError` for others.

    >>> launched(["train", "mlp", "--data", "iris"]).words
    ('train', 'mlp', '--data', 'iris', '--out', 'runs/mlp')
    """
    words = list(words)
    if not words or words[0] not in VERBS or len(words) < 2:
        raise UsageError(
            "say what is to be launched, behind two strokes",
            found=" ".join(words) or "nothing",
            expected=" or ".join(VERBS),
            remedy="ganglion launch slurm --hours 8 -- train mlp --data iris --out runs/iris",
        )
    for word in words:
        if strange := re.search(r"[\x00-\x1f\x7f]", word):
            raise UsageError(
                "a script cannot hold such a sign",
                where=f"{word!r:.60}",
                found=repr(strange.group()),
                remedy="rename the file or the folder",
            )
    if words[0] == "resume":
        return Launched(words=tuple(words), out=words[1])
    given = [place for place, word in enumerate(words) if word == "--out" or word.startswith("--out=")]
    if not given:
        words += ["--out", f"runs/{re.sub(r'[^A-Za-z0-9._-]', '-', words[1])}"]
        return Launched(words=tuple(words), out=words[-1])
    word = words[given[-1]]
    out = word.partition("=")[2] if "=" in word else "".join(words[given[-1] + 1 : given[-1] + 2])
    if not out:
        raise UsageError("--out needs a folder", found=word, remedy="--out runs/NAME")
    return Launched(words=tuple(words), out=out)


def slurm(job: Launched, on: Slurm) -> str:
    """Return a batch script: requeued where it is preempted and ahead of its time limit, appended to one log."""
    asked = {
        "job-name": _plain(job.out),
        "nodes": on.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": on.cores * on.processes,
        "gpus-per-node": on.gpus or None,
        "time": _clock(on.hours),
        "partition": on.partition or None,
        "account": on.account or None,
        "signal": f"B:USR1@{on.grace}",
        "requeue": "",
        "open-mode": "append",
        "output": f"{_plain(job.out)}-%j.log",
    }
    for name in ("partition", "account"):
        _refuse_strange(name, getattr(on, name))
    head = [
        f"#SBATCH --{name}{f'={value}' if value != '' else ''}" for name, value in asked.items() if value is not None
    ]
    meeting = [
        'head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        f'meet="--nnodes=$SLURM_NNODES --rdzv-backend=c10d --rdzv-id=$SLURM_JOB_ID --rdzv-endpoint=$head:{PORT}"',
    ]
    start = 'srun --kill-on-bad-exit=1 bash -c \'exec "$@"\' _ "${line[@]}" &' if on.nodes > 1 else '"${line[@]}" &'
    return _text(
        "#!/bin/bash",
        *head,
        "# Written by `ganglion launch slurm`. Hand it in with `sbatch`; hand it in again to go on.",
        "set -u",
        *_beginning(on),
        *(meeting if on.nodes > 1 else ['meet="--standalone"']),
        *_line(job, on),
        "again=",
        "trap 'again=yes; kill -TERM \"$child\"' USR1  # ahead of the limit: save, stop, wait for the next turn",
        "trap 'kill -TERM \"$child\"' TERM INT  # preempted, which requeues by itself, or cancelled: save and stop",
        start,
        "child=$!",
        'code=0; wait "$child" || code=$?',
        'while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done',
        'if [ -n "$again" ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
        'exit "$code"',
    )


def skypilot(job: Launched, on: SkyPilot) -> str:
    """Return a task in YAML; on spot machines SkyPilot starts the same lines again elsewhere, and they go on."""
    for name in ("accelerator", "bucket"):
        _refuse_strange(name, getattr(on, name))
    out = f"/runs/{_plain(job.out)}" if on.bucket else job.out
    words = tuple(
        out if word == job.out else f"--out={out}" if word == f"--out={job.out}" else word for word in job.words
    )
    moved = Launched(words=words, out=out)
    meeting = (
        'meet="--nnodes=$SKYPILOT_NUM_NODES --node-rank=$SKYPILOT_NODE_RANK '
        f'--master-addr=$(echo "$SKYPILOT_NODE_IPS" | head -n 1) --master-port={PORT}"'
    )
    run = ["set -eu", *_beginning(on, setup=False), meeting if on.nodes > 1 else 'meet="--standalone"']
    run += [*_line(moved, on), 'exec "${line[@]}"']
    resources = [f"  cpus: {on.cores * on.processes}+", f"  use_spot: {str(on.spot).lower()}"]
    resources += [f"  accelerators: {on.accelerator}:{on.gpus}"] if on.gpus else []
    mounts = ["file_mounts:", "  /runs:", f"    name: {on.bucket}", "    mode: MOUNT"] if on.bucket else []
    return _text(
        "# Written by `ganglion launch skypilot`. Start it with `sky jobs launch`, which takes it up again elsewhere.",
        *([] if on.bucket else ["# Without --bucket a run lies on its machine and is lost with it."]),
        f"name: {_plain(job.out).lower().replace('_', '-').replace('.', '-').strip('-') or 'run'}",
        f"num_nodes: {on.nodes}",
        "resources:",
        *resources,
        *mounts,
        "setup: |",
        f"  {on.setup or 'pip install ganglion'}",
        "run: |",
        *(f"  {line}" for line in run),
    )


def ssh(job: Launched, on: Ssh) -> str:
    """Return a script that copies another to each host and starts it there, where it outlasts the connection."""
    if not on.hosts:
        raise UsageError("name the hosts", where="--hosts", expected="names that ssh knows, the first writes")
    for host in on.hosts:
        _refuse_strange("hosts", host)
    many = len(on.hosts) > 1
    name = f"ganglion-{_plain(job.out)}"
    meeting = (
        f'meet="--nnodes={len(on.hosts)} --node-rank=$1 --master-addr={on.hosts[0].rpartition("@")[2]} '
        f'--master-port={PORT}"'
    )
    inside = [
        "set -u",
        *_beginning(on),
        f"left={on.restarts}",
        "trap 'kill -TERM \"$child\"; left=0' TERM INT",
        "while true; do",
        meeting if many else 'meet="--standalone"',
        *_line(job, on, many),
        '"${line[@]}" &',
        "child=$!",
        'code=0; wait "$child" || code=$?',
        'while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done',
        'if [ "$code" -eq 0 ] || [ "$left" -le 0 ] || [ "$code" -eq 2 ]; then exit "$code"; fi',
        "left=$((left - 1)); sleep 10",
        "done",
    ]
    end = f"END-{name}"
    remote = f"cat > {quote(name)}.sh && (nohup bash {quote(name)}.sh RANK > {quote(name)}.log 2>&1 < /dev/null &)"
    starts = [
        line
        for rank, host in enumerate(on.hosts)
        for line in (f'ssh {quote(host)} {quote(remote.replace("RANK", str(rank)))} <<<"$script"',)
    ]
    return _text(
        "#!/bin/bash",
        "# Written by `ganglion launch ssh`. Start it with `bash`; start it again to go on.",
        "set -eu",
        f"script=$(cat <<'{end}'",
        *inside,
        end,
        ")",
        *starts,
        f"echo 'look at {name}.log on each host; end it with: pkill -TERM -f {name}.sh'",
    )


def _beginning(on: Machines, setup: bool = True) -> list[str]:
    lines = [f"cd {quote(on.folder)}" if on.folder != "." else ""]
    lines += [on.setup] if setup and on.setup else []
    lines += [f"export OMP_NUM_THREADS={on.cores}"]
    return list(filter(None, lines))


def _line(job: Launched, on: Machines, many: bool = False) -> list[str]:
    """Return the lines by which `line` becomes what is to be run: the command, or going on with its run."""
    alone = on.processes == 1 and on.nodes == 1 and not many
    first = ["line=(ganglion)"] if alone else [f"line=(torchrun $meet --nproc-per-node={on.processes} -m ganglion)"]
    goes_on = f"resume {quote(job.out)}"
    if job.words[0] == "resume":
        return [*first, f"line+=({' '.join(map(quote, job.words))})"]
    begun = " || ".join(f"[ -e {quote(f'{job.out}/{name}')} ]" for name in ("config.json", "study.json"))
    words = " ".join(map(quote, job.words))
    return [*first, f"if {begun}; then line+=({goes_on}); else line+=({words}); fi"]


def _plain(text: str) -> str:
    """Return a name that every engine takes.

    >>> _plain("runs/my run; rm -rf ~")
    'runs-my-run-rm--rf'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "run"


def _refuse_strange(name: str, value: str) -> None:
    if value and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@:+-]*", value):
        raise UsageError("this is no such name", where=f"--{name}", expected="letters, digits and -._@:", found=value)


def _clock(hours: float) -> str:
    """Return hours, minutes and seconds.

    >>> _clock(1.5), _clock(48)
    ('01:30:00', '48:00:00')
    """
    seconds = round(hours * 3600)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"
