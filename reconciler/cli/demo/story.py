"""The story that the demo tells, step by step. It stops at the first step that does not end as it should."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from reconciler.cli.demo.person import Person
from reconciler.cli.demo.proof import Claim, claims
from reconciler.cli.demo.shell import Ran, Shell
from reconciler.cli.demo.stage import Identity, Stage, stage
from reconciler.model.outcome import ExitCode
from reconciler.report.lines import prose

_PENDING, _DONE, _HANDOFF = ExitCode.PENDING, ExitCode.DONE, ExitCode.HANDOFF


@dataclass(frozen=True, slots=True)
class Step:
    """One command: what is told before it, who runs it, and how it has to end.

    `brings`: the target whose key a person has made. Its file's path follows `--key-file`; else id and secret are pasted.
    """

    title: str
    told: str
    command: tuple[str, ...]
    identity: Identity | None
    expected: ExitCode
    brings: str = ""


_BEFORE = (
    Step(
        "The pull request is checked",
        "Every problem would be listed with its file, line and column. Nobody is called.",
        ("validate",),
        None,
        _DONE,
    ),
    Step(
        "What would change",
        "The planning identity lists what the vendors have and reads Vault's metadata. It can read no issued secret, "
        "and its transport refuses every request that is not a read. Exit code 2: changes are pending.",
        ("plan", "--detailed-exitcode", "--out", "first.plan.json"),
        "plan",
        _PENDING,
    ),
    Step(
        "The reviewed plan is applied",
        "The plan that was shown is what is done. Each secret goes from the vendor's answer straight to OpenBao, and is "
        "tried out on the way. Two vendors have no API that makes keys: there a person is asked, and exit code 6 says so.",
        ("apply", "first.plan.json", "--auto-approve"),
        "apply",
        _HANDOFF,
    ),
)
_HANDOFFS = (
    Step(
        "A downloaded key file is handed in",
        "The key is tried at the vendor, its secret goes to OpenBao, and the file is removed.",
        ("handoff", "complete", "lw-prod/splunk", "--remove-key-file", "--key-file"),
        "apply",
        _DONE,
        brings="lw-prod/splunk",
    ),
    Step(
        "The next run finds what was clicked",
        "The new access level is known by the mark in its description. For the key the vendor's audit log tells that "
        "somebody has made it, and nobody is asked twice.",
        ("apply", "--auto-approve"),
        "apply",
        _HANDOFF,
    ),
    Step(
        "A copied secret is handed in",
        "It is asked for without being shown, and one that does not work would be refused. A pipe does as well.",
        ("handoff", "complete", "cbc-prod/splunk"),
        "apply",
        _DONE,
        brings="cbc-prod/splunk",
    ),
)
_IN_SYNC = (
    Step("Nothing is left to do", "", ("apply", "--auto-approve"), "apply", _DONE),
    Step(
        "In sync",
        "What no manifest declares is named and left alone: here what an administrator made at the vendors before.",
        ("plan", "--detailed-exitcode"),
        "plan",
        _DONE,
    ),
)
_AFTER = (
    Step(
        "The next plan sees it",
        "Drift: what differs from Git although Git has not changed. The key that was clicked together is unmanaged.",
        ("plan", "--detailed-exitcode"),
        "plan",
        _PENDING,
    ),
    Step(
        "Apply repairs it",
        "The manifests win. No new secret is needed for that, and the unmanaged key stays as it is.",
        ("apply", "--auto-approve"),
        "apply",
        _DONE,
    ),
    Step("In sync again", "", ("plan", "--detailed-exitcode"), "plan", _DONE),
)
_LIST = ("handoff", "--format", "json")
_STEPS = len(_BEFORE) + 1 + len(_HANDOFFS) + len(_IN_SYNC) + 1 + len(_AFTER) + 1


class _Failed(Exception):
    """A step did not end as it had to."""


class _Tee:
    """A stream that also writes to a file, so that what was shown can be searched."""

    def __init__(self, stream: IO[str], copy: IO[str]) -> None:
        self._stream = stream
        self._copy = copy

    def write(self, text: str) -> int:
        self._copy.write(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._copy.flush()
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@dataclass(slots=True)
class Teller:
    """Tells one step after the other on a console."""

    stage: Stage
    console: Console
    shell: Shell
    pause: float
    person: Person
    told: int = 0

    def heading(self, title: str, told: str) -> None:
        """Begin a step."""
        if self.told:
            time.sleep(self.pause)
        self.told += 1
        self.console.print()
        self.console.print(Rule(Text(f"{self.told}/{_STEPS}  {title}", style="bold"), align="left", style="dim"))
        if told:
            self.console.print(Text(told, style="italic"))
            self.console.print()

    def step(self, step: Step) -> Ran:
        """Tell of a command, and run it. Raises _Failed if it ends in any other way than it has to."""
        self.heading(step.title, step.told)
        command, pasted = step.command, ""
        if step.brings in self.person.files:
            command = (*command, os.path.relpath(self.person.files[step.brings], self.stage.manifests))
        elif step.brings:
            pasted = self.person.pasted[step.brings]
        ran = self.shell.run(command, self.stage.environment(step.identity), pasted=pasted)
        expected = ran.code == step.expected
        self.console.print(
            Text.assemble(
                ("→ ", "dim"),
                (f"exit code {ran.code}", "bold green" if expected else "bold red"),
                (f", {ran.seconds:.1f} s", "dim"),
            )
        )
        if not expected:
            raise _Failed(f"it had to be {int(step.expected)}", _tail(ran.log))
        return ran

    def roll_out(self) -> None:
        """From manifests to keys, those included that a person makes."""
        for step in _BEFORE:
            self.step(step)
        self.handoffs()
        for step in _HANDOFFS:
            self.step(step)

    def handoffs(self) -> None:
        """Let a person do what waits for one. Raises _Failed if nothing does."""
        self.heading("A person does what was asked for", "In the consoles of the two vendors, by the steps above.")
        listed = self.shell.run(_LIST, self.stage.environment("plan"), quiet=True)
        if listed.code != _HANDOFF:
            raise _Failed(f"no handoff is open: exit code {listed.code}", _tail(listed.log))
        self.lines(self.person.work_off(listed.output.read_text(encoding="utf-8")))

    def meddling(self) -> None:
        """Let people change things at every vendor."""
        self.heading("Somebody clicks in the vendors' consoles", "")
        for tenant in self.stage.estate.tenants:
            self.lines(f"{tenant.name}: {line}" for line in self.stage.vendors[tenant.name].meddle(tenant))

    def lines(self, done: Iterable[str]) -> None:
        """Tell what people do while they do it."""
        for line in done:
            prose(self.console, Text(f"✎ {line}"))


def tell(console: Console, *, keep: bool, pause: float) -> ExitCode:
    """Tell the whole story on this console. `pause` in seconds between the steps."""
    began = time.monotonic()
    with (
        stage(keep=keep) as set_up,
        (set_up.folder / "output" / "shown.txt").open("w", encoding="utf-8") as copy,
    ):
        stream = console.file
        console.file = _Tee(stream, copy)  # type: ignore[assignment]
        try:
            shell = Shell(console, set_up.manifests, set_up.folder / "output")
            teller = Teller(set_up, console, shell, pause, Person(set_up.vendors, set_up.downloads))
            failed = _story(teller)
            _closing(teller, failed, time.monotonic() - began)
        finally:
            console.file = stream
        if keep:
            console.print(f"  kept: {set_up.folder}", soft_wrap=True)
    return ExitCode.ERROR if failed else ExitCode.DONE


def _story(teller: Teller) -> bool:
    """Everything up to the proof; whether something failed."""
    set_up, console = teller.stage, teller.console
    _opening(teller)
    try:
        teller.roll_out()
        for step in _IN_SYNC:
            teller.step(step)
        teller.meddling()
        for step in _AFTER:
            teller.step(step)
    except _Failed as failed:
        what, log = failed.args
        console.print(Text.assemble(("✘ ", "bold red"), what), soft_wrap=True)
        console.print(Text(log), soft_wrap=True)
        return True
    teller.heading("The proof", "The demo now acts as the keys' consumer, with OpenBao's root token.")
    found = []
    for claim in claims(set_up):
        found.append(claim)
        _tell_claim(console, claim)
    return not all(claim.holds for claim in found)


def _opening(teller: Teller) -> None:
    set_up = teller.stage
    tenants = set_up.estate.tenants
    products = len({tenant.provider for tenant in tenants})
    width = max(len(tenant.name) for tenant in tenants)
    table = Table.grid(padding=(0, 2))
    what = f"{len(tenants)} tenants of {products} products, {_keys(set_up)} keys"
    table.add_row("the estate", f"{what}: a copy of examples/estate")
    for number, tenant in enumerate(tenants):
        what = "" if number else "the vendors"
        table.add_row(what, f"{tenant.name:<{width}}  emulated {tenant.provider}, {urlsplit(tenant.endpoint).netloc}")
    table.add_row("the vault", f"a real OpenBao server, in memory, at {set_up.bao.address}")
    table.add_row("who we are", "two OpenBao tokens, to plan and to apply, with the policies of docs/vault.md")
    teller.console.print(table)


def _keys(set_up: Stage) -> int:
    return sum(len(tenant.keys) for tenant in set_up.estate.tenants)


def _tell_claim(console: Console, claim: Claim) -> None:
    mark = ("✔ ", "bold green") if claim.holds else ("✘ ", "bold red")
    prose(console, Text.assemble(mark, claim.text))
    for failure in claim.failures:
        console.print(Text(f"    {failure}"), soft_wrap=True)


def _closing(teller: Teller, failed: bool, seconds: float) -> None:
    set_up, console = teller.stage, teller.console
    calls = sum(vendor.emulator.requests.total() for vendor in set_up.vendors.values())
    secrets = sum(len(vendor.emulator.issued) for vendor in set_up.vendors.values())
    ran = len(teller.shell.ran)
    figures = f"{_keys(set_up)} keys, {secrets} secrets issued, {calls} vendor calls, {ran} commands, {seconds:.1f} s"
    console.print()
    console.print(Text(figures, style="bold"))
    if failed:
        console.print(Text("✘ the demo failed", style="bold red"))
    else:
        console.print(
            Text("✔ from YAML to keys that work, with their secrets in OpenBao and nowhere else", style="bold green")
        )


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
