"""What providers' offline checks share: the shape of endpoints, and where credentials come from and may go. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from reconciler.errors import InvalidInput
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, DesiredTenant
from reconciler.model.hosts import is_loopback
from reconciler.providers.base import Capabilities, Problem
from reconciler.suggest import did_you_mean


def endpoint_problem(endpoint: str) -> str:
    """What is wrong with an endpoint as a place to send credentials to; empty if nothing is.

    It is an https URL without user, query and fragment; plain http is for loopback only.
    """
    try:
        url = urlsplit(endpoint)
        host, _ = url.hostname, url.port
    except ValueError:
        return "the endpoint is no URL"
    if url.scheme not in {"https", "http"} or not host:
        return "the endpoint is no https URL"
    if url.scheme == "http" and not is_loopback(host):
        return "the endpoint is plain http: the credential would travel unprotected"
    if url.username is not None or url.password is not None:
        return "the endpoint holds a user name or a password"
    if url.query or url.fragment or "?" in endpoint or "#" in endpoint:
        return "the endpoint has a query or a fragment"
    return "the endpoint holds spaces or control characters" if not _clean(endpoint) else ""


def same_endpoint(one: str, other: str) -> bool:
    """Whether two endpoints are the same place: scheme and host in any case, default ports, a slash at the end or none."""
    return _place(one) == _place(other)


def refuse_elsewhere(credential: Credential, endpoint: str) -> None:
    """InvalidInput if a credential is stored for another endpoint than the one that it would be sent to."""
    if credential.endpoint is not None and not same_endpoint(credential.endpoint, endpoint):
        what = "the credential is stored for another endpoint than this tenant's, and was not sent"
        raise InvalidInput(what, hint="change the endpoint that is stored beside the credential, or the tenant's")


def odd_credentials(
    tenant: DesiredTenant, capabilities: Capabilities
) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Credentials from the environment whose fields are no set that the product takes: place below `spec`, and fields."""
    references: list[tuple[tuple[str, ...], CredentialRef]] = [(("credentials",), tenant.credentials_apply)]
    if tenant.credentials_plan != tenant.credentials_apply:
        references = [
            (("credentials", "plan"), tenant.credentials_plan),
            (("credentials", "apply"), tenant.credentials_apply),
        ]
    for path, reference in references:
        given = frozenset(reference.env)
        if reference.vault is None and given not in capabilities.credential_fields:
            yield (*path, "env"), given


def unknown_fields(
    path: tuple[str, ...], given: Iterable[str], known: Iterable[str], otherwise: str
) -> Iterator[Problem]:
    """A problem for each credential field that the product does not have; `otherwise` is the hint where none is near."""
    known = tuple(known)
    for name in sorted(set(given) - set(known)):
        yield Problem((*path, name), f"unknown credential field {name!r}", did_you_mean(name, known) or otherwise)


def _place(endpoint: str) -> tuple[str, str, int, str]:
    url = urlsplit(endpoint)
    return (
        url.scheme,
        url.hostname or "",
        url.port or {"https": 443, "http": 80}.get(url.scheme, 0),
        url.path.rstrip("/"),
    )


def _clean(text: str) -> bool:
    return text.isprintable() and " " not in text
