"""Runs the command line: what a command returns becomes the exit status, and what it raises a sentence as well.

Nobody sees a traceback: of a bug of ours they read its type and place, and `--verbose` shows the frames. The exception's
own text and local variables are not shown even then, for they could hold a secret.
"""

from __future__ import annotations

import atexit
import os
import resource
import select
import shutil
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Final, NoReturn, TextIO

import click

from reconciler.cli.group import BrokenPipe, group
from reconciler.cli.options import INTERRUPTED, exit_code
from reconciler.errors import ReconcilerError, printable
from reconciler.model.outcome import ExitCode

READER_GONE: Final = 141
"""Exit status when the reader of our output went away, as shells give it (128 + SIGPIPE)."""
_PRINTERS: Final = frozenset({"click.utils", "rich.console", __name__})
"""The modules that write to our streams."""
_VERBOSE: Final = frozenset({"-v", "--verbose"})


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold every secret in memory
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = (
        "__all__"  # one sees all that is validated; and looking for some takes time
    )
    args = list(sys.argv[1:] if args is None else args)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  for as long as the process lives
    if sys.stdout is None:  # the next file or connection would take its number, and get what is meant for it
        _say("error: standard output is closed\nhint: send it to /dev/null if nobody is to read it")
        return ExitCode.ERROR
    try:
        for stream in (sys.stdout, sys.stderr):
            _never_fail_to_encode(stream)
        with _ended_like_interrupted():
            status = _invoke(args)
        sys.stdout.flush()
    except SystemExit as end:  # click leaves this way after a shell completion
        status = end.code if isinstance(end.code, int) else ExitCode.DONE
        if status and _reader_is_gone(sys.stdout):  # … and after a broken pipe while it printed the group's help
            status = READER_GONE
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        status = INTERRUPTED
    except click.ClickException as problem:
        status = _wrong_usage(problem)
    except ReconcilerError as problem:
        status = _explained(problem)
    except Exception as problem:  # noqa: BLE001  the last line of defence
        status = _unexpected(problem, verbose=not _VERBOSE.isdisjoint(args))
    return status


def leave(status: int) -> NoReturn:
    """End the process. What it has loaded is not taken apart object by object, which could take longer than loading it."""
    if threading.active_count() > 1:  # somebody's thread, which the interpreter waits for
        sys.exit(status)
    atexit._run_exitfuncs()  # noqa: SLF001  a plugin's, perhaps
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # `run` has said what is wrong with it, if it could
            stream.flush()
    os._exit(status)


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Let SIGTERM, which pipelines and clusters send, end a run as cleanly as Ctrl-C does: leases are given back."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _invoke(args: list[str]) -> int:
    result = group.main(args, prog_name="reconciler", standalone_mode=False)
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _never_fail_to_encode(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _reader_is_gone(stream: TextIO) -> bool:
    """Whether the pipe that broke is this stream's. If so, the interpreter's own flush at exit is led elsewhere."""
    try:
        number = stream.fileno()
    except OSError:
        return False  # no file of the system's
    watch = select.poll()
    watch.register(number, 0)
    if not any(event & select.POLLERR for _, event in watch.poll(0)):
        return False
    _lead_elsewhere(number)
    return True


def _lead_elsewhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _was_printing(problem: OSError) -> bool:
    """Whether our output could not be written: on a full disk, mostly. Then what is left of it is led elsewhere."""
    frames = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(problem.__traceback__)]
    if isinstance(problem, BrokenPipeError) or frames[-1] not in _PRINTERS:
        return False
    with suppress(OSError):
        _lead_elsewhere(sys.stdout.fileno())
    return True


def _say(text: str) -> None:
    lines = [printable(line) for line in text.splitlines()]
    with suppress(OSError):  # there is nobody left to tell
        if sys.stderr.isatty():
            lines = [part for line in lines for part in _wrapped(line)]
        click.echo("\n".join(lines), err=True)


def _wrapped(line: str) -> list[str]:
    """The line in parts that fit into the terminal. Words, mostly paths, stay whole, so that they can be copied."""
    width = shutil.get_terminal_size().columns
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) if len(line) > width else [line]


def _wrong_usage(problem: click.ClickException) -> int:
    _say(f"error: {problem.format_message()}")
    if isinstance(problem, click.UsageError) and problem.ctx is not None:
        _say(f"{problem.ctx.get_usage()}\nTry '{problem.ctx.command_path} --help'.")
    return ExitCode.ERROR


def _explained(problem: ReconcilerError) -> int:
    for one in getattr(problem, "problems", ()):
        _say(" ".join(str(one).split()))
    _say(f"error: {problem.where}: {problem.what}" if problem.where else f"error: {problem.what}")
    if problem.hint:
        _say(f"hint: {problem.hint}")
    return exit_code(problem)


def _unexpected(problem: BaseException, *, verbose: bool) -> int:
    if isinstance(problem, BrokenPipe):
        problem = problem.problem
    if isinstance(problem, BrokenPipeError) and _reader_is_gone(sys.stdout):
        return READER_GONE
    if isinstance(problem, OSError) and problem.strerror and problem.filename is not None:
        _say(f"error: {os.fsdecode(problem.filename)}: {problem.strerror}")
        return ExitCode.ERROR
    if isinstance(problem, OSError) and _was_printing(problem):
        _say(f"error: standard output cannot be written: {problem.strerror}")
        return ExitCode.ERROR
    if verbose:
        _say("".join(traceback.format_tb(problem.__traceback__)))
    hint = "" if verbose else "; run with --verbose for the traceback"
    _say(f"internal error: {type(problem).__name__} at {_place(problem.__traceback__)}{hint}")
    return ExitCode.ERROR


def _place(trace: TracebackType | None) -> str:
    """Module and line of the innermost frame of ours, or of the innermost one at all."""
    frames = [(str(frame.f_globals.get("__name__")), line) for frame, line in traceback.walk_tb(trace)]
    ours = [frame for frame in frames if frame[0].partition(".")[0] == "reconciler"]
    return "{}:{}".format(*(ours or frames)[-1])
