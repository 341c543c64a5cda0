"""What is refused, each with what, where, expected, found and what to do; and what a server says of itself."""

import io
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from ganglion import tasks
from ganglion.serve import example
from ganglion.serve.fields import names_file
from ganglion.serve.media import BODIES, JSON
from ganglion.tasks.questions import Given, MaybeGiven
from tests.serve.serving import KEPT, service_of, serving

FREE_TEXTS = {
    "captioning": set(),
    "classification": {"class_"},
    "conversation": {"say", "unsure_answer"},
    "generation": {"class_"},
    "language": {"prompt"},
    "music": {"key", "metre", "opening"},
    "panel_forecasting": {"series"},
    "recommendation": {"rated"},
    "text_to_image": {"text"},
    "variational": {"class_"},
}
"""Fields of texts by the kind of task that mean no file, or not if a stranger sets them; `classes` is one of all."""


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("lenet5", b"", 422, "settings are missing"),
        ("lenet5", b"{", 400, "no JSON"),
        ("lenet5", b"\xff", 400, "no JSON"),
        ("lenet5", b'{"inputs": NaN}', 400, "NaN"),
        ("lenet5", b"[1]", 422, "list"),
        ("lenet5", b'{"inputs": []}', 422, "nothing to answer"),
        ("lenet5", b'{"inputs": ["/etc/passwd"]}', 422, "no numbers"),
        ("lenet5", b'{"inputs": [[[1, 2], [3]]]}', 422, "equal rows"),
        ("lenet5", b'{"inputs": [[[1, 2]]], "miror": true}', 422, "did you mean 'mirrored'"),
        ("lenet5", b'{"inputs": [[[1, 2]]], "mirrored": "yes"}', 422, "true or false"),
        ("mlp", b'{"inputs": [[1, 2, 3]]}', 422, "2 columns"),
        ("mlp", b'{"inputs": [["1", "2"]]}', 422, "no numbers"),
        ("sentiment", b'{"inputs": 3}', 422, "no texts"),
        ("lstm-forecaster", b'{"inputs": [1, 2]}', 422, "shorter than the window"),
    ],
)
def test_refusals(name: str, body: bytes, status: int, words: str) -> None:
    with serving(name) as client:
        answer = client.post("/predict", content=body, headers={"Content-Type": JSON})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert words in str(error) and error["what"]


def test_refusals_of_files_and_amounts() -> None:
    with serving("char-rnn", largest_number=50) as client:
        for body, words in (
            ({"length": 501}, "at most 500"),
            ({"length": 0}, "at least 1"),
            ({"temperature": "warm"}, "a number"),
        ):
            answer = client.post("/generate", json=body)
            assert answer.status_code == 422 and words in str(answer.json()), answer.text
        assert client.post("/generate", json={"length": 500, "seed": 2**40}).status_code == 200
    with serving("lenet5") as client:
        wrong = client.post("/predict", content=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
        assert wrong.status_code == 415 and "image/png" in wrong.json()["error"]["expected"]
        for query, words in (("?mirrored=perhaps", "no value"), ("?mirrorred=true", "did you mean")):
            answer = client.post(f"/predict{query}", content=b"x", headers={"Content-Type": "image/png"})
            assert answer.status_code == 422 and words in answer.text
        stated = client.post("/predict?mirrored=true", json={"inputs": [[[1, 2]]]})
        assert stated.status_code == 400 and "stand in the body" in stated.text
        for array in (np.zeros(4), np.zeros((4, 2), np.float16)):
            file = io.BytesIO()
            np.save(file, array)
            answer = client.post("/predict", content=file.getvalue(), headers={"Content-Type": "application/x-npy"})
            assert answer.status_code == 422 and "no pictures" in answer.text
        damaged = client.post("/predict", content=b"\x89PNG", headers={"Content-Type": "image/png"})
        assert damaged.status_code == 422 and "cannot be read" in damaged.text
    with serving("dqn") as client:
        assert "unknown field" in client.post("/play", json={"animation": "film.gif"}).json()["error"]["what"]


def test_no_text_is_taken_for_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("swordfish\n")
    opened: list[str] = []
    sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
    for name, verb, field in (
        ("sentiment", "predict", "inputs"),
        ("elman-tagger", "predict", "inputs"),
        ("char-rnn", "predict", "inputs"),
        ("char-rnn", "generate", "prompt"),
        ("lenet5", "predict", "inputs"),
        ("lenet5", "features", "inputs"),
        ("lstm-forecaster", "predict", "inputs"),
    ):
        with serving(name) as client:
            answer = client.post(f"/{verb}", json={field: str(secret)})
        assert answer.status_code in (200, 422) and "swordfish" not in answer.text
    assert str(KEPT / "lenet5" / "config.json") in opened and str(secret) not in opened


@pytest.mark.parametrize("name", tasks.names())
def test_every_field_of_text_is_known_to_name_a_file_or_not(name: str) -> None:
    for question in tasks.find(name).verbs.values():
        for field, hint in get_type_hints(question, include_extras=True).items():
            plain = get_type_hints(question)[field]
            options = get_args(plain) if get_origin(plain) is not Literal else ()
            is_text = hint not in (Given, MaybeGiven) and str in (plain, *options)
            if is_text and not names_file(hint):
                words = f"{name}: does {field} name a file? Then it is a `FileName`, else it stands in FREE_TEXTS"
                assert field in FREE_TEXTS.get(name, set()) | {"classes"}, words


def test_every_kind_of_inputs_has_its_types_of_bodies() -> None:
    for kind in map(tasks.find, tasks.names()):
        assert set(kind.fields.get("inputs") or kind.fields.get("targets", ())) <= set(BODIES), kind.name


@pytest.mark.parametrize("name", ["lenet5", "mlp", "sentiment", "lstm-forecaster", "char-rnn", "dcgan", "dqn"])
def test_the_example_is_answered_and_the_descriptions_fit(name: str) -> None:
    service = service_of(name)
    with serving(name) as client:
        described = client.get("/openapi.json").json()
        schema = client.get("/schema").json()
        assert schema["task"] == service.run.task.name and set(schema["verbs"]) == set(service.verbs)
        for verb in service.verbs:
            media, content = example.body(verb, service.asker) or ("", b"")
            answer = client.post(f"/{verb}", content=content, headers={"Content-Type": media})
            assert answer.status_code == 200, answer.text
            operation = described["paths"][f"/{verb}"]["post"]
            assert media in operation["requestBody"]["content"] and "422" in operation["responses"]
        assert set(described["paths"]) == {*(f"/{one}" for one in service.verbs), *WATCHING}


WATCHING = ("/schema", "/openapi.json", "/health", "/ready", "/metrics")


def test_counters() -> None:
    with serving("mlp") as client:
        client.post("/predict", json={"inputs": [[0.0, 1.0]]})
        client.post("/predict", content=b"{", headers={"Content-Type": JSON})
        text = client.get("/metrics").text
    assert 'ganglion_requests_total{route="predict",status="200"} 1.0' in text
    assert 'ganglion_requests_total{route="predict",status="400"} 1.0' in text
    assert "ganglion_joined_requests_count 1.0" in text and "ganglion_requests_under_way 0.0" in text


def test_rows_by_the_names_of_columns(tmp_path: Path) -> None:
    import ganglion

    table = tmp_path / "marks.csv"
    rows = [f"{n % 7},{'red' if n % 2 else 'blue'},{n % 3},{'yes' if n % 2 else 'no'}" for n in range(60)]
    table.write_text("size,colour,weight,ripe\n" + "\n".join(rows))
    run: Any = ganglion.train("mlp", str(table), target="ripe", steps=20, out=tmp_path / "run")
    asked = tmp_path / "asked.csv"
    asked.write_text("colour,weight,size\nred,1,\nBlue,2,5\nmauve,0,3\n")
    from starlette.testclient import TestClient

    from ganglion.serve.application import Service, application
    from ganglion.serve.limits import Limits

    named = [
        {"colour": "red", "weight": 1, "size": None},
        {"colour": "Blue", "weight": 2, "size": 5},
        {"weight": 0, "size": 3, "colour": "mauve"},
    ]
    with TestClient(application(Service(run, Limits())), "http://localhost") as client:
        answer = client.post("/predict", json={"inputs": named}).json()
        lacking = client.post("/predict", json={"inputs": [{"size": 1, "colour": "red"}]})
        strange = client.post("/predict", json={"inputs": [{"size": 1, "color": "red", "weight": 1}]})
    wanted = [{key: row[key] for key in answer["rows"][0]} for row in run.predict(asked)]
    assert answer["rows"] == wanted
    assert "mauve" in answer["notes"][0] and np.isfinite(answer["rows"][0]["probability"])
    assert "without weight" in lacking.text and "did you mean 'colour'" in strange.text
