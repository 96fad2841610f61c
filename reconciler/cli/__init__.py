"""The command line: one thin module per command (parse, call, render), and the shell around them.

The shell is this package's `main`. It turns whatever a command returns or raises into an exit status and a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "process"]


def process() -> NoReturn:
    """Be the process that runs its own command line, to its end."""
    from reconciler.cli.run import leave

    leave(main())


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line (by default the process's own) and return its exit status. Raises nothing."""
    from reconciler.cli.run import run

    return run(args)
