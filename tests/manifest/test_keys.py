"""Keys: scopes, service users, renewal, previous names, and what the tenant's product can do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model.desired import DesiredKey, DesiredLevel, LevelRef
from reconciler.model.names import Kind
from reconciler.providers.base import Problem, Traits
from tests.manifest.estates import Fake, Folder, install, key, manifest, tenant

TREND = "trend-workload-security"
EXISTING = "accessLevel: {existing: Auditor}"
USERS = Traits(kinds=frozenset({Kind.SERVICE_USER, Kind.API_KEY}), regenerates_in_place=False, most_keys_per_level=3)


def scoped(wanted: DesiredKey) -> Iterator[Problem]:
    """What a provider with scopes checks."""
    for name in wanted.scope or {}:
        if name != "assets":
            yield Problem(("scope", name), f"unknown part {name!r}", "did you mean 'assets'?")


def grouped(level: DesiredLevel) -> Iterator[Problem]:
    """What a provider with service users checks."""
    if level.kind is not Kind.SERVICE_USER:
        yield Problem((), "keys get no access levels here", "declare a ServiceUser")
        return
    for number, group in enumerate(level.permissions["groups"]):
        if not group.isupper():
            yield Problem(("permissions", "groups", number), f"{group} is no group")
    if not level.description:
        yield Problem(("description",), "say what it is for")
    if level.locked:
        yield Problem(("locked",), "users cannot be locked here")


@pytest.fixture
def estate(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Providers with scopes, with users, and with neither access levels nor users to declare."""
    install(
        monkeypatch,
        Fake("scoped", key=scoped, scope={"type": "object"}),
        Fake("users", traits=USERS, level=grouped),
        Fake("fixed", traits=Traits(kinds=frozenset({Kind.API_KEY}))),
    )
    return bare


def user(name: str, *fields: str, metadata: str = "") -> str:
    more = fields or ("description: x",)
    return manifest("ServiceUser", name, "groups: [ADMINS, READERS]", *more, tenant="t", metadata=metadata)


# --- service users ------------------------------------------------------------------------------------------------------


def test_service_users(estate: Folder) -> None:
    """A service user is a level of its own kind, and keys refer to it, or to one that somebody else manages."""
    estate.write("t.yaml", tenant("t", "users"))
    estate.write(
        "u.yaml",
        user("siem", "description: ' For the SIEM '", "state: locked", "protect: true").replace("locked", "active"),
        user("soar"),
        key("splunk", "t", level="serviceUser: siem"),
        key("soar", "t", level="serviceUser: {existing: ops}"),
    )
    found = estate.tenant()
    siem, soar = found.levels
    assert (str(siem.id), siem.description, siem.protect, siem.locked) == (
        "ServiceUser/siem",
        "For the SIEM",
        True,
        False,
    )
    assert (str(soar.id), soar.permissions) == ("ServiceUser/soar", {"groups": ["ADMINS", "READERS"]})
    assert {one.name: one.level for one in found.keys} == {
        "soar": LevelRef("ops", existing=True, kind=Kind.SERVICE_USER),
        "splunk": LevelRef("siem", kind=Kind.SERVICE_USER),
    }
    before = estate.digest()
    estate.write("u2.yaml", user("other"))
    assert estate.digest() != before


@pytest.mark.promise(9)
def test_promise_9_service_users(estate: Folder) -> None:
    """What the provider says of groups and state is shown where the manifest has them; a missing user is suggested."""
    estate.write("t.yaml", tenant("t", "users"))
    estate.write("u.yaml", user("siem", "state: locked").replace("READERS", "readers"))
    estate.write("k.yaml", key("splunk", "t", level="serviceUser: sime"), key("soar", "t", level="serviceUser: ''"))
    assert estate.found() == [
        "k.yaml:5:16: error: there is no service user 'sime' in tenant t (did you mean 'siem'?)",
        "k.yaml:11:16: error: spec.serviceUser is empty (such as serviceUser: siem)",
        "u.yaml:4:1: error: say what it is for",
        "u.yaml:5:20: error: readers is no group",
        "u.yaml:6:10: error: users cannot be locked here",
    ]


@pytest.mark.promise(9)
def test_promise_9_one_of_access_level_and_service_user(estate: Folder) -> None:
    """A key has one or the other; what else is wrong with it is told all the same."""
    estate.write("t.yaml", tenant("t", TREND))
    estate.write(
        "k.yaml",
        key("a", "t", "serviceUser: siem"),
        key("b", "t", "state: active", level="description: x"),
        key("c", "t", "state: lockd", "serviceUser: siem"),
        key("d", "t", "serviceUser: 7", level="description: x"),
    )
    assert estate.found() == [
        "k.yaml:6:3: error: spec has both accessLevel and serviceUser (give exactly one of them)",
        (
            "k.yaml:11:1: error: spec.accessLevel is missing "
            "(such as accessLevel: siem-read, or serviceUser where keys belong to users)"
        ),
        "k.yaml:20:10: error: spec.state must be active, locked or absent, not 'lockd' (did you mean 'locked'?)",
        "k.yaml:21:3: error: spec has both accessLevel and serviceUser (give exactly one of them)",
        "k.yaml:28:16: error: spec.serviceUser must be a name or a mapping, not 7 (such as serviceUser: siem)",
        (
            "k.yaml:28:16: error: trend-workload-security has no service users that can be managed "
            "(its keys have access levels: declare an AccessLevel, and let keys name it as accessLevel)"
        ),
    ]


@pytest.mark.promise(9)
def test_promise_9_kinds_that_a_product_does_not_have(estate: Folder) -> None:
    """Refused at the object's own place, with the provider's reason where it gives one."""
    level = manifest("AccessLevel", "read", "permissions: {}", tenant="t")
    estate.write("k.yaml", key("a", "t", level="serviceUser: siem"), key("b", "t", level="accessLevel: read"))
    estate.write("l.yaml", level, user("siem"))
    no_users = (
        "trend-workload-security has no service users that can be managed "
        "(its keys have access levels: declare an AccessLevel, and let keys name it as accessLevel)"
    )
    estate.write("t.yaml", tenant("t", TREND))
    assert estate.found() == [f"k.yaml:5:16: error: {no_users}", f"l.yaml:8:7: error: {no_users}"]

    estate.write("t.yaml", tenant("t", "users"))
    no_levels = (
        "users has no access levels that can be managed "
        "(its keys belong to users: declare a ServiceUser, and let keys name it as serviceUser)"
    )
    assert estate.found() == [
        f"k.yaml:11:16: error: {no_levels}",
        "l.yaml:2:7: error: keys get no access levels here (declare a ServiceUser)",
    ]

    estate.write("t.yaml", tenant("t", "fixed"))
    estate.write("k.yaml", key("b", "t", level="accessLevel: read"), key("c", "t"))
    estate.write("l.yaml", level)
    only_existing = "fixed has no access levels that can be managed (keys name an existing one: {existing: NAME})"
    assert estate.found() == [f"k.yaml:5:16: error: {only_existing}", f"l.yaml:2:7: error: {only_existing}"]


# --- scopes -------------------------------------------------------------------------------------------------------------


def test_scopes(estate: Folder) -> None:
    """A key has the mapping of the Scope that it names, in its own tenant, or one of its own."""
    for name in "ab":
        estate.write(f"{name}.yaml", tenant(name, "scoped"))
        estate.write(f"s{name}.yaml", manifest("Scope", "cloud", f"scope: {{assets: [{name}]}}", tenant=name))
    everywhere = key("k", "x", "scope: cloud").replace("tenant: x", "tenantSelector: {matchLabels: {env: prod}}")
    estate.write("k.yaml", everywhere, key("own", "a", "scope: {assets: [c]}"), key("all", "a"))
    from reconciler.manifest import load_estate

    found = {f"{one.name}/{each.name}": each.scope for one in load_estate(estate.path).tenants for each in one.keys}
    assert found == {"a/all": None, "a/k": {"assets": ["a"]}, "a/own": {"assets": ["c"]}, "b/k": {"assets": ["b"]}}


@pytest.mark.promise(9)
def test_promise_9_scopes(estate: Folder) -> None:
    """A missing, doubled or unused scope; and what is wrong in one is told where it stands, once for all its keys."""
    estate.write("t.yaml", tenant("t", "scoped"))
    estate.write(
        "s.yaml",
        manifest("Scope", "cloud", "scope: {asets: [x]}", tenant="t"),
        manifest("Scope", "cloud", "scope: {assets: [x]}", tenant="t"),
        manifest("Scope", "spare", "scope: {}", tenant="t"),
        manifest("Scope", "lost", "scope: {}", tenant="tt"),
    )
    estate.write(
        "k.yaml",
        key("a", "t", "scope: cloud"),
        key("b", "t", "scope: cloud"),
        key("c", "t", "scope: clod"),
        key("d", "t", "scope: {asets: [x]}"),
    )
    assert estate.found() == [
        "k.yaml:20:10: error: there is no scope 'clod' in tenant t (did you mean 'cloud'?)",
        "k.yaml:27:11: error: unknown part 'asets' (did you mean 'assets'?)",
        "s.yaml:5:11: error: unknown part 'asets' (did you mean 'assets'?)",
        "s.yaml:9:18: error: Scope 'cloud' is declared twice in tenant t (the first is at s.yaml:1:1)",
        "s.yaml:15:18: warning: the scope 'spare' is not used (delete it, or refer to it)",
        "s.yaml:21:32: error: there is no tenant 'tt' (did you mean 't'?)",
    ]


@pytest.mark.promise(9)
def test_promise_9_scopes_where_there_are_none(estate: Folder) -> None:
    """A product without scopes refuses the Scope and the keys that want one, with the reason, and nothing else is said."""
    estate.write("t.yaml", tenant("t", TREND), manifest("Scope", "cloud", "scope: {}", tenant="t"))
    estate.write("k.yaml", key("a", "t", "scope: cloud"), key("b", "t", "scope: missing"))
    why = "(what a key reaches is part of its role: name computers and policies in the access level's permissions)"
    assert estate.found() == [
        f"k.yaml:6:10: error: scope cannot be honoured here {why}",
        f"k.yaml:13:10: error: scope cannot be honoured here {why}",
        f"t.yaml:10:7: error: trend-workload-security has no scopes {why}",
    ]


def test_what_is_broken_is_not_missing(estate: Folder) -> None:
    """Nor is anything said to be unused while a manifest cannot be read."""
    estate.write(
        "t.yaml", tenant("t", "scoped"), manifest("Scope", "spare", "scope: {}", tenant="t"), tenant("u", "users")
    )
    estate.write(
        "s.yaml",
        manifest("Scope", "cloud", "scope: x", tenant="t"),
        user("siem", "state: x", "description: x").replace("tenant: t", "tenant: u"),
        "a: [",
    )
    lists = manifest("NetworkList", "egress", "networks: [x]")
    estate.write("n.yaml", lists, manifest("EndpointMap", "ours", "operations: x"))
    estate.write("k.yaml", key("a", "t", "scope: cloud", "allowedIPs: [{networkList: egress}]"))
    estate.write("l.yaml", key("b", "u", level="serviceUser: siem"))
    assert [line.partition(": error")[0] for line in estate.found()] == [
        "n.yaml:5:14", "n.yaml:11:15", "s.yaml:5:10", "s.yaml:12:10", "s.yaml:16:1",
    ]  # fmt: skip


def test_an_unknown_provider_is_the_only_problem(estate: Folder) -> None:
    """Of objects in its tenants nothing is said that only the provider can know."""
    estate.write("t.yaml", tenant("t", "nobodys", "onRemoval: quarantine"), user("siem"))
    estate.write("s.yaml", manifest("Scope", "cloud", "scope: {}", tenant="t"))
    rotation = "rotation: {every: 9d, strategy: inPlace}"
    estate.write(
        "k.yaml", key("a", "t", rotation, "scope: cloud", level="serviceUser: siem"), key("b", "t", "scope: x")
    )
    assert [line.partition(" (")[0] for line in estate.found()] == [
        "k.yaml:14:10: error: there is no scope 'x' in tenant t",
        "t.yaml:5:13: error: unknown provider 'nobodys'",
    ]


# --- renewal ------------------------------------------------------------------------------------------------------------


def test_renewal(estate: Folder) -> None:
    """When to renew before expiry, and whether to wait for the old key's users."""
    estate.write(
        "t.yaml",
        tenant("t", TREND),
        key("a", "t", "rotation: {every: 90d}"),
        key("b", "t", "rotation: {every: 90d, renewBefore: 14d, holdWhileUsed: true}"),
        key("c", "t", "rotation: {every: 4d}", "reissueAfter: 2026-11-22T10:00:00+02:00"),
    )
    keys = estate.tenant().keys
    rotations = [one.rotation for one in keys]
    assert [(one.renew_before, one.hold_while_used) for one in rotations if one] == [
        (timedelta(days=7), False), (timedelta(days=14), True), (timedelta(days=2), False),
    ]  # fmt: skip
    assert [one.reissue_after for one in keys] == [None, None, datetime(2026, 11, 22, 8, tzinfo=UTC)]


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        (
            "rotation: {every: 9d, renewBefore: 9d}",
            "6:3: error: spec.rotation renews the key before it was due at all (make renewBefore shorter than every)",
        ),
        (
            "rotation: {every: 9d, strategy: inPlace, holdWhileUsed: true}",
            (
                "6:3: error: spec.rotation holds the old key while it is used, but inPlace leaves none "
                "(leave holdWhileUsed out)"
            ),
        ),
        (
            "rotation: {every: 9d, holdWhileUsed: 1}",
            "6:40: error: spec.rotation.holdWhileUsed must be true or false, not 1",
        ),
        (
            "reissueAfter: 2026-11-22",
            "6:17: error: spec.reissueAfter must be a time, not '2026-11-22' (such as 2027-06-30T12:00:00Z)",
        ),
        (
            "reissueAfter: 2026-11-22T10:00:00",
            (
                "6:17: error: spec.reissueAfter is '2026-11-22T10:00:00', which does not say its time zone "
                "(add Z for UTC, or an offset such as +02:00)"
            ),
        ),
        ("reissueAfter: 7", "6:17: error: spec.reissueAfter must be a time, not 7 (such as 2027-06-30T12:00:00Z)"),
    ],
)
def test_promise_9_renewal(estate: Folder, field: str, wanted: str) -> None:
    """Rotations and times that make no sense. `true` elsewhere does not make 1 right."""
    estate.write("t.yaml", tenant("t", TREND), key("z", "t", "rotation: {every: 9d, holdWhileUsed: true}"))
    estate.write("k.yaml", key("a", "t", field))
    assert estate.found() == [f"k.yaml:{wanted}"]


@pytest.mark.promise(9)
def test_promise_9_rotation_in_place(estate: Folder) -> None:
    """Refused where no key can get a new secret in place; the provider's own words go first."""
    estate.write("t.yaml", tenant("t", "users"))
    estate.write(
        "k.yaml", key("a", "t", "rotation: {every: 9d, strategy: inPlace}", level="serviceUser: {existing: x}")
    )
    assert estate.found() == [
        "k.yaml:6:35: error: users cannot give a key a new secret in place (use strategy: overlap)"
    ]


@pytest.mark.promise(9)
def test_promise_9_rotation_in_place_is_told_once(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that refuses it itself is not repeated."""
    refuses = Fake("r", traits=USERS, key=lambda _: [Problem(("rotation", "strategy"), "not here")])
    install(monkeypatch, refuses)
    rotation = "rotation: {every: 9d, strategy: inPlace}"
    bare.write("t.yaml", tenant("t", "r"))
    bare.write("k.yaml", key("a", "t", rotation, level="serviceUser: {existing: x}"))
    assert bare.found() == ["k.yaml:6:35: error: not here"]


# --- rules over a tenant ------------------------------------------------------------------------------------------------


@pytest.mark.promise(9)
def test_promise_9_too_many_keys(estate: Folder) -> None:
    """Keys of one user are counted, twice where two live while they rotate; absent ones are not."""
    estate.write("t.yaml", tenant("t", "users"), user("siem"), user("soar"))
    mine, other = "serviceUser: siem", "serviceUser: {existing: siem}"
    keys = [key("a", "t", level=mine), key("b", "t", "rotation: {every: 9d}", level=mine)]
    fits = [*keys, key("c", "t", "state: absent", level=mine), key("d", "t", level=other)]
    estate.write("k.yaml", *fits, key("e", "t", "state: locked", level="serviceUser: soar"))
    assert estate.found() == []
    estate.write("k.yaml", *fits, key("e", "t", "state: locked", level=mine), key("f", "t", level=mine))
    assert estate.found() == [
        (
            "k.yaml:31:16: error: service user 'siem' of tenant t has 4 keys, and 5 while they rotate: users allows 3 "
            "(give some of them another service user)"
        )
    ]
    estate.write("k.yaml", *(key(f"k{n}", "t", level=mine) for n in range(4)))
    [line] = estate.found()
    assert "has 4 keys: users allows 3" in line


def test_previous_names(estate: Folder) -> None:
    """They arrive with keys, access levels and service users."""
    level = manifest("AccessLevel", "read", "permissions: {}", tenant="t", metadata="previousNames: [reader]")
    before = key("splunk", "t", metadata="previousNames: [siem, reader]")
    estate.write("t.yaml", tenant("t", TREND), level, before)
    found = estate.tenant()
    assert found.keys[0].previous_names == ("siem", "reader")
    assert found.levels[0].previous_names == ("reader",)
    digest = estate.digest()
    estate.write("t.yaml", tenant("t", TREND), level, before.replace(", reader]", "]"))
    assert estate.digest() != digest
    estate.write("t.yaml", tenant("t", "users"), user("siem", metadata="previousNames: [old]"))
    assert estate.tenant().levels[0].previous_names == ("old",)


@pytest.mark.promise(9)
def test_promise_9_previous_names(estate: Folder) -> None:
    """A name that is somebody else's now, or claimed by another, too, is refused; in another tenant it may be."""
    estate.write("t.yaml", tenant("t", TREND), tenant("other", TREND))
    estate.write(
        "k.yaml",
        key("a", "t", metadata="previousNames: [b, x]"),
        key("b", "t"),
        key("c", "t", metadata="previousNames: [x, c, y, y, Z]"),
        key("d", "other", metadata="previousNames: [x, a]"),
        key("e", "lost", metadata="previousNames: [x]"),
        key("f", "t", metadata="previousNames: [x, f]"),
    )
    [bad_name, *rest] = sorted(line for line in estate.found() if "is no name" in line or "lost" in line)
    assert "'Z'" in bad_name or "'Z'" in rest[0]
    estate.write("k.yaml", (estate.path / "k.yaml").read_text().replace(", Z]", "]").replace("lost", "other"))
    assert estate.found() == [
        "k.yaml:3:48: error: the previous name 'b' is another ApiKey's name in tenant t (that is at k.yaml:7:1)",
        "k.yaml:15:48: error: the previous name 'x' is claimed by ApiKey 'a', too (that is at k.yaml:1:1)",
        "k.yaml:15:51: error: 'c' is the object's name now (leave it out)",
        "k.yaml:15:57: error: the previous name 'y' is given twice (once is enough)",
        "k.yaml:27:52: error: the previous name 'x' is claimed by ApiKey 'd', too (that is at k.yaml:19:1)",
        "k.yaml:33:48: error: the previous name 'x' is claimed by ApiKey 'a', too (that is at k.yaml:1:1)",
        "k.yaml:33:51: error: 'f' is the object's name now (leave it out)",
    ]
