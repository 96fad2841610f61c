"""Runs command lines as processes that can be killed at a request. The other end of `tests.support.crash_child`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.crash_child import Order

ROOT: Final = Path(__file__).parents[2]
BEFORE, AFTER, HELD, HALF, UNREAD = "before", "after", "held", "half", "unread"


@dataclass(frozen=True)
class Kill:
    """When to die: before the n-th request is sent (from 1), or after its answer came and before anybody saw it.

    `HELD`: before it is sent, and `Ran.held` has the request, for a network that delivers it later. `HALF`: half of its
    bytes have left. `UNREAD`: the server has acted, and nothing of its answer was read.
    """

    request: int
    side: str = AFTER

    def __str__(self) -> str:
        return f"{self.side} request {self.request}"


@dataclass(frozen=True)
class Ran:
    """What became of one process."""

    status: int
    """Its exit status; -9 if it was killed."""
    output: str
    arguments: tuple[str, ...]
    requests: tuple[str, ...]
    """Method and path of each request that it sent, in the order in which it sent them."""

    held: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The request that was kept, as `requests.request` takes it. It holds a credential."""

    @property
    def killed(self) -> bool:
        """Whether it died by SIGKILL."""
        return self.status == -9


class Processes:
    """A warm program whose forks are the processes. One order at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crash_child"],
            cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self._answer() != "ready":
            self.close()
            raise AssertionError("the program that forks did not start; see its error above")

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        given: str = "",
        kill: Kill | None = None,
        workers: int = 1,
        batch: int = 0,
    ) -> Ran:
        """Run one command line to its end, or to the chosen request, with this on its standard input."""
        order = Order(
            arguments=list(arguments),
            input=given,
            folder=str(folder),
            environment={"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder), **environment},
            output=str(self._folder / "output"),
            requests=str(self._folder / "requests"),
            workers=workers,
            batch=batch,
            die_at=kill.request if kill else 0,
            side=kill.side if kill else AFTER,
            held=str(self._folder / "held"),
        )
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = os.waitstatus_to_exitcode(int(self._answer()))
        output = Path(order["output"]).read_text(encoding="utf-8", errors="replace")
        made = tuple(Path(order["requests"]).read_text(encoding="utf-8").splitlines())
        held = json.loads(Path(order["held"]).read_text(encoding="utf-8")) if order["side"] == HELD else {}
        return Ran(status, output, tuple(arguments), made, held)

    def close(self) -> None:
        """End the program."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(10)
        self._server.stdout.close()

    def _answer(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Processes, with a private folder for what they print."""
    made = Processes(folder)
    try:
        yield made
    finally:
        made.close()
