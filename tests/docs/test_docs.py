"""What the documentation says is so: examples validate, commands exist, tables are fresh, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reconciler.cli.group import COMMANDS
from reconciler.errors import InvalidInput
from reconciler.manifest import validate
from reconciler.manifest.explain import explain
from reconciler.providers import registry
from tests.docs.tables import MAKERS, PART, ROOT, command_of, pages, providers, renewed

PAGES = pages()
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/reconciler.yaml"))
BLOCK = re.compile(r"^(<!-- fragment -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
INLINE = re.compile(r"`(reconciler [^`]+)`")
OF_THE_GROUP = {"--version", "--help", "--no-color", "--verbose"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_blocks(path: Path) -> str:
    return BLOCK.sub("", text(path))


def links(path: Path) -> list[str]:
    """Where a page's links lead; what stands in code is no link."""
    return LINK.findall(re.sub(r"`[^`\n]+`", "code", without_blocks(path)))


def anchors(path: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(without_blocks(path)))
    return {heading.replace(" ", "-") for heading in plain}


def command_lines(path: Path) -> Iterator[list[str]]:
    """Every `reconciler …` that a page shows, in consoles and in running text."""
    for _, language, block in BLOCK.findall(text(path)):
        if language == "console":
            joined = block.replace("\\\n", " ")
            for line in joined.splitlines():
                if line.startswith("$ "):
                    yield from (
                        shlex.split(part) for part in line[2:].split("&&") if part.split()[:1] == ["reconciler"]
                    )
    yield from (shlex.split(found) for found in INLINE.findall(without_blocks(path)))


@pytest.mark.parametrize("estate", EXAMPLES, ids=name)
def test_examples_are_valid(estate: Path) -> None:
    """Every estate under examples/ passes validation, without a warning."""
    assert validate(estate).problems == ()


@pytest.mark.parametrize("page", [page for page in PAGES if "```yaml" in text(page)], ids=name)
def test_yaml_in_the_docs_is_valid(page: Path, tmp_path: Path) -> None:
    """The YAML blocks of a page, taken together, pass validation. What is no whole manifest is marked as a fragment."""
    blocks = [block for fragment, language, block in BLOCK.findall(text(page)) if language == "yaml" and not fragment]
    for number, block in enumerate(blocks):
        is_estate = "kind: Estate" in block
        (tmp_path / ("reconciler.yaml" if is_estate else f"block{number}.yaml")).write_text(block, encoding="utf-8")
    if page.name == "README.md" and page.parent == ROOT:
        (tmp_path / "tenant.yaml").write_text(
            text(ROOT / "examples/estate/trend-workload-security/dsm-prod.yaml"), encoding="utf-8"
        )
    assert not blocks or [str(problem) for problem in validate(tmp_path).problems] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_docs_exist(page: Path) -> None:
    """Every command line that a page shows names a command and options that there are."""
    wrong = []
    for program, *words in command_lines(page):
        command = next((word for word in words if not word.startswith("-")), None)
        known = OF_THE_GROUP
        if command is not None and command in COMMANDS:
            rest = words[words.index(command) + 1 :]
            known = OF_THE_GROUP | options_of(command, rest)
            if isinstance(command_of(command), click.Group) and rest and not rest[0].startswith("-"):
                wrong += [f"{program} {command} {rest[0]}"] if subcommand(command, rest) is None else []
        elif command is not None:
            wrong.append(f"{program} {command}")
        wrong += [
            f"{program} {command} {word}" for word in words if word.startswith("--") and word.split("=")[0] not in known
        ]
    assert wrong == []


def subcommand(name: str, rest: list[str]) -> click.Command | None:
    """The command that `reconciler handoff complete` names; None where the first word after a group names none."""
    parent = command_of(name)
    return parent.commands.get(rest[0]) if isinstance(parent, click.Group) and rest else None


def options_of(name: str, rest: list[str]) -> set[str]:
    """The options of a command, or of the subcommand that follows it."""
    return {option for one in (subcommand(name, rest) or command_of(name)).params for option in one.opts}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_explained_fields_exist(page: Path) -> None:
    """Every `reconciler explain FIELD` on a page explains something."""
    for line in command_lines(page):
        if line[1] == "explain" and len(line) > 2 and re.fullmatch(r"[A-Z]\w+(\.\w+)*", line[2]) and line[2] != "FIELD":
            provider = registry.get(line[line.index("--provider") + 1]) if "--provider" in line else None
            try:
                explain(line[2], provider)
            except InvalidInput as wrong:
                pytest.fail(str(wrong))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str) -> None:
    """Each command has a heading in docs/commands.md, and so has each of its options, and its exit codes stand below."""
    page = ROOT / "docs/commands.md"
    headings = {heading.replace("`", "") for heading in HEADING.findall(without_blocks(page))}
    for title, one in (command, command_of(command)), *subcommands(command):
        wanted = {title}
        for param in one.params:
            if isinstance(param, click.Option):
                long = max(param.opts, key=len)
                wanted.add(long if long in OF_THE_GROUP else f"{title} {long}")
        assert wanted - headings == set()
        assert not one.epilog or f"<!-- generated: exit-codes {title} -->" in text(page)


def subcommands(name: str) -> list[tuple[str, click.Command]]:
    """`handoff complete` and the like, where a command has such."""
    parent = command_of(name)
    return [(f"{name} {sub}", one) for sub, one in parent.commands.items()] if isinstance(parent, click.Group) else []


def test_nothing_is_documented_that_is_not_there() -> None:
    """No heading of docs/commands.md names an option that its command does not have."""
    headings = {heading.replace("`", "") for heading in HEADING.findall(without_blocks(ROOT / "docs/commands.md"))}
    options = [heading.split(" ") for heading in headings if " --" in heading]
    assert [
        " ".join([command, *rest]) for command, *rest in options if rest[-1] not in options_of(command, rest[:-1])
    ] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "<!-- generated:" in text(page)], ids=name)
def test_generated_parts_are_fresh(page: Path) -> None:
    """Generated tables are what the code says. `python -m tests.docs.tables` writes them anew."""
    parts = [found[2].split(" ")[0] for found in PART.finditer(text(page))]
    assert len(parts) == text(page).count("<!-- generated:")
    assert set(parts) <= {*MAKERS, "drift"}
    assert renewed(text(page)) == text(page)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file that exists, and to a heading in it."""
    broken = []
    for link in links(page):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_listed() -> None:
    """The table of contents names every page of docs/, decisions as a folder."""
    listed = set(links(ROOT / "docs/index.md"))
    own = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert {page for page in own if not page.startswith("adr/")} - {"index.md"} - listed == set()


def test_tables_have_as_many_cells_as_columns() -> None:
    """No row of a table has more or fewer cells than its head: such a table falls apart where it is shown."""
    ragged = []
    for page in PAGES:
        columns = 0
        for line in without_blocks(page).splitlines():
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            if cells and columns and cells != columns:
                ragged.append(f"{name(page)}: {line}")
            columns = cells
    assert ragged == []


def test_no_provider_has_an_empty_cell() -> None:
    """The overview has a row for each product that we ship, and no cell of it is empty."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in providers().splitlines() if "](docs" in line
    ]
    shipped = {path.parent.name.replace("_", "-") for path in (ROOT / "reconciler/providers").glob("*/provider.py")}
    assert {name for name in shipped if any(f"`{name}`" in row[0] for row in rows)} == shipped
    assert [row for row in rows if not all(row)] == []


@pytest.mark.promise(10)
def test_promise_10_every_provider_page_says_how_sure_we_are() -> None:
    """Each provider has a page, on which every request and every field stands with its evidence."""
    for provider in registry.names():
        page = text(ROOT / f"docs/providers/{provider}.md")
        can = registry.get(provider).capabilities
        for one in can.operations:
            assert re.search(
                rf"^\| {re.escape(one.name)} \| {re.escape(one.request)} \|.*\| {one.evidence} \|", page, re.MULTILINE
            )
        for field in can.fields:
            assert re.search(rf"^\| {re.escape(field.field)} \| {field.how} \| {field.evidence} \|", page, re.MULTILINE)


def test_promises_that_are_called_kept_are_tested() -> None:
    """The README names all ten promises. One that it calls kept has at least one test that is marked with its number."""
    marked = {
        int(number)
        for path in (ROOT / "tests").rglob("test_*.py")
        for number in re.findall(r"mark\.promise\((\d+)\)", text(path))
    }
    status = {
        int(number): today
        for number, today in re.findall(r"^\| (\d+)\. [^|]+\| (\w+)", text(ROOT / "README.md"), re.MULTILINE)
    }
    assert sorted(status) == list(range(1, 11))
    assert {number for number, today in status.items() if today == "kept"} - marked == set()


def test_documented_messages_are_ours() -> None:
    """The messages that docs/errors.md quotes are in the code, whatever stands at the `…`."""
    code = "\n".join(text(path) for path in (ROOT / "reconciler").rglob("*.py"))
    words = re.sub(r"\{[^{}]*\}", "…", re.sub(r"\"\s*\n\s*f?\"", "", code))
    quoted = [
        message
        for row in text(ROOT / "docs/errors.md").splitlines()
        if row.startswith("| `")
        for message in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    parts = [part.strip() for message in quoted for part in re.split(r"…|\d+|'", message) if len(part.strip()) > 6]
    assert [part for part in parts if part not in words] == []
