"""Which KV version a mount has."""

from __future__ import annotations

import pytest

from reconciler.errors import InvalidInput, NotFound
from reconciler.model.secret import Secret
from tests.support.openbao import Sandbox
from tests.support.troubled import Proxy


def test_kv_version_1_is_refused_by_name(sandbox: Sandbox) -> None:
    """A mount without check-and-set is never written to."""
    mount = f"{sandbox.mount}-v1"
    sandbox.server.request("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "1"}})
    store = sandbox.secrets()
    path = type(sandbox.path("x"))(mount, "x")
    with pytest.raises(InvalidInput, match=f"{mount}/: this is a KV version 1 mount"):
        store.write(path, {"k": Secret("v")}, cas=0)
    with pytest.raises(InvalidInput, match="KV version 1"):
        store.metadata_of([path])


def test_a_missing_mount_is_named(sandbox: Sandbox) -> None:
    """A mount that is not there is an error, never an empty one."""
    path = type(sandbox.path("x"))("nowhere", "x")
    with pytest.raises(NotFound, match="mount nowhere/: there is no such mount"):
        sandbox.secrets().metadata(path)


def test_other_mounts_and_wrong_splits_are_told_apart(sandbox: Sandbox) -> None:
    """A mount of another kind, or a mount name that takes in part of the path, is refused with what would be right."""
    mounts = sandbox.connect().mounts
    with pytest.raises(InvalidInput, match="this is a system mount"):
        mounts.require_v2("sys")
    with pytest.raises(InvalidInput, match=f"the mount is `{sandbox.mount}`, not `{sandbox.mount}/keys`"):
        mounts.require_v2(f"{sandbox.mount}/keys")


def test_a_mount_is_asked_for_once(proxied: tuple[Sandbox, Proxy]) -> None:
    """What proved good is remembered."""
    sandbox, proxy = proxied
    store = sandbox.secrets()
    store.metadata(sandbox.path("a"))
    store.metadata(sandbox.path("b"))
    assert len([path for _, path in proxy.seen if "internal/ui/mounts" in path]) == 1
