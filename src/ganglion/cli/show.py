"""`list` and `info`, answered from the generated facts."""

import textwrap
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import tyro

from ganglion.cli.arguments import Switch
from ganglion.cli.flags import flag, known_facts, parse_info
from ganglion.cli.output import answer, print_table, text
from ganglion.errors import UsageError
from ganglion.models import FAMILIES, INDEX, find
from ganglion.models.system import System
from ganglion.settings import unknown_name

WIDTH, INDENT = 80, 15
Family = Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="FAMILY", help_behavior_hint="")]


def list_systems(family: Family = None, *, json: Switch = False) -> None:
    """List the families of systems, or the systems of one.

    Args:
        family: List the systems of this family, one a line.
        json: Print a list of JSON objects, one for each system.
    """
    if family is not None and family not in FAMILIES:
        raise unknown_name("family", family, list(FAMILIES))
    systems = [system for system in INDEX if family in (None, system.family)]
    keys = ("name", "family", "tasks", "parameters", "summary", "data")
    document = [{key: known_facts(system)[key] for key in keys} for system in systems]
    answer(document, json, lambda: _print_systems(systems) if family else _print_families())


def _print_families() -> None:
    for family, sentence in FAMILIES.items():
        names = ", ".join(system.name for system in INDEX if system.family == family)
        print(textwrap.fill(sentence, WIDTH, initial_indent=f"{family:<{INDENT}}", subsequent_indent=" " * INDENT))
        indent = " " * INDENT
        print(textwrap.fill(names, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))
    print("\n`ganglion list FAMILY` describes the systems of a family, `ganglion info NAME`")
    print("explains a system, `ganglion train NAME` trains it.")


def _print_systems(systems: list[System]) -> None:
    """Print one line for each system, its summary cut off where the line is full."""
    width = max(len(name) for name in ("system", *(system.name for system in systems)))
    print(f"{'system':<{width}}{'parameters':>13}")
    for system in systems:
        facts = known_facts(system)
        start = f"{facts['name']:<{width}}{facts['parameters']:>13,}  "
        said = facts["summary"].partition(": ")[2] or facts["summary"]
        print(start + textwrap.shorten(said, WIDTH - len(start), placeholder=" ..."))


def info(words: list[str]) -> None:
    """Explain a system: `info NAME`. With flags of its configuration, count what they make of it."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return
    if words[0].startswith("-"):
        raise UsageError("name the system before its flags", found=words[0], remedy="ganglion info lenet5 --json")
    if (Path(words[0]) / "config.json").is_file():
        raise UsageError(
            "this is a run, and `info` explains systems",
            where=words[0],
            remedy=f"`ganglion inspect summary {quote(words[0])}` lists its layers, `ganglion runs list` its score",
        )
    system = find(words[0])
    as_json, options = parse_info(system, words[1:])
    facts = known_facts(system)
    if options:
        from ganglion.runs.facts import counts
        from ganglion.runs.options import settle

        facts = facts | counts(system, settle(system, {"form": "published", **options})[0])
        answer(facts, as_json, lambda: show_counts(facts))
    else:
        answer(facts, as_json, lambda: show_facts(facts))


USAGE = """usage: ganglion info NAME [--json] [flags of NAME]

Explain a system: idea, equations, networks, data, what to expect, references,
layers and flags. With flags of its configuration, count its layers and
parameters in that configuration:

  ganglion info mlp --hidden-features 300 100

`ganglion info NAME --help` shows all flags of one system."""


def show_facts(facts: dict[str, Any]) -> None:
    print(facts["documentation"])
    show_counts(facts)
    print(f"\nFlags of `ganglion train {facts['name']}`, with what training starts from:")
    for field in facts["fields"]:
        published = f"  (published: {text(field['default'])})" if "small" in field else ""
        print(f"  {flag(field['name'])} {text(field.get('small', field['default']))}{published}")
        print(textwrap.fill(field["help"], 78, initial_indent="      ", subsequent_indent="      "))
    defaults = " ".join(f"{flag(name)} {value}" for name, value in facts["defaults"].items())
    print(f"\nWithout flags:  ganglion train {facts['name']} --data {facts['data']} {defaults}")


def show_counts(facts: dict[str, Any]) -> None:
    """Print the layers of every network that learns, with their parameters."""
    for role in facts["parameters_by_role"]:
        rows = [layer for layer in facts["layers"] if layer["role"] == role]
        if rows:
            print(f"\nLayers of the {role}, {facts['parameters_by_role'][role]:,} parameters:")
            print_layers(rows)


def print_layers(layers: list[dict[str, Any]]) -> None:
    columns = ("layer", "type", "output", "parameters", "multiply-adds")
    keys = ("name", "type", "output", "parameters", "multiply_adds")
    print_table(columns, [[layer[key] for key in keys] for layer in layers], right=columns[2:])
