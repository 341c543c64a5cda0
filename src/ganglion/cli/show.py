"""`list` and `info`, answered from the generated facts."""

import textwrap
from typing import Any

from ganglion.cli.arguments import Name, Switch
from ganglion.cli.flags import flag, known_facts, with_defaults
from ganglion.cli.output import answer, print_table, text
from ganglion.models import INDEX, find


def list_systems(*, json: Switch = False) -> None:
    """List all systems.

    Args:
        json: Print a list of JSON objects.
    """
    known = [known_facts(system) for system in INDEX]
    keys = ("name", "family", "task", "parameters", "summary", "data")

    def show() -> None:
        print(f"{'system':<17}{'family':<15}{'task':<16}parameters")
        for facts in known:
            print(f"{facts['name']:<17}{facts['family']:<15}{facts['task']:<16}{facts['parameters']:>10,}")
            print(textwrap.fill(facts["summary"], 78, initial_indent="    ", subsequent_indent="    "))
        print("\n`ganglion info NAME` explains a system, `ganglion train NAME` trains it.")

    answer([{key: facts[key] for key in keys} for facts in known], json, show)


def info(name: Name, *, json: Switch = False) -> None:
    """Explain a system: idea, equations, networks, data, what to expect, references, layers and flags.

    Args:
        name: Name of the system, from `ganglion list`.
        json: Print one JSON object.
    """
    system = find(name)
    facts = known_facts(system)
    answer(facts, json, lambda: show_facts(facts, with_defaults(facts["fields"], system)))


def show_facts(facts: dict[str, Any], fields: list[dict[str, Any]]) -> None:
    print(facts["documentation"])
    for role in facts["parameters_by_role"]:
        rows = [layer for layer in facts["layers"] if layer["role"] == role]
        if rows:
            print(f"\nLayers of the {role}, {facts['parameters_by_role'][role]:,} parameters:")
            print_layers(rows)
    print(f"\nFlags of `ganglion train {facts['name']}`, with their defaults:")
    for field in fields:
        print(f"  {flag(field['name'])} {text(field['default'])}")
        print(textwrap.fill(field["help"], 78, initial_indent="      ", subsequent_indent="      "))
    defaults = " ".join(f"{flag(name)} {value}" for name, value in facts["defaults"].items())
    print(f"\nWithout flags:  ganglion train {facts['name']} --data {facts['data']} {defaults}")


def print_layers(layers: list[dict[str, Any]]) -> None:
    columns = ("layer", "type", "output", "parameters", "multiply-adds")
    rows = [
        (
            layer["name"],
            layer["type"],
            layer["output"],
            layer["parameters"],
            layer["multiply_adds"],
        )
        for layer in layers
    ]
    print_table(columns, rows, right=columns[2:])
