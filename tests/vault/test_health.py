"""What a server says of itself and of our token, from a real OpenBao."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.errors import AuthenticationFailed, ContractBroken, InvalidInput, RetryLater
from reconciler.model.estate import VaultConfig
from reconciler.vault.connection import Vault
from reconciler.vault.health import Health, health, plugin_version, token_facts
from tests.support.openbao import Naps, Sandbox, never_sleep
from tests.support.troubled import Instead, Proxy


def nobody(sandbox: Sandbox) -> Vault:
    """A connection without a token."""
    made = Vault.anonymous(sandbox.config(), identity="plan", environ={}, sleep=never_sleep)
    sandbox.opened.append(made)
    return made


def test_health_needs_no_token(sandbox: Sandbox) -> None:
    """Version and state, as anybody may ask."""
    found = health(nobody(sandbox))
    assert (found.initialised, found.sealed, found.standby) == (True, False, False)
    assert found.version[0].isdigit()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, '{"initialized": true, "sealed": false, "standby": true}', Health(True, False, True, "")),
        (503, '{"initialized": true, "sealed": true, "version": "2.7.2"}', Health(True, True, False, "2.7.2")),
        (501, '{"initialized": false, "sealed": true}', Health(False, True, False, "")),
    ],
)
def test_what_is_no_failure_here(proxied: tuple[Sandbox, Proxy], status: int, body: str, expected: Health) -> None:
    """Standby, sealed and not initialised are answers."""
    sandbox, proxy = proxied
    proxy.always(Instead(status, body))
    assert health(nobody(sandbox)) == expected


@pytest.mark.parametrize("body", ["{}", '{"initialized": "yes", "sealed": false}', '{"initialized": true}'])
def test_another_server(proxied: tuple[Sandbox, Proxy], body: str) -> None:
    """JSON is not enough to be Vault."""
    sandbox, proxy = proxied
    proxy.always(Instead(200, body))
    with pytest.raises(ContractBroken, match="does not answer like Vault"):
        health(nobody(sandbox))


def test_nobody_there() -> None:
    """It is tried a few times; without an address there is nothing to try."""
    naps = Naps()
    away = Vault.anonymous(VaultConfig(address="http://127.0.0.1:1"), identity="plan", environ={}, sleep=naps)
    with pytest.raises(RetryLater):
        health(away)
    assert naps
    with pytest.raises(InvalidInput, match="no Vault address"):
        Vault.anonymous(VaultConfig(address=""), identity="plan", environ={})


def test_a_token_tells_of_itself(sandbox: Sandbox) -> None:
    """Policies, life and uses; never the token, which the same answer holds."""
    secret = sandbox.token('path "nothing" { capabilities = ["read"] }', ttl="5m", num_uses=50)
    found = token_facts(sandbox.connect(token=secret))
    assert "default" in found.policies
    assert timedelta(minutes=4) < (found.ttl or timedelta()) <= timedelta(minutes=5)
    assert (found.uses, found.root, found.path) == (49, False, "auth/token/create")
    assert secret not in repr(found)


def test_the_root_token_lives_for_ever(sandbox: Sandbox) -> None:
    """Without an end, for any number of uses."""
    found = token_facts(sandbox.connect())
    assert (found.root, found.ttl, found.uses) == (True, None, None)


def test_a_dead_token(sandbox: Sandbox) -> None:
    """Vault does not know it."""
    with pytest.raises(AuthenticationFailed):
        token_facts(sandbox.connect(token="s.dead"))


def test_the_engine_tells_the_product(sandbox: Sandbox) -> None:
    """OpenBao's builtin engines are called so."""
    assert plugin_version(sandbox.connect(), sandbox.mount).endswith(".bao")


def test_figures_that_are_none(proxied: tuple[Sandbox, Proxy]) -> None:
    """Whatever stands where a number should be counts as none."""
    sandbox, proxy = proxied
    vault = sandbox.connect()
    proxy.always(Instead(200, '{"data": {"ttl": true, "num_uses": "many", "policies": null}}'))
    found = token_facts(vault)
    assert (found.ttl, found.uses, found.policies, found.renewable) == (None, None, (), False)
