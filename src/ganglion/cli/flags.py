"""The flags of `train NAME`, made from the facts of the system and from the settings of the trainer and the data."""

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import tyro

from ganglion.cli.output import hanging, text
from ganglion.data.settings import READ, WRITTEN, DataSettings
from ganglion.models import System
from ganglion.runs import facts, task_facts
from ganglion.runs.command_lines import flag as flag
from ganglion.training.settings import TrainerSettings

COMMA = re.compile(r",(?![^(]*\))")
"""Between the values of a list, not within brackets: betas=(0.5,0.999)."""

SWITCH = tyro.conf.FlagCreatePairsOff[bool]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `train` was asked to do. `options` holds the fields that were given, and no others."""

    data: str | None
    out: str | None
    json: bool
    quiet: bool
    options: dict[str, Any]


def parse(system: System, words: list[str]) -> Request:
    """Read the words behind `train NAME`; `name=value` is accepted for `--name value`."""
    command, options = _parse("train", system, _train_command(system), train_settings(system), words)
    return Request(**vars(command), options=options)


def train_settings(system: System) -> dict[str, list[dict[str, Any]]]:
    """Return the fields of the three settings of a run by their titles, with what training starts from."""
    return {
        system.name: [_form(system, "small"), *with_defaults(known_facts(system)["fields"], system)],
        "training": with_defaults(facts.fields(TrainerSettings()), system),
        "data": with_defaults(facts.fields(DataSettings()), system),
    }


def parse_info(system: System, words: list[str]) -> tuple[bool, dict[str, Any]]:
    """Read the words behind `info NAME`, and return whether JSON is asked for and the fields that were given."""
    settings = {system.name: [_form(system, "published"), *known_facts(system)["fields"]]}
    json = ("json", _argument(SWITCH, "Print one JSON object."), dataclasses.field(default=False))
    command, options = _parse("info", system, make_dataclass("Command", [json]), settings, words)
    return command.json, options


def parse_question(verb: str, question: dict[str, Any], words: list[str]) -> tuple[Any, dict[str, Any]]:
    """Read the words behind `VERB RUN`: the command's own flags, and the fields of the question that were given."""
    given = [field for field in question["fields"] if field["given"]]
    asked = [field for field in question["fields"] if not field["given"]]
    settings = {verb: asked} | ({"reading": _of_data(WRITTEN)} if given else {})
    program = f"ganglion {verb} RUN"
    command, options = parse_flags(program, question["summary"], _ask_command(given), settings, words, bool(given))
    return command, options | {field["name"]: getattr(command, field["name"]) for field in given}


def _ask_command(given: list[dict[str, Any]]) -> type:
    """Return the flags that all verbs have, and the words that are asked about."""
    out = _argument(str | None, "File to write, or folder for one file each; its ending says as what.", metavar="PATH")
    words: list[tuple[str, Any, Any]] = [
        (field["name"], _words(field["help"]), dataclasses.field(default=())) for field in given
    ]
    flags: list[tuple[str, Any, Any]] = [
        ("out", out, dataclasses.field(default=None)),
        ("json", _argument(SWITCH, "Print the answer as JSON."), dataclasses.field(default=False)),
    ]
    return make_dataclass("Command", words + flags)


def _words(help: str) -> Any:
    argument = tyro.conf.arg(help=help, metavar="INPUT ...", help_behavior_hint="")
    return Annotated[tuple[str, ...], tyro.conf.Positional, argument]


def _parse(
    verb: str, system: System, command: type, settings: dict[str, list[dict[str, Any]]], words: list[str]
) -> tuple[Any, dict[str, Any]]:
    summary = f"{known_facts(system)['summary']}."
    return parse_flags(f"ganglion {verb} {system.name}", summary, command, settings, words)


def parse_flags(
    program: str,
    summary: str,
    command: type,
    settings: dict[str, list[dict[str, Any]]],
    words: list[str],
    inputs: bool = False,
) -> tuple[Any, dict[str, Any]]:
    """Return the command's own flags, as tyro fills them in, and the fields of the settings that were given."""
    parsed: Any = tyro.cli(
        _flags(command, settings),
        args=spell_out(words, [field for fields in settings.values() for field in fields], inputs),
        prog=program,
        description=hanging(summary),
    )
    given = (getattr(parsed, _identifier(group)) for group in settings)
    return parsed.command, {name: value for group in given for name, value in group.items()}


def known_facts(system: System) -> dict[str, Any]:
    """Return the facts of a system; one added since `make facts` last ran has them worked out on the spot."""
    return facts.load(system) or facts.make(system)


def _form(system: System, default: str) -> dict[str, Any]:
    """Return the field of the form that a configuration starts from."""
    return {
        "name": "form",
        "type": f"Literal{known_facts(system).get('forms', ['small', 'published'])}",
        "default": default,
        "optional": False,
        "help": "What flags that are not given start from: the values shown here, or those of the literature, which "
        "`ganglion info` shows.",
    }


def with_defaults(fields: list[dict[str, Any]], system: System) -> list[dict[str, Any]]:
    """Return the fields with what training starts from: the small form, and the defaults of the index."""
    start = {field["name"]: field.get("small", field["default"]) for field in fields} | system.defaults
    return [{**field, "default": start[field["name"]]} for field in fields]


def spell_out(words: Iterable[str], fields: list[dict[str, Any]], inputs: bool = False) -> list[str]:
    """Turn `name=value` into `--name value`, lists at their commas; a formula that follows its flag stays as it is.

    Where `inputs` stand among the words, such as texts to judge, only names of fields are taken for flags.

    >>> widths = {"name": "hidden_features", "type": "tuple[int, ...]"}
    >>> spell_out(["hidden_features=64,32", "epochs=3"], [widths])
    ['--hidden-features', '64', '32', '--epochs', '3']
    >>> spell_out(["--data", "y = x"], [widths])
    ['--data', 'y = x']
    """
    kinds = {"out": "str"} | {field["name"]: field["type"] for field in fields}
    spelt: list[str] = []
    in_list = False
    before = ""
    for word in words:
        name, equals, value = word.partition("=")
        name = name.replace("-", "_")
        if word.startswith("-"):
            in_list = kinds.get(name.removeprefix("__"), "").startswith("tuple")
            spelt.append(word)
        elif (
            not equals
            or not name.isidentifier()
            or (name not in kinds and (inputs or in_list or before.startswith("--")))
        ):
            spelt.append(word)
        elif kinds.get(name) == "bool" and value.lower() in ("true", "false"):
            spelt.append(flag(name if value.lower() == "true" else f"no_{name}"))
        else:
            in_list = False
            values = COMMA.split(value) if kinds.get(name, "").startswith("tuple") else [value]
            spelt += [flag(name), *values]
        before = word
    return spelt


def _flags(command: type, settings: dict[str, list[dict[str, Any]]]) -> type:
    """Return the dataclass that tyro fills in: the command's own flags, then a group for each of the settings."""
    groups: list[tuple[str, Any]] = [("command", Annotated[command, tyro.conf.arg(name="")])]
    for title, fields in settings.items():
        group = _group({field["name"]: _from_fact(field) for field in fields})
        groups.append((_identifier(title), Annotated[group, tyro.conf.OmitArgPrefixes]))
    return make_dataclass("Flags", groups)


def _train_command(system: System) -> type:
    """Return the flags of `train` itself."""
    acts = not task_facts.load(system.task)["reads"]
    data = _argument(
        str | None,
        "Gymnasium environment." if acts else "Name of a data set, or path of your own data.",
        system.data,
        metavar="ENVIRONMENT" if acts else "DATA",
        aliases=["--environment"] if acts else None,
    )
    out = _argument(str | None, "Folder of the run; runs/DATE_NAME when not given.", metavar="DIR")
    flags: list[tuple[str, Any, Any]] = [
        ("data", data, dataclasses.field(default=None)),
        ("out", out, dataclasses.field(default=None)),
        ("json", _argument(SWITCH, "Print the result as JSON."), dataclasses.field(default=False)),
        ("quiet", _argument(SWITCH, "Print the result only."), dataclasses.field(default=False)),
    ]
    return make_dataclass("Command", flags)


def _group(arguments: dict[str, Any]) -> Any:
    """Return a type for which tyro gives back a dict of those arguments that were given on the command line."""
    group = TypedDict("Group", arguments, total=False)  # type: ignore[misc]
    group.__doc__ = ""
    return group


def _from_fact(fact: dict[str, Any]) -> Any:
    # Where None stands for "not given", leaving the flag out says it; elsewhere the word None does.
    kind = fact["type"].removesuffix(" | None") if fact["optional"] else fact["type"]
    named = {"name": fact["name"].removesuffix("_")} if fact["name"].endswith("_") else {}
    return _argument(facts.type_of(kind), fact["help"], fact["default"], **named)


def _argument(kind: Any, help: str, default: Any = None, **options: Any) -> Any:
    shown = "" if default in (None, [], "") else f"(default: {text(default)})"
    return Annotated[kind, tyro.conf.arg(help=help, help_behavior_hint=shown, **options)]


def _of_data(names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the fields of those names among the settings of data."""
    return [field for field in facts.fields(DataSettings()) if field["name"] in names]


if TYPE_CHECKING:
    Reading: TypeAlias = dict[str, Any]
else:
    Reading = Annotated[
        _group({field["name"]: _from_fact(field) for field in _of_data(READ)}), tyro.conf.OmitArgPrefixes
    ]


def _identifier(title: str) -> str:
    return title.replace("-", "_")
