"""Runs the real command line in processes of its own, and shows what a person would see of it.

Where we are on a terminal the child gets one too, a pseudo-terminal as wide as ours, so that its colours are real. Every
command also logs at DEBUG: that goes to a file, with the progress that it reports, and is searched at the end.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import tty
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

_TIMEOUT: Final = 120.0
_NARROWEST: Final = 80
_CHUNK: Final = 65536


@dataclass(frozen=True, slots=True)
class Ran:
    """One command that ran: what it printed, as files, and its exit code."""

    code: int
    output: Path
    log: Path
    seconds: float


@dataclass(slots=True)
class Shell:
    """Runs commands in one folder, and keeps all that they print."""

    console: Console
    folder: Path
    outputs: Path
    ran: list[Ran] = field(default_factory=list)

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], *, pasted: str = "", quiet: bool = False
    ) -> Ran:
        """Show a `reconciler` command line, run it, show its output. `pasted`: what it gets on standard input.

        `quiet` shows nothing of it; its output is kept all the same.
        """
        if not quiet:
            line = Text.assemble(("$ ", "dim"), ("reconciler " + " ".join(command), "bold"))
            line.append("  # id and secret are pasted" if pasted else "", style="dim not bold")
            self.console.print(line, soft_wrap=True)
        stem = f"{len(self.ran) + 1:02d}-{command[0]}"
        plain = ["--no-color"] if self.console.color_system is None else []
        output, log = self.outputs / f"{stem}.out", self.outputs / f"{stem}.log"
        began = time.monotonic()
        with output.open("wb") as out, log.open("wb") as err:
            code = self._child(
                [sys.executable, "-m", "reconciler", "--verbose", *plain, *command],
                environment,
                out.fileno(),
                err.fileno(),
                pasted.encode(),
            )
        ran = Ran(code, output, log, time.monotonic() - began)
        self.ran.append(ran)
        if not quiet:
            self._show(output)
        return ran

    def _child(self, command: list[str], environment: Mapping[str, str], out: int, err: int, pasted: bytes) -> int:
        variables = {**environment, "COLUMNS": str(max(_NARROWEST, self.console.width)), "PYTHONIOENCODING": "utf-8"}
        if not self.console.is_terminal:
            return subprocess.run(  # noqa: S603  our own command line
                command, cwd=self.folder, env=variables, input=pasted, stdout=out, stderr=err, timeout=_TIMEOUT, check=False,
            ).returncode  # fmt: skip
        master, slave = os.openpty()
        try:
            tty.setraw(slave)
            with subprocess.Popen(  # noqa: S603  our own command line
                command, cwd=self.folder, env=variables, stdin=subprocess.PIPE, stdout=slave, stderr=err
            ) as process:
                os.close(slave)
                assert process.stdin is not None  # noqa: S101  it was asked for
                with process.stdin as stdin:
                    stdin.write(pasted)
                while chunk := _read(master):
                    os.write(out, chunk)
                return process.wait(_TIMEOUT)
        finally:
            os.close(master)

    def _show(self, output: Path) -> None:
        self.console.file.write(output.read_text(encoding="utf-8"))
        self.console.file.flush()


def _read(master: int) -> bytes:
    """What the child wrote; nothing when it is gone, which Linux tells by an error."""
    try:
        return os.read(master, _CHUNK)
    except OSError as problem:
        if problem.errno == errno.EIO:
            return b""
        raise
