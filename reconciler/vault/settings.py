"""Which Vault to talk to, and how: `reconciler.yaml` and the environment made one.

The environment wins over the file in every point. It is the operator's word, while the file may come from a pull request,
and whoever chooses the address also receives what we log in with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from requests.utils import should_bypass_proxies

from reconciler.errors import InvalidInput, printable
from reconciler.model.estate import VaultConfig
from reconciler.model.hosts import is_loopback

ENVIRONMENT: Final = "environment"


@dataclass(frozen=True, slots=True)
class Target:
    """A Vault address with all that a connection to it needs, save who we are."""

    address: str
    """`https://HOST:PORT`, without a slash at the end."""
    namespace: str = ""
    verify: str | bool = True
    """A file or folder of CA certificates, or True for the usual public ones."""
    proxies: Mapping[str, str] = field(default_factory=dict)


def variable(environ: Mapping[str, str], name: str) -> str:
    """`VAULT_name`, or its `BAO_` twin where that one is unset or empty; stripped, `""` if neither is there."""
    return (environ.get(f"VAULT_{name}") or environ.get(f"BAO_{name}") or "").strip()


def resolve(config: VaultConfig, environ: Mapping[str, str]) -> Target:
    """Make one target of file and environment. InvalidInput for a missing or impossible address or CA file."""
    from_environment = variable(environ, "ADDR")
    address = _address(from_environment or config.address, "VAULT_ADDR" if from_environment else "spec.vault.address")
    ca_cert = variable(environ, "CACERT") or config.ca_cert
    if ca_cert and not Path(ca_cert).exists():
        raise InvalidInput(
            f"the CA certificate {printable(ca_cert)} does not exist", hint="VAULT_CACERT or spec.vault.caCert"
        )
    return Target(
        address=address,
        namespace=(variable(environ, "NAMESPACE") or config.namespace).strip("/"),
        verify=ca_cert or True,
        proxies=_proxies(address, environ),
    )


def _address(text: str, where: str) -> str:
    if not text:
        raise InvalidInput("no Vault address", hint="set VAULT_ADDR, or spec.vault.address in reconciler.yaml")
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    # Strict on purpose: what is odd in a URL is read differently by different parsers.
    if not good or not text.isascii() or not text.isprintable() or set(text) & set(" \\@?#"):
        raise InvalidInput(
            f"{printable(text)!r} is not the address of a Vault server",
            where=where,
            hint="for example https://vault.example.com:8200",
        )
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise InvalidInput(
            f"{printable(text)!r} is plain http: the token and every secret would travel unprotected",
            where=where,
            hint="use https; plain http is for this machine only",
        )
    return text.rstrip("/")


def _proxies(address: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy that the environment names for this address, as the usual variables say it."""
    scheme = urlsplit(address).scheme
    proxy = next((found for name in (f"{scheme}_proxy", "all_proxy") if (found := _either_case(environ, name))), "")
    excepted = _either_case(environ, "no_proxy")
    return {scheme: proxy} if proxy and not should_bypass_proxies(address, excepted) else {}


def _either_case(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""
