"""A server as one would write it by hand: the network of a run in a thread, one picture at a time, and no more."""

import asyncio
import io
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ganglion.runs.run import open_run


def application(folder: str) -> Starlette:
    """Return an application with the one route `/predict`, which takes a picture in grey."""
    run = open_run(folder)
    network, scale = run.network, run.task.preprocessing["inputs"]
    names = run.task.preprocessing["targets"].labels
    thread = ThreadPoolExecutor(1)

    def answer(body: bytes) -> dict[str, Any]:
        picture = np.asarray(Image.open(io.BytesIO(body)).convert("L"))[None, ..., None]
        with torch.inference_mode():
            shares = network(scale(picture)).softmax(1)[0]
        best, places = shares.topk(5)
        top = [
            {"label": names[n], "probability": share} for share, n in zip(best.tolist(), places.tolist(), strict=True)
        ]
        return {"rows": [{**top[0], "top": top}]}

    async def predict(request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse(await asyncio.get_running_loop().run_in_executor(thread, answer, body))

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(json.dumps({"address": f"http://127.0.0.1:{listening.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(application(sys.argv[1]), log_level="error", access_log=False)
    uvicorn.Server(config).run([listening])
