"""What changes mean for access: a table for each rule, keys that share a change, and that the rules' table says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import (
    CredentialRef,
    DesiredKey,
    DesiredLevel,
    DesiredTenant,
    KeyState,
    LevelRef,
    OnRemoval,
    Removal,
    Unmanaged,
    VaultPath,
)
from reconciler.model.finding import Finding, Impact, Severity
from reconciler.model.names import Kind
from reconciler.plan.access_rules import ACCESS, RULES
from reconciler.plan.impact import compare, posture
from reconciler.plan.widening import of_scope
from reconciler.providers import registry
from tests.support import builders as b
from tests.support.builders import NOW, desired_key, desired_level

HIGH = {"platformRights": {"apikeyRights": {"canCreateNewApiKeys": True}}}
RISK = "platformRights.apikeyRights.canCreateNewApiKeys"
JUNE, JULY = datetime(2027, 7, 1, tzinfo=UTC), datetime(2027, 8, 1, tzinfo=UTC)


def tenant(*keys: DesiredKey, levels: Sequence[DesiredLevel] | None = None, **more: Any) -> DesiredTenant:
    return b.desired_tenant(keys, levels, **more)


def cloud(*keys: DesiredKey) -> DesiredTenant:
    """Of a product that ties keys to addresses."""
    level = desired_level(permissions={"serviceRoleURNs": ["urn:x:role/auditor"]})
    return b.desired_tenant(keys, [level], provider="trend-cloud-one")


def cortex(*keys: DesiredKey) -> DesiredTenant:
    """Of a product with scopes, and without a lock that can be undone."""
    return b.desired_tenant(
        keys, [desired_level(permissions={"components": ["reports_view"]})], provider="cortex-cloud"
    )


def found(before: DesiredTenant | None, after: DesiredTenant | None) -> tuple[Finding, ...]:
    seen = compare([before] if before else [], [after] if after else [], registry.get, NOW)
    for one in seen:  # the documented table says just this
        rule = RULES[one.rule]
        assert one.impact in rule.impact
        assert one.severity in rule.severity
        assert one.message.isprintable()
    return seen


def told(before: DesiredTenant | None, after: DesiredTenant | None) -> list[tuple[str, str, str, str]]:
    return [(one.rule, one.impact, one.severity, one.message) for one in found(before, after)]


def keyed(**fields: Any) -> DesiredKey:
    return desired_key(**fields)


MOVED = (
    "other addresses are allowed: 16 addresses before, 16 addresses now "
    "(198.51.100.0-198.51.100.15 added, 203.0.113.0-203.0.113.15 removed)"
)
SCOPE = {"assets": {"mode": "scope", "groupIds": [1]}}
WIDER = {"assets": {"mode": "scope", "groupIds": [1, 2]}}
OTHER = {"assets": {"mode": "scope", "groupIds": [2]}}


@pytest.mark.parametrize(
    ("make", "old", "new", "expected"),
    [
        # addresses
        (cloud, {"allowed_ips": ("203.0.113.0/28",)}, {"allowed_ips": ("203.0.0.0/16",)},
         ("access/addresses", "widens", "medium", "allowed addresses widen from 16 to 65,536 addresses")),
        (cloud, {"allowed_ips": ("203.0.0.0/16",)}, {"allowed_ips": ("203.0.113.0/28",)},
         ("access/addresses", "narrows", "low", "allowed addresses narrow from 65,536 to 16 addresses")),
        (cloud, {"allowed_ips": ("203.0.113.0/28",)}, {},
         ("access/addresses", "widens", "high", "allowed addresses widen from 16 addresses to any address")),
        (cloud, {"allowed_ips": ("203.0.113.0/28",)}, {"allowed_ips": ("0.0.0.0/0",)},
         ("access/addresses", "widens", "high",
          "allowed addresses widen from 16 addresses to any IPv4 address (4,294,967,296)")),
        (cloud, {}, {"allowed_ips": ("203.0.113.0/28",)},
         ("access/addresses", "narrows", "low", "allowed addresses narrow from any address to 16 addresses")),
        (cloud, {"allowed_ips": ("203.0.113.0/28",)}, {"allowed_ips": ("198.51.100.0/28",)},
         ("access/addresses", "widens", "medium",
          MOVED)),
        (cloud, {"allowed_ips": ("203.0.113.0/28",)}, {"allowed_ips": ("203.0.113.0/28", "2001:db8::1/128")},
         ("access/addresses", "widens", "medium",
          "allowed addresses widen from 16 addresses to 16 addresses and 1 IPv6 address")),
        (cloud, {"allowed_ips": ("203.0.113.0/28",)}, {"allowed_ips": ("203.0.113.0/29", "203.0.113.8/29")}, None),
        # scope
        (cortex, {"scope": SCOPE}, {"scope": WIDER},
         ("access/scope", "widens", "medium", "scope reaches more: assets.groupIds")),
        (cortex, {"scope": WIDER}, {"scope": SCOPE},
         ("access/scope", "narrows", "low", "scope reaches less: assets.groupIds")),
        (cortex, {"scope": SCOPE}, {"scope": OTHER},
         ("access/scope", "widens", "medium", "scope reaches more: assets.groupIds")),
        (cortex, {"scope": SCOPE}, {}, ("access/scope", "widens", "high", "scope removed: it reaches everything")),
        # end
        (tenant, {"expires": JUNE}, {"expires": JULY},
         ("access/expiry", "widens", "medium", "end moves from 2027-06-30 to 2027-07-31 (+31 days)")),
        (tenant, {"expires": JULY}, {"expires": JUNE},
         ("access/expiry", "narrows", "low", "end moves from 2027-07-31 to 2027-06-30 (-31 days)")),
        (tenant, {"expires": JUNE}, {}, ("access/expiry", "widens", "high", "end removed: it was 2027-06-30")),
        (tenant, {}, {"expires": JUNE}, ("access/expiry", "narrows", "low", "ends on 2027-06-30, and had no end before")),
        # rotation
        (tenant, {"rotation": b.rotation(90)}, {"rotation": b.rotation(180)},
         ("access/rotation", "widens", "medium", "rotation is every 180d (overlap 1d), it was every 90d (overlap 1d)")),
        (tenant, {"rotation": b.rotation(90)}, {"rotation": b.rotation(30)},
         ("access/rotation", "narrows", "info", "rotation is every 30d (overlap 1d), it was every 90d (overlap 1d)")),
        (tenant, {"rotation": b.rotation(90)}, {},
         ("access/rotation", "widens", "medium", "rotation removed: it was every 90d (overlap 1d)")),
        (tenant, {}, {"rotation": b.rotation(90)},
         ("access/rotation", "narrows", "info", "rotation is every 90d (overlap 1d), it was none")),
        (tenant, {"rotation": b.rotation(90, in_place=True)}, {"rotation": b.rotation(90)},
         ("access/rotation", "widens", "medium", "rotation is every 90d (overlap 1d), it was every 90d (in place)")),
        (tenant, {"rotation": b.rotation(90)}, {"rotation": replace(b.rotation(90), hold_while_used=True)},
         ("access/rotation", "widens", "medium",
          "rotation is every 90d (overlap 1d, held while used), it was every 90d (overlap 1d)")),
        (tenant, {"rotation": b.rotation(90)}, {"rotation": replace(b.rotation(90), renew_before=timedelta(days=9))},
         ("access/rotation", "neutral", "info", "rotation is every 90d (overlap 1d), it was every 90d (overlap 1d)")),
        # what only we keep
        (tenant, {}, {"owner": "other@example.com"},
         ("access/owner", "neutral", "low", "owner is other@example.com, it was secops@example.com")),
        (tenant, {}, {"owner": ""}, ("access/owner", "neutral", "medium", "owner is nobody, it was secops@example.com")),
        (tenant, {"protect": True}, {},
         ("access/protect", "neutral", "high", "protection lifted: a later change can remove it")),
        (tenant, {}, {"protect": True}, ("access/protect", "neutral", "info", "protected now")),
        (tenant, {}, {"reissue_after": JUNE},
         ("access/key-reissued", "rotates", "medium", "issued again if it was revoked before 2027-06-30")),
        # lock
        (tenant, {}, {"state": KeyState.LOCKED}, ("access/key-locked", "destroys", "medium", "locked: it stops working")),
        (tenant, {"state": KeyState.LOCKED}, {}, ("access/key-unlocked", "widens", "medium", "unlocked")),
        (cortex, {}, {"state": KeyState.LOCKED},
         ("access/key-locked", "destroys", "high",
          "locked for good: this product can lock a key only by deleting it, and its secret is deleted, too")),
        (cortex, {"protect": True}, {"state": KeyState.LOCKED, "protect": True},
         ("access/key-locked", "destroys", "critical",
          "locked for good: this product can lock a key only by deleting it, and its secret is deleted, too")),
        (cortex, {"state": KeyState.LOCKED}, {},
         ("access/key-unlocked", "widens", "medium", "wanted again: it is created anew")),
        # options
        (tenant, {}, {"options": {"locale": "ja-JP"}},
         ("access/options", "neutral", "low", "locale is ja-JP, it was en-US")),
        (tenant, {"options": {"timeZone": "Asia/Calcutta"}}, {"options": {"timeZone": "Asia/Kolkata"}}, None),
        # what is no access
        (tenant, {}, {"description": "other words"}, None),
        # going
        (tenant, {}, {"state": KeyState.ABSENT},
         ("access/key-removed", "destroys", "medium", "removed: state is absent; its secret is deleted, too")),
        (tenant, {"protect": True}, {"state": KeyState.ABSENT},
         ("access/key-removed", "destroys", "critical",
          "removed: state is absent; its secret is deleted, too; it is protected")),
        (tenant, {}, {"expires": NOW},
         ("access/key-removed", "destroys", "medium",
          "removed: it expired on 2026-06-01T12:00:00Z; its secret is deleted, too")),
        (tenant, {"state": KeyState.ABSENT}, {"state": KeyState.ABSENT, "owner": "x"}, None),
    ],
)  # fmt: skip
def test_one_field_of_a_key(
    make: Any, old: dict[str, Any], new: dict[str, Any], expected: tuple[str, str, str, str] | None
) -> None:
    """What each change of a field is called, which way it goes, and how severe it is."""
    assert told(make(keyed(**old)), make(keyed(**new))) == ([expected] if expected else [])
    assert told(make(keyed(**old)), make(keyed(**old))) == []


def test_a_scope_that_nobody_can_compare_counts_as_widening() -> None:
    """A plugin may have scopes and not say how one is within another."""
    can = replace(registry.get("cortex-cloud").capabilities, scope_within=None)
    assert of_scope({"a": 1}, {"a": 2}, can) is Impact.WIDENS
    assert of_scope({"a": 1}, {"a": 1}, can) is Impact.NEUTRAL


def test_a_key_that_belongs_to_another_user_is_replaced() -> None:
    """Where the vendor fixes a key's owner for life."""
    users = [
        desired_level(name, kind=Kind.SERVICE_USER, permissions={"groups": [group]})
        for name, group in (("a", "G"), ("z", "H"))
    ]
    before, after = (
        tenant(keyed(level=LevelRef(name, kind=Kind.SERVICE_USER)), levels=users, provider="lacework")
        for name in ("a", "z")
    )
    assert [one[:2] for one in told(before, after)] == [
        ("access/key-replaced", "rotates"), ("access/permissions", "widens"), ("access/permissions", "narrows"),
    ]  # fmt: skip


def test_a_weaker_option_is_told_with_what_it_costs() -> None:
    """Cortex's standard keys travel with every request; the vendor fixes the level for a key's life."""
    advanced, standard = cortex(keyed()), cortex(keyed(options={"securityLevel": "standard"}))
    assert told(advanced, standard) == [
        ("access/options", "widens", "high", "securityLevel is standard, it was advanced (gives up protection)"),
        ("access/key-replaced", "rotates", "medium",
         "replaced, with a new secret: securityLevel cannot be changed on a key"),
    ]  # fmt: skip
    assert told(standard, advanced)[1][:3] == ("access/options", "narrows", "low")


# -- levels --------------------------------------------------------------------------------------------------------------


def test_a_change_of_a_level_names_every_key_that_has_it() -> None:
    """One finding for the gain and one for the loss, with keys, owners, and the level's place."""
    keys = [desired_key("jira"), desired_key("splunk", owner="siem@example.com"), desired_key("x", level=LevelRef("y"))]
    other = desired_level("y")
    before, after = (
        tenant(*keys, levels=[desired_level(), other]),
        tenant(*keys, levels=[desired_level(permissions=HIGH), other]),
    )
    gained, lost = found(before, after)
    assert (gained.rule, gained.impact, gained.severity) == ("access/permissions", Impact.WIDENS, Severity.HIGH)
    assert gained.message == f"1 permission gained by 2 keys (jira, splunk): {RISK}; 1 high-risk"
    assert str(gained.object) == "AccessLevel/read"
    assert gained.figures == {
        "gained": [RISK], "highRisk": [RISK], "keys": ["jira", "splunk"],
        "owners": ["secops@example.com", "siem@example.com"],
    }  # fmt: skip
    assert (lost.impact, lost.severity) == (Impact.NARROWS, Severity.LOW)
    assert lost.message.startswith("1 permission lost by 2 keys (jira, splunk): platformRights.computerRights")


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"allComputers": True}, "low"),
        ({"platformRights": {**b.PERMISSIONS["platformRights"], **HIGH["platformRights"]}}, "medium"),
    ],
)
def test_a_level_that_no_key_has_gives_nobody_anything(more: Any, severity: str) -> None:
    """It is told all the same, a step lower: the next pull request may hand it out."""
    [gained] = found(tenant(), tenant(levels=[desired_level(permissions={**b.PERMISSIONS, **more})]))
    assert gained.severity == severity
    assert gained.message.endswith("; no key has it")


def test_a_key_that_moves_to_another_level() -> None:
    """Is told of by itself, with the difference between the two."""
    levels = [desired_level(), desired_level("admin", permissions={**b.PERMISSIONS, "allComputers": True})]
    before, after = tenant(keyed(), levels=levels), tenant(keyed(level=LevelRef("admin")), levels=levels)
    assert told(before, after) == [
        ("access/permissions", "widens", "medium", "1 permission gained with admin: allComputers")
    ]
    assert told(after, before) == [
        ("access/permissions", "narrows", "low", "1 permission lost with read: allComputers")
    ]
    same = [desired_level(), desired_level("twin")]
    assert told(tenant(keyed(), levels=same), tenant(keyed(level=LevelRef("twin")), levels=same)) == [
        ("access/level", "neutral", "info", "moves from read to twin, which permits the same")
    ]


@pytest.mark.parametrize(
    ("old", "new", "impact", "severity"),
    [
        (LevelRef("read"), LevelRef("Auditor", existing=True), "widens", "medium"),
        (LevelRef("read"), LevelRef("Full Access", existing=True), "widens", "high"),
        (LevelRef("read"), LevelRef("full access", existing=True), "widens", "high"),
        (LevelRef("Auditor", existing=True), LevelRef("read"), "widens", "medium"),
        (LevelRef("Full Access", existing=True), LevelRef("read"), "narrows", "low"),
        (LevelRef("Full Access", existing=True), LevelRef("Auditor", existing=True), "narrows", "low"),
        (LevelRef("Auditor", existing=True), LevelRef("Other", existing=True), "widens", "medium"),
        (LevelRef("Full Access", existing=True), LevelRef("risky"), "widens", "high"),
    ],
)
def test_what_git_does_not_say_counts_as_widening(old: LevelRef, new: LevelRef, impact: str, severity: str) -> None:
    """Unless a role that is known to be all-powerful is left."""
    levels = [desired_level(), desired_level("risky", permissions=HIGH)]
    [one] = found(tenant(keyed(level=old), levels=levels), tenant(keyed(level=new), levels=levels))
    assert (one.rule, one.impact, one.severity) == ("access/level", impact, severity)


def test_levels_come_go_and_are_renamed() -> None:
    """A renamed level is the same one, and so are its keys' permissions."""
    none, one = tenant(levels=[]), tenant(levels=[desired_level()])
    assert told(none, one) == [
        ("access/level-created", "neutral", "info", "new access level with 1 permission; no key has it yet")
    ]
    assert told(one, none) == [("access/level-removed", "narrows", "low", "the access level is removed")]
    protected = tenant(levels=[desired_level(protect=True)])
    assert told(protected, none)[0][:3] == ("access/level-removed", "destroys", "critical")
    risky = tenant(levels=[desired_level(permissions=HIGH)])
    assert told(none, risky)[0][2] == "low"
    renamed = tenant(keyed(level=LevelRef("new")), levels=[desired_level("new", previous_names=("read",))])
    assert told(tenant(keyed()), renamed) == []
    grown = tenant(
        keyed(level=LevelRef("new")), levels=[desired_level("new", previous_names=("read",), permissions=HIGH)]
    )
    assert [one[:2] for one in told(tenant(keyed()), grown)] == [
        ("access/permissions", "widens"), ("access/permissions", "narrows"),
    ]  # fmt: skip


def test_a_name_of_the_past_hides_no_move() -> None:
    """While the former level is still there, or the new one was there before, a key that moves really moves."""
    both = [desired_level(), desired_level("admin", previous_names=("read",), permissions=HIGH)]
    rules = {one[0] for one in told(tenant(keyed()), tenant(keyed(level=LevelRef("admin")), levels=both))}
    assert "access/permissions" in rules
    had = [desired_level(), desired_level("admin", permissions=HIGH)]
    after = tenant(keyed(level=LevelRef("admin")), levels=[both[1]])
    assert "access/permissions" in {one[0] for one in told(tenant(keyed(), levels=had), after)}


def test_owner_and_protection_of_a_level() -> None:
    """They are told like a key's."""
    before = tenant(levels=[desired_level(protect=True)])
    after = tenant(levels=[desired_level(owner="")])
    assert told(before, after) == [
        ("access/protect", "neutral", "high", "protection lifted: a later change can remove it"),
        ("access/owner", "neutral", "medium", "owner is nobody, it was secops@example.com"),
    ]


def test_a_service_user_that_is_locked() -> None:
    """Takes its keys along."""

    def lacework(*, locked: bool) -> DesiredTenant:
        user = desired_level("siem", kind=Kind.SERVICE_USER, permissions={"groups": ["G"]}, locked=locked)
        key = keyed(level=LevelRef("siem", kind=Kind.SERVICE_USER))
        return tenant(key, levels=[user], provider="lacework")

    assert told(lacework(locked=False), lacework(locked=True)) == [
        ("access/level-locked", "destroys", "medium", "locked: 1 key (splunk) stop working")
    ]
    assert told(lacework(locked=True), lacework(locked=False)) == [
        ("access/level-unlocked", "widens", "medium", "unlocked: 1 key (splunk) work again")
    ]


# -- keys that come and go -----------------------------------------------------------------------------------------------


def test_a_new_key_says_what_it_brings() -> None:
    """Permissions, addresses, end; high-risk ones make it severe."""
    assert told(tenant(), tenant(keyed(expires=JUNE))) == [
        (
            "access/key-created",
            "widens",
            "medium",
            "created: with 1 permission of read, from any address, until 2027-06-30",
        )
    ]
    risky = [desired_level(permissions=HIGH)]
    assert told(tenant(levels=risky), tenant(keyed(state=KeyState.LOCKED), levels=risky)) == [
        ("access/key-created", "widens", "high",
         f"created: locked, with 1 permission of read, 1 of them high-risk ({RISK}), from any address, without an end")
    ]  # fmt: skip
    role = keyed(level=LevelRef("Full Access", existing=True))
    [one] = found(tenant(), tenant(role))
    assert (one.severity, "what the vendor's 'Full Access' permits" in one.message) == (Severity.HIGH, True)
    [one] = found(cloud(), cloud(keyed(allowed_ips=("203.0.113.7/32",))))
    assert "from 1 address," in one.message


@pytest.mark.parametrize(
    ("removal", "impact", "words"),
    [
        (OnRemoval(Removal.DELETE), "destroys", "its secret is deleted, too"),
        (OnRemoval(Removal.QUARANTINE, timedelta(days=7)), "destroys", "it is locked, and deleted after 7d"),
        (OnRemoval(Removal.ORPHAN), "neutral", "the key lives on at the vendor, and nobody looks after it"),
    ],
)
def test_a_key_that_is_taken_out_of_git(removal: OnRemoval, impact: str, words: str) -> None:
    """Goes as its tenant says; a protected one is critical, and the place is that of the manifest that was."""
    before, after = tenant(keyed(), on_removal=removal), tenant(on_removal=removal)
    [one] = found(before, after)
    assert (one.rule, one.impact, one.severity) == ("access/key-removed", impact, Severity.MEDIUM)
    assert words in one.message
    assert str(one.source) == "keys.yaml:7:3"
    [one] = found(tenant(keyed(protect=True), on_removal=removal), after)
    assert (one.severity, bool(one.hint)) == (Severity.CRITICAL, True)


def test_a_renamed_key_is_the_same_key() -> None:
    """Its fields are compared, and its secret's next place is told."""
    new = keyed(name="siem", previous_names=("splunk",), expires=JUNE)
    assert [one[:3] for one in told(tenant(keyed()), tenant(new))] == [
        ("access/expiry", "narrows", "low"), ("access/key-renamed", "neutral", "low"),
    ]  # fmt: skip
    both = tenant(keyed(), keyed(name="siem", previous_names=("splunk",)))
    assert [one[0] for one in told(tenant(keyed()), both)] == ["access/key-created"]


def test_keys_that_change_alike_are_one_finding() -> None:
    """A network list is in many keys; one that changes otherwise is another finding."""

    def keys(first: str, second: str) -> DesiredTenant:
        return cloud(
            *(desired_key(f"k{at}", allowed_ips=(first,)) for at in range(12)), desired_key("z", allowed_ips=(second,))
        )

    many, one = found(keys("10.0.0.1/32", "10.0.0.1/32"), keys("10.0.0.0/31", "10.0.0.0/30"))
    if many.object is not None:
        many, one = one, many
    assert many.message == (
        "12 keys (k0, k1, k10, k11, k2, k3, k4, k5 and 4 more): allowed addresses widen from 1 to 2 addresses"
    )
    assert (many.object, len(many.figures["keys"])) == (None, 12)
    assert many.figures["addresses"] == {
        "before": {"ipv4": "1", "ipv6": "0"}, "after": {"ipv4": "2", "ipv6": "0"},
        "added": {"ipv4": "1", "ipv6": "0"}, "removed": {"ipv4": "0", "ipv6": "0"},
    }  # fmt: skip
    assert (str(one.object), one.message) == ("ApiKey/z", "allowed addresses widen from 1 to 4 addresses")


# -- tenants -------------------------------------------------------------------------------------------------------------


def test_tenants_come_and_go() -> None:
    """A new one names where its credential goes; the keys of one that is gone live on."""
    first, key = found(None, tenant(keyed()))[:2]
    assert (first.rule, first.severity, first.impact) == ("access/tenant-created", Severity.HIGH, Impact.WIDENS)
    assert f"at {b.ENDPOINT}, with the credential secret/credentials/dsm; 1 key" in first.message
    assert key.rule == "access/key-created"
    [gone] = found(tenant(keyed()), None)
    assert (gone.rule, gone.severity, gone.impact) == ("access/tenant-removed", Severity.HIGH, Impact.NEUTRAL)
    assert "1 key (splunk) live on at the vendor" in gone.message
    assert found(tenant(keyed(protect=True)), None)[0].severity is Severity.CRITICAL
    assert found(tenant(), None)[0].severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"unmanaged": Unmanaged.PRUNE}, ("access/unmanaged", "destroys", "high")),
        ({}, {"unmanaged": Unmanaged.IGNORE}, ("access/unmanaged", "neutral", "medium")),
        ({"unmanaged": Unmanaged.PRUNE}, {}, ("access/unmanaged", "neutral", "info")),
        ({}, {"on_removal": OnRemoval(Removal.ORPHAN)}, ("access/on-removal", "neutral", "medium")),
        ({}, {"on_removal": OnRemoval(Removal.QUARANTINE, timedelta(days=7))}, ("access/on-removal", "neutral", "info")),
        ({"on_removal": OnRemoval(Removal.QUARANTINE, timedelta(days=7))},
         {"on_removal": OnRemoval(Removal.QUARANTINE, timedelta(days=1))}, ("access/on-removal", "neutral", "medium")),
        ({}, {"adopt_rotate": True}, ("access/adopt", "rotates", "medium")),
        ({"adopt_rotate": True}, {}, ("access/adopt", "neutral", "info")),
        ({}, {"endpoint": "https://evil.example.net"}, ("trust/endpoint", "neutral", "critical")),
        ({}, {"credentials_plan": CredentialRef(env={"secretKey": "CI_TOKEN"})}, ("trust/credential", "neutral", "high")),
        ({}, {"options": {"x": 1}}, ("trust/options", "neutral", "high")),
    ],
)  # fmt: skip
def test_settings_of_a_tenant(old: dict[str, Any], new: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """What is done about other people's keys, and where credentials go."""
    [one] = told(tenant(keyed(), **old), tenant(keyed(), **new))
    assert one[:3] == expected


def test_another_place_of_secrets() -> None:
    """Is told for the tenant, and for the keys whose consumers read there, as one."""
    moved = VaultPath("shared", "all/{tenant}/{key}")
    keys = [desired_key("a"), desired_key("z")]
    after = tenant(*(replace(key, secret_path=b.path_of(key.name, "all")) for key in keys), secrets=moved)
    assert told(tenant(*keys), after) == [
        ("access/secret-path", "neutral", "high",
         "2 keys (a, z): secret moves from secret/keys/{tenant}/{key} to shared/all/{tenant}/{key} with the next rotation"),
        ("trust/secrets", "neutral", "high",
         "another place of secrets: shared/all/{tenant}/{key}, it was secret/keys/{tenant}/{key}"),
    ]  # fmt: skip


def test_another_provider_makes_everything_new() -> None:
    """Its permissions cannot be compared with those of another product."""
    after = cloud(keyed())
    rules = [one[0] for one in told(tenant(keyed()), after)]
    assert rules == ["trust/provider", "access/key-created", "access/level-created"]


def test_hostile_texts_cannot_steer_a_terminal() -> None:
    """Owners, roles, endpoints and options are texts of a stranger."""
    evil = "\x1b[2J\u202eevil\x07"
    before = tenant(keyed())
    after = tenant(
        keyed(owner=evil, level=LevelRef(evil, existing=True), options={"locale": evil}),
        endpoint=f"https://{evil}", credentials_apply=CredentialRef(env={"secretKey": evil}),
    )  # fmt: skip
    seen = found(before, after)
    assert {"access/owner", "access/level", "access/options", "trust/endpoint", "trust/credential"} <= {
        one.rule for one in seen
    }
    assert all(owner.isprintable() for one in seen for owner in one.figures.get("owners", ()))


# -- as a whole ----------------------------------------------------------------------------------------------------------

KEYS = st.builds(
    desired_key,
    st.sampled_from(["a", "b", "c"]),
    level=st.sampled_from([LevelRef("read"), LevelRef("write"), LevelRef("Auditor", existing=True)]),
    expires=st.sampled_from([None, JUNE, JULY]),
    rotation=st.sampled_from([None, b.rotation(10), b.rotation(90)]),
    state=st.sampled_from(list(KeyState)),
    protect=st.booleans(),
    allowed_ips=st.sampled_from([(), ("10.0.0.0/8",), ("10.0.0.0/9",)]),
    owner=st.sampled_from(["", "x"]),
)
TENANTS = st.builds(
    lambda keys, write: tenant(*keys, levels=[desired_level(), desired_level("write", permissions=write)]),
    st.lists(KEYS, max_size=3, unique_by=lambda key: key.name),
    st.sampled_from([HIGH, b.PERMISSIONS, {"allComputers": True}]),
)


@given(TENANTS, TENANTS)
@settings(deadline=None)
def test_findings_of_any_two_tenants(one: DesiredTenant, other: DesiredTenant) -> None:
    """Each is in the documented table; nothing differs from itself; worst first; the same however keys are listed."""
    seen = found(one, other)
    assert [finding.severity.rank for finding in seen] == sorted((f.severity.rank for f in seen), reverse=True)
    assert found(one, one) == ()
    shuffled = replace(other, keys=tuple(reversed(other.keys)))
    assert [str(finding) for finding in found(one, shuffled)] == [str(finding) for finding in seen]


@given(TENANTS, TENANTS)
@settings(deadline=None)
def test_what_only_widens_there_only_narrows_back(one: DesiredTenant, other: DesiredTenant) -> None:
    """Of keys that stay: ends, rotations and addresses that move one way come back the other way."""
    fields = {"access/expiry", "access/addresses"}
    swapped = {Impact.WIDENS: Impact.NARROWS, Impact.NARROWS: Impact.WIDENS}

    def ways(before: DesiredTenant, after: DesiredTenant) -> set[tuple[str, str, Impact]]:
        return {(f.rule, key, f.impact) for f in found(before, after) if f.rule in fields for key in f.figures["keys"]}

    assert ways(other, one) == {(rule, key, swapped[impact]) for rule, key, impact in ways(one, other)}


def test_every_rule_is_reached() -> None:
    """The table documents no rule of access that nothing gives; the tests above reach each of them."""
    source = Path(__file__).read_text(encoding="utf-8")
    assert [rule for rule in ACCESS if f'"{rule}"' not in source] == []


def test_posture_counts_what_a_reviewer_would_rather_not_have() -> None:
    """Addresses count only where the product can be tied to some."""
    keys = [
        desired_key("a", expires=JUNE, rotation=b.rotation(9), allowed_ips=("10.0.0.1/32",)),
        desired_key("b", owner=""), desired_key("c", state=KeyState.ABSENT),
    ]  # fmt: skip
    assert posture([cloud(*keys), tenant(keyed(), levels=[desired_level(permissions=HIGH)])], registry.get, NOW) == {
        "keys": 3, "highRisk": 1, "anyAddress": 1, "noEnd": 2, "noRotation": 2, "noOwner": 1,
    }  # fmt: skip
