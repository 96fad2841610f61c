"""What can be told of a server and of a token without a server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconciler.doctor import vault
from reconciler.doctor.results import Verdict
from reconciler.model.estate import AppRoleAuth, JwtAuth, TokenAuth
from reconciler.vault.health import Health, TokenFacts

OURS, GIVEN = JwtAuth("role"), TokenAuth()


class Server:
    """A connection whose server says this of its engine."""

    address = "https://vault.example.com"

    def __init__(self, plugin: str, namespace: str = "") -> None:
        self.plugin = plugin
        self.namespace = namespace


@pytest.mark.parametrize(
    ("version", "plugin", "namespace", "verdict", "words"),
    [
        ("2.7.2", "v2.7.2+builtin.bao", "", Verdict.OK, "OpenBao 2.7.2"),
        ("2.3.1", "v2.3.1+builtin.bao", "team", Verdict.OK, "OpenBao 2.3.1"),
        ("2.3.0", "v2.3.0+builtin.bao", "", Verdict.WARNING, "crashes"),
        ("2.2.0", "v2.2.0+builtin.bao", "team", Verdict.PROBLEM, "no namespaces"),
        ("2.1.9", "v2.1.9+builtin.bao", "", Verdict.WARNING, "cannot list a folder"),
        ("1.18.1", "v0.20.0+builtin", "", Verdict.OK, "HashiCorp Vault 1.18.1"),
        ("1.18.1+ent", "v0.20.0+builtin", "team", Verdict.OK, "HashiCorp Vault 1.18.1+ent"),
        ("3.0.0", "", "", Verdict.OK, "a server with Vault's API, 3.0.0"),
        ("", "", "", Verdict.OK, "of an unknown version"),
    ],
)
def test_products_and_versions(
    monkeypatch: pytest.MonkeyPatch, version: str, plugin: str, namespace: str, verdict: Verdict, words: str
) -> None:
    """What old OpenBao lacks is told; HashiCorp's has no bulk listing, and that is no fault."""
    monkeypatch.setattr(vault, "plugin_version", lambda server, mount: server.plugin)
    server: Any = Server(plugin, namespace)
    found = vault.server(server, Health(initialised=True, sealed=False, standby=False, version=version), "secret")
    assert (found.verdict, words in found.found) == (verdict, True)


def token(**more: Any) -> TokenFacts:
    given = {
        "policies": ("default", "p"),
        "path": "auth/x",
        "ttl": timedelta(minutes=15),
        "renewable": True,
        "uses": None,
    }
    return TokenFacts(**{**given, **more})


@pytest.mark.parametrize(
    ("method", "facts", "verdicts"),
    [
        (OURS, token(), [Verdict.OK]),
        (OURS, token(renewable=False), [Verdict.OK]),
        (OURS, token(renewable=False, ttl=timedelta(minutes=5)), [Verdict.WARNING]),
        (OURS, token(ttl=timedelta(seconds=90)), [Verdict.OK]),
        (GIVEN, token(), [Verdict.OK]),
        (GIVEN, token(ttl=timedelta(minutes=5)), [Verdict.WARNING]),
        (GIVEN, token(ttl=None), [Verdict.OK]),
        (GIVEN, token(ttl=None, policies=("root",)), [Verdict.WARNING]),
        (GIVEN, token(ttl=timedelta(hours=1), policies=("root",)), [Verdict.WARNING, Verdict.OK]),
        (GIVEN, token(uses=5000), [Verdict.WARNING, Verdict.OK]),
        (GIVEN, token(uses=50), [Verdict.PROBLEM, Verdict.OK]),
    ],
)
def test_tokens(method: Any, facts: TokenFacts, verdicts: list[Verdict]) -> None:
    """Ours are renewed; a given one must last, and be no root token, and may be used as often as it takes."""
    assert [one.verdict for one in vault.token(method, facts)] == verdicts


def test_how_we_logged_in() -> None:
    """The method, where it is mounted, and the policies."""
    assert vault.logged_in(AppRoleAuth(), token()).found == "by AppRole at approle/; policies: default, p"
    assert vault.logged_in(OURS, token()).found == "by JWT at jwt/, role role; policies: default, p"


def test_a_server_that_is_not_initialised() -> None:
    """The first thing to do is to initialise it."""
    found = vault.ready(Health(initialised=False, sealed=True, standby=True, version="2.7.2"))
    assert (found.verdict, found.text) == (Verdict.PROBLEM, ("vault operator init",))
