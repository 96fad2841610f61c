"""Which Vault: file and environment made one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import InvalidInput
from reconciler.model.estate import VaultConfig
from reconciler.vault.settings import resolve, variable

FILE = VaultConfig(address="https://file.example:8200", namespace="from-file")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """Address, namespace and CA of the environment replace those of a file that a pull request can change."""
    ca = tmp_path / "ca.pem"
    ca.touch()
    environ = {"VAULT_ADDR": "https://env.example/", "VAULT_NAMESPACE": "team/", "VAULT_CACERT": str(ca)}
    found = resolve(FILE, environ)
    assert (found.address, found.namespace, found.verify) == ("https://env.example", "team", str(ca))


def test_the_file_counts_where_the_environment_is_silent() -> None:
    """Without variables the file's settings hold, with the usual public certificates."""
    found = resolve(FILE, {})
    assert (found.address, found.namespace, found.verify) == ("https://file.example:8200", "from-file", True)


def test_the_bao_twin_counts_where_the_vault_one_is_unset() -> None:
    """`BAO_X` stands in for a `VAULT_X` that is missing or empty, and never beats it."""
    assert variable({"BAO_ADDR": "b"}, "ADDR") == "b"
    assert variable({"VAULT_ADDR": "", "BAO_ADDR": "b"}, "ADDR") == "b"
    assert variable({"VAULT_ADDR": "v\n", "BAO_ADDR": "b"}, "ADDR") == "v"


@pytest.mark.parametrize(
    "address",
    ["vault.example", "unix:///run/vault", "https://", "https://u:p@x", "https://x y", "https://x\\@y", "https://x:0",
     "https://x:99999999", "https://x/#f", "https://[::1", "https://ex\u00e4mple"],
)  # fmt: skip
def test_an_odd_address_is_refused(address: str) -> None:
    """What two URL parsers might read differently is no address, and the error says where it came from."""
    with pytest.raises(InvalidInput, match="VAULT_ADDR"):
        resolve(FILE, {"VAULT_ADDR": address})
    with pytest.raises(InvalidInput, match=r"spec\.vault\.address"):
        resolve(VaultConfig(address=address), {})


def test_what_is_missing_is_named() -> None:
    """No address, or a CA file that is not there, is said before any call."""
    with pytest.raises(InvalidInput, match="no Vault address"):
        resolve(VaultConfig(address=""), {})
    with pytest.raises(InvalidInput, match="does not exist"):
        resolve(FILE, {"VAULT_CACERT": "/nowhere/ca.pem"})


def test_the_environments_proxy_is_used_but_for_excepted_hosts() -> None:
    """`https_proxy` in either case, `all_proxy` failing that, unless `no_proxy` names the host."""
    assert resolve(FILE, {"HTTPS_PROXY": "http://p:1"}).proxies == {"https": "http://p:1"}
    assert resolve(FILE, {"all_proxy": "http://p:2", "http_proxy": "http://p:3"}).proxies == {"https": "http://p:2"}
    assert resolve(FILE, {"https_proxy": "http://p:1", "NO_PROXY": "file.example"}).proxies == {}


@pytest.mark.promise(1)
@pytest.mark.parametrize("address", ["http://vault.example.com:8200", "http://192.0.2.2", "http://127.0.0.1.evil.io"])
def test_promise_1_no_token_travels_unprotected(address: str) -> None:
    """Plain http is for this machine only, whoever named the address."""
    with pytest.raises(InvalidInput, match="plain http"):
        resolve(VaultConfig("https://x.example"), {"VAULT_ADDR": address})
    with pytest.raises(InvalidInput, match="plain http"):
        resolve(VaultConfig(address), {})
    assert resolve(VaultConfig("http://LocalHost:1"), {}).address == "http://LocalHost:1"
