"""The generated parts of the documentation, between markers: `<!-- generated: NAME -->` and `<!-- /generated -->`.

`python -m tests.docs.tables` writes them anew; a test fails while one is stale. What `plan` says of drift comes from a demo:
`reconciler demo --keep`, then `python -m tests.docs.tables FOLDER` with the folder that it kept.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from reconciler.cli.group import COMMANDS, group
from reconciler.cli.providers import markdown, overview, sheets
from reconciler.cli.run import run
from reconciler.doctor.catalogue import CHECKS
from reconciler.manifest import load_estate
from reconciler.manifest.explain import Explanation, explain
from reconciler.manifest.policies import pack
from reconciler.model.outcome import ExitCode
from reconciler.model.policy import VARIABLES, Rule
from reconciler.plan.access_rules import ACCESS, TRUST
from reconciler.policy.evaluate import asks_plan, said
from reconciler.providers import registry
from tests.support.repository import Repository

ROOT = Path(__file__).parents[2]
PART = re.compile(r"(<!-- generated: ([\w -]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page of ours: README, examples and docs, without what others write in other form."""
    return [ROOT / "README.md", *sorted((ROOT / "examples").glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def manifest(kind: str) -> str:
    """Every field of a kind of manifest."""
    rows = ["| field | value | meaning |", "|---|---|---|"]
    rows += [
        f"| `{field.path.removeprefix(f'{kind}.')}` | {_value(field)} | {_cell(field.description)} |"
        for field in _fields(kind)
    ]
    return "\n".join(rows)


def _fields(path: str) -> Iterator[Explanation]:
    for field in explain(path).fields:
        if field.name in {"plan", "apply"}:
            yield replace(field, description=f"{field.description} Its fields are those above.")
            continue
        yield field
        yield from _fields(field.path)


def _value(field: Explanation) -> str:
    value = " \\| ".join(f"`{one}`" for one in field.allowed) or field.type
    if field.required:
        return f"{value}, **required**"
    simple = field.default and not field.default.startswith("{")
    return f"{value}, default `{field.default}`" if simple else value


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def provider(name: str) -> str:
    """What `reconciler providers NAME --format markdown` prints, below the page's own headings."""
    return "\n\n".join(markdown(sheet) for sheet in sheets(registry.get(name)))


def providers() -> str:
    """The overview, with links to the providers' pages."""
    table = markdown(overview([registry.get(name) for name in registry.names()])).split("\n", 2)[2]
    for name in registry.names():
        table = table.replace(f"| {name} |", f"| [`{name}`](docs/providers/{name}.md) |")
    return table


def command_of(name: str, sub: str = "") -> click.Command:
    """A command, with its common options, or one of its subcommands."""
    command = group.get_command(click.Context(group), name)
    assert command is not None
    if sub:
        assert isinstance(command, click.Group)
        return command.commands[sub]
    return command


def exit_codes(name: str, sub: str = "") -> str:
    """The exit codes of a command, from its help."""
    codes = re.findall(r"^ +(\d+)  (.+)$", command_of(name, sub).epilog or "", re.MULTILINE)
    return "\n".join(
        ["| exit code | meaning |", "|---|---|", *(f"| {code} | {_cell(meaning)} |" for code, meaning in codes)]
    )


def all_exit_codes() -> str:
    """What exit codes mean wherever they occur."""
    return "\n".join(["| exit code | meaning |", "|---|---|", *(f"| {code:d} | {code.meaning} |" for code in ExitCode)])


def commands() -> str:
    """The commands and what they are for, with links."""
    rows = [f"| [`{name}`](commands.md#{name}) | {entry.summary} |" for name, entry in COMMANDS.items()]
    return "\n".join(["| command | purpose |", "|---|---|", *rows])


def doctor() -> str:
    """Every check of a set-up."""
    rows = [f"| `{check.id}` | {check.subject} | {_cell(check.question)} |" for check in CHECKS.values()]
    return "\n".join(["| check | about | question |", "|---|---|---|", *rows])


def policy_variables() -> str:
    """What expressions of policies can ask for."""
    rows = [
        f"| `{one.name}` | {one.type}{' or null' if one.nullable else ''} | {_cell(one.description)} |"
        for one in VARIABLES
    ]
    return "\n".join(["| variable | type | what it is |", "|---|---|---|", *rows])


def policy_rules() -> str:
    """The built-in rules, each with a heading of its own."""
    return "\n\n".join(_rule(rule) for rule in pack())


def _rule(rule: Rule) -> str:
    params = ", ".join(f"`{name}: {said(value)}`" for name, value in rule.params.items())
    online = " Told by `plan` and `apply` only." if asks_plan(rule) else ""
    code = "\n".join(filter(None, [rule.match and f"match:  {rule.match}", f"assert: {rule.assertion}"]))
    return "\n\n".join(
        [
            f"### {rule.id}",
            f"{rule.description}{online}" + (f" Parameters: {params}." if params else ""),
            f"```text\n{code}\n```",
            f"To mend it: {rule.hint}.\nSource: {rule.reference}.",
        ]
    )


def rules(kind: str) -> str:
    """The rules of findings about access or trust."""
    rows = ["| rule | what it means | impact | severity |", "|---|---|---|---|"]
    rows += [
        f"| `{name}` | {_cell(rule.text)} | {_cell(rule.impact)} | {_cell(rule.severity)} |"
        for name, rule in (ACCESS if kind == "access" else TRUST).items()
    ]
    return "\n".join(rows)


_PROPOSED = (
    ("network-lists.yaml", "- 203.0.113.0/28", "- 203.0.0.0/16"),
    (
        "trend-workload-security/access-levels.yaml",
        "canViewSystemInformation: true",
        "canViewSystemInformation: true\n      apikeyRights:\n        canCreateNewApiKeys: true",
    ),
)
"""A change of the example estate: file, text, and what stands there then."""


def comment() -> str:
    """What `access-diff` says in a pull request's comment of a change of the example estate; revisions are left out."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "estate"
        shutil.copytree(ROOT / "examples" / "estate", folder)
        repository = Repository.make(folder)
        repository.commit()
        repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
        for name, old, new in _PROPOSED:
            path = folder / name
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        repository.commit()
        page = Path(scratch) / "comment.md"
        with chdir(folder), redirect_stdout(StringIO()):
            run(["access-diff", "origin/main", "HEAD", "--report", f"markdown={page}"])
        shown = page.read_text(encoding="utf-8")
    return re.sub(r" \([0-9a-f]{12}\)", "", shown).strip()


MAKERS: dict[str, Callable[..., str]] = {
    "manifest": manifest,
    "provider": provider,
    "providers": providers,
    "exit-codes": exit_codes,
    "all-exit-codes": all_exit_codes,
    "commands": commands,
    "comment": comment,
    "doctor": doctor,
    "policy-variables": policy_variables,
    "policy-rules": policy_rules,
    "rules": rules,
}


def drift(folder: Path) -> str:
    """What `plan` said of drift in a demo that was kept, with the example's own endpoints and without what varies."""
    shown = (folder / "output" / "10-plan.out").read_text(encoding="utf-8")
    running = {tenant.name: tenant.endpoint for tenant in load_estate(folder / "estate").tenants}
    for tenant in load_estate(ROOT / "examples" / "estate").tenants:
        shown = shown.replace(running[tenant.name], tenant.endpoint)
    shown = re.sub(r"\(id [^;)]+", "(id …", shown)
    shown = re.sub(r"\bkey [A-Z0-9]{10}\b", "key …", shown)
    shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "…", shown)
    return f"```console\n$ reconciler plan --detailed-exitcode\n{shown}```"


def renewed(text: str, demo: Path | None = None) -> str:
    """A page's text with every generated part as it should be. Without a demo's folder, what it showed stays."""

    def part(found: re.Match[str]) -> str:
        maker, *arguments = found[2].split(" ")
        if maker == "drift" and demo is not None:
            return f"{found[1]}\n{drift(demo)}\n\n{found[3]}"
        return f"{found[1]}\n{MAKERS[maker](*arguments)}\n\n{found[3]}" if maker in MAKERS else found[0]

    return PART.sub(part, text)


if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = renewed(before, Path(sys.argv[1]) if sys.argv[1:] else None)
        if before != after:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(ROOT))  # noqa: T201  it is a program
