"""Estates as revisions and working trees hold them: the same files give the same estate, wherever they are read from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import InvalidInput
from reconciler.manifest import InvalidManifests
from reconciler.manifest.snapshot import Snapshot, at_revision, find_estate, working_tree
from tests.manifest.estates import SETTINGS, key, manifest, tenant
from tests.support.repository import Repository

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TENANT = tenant("t", "trend-workload-security")
APPROVAL = (
    "apiVersion: reconciler/v1\nkind: Approval\nmetadata: {name: a, tenant: t}\n"
    "spec: {object: ApiKey/old, action: prune, until: 2027-01-01}\n"
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "repo")
    made.commit(**{"reconciler.yaml": SETTINGS, "t.yaml": TENANT, "k.yaml": key("splunk", "t")})
    return made


def at(repository: Repository, ref: str = "main", folder: str = "", *, may_lack: bool = False) -> Snapshot:
    return at_revision(repository.folder / folder, ref, where="BASE", now=NOW, may_lack=may_lack)


def keys(side: Snapshot) -> list[str]:
    assert side.estate is not None
    return [one.name for tenant in side.estate.tenants for one in tenant.keys]


def digest(side: Snapshot) -> str:
    assert side.estate is not None
    return side.estate.digest


def test_a_revision_and_the_working_tree_give_the_same_estate(repository: Repository) -> None:
    """By digest; and what was edited since is not in the revision."""
    assert digest(at(repository)) == digest(working_tree(repository.folder, now=NOW))
    (repository.folder / "k.yaml").write_text(key("other", "t"))
    assert (keys(at(repository)), keys(working_tree(repository.folder, now=NOW))) == (["splunk"], ["other"])
    side = at(repository)
    assert (str(side), len(side.commit)) == ("main", 40)
    assert str(working_tree(repository.folder, now=NOW)) == "the working tree"


def test_places_name_the_revision(repository: Repository) -> None:
    """`REF:path:line:col`, for what is there and for what is wrong."""
    side = at(repository)
    assert side.estate is not None
    assert str(side.estate.tenants[0].keys[0].source) == "main:k.yaml:1:1"
    repository.commit(**{"sub/k.yaml": key("x", "nobody"), "sub/l.yaml": "a: [", "u.yaml": '"apiVersion": x\n'})
    with pytest.raises(InvalidManifests) as problem:
        at(repository)
    places = [str(one.source) for one in problem.value.problems]
    assert places[0] == "main:sub/k.yaml:3:29"
    assert all(place.startswith("main:") for place in places)
    assert len(places) > 2


def test_settings_that_are_missing_or_elsewhere_are_named_in_the_revision(repository: Repository) -> None:
    """Messages about `reconciler.yaml` point to the revision's, not to the file here."""
    repository.commit(**{"reconciler.yaml": "# nothing\n", "other.yaml": SETTINGS})
    with pytest.raises(InvalidManifests) as problem:
        at(repository)
    told = [str(one) for one in problem.value.problems]
    assert told[0].startswith("main:other.yaml:2:7")
    assert "move it to main:reconciler.yaml" in told[0]
    assert told[1].startswith("main:reconciler.yaml:1:1: error: the file holds no manifest of kind Estate")


def test_no_estate_yet(repository: Repository) -> None:
    """Neither its folder nor its file, if that may be; an empty estate may be, too."""
    repository.commit(**{"estates/acme/other.txt": "x"})
    for folder in ("estates/acme", "estates/none", "none", "t.yaml/none"):
        assert at(repository, folder=folder, may_lack=True).estate is None
    with pytest.raises(InvalidInput, match=r"main:reconciler.yaml: the revision holds no reconciler.yaml"):
        at(repository, folder="estates/acme")
    with pytest.raises(InvalidInput, match="BASE: the revision 'main' holds no folder 'none'"):
        at(repository, folder="none")
    with pytest.raises(InvalidInput, match="BASE: Git knows no revision 'nope'"):
        at(repository, "nope", may_lack=True)
    repository.commit(**{"empty/reconciler.yaml": SETTINGS})
    assert keys(at(repository, folder="empty", may_lack=True)) == []
    with pytest.raises(InvalidManifests, match="the estate is empty"):
        at(repository, folder="empty")


def test_an_estate_in_a_folder_of_the_repository(repository: Repository) -> None:
    """Its siblings are not read; what the pipeline runs is looked for at the top as well."""
    repository.commit(**{
        "e/reconciler.yaml": SETTINGS, "e/t.yaml": TENANT, "e/k.yaml": key("inner", "t"), "Makefile": "all:\n",
        "e/requirements.txt": "x\n", "e/deep/Makefile": "no", ".github/workflows/ci.yml": "on: push\n",
        "e/.hidden/k.yaml": "a: [",
    })  # fmt: skip
    side = at(repository, folder="e")
    assert keys(side) == ["inner"]
    expected = {"Makefile": b"all:\n", "e/requirements.txt": b"x\n", ".github/workflows/ci.yml": b"on: push\n"}
    assert side.pipeline == expected
    assert working_tree(repository.folder / "e", now=NOW).pipeline == expected


def test_links_are_followed_within_the_revision(repository: Repository) -> None:
    """As the loader follows them in a working tree: to a file, to a folder, each content once."""
    repository.commit(
        **{
            ".shared/a.yaml": key("a", "t"),
            ".shared/more/b.yaml": key("b", "t"),
            ".shared/c.txt": "x",
            ".one/c.yaml": key("c", "t"),
        }
    )
    (repository.folder / "linked.yaml").symlink_to(".one/c.yaml")
    (repository.folder / "folder").symlink_to(".shared")
    (repository.folder / "again.yaml").symlink_to("k.yaml")
    (repository.folder / "nowhere").symlink_to("/tmp/none")
    (repository.folder / "text").symlink_to("t.yaml")
    (repository.folder / "all").symlink_to(".")
    repository.commit()
    assert sorted(keys(at(repository))) == ["a", "b", "c", "splunk"]
    assert digest(at(repository)) == digest(working_tree(repository.folder, now=NOW))


@pytest.mark.parametrize("target", ["../outside.yaml", "/etc/passwd", "none.yaml"])
def test_links_that_lead_out_or_nowhere_are_refused(repository: Repository, target: str) -> None:
    """In both, so that nothing is left out in silence."""
    (repository.folder.parent / "outside.yaml").write_text("a: 1\n")
    (repository.folder / "x.yaml").symlink_to(target)
    repository.commit()
    with pytest.raises(InvalidInput, match="symbolic link"):
        at(repository)
    with pytest.raises(InvalidInput, match="symbolic link"):
        working_tree(repository.folder, now=NOW)


def test_links_through_links_are_refused(repository: Repository) -> None:
    """They would have to be followed as the file system does."""
    (repository.folder / "first").symlink_to(".shared")
    (repository.folder / "second").symlink_to("first/more")
    repository.commit(**{".shared/more/b.yaml": key("b", "t")})
    with pytest.raises(InvalidInput, match="through another link") as problem:
        at(repository)
    assert problem.value.where == "main:second"


def test_submodules_are_named(repository: Repository, tmp_path: Path) -> None:
    """With the commit that they are at: what they hold is not read."""
    commit = repository.git("rev-parse", "HEAD")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},shared")
    repository.git("commit", "-q", "-m", "a submodule")
    assert at(repository).submodules == {"shared": commit}


def test_what_judges_is_taken_as_it_stands(repository: Repository) -> None:
    """Approvals and endpoint maps by kind, tenant and name, in any spelling of YAML."""
    tagged = APPROVAL.replace("name: a", "name: &x b")
    repository.commit(
        **{
            "a.yaml": APPROVAL,
            "b.yaml": tagged,
            "m.yaml": manifest(
                "EndpointMap", "m", "operations: {createKey: {method: POST, path: /x, reply: {id: a, secret: b}}}"
            ),
        }
    )
    side = working_tree(repository.folder, now=NOW)
    assert set(side.documents) == {
        ("Approval", "t", "a"),
        ("Approval", "t", "b"),
        ("EndpointMap", "", "m"),
        ("Estate", "", ""),
    }
    one = side.documents["Approval", "t", "a"]
    assert one.spec["object"] == "ApiKey/old"
    assert at(repository).documents.keys() == side.documents.keys()
    assert str(at(repository).documents["Approval", "t", "a"].source) == "main:a.yaml:1:1"


def test_the_ca_file_is_read_where_the_estate_is(repository: Repository) -> None:
    """From the commit, or from the folder; one that is not there, or outside, has no content."""
    with_ca = SETTINGS.replace("}", ", caCert: tls/ca.pem}", 2).replace("acme, caCert: tls/ca.pem", "acme")
    repository.commit(**{"reconciler.yaml": with_ca, "tls/ca.pem": "one"})
    (repository.folder / "tls/ca.pem").write_text("two")
    assert (at(repository).ca_cert, working_tree(repository.folder, now=NOW).ca_cert) == (b"one", b"two")
    repository.commit(**{"reconciler.yaml": with_ca.replace("tls/ca.pem", "../../none.pem")})
    assert (at(repository).ca_cert, working_tree(repository.folder, now=NOW).ca_cert) == (b"", b"")


def test_where_the_estate_is(repository: Repository, tmp_path: Path) -> None:
    """Upward from the folder; the folder itself where only revisions hold an estate."""
    inner = repository.folder / "sub"
    inner.mkdir()
    assert find_estate(inner, by_folder=False) == repository.folder
    assert find_estate(tmp_path, by_folder=True) == tmp_path
    with pytest.raises(InvalidInput, match=r"there is no reconciler.yaml"):
        find_estate(tmp_path, by_folder=False)
