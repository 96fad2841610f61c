from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import InvalidInput
from reconciler.manifest.trusted import Trusted, read_trusted
from reconciler.model.desired import CredentialRef, VaultPath
from tests.manifest.estates import SETTINGS, manifest, tenant
from tests.support.repository import Repository

PROVIDER = "trend-workload-security"
MAP = manifest("EndpointMap", "console", "operations: {createKey: {method: POST, path: /keys}}")
SPEC = {"operations": {"createKey": {"method": "POST", "path": "/keys"}}}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repo")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def with_ca(path: str) -> str:
    return SETTINGS.replace('8200"}', f'8200", caCert: {path}}}')


def test_settings_maps_and_tenants(repository: Repository, scratch: Path) -> None:
    """Whatever file they are in, hidden ones left out; a map that no tenant names is there, too."""
    commit = repository.commit(
        **{
            "reconciler.yaml": SETTINGS,
            "a/many.yaml": f"{MAP}---\n{tenant('dsm', PROVIDER)}",
            "b.yml": manifest("EndpointMap", "aliased", "operations: &o {createKey: {method: POST}}"),
            ".hidden.yaml": manifest("EndpointMap", "hidden", "operations: {createKey: {}}"),
            ".hidden/x.yaml": manifest("EndpointMap", "hidden", "operations: {createKey: {}}"),
            "notes.txt": manifest("EndpointMap", "notes", "operations: {createKey: {}}"),
        }
    )
    (repository.folder / "a/many.yaml").write_text("")
    found = read_trusted(repository.folder / "a", "main", scratch)
    assert (found.ref, found.commit, found.ca_cert) == ("main", commit, b"")
    assert found.settings.vault.address == "https://vault.example.com:8200"
    assert found.settings.tenants == ()
    assert found.maps == {"console": SPEC, "aliased": {"operations": {"createKey": {"method": "POST"}}}}
    assert set(found.tenants) == {"dsm"}
    assert found.tenants["dsm"].apply == CredentialRef(VaultPath("secret", "reconciler-credentials/dsm"))


def test_settings_alone(repository: Repository, scratch: Path) -> None:
    """An emergency reads no manifest, broken or not."""
    repository.commit(**{"reconciler.yaml": SETTINGS, "a.yaml": f"{MAP}---\n{MAP}"})
    found = read_trusted(repository.folder, "main", scratch, manifests=False)
    assert (found.maps, found.tenants) == (None, {})


@pytest.mark.parametrize(
    "text",
    [
        manifest("EndpointMap", "console", "operations: {}"),
        manifest("EndpointMap", "console", "operations: {a: 1}", "more: 1"),
        MAP.replace("EndpointMap", '"Endpoint\\x4dap"'),
        f"{MAP}---\nkind: [",
        "- EndpointMap\n",
        "[EndpointMap\n",
    ],
)
def test_what_is_not_valid_is_not_trusted(repository: Repository, scratch: Path, text: str) -> None:
    """An error in the revision takes trust away, and gives none."""
    repository.commit(**{"reconciler.yaml": SETTINGS, "a.yaml": text, "b.yaml": tenant("dsm", PROVIDER)})
    found = read_trusted(repository.folder, "main", scratch)
    assert found.maps in ({}, {"console": SPEC})
    assert bool(found.maps) == text.startswith(MAP)
    assert set(found.tenants) == {"dsm"}


def test_files_in_utf_16_are_read(repository: Repository, scratch: Path) -> None:
    """Their bytes do not show what kinds they hold."""
    repository.commit(**{"reconciler.yaml": SETTINGS, "a.yaml": MAP.encode("utf-16")})
    assert set(read_trusted(repository.folder, "main", scratch).maps or {}) <= {"console"}


def test_two_of_a_name_are_refused(repository: Repository, scratch: Path) -> None:
    """It cannot be told which of them was meant."""
    repository.commit(**{"reconciler.yaml": SETTINGS, "a.yaml": MAP, "b.yaml": MAP})
    with pytest.raises(InvalidInput, match="second EndpointMap 'console'") as problem:
        read_trusted(repository.folder, "main", scratch)
    assert (problem.value.where, problem.value.hint) == ("main:b.yaml", "the first: main:a.yaml:1")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"x.yaml": "a"}, "no estate in the trusted revision"),
        ({"reconciler.yaml": "kind: Estate"}, "no valid manifest of kind Estate"),
        ({"reconciler.yaml": MAP}, "no valid manifest of kind Estate"),
        ({"reconciler.yaml": with_ca("ca.pem")}, "no regular file of the trusted revision"),
        ({"reconciler.yaml": with_ca("../ca.pem"), "../ca.pem": "x"}, "no regular file of the trusted revision"),
    ],
)
def test_no_estate_at_the_revision(tmp_path: Path, scratch: Path, files: dict[str, Any], told: str) -> None:
    """It says where and what, before any call."""
    repository = Repository.make(tmp_path / "repo")
    repository.commit(**{f"estate/{name}": text for name, text in files.items()})
    (repository.folder / "estate/reconciler.yaml").write_text(SETTINGS)
    with pytest.raises(InvalidInput, match=told) as problem:
        read_trusted(repository.folder / "estate", "main", scratch)
    assert problem.value.where == "main:reconciler.yaml"


def test_a_linked_reconciler_yaml_is_none(repository: Repository, scratch: Path) -> None:
    """A link's text in the revision is no estate."""
    (repository.folder / "reconciler.yaml").symlink_to("real.yaml")
    repository.commit(**{"real.yaml": SETTINGS})
    with pytest.raises(InvalidInput, match="no estate in the trusted revision"):
        read_trusted(repository.folder, "main", scratch)


def test_no_estate_here(tmp_path: Path, scratch: Path) -> None:
    """The working tree says which folder is meant."""
    with pytest.raises(InvalidInput, match=r"no reconciler\.yaml here"):
        read_trusted(tmp_path, "main", scratch)


def ca_of(found: Trusted) -> tuple[bytes, bytes]:
    return found.ca_cert, Path(found.settings.vault.ca_cert).read_bytes()


def test_the_ca_file_is_the_revisions(repository: Repository, scratch: Path) -> None:
    """A copy of it, for the one in the working tree may be another."""
    repository.commit(**{"reconciler.yaml": with_ca("tls/ca.pem"), "tls/ca.pem": "reviewed"})
    (repository.folder / "tls/ca.pem").write_text("evil")
    assert ca_of(read_trusted(repository.folder, "main", scratch)) == (b"reviewed", b"reviewed")


def test_a_ca_file_outside_the_repository_is_the_operators(
    repository: Repository, scratch: Path, tmp_path: Path
) -> None:
    """A pull request cannot change it."""
    (tmp_path / "ca.pem").write_text("operator's")
    repository.commit(**{"reconciler.yaml": with_ca(str(tmp_path / "ca.pem"))})
    found = read_trusted(repository.folder, "main", scratch)
    assert (found.ca_cert, found.settings.vault.ca_cert) == (b"", str(tmp_path / "ca.pem"))


def test_a_ca_file_that_is_a_link_in_the_revision_is_refused(repository: Repository, scratch: Path) -> None:
    """Who follows it reads the working tree."""
    (repository.folder / "ca.pem").symlink_to("other.pem")
    repository.commit(**{"reconciler.yaml": with_ca("ca.pem"), "other.pem": "x"})
    with pytest.raises(InvalidInput, match="no regular file"):
        read_trusted(repository.folder, "main", scratch)


def test_a_ca_file_that_is_not_needed_is_not_looked_for(repository: Repository, scratch: Path) -> None:
    """The environment names another one."""
    repository.commit(**{"reconciler.yaml": with_ca("ca.pem")})
    assert read_trusted(repository.folder, "main", scratch, ca_cert=False).ca_cert == b""
    assert not list(scratch.iterdir())
