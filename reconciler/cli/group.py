"""The `reconciler` group. It knows its commands by a table, and imports a command's module only when that command runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

import reconciler
from reconciler.cli.options import common_options, terminal
from reconciler.model.outcome import ExitCode
from reconciler.suggest import near


class Entry(NamedTuple):
    """A command: the module whose `command` it is, and its line in `reconciler --help`."""

    module: str
    summary: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "init": Entry("reconciler.cli.init", "Start an estate: a few manifests with comments that teach."),
    "validate": Entry("reconciler.cli.validate", "Check manifests and report every problem with its place."),
    "fmt": Entry("reconciler.cli.fmt", "Bring manifests into the usual order and style; comments stay."),
    "schema": Entry("reconciler.cli.schema", "Write JSON Schemas of the manifests, for editors."),
    "explain": Entry("reconciler.cli.explain", "Say what a manifest's field means."),
    "doctor": Entry("reconciler.cli.doctor", "Check the set-up, and say what is wrong and how to mend it."),
    "access-diff": Entry(
        "reconciler.cli.access_diff", "Say what a change in Git means for access: who gains, who loses."
    ),
    "plan": Entry("reconciler.cli.plan", "Show what would be done to make vendors and Vault match the manifests."),
    "apply": Entry("reconciler.cli.apply", "Do what the plan says, and store every new secret in Vault."),
    "drift": Entry("reconciler.cli.drift", "Tell what differs and did not come from Git, and whom to tell."),
    "import": Entry("reconciler.cli.import_", "Adopt what exists at a vendor: manifests for it, and records."),
    "revoke": Entry("reconciler.cli.revoke", "End leaked keys now, at the vendor and in Vault."),
    "unlock": Entry("reconciler.cli.unlock", "Take the lease on a tenant from a run that is dead."),
    "state": Entry("reconciler.cli.state", "Show what is known of a tenant, or rebuild it from vendor and Vault."),
    "rotate": Entry("reconciler.cli.rotate", "Give a key its next secret now."),
    "handoff": Entry(
        "reconciler.cli.handoff", "List what waits for a person, and take in what the person brings back."
    ),
    "comment": Entry("reconciler.cli.comment", "Keep one comment of a pull request up to date, from Markdown files."),
    "providers": Entry("reconciler.cli.providers", "List the providers: what each can do, and how sure we are."),
    "emulate": Entry("reconciler.cli.emulate", "Serve vendor emulators on this machine."),
    "demo": Entry("reconciler.cli.demo", "Watch the whole story run on this machine."),
}
"""In the order in which people meet them."""


class BrokenPipe(Exception):
    """Some pipe broke: standard output, or a connection."""

    def __init__(self, problem: BrokenPipeError) -> None:
        super().__init__()
        self.problem = problem


class LazyGroup(click.Group):
    """A group that lists its commands from `COMMANDS` and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All commands, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            command: click.Command = import_module(COMMANDS[cmd_name].module).command
            for one in (command, *getattr(command, "commands", {}).values()):
                one.params.extend(common_options())
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. click would take any broken pipe for a reader that went away, and exit in silence."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as problem:
            raise BrokenPipe(problem) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table; importing nothing is what keeps `--help` instant."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to run; an unknown one is answered with the nearest names."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            nearest = near(args[0], COMMANDS, 3)
            hint = f" Did you mean {' or '.join(repr(name) for name in nearest)}?" if nearest else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    "reconciler",
    cls=LazyGroup,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'reconciler COMMAND --help' explains a command and lists its exit codes.",
    params=common_options(),
)
@click.version_option(reconciler.__version__, prog_name="reconciler", message="%(prog)s %(version)s")
@click.pass_context
def group(ctx: click.Context) -> ExitCode | None:
    """API keys of security products as code: YAML in Git, keys at the vendor, secrets in Vault.

    Manifests declare tenants, access levels and keys. 'plan' shows what differs from what the vendors and Vault hold,
    'apply' makes it so. No secret is ever shown.
    """
    terminal(ctx)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return ExitCode.ERROR
    return None
