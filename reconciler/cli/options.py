"""What commands share: options, the exit-code section of `--help`, and where output goes.

A command is a `click.Command` that its module calls `command`; its callback returns an `ExitCode`. `--no-color` and
`--verbose` are added to every command, so that `reconciler -v plan` and `reconciler plan -v` mean the same.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from reconciler.errors import InvalidInput, LeaseHeld, ReconcilerError, Stopped, printable
from reconciler.model.outcome import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells give it (128 + SIGINT)."""

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(slots=True)
class Terminal:
    """How to talk to whoever started us. A command gets it by `@click.pass_obj`."""

    color: bool
    """Whether colour is wanted at all: neither NO_COLOR, `--no-color` nor a dumb terminal says no."""
    verbose: bool = False

    def console(self, *, stderr: bool = False) -> Console:
        """A rich console on standard output (results) or standard error (progress); plain where that is no terminal."""
        from rich.console import Console

        class Screen(Console):
            """Leaves a broken pipe to the shell around the command, and draws in ASCII where that is asked for."""

            def on_broken_pipe(self) -> None:
                raise  # noqa: PLE0704  rich calls this where it caught the BrokenPipeError

            @property
            def encoding(self) -> str:
                return "ascii" if _ascii_wanted() else super().encoding

        stream = sys.stderr if stderr else sys.stdout
        interactive = stream.isatty()
        return Screen(
            stderr=stderr,
            color_system="auto" if self.color and interactive else None,
            force_terminal=interactive,
            highlight=False,
            markup=False,
            emoji=False,
        )


def _ascii_wanted() -> bool:
    """Whether the locale is said to be C or POSIX. Python writes UTF-8 all the same, and the terminal may not show it."""
    said = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return next((locale for locale in said if locale), "") in {"C", "POSIX"}


def terminal(ctx: click.Context) -> Terminal:
    """The run's terminal settings, made at first need."""
    root = ctx.find_root()
    if root.obj is None:
        root.obj = Terminal(color=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
        ctx.obj = root.obj
    settings: Terminal = root.obj
    return settings


def _no_color(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    settings = terminal(ctx)
    settings.color = settings.color and not value
    if not settings.color:
        ctx.color = False


def _verbose(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    settings = terminal(ctx)
    if value and not settings.verbose:
        settings.verbose = True
        log_everything()


def common_options() -> list[click.Parameter]:
    """`--no-color` and `-v`, which every command takes."""
    return [
        click.Option(
            ["--no-color"],
            is_flag=True,
            expose_value=False,
            callback=_no_color,
            help="Plain text, as with NO_COLOR set.",
        ),
        click.Option(
            ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_verbose, help="Log what is done to stderr."
        ),
    ]


class _LineFormatter(logging.Formatter):
    """Log lines that cannot steer a terminal. Of an exception only the type is shown: its text may quote a server."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  the name is the library's
        return f"({ei[0].__name__})"

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record).replace("\n", " "))


def log_everything() -> None:
    """Log at DEBUG to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


def exit_codes(codes: Iterable[ExitCode] | Mapping[ExitCode, str], *, interrupted: str = "") -> str:
    """The "Exit codes" section of a command's help, for `epilog`. A mapping says what a code means for this command.

    `interrupted` says what 130 means, for a command of which more is to be said than that Ctrl-C ended it.
    """
    meanings = codes if isinstance(codes, Mapping) else {code: code.meaning for code in codes}
    told = [(f"{code:d}", meanings[code]) for code in sorted(meanings)]
    if interrupted:
        told.append((f"{INTERRUPTED:d}", interrupted))
    width = max(len(code) for code, _ in told)
    lines = [f"  {code:>{width}}  {meaning}" for code, meaning in told]
    # Backspace on a line of its own tells click not to refill the paragraph.
    return "\n".join(["\b", "Exit codes:", *lines])


def exit_code(error: ReconcilerError) -> ExitCode:
    """The exit code of a command that an error ended."""
    if isinstance(error, LeaseHeld):
        return ExitCode.LEASE_HELD
    return ExitCode.STOPPED if isinstance(error, Stopped) else ExitCode.ERROR


def auto_approve_option(function: _F) -> _F:
    """`--auto-approve`, given to the command as `auto_approve`."""
    return click.option("--auto-approve", is_flag=True, help="Do not ask. Needed where there is no terminal.")(function)


def may_ask(*, auto_approve: bool, hint: str) -> bool:
    """Whether somebody is to be asked before anything is done. InvalidInput with the hint if nobody is there to be asked."""
    asks = sys.stdin is not None and sys.stdin.isatty() and not auto_approve
    if not asks and not auto_approve:
        raise InvalidInput("nobody can be asked here", hint=hint)
    return asks


def lease_timeout_option(function: _F) -> _F:
    """`--lease-timeout SECONDS`, given to the command as `lease_timeout`."""
    return click.option(
        "--lease-timeout",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SECONDS",
        show_default=True,
        help="How long to wait for a tenant that another run is at work on.",
    )(function)


def allow_option(command: _F) -> _F:
    """`--allow`, repeatable."""
    return click.option(
        "--allow",
        metavar="RULE:TENANT[/KIND/NAME]",
        multiple=True,
        help="Let this run pass a guardrail that stops it, or do not count one object for it. Named as the message spells "
        "it. Repeatable.",
    )(command)


def format_option(*choices: str) -> Callable[[_F], _F]:
    """`--format`, the first choice being the default; given to the command as `output_format`."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Output format.",
    )


def estate_option(function: _F) -> _F:
    """`--estate DIR`, given to the command as `estate`."""
    return click.option(
        "--estate",
        type=click.Path(path_type=Path, exists=True),
        default=Path(),
        metavar="DIR",
        help="The estate's folder. [default: the current one]",
    )(function)


def cache_option(function: _F) -> _F:
    """`--no-cache`, given to the command as `no_cache`. For commands that write nothing: others know no cache."""
    return click.option(
        "--no-cache", is_flag=True, help="Read every manifest anew, and keep nothing of it for the next run."
    )(function)


def target_option(function: _F) -> _F:
    """`--target TARGET…`, given to the command as `target`."""
    return click.option(
        "--target",
        multiple=True,
        metavar="TARGET",
        help="Only this: TENANT, TENANT/KEY or TENANT/KIND/NAME. Guardrails still count everything. Repeatable.",
    )(function)


def trust_option(function: _F) -> _F:
    """`--trust-endpoints`, given to the command as `trust_endpoints`."""
    return click.option(
        "--trust-endpoints",
        is_flag=True,
        help="Send credentials from the environment to any endpoint that the manifests name, not to loopback only.",
    )(function)


def trusted_option(function: _F) -> _F:
    """`--trusted-ref REF`, given to the command as `trusted_ref`."""
    return click.option(
        "--trusted-ref",
        metavar="REF",
        help="Take what decides where credentials go (the Vault, its state, endpoint maps) and the limits from this Git "
        "revision, not from the files here, and show every difference.",
    )(function)
