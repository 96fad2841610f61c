from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.base import Verification
from reconciler.providers.carbon_black_cloud import audit
from reconciler.providers.carbon_black_cloud.records import AuditRecord


def record(text: str, *, flagged: bool = False, when: str = "2026-01-01T00:00:00.000Z") -> AuditRecord:
    return AuditRecord(description=text, create_time=when, flagged=flagged)


LOGIN = record("Connector A logged in successfully")
FAILED = record("Connector A failed to log in", flagged=True)
FROM_ELSEWHERE = record("Connector A failed to log in from unauthorized IP address 203.0.113.9", flagged=True)


def verdict(before: list[AuditRecord], after: list[AuditRecord], *, restricted: bool = False) -> Verification:
    return audit.verdict(before, after, restricted=restricted)


def test_what_new_records_say() -> None:
    """Only what appeared counts; a session outweighs failures; a failure counts if nothing else explains it."""
    assert verdict([], [LOGIN]) is Verification.GOOD
    assert verdict([LOGIN], [LOGIN]) is Verification.UNVERIFIABLE
    assert verdict([LOGIN], [LOGIN, LOGIN]) is Verification.GOOD
    assert verdict([], [FAILED, LOGIN]) is Verification.GOOD
    assert verdict([LOGIN], [FAILED, LOGIN]) is Verification.BAD
    assert verdict([FAILED], [FAILED, FAILED]) is Verification.UNVERIFIABLE
    assert verdict([], [FROM_ELSEWHERE]) is Verification.UNVERIFIABLE
    assert verdict([], [FAILED], restricted=True) is Verification.UNVERIFIABLE
    assert verdict([], []) is Verification.UNVERIFIABLE


@given(st.lists(st.sampled_from([LOGIN, FAILED, FROM_ELSEWHERE])), st.booleans())
def test_nothing_new_proves_nothing(records: list[AuditRecord], restricted: bool) -> None:
    """Whatever was there before, and in whatever order."""
    assert verdict(records, records[::-1], restricted=restricted) is Verification.UNVERIFIABLE


def test_only_the_keys_own_records_count() -> None:
    """A search finds more than it was asked for: other ids that begin alike, other sentences."""
    others = [record("Connector AB logged in successfully"), record("Added API ID A with name Connector A in org 1")]
    assert audit.of_key([LOGIN, *others], "A") == (LOGIN,)


def test_added_keys() -> None:
    """The newest of that name, whatever the name holds; a name that only begins alike is another one."""
    log = [
        record("Added API ID C3 with name a.b.g3 in org 123"),
        record("Added API ID B2 with name axb in org 123"),
        record("Added API ID A1 with name a.b in org 123"),
        record("Added API ID D4 with name my key with name in it in org 123"),
        record("Updated API ID E5 with name other in org 123"),
    ]
    assert audit.added(log, "a.b.g3") == "C3"
    assert audit.added(log, "a.b") == "A1"
    assert audit.added(log, "my key with name in it") == "D4"
    assert audit.added(log, "other") is None
