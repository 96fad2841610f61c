"""Exit codes of a run over many tenants."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.outcome import ExitCode, combine

ORDER = [ExitCode.STOPPED, ExitCode.LEASE_HELD, ExitCode.PARTIAL, ExitCode.HANDOFF, ExitCode.PENDING, ExitCode.DONE]
CODES = st.lists(st.sampled_from(ExitCode))


def test_every_code_has_a_meaning() -> None:
    """As the table of the design numbers them."""
    assert [int(code) for code in ExitCode] == list(range(7))
    assert all(code.meaning for code in ExitCode)


@pytest.mark.parametrize(("stronger", "weaker"), list(pairwise(ORDER)))
def test_precedence(stronger: ExitCode, weaker: ExitCode) -> None:
    """3, 5, 4, 6, 2, 0 in this order."""
    assert combine([weaker, stronger, weaker]) is stronger


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], ExitCode.DONE),
        ([ExitCode.ERROR, ExitCode.ERROR], ExitCode.ERROR),
        ([ExitCode.ERROR, ExitCode.DONE], ExitCode.PARTIAL),
        ([ExitCode.ERROR, ExitCode.PENDING], ExitCode.PARTIAL),
        ([ExitCode.ERROR, ExitCode.HANDOFF], ExitCode.PARTIAL),
        ([ExitCode.ERROR, ExitCode.STOPPED], ExitCode.STOPPED),
        ([ExitCode.ERROR, ExitCode.LEASE_HELD], ExitCode.LEASE_HELD),
    ],
)
def test_errors(codes: list[ExitCode], code: ExitCode) -> None:
    """1 when nothing could be done; an error beside something that was done is 4."""
    assert combine(codes) is code


@given(CODES, CODES)
def test_combining_is_a_matter_of_sets(some: list[ExitCode], more: list[ExitCode]) -> None:
    """Order and repetition do not matter; all is well only if all parts are, and 1 means that none is."""
    assert combine(some + more) == combine(more + some) == combine(set(some + more))
    assert (combine(some) is ExitCode.DONE) == (set(some) <= {ExitCode.DONE})
    assert (combine(some) is ExitCode.ERROR) == (set(some) == {ExitCode.ERROR})
