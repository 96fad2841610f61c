"""`reconciler demo`: the whole story on one machine, with the real command line, a real OpenBao and emulated vendors."""

from __future__ import annotations

import click

from reconciler.cli.options import Terminal, exit_codes
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode

_EXTRAS = "pip install 'access-reconciler[emulator,openbao]'"


@click.command(
    epilog=exit_codes({ExitCode.DONE: "everything went as it should", ExitCode.ERROR: "something did not; it is named"})
)
@click.option(
    "--keep", is_flag=True, help="Keep the folder with manifests, outputs, logs and state, and say where it is."
)
@click.option("--slow", is_flag=True, help="Wait before every step, long enough to read the last one.")
@click.pass_obj
def command(terminal: Terminal, keep: bool, slow: bool) -> ExitCode:
    """Take an example estate from YAML to keys in a secrets server, through drift and repair, on this machine alone.

    Starts a vendor emulator for each tenant and a real OpenBao server in memory, both on the loopback address, runs the
    commands that a person would type, and plays the people who click in the vendors' consoles. At the end every key has to
    authenticate with the secret read from OpenBao, and everything that was printed, logged or written to disk is searched
    for every secret that the vendors ever issued.
    """
    try:
        from reconciler.cli.demo.story import tell
    except ModuleNotFoundError as missing:
        raise InvalidInput(f"the demo needs the package {missing.name!r}", hint=_EXTRAS) from None
    return tell(terminal.console(), keep=keep, pause=3.0 if slow else 0.0)
