"""Tenants: their options, endpoint maps, and what becomes of removed and adopted keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from reconciler.model.desired import DesiredTenant, OnRemoval, Removal, Unmanaged
from reconciler.providers.base import Problem, Traits
from tests.manifest.estates import Fake, Folder, install, key, manifest, tenant

TREND = "trend-workload-security"
OPERATIONS = "operations: {createKey: {method: POST, path: /keys}}"


def mapped(wanted: DesiredTenant) -> Iterator[Problem]:
    """What a provider with two drivers checks."""
    if wanted.options.get("driver") == "console" and wanted.endpoint_map is None:
        yield Problem(("endpointMap",), "driver console needs an endpoint map")
    for option in wanted.options:
        if option not in {"driver", "endpointMap"}:
            yield Problem(("options", option), f"unknown option {option!r}")
    for name, operation in (wanted.endpoint_map or {}).get("operations", {}).items():
        if operation["method"] == "GET":
            yield Problem(("endpointMap", "operations", name, "method"), "no write is a GET")


@pytest.fixture
def estate(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """With a provider that has two drivers, one of which can undo a lock."""
    by_driver = lambda one: Traits(reversible_lock=one.options.get("driver") == "console")  # noqa: E731
    install(monkeypatch, Fake("mapped", tenant=mapped, traits=by_driver))
    bare.write("key.yaml", key("splunk", "cbc"))
    return bare


def test_an_endpoint_map_is_resolved(estate: Folder) -> None:
    """The tenant gets the map's spec as plain data, beside its options as they are."""
    estate.write("t.yaml", tenant("cbc", "mapped", "options: {driver: console, endpointMap: ours}"))
    estate.write("m.yaml", manifest("EndpointMap", "ours", OPERATIONS))
    found = estate.tenant()
    assert found.options == {"driver": "console", "endpointMap": "ours"}
    assert found.endpoint_map == {"operations": {"createKey": {"method": "POST", "path": "/keys"}}}
    assert found.on_removal == OnRemoval(Removal.QUARANTINE, timedelta(days=7))
    before = estate.digest()
    estate.write("m.yaml", manifest("EndpointMap", "ours", OPERATIONS.replace("/keys", "/keyring")))
    assert estate.digest() != before


@pytest.mark.promise(9)
def test_promise_9_endpoint_maps(estate: Folder) -> None:
    """A missing map, an unused one and what the provider finds in one: each at its own place, once."""
    estate.write("t.yaml", tenant("cbc", "mapped", "options: {driver: console, endpointMap: our}"))
    estate.write("m.yaml", manifest("EndpointMap", "ours", OPERATIONS))
    assert estate.found() == [
        "m.yaml:3:18: warning: the endpoint map 'ours' is not used (delete it, or refer to it)",
        "t.yaml:8:43: error: there is no endpoint map 'our' (did you mean 'ours'?)",
    ]
    two = [tenant(name, "mapped", "options: {driver: console, endpointMap: ours}") for name in ("cbc", "cbc-2")]
    estate.write("t.yaml", *two)
    estate.write("m.yaml", manifest("EndpointMap", "ours", OPERATIONS.replace("POST", "GET")))
    assert estate.found() == ["m.yaml:5:36: error: no write is a GET"]
    estate.write("m.yaml", manifest("EndpointMap", "ours", "operations: {}"))
    assert estate.found() == ["m.yaml:5:15: error: spec.operations is empty"]


@pytest.mark.promise(9)
def test_promise_9_options(estate: Folder) -> None:
    """Options that the provider refuses are told of in the tenant, and what they might have chosen is left alone."""
    estate.write("t.yaml", tenant("cbc", "mapped", "options: {drivr: console}", "onRemoval: delete"))
    assert estate.found() == ["t.yaml:8:13: error: unknown option 'drivr'"]
    estate.write("t.yaml", tenant("cbc", "mapped", "options: {driver: console}"))
    assert estate.found() == ["t.yaml:8:12: error: driver console needs an endpoint map"]
    estate.write("t.yaml", tenant("cbc", "mapped", "options: console"))
    assert estate.found() == ["t.yaml:8:12: error: spec.options must be a mapping, not 'console'"]
    estate.write("t.yaml", tenant("cbc", TREND, "options: {endpointMap: 7}"))
    assert [line.partition(" (")[0] for line in estate.found()] == ["t.yaml:8:13: error: unknown option 'endpointMap'"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", OnRemoval(Removal.QUARANTINE, timedelta(days=7))),
        ("onRemoval: quarantine", OnRemoval(Removal.QUARANTINE, timedelta(days=7))),
        ("onRemoval: {action: quarantine, grace: 36h}", OnRemoval(Removal.QUARANTINE, timedelta(hours=36))),
        ("onRemoval: delete", OnRemoval(Removal.DELETE)),
        ("onRemoval: {action: orphan}", OnRemoval(Removal.ORPHAN)),
    ],
)
def test_on_removal(bare: Folder, given: str, wanted: OnRemoval) -> None:
    """Keys that leave Git go into quarantine unless told otherwise, where a lock can be undone."""
    bare.write("t.yaml", tenant("cbc", TREND, given), key("a", "cbc"))
    assert bare.tenant().on_removal == wanted
    assert bare.tenant().adopt_rotate is False


def test_on_removal_where_no_lock_can_be_undone(estate: Folder) -> None:
    """There keys are deleted, unless they are to be left."""
    estate.write("t.yaml", tenant("cbc", "mapped"))
    assert estate.tenant().on_removal == OnRemoval(Removal.DELETE)
    estate.write("t.yaml", tenant("cbc", "mapped", "onRemoval: orphan"))
    assert estate.tenant().on_removal == OnRemoval(Removal.ORPHAN)


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            "onRemoval: quarantine",
            "14: error: spec.onRemoval cannot be quarantine: mapped has no lock that can be undone (use delete or orphan)",
        ),
        (
            "onRemoval: quarantin",
            "14: error: spec.onRemoval must be delete, quarantine or orphan, not 'quarantin' (did you mean 'quarantine'?)",
        ),
        (
            "onRemoval: {action: remove}",
            "23: error: spec.onRemoval.action must be delete, quarantine or orphan, not 'remove'",
        ),
        ("onRemoval: {grace: 7d}", "3: error: spec.onRemoval.action is missing (such as action: quarantine)"),
        (
            "onRemoval: {action: delete, grace: 7d}",
            "3: error: spec.onRemoval has a grace, but delete has none (leave grace out, or use quarantine)",
        ),
        (
            "onRemoval: {action: quarantine, grace: 0d}",
            "3: error: spec.onRemoval has a grace of no length (such as 7d, or use delete)",
        ),
        (
            "onRemoval: 7",
            "14: error: spec.onRemoval must be a name or a mapping, not 7 (such as onRemoval: quarantine)",
        ),
        ("adopt: yes", "10: error: spec.adopt must be none or rotate, not 'yes'"),
    ],
)
def test_promise_9_removal_and_adoption(estate: Folder, given: str, wanted: str) -> None:
    """Wrong ways to say what becomes of keys."""
    estate.write("t.yaml", tenant("cbc", "mapped", given))
    assert estate.found() == [f"t.yaml:8:{wanted}"]


def test_adoption_and_pruning(bare: Folder) -> None:
    """`adopt: rotate` and `unmanaged: prune` arrive, and change the digest."""
    bare.write("t.yaml", tenant("cbc", TREND), key("a", "cbc"))
    before = bare.digest()
    bare.write("t.yaml", tenant("cbc", TREND, "unmanaged: prune", "adopt: rotate"), key("a", "cbc"))
    found = bare.tenant()
    assert (found.unmanaged, found.adopt_rotate, found.approvals) == (Unmanaged.PRUNE, True, ())
    assert bare.digest() != before
