from __future__ import annotations

import pytest

from reconciler.suggest import did_you_mean, near, nearest


def test_nearest() -> None:
    """Case does not count; what is far away is not suggested."""
    assert nearest("TIMEZONE", ("locale", "timeZone")) == "timeZone"
    assert nearest("colour", ("locale", "timeZone")) == ""
    assert did_you_mean("lokale", ("locale", "timeZone")) == "did you mean 'locale'?"
    assert did_you_mean("colour", ("locale", "timeZone")) == ""


@pytest.mark.parametrize(("most", "found"), [(1, ["Plan"]), (2, ["Plan", "plane"]), (9, ["Plan", "plane"])])
def test_several(most: int, found: list[str]) -> None:
    """The most like it comes first, and there are never more than asked for."""
    assert near("pLan", ("apply", "plane", "Plan"), most) == found
