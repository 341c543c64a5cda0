"""Flags that say how data is read, where data is checked and where a run is asked."""

from pathlib import Path

import pytest

from ganglion import tasks
from ganglion.cli.data import AS, check_data
from tests.cli.outcome import Command

TABLE = "size;kind\n" + "".join(f"{1 + n % 9}.{100 + n % 800};{'ab'[n % 2]}\n" for n in range(60))


def test_a_check_reads_as_the_flags_say(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    undecided = command("data", "check", tmp_path / "t.csv")
    assert undecided.code == 1 and "--decimal" in undecided.out
    for decimal, largest in ((",", "9153"), (".", "9.153")):
        done = command("data", "check", tmp_path / "t.csv", "--decimal", decimal, "--json")
        assert done.code == 0 and done.json["card"][0]["range"].endswith(f"to {largest}")


def test_columns_of_named_data_are_chosen_and_what_cannot_be_obeyed_is_refused(command: Command) -> None:
    done = command("data", "check", "iris", "--drop", "sepal length (cm)", "sepal width (cm)", "--json")
    assert done.json["columns"] == ["petal length (cm)", "petal width (cm)"]
    for words in (["iris", "--drop", "nothing"], ["iris", "--delimiter", "tab"], ["digits", "--index", "a"]):
        refused = command("data", "check", *words)
        assert refused.code == 2 and words[1] in refused.err + "--drop"


def test_a_check_says_what_else_data_can_be_read_as(command: Command, tmp_path: Path) -> None:
    texts = "".join(
        f"the film number {n} was {'good' if n % 2 else 'bad'},{'for' if n % 2 else 'against'}\n" for n in range(40)
    )
    (tmp_path / "reviews.csv").write_text("review,label\n" + texts)
    done = command("data", "check", tmp_path / "reviews.csv")
    assert done.code == 1 and "--as documents can read this" in done.out
    assert command("data", "check", tmp_path / "reviews.csv", "--as", "documents").code == 0


def test_a_prediction_reads_as_the_flags_say(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    flags = ["--decimal", ",", "--steps", "2", "--allow-problems", "--quiet"]
    assert command("train", "mlp", "--data", tmp_path / "t.csv", "--out", tmp_path / "run", *flags).code == 0
    (tmp_path / "asked.csv").write_text("size|kind\n2.500|a\n1.250|b\n")
    as_trained = command("predict", tmp_path / "run", tmp_path / "asked.csv", "--json").json
    as_said = command("predict", tmp_path / "run", tmp_path / "asked.csv", "--decimal", ".", "--json").json
    assert [row["probability"] for row in as_trained] != [row["probability"] for row in as_said]
    refused = command("predict", tmp_path / "run", tmp_path / "asked.csv", "--delimiter", "comma")
    assert refused.code == 1 and "lacks columns" in refused.err


def test_an_environment_is_named_with_the_module_that_registers_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "import gymnasium\nfrom tests.environments import Chain\n"
        "gymnasium.register('OwnChain-v0', Chain, max_episode_steps=10)\n"
    )
    (tmp_path / "own_chains.py").write_text(source)
    run, name = tmp_path / "run", "own_chains:OwnChain-v0"
    flags = ["--steps", "8", "--learning-starts", "32", "--hidden-features", "4", "--quiet"]
    absent = command("train", "dqn", "--data", name, "--out", run, *flags)
    assert absent.code == 2 and "PYTHONPATH" in absent.err and not run.exists()
    monkeypatch.syspath_prepend(tmp_path)
    assert command("train", "dqn", "--data", name, "--out", run, *flags).code == 0
    assert command("evaluate", run).code == 0
    assert command("play", run, "--episodes", "1").code == 0


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("text", "a.txt", "{0} und {0} sagen es.\n" * 30),
        ("tagged", "a.tsv", "{0}\tNOUN\nsagen\tVERB\n\n" * 30),
        (
            "documents",
            "a.jsonl",
            '{{"text": "{0} sagen es", "label": "a"}}\n{{"text": "es gilt", "label": "b"}}\n' * 10,
        ),
    ],
)
def test_texts_of_every_form_are_read_in_the_encoding_that_is_said(
    kind: str, name: str, content: str, command: Command, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content.format("Grüße").encode("cp437"))  # 0x81 and 0xE1, which cp1252 would read otherwise
    done = command("data", "check", path, "--as", kind, "--encoding", "cp437", "--json")
    assert "Grüße" in done.json["card"][0]["examples"]
    assert "Grüße" not in command("data", "check", path, "--as", kind, "--json").out


def test_data_can_be_checked_as_whatever_a_system_reads() -> None:
    read = {kind for name in tasks.names() for kind in tasks.find(name).reads}
    assert read <= set(AS.values())
    described = " ".join((check_data.__doc__ or "").split())
    assert all(f"{kind}," in described or f"{kind}." in described for kind in AS)
