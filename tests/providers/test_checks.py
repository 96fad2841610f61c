from __future__ import annotations

import pytest

from reconciler.model.hosts import is_loopback
from reconciler.providers.checks import endpoint_problem, same_endpoint


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Only this machine's own addresses and name."""
    assert is_loopback(host) is loopback


def test_endpoints() -> None:
    """Places are compared, not spellings."""
    assert endpoint_problem("https://x/api") == ""
    assert same_endpoint("https://X/api/", "https://x:443/api")
    assert same_endpoint("http://x:80/api", "http://x/api")
    assert not same_endpoint("http://x:443/api", "https://x/api")
    assert not same_endpoint("https://x/api", "https://x/API")
