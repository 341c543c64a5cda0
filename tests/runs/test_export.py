"""Networks taken out: ONNX Runtime is the second source, which knows neither ganglion nor torch."""

import runpy
import sys
from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

from ganglion.cli import main
from ganglion.errors import ExportError, UsageError
from ganglion.models import INDEX, System, find
from ganglion.nn import recurrent as cells
from ganglion.nn.coding.codes import DenseCoder
from ganglion.runs.export import proof as proofs
from ganglion.runs.export.interface import Input, inputs_of
from ganglion.runs.export.onnx_file import export_onnx, exported_network, taken_home
from ganglion.runs.export.opened import ExportedRun
from ganglion.runs.export.runtime import Runtime
from ganglion.runs.export.take_home import export_safetensors
from ganglion.runs.export.whole import Around, Whole
from ganglion.runs.run import Run
from ganglion.runs.session import train
from tests.contract.rows import row_of
from tests.contract.test_contract import options

THREE = Input("inputs", torch.zeros(1, 3), {0: "batch"})
"""Three numbers of each sample."""


class Leaky(cells.Cell):
    """A cell of a user's own."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.in_features, self.state_features = in_features, (hidden_features, hidden_features)
        self.input = nn.Linear(in_features, hidden_features)

    def project(self, inputs: Tensor) -> Tensor:
        return self.input(inputs)

    def step(self, projected: Tensor, state: cells.State) -> cells.State:
        slow = 0.9 * state[1] + 0.1 * projected.tanh()
        return slow * state[0].cos(), slow


LAYERS: dict[str, Any] = {
    "lstm": lambda: cells.LSTM(3, 4, 2, bidirectional=True, merge="sum"),
    "peephole-lstm": lambda: cells.LSTM(3, 4, peepholes=True, learned_state=True, gate_slope=2.0),
    "gru": lambda: cells.GRU(3, 4, bidirectional=True, learned_slope=True),
    "gru-reset-before": lambda: cells.GRU(3, 4, reset_after=False, gate_slope=3.0),
    "elman": lambda: cells.ElmanRNN(3, 4, bidirectional=True),
    "elman-relu": lambda: cells.ElmanRNN(3, 4, nonlinearity="relu"),
    "jordan": lambda: cells.JordanRNN(3, 5, 4),
    "own": lambda: cells.Recurrent([Leaky(3, 4), cells.LSTMCell(4, 4)]),
}


TOGETHER = ["peephole-lstm", "gru-reset-before", "elman-relu", "own"]
"""Each of ONNX's recurrent operators in its rarer form, and a loop: in one graph, which takes a fifth of the time."""


class Reads(nn.Module):
    """Layers over sequences of different lengths: outputs of each, and its states after the last step of a sequence."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, inputs: Tensor, ends: Tensor) -> tuple[Tensor, ...]:
        lengths = (ends.abs() * inputs.shape[1]).long().clamp(min=1).minimum(torch.tensor(inputs.shape[1]))
        found: list[Tensor] = []
        for layer in self.layers:
            outputs, states = layer(inputs, lengths=lengths)
            found += [outputs, *([states] if isinstance(states, Tensor) else [part for one in states for part in one])]
        return tuple(found)


@pytest.mark.parametrize(
    "kinds", [TOGETHER, *(pytest.param([kind], marks=pytest.mark.full, id=kind) for kind in LAYERS)]
)
def test_layers_read_sequences_of_any_length(kinds: list[str]) -> None:
    torch.manual_seed(0)
    network = Reads(*(LAYERS[kind]() for kind in kinds)).eval()
    for name, parameter in network.named_parameters():
        if "slopes" not in name:  # no bias, peephole or first state shall be zero
            nn.init.normal_(parameter.detach(), std=0.5)
    found = exported_network(network, inputs_of(network, (torch.zeros(1, 6, 3), torch.zeros(1)), None))
    assert found.proof.lengths == (1, 6, 12) and found.proof.difference < 1e-5


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    return train("mlp", "digits", steps=30, hidden_features=(8,), out=folder, threads=1)


@pytest.fixture(scope="module")
def classifier_file(classifier: Run) -> Path:
    path = classifier.folder.parent / "digits.onnx"
    export_onnx(classifier, path)
    return path


def test_a_file_answers_as_the_run(classifier: Run, classifier_file: Path) -> None:
    images = (load_digits().images[:20] * 15.9).astype(np.uint8)
    ours, theirs = classifier.predict(images), ExportedRun(classifier_file).predict(images)
    assert [row["label"] for row in ours] == [row["label"] for row in theirs]
    assert [row["probability"] for row in ours] == pytest.approx([row["probability"] for row in theirs], abs=1e-6)


def test_a_file_alone_answers_raw_pixels_with_probabilities(classifier: Run, classifier_file: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(classifier_file)
    pixels = (load_digits().images[:5, None] * 15.9).astype(np.uint8)
    (found,) = session.run(["probabilities"], {"inputs": pixels.astype(np.float32)})
    expected = [row["probability"] for row in classifier.predict(pixels[:, 0])]
    assert found.max(axis=1).tolist() == pytest.approx(expected, abs=1e-6) and found.shape == (5, 10)


def test_what_a_file_cannot_answer_is_said(classifier_file: Path) -> None:
    with pytest.raises(UsageError, match="cannot answer features"):
        ExportedRun(classifier_file).ask("features", inputs=[np.zeros((8, 8), np.uint8)])
    with pytest.raises(UsageError, match="cannot forecast"):
        ExportedRun(classifier_file).forecast(3)


def test_inputs_that_a_file_does_not_take_are_named(classifier_file: Path) -> None:
    with pytest.raises(ExportError, match="on such inputs") as caught:
        Runtime(classifier_file)([torch.zeros(2, 3)])
    assert "inputs [2, 3]" in caught.value.found and "batch" in caught.value.expected


def test_a_detector_is_asked_about_any_number_of_boxes() -> None:
    system = find("fast-rcnn")
    module = system.load()
    network, examples = taken_home(module.build(module.TINY).home.eval(), module.examples(module.TINY))
    file = Runtime(exported_network(network, inputs_of(network, examples, module.TINY)).content)
    images = torch.rand(2, *examples[0].shape[1:])
    for count in (1, 3, 40):
        corners = torch.rand(2, count, 2, 2) * images.shape[-1]
        boxes = torch.cat([corners.amin(2), corners.amax(2)], dim=2)
        with torch.no_grad():
            torch.testing.assert_close(file([images, boxes])[0], network(images, boxes), atol=1e-5, rtol=1e-5)


def test_noise_beside_a_reader_is_no_sequence() -> None:
    module = find("stackgan").load()
    config = replace(module.TINY, reader="recurrent")
    network, examples = taken_home(module.build(config).home.eval(), module.examples(config))
    latent, tokens = inputs_of(network, examples, config)
    assert latent.axes == {0: "batch"} and tokens.axes == {0: "batch", 1: "time"}


def test_windows_are_looked_for_in_pictures_of_any_size() -> None:
    module = find("face-detector").load()
    network, examples = taken_home(module.build(module.TINY).home.eval(), module.examples(module.TINY))
    (pictures,) = inputs_of(network, examples, module.TINY)
    assert pictures.axes == {0: "batch", 2: "height", 3: "width"}


def test_what_was_exported_is_said(classifier: Run, tmp_path: Path, capsys: Any) -> None:
    assert main(["export", str(classifier.folder), "onnx", "--out", str(tmp_path / "digits.onnx")]) == 0
    said = "".join(capsys.readouterr())
    assert "['batch', 1," in said and f"the run gives it: {classifier.folder}" in said


def test_a_part_is_asked_by_itself_and_need_not_be() -> None:
    torch.manual_seed(0)
    network = DenseCoder([6, 4, 2]).eval()
    file = Runtime(exported_network(network, [Input("inputs", torch.zeros(1, 6), {0: "batch"})]).content)
    inputs, codes = torch.randn(5, 6), torch.randn(2, 2)
    with torch.no_grad():
        expected = network(inputs), network.encode(inputs), network.outputs(codes)
    assert file.inputs == ["inputs"]
    found = [
        *file([inputs], ["outputs"]),
        *file.asked({"encode.inputs": inputs}, ["encode.result"]),
        *file.asked({"outputs.codes": codes}, ["outputs.result"]),
    ]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    everything = file.asked({"inputs": inputs, "outputs.codes": codes})
    assert [len(one) for one in everything] == [5, 1, 2]


ASKED: dict[str, dict[str, Any]] = {
    "translator": {"predict": {"inputs": ["the 19th of March, 1996", "5 March 2034"]}},
    "chatbot": {"chat": {"say": ["hello", "do you have a table for two?"]}},
    "captioner": {"predict": {}},
    "sketch-rnn": {"predict": {}, "generate": {"count": 2}},
    "autoencoder": {"predict": {}, "features": {}, "generate": {"count": 3}},
    "vae": {"predict": {}, "features": {}, "generate": {"count": 3}},
    "sequence-autoencoder": {"predict": {}, "features": {}},
    "topic-model": {"predict": {}},
    "video-classifier": {"predict": {}},
    "convlstm": {"predict": {"frames": 7}},
    "steering": {"predict": {}},
    "face-detector": {"predict": {}},
    "generated-image-detector": {"predict": {}},
    "cyclegan": {"predict": {}},
    "stackgan": {"generate": {"text": "a red circle", "count": 2}},
    "srgan": {"predict": {}},
    "rbm": {"predict": {}, "features": {}},
    "boltzmann": {"predict": {}, "features": {}},
    "dbm": {"predict": {}, "features": {}},
    "q-table": {"predict": {"inputs": ["all"]}, "play": {"episodes": 3}},
}
"""Questions that take more of a network than what it answers with; about test samples where nothing is named."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] * (name != "autoencoder")) for name in ASKED]
)
def test_a_file_answers_what_takes_parts_of_a_network(name: str, tmp_path: Path) -> None:
    system = find(name)
    run = train(name, row_of(system).data, out=tmp_path / "run", **options(system) | {"steps": 6})
    export_onnx(run, tmp_path / "run.onnx")
    file = ExportedRun(tmp_path / "run.onnx")
    for verb, question in ASKED[name].items():
        given = dict(question)
        if "inputs" in run.task.questions[verb].__dataclass_fields__ and "inputs" not in given:
            data = run.prepared_task().data  # type: ignore[attr-defined]
            values = data.raw("test", next(iter(data.chosen))).values
            given["inputs"] = [values[place] for place in range(3)]
        ours, theirs = run.answer(verb, **given), file.answer(verb, **given)
        assert plain(ours) == approximately(plain(theirs)), verb


def plain(value: Any) -> Any:
    """Return the numbers and texts of an answer."""
    if is_dataclass(value):
        return {name: plain(one) for name, one in vars(value).items()}
    if isinstance(value, np.ndarray | Tensor):
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def approximately(value: Any) -> Any:
    """Return what equals a value within a shade of a pixel, and a hundred-thousandth of a number."""
    if isinstance(value, dict):
        return {name: approximately(one) for name, one in value.items()}
    if isinstance(value, list):
        return [approximately(one) for one in value]
    if isinstance(value, np.ndarray):
        return pytest.approx(value, abs=1.0, rel=1e-5)
    return pytest.approx(value, abs=1e-5, rel=1e-5) if isinstance(value, float) else value


def test_a_file_says_nothing_of_where_it_was_made(classifier: Run, classifier_file: Path) -> None:
    content = classifier_file.read_bytes()
    assert (
        str(classifier.folder.parent).encode() not in content and str(Path(__file__).parents[2]).encode() not in content
    )


def test_a_file_is_hardly_larger_than_its_weights(classifier: Run, classifier_file: Path) -> None:
    weights = sum(value.nbytes for value in classifier.network.state_dict().values())
    assert classifier_file.stat().st_size < weights + 2**16


def test_a_file_that_answers_otherwise_is_not_kept(
    classifier: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"what was there before")

    def wrong(runtime: Runtime, inputs: dict[str, Tensor], outputs: Any = None) -> list[Tensor]:
        return [value + 0.01 for value in asked(runtime, inputs, outputs)]

    asked = Runtime.asked
    monkeypatch.setattr(Runtime, "asked", wrong)
    with pytest.raises(ExportError, match="does not answer as its network"):
        export_onnx(classifier, path)
    assert [file.name for file in tmp_path.iterdir()] == ["digits.onnx"]
    assert path.read_bytes() == b"what was there before"


@pytest.mark.parametrize("strange", [float("nan"), float("inf")])
def test_a_file_that_answers_with_no_numbers_is_no_proof(strange: float) -> None:
    class Twice(nn.Module):
        def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
            return (2 * inputs,)

    def broken(given: Sequence[Tensor]) -> list[Tensor]:
        return [torch.where(inputs > 0, strange, 2 * inputs) for inputs in given]

    with pytest.raises(ExportError, match="does not answer as its network"):
        proofs.proven(broken, Whole(Twice(), Around(), [THREE]), [THREE])


class Sharp(nn.Module):
    """What makes much of the last bits of its inputs."""

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return ((300 * inputs).sin(),)


@pytest.mark.parametrize(("share", "right"), [(1.0, True), (-3.0, True), (9.0, False)])
def test_a_file_may_be_as_far_off_as_rounding_explains(share: float, right: bool) -> None:
    whole = Whole(Sharp(), Around(), [THREE])

    def rounded(given: Sequence[Tensor]) -> list[Tensor]:
        single, double = (whole(one)[0] for one in (given[0], given[0].double()))
        return [(single + share * (double - single)).float()]

    if right:
        assert 1e-5 < proofs.proven(rounded, whole, [THREE]).difference < 1e-4
    else:
        with pytest.raises(ExportError, match="does not answer as its network"):
            proofs.proven(rounded, whole, [THREE])


def test_values_of_a_table_go_in_and_come_out_in_their_own_units(tmp_path: Path) -> None:
    rows, values = load_diabetes(return_X_y=True, scaled=False)
    rows[:, 0] += 1e6  # single precision would know no ages any more
    run = train("mlp", (rows, values), steps=30, hidden_features=(8,), out=tmp_path / "run", threads=1)
    export_onnx(run, tmp_path / "run.onnx")
    asked = rows[:7].copy()
    asked[0, 2] = np.nan
    runtime = Runtime(tmp_path / "run.onnx")
    (found,) = runtime([torch.from_numpy(asked)], ["values"])
    expected = [next(iter(row.values())) for row in run.predict(asked)]
    assert found[:, 0].tolist() == pytest.approx(expected, rel=1e-5)


def test_a_forecaster_goes_on_from_its_file(tmp_path: Path) -> None:
    series = np.sin(np.arange(200) / 5)[:, None] * 30 + 100
    run = train("lstm-forecaster", series, steps=2, window=12, hidden_features=4, out=tmp_path / "run", threads=1)
    exported = export_onnx(run, tmp_path / "run.onnx")
    assert exported.proof.lengths == (1, 12, 24)
    ours, theirs = run.forecast(5), ExportedRun(tmp_path / "run.onnx").forecast(5)
    assert [list(row.values()) for row in ours] == [pytest.approx(list(row.values()), rel=1e-5) for row in theirs]


@pytest.mark.full
def test_a_text_is_written_on_from_the_states_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 60)
    run = train("char-rnn", str(tmp_path / "text.txt"), steps=5, hidden_features=8, out=tmp_path / "run", threads=1)
    export_onnx(run, tmp_path / "run.onnx")
    question = {"prompt": "the ", "length": 30, "seed": 3}
    assert ExportedRun(tmp_path / "run.onnx").ask("generate", **question) == run.ask("generate", **question)


def test_chance_is_refused() -> None:
    class Chance(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs + torch.rand_like(inputs)

    with pytest.raises(UsageError, match="random numbers"):
        exported_network(Chance(), [THREE])


def test_what_cannot_be_followed_is_said_in_one_error() -> None:
    class Undecided(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs if float(inputs.sum()) > 0 else -inputs

    with pytest.raises(UsageError, match="cannot follow"):
        exported_network(Undecided(), [THREE])


def test_weights_are_read_by_torch_alone(classifier: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, loader = export_safetensors(classifier, tmp_path / "digits.safetensors")
    for name in ("safetensors", "ganglion", "numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    loaded = runpy.run_path(str(loader))["load"]()
    own = classifier.network.state_dict()
    assert count == len(own) and loaded.keys() == own.keys()
    assert all(torch.equal(loaded[name], value) for name, value in own.items())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("onnx", "--out", "model.bin"), "another ending"),
        (("onnx", "--out", "nowhere/model.onnx"), "its folder does not exist"),
        (("onnx", "--role", "back"), "one network only"),
    ],
)
def test_a_wrong_order_is_refused_in_words(
    words: tuple[str, ...], said: str, classifier: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(classifier.folder), *words]) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"\x08\x07 no graph", b"PK\x03\x04"])
def test_files_that_are_no_graph_are_refused(content: bytes, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert main(["predict", str(path), str(path)]) == 1
    assert "no graph" in capsys.readouterr().err


def test_a_missing_runtime_is_named(
    classifier: Run, classifier_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["predict", str(classifier_file), "digit.png"]) == 2
    assert 'pip install "ganglion[onnx]"' in capsys.readouterr().err


def test_a_graph_from_elsewhere_is_refused(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(exported_network(nn.Linear(3, 2).eval(), [THREE]).content)
    assert main(["predict", str(path), str(path)]) == 1
    assert "does not say how it is to be asked" in capsys.readouterr().err


@pytest.mark.full
@pytest.mark.parametrize("system", INDEX, ids=lambda system: system.name)
def test_every_system_is_exported(system: System) -> None:
    torch.manual_seed(0)
    module = system.load()
    home = module.build(module.TINY).home.eval()
    network, examples = taken_home(home, module.examples(module.TINY))
    inputs = inputs_of(network, examples, module.TINY)
    found = exported_network(network, inputs)
    assert found.proof.batches == proofs.BATCHES
    weights = sum(value.nbytes for value in home.state_dict().values())
    assert len(found.content) < weights + (2**17 if "parts" in found.card else 2**16)
