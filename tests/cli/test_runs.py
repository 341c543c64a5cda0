"""The commands that make runs and ask them questions, on tiny runs."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ganglion.cli.levers import LEVERS
from ganglion.models import find
from tests.cli.outcome import Command

Runs = Callable[[str], Path]


def test_train_answers_with_one_json_document(command: Command, tmp_path: Path) -> None:
    done = command("train", "perceptron", "epochs=2", "--out", tmp_path / "run", "--json")
    assert done.code == 0
    assert done.json["run"] == str(tmp_path / "run")
    assert done.json["steps"] > 0 and 0 <= done.json["metrics"]["accuracy"] <= 1
    assert "epoch 2/2" in done.err and "parameters" in done.err


def test_train_shows_what_it_will_train_and_how_it_went(command: Command, tmp_path: Path) -> None:
    done = command("train", "perceptron", "--steps", "10", "--out", tmp_path / "run")
    assert "Perceptron" in done.err and "step 10/10" in done.err
    assert "accuracy" in done.out and "baseline" in done.out and "report.html" in done.out
    assert "\x1b" not in done.out + done.err


def test_quiet_says_nothing_but_the_result(command: Command, tmp_path: Path) -> None:
    done = command("train", "perceptron", "--epochs", "1", "--out", tmp_path / "run", "--quiet")
    assert done.err == "" and "accuracy" in done.out


def test_demo_ends_with_a_table_of_the_tour(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"perceptron": {"epochs": 2}, "mlp": {"steps": 3, "data": "iris"}, "lenet5": None}
    short = tuple(replace(find(name), tour=tour) for name, tour in options.items())
    monkeypatch.setattr("ganglion.runs.tour.INDEX", short)
    done = command("demo", "--out", tmp_path / "demo")
    assert done.code == 0
    assert (tmp_path / "demo" / "report.html").exists()
    table = done.out.split("report ")[0]
    assert all(word in table for word in ("perceptron", "mlp", "accuracy", "baseline", "seconds", "parameters"))
    assert "perceptron: " in done.err and "epoch 2/2" in done.err
    again = command("demo", "--out", tmp_path / "demo", "--json", "--quiet").json
    assert again["report"] == str(tmp_path / "demo-2" / "report.html") and len(again["runs"]) == 2


def test_a_finished_run_is_only_resumed_when_told_to_train_longer(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    steps = command("train", "perceptron", "--epochs", "1", "--out", run, "--json").json["steps"]
    again = command("resume", run, "--json")
    assert again.json["steps"] == steps and "has finished" in again.err
    assert command("resume", run, "--epochs", "3", "--json").json["steps"] == 3 * steps


def test_evaluate_repeats_the_result_of_training(command: Command, runs: Runs) -> None:
    run = runs("perceptron")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    document = command("evaluate", run, "--json").json
    assert document["metrics"] == pytest.approx(result["metrics"])
    assert document["baseline_metrics"] == pytest.approx(result["baseline_metrics"])
    assert "baseline" in command("evaluate", run).out
    assert command("evaluate", run, "--part", "train", "--json").json["part"] == "train"


def test_weights_are_written_by_the_names_of_another_package(command: Command, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "theirs.safetensors"
    narrow = ["--width", "0.02", "--middle-blocks", "1", "--steps", "2", "--limit", "60", "--threads", "1"]
    assert command("train", "xception", *narrow, "--out", run).code == 0
    document = command("weights", run, "--out", file, "--names", "timm", "--json").json
    names = set(load_file(file))
    assert document["tensors"] == len(names) and {"conv1.weight", "block2.rep.1.pointwise.weight", "fc.bias"} <= names
    again = command("train", "xception", *narrow, "--start-from", file, "--out", tmp_path / "again")
    assert again.code == 0 and "its names are those of timm" in again.err
    refused = command("weights", run, "--out", file, "--names", "torchvision")
    assert refused.code == 2 and "try: --names timm" in refused.err


def test_predict_reads_images(command: Command, runs: Runs, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((20, 20), 100 * number, dtype=np.uint8)).save(path)
    rows = command("predict", runs("lenet5"), *paths, "--json").json
    assert [row["input"] for row in rows] == [str(path) for path in paths]
    assert all(0 <= row["probability"] <= 1 for row in rows)
    assert "0.png" in command("predict", runs("lenet5"), *paths).out
    missing = command("predict", runs("lenet5"), tmp_path / "none.png")
    assert missing.code == 1 and "does not exist" in missing.err and "Traceback" not in missing.err


def test_predict_reads_tables(command: Command, runs: Runs, tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    table.write_text("first mark,second mark,third mark\n90,90,90\n5,5,5\n", encoding="utf-8")
    assert len(command("predict", runs("perceptron"), table, "--json").json) == 2


def test_forecast_prints_and_writes(command: Command, runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "f.csv"
    rows = command("forecast", runs("lstm-forecaster"), "--steps", "3", "--out", out, "--json").json
    assert len(rows) == 3
    with open(out, newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [float(row["value"]) for row in written] == pytest.approx([row["value"] for row in rows])


def test_generate_writes_a_picture(command: Command, runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "samples.png"
    assert command("generate", runs("gan"), "--count", "4", "--out", out).out.strip() == str(out)
    with Image.open(out) as picture:
        assert picture.size[0] > 50


def test_play_prints_returns_and_writes_an_animation(command: Command, runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "play.gif"
    document = command("play", runs("dqn"), "--episodes", "2", "--animation", out, "--json").json
    assert [row["episode"] for row in document["rows"]] == [1, 2]
    assert document["mean"] == pytest.approx(sum(row["return"] for row in document["rows"]) / 2)
    with Image.open(out) as animation:
        assert animation.is_animated  # type: ignore[attr-defined]


@pytest.mark.parametrize(("verb", "name"), [("forecast", "perceptron"), ("play", "gan"), ("generate", "dqn")])
def test_what_a_run_cannot_do_is_refused(verb: str, name: str, command: Command, runs: Runs, tmp_path: Path) -> None:
    arguments = ["--out", tmp_path / "x.png"] if verb == "generate" else []
    done = command(verb, runs(name), *arguments)
    assert done.code == 2 and f"cannot {verb}" in done.err


def test_inspect_looks_into_runs(command: Command, runs: Runs, tmp_path: Path) -> None:
    image = tmp_path / "digit.png"
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(image)
    summary = command("inspect", "summary", runs("lenet5"), "--json").json
    assert sum(layer["parameters"] for layer in summary[0]["layers"]) == 60_000
    assert command("inspect", "summary", "convnet", "--json").json[0]["parameters"] == 93_322
    out = tmp_path / "features.png"
    assert command("inspect", "features", runs("lenet5"), image, "--out", out).code == 0 and out.stat().st_size > 0
    flow = command("inspect", "gradient-flow", runs("lenet5"), "--json").json
    assert {layer["name"] for layer in flow["layers"]} >= {"c1", "f6"}
    trace = command("inspect", "backpropagation", runs("perceptron"), "--json")
    assert trace.code == 0 or "does not depend" in trace.err
    refused = command("inspect", "gradient-flow", runs("dqn"))
    assert refused.code == 2 and "no single loss" in refused.err


def test_inspect_looks_into_networks_of_images(command: Command, runs: Runs, tmp_path: Path, laid_out: None) -> None:
    image, out, run = tmp_path / "digit.png", tmp_path / "drawn.png", runs("lenet5")
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(image)

    def drawn(*arguments: object) -> dict[str, Any]:
        document: dict[str, Any] = command("inspect", *arguments, "--out", out, "--json").json
        with Image.open(out) as picture:
            assert picture.size[0] > 300
        out.unlink()
        return document

    excited = drawn("excite", run, "--unit", "3", "7", "--steps", "4")
    assert excited["layer"] == "output" and [unit["unit"] for unit in excited["units"]] == [3, 7]
    assert drawn("excite", run, "--layer", "c1", "--steps", "2")["units"][5]["unit"] == 5
    patches = drawn("patches", run, "--layer", "c3", "--unit", "2", "--count", "3")["units"]["2"]
    assert len(patches) == 3 and patches[0]["answer"] >= patches[1]["answer"]
    assert drawn("patches", runs("denoiser"), "--count", "2")["layer"]
    explained = drawn("saliency", run, image, "--label", "4")
    assert explained["label"] == "4" and len(explained["gradient"]) == 32
    attacked = drawn("attack", run, "--epsilon", "0.1", "--steps", "2", "--count", "20")
    assert [row["epsilon"] for row in attacked["accuracy"]] == [0, 0.1] and attacked["samples"] == 20
    for refused, words in (
        (("saliency", run, image, "--label", "twelve"), "no output of that name"),
        (("attack", runs("perceptron")), "does not look at images"),
        (("features", runs("gan"), image), "does not look at images"),
        (("saliency", runs("denoiser"), image), "no single output"),
        (("excite", run, "--unit", "12"), "no unit 12"),
    ):
        done = command("inspect", *refused, "--out", out)
        assert done.code == 2 and words in done.err and not out.exists()


def test_a_single_logit_speaks_for_the_second_of_two_classes(command: Command, tmp_path: Path) -> None:
    dark = np.random.default_rng(0).integers(0, 90, (60, 6, 6)).astype(np.uint8)
    bright = np.arange(60) % 2 == 1
    np.savez(tmp_path / "two.npz", x=dark + 150 * bright[:, None, None].astype(np.uint8), y=np.where(bright, "b", "a"))
    run, out = tmp_path / "run", tmp_path / "drawn.png"
    assert command("train", "mlp", "--data", tmp_path / "two.npz", "--epochs", "15", "--out", run).code == 0
    excited = command("inspect", "excite", run, "--steps", "30", "--out", out, "--json").json["units"]
    assert len(excited) == 1 and excited[0]["to_image"] > excited[0]["to_noise"]
    attacked = command("inspect", "attack", run, "--epsilon", "0.9", "--out", out, "--json").json["accuracy"]
    judged = command("evaluate", run, "--json").json["metrics"]["accuracy"]
    assert [row["projected_gradient"] for row in attacked] == [pytest.approx(judged), 0] and judged > 0.7


def test_inspect_looks_through_time(command: Command, runs: Runs, tmp_path: Path) -> None:
    picture = tmp_path / "flow.png"
    flow = command("inspect", "gradient-flow", runs("lstm-forecaster"), "--out", picture, "--json").json
    layers = [layer["name"] for layer in flow["through_time"]["layers"]]
    assert layers[0] == "recurrent.layers.0"
    assert 0 <= flow["through_time"]["clipped"] <= 1
    assert picture.stat().st_size > 0
    series = tmp_path / "series.csv"
    series.write_text("value\n" + "".join(f"{step % 7}\n" for step in range(100)), encoding="utf-8")
    drawn = command("inspect", "gates", runs("lstm-forecaster"), series, "--out", tmp_path / "gates.png", "--json").json
    assert len(drawn["figures"]) == len(layers) and all(Path(path).stat().st_size > 0 for path in drawn["figures"])
    assert drawn["labels"][-1] == "1"
    followed = command("inspect", "gradient-flow", runs("lstm-forecaster"), "--input", series, "--json").json
    assert followed["verdict"] in ("vanishing", "healthy", "exploding")
    refused = command("inspect", "gates", runs("perceptron"), series)
    assert refused.code == 2 and "step by step" in refused.err


def test_inspect_works_through_the_textbook_example(command: Command) -> None:
    document = command("inspect", "backpropagation", "--example", "--json").json
    assert document["gradient"] == pytest.approx(0.082167041, abs=1e-9)
    assert document["updated"] == pytest.approx(0.35891648, abs=1e-8)
    assert "0.082167041" in command("inspect", "backpropagation", "--example").out


def test_runs_are_listed_compared_and_cleaned(command: Command, runs: Runs, tmp_path: Path) -> None:
    finished = runs("perceptron")
    stopped = finished.parent / "stopped"
    stopped.mkdir()
    (stopped / "config.json").write_text((finished / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    other = finished.parent / "notes"
    other.mkdir()
    (other / "config.json").write_text('{"name": "of another program"}', encoding="utf-8")

    listed = {row["run"]: row for row in command("runs", "list", finished.parent, "--json").json}
    assert listed[str(finished)]["state"] == "finished" and listed[str(stopped)]["state"] == "stopped at 0"
    assert str(other) not in listed
    assert finished.name in command("runs", "list", finished.parent).out

    compared = command("runs", "compare", finished, runs("lenet5"), "--json").json
    assert compared["differences"]["data_settings.limit"] == [None, 64]
    assert "data_settings.limit" in command("runs", "compare", finished, runs("lenet5")).out

    dry = command("runs", "clean", finished.parent, "--json").json
    assert [row["run"] for row in dry] == [str(stopped)] and stopped.exists()
    study = finished.parent / "study.json"
    study.write_text("{}", encoding="utf-8")
    assert command("runs", "clean", finished.parent, "--json").json == []  # a trial that was given up
    study.unlink()
    command("runs", "clean", finished.parent, "--yes")
    assert not stopped.exists() and finished.exists() and other.exists()
    refused = command("runs", "list", finished / "config.json")
    assert refused.code == 2 and "a file has no runs" in refused.err


def test_data_is_listed_and_checked(command: Command, tmp_path: Path) -> None:
    rows = command("data", "list", "--json").json
    assert {"digits", "mnist", "sine"} <= {row["name"] for row in rows}
    assert command("data", "check", "iris", "--json").json["classes"] == {
        "setosa": 50,
        "versicolor": 50,
        "virginica": 50,
    }
    table = tmp_path / "same.csv"
    table.write_text("a,label\n" + "1,x\n" * 30, encoding="utf-8")
    done = command("data", "check", table, "--json")
    assert done.code == 1 and any(finding["level"] == "stop" for finding in done.json["findings"])


def test_doctor_reports_and_finds_folders(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist").mkdir()
    monkeypatch.setenv("GANGLION_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    report = command("doctor", "--json").json
    assert report["versions"]["torch"] and report["torch"]["threads"] >= 1
    assert report["data"]["mnist"] == str(tmp_path / "mnist")
    assert report["levers"]["layout"].startswith("on")
    monkeypatch.setenv("GANGLION_LAYOUT", "contiguous")
    assert "GANGLION_LAYOUT" in command("doctor", "--json").json["levers"]["layout"]
    monkeypatch.setenv("GANGLION_DATA", str(tmp_path / "none"))
    assert any("GANGLION_DATA" in problem for problem in command("doctor", "--json").json["problems"])


@pytest.mark.full
def test_bench_measures_both_loops_and_a_lever(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganglion.cli.bench.LEVERS", [lever for lever in LEVERS if lever.name == "layout"])
    done = command("bench", "--seconds", "0.02", "--json")
    assert set(done.json["steps_per_second"]) == {"mlp", "lenet5", "convnet"}
    assert all(speed["ganglion"] > 0 for speed in done.json["steps_per_second"].values())
    assert done.json["levers"]["layout"] > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU says")
def test_levers_of_a_gpu_are_not_on_without_one(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = [lever for lever in LEVERS if lever.device == "cuda"]
    assert {lever.name for lever in gpu} == {"capture", "tf32", "resident"}
    standing = command("doctor", "--json").json["levers"]
    assert all(standing[lever.name] == f"not on this machine: {lever.does}" for lever in gpu)
    monkeypatch.setattr("ganglion.cli.bench.LEVERS", gpu)
    monkeypatch.setattr("ganglion.cli.bench.SHAPES", {"mlp": (784,)})
    shown = command("bench", "--seconds", "0.01").out
    assert shown.count("not on this machine") == len(gpu)
    monkeypatch.setenv("GANGLION_CAPTURE", "0")
    assert "GANGLION_CAPTURE=0" in command("doctor", "--json").json["levers"]["capture"]
