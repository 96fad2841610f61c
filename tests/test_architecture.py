"""What import-linter cannot see: who opens secrets, who opens sockets, what is logged."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "reconciler").rglob("*.py"))

OPENS_SECRETS = (
    "reconciler/vault/*",
    "reconciler/providers/*/client.py",
    "reconciler/providers/*/emulator*",
    "reconciler/emulator/*",
    "reconciler/notify/github.py",  # its token
    "reconciler/notify/webhook.py",  # its address
)
READS_THE_CACHE = ("reconciler/cli/drift.py", "reconciler/cli/plan.py", "reconciler/cli/validate.py")
"""Commands that write nothing (ADR 0019). An apply reads the manifests themselves."""
SPEAKS_TO_THE_NETWORK = ("reconciler/pool.py", "reconciler/providers/http.py", *OPENS_SECRETS)
NETWORK_MODULES = {"socket", "socketserver", "ssl", "http.client", "http.server", "urllib.request", "smtplib", "ftplib"}

LOG_METHODS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
NEVER_LOGGED = {"body", "content", "headers", "json", "text", "data", "secret", "token", "credential", "password"}


def room(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def may(path: Path, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(room(path), pattern) for pattern in patterns)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def opened_secrets(module: ast.AST) -> Iterator[int]:
    """Lines that open a `Secret`: by its method, by the method's name in a text, or past it."""
    for node in ast.walk(module):
        match node:
            case ast.Attribute(attr="reveal" | "_Secret__value") | ast.Constant(value="reveal" | "_Secret__value"):
                yield node.lineno


def network_imports(module: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that import a part of the standard library that makes connections."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                imported = {alias.name for alias in names}
            case ast.ImportFrom(module=str(name), names=names):
                imported = {name, *(f"{name}.{alias.name}" for alias in names)}
            case _:
                continue
        yield from ((node.lineno, name) for name in sorted(imported & NETWORK_MODULES))


def logged_names(module: ast.AST) -> Iterator[tuple[int, str]]:
    """Names and attributes in the arguments of logging calls, with their lines."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Attribute(value=target, attr=method)) if (
                method in LOG_METHODS and "log" in ast.unparse(target).lower()
            ):
                for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                    for part in ast.walk(argument):
                        if isinstance(part, ast.Name | ast.Attribute):
                            yield node.lineno, part.id if isinstance(part, ast.Name) else part.attr


def cache_openings(module: ast.AST) -> Iterator[int]:
    """Lines that open the cache of manifests."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id="open_cache") | ast.Attribute(attr="open_cache")):
                yield node.lineno


def offenders(find: Callable[[ast.Module], Iterable[object]], allowed: tuple[str, ...] = ()) -> dict[str, list[object]]:
    """What a check finds in our modules, by module, leaving out those that are allowed it."""
    found = {room(path): list(find(tree(path))) for path in MODULES if not may(path, allowed)}
    return {path: finds for path, finds in found.items() if finds}


@pytest.mark.promise(1)
def test_promise_1_only_the_vault_store_and_the_authenticators_open_a_secret() -> None:
    """Outside of vault/, the vendors' and the notifier's clients and the emulators, nothing opens a `Secret`."""
    assert offenders(opened_secrets, (*OPENS_SECRETS, "reconciler/model/secret.py")) == {}


@pytest.mark.promise(1)
def test_promise_1_no_log_line_holds_a_body_or_a_header() -> None:
    """No logging call is given a body, headers, a credential, or anything else that may carry a secret."""
    assert offenders(lambda module: [hit for hit in logged_names(module) if hit[1].lower() in NEVER_LOGGED]) == {}


@pytest.mark.promise(6)
def test_promise_6_what_writes_reads_no_cache() -> None:
    """Only commands that write to no vendor and no Vault may take what a manifest says from the cache."""
    assert offenders(cache_openings, READS_THE_CACHE) == {}


def test_only_the_edges_open_connections() -> None:
    """The standard library's network modules are used where the network clients are, and nowhere else."""
    assert offenders(network_imports, SPEAKS_TO_THE_NETWORK) == {}


def test_every_module_says_what_it_is_for() -> None:
    """Every module, package marker or not, opens with a docstring."""
    assert [room(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


def test_every_test_says_its_behaviour() -> None:
    """Every test function has a docstring: what is promised, not how it is checked."""
    silent = [
        f"{room(path)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_the_checks_see_what_they_look_for() -> None:
    """The checks of this module find an opened secret, a socket and a logged body in code that has them."""
    bad = ast.parse(
        "import socket, json\nfrom http import client\n"
        "get(secret, 'reveal')\nvalue = secret.reveal()\nlogger.debug('%s', response.headers)\nlog.info(path)\n"
        "cache = open_cache(environ)\n"
    )
    assert list(cache_openings(bad)) == [7]
    assert sorted(opened_secrets(bad)) == [3, 4]
    assert list(network_imports(bad)) == [(1, "socket"), (2, "http.client")]
    assert {(5, "headers"), (6, "path")} <= set(logged_names(bad))
