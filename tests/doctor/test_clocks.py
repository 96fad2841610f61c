"""When two clocks agree."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.doctor.catalogue import VAULT_CLOCK
from reconciler.doctor.clocks import agree
from reconciler.doctor.results import Verdict


@pytest.mark.parametrize(
    ("seconds", "verdict", "words"),
    [
        (0, Verdict.OK, "agrees with"),
        (10, Verdict.OK, "agrees with"),
        (-10, Verdict.OK, "agrees with"),
        (11, Verdict.WARNING, "11 s ahead of"),
        (-11, Verdict.WARNING, "11 s behind"),
        (300, Verdict.WARNING, "5 min ahead of"),
        (301, Verdict.PROBLEM, "5 min ahead of"),
        (-7300, Verdict.PROBLEM, "2 h behind"),
        (900_000, Verdict.PROBLEM, "10 days ahead of"),
    ],
)
def test_how_far_off(seconds: int, verdict: Verdict, words: str) -> None:
    """Ten seconds either way are forgiven, five minutes are a problem, and the sentence says which way."""
    found = agree(VAULT_CLOCK, "Vault's", timedelta(seconds=seconds), "logins fail")
    assert (found.verdict, found.facts["skewSeconds"]) == (verdict, seconds)
    assert words in found.found
    assert ("logins fail" in found.found) is (verdict is not Verdict.OK)
