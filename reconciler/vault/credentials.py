"""The vendor credentials that tenants name, and where they may be sent.

A pull request can change a tenant's endpoint, while its credential sits in Vault. So a credential in Vault carries, in the
field `endpoint` beside it, the only endpoint that it may be sent to, and credentials from the environment go to loopback.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import Denied, InvalidInput, NotFound, printable
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, VaultPath
from reconciler.model.hosts import is_loopback
from reconciler.model.secret import Secret
from reconciler.vault.connection import Vault
from reconciler.vault.secrets import api_path

ENDPOINT: Final = "endpoint"
_PORTS: Final = {"https": 443, "http": 80}
_ODD: Final = frozenset(" \\@?#")


class Endpoint(NamedTuple):
    """An endpoint in the form in which two are compared."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def loopback(self) -> bool:
        """Whether it can only be on this machine: `localhost`, 127.0.0.0/8 or ::1."""
        return is_loopback(self.host)


def endpoint_of(text: str) -> Endpoint:
    """Read an endpoint: case of scheme and host, the default port and a slash at the end make no difference.

    InvalidInput for whatever two URL parsers could read differently: user names, backslashes, spaces, anything but ASCII.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        parts, port, host = urlsplit(""), None, ""
    plain = text.isascii() and text.isprintable() and not set(text) & _ODD
    if not plain or parts.scheme not in _PORTS or not host:
        raise InvalidInput(f"{printable(text)!r} is not an endpoint", hint="for example https://api.example.com/path")
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        host = host.lower()
    return Endpoint(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, parts.path.rstrip("/"))


def read_credential(
    vault: Vault | None,
    ref: CredentialRef,
    *,
    endpoint: str,
    environ: Mapping[str, str],
    trust_endpoints: bool = False,
) -> Credential:
    """Read a tenant's credential, provided that it may be sent to the tenant's endpoint. Makes no vendor call.

    Denied when it may not; InvalidInput when it is incomplete; NotFound when nothing is stored there; else Vault's errors.
    """
    wanted = endpoint_of(endpoint)
    if ref.vault is None:
        return _from_environment(ref.env, wanted, endpoint, environ, trust_endpoints=trust_endpoints)
    if vault is None:
        raise InvalidInput("the credential is in Vault, but no Vault is configured", where=str(ref.vault))
    fields = _stored(vault, ref.vault)
    allowed = fields.pop(ENDPOINT, None)
    where = f"Vault {ref.vault}"
    if allowed is None:
        raise Denied(
            "this credential does not say which endpoint it may be sent to",
            where=where,
            hint=f"if it is the right one, store it beside it: vault kv patch {ref.vault} endpoint={endpoint}",
        )
    bound = _bound_to(allowed, where)
    if bound != wanted:
        raise Denied(
            f"this credential may be sent to {_text(bound)} only, and the tenant's endpoint is {_text(wanted)}",
            where=where,
            hint="was the manifest's endpoint changed? If rightly so, change the field `endpoint` in Vault too",
        )
    if not fields:
        raise InvalidInput("there is no credential beside the endpoint", where=where)
    return Credential(fields=fields, endpoint=endpoint)


def _bound_to(value: Secret, where: str) -> Endpoint:
    """The endpoint in a credential's field. What is not one is not shown: a person may have mixed up the fields."""
    try:
        return endpoint_of(value.reveal())
    except InvalidInput:
        pass
    raise InvalidInput("the field `endpoint` of this credential is not an endpoint", where=where)


def _stored(vault: Vault, path: VaultPath) -> dict[str, Secret]:
    """The text fields of a KV entry. Its own function, so that no frame of a later error holds the values."""
    vault.mounts.require_v2(path.mount)
    answer = vault.call("GET", api_path(path, "data"), need="read", expect=(404,))
    if answer.status == 404:
        raise NotFound(
            "no credential is stored there",
            where=f"Vault {path}",
            hint="store it with its `endpoint`; see docs/vault.md",
        )
    found = answer.data.get("data")
    fields = found.items() if isinstance(found, Mapping) else ()
    # A value from a file or a terminal ends with a newline, which is no part of it.
    return {str(name): Secret(value.strip()) for name, value in fields if isinstance(value, str) and value.strip()}


def _from_environment(
    names: Mapping[str, str], wanted: Endpoint, endpoint: str, environ: Mapping[str, str], *, trust_endpoints: bool
) -> Credential:
    if not (wanted.loopback or trust_endpoints):
        raise Denied(
            f"credentials from the environment are sent to this machine only, not to {_text(wanted)}",
            where=endpoint,
            hint="keep the credential in Vault, or say --trust-endpoints if you trust every endpoint in the manifests",
        )
    missing = sorted(variable for variable in names.values() if not environ.get(variable, "").strip())
    if missing:
        raise InvalidInput(
            f"not set in the environment: {', '.join(missing)}", where=endpoint, hint="set it for this run"
        )
    return Credential(
        fields={name: Secret(environ[variable].strip()) for name, variable in names.items()}, endpoint=None
    )


def _text(endpoint: Endpoint) -> str:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    port = "" if _PORTS[endpoint.scheme] == endpoint.port else f":{endpoint.port}"
    return f"{endpoint.scheme}://{host}{port}{endpoint.path}"
