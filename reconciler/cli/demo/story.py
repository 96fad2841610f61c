"""The story that the demo tells, step by step. It stops at the first step that does not end as it should."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from reconciler.cli.demo.proof import Claim, claims
from reconciler.cli.demo.shell import Ran, Shell
from reconciler.cli.demo.stage import Identity, Stage, stage
from reconciler.model.outcome import ExitCode
from reconciler.providers.trend_workload_security.emulator import FULL_ACCESS

_PENDING, _DONE = ExitCode.PENDING, ExitCode.DONE


@dataclass(frozen=True, slots=True)
class Step:
    """One command: what is told before it, who runs it, and how it has to end."""

    title: str
    told: str
    command: tuple[str, ...]
    identity: Identity | None
    expected: ExitCode


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
        "tried out on the way. The table says where it is.",
        ("apply", "first.plan.json", "--auto-approve"),
        "apply",
        _DONE,
    ),
    Step(
        "The second run does nothing",
        "In sync. What no manifest declares is named and left alone: here what an administrator made at the vendor before.",
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
_STEPS = len(_BEFORE) + 1 + len(_AFTER) + 1


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
class _Teller:
    stage: Stage
    console: Console
    shell: Shell
    pause: float
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
        ran = self.shell.run(step.command, self.stage.environment(step.identity))
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
            teller = _Teller(set_up, console, Shell(console, set_up.manifests, set_up.folder / "output"), pause)
            failed = _story(teller)
            _closing(teller, failed, time.monotonic() - began)
        finally:
            console.file = stream
        if keep:
            console.print(f"  kept: {set_up.folder}", soft_wrap=True)
    return ExitCode.ERROR if failed else ExitCode.DONE


def _story(teller: _Teller) -> bool:
    """Everything up to the proof; whether something failed."""
    set_up, console = teller.stage, teller.console
    _opening(teller)
    try:
        for step in _BEFORE:
            teller.step(step)
        teller.heading("Somebody clicks in the vendor's console", "")
        for line in _meddle(set_up):
            console.print(Text(f"  ✎ {line}"), soft_wrap=True)
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


def _opening(teller: _Teller) -> None:
    set_up = teller.stage
    tenants = set_up.estate.tenants
    levels, keys = sum(len(tenant.levels) for tenant in tenants), _keys(set_up)
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "the estate",
        f"{len(tenants)} tenants, {levels} access levels, {keys} keys: a copy of examples/trend with other endpoints",
    )
    for number, tenant in enumerate(tenants):
        what = "" if number else "the vendor"
        table.add_row(what, f"{tenant.name} is an emulated Workload Security at {tenant.endpoint}")
    table.add_row("the vault", f"a real OpenBao server, in memory, at {set_up.bao.address}")
    table.add_row("who we are", "two OpenBao tokens, one to plan and one to apply, under the policies of docs/vault.md")
    teller.console.print(table)


def _keys(set_up: Stage) -> int:
    return sum(len(tenant.keys) for tenant in set_up.estate.tenants)


def _meddle(set_up: Stage) -> Iterator[str]:
    """Change things at the vendor of the first tenant, as a person with access to its console could."""
    tenant = next(iter(set_up.vendors))
    vendor = set_up.vendors[tenant]
    everything = next(role["ID"] for role in vendor.roles() if role["name"] == FULL_ACCESS)
    vendor.edit_key("vulnerability-scanner", roleID=everything)
    yield f"{tenant}: the key vulnerability-scanner gets the role {FULL_ACCESS}, “to see whether that helps”"
    vendor.edit_key("splunk", active=False, timeZone="America/New_York")
    yield f"{tenant}: the key splunk gets another time zone and is locked"
    vendor.add_key("temporary", FULL_ACCESS)
    yield f"{tenant}: a new key, temporary, with the role {FULL_ACCESS}"


def _tell_claim(console: Console, claim: Claim) -> None:
    mark = ("✔ ", "bold green") if claim.holds else ("✘ ", "bold red")
    console.print(Text.assemble(mark, claim.text), soft_wrap=True)
    for failure in claim.failures:
        console.print(Text(f"    {failure}"), soft_wrap=True)


def _closing(teller: _Teller, failed: bool, seconds: float) -> None:
    set_up, console = teller.stage, teller.console
    calls = sum(vendor.requests.total() for vendor in set_up.vendors.values())
    secrets = sum(len(vendor.issued) for vendor in set_up.vendors.values())
    ran = len(teller.shell.ran)
    figures = f"{_keys(set_up)} keys, {secrets} secrets issued, {calls} vendor calls, {ran} commands, {seconds:.1f} s"
    console.print()
    console.print(Text(figures, style="bold"))
    if failed:
        console.print(Text("✘ the demo failed", style="bold red"))
    else:
        console.print(Text("✔ from YAML to keys that work, and nobody saw a secret", style="bold green"))


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
