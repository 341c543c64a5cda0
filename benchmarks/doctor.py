"""Calibrate the doctor of adversarial training: runs broken on purpose, and healthy ones, and what it says of them.

`python -m benchmarks.doctor measure [ILLNESS ...]` trains what was not trained yet, one thread, a run in some seconds,
and keeps of each run how far every sign went at three looks in a row; `write` makes `docs/gan-doctor.md` of it. Seeds
with even numbers are those that thresholds may be set by; the others judge them. What breaks a run is attached from
outside while it trains, so that there is no doubt what it has.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import Batch, Players
from ganglion.inspect.adversarial import COLLAPSES, IN_A_ROW, SIGNS, Look, findings
from ganglion.runs.doctor import EVERY, Doctor
from ganglion.runs.session import prepare
from ganglion.training.callback import Callback, Training

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "doctor.json"
PAGE = ROOT / "docs" / "gan-doctor.md"
HEALTHY = "healthy"
BROKEN_AT, LOOKS_ALLOWED = 200, 6
"""Step at which a run is broken, and looks after it within which that has to be found."""
END = BROKEN_AT + (LOOKS_ALLOWED + 1) * EVERY

Attack = Callable[[Any, Tensor], None]
"""What is done to a rule, given real samples (batch, ...), when it is broken."""


@dataclass(frozen=True)
class Case:
    """One way to break one system, or a healthy one."""

    illness: str
    system: str
    data: str
    seeds: int
    options: dict[str, Any] = field(default_factory=dict)
    attack: Attack | None = None
    how: str = ""
    broken_at: int = BROKEN_AT

    @property
    def name(self) -> str:
        return f"{self.illness}/{self.system}/{self.data}/{self.how}"


def on_output(network: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    network.register_forward_hook(lambda _module, _inputs, output: change(output))


def one_noise(rule: Any, _: Tensor) -> None:
    """Give the generator nearly the same noise always: all that it can draw is one sample."""
    for module in rule.generator.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            module.register_forward_pre_hook(lambda _module, inputs: (inputs[0][:1] + 0.01 * inputs[0], *inputs[1:]))
            return


def part_of_the_data(rule: Any, real: Tensor) -> None:
    """Show the discriminator a quarter of the data only: what lies furthest along their widest direction."""
    flat = real.flatten(1)
    direction = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh[0]
    least = (flat @ direction).quantile(0.75)
    step, name = rule.step, rule.inputs.real

    def narrowed(batch: Batch) -> dict[str, Tensor]:
        kept = torch.nonzero(batch[name].flatten(1) @ direction >= least)[:, 0]
        again = kept[torch.arange(len(batch[name])) % max(1, len(kept))] if len(kept) else slice(None)
        return dict(step({key: values[again] for key, values in batch.items()}))

    rule.step = narrowed


def gradients_times(role: str, factor: float) -> Attack:
    """Let next to nothing of a player's gradient arrive, or far too much."""

    def attack(rule: Any, _: Tensor) -> None:
        for parameter in rule.networks[role].parameters():
            parameter.register_hook(lambda gradient: gradient * factor)

    return attack


def growing(role: str, by: float) -> Attack:
    """Let a player's gradient grow with every pass."""

    def attack(rule: Any, _: Tensor) -> None:
        size = [1.0]

        def larger(gradient: Tensor) -> Tensor:
            size[0] *= by
            return gradient * size[0]

        next(iter(rule.networks[role].parameters())).register_hook(larger)

    return attack


def forgetful(rule: Any, _: Tensor) -> None:
    """Let the discriminator see next to nothing of its samples."""
    on_output(rule.discriminator, lambda output: output * 0 + 1e-3 * torch.randn_like(output))


def swinging(rule: Any, real: Tensor) -> None:
    """Move what the generator draws to and fro by three deviations of the data, once in some hundred steps."""
    flat = real.flatten(1)
    direction = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh[0]
    swing = (3 * (flat @ direction).std() * direction).reshape(real.shape[1:])
    passes = [0]

    def moved(output: Tensor) -> Tensor:
        passes[0] += 1
        return output + torch.sin(torch.tensor(passes[0] / 90.0)) * swing

    on_output(rule.generator, moved)


def by_heart(rule: Any, real: Tensor) -> None:
    """Let the generator hand out real samples, nearly as they are."""

    def copied(output: Tensor) -> Tensor:
        place = torch.randint(len(real), (len(output),))
        return 0.01 * output + 0.99 * real[place].reshape(output.shape)

    on_output(rule.generator, copied)


def stuck(rule: Any, _: Tensor) -> None:
    """Drive the generator's outputs to the ends of their range."""
    on_output(rule.generator, lambda output: torch.tanh(30 * output))


def judged_by_company(rule: Any, _: Tensor) -> None:
    """Normalise the discriminator's outputs over each batch: real and generated ones then have the same mean."""
    company = nn.BatchNorm1d(1, affine=False, track_running_stats=False)
    rule.discriminator.add_module("company", company)
    on_output(rule.discriminator, lambda output: company(output.reshape(-1, 1)).reshape(output.shape))


RARELY = {"evaluate_every": 10**6, "checkpoint_every": 10**6}
DIGITS, POINTS = "digits", "8-gaussians"
DENSE = {"generator_features": (128, 256), "discriminator_features": (256, 128), "image_size": 8}
CONVOLUTIONAL, ROWS = {"image_size": 8}, {"form": "points"}
FAST, STOPPED = {"discriminator_descent.learning_rate": 4e-3}, {"generator_descent.learning_rate": 1e-7}
UNBOUND = {"game.loss": "wasserstein", "game.penalty": "none", "game.real_label": 1.0}
TOO_FAST = {"discriminator_descent.learning_rate": 0.2}
IN_ONE_PLACE = {"discriminator_descent.learning_rate": 0.0, "generator_descent.learning_rate": 0.01}


def everywhere(illness: str, attack: Attack, without: tuple[str, ...] = (), broken_at: int = BROKEN_AT) -> list[Case]:
    """Return the cases of an illness that is attached from outside: the same in several systems."""
    every = {
        "gan": Case(illness, "gan", DIGITS, 6, DENSE, attack, broken_at=broken_at),
        "dcgan": Case(illness, "dcgan", DIGITS, 6, CONVOLUTIONAL, attack, broken_at=broken_at),
        "cgan": Case(illness, "cgan", DIGITS, 6, CONVOLUTIONAL, attack, broken_at=broken_at),
        "wgan": Case(illness, "wgan", DIGITS, 4, CONVOLUTIONAL, attack, broken_at=broken_at),
        "points": Case(illness, "gan", POINTS, 6, ROWS, attack, broken_at=broken_at),
    }
    return [case for name, case in every.items() if name not in without]


CASES = (
    Case(HEALTHY, "gan", DIGITS, 14, DENSE),
    Case(HEALTHY, "gan", POINTS, 14, ROWS),
    Case(HEALTHY, "dcgan", DIGITS, 12, CONVOLUTIONAL),
    Case(HEALTHY, "cgan", DIGITS, 10, CONVOLUTIONAL),
    Case(HEALTHY, "wgan", DIGITS, 6, CONVOLUTIONAL),
    Case(HEALTHY, "wgan", POINTS, 6, ROWS),
    *everywhere("collapse", one_noise),
    Case("collapse", "gan", DIGITS, 6, DENSE | IN_ONE_PLACE, how="a discriminator that never changes"),
    *everywhere("partial-collapse", part_of_the_data),
    Case("discriminator-saturated", "gan", DIGITS, 8, DENSE | FAST | STOPPED, how="a generator at rest"),
    Case("discriminator-saturated", "dcgan", DIGITS, 8, CONVOLUTIONAL | FAST | STOPPED, how="a generator at rest"),
    Case("discriminator-saturated", "cgan", DIGITS, 6, CONVOLUTIONAL | FAST | STOPPED, how="a generator at rest"),
    *everywhere("generator-starved", gradients_times("generator", 1e-6)),
    *everywhere("discriminator-too-weak", forgetful, broken_at=1),
    *everywhere("oscillation", swinging, without=("points",)),
    Case("penalty-exploding", "wgan", DIGITS, 10, CONVOLUTIONAL | TOO_FAST, how="far too high a rate"),
    Case("penalty-exploding", "wgan", POINTS, 10, ROWS | TOO_FAST, how="far too high a rate"),
    *everywhere("gradient-exploding", growing("discriminator", 1.05)),
    Case("gradient-exploding", "gan", DIGITS, 6, DENSE | UNBOUND | FAST, how="a critic without bounds"),
    *everywhere("memorisation", by_heart, without=("points",)),
    *everywhere("saturated-outputs", stuck, without=("points",)),
    *everywhere("batch-statistics-leaking", judged_by_company, without=("wgan", "cgan")),
)


class Breaking(Callback):
    """Breaks a run at its step."""

    name = "breaking"

    def __init__(self, case: Case, real: Tensor) -> None:
        self.case, self.real = case, real

    def on_step(self, trainer: Training) -> None:
        if self.case.attack and trainer.iteration == self.case.broken_at:
            self.case.attack(trainer.rule, self.real)


def looks_of(case: Case, seed: int) -> list[Look]:
    """Train a run to its end, without figures and reports, and return what the doctor saw."""
    options = {"steps": END, "seed": seed, "threads": 1, "sample_every": "off", "batch_size": 32} | RARELY
    with tempfile.TemporaryDirectory() as folder:
        session = prepare(case.system, case.data, out=Path(folder) / "run", **options | case.options)
        doctor = next(one for one in session.trainer.callbacks if isinstance(one, Doctor))
        rule = session.rule
        assert isinstance(rule, Players)
        session.trainer.callbacks.insert(0, Breaking(case, rule.real(doctor.batch)))
        try:
            session.trainer.fit()
        finally:
            session.files.unlock()
    return doctor.looks


def runs() -> Iterator[tuple[Case, int]]:
    """Yield every case with each of its seeds, the first seeds of all cases first."""
    for seed in range(max(case.seeds for case in CASES)):
        yield from ((case, seed) for case in CASES if seed < case.seeds)


def measure(illnesses: list[str]) -> None:
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for case, seed in runs():
        key = f"{case.name}/{seed}"
        if key in kept or (illnesses and case.illness not in illnesses):
            continue
        try:
            looks = looks_of(case, seed)
        except ArithmeticError as error:  # a run that blew up before it could be looked at
            print(key, error, flush=True)
            continue
        kept[key] = {
            "illness": case.illness,
            "system": case.system,
            "data": case.data,
            "how": case.how,
            "seed": seed,
            "looks": [rounded(one.to_dict()) for one in looks],
        }
        print(key, *told(kept[key]), flush=True)
        rows = (f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}" for name, row in kept.items())
        RESULTS.write_text("{\n" + ",\n".join(rows) + "\n}\n")


def rounded(value: Any) -> Any:
    """Return measurements to four digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def told(row: Mapping[str, Any]) -> list[str]:
    """Return the illnesses that are said at any moment of a run."""
    looks = [Look.from_dict(one) for one in row["looks"]]
    said = [one.name for end in range(len(looks)) for one in findings(looks[: end + 1]) if one.level == "warn"]
    return list(dict.fromkeys(said))


def is_right(row: Mapping[str, Any]) -> bool:
    """Return whether a run is told what it has; of a part that collapsed one may say that everything did."""
    names = {HEALTHY: (), "partial-collapse": COLLAPSES}.get(row["illness"], (row["illness"],))
    return not told(row) if not names else any(name in names for name in told(row))


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page on what the doctor says of runs whose state is known."""
    judged = [row for row in rows if row["seed"] % 2]
    ill, well = ([row for row in judged if (row["illness"] == HEALTHY) is healthy] for healthy in (False, True))
    found, alarmed = [row for row in ill if is_right(row)], [row for row in well if not is_right(row)]
    signs = [f"| {one.name} | {one.measure} | {one.threshold:g} | {one.remedy} |" for one in SIGNS]
    return "\n".join(
        [
            "# Is my GAN working?",
            "",
            f"While an adversarial network trains, a doctor looks at both players every {EVERY} steps. It says",
            f"something only when {IN_A_ROW} looks in a row agree; `ganglion inspect gan RUN` says it again later, and",
            "`--on-collapse stop` or `roll-back` acts on a collapse. What is found depends on the looks alone, which",
            "are part of every checkpoint.",
            "",
            "| finding | measure | from | what to try |",
            "|---|---|---:|---|",
            *signs,
            "",
            "## How often it is right",
            "",
            f"{len(rows)} short runs: healthy ones, and ones that were broken on purpose, most of them at",
            f"step {BROKEN_AT} and by force (the noise taken away, a part of the data hidden, gradients scaled,",
            "outputs swung or copied), so that there is no doubt what they have. Thresholds were looked at on the",
            f"seeds with even numbers; here are the others. Of {len(ill)} broken runs {share(found, ill)} were",
            f"found within {LOOKS_ALLOWED} looks; of {len(well)} healthy ones {share(alarmed, well)} were called ill.",
            "",
            "| what they had | runs | found | what else was said |",
            "|---|---:|---:|---|",
            *(_line(name, [row for row in judged if row["illness"] == name]) for name in _kinds(judged)),
            "",
            "## By system",
            "",
            "| what they had | system | runs | found |",
            "|---|---|---:|---:|",
            *(_by_system(name, judged) for name in _kinds(judged)),
            "",
            "Measured by `python -m benchmarks.doctor measure`, written by `python -m benchmarks.doctor write`.",
            "",
        ]
    )


def share(some: Sequence[Any], every: Sequence[Any]) -> str:
    return f"{len(some)} ({len(some) / max(1, len(every)):.0%})"


def _kinds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    there = {row["illness"] for row in rows}
    return [name for name in dict.fromkeys(case.illness for case in CASES) if name in there]


def _line(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    others = Counter(one for row in rows for one in told(row) if one != name)
    said = ", ".join(f"{one} {count}" for one, count in others.most_common()) or "–"
    return f"| {name} | {len(rows)} | {sum(map(is_right, rows))} | {said} |"


def _by_system(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    places = dict.fromkeys((row["system"], row["data"]) for row in rows if row["illness"] == name)
    lines = []
    for system, data in places:
        own = [row for row in rows if (row["illness"], row["system"], row["data"]) == (name, system, data)]
        lines.append(f"| {name} | {system} on {data} | {len(own)} | {sum(map(is_right, own))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("measure", "write"))
    parser.add_argument("illnesses", nargs="*")
    arguments = parser.parse_args()
    if arguments.verb == "measure":
        measure(arguments.illnesses)
    PAGE.write_text(page(list(json.loads(RESULTS.read_text()).values())))


if __name__ == "__main__":
    main()
