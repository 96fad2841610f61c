"""Reverse mappings: what a manifest made from a found object asks for is what was found, for every product."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import write
from reconciler.manifest.check import Wrong
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant, KeyState
from reconciler.model.observed import KnownKey, Observed
from reconciler.plan.declare import wanted
from reconciler.providers import registry
from reconciler.providers.base import Provider
from reconciler.providers.carbon_black_cloud import mapping as carbon_black
from reconciler.providers.carbon_black_cloud.records import Connector
from reconciler.providers.cortex_cloud import mapping as cortex
from reconciler.providers.cortex_cloud import scopes
from reconciler.providers.cortex_cloud.records import KeyRecord as CortexKey
from reconciler.providers.cortex_cloud.records import RoleRecord as CortexRole
from reconciler.providers.lacework import mapping as lacework
from reconciler.providers.lacework.records import UserRecord
from reconciler.providers.specs import spec
from reconciler.providers.trend_cloud_one import mapping as cloud_one
from reconciler.providers.trend_cloud_one.records import KeyRecord as CloudOneKey
from reconciler.providers.trend_cloud_one.records import RoleRecord as CloudOneRole
from reconciler.providers.trend_vision_one import mapping as vision_one
from reconciler.providers.trend_vision_one.records import KeyRecord as VisionOneKey
from reconciler.providers.trend_workload_security import mapping as workload
from reconciler.providers.trend_workload_security.records import KeyRecord, RoleRecord
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS
from tests.support.builders import desired_tenant, mark

TENANT: DesiredTenant = desired_tenant()
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.sampled_from(" \n:#'\"-"), max_size=40
).map(str.strip)
moments = st.none() | st.integers(1_800_000_000, 3_800_000_000).map(lambda time: datetime.fromtimestamp(time, UTC))
zones = st.sampled_from(["Etc/UTC", "UTC", "Asia/Calcutta", "Europe/Berlin"])
states = st.booleans()


def round_trip(provider: Provider, found: Observed, spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest of that spec asks for, its name left out."""
    if not found.kind.is_level:
        spec = {**spec, "accessLevel": {"existing": "x"}}
    value, manifest = write.read_back(write.text_of(write.manifest(found.kind, "name", TENANT.name, spec)))
    assert not isinstance(manifest, Wrong), manifest
    assert value["spec"] == spec
    desired = wanted(manifest, TENANT)
    if isinstance(desired, DesiredLevel):
        assert not list(provider.check_level(desired))
        return {**provider.level_fields(desired)}
    return {**provider.key_fields(desired)}


def same(provider: str, found: Observed) -> None:
    """Every field that is told is asked for as it is."""
    one = registry.get(provider)
    spec = one.level_spec(found) if found.kind.is_level else one.key_spec(found)
    assert spec is not None
    asked = round_trip(one, found, spec)
    told = {name: value for name, value in found.fields.items() if name != "name"}
    assert {name: asked[name] for name in told} == told


def milliseconds(time: datetime | None) -> int:
    return int(time.timestamp() * 1000) if time else 0


@settings(deadline=None)
@given(texts, moments, zones, states, st.sampled_from(workload.LOCALES))
def test_keys_of_workload_security(text: str, ends: datetime | None, zone: str, active: bool, locale: str) -> None:
    """Description, expiry, time zone, locale and state."""
    record = KeyRecord(
        ID=1, keyName="x", description=text, expiryDate=milliseconds(ends), timeZone=zone, active=active, locale=locale
    )
    same("trend-workload-security", workload.observed_key(record))


rights = [
    (group, thing, right) for group, things in RIGHTS.items() for thing, found in things.items() for right in found
]


@settings(deadline=None)
@given(
    texts,
    st.sets(st.sampled_from(rights), max_size=8),
    st.dictionaries(st.sampled_from(sorted(FLAGS)), st.booleans()),
    st.dictionaries(st.sampled_from(sorted(LISTS)), st.lists(st.integers(0, 9))),
)
def test_roles_of_workload_security(
    text: str, granted: set[tuple[str, str, str]], flags: dict[str, bool], lists: dict[str, list[int]]
) -> None:
    """Every right, flag and list of ids."""
    tree: dict[str, Any] = {}
    for group, thing, right in granted:
        tree.setdefault(group, {}).setdefault(thing, {})[right] = True
    record = RoleRecord(ID=1, name="x", description=text, rights=tree, **flags, **lists)  # type: ignore[arg-type]
    same("trend-workload-security", workload.observed_level(record))


@settings(deadline=None)
@given(texts, zones, states, st.lists(st.ip_addresses().map(str), max_size=4), st.sampled_from(["en", "JA"]))
def test_keys_of_cloud_one(text: str, zone: str, enabled: bool, addresses: list[str], locale: str) -> None:
    """Description, addresses, time zone, locale and state."""
    record = CloudOneKey(
        id="1", alias="x", description=text, timezone=zone, enabled=enabled, allowedIPs=addresses, locale=locale
    )
    same("trend-cloud-one", cloud_one.observed_key(record))


@settings(deadline=None)
@given(texts, st.lists(st.sampled_from("abc").map("urn:cloudone:application:us-1:1:role/{}".format)))
def test_roles_of_cloud_one(text: str, urns: list[str]) -> None:
    """Their service roles, none at all included."""
    same(
        "trend-cloud-one",
        cloud_one.observed_level(CloudOneRole(id="1", name="x", description=text, serviceRoleURNs=urns)),
    )


@settings(deadline=None)
@given(texts, moments, states)
def test_keys_of_vision_one(text: str, ends: datetime | None, enabled: bool) -> None:
    """Description, the vendor's end and state; roles cannot be declared."""
    record = VisionOneKey(
        id="1", name="x", description=text, role="Auditor", status="enabled" if enabled else "disabled",
        expiredDateTime=ends.isoformat() if ends else None,
    )  # fmt: skip
    same("trend-vision-one", vision_one.observed_key(record))
    assert registry.get("trend-vision-one").level_spec(vision_one.observed_role("x")) is None


names = st.lists(st.sampled_from(["a", "b b", "no"]), min_size=1, unique=True)
flag = st.booleans()


def section(field: str, values: st.SearchStrategy[Any], *modes: str) -> st.SearchStrategy[dict[str, Any]]:
    """A section of a canonical scope."""
    some = values.map(lambda found: {"mode": "scope", field: tuple(sorted(found))})
    return st.sampled_from(modes).map(lambda mode: {"mode": mode, field: ()}) | some


def cases(found: dict[str, Any], alone: bool) -> dict[str, Any]:
    return {**found, "includeWithoutEntities": alone if found["mode"] == "scope" else found["mode"] == "see_all"}


scope_values = st.fixed_dictionaries(
    {
        "assets": section("groupIds", st.lists(st.integers(1, 9), min_size=1, unique=True), "no_scope", "see_all"),
        "endpoints": st.fixed_dictionaries(
            {
                "groups": section("names", names, "no_scope", "see_all"),
                "tags": section("names", names, "no_scope", "any"),
            }
        ),
        "casesIssues": st.builds(cases, section("names", names, "no_scope", "see_all"), flag),
        "datasets": st.fixed_dictionaries(
            {
                "defaultMode": st.sampled_from(["see_all", "no_scope"]),
                "filters": st.dictionaries(st.sampled_from(["a", "b"]), st.just("x = 1")),
            }
        ),
    }
)


@settings(deadline=None)
@given(moments, scope_values, st.sampled_from(["advanced", "Standard"]))
def test_keys_of_cortex(ends: datetime | None, scope: dict[str, Any], level: str) -> None:
    """Expiry, security level and every scope that there can be."""
    record = CortexKey(
        id=7, comment="Whatever: it is", security_level=level, roles=["A"], expiration=milliseconds(ends)
    )
    found = cortex.observed_key(record, {"A": "1"}, scope)
    same("cortex-cloud", found)
    made = scopes.manifest(scope)
    assert scopes.canonical(made) == scope
    if made is not None and ends is not None:
        desired = DesiredKey(
            TENANT.name, "x", "", "", None, ends, None, KeyState.ACTIVE, False, {}, (), made, None, None  # type: ignore[arg-type]
        )  # fmt: skip
        assert not list(registry.get("cortex-cloud").check_key(desired))


def test_what_cortex_does_not_tell() -> None:
    """A key whose scope was not read, and a role's permissions: neither can be declared."""
    provider = registry.get("cortex-cloud")
    assert provider.key_spec(cortex.observed_key(CortexKey(id=7, roles=["A"]), {"A": "1"}, None)) is None
    assert provider.level_spec(cortex.observed_level(CortexRole(role_id="1", pretty_name="A"))) is None


@settings(deadline=None)
@given(texts, st.sampled_from(["CUSTOM", None]))
def test_keys_of_carbon_black(text: str, kind: str | None) -> None:
    """Description and state where the console's list is read; a key without a grant is locked."""
    record = Connector(connectorId="A", name="x", description=text, connectorType=kind)
    same("carbon-black-cloud", carbon_black.observed_key(record, None))


def test_what_carbon_black_does_not_tell() -> None:
    """Of a key that somebody names only the state; keys of dead types and permissions cannot be declared."""
    provider = registry.get("carbon-black-cloud")
    known = carbon_black.known_key(KnownKey("A", "x", mark(), ""), None)
    same("carbon-black-cloud", known)
    dead = carbon_black.observed_key(Connector(connectorId="A", name="x", connectorType="SIM"), None)
    assert provider.key_spec(dead) is None
    assert provider.level_spec(known) is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(["LACEWORK_USER_GROUP_A", "lacework_user_group_a", "B_1"])), st.integers(0, 1), texts)
def test_users_of_lacework(guids: list[str], enabled: int, text: str) -> None:
    """Groups, state and, where it is told, description; people and keys cannot be declared."""
    groups = [{"userGroupGuid": guid} for guid in guids]
    about = {"userGuid": "U", "name": "x", "userEnabled": enabled, "userGroups": groups, "description": text}
    user = UserRecord.model_validate({**about, "type": "ServiceUser"})
    same("lacework", lacework.observed_user(user))
    provider = registry.get("lacework")
    person = UserRecord.model_validate({**about, "type": "StandardUser", "email": "ann@example.com"})
    assert provider.level_spec(lacework.observed_user(person)) is None
    assert provider.key_spec(lacework.known_key(KnownKey("A", "x", mark(), ""))) == {}


class Word(StrEnum):
    X = "x"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (datetime(2027, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2027-01-01T00:00:00Z"),
        ((Word.X,), ["x"]),
        ({"a": ({"b": ()},)}, {"a": [{"b": []}]}),
        (7, 7),
    ],
)
def test_values_as_yaml_has_them(value: Any, said: Any) -> None:
    """Times, tuples, mappings, and texts of classes of their own."""
    assert spec(field=value, state="active", empty="", nothing=None, none=()) == {"field": said}
    assert type(spec(field=Word.X)["field"]) is str
