"""Ctrl-C while an apply is at work: the first lets the calls under way end, the second ends the process at once.

Ending at once loses nothing: it is like a kill, and the next run finds out what became of the calls that were under way.
Only the lease stays behind, until it runs out.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from reconciler.cli.options import INTERRUPTED


class _Announced(threading.Event):
    """A stop that says so, at the moment at which it is asked for."""

    def set(self) -> None:
        """Begin nothing new from now on."""
        super().set()
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as in a background job
                signal.signal(signal.SIGINT, _leave)
            # Some send this one twice, and mean no more by it.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        click.echo(
            "interrupted: finishing the calls under way, beginning nothing new; press again to leave at once", err=True
        )


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """The event that stops a run. What signals do is as before in the end."""
    stop = _Announced()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    # No buffered stream and no clean-up here: both may be what hangs.
    os.write(2, b"interrupted again: left at once; run again once this run's lease has run out\n")
    os._exit(INTERRUPTED)
