"""A server answers as `Run.predict` does, to the last bit, whatever is asked at the same time."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image

from ganglion.runs.run import open_run
from tests.serve.serving import KEPT, Held, service_of, serving, together

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (40, 8, 8), dtype=np.uint8)
ROWS = RANDOM.normal(size=(5, 2)).round(3)
SERIES = np.sin(np.arange(60) / 5)[:, None]
TEXTS = ["not bad at all", "a dull film"]


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    return file.getvalue()


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("mlp", ROWS),
        ("lenet5", PICTURES[:3]),
        ("autoencoder", PICTURES[:2]),
        ("rbm", PICTURES[:2]),
        ("sentiment", TEXTS),
        ("elman-tagger", TEXTS),
        ("char-rnn", TEXTS),
        ("lstm-forecaster", SERIES),
    ],
)
def test_what_is_sent_as_json(name: str, inputs: Any) -> None:
    sent = inputs if isinstance(inputs, list) else inputs.tolist()
    with serving(name) as client:
        answer = client.post("/predict", json={"inputs": sent})
    assert answer.status_code == 200, answer.text
    assert answer.json()["rows"] == as_json(open_run(KEPT / name).predict(inputs))


@pytest.mark.parametrize("media", ["image/png", "application/x-npz", "text/csv"])
def test_files(media: str, tmp_path: Path) -> None:
    name = "mlp" if media == "text/csv" else "lenet5"
    path = tmp_path / f"body{ {'image/png': '.png', 'application/x-npz': '.npz', 'text/csv': '.csv'}[media] }"
    if media == "image/png":
        path.write_bytes(png(PICTURES[0]))
    elif media == "application/x-npz":
        np.savez(path, images=PICTURES[:3])
    else:
        path.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in ROWS.tolist()))
    run = open_run(KEPT / name)
    if media == "text/csv" and run.task.preprocessing["inputs"].columns:
        path.write_text(path.read_text().replace("x,y", ",".join(run.task.preprocessing["inputs"].columns)))
    wanted = [{key: value for key, value in row.items() if key != "input"} for row in run.predict(path)]
    with serving(name) as client:
        rows = client.post("/predict", content=path.read_bytes(), headers={"Content-Type": media}).json()["rows"]
    assert {row.pop("input", path.name) for row in rows} == {path.name}
    assert rows == as_json(wanted)


def test_what_needs_no_inputs() -> None:
    with serving("lstm-forecaster") as client:
        answer = client.post("/forecast", json={"steps": 4})
    assert answer.json()["rows"] == as_json(open_run(KEPT / "lstm-forecaster").forecast(4))
    with serving("char-rnn") as client:
        answer = client.post("/generate", json={"prompt": "The ", "length": 20, "seed": 3})
    assert answer.json()["text"] == open_run(KEPT / "char-rnn").generate(prompt="The ", length=20, seed=3)


def test_pictures_come_as_whoever_asks_accepts_them(tmp_path: Path) -> None:
    wanted = open_run(KEPT / "dcgan").generate(2, seed=1)
    with serving("dcgan") as client:
        asked = {"count": 2, "seed": 1}
        arrays = client.post("/generate", json=asked, headers={"Accept": "application/x-npz"})
        sheet = client.post("/generate", json=asked)
        said = client.post("/generate", json=asked, headers={"Accept": "application/json"}).json()
        refused = client.post("/generate", json=asked, headers={"Accept": "audio/wav"})
    assert np.array_equal(np.load(io.BytesIO(arrays.content), allow_pickle=False)["images"], wanted)
    assert sheet.headers["Content-Type"] == "image/png" and Image.open(io.BytesIO(sheet.content)).width > 0
    assert [one["media"] for one in said["files"]] == ["image/png"] * 2
    assert refused.status_code == 406 and "image/png" in refused.json()["error"]["expected"]


def test_rows_come_as_a_table_too() -> None:
    with serving("mlp") as client:
        table = client.post("/predict", json={"inputs": ROWS.tolist()}, headers={"Accept": "text/csv"})
        rows = client.post("/predict", json={"inputs": ROWS.tolist()}).json()["rows"]
    found = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["label"] for row in found] == [row["label"] for row in rows]
    assert [float(row["probability"]) for row in found] == [row["probability"] for row in rows]


def test_many_at_once_get_the_answers_that_each_gets_alone() -> None:
    wanted = as_json(open_run(KEPT / "lenet5").predict(PICTURES))
    service = service_of("lenet5", batch=32)
    held = Held(service)

    async def ask(client: httpx.AsyncClient, picture: np.ndarray, place: int) -> httpx.Response:
        if place % 2:
            return await client.post("/predict", json={"inputs": [picture.tolist()]})
        return await client.post("/predict", content=png(picture), headers={"Content-Type": "image/png"})

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        waiting = [asyncio.create_task(ask(client, one, place)) for place, one in enumerate(PICTURES)]
        waiting.insert(7, asyncio.create_task(client.post("/predict", json={"inputs": [[1, 2]]})))
        while len(service.model._jobs) < len(PICTURES):
            await asyncio.sleep(0.01)
        held.go.set()
        return await asyncio.gather(*waiting)

    answers = together(service, talk)
    assert answers.pop(7).status_code == 422
    assert [answer.json()["rows"][0] for answer in answers] == wanted
    assert held.samples == [1, 32, 8]


def test_one_that_fails_in_the_network_harms_no_other() -> None:
    texts = ["good", " ", "bad", "dull film"]  # a text without words is found out only when it is asked about
    wanted = as_json(open_run(KEPT / "elman-tagger").predict(["good", "bad", "dull film"]))
    service = service_of("elman-tagger")
    held = Held(service)

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        waiting = [asyncio.create_task(client.post("/predict", json={"inputs": text})) for text in ["the", *texts]]
        while len(service.model._jobs) <= len(texts):
            await asyncio.sleep(0.01)
        held.go.set()
        return await asyncio.gather(*waiting)

    _, *answers = together(service, talk)
    assert [answer.status_code for answer in answers] == [200, 422, 200, 200]
    assert [answer.json()["rows"][0] for answer in answers if answer.status_code == 200] == wanted
    assert held.samples == [1, 5, 1, 1, 1, 1, 1]  # together, and then each alone
