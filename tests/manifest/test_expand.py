"""Approvals: leave to prune."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.model.desired import Unmanaged
from reconciler.model.names import Kind
from tests.manifest.estates import Folder, key, manifest, tenant

TREND = "trend-workload-security"


@pytest.fixture
def estate(bare: Folder) -> Folder:
    """A tenant that prunes."""
    bare.write("t.yaml", tenant("t", TREND, "unmanaged: prune"), key("splunk", "t"))
    return bare


def approval(name: str, obj: str, until: str = "2027-06-30", *fields: str) -> str:
    return manifest("Approval", name, f"object: {obj}", "action: prune", f"until: {until}", *fields, tenant="t")


def test_approvals(estate: Folder) -> None:
    """By the name that the object has at the vendor, whatever that is, or by the vendor's id; sorted."""
    estate.write(
        "a.yaml",
        approval("one", "ApiKey/Old SIEM / 2", "2027-06-30", "reason: ' unused '"),
        approval("two", "{kind: AccessLevel, vendorId: '42'}", "2027-06-30T12:00:00Z"),
    )
    level, old = estate.tenant().approvals
    assert (level.kind, level.name, level.vendor_id, level.reason) == (Kind.ACCESS_LEVEL, "", "42", "")
    assert level.until == datetime(2027, 6, 30, 12, tzinfo=UTC)
    assert (old.kind, old.name, old.vendor_id, old.reason) == (Kind.API_KEY, "Old SIEM / 2", "", "unused")
    assert old.until == datetime(2027, 7, 1, tzinfo=UTC)
    assert str(old.source) == f"{estate.path}/a.yaml:1:1"
    before = estate.digest()
    estate.write("a.yaml", approval("one", "ApiKey/Old SIEM"))
    assert estate.digest() != before


def test_pruning_without_approvals(estate: Folder) -> None:
    """It is valid, and approves nothing."""
    assert (estate.tenant().unmanaged, estate.tenant().approvals, estate.found()) == (Unmanaged.PRUNE, (), [])


def test_approvals_that_change_nothing(estate: Folder) -> None:
    """One that has passed, and one in a tenant that does not prune: warnings, and the estate loads."""
    estate.write("a.yaml", approval("one", "ApiKey/x", "2026-11-20"))
    assert estate.found() == [
        (
            "a.yaml:7:10: warning: spec.until has passed: it was 2026-11-21T00:00:00Z "
            "(the approval counts no more; delete it, or set a later time)"
        )
    ]
    assert len(estate.tenant().approvals) == 1
    estate.write("t.yaml", tenant("t", TREND), key("splunk", "t"))
    estate.write("a.yaml", approval("one", "ApiKey/x"))
    assert estate.found() == [
        (
            "a.yaml:6:11: warning: the approval changes nothing: tenant t does not prune "
            "(give the tenant unmanaged: prune, or delete the approval)"
        )
    ]


@pytest.mark.promise(9)
def test_promise_9_approvals(estate: Folder) -> None:
    """Wrong objects, actions, tenants and names."""
    estate.write(
        "a.yaml",
        approval("a", "ApiKeys/x"),
        approval("b", "ApiKey/"),
        approval("c", "{kind: Key}").replace("action: prune", "action: purge"),
        approval("d", "ApiKey/x").replace("tenant: t", "tenant: tt"),
        approval("e", "ApiKey/x").replace("tenant: t", "tenantSelector: {matchLabels: {env: prod}}"),
        approval("f", "ApiKey/x"),
        approval("f", "ApiKey/x"),
        approval("g", "7"),
    )
    assert estate.found() == [
        "a.yaml:5:11: error: spec.object is 'ApiKeys/x', which is not KIND/NAME (did you mean 'ApiKey/x'?)",
        (
            "a.yaml:13:11: error: spec.object is 'ApiKey/', which is not KIND/NAME "
            "(such as ApiKey/old-siem; kinds are AccessLevel, ServiceUser, ApiKey)"
        ),
        "a.yaml:21:3: error: spec.object.vendorId is missing (such as vendorId: 1234)",
        (
            "a.yaml:21:18: error: spec.object.kind must be AccessLevel, ServiceUser or ApiKey, not 'Key' "
            "(did you mean 'ApiKey'?)"
        ),
        "a.yaml:22:11: error: spec.action must be prune, not 'purge' (did you mean 'prune'?)",
        "a.yaml:27:29: error: there is no tenant 'tt' (did you mean 't'?)",
        "a.yaml:35:1: error: metadata.tenant is missing (such as tenant: dsm-prod)",
        "a.yaml:35:21: error: unknown field metadata.tenantSelector (did you mean 'tenant'?)",
        "a.yaml:51:18: error: Approval 'f' is declared twice in tenant t (the first is at a.yaml:41:1)",
        "a.yaml:61:11: error: spec.object must be a name or a mapping, not 7 (such as object: ApiKey/old-siem)",
    ]
