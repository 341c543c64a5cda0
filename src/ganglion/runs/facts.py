"""What is known of every system without building it: `python -m ganglion.runs.facts` writes `models/FAMILY/NAME.json`.

`list`, `info` and `train NAME --help` read these files, so that they answer without importing torch.
"""

import ast
import dataclasses
import inspect
import json
import re
import sys
import types
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from ganglion import models
from ganglion.errors import ConfigurationError
from ganglion.models import INDEX, System, find
from ganglion.settings import field_documentation, searched, to_dict

if TYPE_CHECKING:
    from torch import Tensor

    from ganglion.core import LearningRule
    from ganglion.inspect.summary import Summary

TYPES: dict[str, Any] = {kind.__name__: kind for kind in (bool, int, float, str, tuple, dict, Path)}


def path(system: System) -> Path:
    """Return the file of a system's facts, in the folder of its family."""
    return Path(models.__file__).parent / system.module.split(".")[0] / f"{system.name}.json"


@cache
def load(system: System) -> dict[str, Any] | None:
    """Return the facts of a system as they were generated, None where they never were."""
    file = path(system)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def make(system: System, config: Any = None) -> dict[str, Any]:
    """Work out the facts of a system: words of its docstring, fields of its configuration, parameters and layers.

    Parameters and layers are those of `config`, the published form when not given.
    """
    module = system.load()
    documentation = inspect.cleandoc(module.__doc__ or "")
    return {
        "name": system.name,
        "family": system.family,
        "tasks": list(system.tasks),
        "summary": documentation.partition("\n")[0].rstrip("."),
        "data": system.data,
        **({"forms": ["small", "published", *module.FORMS]} if hasattr(module, "FORMS") else {}),
        "defaults": json.loads(json.dumps(system.defaults)),  # tuples become lists, as in the file
        **counts(system, module.Config() if config is None else config),
        "fields": _fields_of_both_forms(module.Config(), module.SMALL),
        "references": references(documentation),
        "documentation": documentation,
    }


def counts(system: System, config: Any) -> dict[str, Any]:
    """Count trainable parameters, by role and in all, and list the layers of a configuration."""
    from ganglion.runs.opening import without_numbers  # here and not above: `load` must not cost the import of torch

    rule, examples = without_numbers(system, config)
    by_role = {
        role: sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
        for role, network in rule.networks.items()
    }
    layers = [
        {"role": role, "type": layer["kind"]}
        | {key: layer[key] for key in ("name", "shape", "output")}
        | {"parameters": layer["trainable"], "multiply_adds": layer["multiply_adds"]}
        for role, summary in summaries(rule, examples).items()
        for layer in summary.to_dict()["layers"]
        if layer["trainable"] or layer["parameters"] == 0
    ]
    return {"parameters": sum(by_role.values()), "parameters_by_role": by_role, "layers": layers}


def summaries(
    rule: "LearningRule", examples: "dict[str, tuple[Tensor, ...]]", batch_size: int | None = None
) -> "dict[str, Summary]":
    """Return the summary of every network that learns, by role, from inputs of each."""
    from ganglion.inspect.summary import summarise

    return {
        role: summarise(network, examples[role], batch_size=batch_size)
        for role, network in rule.networks.items()
        if any(parameter.requires_grad for parameter in network.parameters())
    }


def _fields_of_both_forms(published: Any, small: Any) -> list[dict[str, Any]]:
    """Return the fields with their published defaults, and beside them those of the small form that differ."""
    both = zip(fields(published), fields(small), strict=True)
    return [one if one["default"] == other["default"] else {**one, "small": other["default"]} for one, other in both]


def fields(config: Any, prefix: str = "") -> list[dict[str, Any]]:
    """Return every field of a configuration by the name that `ganglion.train` knows it under, nested ones flattened.

    The fields of `descent` carry no prefix: `learning_rate`; those of other nested settings do:
    `generator_descent.learning_rate`.
    """
    cls: type = type(config)
    hints, sentences, places = get_type_hints(cls), field_documentation(cls), searched(cls)
    plain = to_dict(config)
    found: list[dict[str, Any]] = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found += fields(value, prefix if field.name == "descent" else f"{prefix}{field.name}.")
        else:
            found.append(
                {
                    "name": f"{prefix}{field.name}",
                    "type": type_text(hints[field.name]),
                    "default": plain[field.name],
                    "optional": value is None,
                    "help": " ".join(sentences.get(field.name, "").split()),
                    **({"search": places[field.name].to_dict()} if field.name in places else {}),
                }
            )
    return found


def type_text(hint: Any) -> str:
    """Return a type as it is written in source.

    >>> type_text(tuple[int, ...]), type_text(float | None), type_text(dict[str, int])
    ('tuple[int, ...]', 'float | None', 'dict[str, int]')
    """
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(type_text(option) for option in get_args(hint))
    if hint is types.NoneType:
        return "None"
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")


def type_of(text: str) -> Any:
    """Return the type that `type_text` wrote, of the few kinds that configurations have.

    >>> [type_of(text_) for text_ in ("int", "tuple[int, ...]", "float | None", "Literal['a', 'b']")]
    [<class 'int'>, tuple[int, ...], float | None, typing.Literal['a', 'b']]
    """
    return _type_of(ast.parse(text, mode="eval").body)


def _type_of(node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name) if name in TYPES:
            return TYPES[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type_of(left) | _type_of(right)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=options):
            return Literal[ast.literal_eval(options)]
        case ast.Subscript(value=ast.Name(id="tuple" | "dict" as name), slice=ast.Tuple(elts=parts)):
            inner = tuple(... if isinstance(part, ast.Constant) else _type_of(part) for part in parts)
            return TYPES[name][inner]
    raise ConfigurationError(
        "this is no type of a configuration",
        found=ast.unparse(node),
        expected="a number, a text, a truth value, or lists and choices of them",
    )


def references(documentation: str) -> list[str]:
    """Return the entries under the last heading of a docstring; an entry has a year and ends with a line.

    >>> references("A net.\\n\\nReferences:\\n    Knuth: Art. Wiley\\n    (1968).\\n    Minsky, 1969, https://a.b/c")
    ['Knuth: Art. Wiley (1968).', 'Minsky, 1969, https://a.b/c']
    """
    entries = [""]
    for line in documentation.partition("\nReferences:\n")[2].splitlines():
        entries[-1] = f"{entries[-1]} {line.strip()}".strip()
        ends = line.endswith(".") or (line.split()[-1:] and line.split()[-1].startswith("http"))
        if ends and re.search(r"\b(18|19|20)\d\d\b", entries[-1]):
            entries.append("")
    return [entry for entry in entries if entry]


def text(system: System) -> str:
    """Return the contents that the file of a system's facts should have."""
    return json.dumps(make(system), indent=1, ensure_ascii=False) + "\n"


def main(names: list[str]) -> None:
    """Write the facts of the systems of these names, of all where none is given, beside their models files."""
    for system in map(find, names) if names else INDEX:
        path(system).write_text(text(system), encoding="utf-8")
        print(f"wrote {path(system)}")


if __name__ == "__main__":
    main(sys.argv[1:])
