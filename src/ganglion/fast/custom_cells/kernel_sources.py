"""The sources of the two kernels of a scan, forward and backward: their arguments, and what is kept between them."""

from dataclasses import dataclass
from typing import Any

from ganglion.fast.custom_cells.loops import Writer
from ganglion.fast.custom_cells.operations import DEAR, POINTWISE, Node, Place, aten, located, width
from ganglion.fast.custom_cells.tracing import Step


@dataclass(frozen=True)
class Kernels:
    """The sources of both kernels and what they are called with, in this order: see `write`."""

    source: str
    constants: dict[str, float]
    packs: tuple[list[tuple[int, bool]], list[tuple[int, bool]]]
    """Packed weights of either kernel: their number, and whether transposed."""
    saved: list[int]
    """Widths of what the first kernel keeps for the second."""
    slopes: list[int]
    """Widths of derivatives that the second leaves for all steps; the first is that of the inputs."""
    lefts: list[str]
    """Where the first factor of each product is: in the `inputs`, a `state` before or `after` each step, or `saved`."""
    products: list[int]
    """Which of `slopes` is that of each product."""


def write(step: Step) -> Kernels:
    """Write the kernels of a step; raises `NotImplementedError` for operations that have no written form.

    `forward` fills in the states after each step, behind the first, and what is kept. `backward` is given dL/ds of the
    states of every step, or arrays without steps, and leaves derivatives of every step, of the first states, and of
    rows summed over steps and samples.
    """
    places = {step.inputs: _of_step("inputs")}
    places |= {node: _of_step(f"state{number}") for number, node in enumerate(step.states)}
    if step.mask is not None:
        places[step.mask] = ("mask[row]", "mask[first:last]")
    results = [(node, _of_step(f"state{number}", "step + 1")) for number, node in enumerate(step.results)]
    vectors = {node: f"vector{number}" for number, node in enumerate(step.rows)}
    derivatives = [node for part in step.derivatives.values() for node in part if node is not None]
    known = {**places, **dict(results), **dict.fromkeys(vectors, ("", ""))}
    kept = _kept(derivatives, step.slopes, set(known))
    after = {node: f"after{number}" for number, node in enumerate(step.results)}
    kept |= dict.fromkeys(node for node in step.lefts if node not in places and node not in after)
    saved = [(node, _of_step(f"saved{n}", f"step % len(saved{n})")) for n, node in enumerate(kept)]
    packs: tuple[list[tuple[int, bool]], list[tuple[int, bool]]] = ([], [])
    forward = Writer(places, vectors, step.weights, packs[0], results + saved, [])

    (of_inputs,) = step.derivatives["inputs"]
    slopes = list(dict.fromkeys([of_inputs, *step.derivatives["products"]]))
    if None in slopes:
        raise NotImplementedError("inputs or products that change nothing")
    stores = [(node, _of_step(f"slope{number}")) for number, node in enumerate(slopes)]
    carries = {node: (f"carry{n}[row - first]", f"carry{n}") for n, node in enumerate(step.slopes)}
    of_states = step.derivatives["states"]
    stores += [(node, (f"next{n}[row - first]", f"next{n}")) for n, node in enumerate(of_states) if node is not None]
    totals = [(node, f"total{n}[part]") for n, node in enumerate(step.derivatives["rows"]) if node is not None]
    # What is a result and an input at once lies where the input does.
    all_places = {**dict(results), **dict(saved), **places, **carries}
    backward = Writer(all_places, vectors, step.weights, packs[1], stores, totals)
    names = {node: f"saved{number}" for number, node in enumerate(kept)} | after
    names |= {node: f"state{number}" for number, node in enumerate(step.states)} | {step.inputs: "inputs"}
    return Kernels(
        source=_forward(step, forward, packs[0], len(saved))
        + _backward(step, backward, packs[1], len(saved), len(slopes)),
        constants={f"FORWARD_{k}": v for k, v in forward.constants.items()}
        | {f"BACKWARD_{k}": v for k, v in backward.constants.items()},
        packs=packs,
        saved=[width(node) for node in kept],
        slopes=[width(node) for node in slopes],
        lefts=[names[node] for node in step.lefts],
        products=[slopes.index(node) for node in step.derivatives["products"]],
    )


def _of_step(name: str, step: str = "step") -> Place:
    return f"{name}[{step}, row]", f"{name}[{step}, first:last]"


def _kept(derivatives: list[Node], slopes: list[Node], known: set[Node]) -> dict[Node, None]:
    """Return what the derivative needs of the step and would be dear to compute again."""
    kept: dict[Node, None] = {}
    seen: set[Node] = set(known)
    by_slope = set(slopes)

    def depends(node: Node) -> bool:
        if node not in seen_slope:
            seen_slope[node] = node in by_slope or any(depends(one) for one in node.all_input_nodes)
        return seen_slope[node]

    seen_slope: dict[Node, bool] = {}

    def visit(node: Node) -> None:
        base = located(node)[0] if node.op != "placeholder" else node
        if base in seen or node in kept or base.op == "placeholder":
            return
        dear = base.target is aten.mm.default or any(word in POINTWISE.get(base.target, "") for word in DEAR)
        if not depends(base) and dear:
            kept[node] = None
            return
        seen.add(base)
        for argument in base.all_input_nodes:
            if base.target is not aten.mm.default or argument is base.args[0]:
                visit(argument)

    for node in derivatives:
        visit(node)
    return kept


def _forward(step: Step, writer: Writer, packs: list[Any], saved: int) -> str:
    arguments = _arguments(step, packs, saved)
    body = writer.text(8).replace("constant", "FORWARD_constant")
    head = f"def forward(first, last, {', '.join(arguments)}):\n{_allocated(writer)}"
    return f"{head}    for step in range(len(inputs)):\n{body}\n"


def _backward(step: Step, writer: Writer, packs: list[Any], saved: int, slopes: int) -> str:
    count = range(len(step.states))
    arguments = _arguments(step, packs, saved)
    arguments += [f"{name}{n}" for name in ("given", "start") for n in count]
    arguments += [f"slope{n}" for n in range(slopes)] + [f"total{n}" for n in range(len(step.rows))]
    lines = [f"def backward(first, last, part, {', '.join(arguments)}):\n{_allocated(writer)}"]
    for n in count:
        wide = width(step.states[n])
        lines += [f"    {name}{n} = np.zeros((last - first, {wide}), np.float32)\n" for name in ("carry", "next")]
    lines.append("    for step in range(len(inputs) - 1, -1, -1):\n")
    for n in count:
        lines.append(
            f"        if len(given{n}):\n            for row in range(first, last):\n"
            f"                for unit in range({width(step.states[n])}):\n"
            f"                    carry{n}[row - first, unit] += given{n}[step, row, unit]\n"
        )
        if step.derivatives["states"][n] is None:
            lines.append(f"        next{n}[:] = ZERO\n")
    lines.append(writer.text(8).replace("constant", "BACKWARD_constant"))
    lines += [f"        carry{n}, next{n} = next{n}, carry{n}\n" for n in count]
    lines += [f"    start{n}[first:last] = carry{n}\n" for n in count]
    return "".join(lines)


def _arguments(step: Step, packs: list[Any], saved: int) -> list[str]:
    counted = (("vector", step.rows), ("pack", packs), ("state", step.states), ("saved", range(saved)))
    return ["inputs", "mask", *(f"{name}{n}" for name, many in counted for n in range(len(many)))]


def _allocated(writer: Writer) -> str:
    writer.text(0)  # Zeros are asked for while writing.
    return "".join(
        f"    {name} = np.{'zeros' if name.startswith('zeros') else 'empty'}((last - first, {wide}), np.float32)\n"
        for name, wide in writer.scratch.items()
    )
