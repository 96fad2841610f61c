"""Writing a command's outcome in the formats that were asked for: one on standard output, any number into files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from reconciler.cli.options import Terminal, exit_code
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from reconciler.model.finding import Finding
    from reconciler.report.junit import Case

FORMATS: Final = ("text", "json", "markdown", "sarif", "junit")
_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command has to tell. Each form is made only if somebody asked for it."""

    command: str
    text: Callable[[Console], None]
    data: Callable[[], dict[str, Any]]
    markdown: Callable[[], str]
    findings: Callable[[], Sequence[Finding]]
    rules: Callable[[], Mapping[str, str]]
    """What the rules of the findings mean, each in a sentence."""
    checked: Sequence[str] = ()
    """What was looked at (tenants, mostly), found fault with or not."""
    fails: Callable[[Finding], bool] | None = None
    """Which findings are failures for JUnit; None: what is an error."""
    cases: Callable[[], Sequence[Case]] | None = None
    """JUnit's cases, where they are not the findings."""


@dataclass(frozen=True, slots=True)
class Output:
    """The formats that were asked for."""

    format: str = "text"
    files: tuple[tuple[str, Path], ...] = ()
    """Format and file, for each `--report`."""
    command: str = ""

    @property
    def for_people(self) -> bool:
        """Whether standard output is read by people."""
        return self.format == "text"

    def write(self, terminal: Terminal, outcome: Outcome, *, told: bool = False) -> None:
        """Write every form. The files first: what ends the reading of standard output must not cost them.

        `told`: people have seen it already, on standard error.
        """
        for form, path in self.files:
            path.write_text(rendered(form, outcome), encoding="utf-8")
        if self.for_people and not told:
            outcome.text(terminal.console())
        elif not self.for_people:
            click.echo(rendered(self.format, outcome).rstrip("\n"))

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell an error that ends the command in every form that was asked for. It goes on its way then."""
        try:
            yield
        except ReconcilerError as error:
            for form, path in self.files:
                path.write_text(_failed(form, self.command, error), encoding="utf-8")
            if not self.for_people:
                click.echo(_failed(self.format, self.command, error).rstrip("\n"))
            raise


def output_options(function: _F) -> _F:
    """`--format` and `--report`, given to the command as one `output`."""

    def chosen(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> Output:
        files = tuple(_parsed(one) for one in value)
        return Output(ctx.params.pop("output_format"), files, ctx.info_name or "")

    function = click.option(
        "--report",
        "output",
        metavar="FORMAT=FILE",
        multiple=True,
        callback=chosen,
        help=f"Write the outcome into a file as well, as {', '.join(FORMATS)}. Repeatable.",
    )(function)
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        is_eager=True,
        help="Format on standard output.",
    )(function)


def _parsed(text: str) -> tuple[str, Path]:
    form, sign, file = text.partition("=")
    if form not in FORMATS or not sign or not file:
        raise click.BadParameter(f"{text!r} is not FORMAT=FILE with a format of {', '.join(FORMATS)}")
    return form, Path(file)


def rendered(form: str, outcome: Outcome) -> str:
    """An outcome in one format."""
    if form == "text":
        return _plain(outcome.text)
    if form == "json":
        return as_text(outcome.data())
    if form == "markdown":
        return outcome.markdown()
    return _for_tools(form, outcome)


def _for_tools(form: str, outcome: Outcome) -> str:
    from reconciler.report.junit import is_error, junit, suites
    from reconciler.report.sarif import sarif

    if form == "sarif":
        return sarif(outcome.findings(), outcome.rules(), folder_in_repository())
    if outcome.cases is not None:
        return suites(outcome.command, outcome.cases())
    return junit(outcome.command, outcome.findings(), outcome.checked, outcome.fails or is_error)


def _failed(form: str, command: str, error: ReconcilerError) -> str:
    from reconciler.report import data, findings, review

    return rendered(
        form,
        Outcome(
            command,
            text=lambda console: console.print(str(error)),
            data=lambda: data.failure(error, exit_code(error)),
            markdown=lambda: review.failure(command, error),
            findings=lambda: findings.of_error(error),
            rules=lambda: findings.RULES,
        ),
    )


def _plain(draw: Callable[[Console], None]) -> str:
    from io import StringIO

    from rich.console import Console

    file = StringIO()
    draw(Console(file=file, color_system=None, highlight=False, markup=False, emoji=False))
    return file.getvalue()


def as_text(document: dict[str, Any]) -> str:
    """A JSON document as commands print it."""
    import json

    return json.dumps(document, indent=2)


def folder_in_repository() -> str:
    """The current folder as seen from the Git repository's root: empty there, and where there is no repository."""
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return here.relative_to(top).as_posix().removeprefix(".")
