"""A secret that a person brings is tried first, and what cannot be told is only taken on request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.apply.verify import tried
from reconciler.errors import InvalidInput
from reconciler.model.secret import Secret
from reconciler.providers.base import Issued, Verification

GOOD, BAD, UNKNOWN = Verification.GOOD, Verification.BAD, Verification.UNVERIFIABLE


def attempt(said: Verification, *, locked: bool, unverified: bool) -> Verification:
    """What becomes of a secret of which the vendor says that."""
    session = SimpleNamespace(verify=lambda _issued: said)
    tools: Any = SimpleNamespace(tenant=SimpleNamespace(session=session))
    return tried(tools, Issued("1", {"secret": Secret("s")}), "dsm/splunk", locked=locked, unverified=unverified)


@pytest.mark.parametrize(
    ("said", "locked", "unverified", "becomes"),
    [
        (GOOD, False, False, GOOD),
        (GOOD, True, True, GOOD),
        (UNKNOWN, False, True, UNKNOWN),
        (BAD, True, True, UNKNOWN),
        (BAD, False, False, "does not accept"),
        (BAD, False, True, "does not accept"),
        (BAD, True, False, "add --unverified"),
        (UNKNOWN, False, False, "add --unverified"),
    ],
)
def test_what_the_vendor_says(said: Verification, locked: bool, unverified: bool, becomes: Verification | str) -> None:
    """A locked key is refused in any case, so that nothing can be told of its secret: `--unverified` takes it."""
    if isinstance(becomes, Verification):
        assert attempt(said, locked=locked, unverified=unverified) is becomes
        return
    with pytest.raises(InvalidInput) as refused:
        attempt(said, locked=locked, unverified=unverified)
    assert becomes in str(refused.value) + refused.value.hint
