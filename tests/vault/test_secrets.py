"""Issued secrets: written with check-and-set, known by metadata only."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from reconciler.errors import Conflict, ContractBroken, InvalidInput, NotFound, NotPermitted, OutcomeUnknown, Rejected
from reconciler.model.desired import VaultPath
from reconciler.model.observed import SecretMetadata
from reconciler.model.secret import Secret
from reconciler.vault import SecretStore, secrets
from tests.support.openbao import Sandbox
from tests.support.troubled import LOST, Instead, Proxy

FIELDS: dict[str, Secret | str] = {"secretKey": Secret("s3cret"), "keyId": "17"}
NEVER = SecretMetadata(current_version=0, live=False)


def planning(sandbox: Sandbox, *, bulk: bool = True) -> str:
    listing = f'path "{sandbox.mount}/detailed-metadata/*" {{ capabilities = ["list"] }}' if bulk else ""
    return f'path "{sandbox.mount}/metadata/*" {{ capabilities = ["read", "list"] }}\n{listing}'


def test_a_secret_is_stored_as_its_consumers_expect(sandbox: Sandbox) -> None:
    """The fields land as plain values, and the version comes back."""
    store = sandbox.secrets()
    assert store.write(sandbox.path("a/b"), FIELDS, cas=0) == 1
    assert store.write(sandbox.path("a/b"), FIELDS, cas=1) == 2
    assert sandbox.get("a/b") == {"secretKey": "s3cret", "keyId": "17"}


def test_a_failed_check_and_set_is_a_conflict(sandbox: Sandbox) -> None:
    """Whoever is second is told, and changes nothing."""
    store = sandbox.secrets()
    store.write(sandbox.path("a"), FIELDS, cas=0)
    for cas in (0, 2):
        with pytest.raises(Conflict, match=f"{sandbox.mount}/data/a"):
            store.write(sandbox.path("a"), {"x": Secret("y")}, cas=cas)
    assert sandbox.metadata("a")["current_version"] == 1


def test_a_write_without_an_answer_is_open_and_not_repeated(proxied: tuple[Sandbox, Proxy]) -> None:
    """A lost reply is no failure and no success, and the write was made once."""
    sandbox, proxy = proxied
    store = sandbox.secrets()
    store.metadata(sandbox.path("a"))
    proxy.once(LOST, "POST", "data/a")
    with pytest.raises(OutcomeUnknown):
        store.write(sandbox.path("a"), FIELDS, cas=0)
    assert sandbox.metadata("a")["current_version"] == 1
    proxy.always(Instead(200, '{"data":{}}'), "POST")
    with pytest.raises(OutcomeUnknown, match="names no version"):
        store.write(sandbox.path("a"), FIELDS, cas=1)


def test_an_empty_secret_is_a_mistake(sandbox: Sandbox) -> None:
    """Storing nothing would look like success."""
    with pytest.raises(ValueError, match="without fields"):
        sandbox.secrets().write(sandbox.path("a"), {}, cas=0)


@pytest.mark.parametrize(
    "path", ["a/../b", "..", "./a", "a//b", "/a", "a/", "a%2Fb", "a b", "a\nb", "", "ä", "a?b", "a/."]
)
def test_a_path_that_climbs_is_refused(sandbox: Sandbox, path: str) -> None:
    """What an HTTP client would normalise into another path never reaches it."""
    store = sandbox.secrets()
    for call in (store.metadata, store.delete_all_versions, lambda p: store.metadata_of([p])):
        with pytest.raises(InvalidInput, match="not a Vault path"):
            call(sandbox.path(path))
    assert secrets.api_path(VaultPath("team/kv", "a..b/.c"), "data") == "team/kv/data/a..b/.c"


@pytest.fixture(params=["bulk", "denied", "unsupported"])
def reader(request: pytest.FixtureRequest, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    """A store that lists folders, one whose policy forbids that, and one on a server that cannot (HashiCorp Vault)."""
    if request.param == "unsupported":
        # KV v2 answers any area that it does not know in the same way, so a made-up name is what Vault would say.
        monkeypatch.setattr(secrets, "_BULK", "no-such-area")
        return sandbox.secrets()
    return sandbox.secrets(identity="plan", token=sandbox.token(planning(sandbox, bulk=request.param == "bulk")))


def test_metadata_says_what_lives(sandbox: Sandbox, reader: SecretStore) -> None:
    """Current, deleted, destroyed, undeleted, expiring, annotated, never written: the same by folder and one by one."""
    root = sandbox.server.request
    for name in ("live", "deleted", "destroyed", "undeleted", "old-only"):
        for value in ("1", "2"):
            sandbox.put(f"f/{name}", {"v": value})
    root("DELETE", f"{sandbox.mount}/data/f/deleted")
    root("PUT", f"{sandbox.mount}/destroy/f/destroyed", {"versions": [2]})
    root("DELETE", f"{sandbox.mount}/data/f/undeleted")
    root("PUT", f"{sandbox.mount}/undelete/f/undeleted", {"versions": [2]})
    root("PUT", f"{sandbox.mount}/delete/f/old-only", {"versions": [1]})
    root("POST", f"{sandbox.mount}/metadata/f/expiring", {"delete_version_after": "1h"})
    sandbox.put("f/expiring", {"v": "1"})
    root("POST", f"{sandbox.mount}/metadata/f/annotated", {"custom_metadata": {"owner": "me"}})
    sandbox.put("f/sub/deeper", {"v": "1"})
    sandbox.put("top", {"v": "1"})
    names = ["live", "deleted", "destroyed", "undeleted", "old-only", "expiring", "annotated", "missing", "sub"]
    paths = [sandbox.path(f"f/{name}") for name in names]
    alone = [sandbox.path("top"), sandbox.path("f/sub/deeper"), sandbox.path("empty/x")]
    found = reader.metadata_of([*paths, *alone])
    assert found == {path: reader.metadata(path) for path in [*paths, *alone]}
    facts = {path.path: (entry.current_version, entry.live) for path, entry in found.items()}
    assert facts == {
        "f/live": (2, True), "f/deleted": (2, False), "f/destroyed": (2, False), "f/undeleted": (2, True),
        "f/old-only": (2, True), "f/expiring": (1, True), "f/annotated": (0, False), "f/missing": (0, False),
        "f/sub": (0, False), "top": (1, True), "f/sub/deeper": (1, True), "empty/x": (0, False),
    }  # fmt: skip
    assert found[sandbox.path("f/annotated")].custom == {"owner": "me"}
    assert found[sandbox.path("f/missing")] == NEVER
    updated = found[sandbox.path("f/live")].updated
    assert updated is not None
    assert abs(updated - reader._vault.now()) < timedelta(seconds=10)


def test_whole_folders_may_be_empty_or_at_the_top(sandbox: Sandbox, reader: SecretStore) -> None:
    """An empty folder and the mount's own top are folders like others."""
    sandbox.put("x", {"v": "1"})
    paths = [sandbox.path(name) for name in ("x", "y", "z", "no/a", "no/b", "no/c")]
    assert [path.path for path, entry in reader.metadata_of(paths).items() if entry.live] == ["x"]
    assert reader.metadata_of([]) == {}


def test_a_version_past_its_deletion_time_is_dead(proxied: tuple[Sandbox, Proxy]) -> None:
    """The server's clock decides, not whether Vault has got round to deleting."""
    sandbox, proxy = proxied
    entry = {"current_version": 1, "versions": {"1": {"deletion_time": "2020-01-01T00:00:00Z", "destroyed": False}}}
    date = {"Date": "Tue, 01 Jan 2019 00:00:00 GMT"}
    store = sandbox.secrets()
    for now, live in (("2019", True), ("2021", False)):
        date["Date"] = f"Tue, 01 Jan {now} 00:00:00 GMT"
        proxy.always(Instead(200, json.dumps({"data": entry}), dict(date)), "GET", "metadata/a")
        assert store.metadata(sandbox.path("a")).live is live


def test_one_call_reads_a_folder(proxied: tuple[Sandbox, Proxy]) -> None:
    """On OpenBao a folder costs one call, however many keys it has, and a lonely key one of its own."""
    sandbox, proxy = proxied
    store = sandbox.secrets()
    store.metadata_of([sandbox.path(f"f/{number}") for number in range(200)] + [sandbox.path("g/1")])
    calls = [(method, path) for method, path in proxy.seen if "metadata" in path]
    assert len(calls) == 2


@pytest.mark.promise(3)
def test_promise_3_a_failed_read_is_never_taken_for_a_missing_secret(proxied: tuple[Sandbox, Proxy]) -> None:
    """Denied, no such namespace, half an answer: an error each, alone and in bulk, not `current_version` 0."""
    sandbox, proxy = proxied
    paths = [sandbox.path(f"f/{number}") for number in range(4)]
    for path in paths:
        sandbox.put(path.path, {"v": "1"})
    denied = sandbox.token(f'path "{sandbox.mount}/data/*" {{ capabilities = ["create"] }}')
    for some in (paths, paths[:1]):
        with pytest.raises(NotPermitted, match="`read`"):
            sandbox.secrets(token=denied).metadata_of(some)
    store = sandbox.secrets()
    store._vault.mounts.require_v2(sandbox.mount)
    for body in ('{"errors":["no handler for route"]}', '{"data":null,"warnings":["Invalid path"]}', "{}"):
        proxy.always(Instead(404, body), part="metadata")
        with pytest.raises(NotFound):
            store.metadata_of(paths)
    proxy.always(Instead(200, '{"data":{"current_version":1}}'), part="/metadata")
    with pytest.raises(ContractBroken, match="lists no versions"):
        store.metadata(paths[0])


@pytest.mark.parametrize(
    "listing",
    [
        {"keys": ["0", "1"], "key_info": {"0": {"current_version": 1}, "1": {}}},
        {"keys": ["0"], "key_info": {}},
        {"keys": ["0"], "key_info": []},
        {"keys": ["0"]},
    ],
)
def test_half_a_listing_is_not_believed(proxied: tuple[Sandbox, Proxy], listing: object) -> None:
    """A listing without the entries' versions is set aside, and each entry is read."""
    sandbox, proxy = proxied
    paths = [sandbox.path(f"f/{number}") for number in range(4)]
    for path in paths:
        sandbox.put(path.path, {"v": "1"})
    proxy.always(Instead(200, json.dumps({"data": listing})), "LIST")
    assert all(entry.live for entry in sandbox.secrets().metadata_of(paths).values())


def test_annotations_merge_and_are_cut(sandbox: Sandbox) -> None:
    """Whatever is given is made to fit; what others wrote stays; an empty value removes its key."""
    store, path = sandbox.secrets(), sandbox.path("a")
    store.annotate(path, {"owner": "me", "gone": ""})
    assert store.metadata(path) == SecretMetadata(
        0, live=False, updated=store.metadata(path).updated, custom={"owner": "me"}
    )
    sandbox.put("a", {"v": "1"})
    store.annotate(path, {"long": "ü" * 600, "k" * 200: "v", "lines": "one\ntwo\x1b", "owner": ""})
    custom = store.metadata(path).custom
    assert custom == {"long": "ü" * 256, "k" * 128: "v", "lines": "one two"}


def test_annotations_work_without_patch(proxied: tuple[Sandbox, Proxy]) -> None:
    """On a server that cannot patch metadata, what is there is read and kept."""
    sandbox, proxy = proxied
    store, path = sandbox.secrets(), sandbox.path("a")
    store.annotate(path, {"owner": "me"})
    proxy.always(Instead(405, '{"errors":["unsupported operation"]}'), "PATCH")
    store.annotate(path, {"more": "x"})
    assert store.metadata(path).custom == {"owner": "me", "more": "x"}


def test_deleting_spares_later_versions(sandbox: Sandbox) -> None:
    """Somebody else wrote those."""
    store, path = sandbox.secrets(), sandbox.path("a")
    for value in "123":
        sandbox.put("a", {"v": value})
    assert store.delete_all_versions(path, up_to=2) == 2
    assert sandbox.get("a") == {"v": "3"}


def test_deleting_leaves_no_version_readable(sandbox: Sandbox) -> None:
    """All versions go, those too that would be deleted later; what is gone already is success."""
    store, path = sandbox.secrets(), sandbox.path("a")
    assert store.delete_all_versions(path) == 0
    sandbox.server.request("POST", f"{sandbox.mount}/metadata/a", {"delete_version_after": "1h"})
    for value in "123":
        sandbox.put("a", {"v": value})
    sandbox.server.request("PUT", f"{sandbox.mount}/destroy/a", {"versions": [1]})
    assert store.delete_all_versions(path) == 2
    assert store.delete_all_versions(path) == 0
    for version in (1, 2, 3):
        with pytest.raises(Rejected, match="404"):
            sandbox.server.request("GET", f"{sandbox.mount}/data/a?version={version}")
    assert not store.metadata(path).live
    assert store.write(path, FIELDS, cas=3) == 4


def test_preflight_names_what_lacks(sandbox: Sandbox) -> None:
    """Before the first vendor call: enough permission for many paths, or one error that names the first few lacking."""
    paths = [sandbox.path(f"f/{number}") for number in range(300)]
    sandbox.secrets().preflight(paths)
    sandbox.secrets(identity="plan", token=sandbox.token(planning(sandbox))).preflight(paths)
    weak = sandbox.secrets(token=sandbox.token(planning(sandbox)))
    with pytest.raises(NotPermitted, match=rf"create, update on {sandbox.mount}/data/f/0;.* and 595 more"):
        weak.preflight(paths)
    with pytest.raises(NotPermitted, match="update on") as one:
        weak.preflight(paths[:1])
    assert "more" not in one.value.what


def test_capabilities_leave_out_denial(sandbox: Sandbox) -> None:
    """What is denied is an empty set."""
    found = sandbox.secrets(token=sandbox.token(planning(sandbox))).capabilities([f"{sandbox.mount}/data/a", "x/y"])
    assert found == {f"{sandbox.mount}/data/a": frozenset(), "x/y": frozenset()}
