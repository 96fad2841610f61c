"""Where an account lives, and how it is named: `https://acme.lacework.net` is the account `acme` (lwdomain, APIDOC).

No I/O. An account may carry a cluster (`acme.fra`). Emulators live on loopback, below any path.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from reconciler.model.hosts import is_loopback
from reconciler.providers.checks import endpoint_problem

DOMAIN: Final = ".lacework.net"
EXAMPLE: Final = "for example https://acme.lacework.net"
_ACCOUNT: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)?")
_SUB_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def problem(endpoint: str) -> tuple[str, str]:
    """What is wrong with a tenant's endpoint, and what would be right; two empty texts if nothing is."""
    wrong = endpoint_problem(endpoint)
    if wrong:
        return wrong, EXAMPLE
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if is_loopback(host):
        return "", ""
    account = host.removesuffix(DOMAIN)
    if account == host or not _ACCOUNT.fullmatch(account):
        return "the product's endpoints are https://ACCOUNT.lacework.net", EXAMPLE
    if url.path.strip("/") or url.port not in {None, 443}:
        return "the endpoint is the account's address alone, without path or port", f"https://{host}"
    return "", ""


def full_name(endpoint: str) -> str:
    """The account as downloaded key files name it: `acme.lacework.net`."""
    url = urlsplit(endpoint)
    return (url.hostname or "") if not is_loopback(url.hostname or "") else url.netloc + url.path.rstrip("/")


def same(one: str, other: str) -> bool:
    """Whether two names mean the same account: in any case, with the domain or without."""
    return _short(one) == _short(other)


def is_sub_account(value: object) -> bool:
    """Whether this can be the name of a sub-account."""
    return isinstance(value, str) and _SUB_ACCOUNT.fullmatch(value) is not None


def sub_account(value: object) -> str:
    """A sub-account as it is sent: in lower case, as the vendor's command line does. Nothing for none."""
    return value.lower() if isinstance(value, str) else ""


def _short(account: str) -> str:
    return account.strip().lower().removeprefix("https://").rstrip("/").removesuffix(DOMAIN)
