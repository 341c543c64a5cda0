"""`list`, `info`, and the flags that `train NAME` derives from a system."""

from dataclasses import replace

import pytest

from ganglion.cli import show
from ganglion.cli.flags import known_facts, parse, parse_question, spell_out, with_defaults
from ganglion.errors import ConfigurationError
from ganglion.models import FAMILIES, INDEX, System, find, names
from ganglion.runs import task_facts
from ganglion.runs.options import settle
from ganglion.tasks.categorisation import Predict
from tests.cli.outcome import Command


def test_list_names_every_system(command: Command) -> None:
    done = command("list")
    assert done.code == 0
    assert all(name in done.out for name in names())
    rows = command("list", "--json").json
    assert [row["name"] for row in rows] == names()
    assert all(row.keys() >= {"name", "family", "tasks", "parameters", "summary"} for row in rows)
    assert {row["name"]: row["parameters"] for row in rows}["lenet5"] == 60_000


def test_list_of_a_family_has_a_line_for_each_system(command: Command) -> None:
    lines = command("list", "convolutional").out.splitlines()
    known = [system.name for system in INDEX if system.family == "convolutional"]
    assert [line.split()[0] for line in lines[1:]] == known
    assert all(len(line.split()) > 3 for line in lines[1:])  # what it is stands beside its name and size
    assert "60,000" in lines[1] and max(map(len, lines)) <= 80
    assert {row["family"] for row in command("list", "adversarial", "--json").json} == {"adversarial"}
    done = command("list", "convolutonal")
    assert done.code == 2 and "did you mean 'convolutional'" in done.err


def test_seventy_systems_fit_80_columns(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(replace(system, name=f"{system.name}-{number:x}") for number in range(2) for system in INDEX)
    monkeypatch.setattr(show, "INDEX", many)
    monkeypatch.setattr(show, "known_facts", lambda system: known_facts(find(system.name[:-2])) | {"name": system.name})
    listed = command("list").out.splitlines()
    described = [line for family in FAMILIES for line in command("list", family).out.splitlines()[1:]]
    assert len(many) >= 70 and len(described) == len(many)
    assert max(map(len, [*listed, *described])) <= 80 and len(listed) < 60


def test_info_counts_the_configuration_that_flags_describe(command: Command) -> None:
    """Weights and biases of 784-300-100-10, by hand."""
    counted = command("info", "mlp", "--hidden-features", "300", "100", "--json").json
    assert counted["parameters"] == 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10 == 266_610
    assert counted["parameters_by_role"] == {"network": 266_610}
    small = command("info", "dcgan", "form=small", "--json").json
    assert small["parameters"] < command("info", "dcgan", "--json").json["parameters"]
    assert command("info", "mlp", "--epochs", "3").code == 2


def test_the_published_form_is_there_to_be_trained() -> None:
    system = find("dcgan")
    assert settle(system, {"form": "published"})[0] == system.load().Config()
    assert settle(system, {})[0] == system.load().SMALL
    assert settle(system, {"form": "published", "features": 8})[0].features == 8
    with pytest.raises(ConfigurationError, match="unknown form 'publishd'"):
        settle(system, {"form": "publishd"})


def test_info_prints_the_layer_table_of_the_convnet(command: Command) -> None:
    """Shapes and counts as Chollet prints them."""
    out = command("info", "convnet").out
    for shape in ("26x26x32", "13x13x32", "11x11x64", "5x5x64", "3x3x64", "576"):
        assert shape in out
    for count in ("320", "18,496", "36,928", "650", "93,322"):
        assert count in out


@pytest.mark.parametrize("name", names())
def test_info_shows_the_headings_verbatim_and_every_flag(name: str, command: Command) -> None:
    out = command("info", name).out
    known = command("info", name, "--json").json
    assert known["documentation"] in out
    for heading in ("Idea:", "Equations:", "Departures from the paper:", "References:"):
        assert f"\n{heading}\n" in out
    assert all("--" + field["name"].replace("_", "-") in out for field in known["fields"])
    assert known["layers"] and known["references"]


@pytest.mark.parametrize("system", INDEX, ids=names())
def test_every_field_is_a_flag_whose_default_training_accepts(system: System) -> None:
    """Give all flags their own defaults: none may be refused, and nothing may change."""
    words, given = [], []
    for field in with_defaults(known_facts(system)["fields"], system):
        value, name = field["default"], field["name"].replace("_", "-")
        if value is None or value == []:
            continue
        given.append(field["name"])
        if isinstance(value, bool):
            words += ["--" + ("" if value else "no-") + name]
        else:
            words += ["--" + name, *map(str, value if isinstance(value, list) else [value])]
    options = parse(system, words).options
    assert set(options) == set(given)
    assert settle(system, options)[0] == settle(system, {})[0]


def test_help_shows_the_defaults_of_the_system(command: Command) -> None:
    out = command("train", "dqn", "--help").out
    assert "dqn options" in out and "training options" in out and "data options" in out
    assert f"{find('dqn').defaults['steps']:,}" in out
    assert "--environment ENVIRONMENT, --data ENVIRONMENT" in out
    assert "{None}" not in out


def test_only_what_was_given_is_passed_on() -> None:
    request = parse(find("lenet5"), ["--epochs", "5"])
    assert request.options == {"epochs": 5}
    assert (request.data, request.out, request.json, request.quiet) == (None, None, False, False)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["epochs=3", "seed=1"], {"epochs": 3, "seed": 1}),
        (["hidden_features=64,32"], {"hidden_features": (64, 32)}),
        (["hidden-features=64"], {"hidden_features": (64,)}),
        (["deterministic=false", "download=true"], {"deterministic": False, "download": True}),
        (["batch_size=all"], {"batch_size": "all"}),
        (["learning_rate=1e-2"], {"learning_rate": 0.01}),
        (
            ["--optimizer-arguments", "momentum=0.9", "nesterov=True", "epochs=2"],
            {"optimizer_arguments": ("momentum=0.9", "nesterov=True"), "epochs": 2},
        ),
        (
            ["optimizer_arguments=betas=(0.5,0.9),amsgrad=True"],
            {"optimizer_arguments": ("betas=(0.5,0.9)", "amsgrad=True")},
        ),
    ],
)
def test_name_equals_value_is_a_flag(words: list[str], options: dict[str, object]) -> None:
    assert parse(find("mlp"), words).options == options


def test_dotted_flags_reach_nested_settings() -> None:
    options = parse(find("gan"), ["--generator-descent.learning-rate", "0.5"]).options
    assert options == {"generator_descent.learning_rate": 0.5}
    assert settle(find("gan"), options)[0].generator_descent.learning_rate == 0.5


def test_an_unknown_name_becomes_a_flag_that_can_be_refused() -> None:
    assert spell_out(["epoch=3"], []) == ["--epoch", "3"]


@pytest.mark.parametrize("formula", ["y = sin(6 * x), x = -2..2", "y=x**2"])
def test_a_formula_behind_its_flag_is_left_alone(formula: str) -> None:
    assert parse(find("approximator"), ["--data", formula, "steps=3"]).data == formula
    assert parse(find("approximator"), ["steps=3", f"--data={formula}"]).data == formula


def test_a_text_that_is_asked_about_may_hold_a_sign_of_equality() -> None:
    question = task_facts.question(Predict)
    command, options = parse_question("predict", question, ["good=bad", "price = high", "out=x.csv"])
    assert options["inputs"] == ("good=bad", "price = high") and command.out == "x.csv"
