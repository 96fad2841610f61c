"""`reconciler comment`: one comment per pull request, kept up to date, from Markdown that other commands wrote."""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep

import click

from reconciler.cli.options import exit_codes
from reconciler.model.outcome import ExitCode


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "the comment says what the files say",
            ExitCode.ERROR: "error (a file, wrong usage, GitHub); it may be written all the same",
        }
    )
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--pull-request", required=True, type=click.IntRange(1), metavar="N", help="The pull request's number.")
@click.option("--repository", default="", metavar="OWNER/REPO", help="The repository. [default: GITHUB_REPOSITORY]")
@click.option(
    "--name",
    default="",
    metavar="TEXT",
    help="Which comment it is, where a pull request has several: one for each estate of a repository, such as its folder.",
)
def command(files: tuple[Path, ...], pull_request: int, repository: str, name: str) -> ExitCode:
    """Write the Markdown of files, in their order, into the one comment of a pull request.

    A second run changes that comment instead of writing another one. What is too long for a comment is cut at the end,
    with a note. The token is in GITHUB_TOKEN, and the API's address in GITHUB_API_URL.
    """
    from contextlib import closing

    from reconciler.errors import InvalidInput, printable
    from reconciler.notify.github import GitHub, Place, token_from
    from reconciler.notify.sticky import joined, upsert

    place, token = Place.of(os.environ, repository), token_from(os.environ)
    parts = []
    for file in files:
        try:
            parts.append(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise InvalidInput("this is not text in UTF-8", where=printable(str(file))) from None
    with closing(GitHub(place, token, sleep=sleep)) as github:
        comment = upsert(github, pull_request, name, joined(parts))
    click.echo(printable(comment.html_url) or f"{place.repository}#{pull_request}: comment {comment.id}")
    return ExitCode.DONE
