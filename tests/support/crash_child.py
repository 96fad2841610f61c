"""A program that forks processes of the real command line, which end by SIGKILL at a chosen request.

`python -m tests.support.crash_child` reads one JSON order a line (`Order`), forks, and in the fork runs what
`python -m reconciler ARGUMENTS` runs. All imports are done before the fork, which is what makes a process cheap: a fork of
this single-threaded program is a process of its own, and its death by SIGKILL is a real one.

The lowest layer that vendors' clients and Vault's have in common is patched: `HTTPAdapter.send` of requests. So every
request of the program is a boundary, one that is added tomorrow as well; and so is every file that gets its name
(`os.link`). Two more things are changed in the fork:

- `time.sleep` returns at once, so that nobody waits for a dead run's last call;
- with `workers: 1` every pool of threads has one thread, so that requests have the same order each time.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn, TypedDict
from urllib.parse import urlsplit


class Order(TypedDict):
    """One process: what it runs, where its output goes, and when it dies."""

    arguments: list[str]
    input: str
    """What it reads from standard input."""
    folder: str
    environment: dict[str, str]
    output: str
    """A file for standard output and standard error."""
    requests: str
    """A file that names each request as it is made, one a line."""
    workers: int
    """How many threads a pool may have; 0: as many as it wants."""
    batch: int
    """How many objects an apply announces at once; 0: as many as it wants."""
    die_at: int
    """The number of a request, from 1; 0: it lives."""
    side: str
    """`before` the request is sent, `after` its answer arrived and before the program sees it, or `held`: before, and the
    request is kept for later. Within a request: `half` of its bytes have left, or `unread`: its answer has arrived, and
    nothing of it was read."""
    held: str
    """The file for a request that is kept."""


def main() -> None:
    """Serve orders until standard input ends. Each is answered by the wait status, one a line."""
    _warm()
    print("ready", flush=True)  # noqa: T201  it is the protocol
    for line in sys.stdin:
        order: Order = json.loads(line)
        process = os.fork()
        if process == 0:
            _run(order)
        _, status = os.waitpid(process, 0)
        print(status, flush=True)  # noqa: T201


def _warm() -> None:
    """Do all that a command does before it looks at anything: imports, with a `sleep` that does not, and validators."""
    import time
    from importlib import import_module
    from pkgutil import walk_packages

    time.sleep = lambda _seconds: None  # before anybody takes it from there
    import reconciler

    ours = [
        module.name for module in walk_packages(reconciler.__path__, "reconciler.") if "emulator" not in module.name
    ]
    for name in (*ours, "deepdiff", "hvac.adapters", "requests"):
        if not name.endswith("__main__"):
            import_module(name)
    from pydantic import BaseModel

    models = [BaseModel]
    while models:
        model = models.pop()
        models += model.__subclasses__()
        if model.__module__.startswith("reconciler."):
            model.model_rebuild()
    gc.collect()
    gc.freeze()  # else each process copies most of this memory at its first collection


def _run(order: Order) -> NoReturn:
    code = 70
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        given, giving = os.pipe()
        os.write(giving, order["input"].encode())  # a few lines, which a pipe holds
        os.close(giving)
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(given, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _limit_workers(order["workers"])
        _limit_batch(order["batch"])
        _watch_requests(order)
        code = _command(order["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(arguments: list[str]) -> int:
    sys.argv = ["reconciler", *arguments]
    try:
        runpy.run_module("reconciler", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _limit_workers(workers: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    ordinary = ThreadPoolExecutor.__init__

    def limited(self: ThreadPoolExecutor, max_workers: int | None = None, *rest: Any, **more: Any) -> None:
        ordinary(self, workers, *rest, **more)

    if workers:
        ThreadPoolExecutor.__init__ = limited  # type: ignore[method-assign]


def _limit_batch(objects: int) -> None:
    import reconciler.apply.tenant

    if objects:
        setattr(reconciler.apply.tenant, "BATCH", objects)  # noqa: B010


def _watch_requests(order: Order) -> None:
    from requests.adapters import HTTPAdapter

    ordinary, link = HTTPAdapter.send, os.link
    log = os.open(order["requests"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    lock = threading.Lock()
    within = _watch_bytes(order["side"])
    made = 0

    def begin(line: str) -> bool:
        nonlocal made
        made += 1
        mine = made == order["die_at"]
        if mine and order["side"] == "before":
            _die()
        os.write(log, f"{line}\n".encode())
        return mine

    def send(self: HTTPAdapter, request: Any, *rest: Any, **more: Any) -> Any:
        with lock:
            mine = begin(f"{request.method} {urlsplit(request.url).path}")
            if mine and order["side"] == "held":
                _keep(request, order["held"])
                _die()
        within.doomed = mine
        answer = ordinary(self, request, *rest, **more)
        if mine:
            _die()
        return answer

    def name_file(source: Any, name: Any, *rest: Any, **more: Any) -> None:
        with lock:
            mine = begin(f"FILE {Path(name).name}")
            link(source, name, *rest, **more)
            if mine:
                _die()

    HTTPAdapter.send = send  # type: ignore[method-assign]
    os.link = name_file


def _watch_bytes(side: str) -> threading.local:
    """Let the thread whose request is `doomed` die where its bytes leave, or where its answer would be read."""
    import http.client
    import select

    within = threading.local()
    connection, response = http.client.HTTPConnection, http.client.HTTPResponse
    sending, reading = connection.send, response.begin

    def send(self: http.client.HTTPConnection, data: Any) -> None:
        if getattr(within, "doomed", False):
            sending(self, data[: len(data) // 2])  # a request leaves in one piece
            _die()
        sending(self, data)

    def begin(self: http.client.HTTPResponse) -> None:
        if getattr(within, "doomed", False):
            select.select([self.fp], [], [], 10)
            _die()
        reading(self)

    if side == "half":
        connection.send = send  # type: ignore[method-assign]
    if side == "unread":
        response.begin = begin  # type: ignore[method-assign]
    return within


def _keep(request: Any, file: str) -> None:
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    kept = {"method": request.method, "url": request.url, "headers": dict(request.headers), "data": body}
    Path(file).write_text(json.dumps(kept), encoding="utf-8")  # in a folder that is ours alone


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


if __name__ == "__main__":
    main()
