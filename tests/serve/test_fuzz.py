"""Bodies of any kind: none ends in an error of the server, and each refusal says what is wrong."""

import io
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.serve.serving import serving

VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 1e308, -1e308, 2**63, 10**39, "", " ", "a", "0", "\x00", "\u202e", "🦆", "/etc/passwd",
    [], {}, [[]], [None], [{}], [[None]], [[[0]]], [[1, 2]], [["a", 1]], [[1, [2]]], [[True, False]], [[1e308, -1e308]],
    [[[[0, 1], [2, 3]]]], [[0.0] * 300], [[[0] * 3] * 3] * 3, "a " * 3000, [1, 2, 3], [float(n) for n in range(40)],
    ["a", "b"], {"inputs": 1}, [["1", "2"]], [[0, 2**70]], "nan", "all", 1000, 1001, 0.1, 2, ["ITEM=3"],
    [[[-5, 300], [1, 2]]], "../../etc", "..",
]  # fmt: skip
NAMES = [
    "inputs", "mirrored", "count", "seed", "length", "temperature", "top_k", "top_p", "beams", "prompt", "steps",
    "class", "class_", "episodes", "animation", "delimiter", "no_repeated", "classes", "extra", "out", "among",
    "__class__",
]  # fmt: skip
JSON, PICTURES = ["application/json"], ["image/png", "image/jpeg", "image/gif", "image/tiff"]
TABLES, ARRAYS = ["text/csv", "text/tab-separated-values"], ["application/x-npz", "application/x-npy"]
OTHERS = ["application/json; charset=utf-16", "text/plain", "", "x", "multipart/form-data"]
ACCEPT = [
    "",
    "*/*",
    "application/json",
    "image/*",
    "text/csv",
    "audio/wav",
    "application/x-npz;q=x",
    ",;q=0",
    "a/b;q=nan",
]
QUERIES = [
    "",
    "?mirrored=true",
    "?seed=x",
    "?count=1&count=2",
    "?%00=%ff",
    "?delimiter=;",
    "?delimiter=",
    "?encoding=utf-99",
]
RUNS = [
    "lenet5",
    "mlp",
    "sentiment",
    "char-rnn",
    "lstm-forecaster",
    "rbm",
    "dcgan",
    "elman-tagger",
    "dqn",
    "autoencoder",
]


def png(random_: random.Random) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    mode = random_.choice(["L", "RGB", "RGBA", "I;16", "1", "P"])
    Image.new(mode, (random_.randint(1, 40), random_.randint(1, 40))).save(file, random_.choice(["png", "tiff"]))
    return file.getvalue()


def array(random_: random.Random) -> bytes:
    file = io.BytesIO()
    shape = tuple(random_.randint(0, 5) for _ in range(random_.randint(0, 5)))
    kind = random_.choice(["float32", "uint8", "int64", "complex64", "bool", "U3", "float16", "datetime64[s]"])
    values = np.zeros(shape, kind)
    if random_.random() < 0.5:
        np.save(file, values, allow_pickle=False)
    else:
        np.savez(file, **{random_.choice(["inputs", "x", "strange"]): values})
    return file.getvalue()


def table(random_: random.Random) -> bytes:
    rows = [
        [str(random_.choice(VALUES))[:20] for _ in range(random_.randint(0, 4))] for _ in range(random_.randint(0, 5))
    ]
    text = random_.choice([",", ";", "\t", "|"]).join
    return "\n".join(map(text, rows)).encode(random_.choice(["utf-8", "utf-16", "utf-8"]), "replace")


def broken(make: Callable[[random.Random], bytes]) -> Callable[[random.Random], bytes]:
    """Return what makes the same with some bytes changed, left out or put in."""

    def changed(random_: random.Random) -> bytes:
        content = bytearray(make(random_))
        for _ in range(random_.randint(1, 5)):
            place = random_.randrange(len(content) + 1)
            content[place : place + random_.randint(0, 4)] = random_.randbytes(random_.randint(0, 4))
        return bytes(content)

    return changed


def fields(random_: random.Random) -> bytes:
    chosen = {random_.choice(NAMES): random_.choice(VALUES) for _ in range(random_.randint(0, 4))}
    if random_.random() < 0.7:
        chosen["inputs"] = random_.choice(VALUES)
    return json.dumps(chosen).encode()


MAKERS: list[tuple[Callable[[random.Random], bytes], list[str]]] = [
    (fields, JSON),
    (fields, JSON),
    (fields, JSON),
    (broken(fields), JSON),
    (png, PICTURES),
    (broken(png), PICTURES),
    (array, ARRAYS),
    (broken(array), ARRAYS),
    (table, TABLES),
    (broken(table), [*TABLES, "text/plain"]),
    (lambda random_: random_.randbytes(random_.randint(0, 300)), [*JSON, *PICTURES, *TABLES, *ARRAYS, *OTHERS]),
]


def ask(client: TestClient, random_: random.Random, verbs: list[str]) -> tuple[int, str, str]:
    """Ask something by chance, and return the status, the answer, and what was asked."""
    make, media = random_.choice(MAKERS)
    verb, content, said = random_.choice(verbs), make(random_), random_.choice(media)
    headers = {"Content-Type": said, "Accept": random_.choice(ACCEPT)}
    answer = client.post(f"/{verb}{random_.choice(QUERIES)}", content=content, headers=headers)
    text = answer.text if "json" in answer.headers.get("Content-Type", "") else ""
    return answer.status_code, text, f"{verb} {headers} {content[:200]!r}"


def refuse_failures(name: str, seed: int, count: int) -> None:
    random_ = random.Random(seed)
    with serving(name, largest_number=20, timeout=300) as client:  # however busy the machine is
        verbs = list(client.get("/schema").json()["verbs"])
        statuses = []
        for _ in range(count):
            status, text, asked = ask(client, random_, verbs)
            statuses.append(status)
            assert status in (200, 400, 406, 415, 422), f"{status} {text}: {asked}"
            assert "Traceback" not in text and "ganglion-bodies" not in text and ".py" not in text, f"{text}: {asked}"
            if status != 200:
                error = json.loads(text)["error"]
                assert error["what"] and set(error) <= {"what", "where", "expected", "found", "remedy"}, asked
        assert client.get("/ready").status_code == 200 and len(set(statuses)) > 2


@pytest.mark.parametrize("name", RUNS)
def test_bodies(name: str) -> None:
    refuse_failures(name, 1, 40)


@pytest.mark.full
@pytest.mark.parametrize("name", RUNS)
def test_many_bodies(name: str) -> None:
    refuse_failures(name, 2, 1000)
