"""What providers' offline checks share: the shape of endpoints. No I/O."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


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


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def same_endpoint(one: str, other: str) -> bool:
    """Whether two endpoints are the same place: scheme and host in any case, default ports, a slash at the end or none."""
    return _place(one) == _place(other)


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
