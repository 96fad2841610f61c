"""Which rules an estate's paths need. That they are those of docs/vault.md is held by tests/cli/test_doctor.py."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from reconciler.doctor.needs import MOST, bans, needs
from reconciler.model.desired import CredentialRef, DesiredTenant, VaultPath
from reconciler.model.estate import Estate, VaultConfig
from tests.support.builders import desired_key, desired_tenant

ID = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")


def estate(*tenants: DesiredTenant) -> Estate:
    return Estate(ID, "acme", VaultConfig("https://x"), tenants, lambda: "")


def tenant(template: str = "security-keys/{tenant}/{key}", *paths: str) -> DesiredTenant:
    keys = [replace(desired_key(f"k{n}"), secret_path=VaultPath("secret", path)) for n, path in enumerate(paths)]
    made = desired_tenant(keys)
    own = CredentialRef(vault=VaultPath("creds", f"vendors/{made.name}/plan"))
    other = CredentialRef(vault=VaultPath("creds", f"vendors/{made.name}/apply"))
    return replace(made, secrets=VaultPath("secret", template), credentials_plan=own, credentials_apply=other)


@pytest.mark.parametrize(
    ("template", "rule"),
    [
        ("security-keys/{tenant}/{key}", "secret/metadata/security-keys/*"),
        ("a/b-{key}", "secret/metadata/a/b-*"),
        ("{tenant}/{key}", "secret/metadata/dsm/*"),
        ("{key}", "secret/metadata/*"),
    ],
)
def test_rules_cover_a_template(template: str, rule: str) -> None:
    """Up to its first placeholder; one that begins with the tenant's name has a rule of the tenant's own."""
    one = tenant(template)
    assert rule in {need.rule.path for need in needs(estate(one), [one], "plan")}


def test_every_path_in_use_is_asked_for() -> None:
    """Each key's entry and folder, the state, and the credential of the identity: whatever the template says now."""
    one = tenant("security-keys/{tenant}/{key}", "security-keys/dsm/k0", "moved/k1")
    asked = {need.request: need.capabilities for need in needs(estate(one), [one], "plan")}
    assert asked == {
        "secret/metadata/security-keys/dsm/k0": {"read"},
        "secret/metadata/moved/k1": {"read"},
        "secret/detailed-metadata/security-keys/dsm/": {"list"},
        "secret/detailed-metadata/moved/": {"list"},
        f"secret/data/reconciler/{ID}/dsm": {"read"},
        "creds/data/vendors/dsm/plan": {"read"},
    }


def test_a_tenant_without_keys_has_a_place_for_them() -> None:
    """The first key must not be the one that fails."""
    one = tenant()
    assert "secret/data/security-keys/dsm/a-key" in {need.request for need in needs(estate(one), [one], "apply")}


def test_of_many_keys_some_are_asked_for() -> None:
    """From the first to the last part of the list, and no more than that."""
    one = tenant("k/{key}", *(f"k/{number:04}" for number in range(1000)))
    asked = sorted(need.request for need in needs(estate(one), [one], "plan") if "/metadata/" in need.request)
    assert len(asked) == MOST
    assert (asked[0], asked[-1]) == ("secret/metadata/k/0000", "secret/metadata/k/0960")


def test_a_large_tenants_state_lies_in_several_entries() -> None:
    """Beyond a thousand objects the entries below the document count, too."""
    one = tenant("k/{key}", *(f"k/{number}" for number in range(1001)))
    asked = {need.request for need in needs(estate(one), [one], "plan")}
    assert f"secret/data/reconciler/{ID}/dsm/0001a" in asked


@pytest.mark.parametrize(("identity", "other"), [("plan", "apply"), ("apply", "plan")])
def test_the_others_credential_is_banned(identity: str, other: str) -> None:
    """Where there are two; a shared one is not."""
    one = tenant()
    state = VaultPath("secret", "reconciler")
    assert f"creds/data/vendors/dsm/{other}" in {ban.request for ban in bans([one], state, ID, identity)}  # type: ignore[arg-type]
    shared = replace(one, credentials_apply=one.credentials_plan)
    assert not [ban for ban in bans([shared], state, ID, identity) if "vendors" in ban.request]  # type: ignore[arg-type]


def test_a_rule_is_written_as_policies_are() -> None:
    """Comment, path, capabilities."""
    one = tenant()
    rule = next(need.rule for need in needs(estate(one), [one], "plan") if "/metadata/" in need.request)
    assert rule.lines == (
        "# What exists, without any secret.",
        'path "secret/metadata/security-keys/*" {',
        '  capabilities = ["read", "list"]',
        "}",
    )
