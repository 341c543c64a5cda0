"""`inspect`, of any network: the chain rule of one weight, the layers, what they see, where gradients die, gates."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.cli.arguments import (
    Folder,
    Folders,
    Functions,
    InputText,
    Name,
    OptionalFile,
    OptionalText,
    Settings,
    Switch,
    refuse_unwritable,
)
from ganglion.cli.output import answer
from ganglion.errors import UsageError
from ganglion.models import find, names

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganglion.core import Batch, LearningRule
    from ganglion.models import System
    from ganglion.runs.run import Run


def backpropagation(
    folder: Folders = (), *, example: Switch = False, parameter: OptionalText = None, json: Switch = False
) -> None:
    """Write out the chain rule of one weight as a table of local derivatives, beside what autograd finds.

    Args:
        folder: Folder of a run; the first sample of its training part is taken.
        example: The 2-2-2 network of the textbooks instead of a run.
        parameter: Weight of the run's network, like c1.weight[0,0,0,0]; the first one when not given.
        json: Print one JSON object.
    """
    from ganglion import inspect

    if len(folder) != (0 if example else 1):
        raise UsageError("give one run, or --example", remedy="ganglion inspect backpropagation --example")
    if example:
        trace = inspect.example()
    else:
        rule, batch = rule_and_batch(folder[0])
        inputs, targets = batch["inputs"][:1], batch.get("targets", batch["inputs"])[:1]
        first = next(name for name, weight in rule.home.named_parameters() if weight.requires_grad)
        place = ",".join("0" * rule.home.get_parameter(first).dim())
        trace = inspect.trace(rule.home.eval(), inputs, targets, loss_of(rule), parameter or f"{first}[{place}]")
    answer(trace.to_dict(), json, lambda: print(trace))


def summary(name: Name, *, json: Switch = False) -> None:
    """List layers, output shapes, parameters, multiply-adds and memory.

    Args:
        name: A system, or the folder of a run.
        json: Print a list with one JSON object for each network.
    """
    from ganglion.runs import facts
    from ganglion.runs.opening import without_numbers

    system, config = _described(name)
    found = facts.summaries(*without_numbers(system, config))
    answer([one.to_dict() for one in found.values()], json, lambda: print(*found.values(), sep="\n\n"))


def receptive_field(name: Name, settings: Settings = (), *, json: Switch = False) -> None:
    """List what each layer sees of the input: window, step, receptive field and cost, layer by layer.

    Args:
        name: A system, or the folder of a run.
        settings: Of a system, fields of its configuration, as name=value; the published form has the others.
        json: Print a list with one JSON object for each network.
    """
    from ganglion.inspect import receptive_fields
    from ganglion.runs.opening import without_numbers

    system, config = _described(name, settings)
    rule, examples = without_numbers(system, config)
    learning = [
        role for role, network in rule.networks.items() if any(one.requires_grad for one in network.parameters())
    ]
    found = []
    for role in learning:
        try:
            found.append(receptive_fields(rule.networks[role], examples[role]))
        except UsageError:  # as of a generator, which begins with numbers that lie nowhere
            if role == learning[-1] and not found:
                raise
    answer([one.to_dict() for one in found], json, lambda: print(*found, sep="\n\n"))


def gradient_flow(
    folder: Folder, *, input: OptionalText = None, out: OptionalFile = None, json: Switch = False
) -> None:
    """Measure the gradient, the activation and the dead units of every layer, and follow errors back through time.

    Args:
        folder: Folder of the run.
        input: Text, or file of a text or series, to follow errors through; a batch of the training part when not given.
        out: Picture to write as well; of a recurrent network that of the gradient through time.
        json: Print one JSON object.
    """
    from ganglion import figures, inspect
    from ganglion.runs.run import open_run

    if out:
        refuse_unwritable(out)
    if input is not None:
        run = open_run(folder)
        inputs, _ = run.task.steps(input)
        found: Any = inspect.gradient_through_time(run.network, inputs, inputs, _size, clipped=_clipped(run))
        document, shown = found.to_dict(), [found]
    else:
        rule, batch = rule_and_batch(folder)
        sample = rule.home, _read_by(rule.home, batch), batch.get("targets", batch["inputs"]), loss_of(rule)
        found = inspect.gradient_flow(*sample)
        document, shown = found.to_dict(), [found]
        if inspect.has_time(rule.home):
            found = inspect.gradient_through_time(*sample, clipped=_clipped(open_run(folder)))
            document["through_time"] = found.to_dict()
            shown.append(found)
    if out:
        figures.save(found.figure, out)
    answer(document, json, lambda: print(*shown, sep="\n\n"))


def gates(folder: Folder, input: InputText, *, out: Path = Path("gates.png"), json: Switch = False) -> None:
    """Draw what the gates and cells of a recurrent network do while it reads a text, a series or a drawing.

    Args:
        folder: Folder of the run.
        input: Text, or file of a text, a series or a drawing.
        out: Picture to write; of several layers one each, with the layer's name added.
        json: Print one JSON object.
    """
    from ganglion import figures, inspect
    from ganglion.runs.run import open_run

    refuse_unwritable(out)
    run = open_run(folder)
    found = inspect.gates(run.network, *run.task.steps(input))
    drawn = found.figures
    paths = {layer: out.with_stem(f"{out.stem}-{layer}") if len(drawn) > 1 else out for layer in drawn}
    for layer, figure in drawn.items():
        figures.save(figure, paths[layer])
    document = found.to_dict() | {"figures": [str(path) for path in paths.values()]}
    answer(document, json, lambda: print(found, *paths.values(), sep="\n"))


def activations(names: Functions = (), *, out: OptionalFile = None, json: Switch = False) -> None:
    """Draw activation functions of torch.nn with their derivatives.

    Args:
        names: Functions, such as relu gelu; all when none is named.
        out: Picture to write; activations.png when not given.
        json: Print a list with one JSON object for each function.
    """
    from ganglion import figures, inspect
    from ganglion.tables import Table

    out = Path("activations.png") if out is None else out
    refuse_unwritable(out)
    curves = inspect.activation_curves(names)
    figures.save(figures.function_curves({one.name: (one.places, one.values, one.slopes) for one in curves}), out)
    rows = [one.row() for one in curves]
    cells = [[str(cell) for cell in row.values()] for row in rows]
    table = Table(tuple(rows[0]), cells, words=("activation", "torch.nn"))
    answer(rows, json, lambda: print(table, out, sep="\n"))


def _described(name: str, settings: tuple[str, ...] = ()) -> "tuple[System, Any]":
    """Return the system of that name in its published form, with other settings, or the system of a run and its own."""
    if name in names() and not settings:
        return find(name), find(name).form("published")
    if name in names():
        from ganglion.cli.flags import parse_info
        from ganglion.runs.options import settle

        system = find(name)
        _, options = parse_info(system, list(settings))
        return system, settle(system, {"form": "published", **options})[0]
    from ganglion.runs.run import open_run

    run = open_run(name)
    if settings:
        remedy = "name a system to look at other settings"
        raise UsageError("a run has its settings", where=name, found=" ".join(settings), remedy=remedy)
    return run.system, run.config


def _size(outputs: "Tensor", _: "Tensor") -> "Tensor":
    """Stand in for the loss where the truth is not known: half the mean square of the outputs."""
    return outputs.square().mean() / 2


def _clipped(run: "Run") -> float | None:
    """Return the share of updates that were clipped, from the log of the training."""
    shares = [row["clipped"] for row in run.history if isinstance(row.get("clipped"), float | int)]
    return sum(shares) / len(shares) if shares else None


def _read_by(network: "nn.Module", batch: "Batch") -> "Tensor | tuple[Tensor, ...]":
    """Return what a network reads of a batch: with the lengths of its samples (batch,), if it asks for them."""
    lengths = batch.get("inputs_lengths")
    asks = list(signature(network.forward).parameters)[1:2] == ["lengths"]
    return batch["inputs"] if lengths is None or not asks else (batch["inputs"], lengths)


def rule_and_batch(folder: str, samples: int = 1) -> "tuple[LearningRule, Batch]":
    """Return the rule of a run with its best weights, and the first batch of its training part.

    Args:
        samples: that are wanted of it at least; batches of one shape are joined until they have so many, or all.
    """
    import torch

    from ganglion.runs.run import open_run

    run = open_run(folder)
    rule: LearningRule = run.system.load().build(run.config)
    loss_of(rule)
    rule.home.load_state_dict(run.network.state_dict())
    task = run.prepared_task()
    batches = iter(task.loader(rule, seed=0))
    joined = next(batches)
    wanted = min(samples, len(task.data["train"])) if samples > 1 else 1
    while len(joined["inputs"]) < wanted:
        batch = next(batches)
        if batch["inputs"].shape[1:] != joined["inputs"].shape[1:]:
            break
        joined = {name: torch.cat([values, batch[name]]) for name, values in joined.items()}
    return rule, joined


def loss_of(rule: "LearningRule") -> "Callable[[Tensor, Tensor], Tensor]":
    judge = getattr(rule, "judge", None)
    if not callable(judge):
        raise UsageError(
            "there is no single loss to follow back",
            found=f"the rule {type(rule).__name__.lower()}",
            remedy="choose a run of a supervised system or of an autoencoder",
        )
    return lambda outputs, targets: judge(outputs, targets)["loss"]
