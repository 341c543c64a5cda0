"""`ganglion serve RUN`: a run over HTTP."""

import signal
from typing import Annotated

import tyro

from ganglion.cli.arguments import Folder, OptionalFile, Switch
from ganglion.cli.output import answer, note
from ganglion.errors import MissingExtraError
from ganglion.serve.limits import Limits
from ganglion.settings import between, bounded

Port = Annotated[int, between(0, 65535)]


@bounded
def serve(
    folder: Folder,
    *,
    host: str = "127.0.0.1",
    port: Port = 8000,
    allow_host: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="")] = (),
    token_file: OptionalFile = None,
    without_token: Switch = False,
    limits: Annotated[Limits, tyro.conf.OmitArgPrefixes] = Limits(),
    json: Switch = False,
) -> None:
    """Serve a run over HTTP: `/predict`, `/generate`, `/forecast` and what else it can be asked.

    Args:
        folder: Folder of the run.
        host: Address to listen on; others reach only what is no loopback.
        port: Port to listen on; 0 for any that is free.
        allow_host: Names, beside the address, by which the server may be asked.
        token_file: File that holds the token, readable by you alone. Else it is that of the variable GANGLION_TOKEN,
            or a new one.
        without_token: Answer whoever asks from this machine.
        limits: What the server takes upon itself at most.
        json: Print address, token and routes as one JSON object.
    """
    try:
        from ganglion.serve import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "prometheus_client"):
            raise
        raise MissingExtraError(
            "serving needs packages that are not installed",
            expected="starlette, uvicorn, prometheus_client",
            found=f"no {error.name}",
            remedy='pip install "ganglion[serve]"',
        ) from error
    from ganglion.runs.run import open_run
    from ganglion.serve.application import Service
    from ganglion.serve.example import curl

    token = server.token_of(token_file, without_token)
    hosts = server.names_of(host, allow_host, token)
    service = Service(open_run(folder), limits)
    listening = server.listen(host, port)
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    line = curl(address, token.shell, service.asker, service.verbs)
    routes = [f"POST /{verb}" for verb in service.verbs]

    def started() -> None:
        known = {"run": folder, "address": address, "token": token.value, "routes": routes, "example": line}
        answer(known, json, lambda: print(f"{address}  {', '.join(routes)}\n\n{line}\n", flush=True))
        note("Ctrl-C stops; /schema says what can be asked, /metrics counts.")

    stopped_by = server.serve(service, listening, hosts, token, started)
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt("stopped")
    note("stopped")
