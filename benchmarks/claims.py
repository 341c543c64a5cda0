"""Measure what Ganglion claims of its systems, and write the tables from what was measured.

`python -m benchmarks.claims plan` says how many steps and minutes each claim takes on an idle machine;
`measure [CLAIM ...]` trains and writes `benchmarks/results/claims.json`, at most six hours, what was never measured
first; with `--busy`, on a machine that does other work too, scores only. `write` puts the ten claims that matter
between the markers of README.md and all of them into `docs/claims.md`. Every system of the index has a claim: on the
data it takes when none is named, unless `CLAIMED` says others. Sets that are neither bundled nor generated are read
from the folder named by GANGLION_DATA.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from shlex import join
from typing import Any

from benchmarks.pages import with_part
from ganglion.models import INDEX

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "claims.json"
README, PAGE = ROOT / "README.md", ROOT / "docs" / "claims.md"
BEGIN, END = "<!-- claims: written by benchmarks/claims.py -->", "<!-- end of claims -->"
HOURS, LONG = 6.0, 20 * 60.0
"""What measuring may take in all, and the seconds above which a claim is measured with one seed only."""
FIRST_SCREEN = (
    "lenet5/mnist",
    "convnet/mnist",
    "mlp/digits",
    "lstm-forecaster/mackey-glass",
    "char-rnn/tinyshakespeare",
    "sentiment/rt-polarity",
    "autoencoder/digits",
    "dcgan/digits",
    "rbm/digits",
    "dqn/CartPole-v1",
)
"""The claims that matter: one of each kind of network, on data that others use too where there are some."""


AVERAGED = ("mean_return",)
"""Scores that others publish as means over seeds; here with the half width of a 95 % interval by Student's t."""

OFFICIAL_TAKES = "*_[0-4].wav"
"""The test part of the Free Spoken Digit Dataset: the first five takes of each digit by each speaker."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS_PUBLISHED = "no agreed figure; small convolutional networks usually report 0.97 to 0.99"


@dataclass(frozen=True)
class Claim:
    """A command, over some seeds, and what the literature reached."""

    system: str
    data: str
    options: dict[str, Any] = field(default_factory=dict)
    seeds: int = 3
    published: str = ""
    variant: str = ""
    """What tells it apart from other claims of the system on this data."""

    @property
    def name(self) -> str:
        return "/".join(filter(None, (self.system, self.data, self.variant)))

    @property
    def command(self) -> str:
        values = {name: one if isinstance(one, tuple) else (one,) for name, one in self.options.items()}
        flags = "".join(f" --{name.replace('_', '-')} {join(map(str, every))}" for name, every in values.items())
        return f"ganglion train {self.system} --data {self.data}{flags}"


CLAIMED = (
    Claim("lenet5", "digits"),
    Claim(
        "lenet5",
        "mnist",
        {"epochs": 10, "augment": "none", "batch_size": 32},
        published="LeCun et al. 1998: 0.9905 (0.992 with distortions)",
    ),
    Claim("convnet", "mnist", {"epochs": 10}),
    Claim("char-rnn", "tinyshakespeare"),
    Claim(
        "word-rnn",
        "tinyshakespeare",
        seeds=1,
    ),
    Claim(
        "music-rnn",
        "nottingham",
        {"hidden_features": 320, "dropout": 0.3, "minutes": 10},
        seeds=1,
        published="another split of it: 0.996 (character LSTM), 1.49 (Markov chain of the third order)",
    ),
    Claim("sentiment", "rt-polarity"),
    Claim("captioner", "scenes"),
    Claim(
        "captioner",
        "emoji",
        {"epochs": 25, "image_size": 48, "augment": "shift", "colour_jitter": 0.2, "allow_problems": True},
        seeds=1,
    ),
    Claim("chatbot", "small-talk"),
    Claim("chatbot", "dailydialog", {"epochs": 4, "most_tokens": 5000, "allow_problems": True}, seeds=1),
    Claim("anomaly-detector", "biscuits"),
    Claim("anomaly-detector", "mnist", {"normal": ("8",), "epochs": 8, "batch_size": 64}),
    Claim("image-search", "digits"),
    Claim("image-search", "fashion-mnist", {"form": "published", "epochs": 3, "batch_size": 128}, seeds=1),
    Claim("feature-extractor", "digits"),
    Claim("feature-extractor", "fashion-mnist", {"form": "published", "epochs": 3, "batch_size": 128}, seeds=1),
    Claim("spoken-words", "voices"),
    Claim("spoken-words", "syllables", seeds=1),
    Claim("spoken-words", "fsdd", {"test_files": OFFICIAL_TAKES, "epochs": 25}, published=DIGITS_PUBLISHED),
    Claim("spoken-words", "fsdd", {"test_files": OFFICIAL_TAKES, "epochs": 25, "form": "lstm"}, 1, variant="lstm"),
    Claim(
        "spoken-words",
        "fsdd",
        {"test_files": OFFICIAL_TAKES, "epochs": 25, "form": "time-delay"},
        1,
        variant="time-delay",
    ),
    *(
        Claim("spoken-words", "fsdd", {"test_files": f"*_{voice}_*", "epochs": 15}, 1, variant=f"without-{voice}")
        for voice in SPEAKERS
    ),
    Claim("sketch-rnn", "sketches", seeds=1),
    Claim("dqn", "CartPole-v1", seeds=5, published="solved at 475"),
    Claim("dbn", "digits"),
    Claim("dbn", "digits", {"form": "generative"}, variant="generative"),
    Claim("steering", "road-scenes"),
    Claim("steering", "driven-road-scenes"),
    Claim("steering", "mixed-road-scenes", {"hidden_features": 16}),
    Claim("dqn", "MountainCar-v0", published="the zoo of stable-baselines3, 120,000 steps: -100.8"),
    Claim("dqn", "Acrobot-v1", published="likewise, 100,000 steps: -76.6"),
    Claim("dqn", "MinAtar/Breakout-v1"),
    Claim(
        "dqn",
        "ALE/Pong-v5",
        seeds=1,
        published="the zoo of stable-baselines3, 10 million steps without sticky actions: 20.6",
    ),
    Claim("dqn", "ALE/Breakout-v5", {"minutes": 60}, seeds=1, published="likewise: 358.3"),
    Claim("rbm", "digits"),
    Claim("rbm", "digits", {"form": "gaussian"}, variant="gaussian"),
    Claim("rbm", "wine", {"form": "gaussian"}, variant="gaussian"),
    Claim("rbm-recommender", "film-ratings"),
    Claim(
        "rbm-recommender",
        "ml-latest-small",
        seeds=1,
        published="no agreed figure; biased matrix factorisation 0.87 to 0.88 over five folds",
    ),
    Claim("trader", "swinging-prices"),
    Claim("trader", "geometric-brownian-motion", published="nothing can be foretold"),
)
"""Claims on other data than a system's own, with other options, or beside a published figure."""


def claims() -> list[Claim]:
    """Return all claims in the order of the index."""
    every = []
    for system in INDEX:
        own = [claim for claim in CLAIMED if claim.system == system.name]
        every += own or [Claim(system.name, system.data)]
    return every


def measure(claim: Claim, busy: bool) -> dict[str, Any]:
    """Train over the seeds, over one only where that takes long, and return the row."""
    from ganglion.runs.session import train

    results, steps = [], 0
    for seed in range(claim.seeds):
        if results and results[0]["seconds"] > LONG:
            break
        with tempfile.TemporaryDirectory() as folder:
            run = train(claim.system, claim.data, out=Path(folder) / "run", seed=seed, **claim.options)
            results.append(run.result)
            steps = run.history[-1]["step"]
            print(f"{claim.name} seed {seed}: {run.result['score_name']} {run.result['score']:.4f}", flush=True)
    return {
        "system": claim.system,
        "data": claim.data,
        "score_name": results[0]["score_name"],
        "higher_is_better": results[0]["higher_is_better"],
        "scores": [result["score"] for result in results],
        "baseline": statistics.median(result["baseline"] for result in results),
        "seconds": None if busy else statistics.median(result["seconds"] for result in results),
        "steps": steps,
        "parameters": results[0]["parameters"],
        "published": claim.published,
        "command": claim.command,
    }


def measure_all(chosen: list[Claim], measured: dict[str, Any], busy: bool) -> None:
    """Measure claims and keep each result at once; what does not fit into the hours is left for another time."""
    begun = time.monotonic()
    for claim in sorted(chosen, key=lambda claim: claim.name in measured["rows"]):
        left = HOURS * 3600 - (time.monotonic() - begun)
        if expected(claim, measured["rows"]) > left:
            print(f"{claim.name}: left out, {left / 60:.0f} minutes remain")
            continue
        measured["rows"][claim.name] = measure(claim, busy)
        if not busy:  # of which no times are kept
            measured["machine"] = machine()
        order = [each.name for each in claims()]
        measured["rows"] = {name: measured["rows"][name] for name in order if name in measured["rows"]}
        RESULTS.write_text(json.dumps(measured, indent=1) + "\n")


def expected(claim: Claim, rows: dict[str, Any]) -> float:
    """Return the seconds that measuring a claim took before, over its seeds; 0 where nobody knows."""
    seconds = rows.get(claim.name, {}).get("seconds") or 0.0
    return seconds * (1 if seconds > LONG else claim.seeds)


def plan(rows: dict[str, Any]) -> str:
    """Return a line for each claim, with its steps and the minutes it takes on an idle machine."""
    lines = []
    for claim in claims():
        row = rows.get(claim.name, {})
        minutes = expected(claim, rows) / 60
        steps = f"{row['steps']:,} steps" if row.get("steps") else "steps not known"
        lines.append(f"{claim.name:<32}{steps:>18}{f'{minutes:.1f} minutes' if minutes else 'not known':>16}")
    total = sum(expected(claim, rows) for claim in claims()) / 60
    return "\n".join([*lines, f"{total:.0f} minutes in all, of at most {HOURS * 60:.0f}"])


def overview(measured: dict[str, Any]) -> str:
    """Return the table of the first screen, and the line that says where it was measured."""
    lines = [
        "| system | data | test score | trivial baseline | published | training | parameters |",
        "|---|---|---|---|---|---:|---:|",
    ]
    for name in FIRST_SCREEN:
        if row := measured["rows"].get(name):
            cells = (row["system"], row["data"], score(row), f"{row['baseline']:.4g}", row["published"] or "–")
            lines.append(f"| {' | '.join(cells)} | {duration(row)} | {row['parameters']:,} |")
    return "\n".join([*lines, "", f"{where(measured)} [All claims and their commands](docs/claims.md)."])


def page(measured: dict[str, Any]) -> str:
    """Return the page of all claims, those that nobody has measured yet among them."""
    lines = [
        "# Claims",
        "",
        "What every system reaches with one command. A claim whose run takes over twenty minutes is measured with one",
        "seed; where other work went on beside it, the score stands without a time, and may be of another processor.",
        "",
        where(measured),
        "",
        "| system | test score | trivial baseline | published | steps | training | parameters |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    commands = []
    for claim in claims():
        row = measured["rows"].get(claim.name)
        commands.append(claim.command)
        if row is None:
            lines.append(f"| {claim.name} | to be measured | | {claim.published or '–'} | | | |")
            continue
        steps = f"{row['steps']:,}" if row.get("steps") else "–"
        cells = (claim.name, score(row), f"{row['baseline']:.4g}", claim.published or "–", steps, duration(row))
        lines.append(f"| {' | '.join(cells)} | {row['parameters']:,} |")
    return "\n".join([*lines, "", "```sh", *commands, "```", ""])


def score(row: dict[str, Any]) -> str:
    scores = row["scores"]
    name = row["score_name"].replace("_", " ") + ("" if row["higher_is_better"] else " (lower is better)")
    if row["score_name"] in AVERAGED and len(scores) > 1:
        from scipy.stats import t

        half = float(t.ppf(0.975, len(scores) - 1)) * statistics.stdev(scores) / len(scores) ** 0.5
        return f"{name} **{statistics.mean(scores):.4g}** ± {half:.2g} (mean of {len(scores)} seeds, 95 % interval)"
    text = f"{name} **{statistics.median(scores):.4g}**"
    seeds = f" (median of {len(scores)} seeds, {min(scores):.4g} to {max(scores):.4g})"
    return text + (seeds if len(scores) > 1 else "")


def duration(row: dict[str, Any]) -> str:
    seconds = row["seconds"]
    return "–" if seconds is None else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def where(measured: dict[str, Any]) -> str:
    at = measured["machine"]
    return f"Measured on {at['cores']} cores ({at['processor']}), torch {at['torch']}, by `benchmarks/claims.py`."


def machine() -> dict[str, Any]:
    import torch

    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {"processor": model, "cores": os.cpu_count(), "torch": torch.__version__.split("+")[0]}


def first_screen(text: str, measured: dict[str, Any]) -> str:
    """Return the text of a README with its table of claims as measured."""
    return with_part(text, BEGIN, END, f"\n{overview(measured)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("plan", "measure", "write"))
    parser.add_argument("claims", nargs="*", help="names such as lenet5/mnist; all when none is given")
    parser.add_argument("--busy", action="store_true", help="the machine does other work: keep no times")
    arguments = parser.parse_args()
    measured = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}}
    if unknown := set(arguments.claims) - {claim.name for claim in claims()}:
        parser.error(f"no claim is called {', '.join(sorted(unknown))}")
    if arguments.verb == "plan":
        print(plan(measured["rows"]))
        return
    if arguments.verb == "measure":
        chosen = [claim for claim in claims() if not arguments.claims or claim.name in arguments.claims]
        measure_all(chosen, measured, arguments.busy)
    README.write_text(first_screen(README.read_text(), measured))
    PAGE.write_text(page(measured))


if __name__ == "__main__":
    main()
