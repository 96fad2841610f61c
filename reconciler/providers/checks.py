"""What providers' offline checks share: suggestions for misspelled words, and the shape of endpoints. No I/O."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice that looks most like a word, in whatever case it was typed; empty if none does."""
    lowered = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else ""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`did you mean X?`, or nothing if no choice is near."""
    found = nearest(word, choices)
    return f"did you mean {found!r}?" if found else ""


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
